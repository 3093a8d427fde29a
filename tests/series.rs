//! A capture that was cut into files says what it says whole.

use std::fs;
use std::path::{Path, PathBuf};

use crate::properties::BASES;
use crate::support::packets::{Frame, pcap, pcapng};
use crate::support::{self, Record};

/// Writes frames into files as recorders do, `most` at a time, and gives their paths. A cut lies only where time goes on.
fn write_parts(folder: &Path, frames: &[Frame], most: usize) -> Vec<PathBuf> {
    let mut parts: Vec<Vec<Frame>> = vec![Vec::new()];
    let mut newest = 0;
    for frame in frames {
        let is_later =
            parts.last().unwrap().first().is_some_and(|first| first.time_micros < frame.time_micros);
        if parts.last().unwrap().len() >= most && is_later && newest <= frame.time_micros {
            parts.push(Vec::new());
        }
        newest = newest.max(frame.time_micros);
        parts.last_mut().unwrap().push(frame.clone());
    }
    let write = |(number, frames): (usize, &Vec<Frame>)| {
        let path = folder.join(format!("cut_{number:05}_20261101000000.pcap"));
        fs::write(&path, pcap(frames)).unwrap();
        path
    };
    parts.iter().enumerate().map(write).collect()
}

fn analyze(files: &[PathBuf], arguments: &[&str]) -> Vec<Record> {
    let mut command = support::ddbwatch();
    let command =
        command.args(["analyze", "--all-services", "--format", "jsonl"]).args(arguments).args(files);
    let ran = support::finish(command);
    assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
    ran.records()
}

/// The same frames so many seconds later.
fn later(frames: &[Frame], seconds: u64) -> Vec<Frame> {
    let later = |frame: &Frame| Frame {
        time_micros: frame.time_micros + seconds * 1_000_000,
        data: frame.data.clone(),
    };
    frames.iter().map(later).collect()
}

/// Records without what tells where they were read.
fn without_places(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        record.retain(|key, _| key != "capture.source" && !key.starts_with("capture.frame."));
    }
    records
}

#[test]
fn a_capture_in_parts_says_what_it_says_whole() {
    let cut = support::each(&BASES, |base| {
        let whole = without_places(base.records.clone());
        let mut cut = 0;
        for most in [1, 3, 7] {
            let folder = tempfile::tempdir().unwrap();
            let parts = write_parts(folder.path(), &base.frames, most);
            cut += usize::from(parts.len() > 1);
            let jobs = if most == 3 { "2" } else { "1" };
            let found = without_places(analyze(&parts, &["--jobs", jobs]));
            assert_eq!(found, whole, "{} in {} parts", base.name, parts.len());
        }
        cut
    });
    assert!(cut.into_iter().sum::<usize>() > 100);
}

/// Without zeros in front of the number, as `tcpdump -C` counts, a shell sorts 10 before 2.
#[test]
fn the_order_of_a_shell_is_no_matter() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let name = |path: &Path, name: String| {
        let named = folder.path().join(name);
        fs::rename(path, &named).unwrap();
        named
    };
    let recorder =
        |number: usize| if number == 0 { "cap.pcap".to_owned() } else { format!("cap.pcap{number}") };
    for names in [recorder, |number| format!("cap-{number}.pcap")] {
        let parts = write_parts(folder.path(), &base.frames, 1);
        let parts: Vec<PathBuf> =
            parts.iter().enumerate().map(|(number, path)| name(path, names(number))).collect();
        assert!(parts.len() > 10);
        let mut sorted = parts.clone();
        sorted.sort();
        assert_ne!(sorted, parts);
        assert_eq!(without_places(analyze(&sorted, &[])), without_places(base.records.clone()));
        assert_eq!(analyze(&sorted, &[]), analyze(&parts, &["--jobs", "2"]));
    }
}

/// Of the files that begin at a time, all but the first count behind it (`tcpdump -G -C`).
#[test]
fn files_may_be_cut_by_time_and_by_size() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let (head, tail) = base.frames.split_at(9);
    let tail: Vec<Frame> = later(tail, 60);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, frames: &[Frame]| {
        let path = folder.path().join(name);
        fs::write(&path, pcap(frames)).unwrap();
        path
    };
    let whole = analyze(&[write("whole.pcap", &[head, &tail].concat())], &[]);
    let mut parts = Vec::new();
    for frames in [head, &tail] {
        let begun = frames[0].time_micros / 1_000_000;
        for (part, frames) in frames.chunks(4).enumerate() {
            let part = if part == 0 { String::new() } else { part.to_string() };
            parts.push(write(&format!("cap-{begun}.pcap{part}"), frames));
        }
    }
    assert!(parts.len() > 4);
    assert_eq!(without_places(analyze(&parts, &[])), without_places(whole));
}

/// `tcpdump -C -W` writes its first files again when it has come round. Of the one that was just opened, nothing may be
/// there yet.
#[test]
fn a_ring_is_read_from_its_oldest_file_on() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &base.frames, 1);
    // With as many digits in each number, and without, as one renames them.
    for (empty, width) in [(0, 2), (1, 2), (0, 1)] {
        let files = parts.len() + empty;
        for come_round in [1, 4, files - 1] {
            let ring = tempfile::tempdir().unwrap();
            let path = |number: usize| {
                let number = (number + come_round) % files;
                ring.path().join(format!("cap.pcap{number:0width$}"))
            };
            for (number, part) in parts.iter().enumerate() {
                fs::copy(part, path(number)).unwrap();
            }
            for number in parts.len()..files {
                fs::write(path(number), "").unwrap();
            }
            fs::copy(support::captures().join("tls12-rsa.pcap"), ring.path().join("cap.pcap-old")).unwrap();
            let records = without_places(analyze(&[ring.path().to_owned()], &[]));
            assert_eq!(records.len(), 2, "{come_round} of {files}");
            assert!(records.contains(&without_places(base.records.clone())[0]), "{come_round} of {files}");
        }
    }
}

/// What is no part of a capture stays where it was given.
#[test]
fn other_files_keep_their_order() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = write_parts(folder.path(), &base.frames, 1)
        .into_iter()
        .enumerate()
        .map(|(number, part)| {
            let named = folder.path().join(format!("cap.pcap{number}"));
            fs::rename(part, &named).unwrap();
            named
        })
        .collect();
    for (other, name) in [("tls12-rsa.pcap", "host10.pcap"), ("http-unsigned.pcap", "host2.pcap")] {
        files.push(folder.path().join(name));
        fs::copy(support::captures().join(other), files.last().unwrap()).unwrap();
    }
    files.sort();
    let mut sources: Vec<String> = analyze(&files, &[])
        .iter()
        .map(|record| record["capture.source"].as_str().unwrap().to_owned())
        .collect();
    sources.dedup();
    assert_eq!(sources, ["cap.pcap0", "host10.pcap", "host2.pcap"]);
}

/// What is read of a pipe is not there a second time, whatever the pipe is called.
#[test]
fn pipes_are_no_parts() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (head, tail) = base.frames.split_at(9);
    let pipes = ["cap.pcap0", "cap.pcap1"].map(|name| folder.path().join(name));
    for (pipe, frames) in pipes.iter().zip([head, tail]) {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let (pipe, bytes) = (pipe.clone(), pcap(frames));
        std::thread::spawn(move || fs::write(pipe, bytes));
    }
    assert_eq!(analyze(&pipes, &[]).len(), 2);
}

/// Of an interface whose packets cannot be read, those files are damaged that have such packets. Interfaces may be those of
/// several sections.
#[test]
fn only_files_with_packets_of_another_kind_are_damaged() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let (head, tail) = base.frames.split_at(9);
    let usb = |frames: &[Frame]| {
        let mut bytes = pcapng(frames);
        let link_type = bytes[28 + 8..].first_chunk_mut::<2>().unwrap();
        assert_eq!(u16::from_le_bytes(*link_type), 1);
        *link_type = 189_u16.to_le_bytes();
        bytes
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cap1.pcapng"), [usb(&head[..1]), pcapng(head)].concat()).unwrap();
    fs::write(folder.path().join("cap2.pcapng"), [usb(&[]), pcapng(tail)].concat()).unwrap();
    let mut command = support::ddbwatch();
    let ran = support::finish(command.args(["analyze", "--format", "jsonl"]).arg(folder.path()));
    assert_eq!(ran.records().len(), 1, "{ran:?}");
    assert!(ran.stderr.contains("cap1.pcapng: damaged") && !ran.stderr.contains("cap2.pcapng"), "{ran:?}");
}

/// Frames are numbered in the file that the record names; those in another one are left out.
#[test]
fn a_record_names_the_file_in_which_its_flow_began() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let [whole] = base.records.as_slice() else { panic!("it has one flow") };
    let [first, client, server] = ["first", "client_hello", "server_hello"]
        .map(|frame| whole[&format!("capture.frame.{frame}")].as_u64().unwrap());
    assert!(first < client && client < server);
    let folder = tempfile::tempdir().unwrap();
    let silent = folder.path().join("cut_00000_20261031235959.pcap");
    fs::write(&silent, pcap(&[])).unwrap();
    let parts = write_parts(folder.path(), &base.frames, client as usize);
    assert!(parts.len() > 2);
    let mut files = vec![silent];
    files.extend(parts);
    let records = analyze(&files, &[]);
    let [record] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!(record["capture.source"], files[1].file_name().unwrap().to_str().unwrap());
    assert_eq!(record["capture.frame.first"], first);
    assert_eq!(record["capture.frame.client_hello"], client);
    assert_eq!(record.get("capture.frame.server_hello"), None);
}

/// What is counted of packets is counted by file, and of flows once.
#[test]
fn the_accounts_of_parts_add_up() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parts = write_parts(folder.path(), &base.frames, 4);
    let mut command = support::ddbwatch();
    let ran = support::finish(command.args(["analyze", "--format", "prometheus"]).args(&parts));
    let value = |series: &str| {
        let line = ran.text().lines().find(|line| line.starts_with(series)).map(str::to_owned);
        line.and_then(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().ok())
    };
    assert_eq!(value("ddbwatch_flows_opened_total"), Some(1));
    let packets = |part: &PathBuf, stage: &str| {
        let name = part.file_name().unwrap().to_str().unwrap();
        value(&format!("ddbwatch_packets_total{{interface=\"{name}\",stage=\"{stage}\"}}")).unwrap()
    };
    let mut seen = 0;
    for part in &parts {
        assert_eq!(packets(part, "seen"), packets(part, "parsed") + packets(part, "skipped"));
        seen += packets(part, "seen");
    }
    assert_eq!(seen, base.frames.len());
}

/// Files that overlap, that come in another order, or that have other names are captures of their own.
#[test]
fn what_does_not_follow_is_not_read_as_one() {
    let base = BASES.iter().find(|base| base.name == "boto3-tls.pcap").unwrap();
    let middle = 5;
    let (head, tail) = base.frames.split_at(middle);
    let records = |files: &[(&str, &[Frame])]| {
        let folder = tempfile::tempdir().unwrap();
        let write = |(name, frames): &(&str, &[Frame])| {
            let path = folder.path().join(name);
            let is_pcapng = path.extension().is_some_and(|extension| extension == "pcapng");
            fs::write(&path, if is_pcapng { pcapng(frames) } else { pcap(frames) }).unwrap();
            path
        };
        analyze(&files.iter().map(write).collect::<Vec<_>>(), &[]).len()
    };
    assert_eq!(records(&[("a1.pcap", head), ("a2.pcap", tail)]), 1);
    assert_eq!(records(&[("a1.pcapng", head), ("a2.pcapng", tail)]), 1);
    assert_eq!(records(&[("a.pcap", head), ("b.pcap", tail)]), 2);
    // A section may come behind another one in the same file.
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["a1.pcapng", "a2.pcapng"].map(|name| folder.path().join(name));
    fs::write(&one, [pcapng(&head[..2]), pcapng(&head[2..])].concat()).unwrap();
    fs::write(&other, pcapng(tail)).unwrap();
    assert_eq!(analyze(&[one, other], &[]).len(), 1);
    // However the files are called, and whenever one begins within the time that a connection may be silent.
    let (soon, late) = (later(tail, 40), later(tail, 400));
    for [one, other] in [
        ["a1.pcap", "a2.pcap"],
        ["site.1", "site.2"],
        ["cap-20261101-0800.pcap", "cap-20261101-0900.pcap"],
        ["10.0.0.11", "10.0.0.12"],
    ] {
        assert_eq!(records(&[(one, head), (other, &soon)]), 1);
        assert_eq!(records(&[(one, head), (other, &late)]), 2);
    }
    assert_eq!(records(&[("a.pcap", head), ("a.pcap1", &late)]), 1);
    // Queues of an interface are written in turn.
    let mut swapped = base.frames.clone();
    swapped.swap(middle - 1, middle);
    let (head, tail) = swapped.split_at(middle);
    assert_eq!(records(&[("a1.pcap", head), ("a2.pcap", tail)]), 1);
    assert_eq!(records(&[("a1.pcap", head), ("a2.pcapng", tail)]), 2);
    assert_eq!(records(&[("a2.pcap", tail), ("a1.pcap", head)]), 2);
    let mut first_late = base.frames.clone();
    first_late[..middle].rotate_left(1);
    let (head_of_it, tail_of_it) = first_late.split_at(middle - 1);
    assert!(tail_of_it[0].time_micros < head_of_it[0].time_micros);
    assert_eq!(records(&[("a1.pcap", head_of_it), ("a2.pcap", tail_of_it)]), 1);
    assert_eq!(records(&[("a.pcap", head_of_it), ("a.pcap1", tail_of_it)]), 1);
    // One goes on while the other begins: two taps, not two parts.
    let last = base.frames.last().unwrap();
    let meanwhile: Vec<Frame> = head.iter().chain([last]).cloned().collect();
    assert_eq!(records(&[("a1.pcap", &meanwhile), ("a2.pcap", tail)]), 2);
}

/// Two places may use the same addresses, and their files the same names but for a number: what was said in one tells nothing
/// of the other, however soon the one follows the other. Only a recorder's count is taken at its word.
#[test]
fn what_one_place_was_told_tells_nothing_of_another() {
    let base = BASES.iter().find(|base| base.name == "dns-address.pcap").unwrap();
    let [whole] = base.records.as_slice() else { panic!("it has one flow") };
    let evidence = |record: &Record| record["aws.endpoint.evidence"].to_string();
    assert!(evidence(whole).contains("dns"), "{whole:#?}");
    let begins = base.frames.iter().position(|frame| frame.data[14 + 9] == 6).unwrap();
    let (told, flow) = base.frames.split_at(begins);
    let records = |one: &str, other: &str| {
        let folder = tempfile::tempdir().unwrap();
        let files = [(one, told), (other, flow)].map(|(name, frames)| {
            let path = folder.path().join(name);
            fs::write(&path, pcap(frames)).unwrap();
            path
        });
        analyze(&files, &[])
    };
    for (one, other) in [
        ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap"),
        ("dump.eth0", "dump.eth1"),
        ("20261101_111111111111.pcap", "20261101_222222222222.pcap"),
        ("site1-20261101.pcap", "site2-20261101.pcap"),
        ("host1.pcap", "host2.pcap"),
    ] {
        let records = records(one, other);
        assert_eq!(records.len(), 1, "{one} {other}");
        assert!(!evidence(&records[0]).contains("dns"), "{one} {other}: {records:#?}");
    }
    for (one, other) in
        [("fw.pcap", "fw.pcap1"), ("fw_00001_20261101000000.pcap", "fw_00002_20261101000010.pcap")]
    {
        assert_eq!(evidence(&records(one, other)[0]), evidence(whole), "{one} {other}");
    }
}

/// Connections with the same addresses and ports at other numbers are those of another place, whatever else they share and
/// however the files count.
#[test]
fn connections_at_other_numbers_speak_against_one_capture() {
    let base = BASES.iter().find(|base| base.name == "dns-address.pcap").unwrap();
    let begins = base.frames.iter().position(|frame| frame.data[14 + 9] == 6).unwrap();
    let (told, flow) = base.frames.split_at(begins);
    // The same connection from other ports of the client, with all of its numbers moved.
    let moved = |frames: &[Frame], ports: u16, by: u32, seconds: u64| -> Vec<Frame> {
        let shift = |frame: &Frame| {
            let mut frame = frame.clone();
            frame.time_micros += seconds * 1_000_000;
            let tcp = &mut frame.data[14 + 20..];
            let at = if tcp[..2] == 443_u16.to_be_bytes() { 2 } else { 0 };
            let port = u16::from_be_bytes([tcp[at], tcp[at + 1]]) ^ ports;
            tcp[at..at + 2].copy_from_slice(&port.to_be_bytes());
            for at in [4, 8] {
                let number = u32::from_be_bytes(*tcp[at..].first_chunk().unwrap());
                if number != 0 {
                    tcp[at..at + 4].copy_from_slice(&number.wrapping_add(by).to_be_bytes());
                }
            }
            frame
        };
        frames.iter().map(shift).collect()
    };
    let hello = flow.iter().position(|frame| frame.data.get(54 + 12) == Some(&0x16)).unwrap();
    let (opening, rest) = flow.split_at(hello);
    let records = |one: &str, other: &str, by: u32| {
        let folder = tempfile::tempdir().unwrap();
        // At one place it opens; at the other it, or another one, goes on, and one more begins.
        let parts = [
            (one, [told, opening].concat()),
            (other, [moved(rest, 0, by, 0), moved(flow, 1, 0, 1)].concat()),
        ];
        let files = parts.map(|(name, frames)| {
            let path = folder.path().join(name);
            fs::write(&path, pcap(&frames)).unwrap();
            path
        });
        let records = analyze(&files, &[]);
        records.iter().any(|record| {
            record["capture.source"] == other && record["aws.endpoint.evidence"].to_string().contains("dns")
        })
    };
    for (one, other) in [
        ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap"),
        ("fw_00001_20261101000000.pcap", "fw_00002_20261101000010.pcap"),
    ] {
        assert!(records(one, other, 0), "{one}");
        for by in [1_000_000_000, 3_000_000_000] {
            assert!(!records(one, other, by), "{one} {by}");
        }
    }
}
