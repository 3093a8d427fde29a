//! A small reader and writer of captures: frames of Ethernet with IP and TCP, taken apart, changed, written again.

/// One frame and its time in microseconds.
#[derive(Clone, Debug)]
pub struct Frame {
    pub time_micros: u64,
    pub data: Vec<u8>,
}

/// The frames of a classic little-endian pcap of microseconds and Ethernet; `None` for another file.
pub fn read_pcap(bytes: &[u8]) -> Option<Vec<Frame>> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(0)? != 0xa1b2_c3d4 || word(20)? != 1 {
        return None;
    }
    let (mut frames, mut at) = (Vec::new(), 24);
    while at < bytes.len() {
        let time_micros = u64::from(word(at)?) * 1_000_000 + u64::from(word(at + 4)?);
        let (kept, whole) = (word(at + 8)? as usize, word(at + 12)? as usize);
        if kept != whole {
            return None;
        }
        frames.push(Frame { time_micros, data: bytes.get(at + 16..at + 16 + kept)?.to_vec() });
        at += 16 + kept;
    }
    Some(frames)
}

/// A classic pcap of Ethernet frames.
pub fn pcap(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1] {
        out.extend(u32::to_le_bytes(word));
    }
    for frame in frames {
        let length = u32::try_from(frame.data.len()).unwrap();
        let seconds = u32::try_from(frame.time_micros / 1_000_000).unwrap();
        let micros = u32::try_from(frame.time_micros % 1_000_000).unwrap();
        for word in [seconds, micros, length, length] {
            out.extend(word.to_le_bytes());
        }
        out.extend(&frame.data);
    }
    out
}

/// A pcapng of one section and one interface.
pub fn pcapng(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padding = body.len().next_multiple_of(4) - body.len();
        let total = u32::try_from(12 + body.len() + padding).unwrap();
        out.extend(kind.to_le_bytes());
        out.extend(total.to_le_bytes());
        out.extend(body);
        out.extend(vec![0; padding]);
        out.extend(total.to_le_bytes());
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    block(0x0a0d_0d0a, &section);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for frame in frames {
        let length = u32::try_from(frame.data.len()).unwrap();
        let mut body = Vec::new();
        for word in [0, (frame.time_micros >> 32) as u32, frame.time_micros as u32, length, length] {
            body.extend(word.to_le_bytes());
        }
        body.extend(&frame.data);
        block(6, &body);
    }
    out
}

/// Where the parts of an Ethernet frame with IP (without options or extension headers) and TCP lie.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub is_ipv6: bool,
    tcp: usize,
    pub payload: usize,
    pub end: usize,
}

/// Source and destination, each its address and port as bytes.
pub type Direction = (Vec<u8>, Vec<u8>);

/// SYN, FIN and RST: segments whose place matters.
pub const SYN_FIN_RST: u8 = 0x07;
pub const SYN: u8 = 0x02;

impl Frame {
    /// Where its parts lie; `None` where it holds no TCP segment.
    pub fn parts(&self) -> Option<Parts> {
        let data = &self.data;
        let word = |at: usize| Some(usize::from(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?)));
        let (is_ipv6, tcp, end) = match word(12)? {
            0x0800 if data.get(14) == Some(&0x45) && data.get(23) == Some(&6) && word(20)? & 0x3fff == 0 => {
                (false, 34, 14 + word(16)?)
            }
            0x86dd if data.get(20) == Some(&6) => (true, 54, 54 + word(18)?),
            _ => return None,
        };
        let payload = tcp + usize::from(data.get(tcp + 12)? >> 4) * 4;
        (payload <= end && end <= data.len()).then_some(Parts { is_ipv6, tcp, payload, end })
    }

    pub fn flags(&self, parts: Parts) -> u8 {
        self.data[parts.tcp + 13]
    }

    /// Source and destination with ports.
    pub fn direction(&self, parts: Parts) -> Direction {
        let size = if parts.is_ipv6 { 16 } else { 4 };
        let (from, to) = (parts.tcp - 2 * size, parts.tcp - size);
        let end = |address: usize, port: usize| {
            [&self.data[address..address + size], &self.data[port..port + 2]].concat()
        };
        (end(from, parts.tcp), end(to, parts.tcp + 2))
    }

    /// The frame with bytes `range` of its TCP payload only.
    pub fn piece(&self, parts: Parts, from: usize, to: usize) -> Self {
        let mut data = self.data[..parts.payload].to_vec();
        data.extend(&self.data[parts.payload + from..parts.payload + to]);
        let sequence = u32::from_be_bytes(data[parts.tcp + 4..parts.tcp + 8].try_into().unwrap());
        let sequence = sequence.wrapping_add(u32::try_from(from).unwrap());
        data[parts.tcp + 4..parts.tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        let length = data.len();
        if parts.is_ipv6 {
            data[18..20].copy_from_slice(&u16::try_from(length - 54).unwrap().to_be_bytes());
        } else {
            data[16..18].copy_from_slice(&u16::try_from(length - 14).unwrap().to_be_bytes());
            ip_checksum(&mut data[14..34]);
        }
        tcp_checksum(&mut data, parts);
        Self { time_micros: self.time_micros, data }
    }

    /// The frame with an 802.1Q tag.
    pub fn tagged(&self, id: u16) -> Self {
        let mut data = self.data[..12].to_vec();
        data.extend([0x81, 0x00]);
        data.extend(id.to_be_bytes());
        data.extend(&self.data[12..]);
        Self { time_micros: self.time_micros, data }
    }

    /// The frame inside VXLAN over IPv4.
    pub fn in_vxlan(&self, vni: u32) -> Self {
        let mut data = vec![2, 0, 0, 0, 0, 0x51, 2, 0, 0, 0, 0, 0x52, 0x08, 0x00];
        let total = u16::try_from(20 + 8 + 8 + self.data.len()).unwrap();
        data.extend([0x45, 0]);
        data.extend(total.to_be_bytes());
        data.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 7, 7, 10, 0, 8, 8]);
        ip_checksum(&mut data[14..34]);
        data.extend([0xc3, 0x50, 0x12, 0xb5]);
        data.extend((total - 20).to_be_bytes());
        data.extend([0, 0, 8, 0, 0, 0]);
        data.extend(&vni.to_be_bytes()[1..]);
        data.push(0);
        data.extend(&self.data);
        Self { time_micros: self.time_micros, data }
    }
}

fn folded_sum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

fn ip_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = folded_sum(header, 0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn tcp_checksum(data: &mut [u8], parts: Parts) {
    data[parts.tcp + 16..parts.tcp + 18].fill(0);
    let addresses = if parts.is_ipv6 { 22..54 } else { 26..34 };
    let length = u32::try_from(data.len() - parts.tcp).unwrap();
    // The folded sum of the addresses, then protocol and length of the pseudo header.
    let start = u32::from(!folded_sum(&data[addresses], 0)) + 6 + length;
    let sum = folded_sum(&data[parts.tcp..], start);
    data[parts.tcp + 16..parts.tcp + 18].copy_from_slice(&sum.to_be_bytes());
}
