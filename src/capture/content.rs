//! What a file is, by its first bytes.

use std::fmt;

use super::error::{CaptureError, Compression};

/// The first bytes that are looked at to say what something is: enough to pass over the blank
/// lines and comments before the first telling word of a text.
pub(super) const SNIFFED_BYTES: usize = 512;

/// What the first bytes ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Pcap,
    Pcapng,
    Compressed(Compression),
}

/// What something is that is no capture we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Bytes that tell nothing; the first four, zeros where there are fewer.
    Binary([u8; 4]),
    Elf,
    Empty,
    Html,
    Image,
    Json,
    NetworkMonitor,
    Parquet,
    Pdf,
    Snoop,
    Tar,
    Text,
    WindowsProgram,
    Xml,
    Zip,
}

impl Content {
    /// What to do about it, to be put behind the name.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Html => "; a download may have given an error or login page instead",
            Self::NetworkMonitor | Self::Snoop => "; convert it with `editcap -F pcapng FILE NEWFILE`",
            Self::Tar | Self::Zip => "; unpack it first",
            Self::Json => "; if it holds recorded flows, `ddbwatch report` reads them",
            Self::Text => "; if tcpdump printed it, capture again with -w",
            _ => "",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary([a, b, c, d]) => {
                return write!(f, "unknown binary data, beginning with {a:02x} {b:02x} {c:02x} {d:02x}");
            }
            Self::Elf => "an ELF program",
            Self::Empty => "an empty file",
            Self::Html => "HTML",
            Self::Image => "an image",
            Self::Json => "JSON",
            Self::NetworkMonitor => "a Microsoft Network Monitor capture",
            Self::Parquet => "a Parquet file",
            Self::Pdf => "a PDF document",
            Self::Snoop => "a snoop capture",
            Self::Tar => "a tar archive",
            Self::Text => "text",
            Self::WindowsProgram => "a Windows program",
            Self::Xml => "XML",
            Self::Zip => "a zip archive",
        })
    }
}

/// What we read, by the first four bytes; `None` where they are something else, or too few.
pub(super) fn sniff(start: &[u8]) -> Option<Sniffed> {
    Some(match *start.first_chunk::<4>()? {
        [0xd4, 0xc3, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0xc3, 0xd4]
        | [0x4d, 0x3c, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0x3c, 0x4d]
        | [0x34, 0xcd, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0xcd, 0x34] => Sniffed::Pcap,
        [0x0a, 0x0d, 0x0d, 0x0a] => Sniffed::Pcapng,
        [0x1f, 0x8b, 0x08, _] => Sniffed::Compressed(Compression::Gzip),
        // A frame, or a frame to be skipped, which zstd may put in front.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Sniffed::Compressed(Compression::Zstd),
        _ => return None,
    })
}

/// Says what something is that [`sniff`] does not know.
pub(super) fn describe(start: &[u8]) -> CaptureError {
    const UNSUPPORTED: [(&[u8], &str, &str); 6] = [
        (b"\xfd7zXZ\0", "xz", "xz -dc"),
        (b"BZh", "bzip2", "bzip2 -dc"),
        (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
        (b"\x1f\x9d", "compress", "gzip -dc"),
        (b"LZIP", "lzip", "lzip -dc"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x -so"),
    ];
    const KNOWN: [(&[u8], Content); 13] = [
        (b"\x7fELF", Content::Elf),
        (b"GMBU", Content::NetworkMonitor),
        (b"RTSS", Content::NetworkMonitor),
        (b"PAR1", Content::Parquet),
        (b"%PDF", Content::Pdf),
        (b"snoop\0\0\0", Content::Snoop),
        (b"MZ", Content::WindowsProgram),
        (b"PK\x03\x04", Content::Zip),
        (b"PK\x05\x06", Content::Zip),
        (b"\x89PNG", Content::Image),
        (b"\xff\xd8\xff", Content::Image),
        (b"GIF8", Content::Image),
        (b"<?xml", Content::Xml),
    ];
    for (magic, name, tool) in UNSUPPORTED {
        if start.starts_with(magic) {
            return CaptureError::UnsupportedCompression { name, tool };
        }
    }
    for (magic, content) in KNOWN {
        if start.starts_with(magic) {
            return CaptureError::NotACapture(content);
        }
    }
    CaptureError::NotACapture(if start.is_empty() {
        Content::Empty
    } else if start.get(257..262) == Some(b"ustar") {
        Content::Tar
    } else if is_text(start) {
        describe_text(start)
    } else {
        let mut first = [0; 4];
        for (to, from) in first.iter_mut().zip(start) {
            *to = *from;
        }
        Content::Binary(first)
    })
}

/// Whether these are characters and no control codes; the last character may be cut.
fn is_text(start: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && !start.iter().any(|&byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

fn describe_text(start: &[u8]) -> Content {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let is_tag = |tag: &[u8]| start.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    if is_tag(b"<!doctype html") || is_tag(b"<html") || is_tag(b"<head") || is_tag(b"<body") {
        Content::Html
    } else if is_tag(b"<?xml") {
        Content::Xml
    } else if start.starts_with(b"{\"")
        || start.starts_with(b"{\n")
        || start.starts_with(b"[{")
        || start == b"{}"
    {
        Content::Json
    } else {
        Content::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(start: &[u8]) -> Content {
        match describe(start) {
            CaptureError::NotACapture(content) => content,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn says_what_else_it_is() {
        assert_eq!(content(b""), Content::Empty);
        assert_eq!(content(b"\n <!DOCTYPE HTML><html>"), Content::Html);
        assert_eq!(content(b"<HTML><body>"), Content::Html);
        assert_eq!(content(b"{\"schema\":\"ddbwatch.flow/1\"}\n"), Content::Json);
        assert_eq!(content(b"12:00:01.5 IP 10.0.0.1.443 > 10.0.0.2.5: Flags [S]\n"), Content::Text);
        assert_eq!(content("Grüße".as_bytes()), Content::Text);
        assert_eq!(content(b"gr\xc3"), Content::Text);
        assert_eq!(content(b"\x7fELF\x02\x01"), Content::Elf);
        assert_eq!(content(b"snoop\0\0\0\0\0\0\x02"), Content::Snoop);
        assert_eq!(content(b"PK\x03\x04\x14"), Content::Zip);
        assert_eq!(content(&[1, 2, 3]), Content::Binary([1, 2, 3, 0]));
        let mut tar = [0_u8; 512];
        tar[..4].copy_from_slice(b"file");
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(content(&tar), Content::Tar);
    }

    #[test]
    fn names_compression_that_is_not_supported() {
        for (start, name) in [
            (b"\xfd7zXZ\0\0".as_slice(), "xz"),
            (b"BZh91AY", "bzip2"),
            (b"\x04\x22\x4d\x18\x64", "lz4"),
            (b"\x1f\x9d\x90", "compress"),
        ] {
            let error = describe(start);
            assert_eq!(error.reason(), "unsupported_compression");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn knows_every_magic_it_reads() {
        assert_eq!(sniff(&[0xd4, 0xc3, 0xb2, 0xa1, 2]), Some(Sniffed::Pcap));
        assert_eq!(sniff(&[0x0a, 0x0d, 0x0d, 0x0a]), Some(Sniffed::Pcapng));
        assert_eq!(sniff(&[0x1f, 0x8b, 8, 0]), Some(Sniffed::Compressed(Compression::Gzip)));
        assert_eq!(sniff(&[0x53, 0x2a, 0x4d, 0x18]), Some(Sniffed::Compressed(Compression::Zstd)));
        assert_eq!(sniff(&[0xd4, 0xc3, 0xb2]), None);
        assert_eq!(sniff(&[0x1f, 0x8b, 7, 0]), None);
    }
}
