//! Writes captures, for tests: each field where the formats put it, right or wrong as asked.

/// Byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// A pcap file.
pub(super) struct Pcap {
    pub bytes: Vec<u8>,
    order: Order,
    is_modified: bool,
}

impl Pcap {
    pub(super) fn new(order: Order, magic: u32, network: u32) -> Self {
        let mut bytes = order.u32(magic).to_vec();
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        for word in [0, 0, 65_535, network] {
            bytes.extend(order.u32(word));
        }
        Self { bytes, order, is_modified: magic == 0xa1b2_cd34 }
    }

    pub(super) fn header(&mut self, seconds: u32, fraction: u32, first: u32, second: u32) {
        for word in [seconds, fraction, first, second] {
            self.bytes.extend(self.order.u32(word));
        }
        if self.is_modified {
            self.bytes.extend([2, 0, 0, 0, 8, 0, 4, 0]);
        }
    }

    pub(super) fn packet(&mut self, seconds: u32, fraction: u32, wire_bytes: u32, data: &[u8]) {
        self.header(seconds, fraction, data.len() as u32, wire_bytes);
        self.bytes.extend_from_slice(data);
    }
}

/// A pcapng file.
pub(super) struct Pcapng {
    pub bytes: Vec<u8>,
    order: Order,
}

impl Pcapng {
    pub(super) fn new(order: Order) -> Self {
        let mut file = Self { bytes: Vec::new(), order };
        file.section(order);
        file
    }

    pub(super) fn section(&mut self, order: Order) {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend(order.u64(u64::MAX));
        self.block(0x0a0d_0d0a, &body);
    }

    pub(super) fn block(&mut self, block_type: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        self.bytes.extend(self.order.u32(block_type));
        self.bytes.extend(self.order.u32(length));
        self.bytes.extend_from_slice(body);
        self.bytes.extend(std::iter::repeat_n(0, padded - body.len()));
        self.bytes.extend(self.order.u32(length));
    }

    pub(super) fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.order.u16(*code));
            bytes.extend(self.order.u16(value.len() as u16));
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.extend([0; 4]);
        bytes
    }

    pub(super) fn interface(&mut self, link_type: u16, snaplen: u32, options: &[(u16, &[u8])]) {
        let mut body = self.order.u16(link_type).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(snaplen));
        if !options.is_empty() {
            body.extend(self.options(options));
        }
        self.block(1, &body);
    }

    pub(super) fn packet(&mut self, interface: u32, time: u64, wire_bytes: u32, data: &[u8]) {
        // A comment, as capture tools may add one.
        let options = self.options(&[(1, b"note")]);
        self.packet_with(interface, time, wire_bytes, data, &options);
    }

    pub(super) fn packet_with(
        &mut self,
        interface: u32,
        time: u64,
        wire_bytes: u32,
        data: &[u8],
        options: &[u8],
    ) {
        let mut body = Vec::new();
        for word in [interface, (time >> 32) as u32, time as u32, data.len() as u32, wire_bytes] {
            body.extend(self.order.u32(word));
        }
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend_from_slice(options);
        self.block(6, &body);
    }

    pub(super) fn simple_packet(&mut self, wire_bytes: u32, data: &[u8]) {
        let mut body = self.order.u32(wire_bytes).to_vec();
        body.extend_from_slice(data);
        self.block(3, &body);
    }

    pub(super) fn obsolete_packet(&mut self, interface: u16, drops: u16, time: u64, data: &[u8]) {
        let mut body = self.order.u16(interface).to_vec();
        body.extend(self.order.u16(drops));
        for word in [(time >> 32) as u32, time as u32, data.len() as u32, data.len() as u32] {
            body.extend(self.order.u32(word));
        }
        body.extend_from_slice(data);
        self.block(2, &body);
    }

    pub(super) fn statistics(&mut self, interface: u32, by_interface: u64, by_system: u64) {
        let mut body = self.order.u32(interface).to_vec();
        body.extend([0; 8]);
        let (by_interface, by_system) = (self.order.u64(by_interface), self.order.u64(by_system));
        body.extend(self.options(&[(5, &by_interface), (7, &by_system)]));
        self.block(5, &body);
    }
}
