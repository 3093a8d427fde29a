use std::io::Write;

use super::*;
use crate::capture::error::{Breakage, Compression, DamageKind};
use crate::capture::writer;
use crate::capture::writer::Order;

/// A frame without its number: interface, nanoseconds, length on the wire, bytes.
type Taken = (u32, u64, u32, Vec<u8>);

/// Gives so many bytes at a time, and is interrupted now and then.
struct Drip {
    bytes: io::Cursor<Vec<u8>>,
    step: usize,
    reads: usize,
}

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(3) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let end = out.len().min(self.step);
        self.bytes.read(&mut out[..end])
    }
}

/// Gives some bytes, then fails.
struct Failing(io::Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

fn drain(source: &mut FileSource) -> Result<Vec<Taken>, CaptureError> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame()? {
        assert_eq!(frame.number, frames.len() as u64 + 1);
        frames.push((frame.interface, frame.timestamp.as_nanos(), frame.wire_bytes, frame.data.to_vec()));
        assert!((frame.interface as usize) < source.interfaces().len());
    }
    assert!(source.next_frame()?.is_none(), "the end stays the end");
    Ok(frames)
}

fn read(bytes: &[u8]) -> Result<(Vec<Taken>, Vec<Damage>), CaptureError> {
    let mut source = FileSource::from_reader(io::Cursor::new(bytes.to_vec()))?;
    let frames = drain(&mut source)?;
    Ok((frames, source.damage().to_vec()))
}

fn pcap() -> Vec<u8> {
    let mut file = writer::Pcap::new(Order::Little, 0xa1b2_c3d4, 1);
    for number in 0..5_u8 {
        file.packet(number.into(), 7, 100, &vec![number; 3 * usize::from(number)]);
    }
    file.bytes
}

fn pcapng() -> Vec<u8> {
    let mut file = writer::Pcapng::new(Order::Big);
    file.interface(1, 0, &[(2, b"eth0"), (9, &[9])]);
    file.packet(0, 1, 60, b"first");
    file.simple_packet(7, b"second");
    file.obsolete_packet(0, 3, 5, b"third");
    file.statistics(0, 1, 2);
    file.section(Order::Little);
    file.interface(101, 65_535, &[(14, &5_u64.to_le_bytes())]);
    file.interface(276, 65_535, &[]);
    file.packet(1, 9, 4, b"more");
    file.block(4, b"names");
    file.packet(0, 10, 4, b"last");
    file.bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A capture that is larger than every buffer and compresses to about half.
fn large() -> Vec<u8> {
    let mut file = writer::Pcap::new(Order::Little, 0xa1b2_3c4d, 1);
    let mut state = 1_u64;
    for number in 0..3_000 {
        let data: Vec<u8> = (0..1_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 60) as u8
            })
            .collect();
        file.packet(number, 0, 1_000, &data);
    }
    file.bytes
}

#[test]
fn gives_the_same_frames_however_the_bytes_come() {
    for file in [pcap(), pcapng()] {
        let (frames, damage) = read(&file).unwrap();
        assert_eq!(frames.len(), 5);
        assert!(damage.is_empty());
        for stored in [file.clone(), gzip(&file), zstd(&file), gzip(&zstd(&file)), zstd(&gzip(&file))] {
            for step in [1, 2, 3, 5, 7, 12, 13, 16, 24, 28, 29, 64, 997] {
                let drip = Drip { bytes: io::Cursor::new(stored.clone()), step, reads: 0 };
                let mut source = FileSource::from_reader(drip).unwrap();
                assert_eq!(drain(&mut source).unwrap(), frames);
                assert!(source.damage().is_empty());
                assert_eq!(source.position(), stored.len() as u64);
            }
        }
    }
}

#[test]
fn reads_captures_larger_than_its_buffers() {
    let file = large();
    let (frames, damage) = read(&file).unwrap();
    assert_eq!(frames.len(), 3_000);
    assert!(damage.is_empty());
    assert!(frames.iter().zip(0_u64..).all(|(frame, second)| frame.1 == second * 1_000_000_000));
    assert_eq!(
        frames.concat_bytes(),
        file[24..].chunks(1_016).flat_map(|record| &record[16..]).copied().collect::<Vec<_>>()
    );
    for stored in [gzip(&file), zstd(&file)] {
        assert!(read(&stored).unwrap() == (frames.clone(), Vec::new()));
    }
}

trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl ConcatBytes for Vec<Taken> {
    fn concat_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|frame| &frame.3).copied().collect()
    }
}

#[test]
fn reads_several_members_and_frames_and_padding() {
    let file = pcapng();
    let (expected, _) = read(&file).unwrap();
    let (first, second) = file.split_at(101);
    let mut members = [gzip(first), gzip(&[]), gzip(second)].concat();
    assert!(read(&members).unwrap() == (expected.clone(), Vec::new()));
    members.extend([0; 700]);
    assert!(read(&members).unwrap() == (expected.clone(), Vec::new()));
    members.extend(b"garbage");
    let (frames, damage) = read(&members).unwrap();
    assert_eq!(frames, expected);
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].reason(), "compression_corrupt");
    assert_eq!(damage[0].offset, file.len() as u64);

    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames = [skippable.clone(), zstd(first), skippable, zstd(second)].concat();
    assert!(read(&frames).unwrap() == (expected, Vec::new()));
}

#[test]
fn refuses_compression_in_compression_in_compression() {
    let file = gzip(&zstd(&gzip(&pcap())));
    assert_eq!(read(&file).unwrap_err().reason(), "compressed_too_often");
}

#[test]
fn keeps_what_was_there_in_front_of_a_cut() {
    for (file, header_bytes) in [(pcap(), 24), (pcapng(), 28)] {
        let (expected, _) = read(&file).unwrap();
        // Where records begin: a cut there is no damage.
        let mut whole = Vec::new();
        for length in 0..=file.len() {
            let cut = &file[..length];
            match read(cut) {
                Ok((frames, damage)) => {
                    assert!(length >= header_bytes);
                    assert_eq!(frames, expected[..frames.len()]);
                    match damage.as_slice() {
                        [] => whole.push((length, frames.len())),
                        [damage] => {
                            let &(border, _) = whole.last().unwrap();
                            assert_eq!(damage.offset, border as u64, "{damage}");
                            let DamageKind::CutOff { have_bytes, needed_bytes } = damage.kind else {
                                panic!("{damage:?}")
                            };
                            assert_eq!(have_bytes, (length - border) as u64);
                            assert!(needed_bytes > have_bytes);
                        }
                        _ => panic!("{damage:?}"),
                    }
                }
                Err(error) if length < 4 => assert_eq!(error.reason(), "not_a_capture"),
                Err(error) => {
                    assert!(length < header_bytes);
                    assert_eq!(error.reason(), "header_cut_off");
                }
            }
        }
        let borders: Vec<usize> = whole.iter().map(|&(_, frames)| frames).collect();
        assert_eq!(borders.last(), Some(&5));
        assert!(borders.is_sorted());
        assert!(whole.len() >= 6, "{whole:?}");
    }
}

#[test]
fn names_a_cut_in_the_compression_at_every_length() {
    let file = pcapng();
    let (expected, _) = read(&file).unwrap();
    for (stored, compression) in [(gzip(&file), Compression::Gzip), (zstd(&file), Compression::Zstd)] {
        for length in 4..stored.len() {
            match read(&stored[..length]) {
                Ok((frames, damage)) => {
                    assert_eq!(frames, expected[..frames.len()]);
                    assert_eq!(damage.len(), 1);
                    assert_eq!(
                        damage[0].kind,
                        DamageKind::Compression { compression, breakage: Breakage::CutOff },
                        "{length}"
                    );
                }
                Err(error) => assert_eq!(error.reason(), "compression_broken", "{length}"),
            }
        }
    }
}

#[test]
fn tells_a_window_that_is_refused_from_corruption() {
    for (window_log, is_read) in [(25, true), (26, false)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&pcap()).unwrap();
        match read(&encoder.finish().unwrap()) {
            Ok((frames, damage)) => assert!(is_read && !frames.is_empty() && damage.is_empty(), "{damage:?}"),
            Err(error) => {
                assert!(!is_read && error.to_string().contains("`zstd -dc --long=31` unpacks it"), "{error}");
            }
        }
    }
}

#[test]
fn keeps_what_was_there_in_front_of_a_break_in_the_compression() {
    let file = large();
    let (expected, _) = read(&file).unwrap();
    for mut stored in [gzip(&file), zstd(&file)] {
        let middle = stored.len() / 2;
        stored[middle..middle + 300].fill(0xa5);
        let (frames, damage) = read(&stored).unwrap();
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert!(["compression_corrupt", "record_length"].contains(&damage[0].reason()), "{damage:?}");
        // The decoders work in blocks: what is in front of the broken one is there.
        assert!(frames.len() > 1_200, "{}", frames.len());
        let lost = frames.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert!(lost.is_none_or(|at| at > 1_200), "{lost:?}");
    }
}

#[test]
fn names_damage_of_the_inner_compression_though_the_outer_is_whole() {
    let (expected, _) = read(&pcap()).unwrap();
    let mut stored = gzip(&zstd(&pcap()));
    // The check sum of gzip, which comes behind everything zstd needs.
    let check_sum = stored.len() - 8;
    stored[check_sum] ^= 1;
    let (frames, damage) = read(&stored).unwrap();
    assert_eq!(frames, expected);
    assert_eq!(
        damage.iter().map(|damage| damage.kind).collect::<Vec<_>>(),
        [DamageKind::Compression { compression: Compression::Gzip, breakage: Breakage::Corrupt }]
    );
}

#[test]
fn survives_every_change_of_a_byte() {
    for file in [pcap(), pcapng(), gzip(&pcap()), zstd(&pcapng()), gzip(&pcapng())] {
        for place in 0..file.len() {
            for change in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut bytes = file.clone();
                bytes[place] ^= change;
                fuzz_file(&bytes);
                if let Ok((frames, _)) = read(&bytes) {
                    assert!(frames.len() <= 16);
                }
            }
        }
    }
}

#[test]
fn reads_a_capture_without_packets() {
    for bytes in
        [writer::Pcap::new(Order::Big, 0xa1b2_c3d4, 1).bytes, writer::Pcapng::new(Order::Little).bytes]
    {
        assert!(read(&bytes).unwrap() == (Vec::new(), Vec::new()));
    }
}

#[test]
fn tells_a_failing_disk_from_damage() {
    let file = large();
    for stored in [file.clone(), gzip(&file), zstd(&file)] {
        let half = stored[..stored.len() / 2].to_vec();
        let length = half.len() as u64;
        let mut source = FileSource::from_reader(Failing(io::Cursor::new(half))).unwrap();
        let error = drain(&mut source).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot be read after {length} bytes: the disk is gone"));
        assert!(source.next_frame().unwrap().is_none());
        assert!(source.damage().is_empty());
    }
}

#[test]
fn says_what_a_file_is_instead() {
    for (bytes, reason, words) in [
        (&b""[..], "not_a_capture", "an empty file"),
        (b"<html>", "not_a_capture", "HTML"),
        (b"\x7fELF\x02", "not_a_capture", "an ELF program"),
        (&gzip(b"some log line\n"), "not_a_capture", "text"),
        (&zstd(b"{\"a\":1}"), "not_a_capture", "JSON"),
        (b"\xfd7zXZ\0\0\0", "unsupported_compression", "xz"),
        (b"\x1f\x8b\x08\0", "compression_broken", "gzip"),
        (&gzip(&pcap())[..20], "compression_broken", "cut off"),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn opens_files_and_refuses_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap.gz");
    std::fs::write(&path, gzip(&pcap())).unwrap();
    let mut source = open_input(&Input::File(path)).unwrap();
    assert_eq!(drain(&mut source).unwrap().len(), 5);
    let error = |path: &std::path::Path| open_input(&Input::File(path.to_owned())).err().unwrap().reason();
    assert_eq!(error(folder.path()), "is_directory");
    assert_eq!(error(&folder.path().join("missing")), "not_found");
}

#[test]
fn asks_a_pipe_for_no_more_than_it_needs() {
    // A header and a packet are there, the writer waits: the packet has to come out.
    struct Waiting(io::Cursor<Vec<u8>>);
    impl Read for Waiting {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => panic!("would wait"),
                count => Ok(count),
            }
        }
    }
    let mut file = writer::Pcap::new(Order::Little, 0xa1b2_c3d4, 1);
    file.packet(1, 0, 3, b"abc");
    let mut source = FileSource::from_reader(Waiting(io::Cursor::new(file.bytes))).unwrap();
    assert_eq!(source.next_frame().unwrap().unwrap().data, b"abc");
}

#[test]
fn refuses_zstd_windows_that_take_too_much_memory() {
    let with_window = |log| {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder.write_all(&pcap()).unwrap();
        encoder.finish().unwrap()
    };
    let read = |bytes: Vec<u8>| {
        let mut source = FileSource::from_reader(std::io::Cursor::new(bytes)).ok()?;
        let mut frames = 0;
        while let Ok(Some(_)) = source.next_frame() {
            frames += 1;
        }
        Some(frames)
    };
    let whole = read(pcap());
    assert!(whole > Some(0));
    assert_eq!(read(with_window(25)), whole);
    assert!(!matches!(read(with_window(27)), Some(1..)));
}
