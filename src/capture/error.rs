//! What can go wrong with an input: errors that end it, and damage that is noted and passed.

use std::fmt;
use std::io;

use super::content::Content;

/// Why an input cannot be read, or not any further. It names no path: whoever knows it puts it in front.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Several compressions around each other.
    #[error("is compressed more than twice; unpack it first")]
    CompressedTooOften,
    /// The compression around the capture is broken before any of the capture can be read.
    #[error("looks like {compression}, but it is {breakage} before the header of a capture could be read")]
    Compression { compression: Compression, breakage: Breakage },
    /// The capture ends within its own header.
    #[error(
        "is a {format} capture that ends within its header, after {have_bytes} bytes; capture or copy it again"
    )]
    HeaderCutOff { format: &'static str, have_bytes: usize },
    /// The first block of a pcapng file is broken.
    #[error("looks like pcapng, but its section header is broken; copy the file again")]
    HeaderBroken,
    /// A folder where a file is needed.
    #[error("is a folder, not a file")]
    IsDirectory,
    /// A folder, and whatever else was given, holds nothing to read. `loss` is the first thing in it that may have been
    /// a capture, with what is wrong with it.
    #[error("holds no capture; files passed over: {passed_over}{}", .loss.as_ref().map(|loss| format!(", among them {loss}")).unwrap_or_default())]
    NoCaptureInside { passed_over: u64, loss: Option<String> },
    /// Something else.
    #[error("is no capture: it looks like {0}{hint}", hint = .0.hint())]
    NotACapture(Content),
    /// No such file.
    #[error("does not exist; check the path")]
    NotFound,
    /// It cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The system refuses to open it.
    #[error("may not be read (permission denied); read it as another user or change its permissions")]
    PermissionDenied,
    /// Reading failed, below any compression.
    #[error("cannot be read after {offset} bytes: {source}")]
    Read { offset: u64, source: io::Error },
    /// `-` given twice.
    #[error("was given more than once; standard input can be read only once")]
    StandardInputTwice,
    /// `-` where nothing is piped in.
    #[error("is a terminal; pipe a capture into it, e.g. `tcpdump -w - | ddbwatch analyze -`")]
    StandardInputIsTerminal,
    /// Compressed in a way that is not supported.
    #[error(
        "is compressed with {name}, which is not supported; unpack it first, e.g. `{tool} FILE | ddbwatch analyze -`"
    )]
    UnsupportedCompression { name: &'static str, tool: &'static str },
    /// A version of the format that is not known.
    #[error(
        "is a {format} capture of version {major}.{minor}, which is not supported; convert it with editcap"
    )]
    UnsupportedVersion { format: &'static str, major: u16, minor: u16 },
}

impl CaptureError {
    /// A stable name, for labels and tests.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::CompressedTooOften => "compressed_too_often",
            Self::Compression { .. } => "compression_broken",
            Self::HeaderCutOff { .. } => "header_cut_off",
            Self::HeaderBroken => "header_broken",
            Self::IsDirectory => "is_directory",
            Self::NoCaptureInside { .. } => "no_capture_inside",
            Self::NotACapture(_) => "not_a_capture",
            Self::NotFound => "not_found",
            Self::Open(_) => "open_failed",
            Self::PermissionDenied => "permission_denied",
            Self::Read { .. } => "read_failed",
            Self::StandardInputTwice => "standard_input_twice",
            Self::StandardInputIsTerminal => "standard_input_is_terminal",
            Self::UnsupportedCompression { .. } => "unsupported_compression",
            Self::UnsupportedVersion { .. } => "unsupported_version",
        }
    }

    /// The error of opening a file, in the words of this stage.
    pub(super) fn from_open(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::IsDirectory,
            _ => Self::Open(error),
        }
    }
}

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, also several members.
    Gzip,
    /// RFC 8878, also several frames.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// How a compressed stream broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// It ends too early.
    CutOff,
    /// Its bytes contradict each other.
    Corrupt,
    /// To unpack it needs more memory than is allowed.
    LargeWindow,
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutOff => "cut off",
            Self::Corrupt => "corrupt",
            Self::LargeWindow => {
                "packed with a window of more than 32 MiB, which is refused (`zstd -dc --long=31` unpacks it)"
            }
        })
    }
}

/// A place where an input is not as its format demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins, in bytes of the uncompressed stream.
    pub offset: u64,
    pub kind: DamageKind,
}

/// What is wrong there, and what was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// The header of another pcap file, as where files were joined by `cat`; `read_on` where it is of the same
    /// form, else the rest cannot be read.
    AnotherCapture { read_on: bool },
    /// A pcapng block whose lengths contradict each other; `skipped` where the next block was found.
    BlockLength { leading: u32, trailing: u32, skipped: bool },
    /// A pcapng block that is too short for its type; skipped.
    BlockTooShort { block_type: u32 },
    /// The compressed stream broke: nothing after this place could be read.
    Compression { compression: Compression, breakage: Breakage },
    /// The input ends within a record.
    CutOff { have_bytes: u64, needed_bytes: u64 },
    /// Records of zeros, as a crash of the host leaves them; skipped.
    EmptyRecords { records: u64 },
    /// More places are damaged than are listed; offset is the first of these.
    More { count: u64 },
    /// Packets that claim to be longer than the block they are in; skipped.
    PacketLength { claimed_bytes: u32 },
    /// A record or block of a length that cannot be: the rest of the file cannot be read.
    RecordLength { claimed_bytes: u32 },
    /// A section with an unknown byte order: the rest of the file cannot be read.
    SectionByteOrder,
    /// A section of an unknown version; skipped up to the next section.
    SectionVersion { major: u16, minor: u16 },
    /// An interface whose unit of time cannot be; microseconds are assumed.
    TimeResolution { value: u8 },
    /// More interfaces than are told apart; those beyond are left out.
    TooManyInterfaces { limit: u32 },
    /// Packets of interfaces that were not described; skipped.
    UnknownInterface { interface: u32, packets: u64 },
}

impl Damage {
    /// A stable name, for labels and tests.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.kind {
            DamageKind::AnotherCapture { .. } => "another_capture",
            DamageKind::BlockLength { .. } => "block_length",
            DamageKind::BlockTooShort { .. } => "block_too_short",
            DamageKind::Compression { breakage: Breakage::CutOff, .. } => "compression_cut_off",
            DamageKind::Compression { breakage: Breakage::Corrupt, .. } => "compression_corrupt",
            DamageKind::Compression { breakage: Breakage::LargeWindow, .. } => "compression_large_window",
            DamageKind::CutOff { .. } => "cut_off",
            DamageKind::EmptyRecords { .. } => "empty_records",
            DamageKind::More { .. } => "more",
            DamageKind::PacketLength { .. } => "packet_length",
            DamageKind::RecordLength { .. } => "record_length",
            DamageKind::SectionByteOrder => "section_byte_order",
            DamageKind::SectionVersion { .. } => "section_version",
            DamageKind::TimeResolution { .. } => "time_resolution",
            DamageKind::TooManyInterfaces { .. } => "too_many_interfaces",
            DamageKind::UnknownInterface { .. } => "unknown_interface",
        }
    }
}

/// A sentence without the offset.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DamageKind::AnotherCapture { read_on } => {
                f.write_str("another capture begins here, as where files were joined; ")?;
                f.write_str(if read_on {
                    "its packets were read, too"
                } else {
                    "it is of another form than the first, and nothing after this place could be read: give each file by itself"
                })
            }
            DamageKind::BlockLength { leading, trailing, skipped } => {
                write!(
                    f,
                    "a block gives its length as {leading} bytes at its start and {trailing} at its end; "
                )?;
                f.write_str(if skipped { "the block was skipped" } else { "nothing after it could be read" })
            }
            DamageKind::BlockTooShort { block_type } => {
                write!(f, "a block of type {block_type} is too short for its type; it was skipped")
            }
            DamageKind::Compression { compression, breakage } => {
                write!(f, "the {compression} stream is {breakage}; nothing after this place could be read")
            }
            DamageKind::CutOff { have_bytes, needed_bytes } => write!(
                f,
                "the capture ends within a record: {have_bytes} of at least {needed_bytes} bytes are there"
            ),
            DamageKind::EmptyRecords { records } => {
                let are = if records == 1 { "record is" } else { "records are" };
                write!(f, "{records} {are} nothing but zeros, as a crash may leave them; skipped")
            }
            DamageKind::More { count } => {
                write!(
                    f,
                    "{count} more damaged {} not listed",
                    if count == 1 { "place is" } else { "places are" }
                )
            }
            DamageKind::PacketLength { claimed_bytes } => {
                write!(f, "a packet claims {claimed_bytes} bytes, more than its block holds; it was skipped")
            }
            DamageKind::RecordLength { claimed_bytes } => write!(
                f,
                "a record claims to be {claimed_bytes} bytes long, which cannot be; nothing after it could be read"
            ),
            DamageKind::SectionByteOrder => {
                f.write_str("a section has an unknown byte order; nothing after it could be read")
            }
            DamageKind::SectionVersion { major, minor } => {
                write!(f, "a section is of version {major}.{minor}, which is not supported; it was skipped")
            }
            DamageKind::TimeResolution { value } => {
                write!(
                    f,
                    "an interface gives its unit of time as {value:#04x}, which cannot be; microseconds were assumed"
                )
            }
            DamageKind::TooManyInterfaces { limit } => {
                write!(
                    f,
                    "the capture describes more than {limit} interfaces; packets of those beyond were skipped"
                )
            }
            DamageKind::UnknownInterface { interface, packets } => write!(
                f,
                "{packets} {} of interfaces that were not described, the first of number {interface}; skipped",
                if packets == 1 { "packet is" } else { "packets are" }
            ),
        }
    }
}

/// The most places listed one by one; a file damaged in more is broken as a whole, and a list
/// that long is read by nobody.
const MAX_LISTED: usize = 100;

/// The damage met so far.
#[derive(Debug, Default)]
pub(super) struct DamageLog {
    list: Vec<Damage>,
}

impl DamageLog {
    pub(super) fn list(&self) -> &[Damage] {
        &self.list
    }

    /// Notes damage. What comes in masses shares one entry: packets of unknown interfaces, records of
    /// zeros, and whatever is beyond the limit.
    #[cold]
    pub(super) fn note(&mut self, offset: u64, kind: DamageKind) {
        for listed in &mut self.list {
            match (&mut listed.kind, kind) {
                (
                    DamageKind::UnknownInterface { packets: count, .. },
                    DamageKind::UnknownInterface { .. },
                )
                | (DamageKind::EmptyRecords { records: count }, DamageKind::EmptyRecords { .. }) => {
                    *count += 1;
                    return;
                }
                _ => {}
            }
        }
        if self.list.len() < MAX_LISTED {
            self.list.push(Damage { offset, kind });
        } else if let Some(Damage { kind: DamageKind::More { count }, .. }) = self.list.last_mut() {
            *count += 1;
        } else {
            self.list.push(Damage { offset, kind: DamageKind::More { count: 1 } });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_a_hundred_places_and_counts_the_rest() {
        let mut log = DamageLog::default();
        for offset in 0..1_000 {
            log.note(offset, DamageKind::PacketLength { claimed_bytes: 7 });
        }
        assert_eq!(log.list().len(), 101);
        assert_eq!(log.list()[100], Damage { offset: 100, kind: DamageKind::More { count: 900 } });
        assert_eq!(log.list()[100].to_string(), "900 more damaged places are not listed");
    }

    #[test]
    fn counts_packets_of_unknown_interfaces_in_one_entry() {
        let mut log = DamageLog::default();
        for packets in 0..5 {
            log.note(10 * packets, DamageKind::UnknownInterface { interface: 3, packets: 1 });
        }
        assert_eq!(
            log.list(),
            [Damage { offset: 0, kind: DamageKind::UnknownInterface { interface: 3, packets: 5 } }]
        );
    }

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        assert_eq!(
            CaptureError::NotACapture(Content::Text).to_string(),
            "is no capture: it looks like text; if tcpdump printed it, capture again with -w"
        );
        assert_eq!(
            CaptureError::NotACapture(Content::Empty).to_string(),
            "is no capture: it looks like an empty file"
        );
        assert_eq!(CaptureError::from_open(io::Error::from(io::ErrorKind::NotFound)).reason(), "not_found");
    }
}
