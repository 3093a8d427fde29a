use super::*;
use crate::capture::error::Damage;
use crate::capture::writer::{Order, Pcapng as Writer};

struct Read {
    file: Pcapng,
    /// Interface, nanoseconds, length on the wire, bytes.
    packets: Vec<(u32, u64, u32, Vec<u8>)>,
    damage: Vec<Damage>,
}

fn read(bytes: &[u8]) -> Read {
    let mut buffer = Buffer::new(Box::new(std::io::Cursor::new(bytes.to_vec())), 64);
    let mut damage = DamageLog::default();
    let mut file = Pcapng::open(&mut buffer).unwrap();
    let mut packets = Vec::new();
    while let Some(located) = file.next(&mut buffer, &mut damage).unwrap() {
        packets.push((
            located.interface,
            located.timestamp.as_nanos(),
            located.wire_bytes,
            buffer.slice(located.data).to_vec(),
        ));
    }
    Read { file, packets, damage: damage.list().to_vec() }
}

fn reasons(read: &Read) -> Vec<&'static str> {
    read.damage.iter().map(Damage::reason).collect()
}

#[test]
fn reads_every_kind_of_packet_in_both_byte_orders() {
    for order in [Order::Little, Order::Big] {
        let mut file = Writer::new(order);
        file.interface(1, 0, &[(2, b"eth0"), (3, b"the first")]);
        file.interface(113, 0, &[]);
        file.packet(1, 3_000_001, 60, b"abc");
        file.obsolete_packet(0, 4, 0x1_0000_0000, b"defgh");
        file.obsolete_packet(0, 0xffff, 0x1_0000_0000, b"");
        file.simple_packet(9, b"ijkl");
        file.block(0x0bad, b"custom");
        file.statistics(1, 11, 22);
        file.statistics(1, 10, 33);
        file.packet(0, 0, 2, b"mn");
        let read = read(&file.bytes);
        assert_eq!(
            read.packets,
            [
                (1, 3_000_001_000, 60, b"abc".to_vec()),
                (0, 0x1_0000_0000 * 1_000, 5, b"defgh".to_vec()),
                (0, 0x1_0000_0000 * 1_000, 0, Vec::new()),
                (0, 0x1_0000_0000 * 1_000, 9, b"ijkl".to_vec()),
                (0, 0, 2, b"mn".to_vec()),
            ],
            "{order:?}"
        );
        assert!(read.damage.is_empty(), "{:?}", read.damage);
        let [first, second] = read.file.interfaces() else { panic!("{:?}", read.file.interfaces()) };
        assert_eq!((first.link_type, first.name.as_deref()), (LinkType::ETHERNET, Some("eth0")));
        assert_eq!((second.link_type, second.name.as_deref()), (LinkType::LINUX_SLL, None));
        assert_eq!(
            read.file.drops().collect::<Vec<_>>(),
            [
                RecordedDrops { interface: 0, between_packets: 4, ..RecordedDrops::default() },
                RecordedDrops { interface: 1, by_interface: 11, by_system: 33, between_packets: 0 },
            ]
        );
        assert_eq!(read.file.untimed(), 1);
    }
}

#[test]
fn numbers_interfaces_on_over_sections() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[(2, b"a")]);
    file.packet(0, 1, 1, b"x");
    file.section(Order::Big);
    file.interface(101, 0, &[(2, b"b")]);
    file.interface(228, 0, &[(2, b"c")]);
    file.packet(1, 2, 1, b"y");
    file.packet(0, 3, 1, b"z");
    file.section(Order::Little);
    file.packet(0, 4, 1, b"of no interface of its section");
    let read = read(&file.bytes);
    assert_eq!(read.packets.iter().map(|packet| packet.0).collect::<Vec<_>>(), [0, 2, 1]);
    assert_eq!(reasons(&read), ["unknown_interface"]);
    let names: Vec<_> = read.file.interfaces().iter().map(|i| i.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn counts_time_in_the_unit_and_from_the_offset_of_the_interface() {
    let second = |order: Order, tsresol: Option<u8>, offset: Option<i64>, units: u64| {
        let mut file = Writer::new(order);
        let (resolution, offset_bytes);
        let mut options: Vec<(u16, &[u8])> = Vec::new();
        if let Some(value) = tsresol {
            resolution = [value];
            options.push((9, &resolution));
        }
        if let Some(offset) = offset {
            offset_bytes = order.u64(offset.cast_unsigned());
            options.push((14, &offset_bytes));
        }
        file.interface(1, 0, &options);
        file.packet(0, units, 1, b"x");
        let read = read(&file.bytes);
        (read.packets[0].1, reasons(&read))
    };
    for order in [Order::Little, Order::Big] {
        assert_eq!(second(order, None, None, 5), (5_000, vec![]));
        assert_eq!(second(order, Some(0), None, 5), (5_000_000_000, vec![]));
        assert_eq!(second(order, Some(9), None, 5), (5, vec![]));
        assert_eq!(second(order, Some(12), None, 5_999), (5, vec![]));
        assert_eq!(second(order, Some(19), None, u64::MAX), (u64::MAX / 10_000_000_000, vec![]));
        assert_eq!(second(order, Some(0x80), None, 5), (5_000_000_000, vec![]));
        assert_eq!(second(order, Some(0x81), None, 5), (2_500_000_000, vec![]));
        assert_eq!(second(order, Some(0xbf), None, 1 << 63), (1_000_000_000, vec![]));
        assert_eq!(second(order, Some(20), None, 5), (5_000, vec!["time_resolution"]));
        assert_eq!(second(order, Some(0xc0), None, 5), (5_000, vec!["time_resolution"]));
        // Beyond what can be expressed, on both sides.
        assert_eq!(second(order, Some(0), None, u64::MAX), (u64::MAX, vec![]));
        assert_eq!(second(order, None, Some(10), 5), (10_000_005_000, vec![]));
        assert_eq!(second(order, None, Some(-1), 2_000_000), (1_000_000_000, vec![]));
        assert_eq!(second(order, None, Some(-10), 5), (0, vec![]));
        assert_eq!(second(order, None, Some(i64::MIN), u64::MAX), (0, vec![]));
        assert_eq!(second(order, None, Some(i64::MAX), u64::MAX), (u64::MAX, vec![]));
    }
}

#[test]
fn cuts_simple_packets_at_the_snaplen() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 6, &[]);
    file.simple_packet(100, b"abcdefgh");
    let read = read(&file.bytes);
    assert_eq!(read.packets, [(0, 0, 100, b"abcdef".to_vec())]);
}

#[test]
fn goes_over_a_broken_block_where_the_next_one_stands_in_its_place() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    file.packet(0, 1, 1, b"a");
    let broken_at = file.bytes.len();
    file.packet(0, 2, 1, b"b");
    let end = file.bytes.len();
    file.packet(0, 3, 1, b"c");
    file.bytes[end - 4] ^= 0x10;
    let read_of = read(&file.bytes);
    assert_eq!(read_of.packets.iter().map(|packet| packet.3[0]).collect::<Vec<_>>(), *b"ac");
    assert_eq!(read_of.damage.len(), 1);
    assert_eq!(read_of.damage[0].offset, broken_at as u64);
    assert!(matches!(read_of.damage[0].kind, DamageKind::BlockLength { skipped: true, .. }));
    // The last block, and an interface description, which keeps its number.
    let at_end = &file.bytes[..end];
    assert_eq!(reasons(&read(at_end)), ["block_length"]);
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    let end = file.bytes.len();
    file.interface(101, 0, &[]);
    file.packet(1, 1, 1, b"a");
    file.bytes[end - 4] ^= 0x10;
    let read_of = read(&file.bytes);
    assert_eq!(read_of.packets[0].0, 1);
    assert_eq!(read_of.file.interfaces()[1].link_type, LinkType::RAW);
}

#[test]
fn stops_at_a_block_whose_length_leads_nowhere() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    file.packet(0, 1, 1, b"a");
    let broken_at = file.bytes.len();
    file.packet(0, 2, 1, b"b");
    file.packet(0, 3, 1, b"c");
    for (length, reason) in
        [(8, "record_length"), (24, "block_length"), (0xffff_fff0, "record_length"), (4_000, "cut_off")]
    {
        let mut bytes = file.bytes.clone();
        bytes[broken_at + 4..broken_at + 8].copy_from_slice(&u32::to_le_bytes(length));
        let read = read(&bytes);
        assert_eq!(read.packets.len(), 1, "{length}");
        assert_eq!(reasons(&read), [reason], "{length}");
        assert_eq!(read.damage[0].offset, broken_at as u64);
    }
}

#[test]
fn takes_blocks_whose_lengths_leave_the_padding_out() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    let at = file.bytes.len();
    file.simple_packet(5, b"abcde");
    let end = file.bytes.len();
    for place in [at + 4, end - 4] {
        file.bytes[place] -= 3;
    }
    file.packet(0, 1, 1, b"x");
    let read = read(&file.bytes);
    assert_eq!(
        read.packets.iter().map(|packet| packet.3.as_slice()).collect::<Vec<_>>(),
        [b"abcde".as_slice(), b"x"]
    );
    assert!(read.damage.is_empty());
}

#[test]
fn goes_over_packets_that_are_longer_than_their_block_or_of_no_interface() {
    let mut file = Writer::new(Order::Little);
    file.packet(0, 1, 1, b"too early");
    file.interface(1, 0, &[]);
    let at = file.bytes.len();
    file.packet(0, 1, 1, b"a");
    file.packet(7, 1, 1, b"b");
    file.packet(u32::MAX, 1, 1, b"b");
    file.block(6, b"short");
    file.block(3, b"");
    file.block(1, b"");
    file.block(5, b"");
    file.packet(0, 1, 1, b"c");
    file.bytes[at + 20] = 200;
    let read = read(&file.bytes);
    assert_eq!(read.packets, [(0, 1_000, 1, b"c".to_vec())]);
    assert_eq!(
        reasons(&read),
        [
            "unknown_interface",
            "packet_length",
            "block_too_short",
            "block_too_short",
            "block_too_short",
            "block_too_short"
        ]
    );
    assert_eq!(read.damage[0].kind, DamageKind::UnknownInterface { interface: 0, packets: 3 });
    // "too early" and twice "b".
    assert_eq!(read.file.undescribed(), (3, 11));
}

#[test]
fn counts_what_was_lost_in_front_of_single_packets() {
    for order in [Order::Little, Order::Big] {
        let mut file = Writer::new(order);
        file.interface(1, 0, &[]);
        file.interface(1, 0, &[]);
        for (interface, drops, data) in [(0, 5_u64, &b"abc"[..]), (1, 1 << 33, b"abcd"), (0, 2, b"")] {
            let drops = order.u64(drops);
            let options = file.options(&[(2, &[0, 0, 0, 1]), (4, &drops)]);
            file.packet_with(interface, 1, 9, data, &options);
        }
        // Cut within the option, and none.
        file.packet_with(0, 1, 9, b"ab", &[0, 4, 0, 8]);
        file.packet(0, 1, 9, b"abc");
        let read = read(&file.bytes);
        assert_eq!(read.packets.len(), 5);
        let lost: Vec<(u32, u64)> =
            read.file.drops().map(|drops| (drops.interface, drops.between_packets)).collect();
        assert_eq!(lost, [(0, 7), (1, 1 << 33)]);
    }
}

#[test]
fn goes_over_large_blocks_that_it_does_not_read() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    let at = file.bytes.len();
    file.block(0x0bad, &vec![5; 3 * BUFFER_BYTES]);
    let end = file.bytes.len();
    file.packet(0, 1, 1, b"c");
    let read_of = read(&file.bytes);
    assert_eq!(read_of.packets.len(), 1);
    assert!(read_of.damage.is_empty());
    let cut = read(&file.bytes[..end - 2]);
    assert_eq!(cut.damage[0].offset, at as u64);
    assert_eq!(
        cut.damage[0].kind,
        DamageKind::CutOff { have_bytes: (end - at - 2) as u64, needed_bytes: (end - at) as u64 }
    );
}

#[test]
fn passes_over_sections_it_does_not_know() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    let at = file.bytes.len();
    file.section(Order::Big);
    file.bytes[at + 13] = 9;
    file.interface(1, 0, &[]);
    file.packet(0, 1, 1, b"not this");
    file.section(Order::Little);
    file.interface(1, 0, &[]);
    file.packet(0, 1, 1, b"this");
    let read_of = read(&file.bytes);
    assert_eq!(read_of.packets, [(1, 1_000, 4, b"this".to_vec())]);
    assert_eq!(read_of.damage[0].kind, DamageKind::SectionVersion { major: 9, minor: 0 });
    file.bytes[at + 8] = 0;
    let read_of = read(&file.bytes);
    assert_eq!(reasons(&read_of), ["section_byte_order"]);
    assert_eq!(read_of.damage[0].offset, at as u64);
}

#[test]
fn tells_only_so_many_interfaces_apart() {
    let mut file = Writer::new(Order::Little);
    for _ in 0..MAX_INTERFACES + 3 {
        file.interface(1, 0, &[]);
    }
    file.packet(MAX_INTERFACES as u32 - 1, 1, 1, b"a");
    file.packet(MAX_INTERFACES as u32, 1, 1, b"b");
    let read = read(&file.bytes);
    assert_eq!(read.packets.len(), 1);
    assert_eq!(read.file.interfaces().len(), MAX_INTERFACES);
    assert_eq!(reasons(&read), ["too_many_interfaces", "unknown_interface"]);
}

#[test]
fn makes_interface_names_safe_to_show() {
    assert_eq!(name(b"eth0\0\0").as_deref(), Some("eth0"));
    assert_eq!(name(b"").as_deref(), None);
    assert_eq!(name(b"\0").as_deref(), None);
    assert_eq!(name(b"a\x1b[31m\xff").as_deref(), Some("a\u{fffd}[31m\u{fffd}"));
    assert_eq!(name(&[b'x'; 5_000]).unwrap().len(), MAX_NAME_CHARACTERS);
    let with_account = ["x".repeat(MAX_NAME_CHARACTERS - 11), "123456789012".to_owned()].concat();
    assert_eq!(name(with_account.as_bytes()).unwrap().len(), MAX_NAME_CHARACTERS - 11);
}

#[test]
fn refuses_a_first_section_that_cannot_be_read() {
    let open = |bytes: &[u8]| {
        let mut buffer = Buffer::new(Box::new(std::io::Cursor::new(bytes.to_vec())), 64);
        Pcapng::open(&mut buffer).map(|_| ()).map_err(|error| error.reason())
    };
    let file = Writer::new(Order::Big);
    assert_eq!(open(&file.bytes), Ok(()));
    assert_eq!(open(&file.bytes[..27]), Err("header_cut_off"));
    let mut bytes = file.bytes.clone();
    bytes[8] = 0;
    assert_eq!(open(&bytes), Err("header_broken"));
    let mut bytes = file.bytes.clone();
    bytes[7] = 27;
    assert_eq!(open(&bytes), Err("header_broken"));
    let mut bytes = file.bytes;
    bytes[13] = 2;
    assert_eq!(open(&bytes), Err("unsupported_version"));
}
