//! Which FIN is the end of a stream.
//!
//! Receivers take it only behind the last byte [RFC 9293 section 3.10.7.4], and what an earlier connection sends again may
//! carry another one.

use super::{Stream, WINDOW, distance};

/// A FIN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fin {
    /// Its own sequence number.
    pub sequence: u32,
    /// Everything before it was seen, or the peer has acknowledged it. Else it comes ahead of what it follows.
    pub is_sure: bool,
}

/// What becomes of a FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is the end of the stream.
    End,
    /// It is ahead of what was seen, and may be the end.
    Ahead,
    /// It is none of the stream's.
    Nothing,
}

impl Stream {
    /// Takes FIN at `sequence` (the number of the FIN itself).
    pub fn hear_fin(&mut self, sequence: u32) -> Heard {
        if let Some(fin) = self.fin.filter(|fin| fin.is_sure) {
            return if fin.sequence == sequence { Heard::End } else { Heard::Nothing };
        }
        let heard = self.place_of_fin(sequence);
        let ahead = |fin: Fin| self.next.map_or(0, |next| distance(next, fin.sequence));
        let fin = Fin { sequence, is_sure: heard == Heard::End };
        match heard {
            Heard::End => self.fin = Some(fin),
            // Of several the nearest: the fewest bytes are missing before it.
            Heard::Ahead if self.fin.is_none_or(|old| ahead(old) >= ahead(fin)) => self.fin = Some(fin),
            Heard::Ahead | Heard::Nothing => return Heard::Nothing,
        }
        heard
    }

    /// What a FIN at `sequence` is, by what is known of the stream.
    fn place_of_fin(&self, sequence: u32) -> Heard {
        let ahead = self.next.map(|next| distance(next, sequence));
        if ahead == Some(0) {
            return Heard::End;
        }
        // One more than the last byte is acknowledged where FIN was, and nothing more.
        let acknowledged = self.acknowledged.map(|behind| distance(sequence, behind));
        let is_behind = ahead.is_some_and(|ahead| ahead < 0)
            || acknowledged.is_some_and(|bytes| bytes > 1)
            || self.end().is_some_and(|end| distance(sequence, end) > 0);
        match ahead {
            _ if is_behind => Heard::Nothing,
            Some(ahead) if ahead >= WINDOW as i32 => Heard::Nothing,
            Some(_) if acknowledged != Some(1) => Heard::Ahead,
            // Where the beginning is not known, it is believed until that is.
            _ => Heard::End,
        }
    }

    /// Says what became of a FIN that was not sure, where that is known by now.
    #[inline]
    pub fn settle_fin(&mut self) -> Option<Heard> {
        let fin = self.fin.filter(|fin| !fin.is_sure && self.next.is_some())?;
        let heard = self.place_of_fin(fin.sequence);
        match heard {
            Heard::End => self.fin = Some(Fin { is_sure: true, ..fin }),
            Heard::Nothing => self.fin = None,
            Heard::Ahead => return None,
        }
        Some(heard)
    }

    /// The beginning has become known, which tells whether a FIN heard before is the end.
    pub(super) const fn doubt_fin(&mut self) {
        if let Some(fin) = &mut self.fin {
            fin.is_sure = false;
        }
    }

    /// Forgets a FIN ahead of what was seen.
    pub fn forget_fin_ahead(&mut self) {
        self.fin = self.fin.filter(|fin| fin.is_sure);
    }

    /// True where FIN was seen, delivered up to it or not; sure or not.
    #[must_use]
    pub const fn has_fin(&self) -> bool {
        self.fin.is_some()
    }

    /// Sequence number of the FIN that is the end of the stream.
    #[must_use]
    pub fn sure_fin(&self) -> Option<u32> {
        self.fin.filter(|fin| fin.is_sure).map(|fin| fin.sequence)
    }

    /// True once every byte up to FIN was delivered or given up.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match (self.sure_fin(), self.next) {
            (Some(fin), Some(next)) => distance(fin, next) >= 0,
            // A FIN alone, with no byte before it that we know of.
            (Some(_), None) => !self.has_held(),
            _ => false,
        }
    }

    /// True where a peer that acknowledges this has received FIN: one more than the last byte, with nothing missing before
    /// it. FIN itself need not have been seen.
    #[must_use]
    pub fn is_followed_by_fin(&self, acknowledgment: u32) -> bool {
        let end = self.sure_fin().or(self.next.filter(|_| !self.has_held()));
        end.is_some_and(|end| end.wrapping_add(1) == acknowledgment)
    }
}
