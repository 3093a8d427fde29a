//! How long the program takes per packet, by the kernel's own test run. A measurement, not a test:
//! `cargo test --release --test ddbwatch ebpf::speed -- --ignored --nocapture`, as root.

use aya::EbpfLoader;
use aya::maps::{Array, HashMap};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions};

use super::frames::{ACK, SYN, ethernet, hello, ipv4, ipv6, tcp, udp};

/// Packets per run, and runs of which the fastest counts: the others met something else on the processor.
const REPEAT: u32 = 100_000;
const RUNS: usize = 9;

pub fn measure(object: &[u8]) {
    let mut loaded = EbpfLoader::new()
        .map_max_entries("scratches", 64)
        .map_max_entries("ring", 1 << 20)
        .load(object)
        .unwrap();
    let mut slots: Array<_, [u32; 2]> = loaded.take_map("slots").unwrap().try_into().unwrap();
    for index in 0..16 {
        slots.set(index, [1, 0], 0).unwrap();
    }
    let mut ports: Array<_, u64> = loaded.take_map("ports").unwrap().try_into().unwrap();
    ports.set(443 >> 6, 1 << (443 & 63), 0).unwrap();
    let mut flows: HashMap<_, [u64; 5], [u64; 6]> = loaded.take_map("flows").unwrap().try_into().unwrap();
    let program: &mut SchedClassifier = loaded.program_mut("ddb_ingress").unwrap().try_into().unwrap();
    program.load().unwrap();
    println!("verified instructions: {:?}", program.info().unwrap().verified_instruction_count());
    let run = |program: &SchedClassifier, frame: &[u8], repeat| {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.repeat = repeat;
        program.test_run(options).unwrap().duration.as_nanos()
    };
    let bulk = vec![0x5a; 1_448];
    let plain = |inside: &[u8]| ethernet(0x0800, &ipv4(6, inside));
    let settled = |port, sequence, payload: &[u8]| tcp(port, sequence, ACK, payload);
    let vxlan =
        |frame: &[u8]| ethernet(0x0800, &ipv4(17, &udp(4_789, &[&[8, 0, 0, 0, 0, 0, 7, 0], frame].concat())));
    let geneve = |frame: &[u8]| {
        let header = [2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 8, 1, 1, 1, 2, 3, 4];
        ethernet(0x0800, &ipv4(17, &udp(6_081, &[&header, frame].concat())))
    };
    let vlan = |inside: &[u8]| ethernet(0x8100, &[&[0, 7, 8, 0], inside].concat());
    // What no rule knows, and a flow without interest.
    run(program, &plain(&tcp(2_222, 1, SYN, b"")), 1);
    run(program, &plain(&tcp(2_222, 2, ACK, &bulk)), 1);
    run(program, &plain(&tcp(443, 1, SYN, b"")), 1);
    run(program, &ethernet(0x86dd, &ipv6(&tcp(443, 1, SYN, b""))), 1);
    let keys: Vec<[u64; 5]> = flows.keys().map(Result::unwrap).collect();
    for key in keys {
        let mut state = flows.get(&key, 0).unwrap();
        state[3] |= u64::from_ne_bytes([0, 0, 0, 0, 0, 1, 0, 0]);
        flows.insert(key, state, 0).unwrap();
    }
    let cases = [
        ("settled bulk, IPv4", plain(&settled(443, 9_000_000, &bulk))),
        ("settled bulk, IPv6", ethernet(0x86dd, &ipv6(&settled(443, 9_000_000, &bulk)))),
        ("settled, acknowledgment only", plain(&settled(443, 1, b""))),
        ("other protocol, bulk", plain(&settled(2_222, 9_000, &bulk))),
        ("open, acknowledgment only: goes up", plain(&tcp(8_443, 9, ACK, b""))),
        ("hello of 517 bytes: goes up", plain(&tcp(444, 9, ACK, &hello()))),
        ("UDP of no interest", ethernet(0x0800, &ipv4(17, &udp(443, &bulk)))),
        ("ARP", ethernet(0x0806, &[0; 46])),
        ("settled bulk in VLAN (tag in the frame)", vlan(&ipv4(6, &settled(443, 9_000_000, &bulk)))),
        ("settled bulk in VXLAN", vxlan(&plain(&settled(443, 9_000_000, &bulk)))),
        ("settled bulk in GENEVE", geneve(&plain(&settled(443, 9_000_000, &bulk)))),
    ];
    for (name, frame) in cases {
        let fastest = (0..RUNS).map(|_| run(program, &frame, REPEAT)).min().unwrap();
        println!("{fastest:>5} ns  {name}");
    }
}

#[test]
#[ignore = "a measurement"]
fn nanoseconds_per_packet() {
    measure(ddbwatch::capture::ebpf::OBJECT);
}
