//! Which side ends a connection, and how: what FIN and RST say, and what the acknowledgments beside them say of the order
//! in which they were sent. The order in which they were captured proves little, where two taps saw one side each.

use super::slot::Active;
use crate::decode::{Segment, TcpFlags};
use crate::flow::Ending;
use crate::flow::stream::{Heard, Stream, distance};
use crate::model::Side;

impl<S> Active<S> {
    /// Takes note that the connection goes on after what had looked like its end.
    #[inline]
    pub fn go_on(&mut self, segment: &Segment<'_>) {
        if self.closing.is_none() {
            return;
        }
        // One that was refused is asked for again; and who sends on did not believe the RST.
        let is_asked_again =
            segment.flags.has(TcpFlags::SYN) && self.streams.iter().all(|stream| stream.is_at_beginning());
        let is_disbelieved = self.view.is_end_doubtful
            && segment.payload_wire_bytes > 0
            && !segment.flags.has(TcpFlags::RST)
            && self.streams.iter().any(Stream::has_reset_ahead);
        if is_asked_again || is_disbelieved {
            self.closing = None;
            self.is_reset = false;
            self.view.is_end_doubtful = false;
            self.streams.iter_mut().for_each(Stream::forget_reset_ahead);
        }
    }

    /// Takes note of FIN and RST of `side`, whose segment begins at `sequence`. True where the connection is now reset,
    /// and was not before.
    pub fn hear_end(&mut self, side: Side, segment: &Segment<'_>, sequence: u32) -> bool {
        self.settle();
        let flags = segment.flags;
        if flags.has(TcpFlags::RST) {
            return self.hear_reset(side, segment, sequence);
        }
        if flags.has(TcpFlags::FIN) {
            let fin = sequence.wrapping_add(segment.payload_wire_bytes);
            let is_ahead = match self.streams[side.index()].hear_fin(fin) {
                Heard::Nothing => return false,
                Heard::Ahead => true,
                Heard::End => false,
            };
            if !is_ahead {
                self.streams[side.index()].forget_reset_ahead();
            }
            let first = self.first_to_close(side, segment);
            if self.closing.is_none() || self.view.is_end_doubtful && !is_ahead {
                self.closing = Some(Ending::Closed(first));
                self.view.is_end_doubtful = is_ahead;
                self.closing_acknowledges = flags.has(TcpFlags::ACK).then_some(segment.acknowledgment);
            } else if self.closing == Some(Ending::Closed(side.other()))
                && self.closing_acknowledges == Some(fin.wrapping_add(1))
            {
                // The other one's, which was captured before, answers this one.
                self.closing = Some(Ending::Closed(side));
            }
        }
        false
    }

    /// Takes note of what has become known of a FIN that came ahead of what it follows, or before the beginning was known:
    /// bytes led up to it, or it was acknowledged, or bytes went on behind it.
    #[inline]
    pub fn settle(&mut self) {
        for side in [Side::A, Side::B] {
            if let Some(heard) = self.streams[side.index()].settle_fin() {
                self.take_settled(side, heard);
            }
        }
    }

    #[cold]
    fn take_settled(&mut self, side: Side, heard: Heard) {
        if heard == Heard::End {
            self.streams[side.index()].forget_reset_ahead();
            // What was noted when it came holds, unless it was another one's, or an RST's.
            let is_noted = matches!(self.closing, Some(Ending::Closed(by))
                if by == side || !self.streams[by.index()].has_fin());
            if self.closing.is_none() || self.view.is_end_doubtful && !is_noted {
                self.closing = Some(Ending::Closed(side));
                self.closing_acknowledges = None;
            }
            self.view.is_end_doubtful = false;
        } else if !self.is_reset
            && matches!(self.closing, Some(Ending::Closed(by)) if by == side || self.view.is_end_doubtful)
        {
            let other = side.other();
            let is_other_closed = self.streams[other.index()].has_fin();
            self.closing = is_other_closed.then_some(Ending::Closed(other));
            self.closing_acknowledges = None;
            self.view.is_end_doubtful = is_other_closed && self.streams[other.index()].sure_fin().is_none();
        }
    }

    /// Receivers believe RST only at the byte they expect next [RFC 5961 section 3.2]; what is elsewhere in their window
    /// they ask about, and what is outside they ignore.
    fn hear_reset(&mut self, side: Side, segment: &Segment<'_>, sequence: u32) -> bool {
        let stream = &mut self.streams[side.index()];
        let is_doubtful = !stream.expects(sequence, segment.payload_wire_bytes);
        // Whoever forges them sends several, in the hope that one is believed.
        if is_doubtful && (self.is_reset || stream.has_fin() || !stream.note_reset_ahead(sequence)) {
            return false;
        }
        if !is_doubtful {
            stream.forget_reset_ahead();
            stream.forget_fin_ahead();
        }
        if self.closing.is_none() || self.view.is_end_doubtful {
            let first = self.first_to_close(side, segment);
            self.closing = Some(if first == side { Ending::Reset(side) } else { Ending::Closed(first) });
            let told = if segment.flags.has(TcpFlags::ACK) {
                Some(segment.acknowledgment)
            } else {
                // It tells nothing of its own: what was acknowledged before is all that is known to have been received.
                self.streams[side.other().index()].acknowledged()
            };
            self.closing_acknowledges = told.filter(|_| first == side);
            self.view.is_end_doubtful = is_doubtful;
        }
        let is_new = !is_doubtful && !self.is_reset;
        self.is_reset |= is_new;
        is_new
    }

    /// True where the FIN that closed the connection acknowledges everything that the other side has said.
    pub fn is_closed_knowingly(&self) -> bool {
        let (Some(Ending::Closed(side)), Some(acknowledged)) = (self.closing, self.closing_acknowledges)
        else {
            return false;
        };
        let end = self.streams[side.other().index()].end();
        end.is_some_and(|end| distance(end, acknowledged) >= 0)
    }

    /// How the connection was closed by the other side before this segment of `side` could have reached it.
    pub fn left_before(&self, side: Side, segment: &Segment<'_>) -> Option<Ending> {
        let ending = self.closing.filter(
            |ending| matches!(ending, Ending::Closed(by) | Ending::Reset(by) if *by == side.other()),
        )?;
        let end = segment.sequence.wrapping_add(segment.payload_wire_bytes);
        let is_unread = distance(self.closing_acknowledges?, end) > 0;
        (is_unread && !self.view.is_end_doubtful).then_some(ending)
    }

    /// Who closed first, where `side` ends the connection by this segment: the other one, where it acknowledges a FIN that
    /// was not seen, or comes later.
    fn first_to_close(&self, side: Side, segment: &Segment<'_>) -> Side {
        let other = &self.streams[side.other().index()];
        let is_answer = segment.flags.has(TcpFlags::ACK) && other.is_followed_by_fin(segment.acknowledgment);
        if is_answer { side.other() } else { side }
    }
}
