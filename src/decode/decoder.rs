//! From one header to the next until TCP or UDP.

use std::net::{IpAddr, Ipv4Addr};

use super::error::{DecodeError, Fault, Header};
use super::fragment::Fragments;
use super::ip::{self, Ends, Upper};
use super::link::LinkAddresses;
use super::view::View;
use super::{Decoded, Skip, ether_type, ethernet, ipv4, ipv6, link, mpls, plain, ppp, tcp};
use crate::model::{Encapsulation, Layer, Timestamp};

/// The most headers that are gone through in one frame. Eight layers of encapsulation have about
/// five headers each (Ethernet, IP, UDP, the tunnel's own); the rest is for IPv6 extension headers.
const MAX_HEADERS: usize = 64;

/// The most times one frame may complete a fragmented packet inside another: that of the tunnel,
/// that within, and one to spare.
const MAX_REASSEMBLIES: usize = 3;

/// What a [`Decoder`] may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fragmented packets that wait for their rest.
    pub datagrams: usize,
    /// Bytes they hold together; a quarter of that, and as many packets, are kept beside them of those
    /// that are whole, for their copies.
    pub fragment_bytes: usize,
}

impl Default for Limits {
    /// 1,024 packets, 16 MiB: room for some 240 packets of the largest size at once, in pieces of 1,480
    /// bytes. TCP avoids fragments, so more is an attack or a broken tunnel.
    fn default() -> Self {
        Self { datagrams: 1_024, fragment_bytes: 16 << 20 }
    }
}

/// What happened outside the return value of any one call; in fragmented packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given up because the rest did not come in time: their data is lost.
    pub fragment_timeout: u64,
    /// Given up for newer ones: their data is lost.
    pub fragment_evicted: u64,
    /// Put together.
    pub reassembled: u64,
    /// Still waiting now. At the end of an input, their data is lost too.
    pub waiting: u64,
    /// Of packets, not of fragmented ones: IPv4 with a segment whose header says that they are longer than they were on
    /// the wire.
    pub too_long_v4: u64,
    /// The same of IPv6.
    pub too_long_v6: u64,
}

impl Counts {
    /// The packets that say they are longer than they were on the wire, which are read nevertheless, by the names that
    /// others are refused under.
    #[must_use]
    pub fn too_long(&self) -> [(DecodeError, u64); 2] {
        let of = |header| DecodeError::new(header, Fault::BadLength);
        [(of(Header::Ipv4), self.too_long_v4), (of(Header::Ipv6), self.too_long_v6)]
    }
}

/// Reads frames. One per source of frames.
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    buffers: [Vec<u8>; MAX_REASSEMBLIES],
    too_long_v4: u64,
    too_long_v6: u64,
}

/// Which header comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An Ethernet frame.
    Ethernet,
    /// What an EtherType, or a length below 1,536, announces.
    EtherType(u16),
    /// IP of whichever version the first half byte says.
    Ip,
    Ipv4,
    Ipv6,
    Mpls,
    Ppp,
    /// What an IP protocol number announces; the addresses are those of the IP header before.
    Protocol(u8),
    /// Nothing to look into.
    Skip(Skip),
}

impl Decoder {
    /// A decoder that holds no more than `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            fragments: Fragments::new(limits),
            buffers: Default::default(),
            too_long_v4: 0,
            too_long_v6: 0,
        }
    }

    /// Decodes one frame of a link type (a LINKTYPE_ number of tcpdump.org), taken `at` this time,
    /// that was `wire_bytes` long before the capture cut it to `data`. The layers around the result
    /// are added to `encapsulation`, outermost first. It knows every header; plain packets are read sooner by
    /// [`read_plain`](super::read_plain), which says the same.
    ///
    /// The hardware addresses that the inner packet itself was sent between go to `link`: those of the
    /// innermost Ethernet header, as in a mirrored frame. `None` where there is none around the inner packet but those of the
    /// tunnel it is in, which say where the tunnel goes, not the packet: a load balancer's, which takes it back, or a
    /// mirror's collector.
    ///
    /// # Errors
    /// Where a header is damaged, cut or of an unsupported form.
    #[inline(never)]
    pub fn decode<'a>(
        &'a mut self,
        link_type: u16,
        at: Timestamp,
        data: &'a [u8],
        wire_bytes: u32,
        encapsulation: &mut Encapsulation,
        link: &mut Option<LinkAddresses>,
    ) -> Result<Decoded<'a>, DecodeError> {
        *link = None;
        let mut is_in_packet = false;
        let Self { fragments, buffers, too_long_v4, too_long_v6 } = self;
        let mut buffers = buffers.iter_mut();
        let mut view = View::new(data, wire_bytes);
        let mut ends = Ends { source: UNSPECIFIED, destination: UNSPECIFIED };
        let mut is_outermost = true;
        let mut excess_bytes = 0;
        let mut next = link::read(link_type, &mut view)?;
        for _ in 0..MAX_HEADERS {
            if matches!(next, Next::Ipv4 | Next::Ipv6) && std::mem::replace(&mut is_in_packet, true) {
                *link = None;
            }
            next = match next {
                Next::Ethernet => {
                    *link = link::link_addresses(link::ETHERNET, view.bytes);
                    is_in_packet = false;
                    ethernet::read(&mut view)?
                }
                Next::EtherType(number) => ether_type::read(number, &mut view, encapsulation)?,
                Next::Ip => ip::version(&view)?,
                Next::Mpls => mpls::read(&mut view, encapsulation)?,
                Next::Ppp => ppp::read(&mut view)?,
                Next::Skip(skip) => return Ok(Decoded::Skipped(skip)),
                Next::Ipv4 => {
                    let header = ipv4::read(&mut view)?;
                    ends = header.ends;
                    excess_bytes =
                        if std::mem::replace(&mut is_outermost, false) { header.excess_bytes } else { 0 };
                    let mut protocol = header.protocol;
                    if let Some(fragment) = header.fragment {
                        let buffer = buffers.next().ok_or(TOO_DEEP)?;
                        match fragments.add(at, encapsulation, ends, fragment, view, buffer)? {
                            Some(first) => protocol = first,
                            None => return Ok(Decoded::Held),
                        }
                        view = View::new(buffer, 0);
                    }
                    Next::Protocol(protocol)
                }
                Next::Ipv6 => {
                    let header = ipv6::read(&mut view)?;
                    ends = header.ends;
                    excess_bytes =
                        if std::mem::replace(&mut is_outermost, false) { header.excess_bytes } else { 0 };
                    Next::Protocol(header.next_header)
                }
                Next::Protocol(ip::TCP) if excess_bytes > 0 => {
                    let segment = tcp::read_too_long(ends, view, excess_bytes)?;
                    *if ends.source.is_ipv4() { too_long_v4 } else { too_long_v6 } += 1;
                    return Ok(Decoded::Tcp(segment));
                }
                // Nearly every packet; straight, since results of this size are dear to hand around.
                Next::Protocol(ip::TCP) => return tcp::read(ends, view).map(Decoded::Tcp),
                Next::Protocol(number) => match ip::upper(number, &mut ends, &mut view, encapsulation)? {
                    Upper::Done(decoded) => return Ok(decoded),
                    Upper::Next(next) => next,
                    Upper::Fragment(fragment) => {
                        let buffer = buffers.next().ok_or(TOO_DEEP)?;
                        match fragments.add(at, encapsulation, ends, fragment, view, buffer)? {
                            Some(protocol) => {
                                view = View::new(buffer, 0);
                                Next::Protocol(protocol)
                            }
                            None => return Ok(Decoded::Held),
                        }
                    }
                },
            };
        }
        Err(TOO_DEEP)
    }

    /// What happened so far outside the return value of any one call.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Self { too_long_v4, too_long_v6, .. } = *self;
        Counts { too_long_v4, too_long_v6, ..self.fragments.counts() }
    }
}

const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

const TOO_DEEP: DecodeError = DecodeError::new(Header::Encapsulation, Fault::TooDeep);

/// Notes a layer, as long as there is room.
#[inline]
pub(super) fn push(encapsulation: &mut Encapsulation, layer: Layer) -> Result<(), DecodeError> {
    if encapsulation.push(layer) { Ok(()) } else { Err(TOO_DEEP) }
}

/// Any bytes as frames, for the fuzzer: the first byte chooses the link type, then each frame has
/// its length in two bytes before it. All frames go to one decoder, so that fragments meet.
pub fn fuzz_frame(bytes: &[u8]) {
    let Some((&selector, mut rest)) = bytes.split_first() else { return };
    let link_type = *link::SUPPORTED.get(usize::from(selector) % link::SUPPORTED.len()).unwrap_or(&1);
    let mut decoder = Decoder::new(Limits { datagrams: 4, fragment_bytes: 1 << 17 });
    let mut seconds = 0;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (frame, after) = after.split_at(length);
        let [mut around, mut plainly_around] = [Encapsulation::default(), Encapsulation::default()];
        let at = Timestamp::from_seconds(seconds);
        let decoded = decoder.decode(link_type, at, frame, length as u32, &mut around, &mut None);
        if let Ok(Decoded::Tcp(segment)) = decoded {
            debug_assert!(segment.payload.len() as u64 <= u64::from(segment.payload_wire_bytes));
        }
        if let Some(segment) = plain::read(link_type, frame, length as u32, &mut plainly_around) {
            debug_assert_eq!((decoded, around), (Ok(Decoded::Tcp(segment)), plainly_around));
        }
        rest = after;
        seconds += 1;
    }
}
