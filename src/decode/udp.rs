//! The UDP header [RFC 768] and the tunnels that are known by their port.

use etherparse::UdpHeaderSlice;

use super::decoder::Next;
use super::error::{DecodeError, Fault, Header};
use super::ip::{Ends, Upper};
use super::view::View;
use super::{Datagram, Decoded, Skip, geneve, gtp, vxlan};
use crate::model::Encapsulation;

pub(super) const HEADER_BYTES: usize = 8;

/// UDP ports [IANA, Service Name and Transport Protocol Port Number Registry].
const DNS: u16 = 53;
const IKE: u16 = 500;
const IPSEC_NAT: u16 = 4_500;
const VXLAN: u16 = 4_789;
const VXLAN_GPE: u16 = 4_790;
const GTP_U: u16 = 2_152;
const GENEVE: u16 = 6_081;
/// What Linux uses for VXLAN unless told otherwise.
const VXLAN_LINUX: u16 = 8_472;

/// True where nothing is looked for between these ports: [`read`] gives a datagram whatever is in it, and that is no
/// answer of DNS.
#[inline]
pub(super) const fn is_idle(from: u16, to: u16) -> bool {
    !matches!(from, DNS | IKE | IPSEC_NAT)
        && !matches!(to, IKE | IPSEC_NAT | VXLAN | VXLAN_GPE | VXLAN_LINUX | GENEVE | GTP_U)
}

/// Reads a datagram, or goes over the header of the tunnel it is.
///
/// A port alone proves nothing: what does not look like the tunnel's header is an ordinary datagram.
#[inline]
pub(super) fn read<'a>(
    ends: Ends,
    view: &mut View<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Upper<'a>, DecodeError> {
    let Ok(header) = UdpHeaderSlice::from_slice(view.bytes) else {
        return Err(DecodeError::truncated(Header::Udp));
    };
    let (from, to) = (header.source_port(), header.destination_port());
    let length = usize::from(header.length());
    // 0 is left by segmentation offload and by jumbograms; a length beyond the packet is not believed.
    if length != 0 {
        if length < HEADER_BYTES {
            return Err(DecodeError::new(Header::Udp, Fault::BadLength));
        }
        if length as u64 <= u64::from(view.wire_bytes) {
            view.limit(length as u32);
        }
    }
    view.advance(HEADER_BYTES, Header::Udp)?;
    if from != DNS {
        let inside = match to {
            VXLAN | VXLAN_GPE | VXLAN_LINUX => vxlan::read(view, encapsulation)?,
            GENEVE => geneve::read(view, encapsulation)?,
            GTP_U => gtp::read(view, encapsulation)?,
            _ => None,
        };
        if let Some(next) = inside {
            return Ok(Upper::Next(next));
        }
        if from == IKE || to == IKE {
            return Ok(Upper::Next(Next::Skip(Skip::Ike)));
        }
        if from == IPSEC_NAT || to == IPSEC_NAT {
            return Ok(ipsec(ends, view));
        }
    }
    let (source, destination) = ends.with_ports(from, to);
    let datagram = Datagram { source, destination, payload: view.bytes, is_whole: view.is_whole() };
    Ok(Upper::Done(Decoded::Udp(datagram)))
}

/// IPsec behind NAT: IKE has four zero bytes where ESP has its index, which is never zero
/// [RFC 3948 section 2].
fn ipsec<'a>(ends: Ends, view: &View<'_>) -> Upper<'a> {
    match view.bytes.first_chunk::<4>() {
        Some([0, 0, 0, 0]) => Upper::Next(Next::Skip(Skip::Ike)),
        Some(_) => Upper::Done(Decoded::Esp { source: ends.source, destination: ends.destination }),
        None if view.bytes == [0xff] => Upper::Next(Next::Skip(Skip::NatKeepalive)),
        None => Upper::Next(Next::Skip(Skip::NoPayload)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const ENDS: Ends = Ends {
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        destination: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    };

    fn decode(from: u16, to: u16, payload: &[u8]) -> String {
        let mut bytes =
            [from.to_be_bytes(), to.to_be_bytes(), (8 + payload.len() as u16).to_be_bytes(), [0, 0]].concat();
        bytes.extend_from_slice(payload);
        let mut encapsulation = Encapsulation::default();
        match read(ENDS, &mut View::new(&bytes, 0), &mut encapsulation) {
            Ok(Upper::Done(Decoded::Udp(datagram))) => format!("udp {:?}", datagram.payload),
            Ok(Upper::Done(Decoded::Esp { source, destination })) => format!("esp {source} {destination}"),
            Ok(Upper::Next(Next::Skip(skip))) => skip.reason().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn tells_esp_ike_and_keepalive_apart() {
        assert_eq!(decode(4500, 4500, &[0, 0, 0, 1, 9]), "esp 10.0.0.1 10.0.0.2");
        assert_eq!(decode(1024, 4500, &[0, 0, 0, 0, 9]), "ike");
        assert_eq!(decode(4500, 4500, &[0xff]), "nat_keepalive");
        assert_eq!(decode(4500, 4500, &[]), "no_payload");
        assert_eq!(decode(500, 500, &[1, 2, 3]), "ike");
        assert_eq!(decode(53, 4500, &[1, 2, 3, 4]), "udp [1, 2, 3, 4]");
    }

    #[test]
    fn leaves_other_services_on_tunnel_ports_alone() {
        for port in [VXLAN, VXLAN_GPE, VXLAN_LINUX, GENEVE, GTP_U] {
            assert_eq!(decode(1024, port, b"hello"), "udp [104, 101, 108, 108, 111]");
            assert_eq!(
                decode(1024, port, b"hello, this is text"),
                format!("udp {:?}", b"hello, this is text")
            );
            assert_eq!(decode(1024, port, &[]), "udp []");
        }
    }

    #[test]
    fn keeps_to_the_length_unless_it_is_wrong() {
        let mut bytes = [0, 9, 0, 9, 0, 10, 0, 0, 1, 2, 3, 4];
        let payload = |bytes: &[u8]| match read(ENDS, &mut View::new(bytes, 0), &mut Encapsulation::default())
        {
            Ok(Upper::Done(Decoded::Udp(datagram))) => Ok(datagram.payload.to_vec()),
            other => Err(other.unwrap_err().reason()),
        };
        assert_eq!(payload(&bytes), Ok(vec![1, 2]));
        bytes[5] = 0;
        assert_eq!(payload(&bytes), Ok(vec![1, 2, 3, 4]));
        bytes[5] = 200;
        assert_eq!(payload(&bytes), Ok(vec![1, 2, 3, 4]));
        bytes[5] = 7;
        assert_eq!(payload(&bytes), Err("bad_length"));
        assert_eq!(payload(&bytes[..7]), Err("truncated"));
    }
}
