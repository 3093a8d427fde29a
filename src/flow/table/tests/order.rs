//! Where bytes stand, and what their sender had received when it sent them.

use super::*;

#[test]
fn tells_what_the_sender_of_bytes_acknowledges() {
    let data = TcpFlags::ACK;
    let mut wire = Wire::new(Limits::default());
    wire.open(u32::MAX - 1, u32::MAX);
    wire.send(true, data, u32::MAX, 0, b"one");
    // More than was seen so far.
    wire.send(true, data, 2, 5, b"two");
    // It waits for other bytes, which were sent again later.
    wire.send(true, data, 8, 5, b"four");
    wire.send(true, data, 5, 7, b"iii");
    wire.send(false, data, 0, 12, b"answer.");
    wire.send(false, TcpFlags::PSH, 7, 0, b"more");
    // What came before is missing.
    wire.send(true, data, 14, 9, b"last");
    wire.table.finish(&mut wire.script);
    let places = [(2, 0), (5, 5), (8, 7), (12, 5), (7, 12)].map(|(end, at)| (Some(end), Some(at)));
    let more = [(Some(11), None), (Some(18), Some(9))];
    assert_eq!(wire.script.places, [&places[..], &more].concat());
}
