mod endings;
mod going_on;
mod opening;
mod order;
mod room;
mod strangers;
mod translated;

use std::net::SocketAddr;

use super::clock::DUE_PER_PACKET;
use super::slot::Active;
use super::*;
use crate::decode::TcpFlags;
use crate::flow::Ending;
use crate::flow::consumer::{FlowView, Identity, MAX_CONTEXTS};

const CLIENT: &str = "10.0.0.9:40000";
const SERVER: &str = "10.0.0.1:443";

/// Collects each flow's two streams and how it ended.
#[derive(Default)]
struct Script {
    ended: Vec<Ended>,
    /// Decide a flow once it has this many bytes; 0: never.
    decide_at: usize,
    /// Hold what was heard.
    is_holding: bool,
    /// Where each piece of data ends, and what its sender acknowledged.
    places: Vec<(Option<u32>, Option<u32>)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Ended {
    streams: [Vec<u8>; 2],
    gaps: usize,
    contexts: Vec<u32>,
    client: SocketAddr,
    translated: usize,
    ending: Ending,
    is_doubtful: bool,
}

#[derive(Default)]
struct Heard {
    streams: [Vec<u8>; 2],
    gaps: usize,
    is_decided: bool,
}

impl Consumer for Script {
    type State = Heard;

    fn starts_stream(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"HELLO") || bytes.starts_with(b"\x16ELLO")
    }
    fn is_answer(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"\x16ELLO")
    }
    fn data(&mut self, state: &mut Heard, _: &FlowView, side: Side, bytes: &[u8], moment: &Moment) {
        self.places.push((moment.end, moment.acknowledgment));
        state.streams[side.index()].extend_from_slice(bytes);
        state.is_decided =
            self.decide_at > 0 && state.streams.iter().map(Vec::len).sum::<usize>() >= self.decide_at;
    }
    fn gap(&mut self, state: &mut Heard, _: Side, _: u32) {
        state.gaps += 1;
    }
    fn is_decided(&self, state: &Heard) -> bool {
        state.is_decided
    }
    fn held_bytes(&self, state: &Heard) -> usize {
        if self.is_holding { state.streams.iter().map(Vec::len).sum() } else { 0 }
    }
    fn end(&mut self, state: Heard, view: FlowView, _: Identity, ending: Ending, _: Timestamp) {
        let Heard { streams, gaps, .. } = state;
        let contexts = view.contexts.to_vec();
        // The servers of these tests listen on port 443.
        let client = [Side::A, Side::B]
            .map(|side| view.key.end(side))
            .into_iter()
            .find(|end| end.port() != 443)
            .unwrap();
        let (translated, is_doubtful) = (view.translated.len(), view.is_end_doubtful);
        self.ended.push(Ended { streams, gaps, contexts, client, translated, ending, is_doubtful });
    }
}

struct Wire {
    table: Table<Script>,
    script: Script,
    at: u64,
    frame: u64,
    context: u32,
    interface: u32,
    client: &'static str,
}

impl Wire {
    fn new(limits: Limits) -> Self {
        Self {
            table: Table::new(limits, RandomState::default()),
            script: Script::default(),
            at: 1_000_000_000_000,
            frame: 0,
            context: 0,
            interface: 0,
            client: CLIENT,
        }
    }

    /// Time goes by, as packets of no flow tell.
    fn wait(&mut self, seconds: u64) {
        self.at += seconds * 1_000_000_000;
        let client = std::mem::replace(&mut self.client, "10.255.255.255:9");
        for _ in 0..2 {
            assert_eq!(self.send(true, TcpFlags::ACK, 1, 1, b""), Taken::NoFlow);
        }
        self.client = client;
    }

    fn send(
        &mut self,
        from_client: bool,
        flags: u8,
        sequence: u32,
        acknowledgment: u32,
        payload: &[u8],
    ) -> Taken {
        let (client, server) = (self.client.parse().unwrap(), SERVER.parse().unwrap());
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        self.frame += 1;
        self.at += 1_000_000;
        let segment = Segment {
            source,
            destination,
            sequence,
            acknowledgment,
            flags: TcpFlags(flags),
            payload,
            payload_wire_bytes: payload.len() as u32,
            excess_bytes: 0,
        };
        let moment = Moment {
            at: Timestamp::from_nanos(self.at),
            frame: self.frame,
            context: self.context,
            interface: self.interface,
            link: None,
            acknowledgment: (flags & TcpFlags::ACK != 0).then_some(acknowledgment),
            end: None,
        };
        let place = self.table.place(&segment);
        self.table.push_at(&place, &segment, &moment, &mut self.script)
    }

    fn open(&mut self, client_isn: u32, server_isn: u32) {
        self.send(true, TcpFlags::SYN, client_isn, 0, b"");
        self.send(false, TcpFlags::SYN | TcpFlags::ACK, server_isn, client_isn.wrapping_add(1), b"");
        self.send(true, TcpFlags::ACK, client_isn.wrapping_add(1), server_isn.wrapping_add(1), b"");
    }

    fn finish(mut self) -> Vec<Ended> {
        self.table.finish(&mut self.script);
        assert_eq!(self.table.open_flows(), 0);
        assert_eq!(self.table.held_bytes(), 0);
        assert_eq!(self.table.counts().opened, self.table.counts().ended);
        self.script.ended
    }
}

// Side B is the client here: 10.0.0.1:443 sorts before 10.0.0.9:40000.
const FROM_CLIENT: usize = 1;

fn hello(random: u8) -> Vec<u8> {
    let mut bytes = b"HELLO".to_vec();
    bytes.resize(60, random);
    bytes
}

#[test]
fn orders_both_directions_across_sequence_wrap() {
    let mut wire = Wire::new(Limits::default());
    wire.open(u32::MAX - 2, u32::MAX);
    wire.send(true, TcpFlags::ACK, 3, 0, b"fgh");
    wire.send(true, TcpFlags::ACK, u32::MAX - 1, 0, b"abcde");
    wire.send(false, TcpFlags::ACK, 0, 6, b"xyz");
    let ended = wire.finish();
    assert_eq!(ended[0].streams, [b"xyz".to_vec(), b"abcdefgh".to_vec()]);
    assert_eq!((ended.len(), ended[0].gaps, ended[0].ending), (1, 0, Ending::InputEnded));
}

#[test]
fn takes_a_capture_that_runs_backwards() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::RST, 1_108, 0, b"");
    wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 1_108, 0, b"");
    wire.send(true, TcpFlags::ACK, 1_104, 0, b"4567");
    wire.send(false, TcpFlags::ACK, 9_001, 0, b"answer");
    wire.send(true, TcpFlags::ACK, 1_101, 0, b"123");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 9_000, 1_101, b"");
    wire.send(true, TcpFlags::SYN, 1_100, 0, b"");
    let ended = wire.finish();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].streams, [b"answer".to_vec(), b"1234567".to_vec()]);
}

#[test]
fn joins_late_where_no_syn_was_seen() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::ACK, 505, 0, b" world");
    wire.send(true, TcpFlags::ACK, 500, 0, b"HELLO..");
    wire.send(true, TcpFlags::ACK, 507, 0, b"orld!");
    let ended = wire.finish();
    assert_eq!(ended[0].streams[FROM_CLIENT], b"HELLO..orld!");
}

#[test]
fn one_flow_seen_twice_is_one_flow() {
    for interface in [0, 1] {
        let mut wire = Wire::new(Limits::default());
        let packets: [(bool, u8, u32, u32, &[u8]); 4] = [
            (true, TcpFlags::SYN, 100, 0, b""),
            (false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, b""),
            (true, TcpFlags::ACK, 101, 901, b"HELLO from the client, more than forty-three bytes long"),
            (false, TcpFlags::ACK, 901, 150, b"HELLO from the server"),
        ];
        for (from_client, flags, sequence, acknowledgment, payload) in packets {
            for context in [0, 1] {
                wire.context = context;
                wire.interface = interface * context;
                wire.send(from_client, flags, sequence, acknowledgment, payload);
            }
        }
        let ended = wire.finish();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].contexts, [0, 1]);
        assert_eq!(ended[0].streams[0], b"HELLO from the server");
    }
}

#[test]
fn port_reuse_is_another_flow() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"first");
    wire.open(5_000_000, 7_000_000);
    wire.send(true, TcpFlags::ACK, 5_000_001, 7_000_001, b"second");
    let ended = wire.finish();
    assert_eq!(
        ended.iter().map(|flow| &flow.streams[FROM_CLIENT][..]).collect::<Vec<_>>(),
        [&b"first"[..], b"second"]
    );
    assert_eq!(ended[0].ending, Ending::Superseded);
}

#[test]
fn port_reuse_without_syn_is_another_flow_once_the_first_is_decided() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.open(100, 900);
    let [mut first, mut second] = [hello(1), hello(2)];
    (first[0], second[0]) = (0x16, 0x16);
    wire.send(true, TcpFlags::ACK, 101, 901, &first);
    assert_eq!(wire.send(true, TcpFlags::ACK, 101, 901, &first), Taken::Decided);
    assert_eq!(wire.script.ended.len(), 1);
    assert_eq!(wire.send(true, TcpFlags::ACK, 70_000_000, 901, &second), Taken::Inspected);
    assert_eq!(wire.finish().len(), 2);
}

#[test]
fn overlapping_ranges_behind_two_sessions_are_two_flows() {
    for other_isn in [100, 4_000_000_000] {
        let mut wire = Wire::new(Limits::default());
        for (context, isn) in [(0, 100), (1, other_isn)] {
            wire.context = context;
            wire.open(isn, isn + 7);
        }
        for (context, isn, random) in [(0, 100, b'a'), (1, other_isn, b'b')] {
            wire.context = context;
            wire.send(true, TcpFlags::ACK, isn + 1, isn + 8, &hello(random));
        }
        for (context, isn, random) in [(0, 100, b'a'), (1, other_isn, b'b')] {
            wire.context = context;
            wire.send(true, TcpFlags::ACK, isn + 61, isn + 8, &[random; 3]);
        }
        let ended = wire.finish();
        assert_eq!(ended.len(), 2, "{other_isn}");
        for (flow, random) in ended.iter().zip([b'a', b'b']) {
            assert_eq!(flow.streams[FROM_CLIENT].len(), 63);
            assert_eq!(flow.streams[FROM_CLIENT][62], random);
        }
    }
}

#[test]
fn joins_views_before_and_after_translation_only_across_interfaces() {
    for (second_interface, flows) in [(1, 1), (0, 2)] {
        let mut wire = Wire::new(Limits::default());
        let packets: [(bool, u8, u32, u32, Vec<u8>); 4] = [
            (true, TcpFlags::SYN, 100, 0, vec![]),
            (false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, vec![]),
            (true, TcpFlags::ACK, 101, 901, hello(7)),
            (false, TcpFlags::ACK, 901, 161, hello(8)),
        ];
        for (from_client, flags, sequence, acknowledgment, payload) in &packets {
            for (client, context) in [(CLIENT, 0), ("192.0.2.77:1055", 1)] {
                wire.client = client;
                wire.context = context;
                wire.interface = context * second_interface;
                wire.send(*from_client, *flags, *sequence, *acknowledgment, payload);
            }
        }
        let ended = wire.finish();
        let reported = ended.iter().filter(|flow| flow.ending != Ending::Translated).collect::<Vec<_>>();
        assert_eq!(reported.len(), flows);
        assert_eq!(reported[0].translated, 2 - flows);
    }
}

#[test]
fn never_holds_more_flows_than_its_limit_and_counts_each_it_drops() {
    let mut wire = Wire::new(Limits { flows: 10, ..Limits::default() });
    let clients: Vec<&'static str> =
        (0..100).map(|port| &*Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str())).collect();
    for client in clients {
        wire.client = client;
        wire.open(100, 900);
    }
    assert_eq!(wire.table.open_flows(), 10);
    let ended = wire.finish();
    assert_eq!(ended.len(), 100);
    assert_eq!(ended.iter().filter(|flow| flow.ending == Ending::TableFull).count(), 90);
}

#[test]
fn never_holds_more_bytes_than_its_limit() {
    let mut wire = Wire::new(Limits { flows: 1_000, flow_bytes: 10_000, memory_bytes: 50_000 });
    let clients: Vec<&'static str> =
        (0..100).map(|port| &*Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str())).collect();
    for client in clients {
        wire.client = client;
        wire.open(100, 900);
        for index in 0..30_u32 {
            wire.send(true, TcpFlags::ACK, 1_000 + index * 2_000, 901, &[b'x'; 1_000]);
            assert!(wire.table.held_bytes() <= 60_000, "{}", wire.table.held_bytes());
        }
    }
    assert!(wire.table.counts().segments_refused > 0);
    wire.finish();
}

#[test]
fn gives_up_flows_where_too_much_is_held() {
    for (is_holding, flows) in [(true, 100), (false, 1_000)] {
        let mut wire = Wire::new(Limits { flows, flow_bytes: 10_000, memory_bytes: 80_000 });
        wire.script.is_holding = is_holding;
        for port in 0..flows {
            wire.client = Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str());
            wire.open(100, 900);
            for index in 0..10_u32 {
                wire.send(true, TcpFlags::ACK, 101 + index * 1_000, 901, &[b'x'; 1_000]);
                assert!(wire.table.held_bytes() <= 80_000, "{}", wire.table.held_bytes());
            }
        }
        let ended = wire.finish();
        assert_eq!(ended.len(), flows);
        let given_up = ended.iter().filter(|flow| flow.ending == Ending::MemoryFull).count();
        assert!(given_up > flows / 2 && given_up < flows, "{given_up}");
    }
}

#[test]
fn what_segments_are_compared_with_takes_the_place_of_no_flow() {
    const FLOWS: usize = 200;
    let memory_bytes = FLOWS * (size_of::<Active<Heard>>() + 100);
    let mut wire = Wire::new(Limits { flows: FLOWS, flow_bytes: 10_000, memory_bytes });
    let clients: Vec<&'static str> =
        (0..FLOWS).map(|port| &*Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str())).collect();
    for client in &clients {
        wire.client = client;
        wire.open(100, 900);
        // Nobody acknowledges it: the other side is not seen.
        wire.send(false, TcpFlags::ACK, 901, 101, &[b'x'; 4_000]);
        assert!(wire.table.held_bytes() <= memory_bytes);
    }
    assert_eq!(wire.table.open_flows(), FLOWS);
    let counts = wire.table.counts();
    assert_eq!((counts.segments_refused, counts.segments_disagreeing), (0, 0));
    for client in &clients {
        wire.client = client;
        wire.send(false, TcpFlags::ACK, 901, 101, &[b'y'; 4_000]);
    }
    // Each was compared, or is told as one that there was no room for.
    wire.table.finish(&mut wire.script);
    assert!(wire.script.ended.iter().all(|flow| flow.ending == Ending::InputEnded));
    let counts = wire.table.counts();
    assert_eq!(counts.segments_refused + counts.segments_disagreeing, FLOWS as u64);
    assert!(counts.segments_refused > 0);
}

#[test]
fn gives_up_a_flow_that_alone_holds_too_much() {
    let mut wire = Wire::new(Limits { flows: 10, flow_bytes: 10_000, memory_bytes: 3_000 });
    wire.script.is_holding = true;
    wire.open(100, 900);
    assert_eq!(wire.table.open_flows(), 1);
    for index in 0..3 {
        wire.send(true, TcpFlags::ACK, 101 + index * 1_000, 901, &[b'x'; 1_000]);
    }
    assert_eq!((wire.table.open_flows(), wire.table.held_bytes()), (0, 0));
    assert_eq!(wire.finish()[0].ending, Ending::MemoryFull);
}

#[test]
fn remembers_no_more_translations_than_contexts() {
    let mut wire = Wire::new(Limits::default());
    let payload = hello(1);
    for port in 0..200 {
        wire.client = Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str());
        wire.interface = port.min(20);
        wire.context = wire.interface;
        wire.send(true, TcpFlags::ACK, 101, 901, &payload);
    }
    let ended = wire.finish();
    let kept = ended.iter().find(|flow| flow.ending == Ending::InputEnded).unwrap();
    assert_eq!(kept.translated, MAX_CONTEXTS - 1);
}

#[test]
fn ends_few_flows_at_a_time() {
    let flows = DUE_PER_PACKET + 10;
    let open = || {
        let mut wire = Wire::new(Limits::default());
        for port in 0..flows {
            wire.client = Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str());
            wire.send(true, TcpFlags::SYN, 100, 0, b"");
        }
        wire
    };
    let mut silent = open();
    silent.at += 3_000_000_000_000;
    for expected in [10, 0] {
        let at = Timestamp::from_nanos(silent.at);
        silent.table.advance(at, &mut silent.script);
        assert_eq!(silent.table.open_flows(), expected);
    }
    let mut over = open();
    let mut steps = 1;
    while over.table.finish_some(100, &mut over.script) {
        assert_eq!(over.script.ended.len(), steps * 100);
        steps += 1;
    }
    assert_eq!(over.finish().len(), flows);
}

#[test]
fn opens_no_flow_for_a_bare_acknowledgement() {
    let mut wire = Wire::new(Limits::default());
    assert_eq!(wire.send(true, TcpFlags::ACK, 1, 1, b""), Taken::NoFlow);
    assert_eq!(wire.send(true, TcpFlags::RST, 1, 1, b""), Taken::NoFlow);
    assert!(wire.finish().is_empty());
}

#[test]
fn takes_fast_open_data() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"HELLO fast");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 900, 111, b"");
    wire.send(true, TcpFlags::ACK, 111, 901, b" open");
    let ended = wire.finish();
    assert_eq!(ended[0].streams[FROM_CLIENT], b"HELLO fast open");
}

#[test]
fn takes_simultaneous_open() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(false, TcpFlags::SYN, 900, 0, b"");
    wire.send(true, TcpFlags::SYN | TcpFlags::ACK, 100, 901, b"");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, b"");
    wire.send(true, TcpFlags::ACK, 101, 901, b"a");
    wire.send(false, TcpFlags::ACK, 901, 102, b"b");
    let ended = wire.finish();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].streams, [b"b".to_vec(), b"a".to_vec()]);
}

#[test]
fn goes_on_after_bytes_that_were_lost() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    wire.send(true, TcpFlags::ACK, 114, 901, b"xyz");
    wire.send(false, TcpFlags::ACK, 901, 117, b"");
    wire.at += 2_000_000_000;
    wire.send(false, TcpFlags::ACK, 901, 117, b"");
    wire.send(true, TcpFlags::ACK, 117, 901, b"!");
    let ended = wire.finish();
    assert_eq!((&ended[0].streams[FROM_CLIENT][..], ended[0].gaps), (&b"abcxyz!"[..], 1));
}

#[test]
fn follows_the_answer_the_opener_took() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 5_000, 101, b"");
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 0x9000_0000, 101, b"");
    wire.send(true, TcpFlags::ACK, 101, 0x9000_0001, &hello(1));
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 5_000, 101, b"");
    wire.send(true, TcpFlags::ACK, 101, 0x9000_0001, &hello(1));
    wire.send(false, TcpFlags::ACK, 0x9000_0001, 144, b"answer");
    let ended = wire.finish();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].streams, [b"answer".to_vec(), hello(1)]);
}

#[test]
fn tells_connections_apart_that_begin_close_to_each_other() {
    let mut wire = Wire::new(Limits::default());
    // Both open before either is answered, their first numbers within what Fast Open could explain.
    for (context, isn) in [(1, 100), (2, 200)] {
        wire.context = context;
        wire.send(true, TcpFlags::SYN, isn, 0, b"");
    }
    for (context, isn, answer) in [(1, 100, 900), (2, 200, 1_800)] {
        wire.context = context;
        wire.send(false, TcpFlags::SYN | TcpFlags::ACK, answer, isn + 1, b"");
    }
    for (context, isn, answer) in [(1, 100, 900), (2, 200, 1_800)] {
        wire.context = context;
        wire.send(true, TcpFlags::ACK, isn + 1, answer + 1, &hello(context as u8));
    }
    let ended = wire.finish();
    assert_eq!(ended.len(), 2);
    for (ended, context) in ended.iter().zip([1, 2]) {
        assert_eq!(ended.streams[FROM_CLIENT], hello(context as u8));
        assert_eq!(ended.contexts, [context]);
    }
}

#[test]
fn finds_the_beginning_in_pieces_without_a_syn() {
    for pieces in [&[1, 2, 40][..], &[10, 33], &[5, 5, 5, 28], &[2, 1, 40]] {
        let mut wire = Wire::new(Limits::default());
        let (whole, mut at) = (hello(3), 0);
        for length in pieces {
            wire.send(true, TcpFlags::ACK, 101 + at as u32, 1, &whole[at..at + length]);
            at += length;
        }
        let ended = wire.finish();
        assert_eq!(ended.len(), 1, "{pieces:?}");
        assert_eq!((&ended[0].streams[FROM_CLIENT], ended[0].gaps), (&whole[..at].to_vec(), 0), "{pieces:?}");
    }
}

#[test]
fn keeps_what_stood_in_front_of_the_hello() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::ACK, 101, 1, b"PROXY ");
    wire.send(true, TcpFlags::ACK, 107, 1, b"to\r\n");
    wire.send(true, TcpFlags::ACK, 111, 1, &hello(3));
    let ended = wire.finish();
    assert_eq!(ended[0].streams[FROM_CLIENT], [&b"PROXY to\r\n"[..], &hello(3)].concat());
}

#[test]
fn waits_for_what_other_interfaces_saw_of_a_flow_that_is_over() {
    let packets: [(bool, u8, u32, u32, Vec<u8>); 4] = [
        (true, TcpFlags::SYN, 100, 0, vec![]),
        (false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, vec![]),
        (true, TcpFlags::ACK, 101, 901, hello(7)),
        (false, TcpFlags::ACK, 901, 161, hello(8)),
    ];
    for (far_client, translated) in [(CLIENT, 0), ("192.0.2.77:1055", 1)] {
        let mut wire = Wire::new(Limits::default());
        wire.script.decide_at = 120;
        wire.table.set_linger(Duration::from_secs(2));
        // All that one interface saw is read before the first that the other saw.
        for (client, context) in [(CLIENT, 0), (far_client, 1)] {
            wire.client = client;
            wire.context = context;
            wire.interface = context;
            for (from_client, flags, sequence, acknowledgment, payload) in &packets {
                wire.send(*from_client, *flags, *sequence, *acknowledgment, payload);
            }
        }
        let of_flow = |script: &Script| {
            script
                .ended
                .iter()
                .filter(|flow| flow.ending == Ending::Decided)
                .map(|flow| flow.contexts.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of_flow(&wire.script), Vec::<Vec<u32>>::new());
        wire.at += 4_000_000_000;
        wire.table.advance(Timestamp::from_nanos(wire.at), &mut wire.script);
        assert_eq!(of_flow(&wire.script), [[0, 1]]);
        let ended = wire.finish();
        assert_eq!(
            ended
                .iter()
                .filter(|flow| flow.translated == translated && flow.ending == Ending::Decided)
                .count(),
            1
        );
        assert_eq!(ended.len(), 1 + translated);
    }
}

#[test]
fn reports_flows_that_were_over_first_and_in_their_order() {
    let mut wire = Wire::new(Limits { flows: 4, ..Limits::default() });
    wire.script.decide_at = 60;
    wire.table.set_linger(Duration::from_secs(2));
    for client in ["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:3"] {
        wire.client = client;
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
    }
    for (client, random) in [("10.0.0.9:3", 3), ("10.0.0.9:1", 1)] {
        wire.client = client;
        wire.send(true, TcpFlags::ACK, 101, 901, &hello(random));
    }
    let ended = wire.finish();
    let order: Vec<_> =
        ended.iter().map(|flow| (flow.ending, flow.streams[FROM_CLIENT].last().copied())).collect();
    assert_eq!(order, [(Ending::Decided, Some(3)), (Ending::Decided, Some(1)), (Ending::InputEnded, None)]);
}

#[test]
fn loses_no_flow_that_is_over_for_want_of_room() {
    let mut wire = Wire::new(Limits { flows: 2, ..Limits::default() });
    wire.script.decide_at = 60;
    wire.table.set_linger(Duration::from_secs(2));
    for client in ["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:3", "10.0.0.9:4"] {
        wire.client = client;
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.send(true, TcpFlags::ACK, 101, 901, &hello(1));
    }
    assert!(wire.finish().iter().all(|flow| flow.ending == Ending::Decided));
}

#[test]
fn the_view_that_was_there_first_is_the_flow_though_it_is_read_last() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.table.set_linger(Duration::from_secs(2));
    let begin = wire.at;
    for (client, context, delay) in [("192.0.2.77:1055", 1, 500), (CLIENT, 0, 0)] {
        (wire.client, wire.context, wire.interface, wire.at) = (client, context, context, begin + delay);
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.send(true, TcpFlags::ACK, 101, 901, &hello(7));
    }
    let ended = wire.finish();
    assert_eq!(
        ended.iter().map(|flow| flow.ending).collect::<Vec<_>>(),
        [Ending::Translated, Ending::Decided]
    );
    assert_eq!((ended[1].client, ended[1].translated), (CLIENT.parse().unwrap(), 1));
    assert_eq!(ended[1].contexts, [0, 1]);
}
