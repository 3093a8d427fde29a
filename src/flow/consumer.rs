//! Who reads the streams of the table, and what it is told of each flow.

use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::key::Key;
use crate::model::{Side, Timestamp};

/// The most contexts remembered per flow; three mirror sessions, each before and after a load
/// balancer, make six.
pub const MAX_CONTEXTS: usize = 8;

/// When and where a segment was seen.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Time of the packet as captured.
    pub at: Timestamp,
    /// Number of the frame.
    pub frame: u64,
    /// The interface and encapsulation, as a number the caller gave them.
    pub context: u32,
    /// The interface alone, or what tells one from another on a device for all of them.
    pub interface: u32,
    /// Source and destination hardware address of the frame, where the caller needs them.
    pub link: Option<([u8; 6], [u8; 6])>,
    /// What the sender acknowledges of the other side.
    pub acknowledgment: Option<u32>,
    /// Sequence number behind the bytes at hand.
    pub end: Option<u32>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// FIN from both sides, or from one and then silence; the side that began.
    Closed(Side),
    /// The consumer learned enough.
    Decided,
    /// The input ended.
    InputEnded,
    /// RST, and who sent it.
    Reset(Side),
    /// The table was full.
    TableFull,
    /// More bytes were held than may be.
    MemoryFull,
    /// Silence.
    TimedOut,
    /// It looked like the beginning of a connection where another was going on, and nothing that followed belongs to it.
    Stray,
    /// The same addresses and ports in the same place began another connection.
    Superseded,
    /// Another flow turned out to be the same one, seen under other addresses.
    Translated,
}

/// What the table knows of a flow.
#[derive(Clone, Debug)]
pub struct FlowView {
    /// Its addresses and ports; of a flow seen under several, those of where it was seen first.
    pub key: Key,
    /// Time of its first packet.
    pub first_seen: Timestamp,
    /// Number of the frame with its first packet.
    pub first_frame: u64,
    /// Who opened the connection, where a SYN or SYN-ACK told.
    pub originator: Option<Side>,
    /// SYN of the originator was seen.
    pub has_syn: bool,
    /// Packets of each side were seen, in the order of [`Side::index`].
    pub has_packets: [bool; 2],
    /// Any payload was seen.
    pub has_payload: bool,
    /// Contexts the flow was seen in, in order of appearance.
    pub contexts: ArrayVec<u32, MAX_CONTEXTS>,
    /// There were more than are remembered.
    pub has_more_contexts: bool,
    /// Other addresses (source and destination of the originator's packets) of the same flow, at most
    /// [`MAX_CONTEXTS`].
    pub translated: Vec<(SocketAddr, SocketAddr)>,
    /// SYN to the ACK that answers SYN-ACK.
    pub round_trip: Option<Duration>,
    /// Bytes arrived that no room was left to hold.
    pub lost_bytes: bool,
    /// Two segments said different things about bytes that the receiver may have taken from either.
    pub has_disagreement: bool,
    /// It was given up for its silence, and this side had not ended.
    pub is_left_open: [bool; 2],
    /// It ended by an RST that its receiver may not have believed.
    pub is_end_doubtful: bool,
    /// Who closed it first had received all that was seen of the other side by then.
    pub is_closed_knowingly: bool,
    /// How it was closed, where who did had not received that by which it is decided.
    pub left: Option<Ending>,
}

impl FlowView {
    /// Packets of both sides were seen.
    #[must_use]
    pub fn is_seen_both_ways(&self) -> bool {
        self.has_packets == [true; 2]
    }

    /// Takes note that there are more contexts than are remembered; true for the first time.
    pub(super) fn note_more_contexts(&mut self) -> bool {
        !std::mem::replace(&mut self.has_more_contexts, true)
    }
}

/// What stands for a flow outside its table: equal in tables with the same hasher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Equal for equal flows, whatever they were seen through.
    pub flow: u64,
    /// Of the first bytes and their place in the sequence space: equal under translated addresses, too. Absent
    /// where no first bytes were seen.
    pub view: Option<u64>,
}

/// Who reads the streams.
pub trait Consumer {
    /// What is known of one flow.
    type State: Default;

    /// True where `bytes` look like the first bytes a client or server sends.
    fn starts_stream(&self, bytes: &[u8]) -> bool;
    /// True where first bytes answer some of the other side's; others are said to be answered.
    fn is_answer(&self, bytes: &[u8]) -> bool;
    /// Takes the next bytes that `side` sent.
    fn data(&mut self, state: &mut Self::State, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment);
    /// A packet of `side` with hardware addresses was seen, also of a flow that is decided and waits for what other
    /// interfaces saw of it.
    fn linked(&mut self, _state: &mut Self::State, _side: Side, _link: ([u8; 6], [u8; 6]), _context: u32) {}
    /// Learns that bytes of `side` are missing, up to the sequence number `until` at least.
    fn gap(&mut self, state: &mut Self::State, side: Side, until: u32);
    /// True once no byte of the flow matters any more.
    fn is_decided(&self, state: &Self::State) -> bool;
    /// Bytes the state holds, for the memory limit.
    fn held_bytes(&self, state: &Self::State) -> usize;
    /// Takes leave of a flow.
    fn end(&mut self, state: Self::State, view: FlowView, identity: Identity, ending: Ending, now: Timestamp);
}
