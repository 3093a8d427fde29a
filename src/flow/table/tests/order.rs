//! What the sender of bytes had received when it sent them.

use super::*;

#[test]
fn tells_how_much_a_side_had_received() {
    let data = TcpFlags::ACK;
    let mut wire = Wire::new(Limits::default());
    wire.open(u32::MAX - 1, u32::MAX);
    wire.send(true, data, u32::MAX, 0, b"one");
    // More than was seen so far.
    wire.send(true, data, 2, 5, b"two");
    // What waits for other bytes was sent before or behind them, nobody knows when.
    wire.send(true, data, 8, 5, b"four");
    wire.send(true, data, 5, 7, b"iii");
    wire.send(false, data, 0, 12, b"answer.");
    // It need not have received anything.
    wire.send(false, TcpFlags::PSH, 7, 0, b"more");
    assert_eq!(wire.script.received, [Some(0), Some(5), Some(7), None, Some(13), None]);
}
