//! Inputs: standard input, folders, several files, odd names.

use super::*;
use crate::support::packets::{Frame, pcap, read_pcap};

/// Records without where they came from.
fn bare(ran: &Ran) -> Vec<support::Record> {
    let mut records = ran.records();
    for record in &mut records {
        record.remove("capture.source");
    }
    assert!(!records.is_empty());
    records
}

#[test]
fn standard_input_is_read_in_each_form() {
    let plain = fs::read(capture(CLEAN)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let wanted = bare(&run(&["analyze", "--format", "jsonl", CLEAN]));
    for form in [plain.clone(), gzip.finish().unwrap(), zstd::encode_all(&plain[..], 3).unwrap()] {
        let ran = finish_with(ddbwatch().args(["analyze", "--format", "jsonl", "-"]), &form);
        expect(&ran, 0);
        assert_eq!(bare(&ran), wanted);
    }
}

fn sources(ran: &Ran) -> Vec<String> {
    let mut sources: Vec<String> =
        ran.records().iter().map(|record| shown(&record["capture.source"])).collect();
    sources.dedup();
    sources
}

#[test]
fn files_come_in_the_order_given() {
    for jobs in ["1", "2", "4"] {
        for names in [
            [CLEAN, VIOLATING, "tls12-rsa.pcap", WARNING_ONLY],
            [WARNING_ONLY, "tls12-rsa.pcap", VIOLATING, CLEAN],
        ] {
            let ran = run(&[&["analyze", "--format", "jsonl", "--jobs", jobs][..], &names].concat());
            expect(&ran, 0);
            assert_eq!(sources(&ran), names, "--jobs {jobs}");
        }
    }
}

#[test]
fn folder_is_read_in_order_and_other_files_are_noted() {
    let folder = folder();
    for (name, from) in [
        ("c.pcap", "tls12-rsa.pcap"),
        ("a.pcap", VIOLATING),
        ("b.pcap.gz", "gzip.pcap.gz"),
        ("B.pcapng", "zstd.pcapng.zst"),
    ] {
        fs::copy(capture(from), folder.path().join(name)).unwrap();
    }
    write(folder.path(), "notes.txt", "these are notes, no packets\n");
    let ran = run(&["analyze", "--format", "jsonl", folder.path().to_str().unwrap()]);
    expect(&ran, 0);
    assert_eq!(sources(&ran), ["B.pcapng", "a.pcap", "b.pcap.gz", "c.pcap"]);
    assert!(ran.stderr.contains("notes.txt"), "{}", ran.stderr);
}

/// A capture that is broken before its first packet is no stranger: what it held is missing everywhere.
#[test]
fn what_cannot_be_read_in_a_folder_is_told_by_each_output() {
    let folder = folder();
    fs::copy(capture(CLEAN), folder.path().join("a.pcap")).unwrap();
    write(folder.path(), "cut.pcap", &fs::read(capture(CLEAN)).unwrap()[..10]);
    write(folder.path(), "cut.pcap.zst", &fs::read(capture("zstd.pcapng.zst")).unwrap()[..20]);
    write(folder.path(), "notes.txt", "these are notes, no packets\n");
    let path = folder.path().to_str().unwrap();
    let ran = run(&["analyze", path]);
    expect(&ran, 4);
    let table: String = ran.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains("Part of the input was not readable: see the end."), "{table}");
    assert!(
        table.contains(&format!("No capture {path}/notes.txt Not read {path}/cut.pcap: is a pcap")),
        "{table}"
    );
    assert!(table.contains(&format!("{path}/cut.pcap.zst: looks like zstd, but it is cut off")), "{table}");
    assert!(table.contains("Lost nothing else that was noticed"), "{table}");
    let ran = run(&["analyze", "--format", "html", path]);
    expect(&ran, 4);
    for said in [
        "The 1 flow seen keeps the rules. Part of the input was not read",
        "2 files or folders inside the folders given could not be read",
        "1 file in the folders given was passed over: no captures.",
        "Something was lost or could not be read",
        "is a pcap capture that ends within its header",
    ] {
        assert!(ran.text().contains(said), "{said}");
    }
    let ran = run(&["top", "--once", path]);
    expect(&ran, 4);
    assert!(ran.text().contains("Not seen: 2 unreadable parts of the input."), "{}", ran.text());
}

#[test]
fn flow_that_two_files_show_is_one_record() {
    for names in [[CLEAN, CLEAN], ["tunnel-vxlan.pcap", "tunnel-gre.pcap"]] {
        let ran = run(&[&["analyze", "--format", "jsonl"][..], &names].concat());
        expect(&ran, 0);
        assert_eq!(ran.records().len(), 1, "{names:?}");
    }
}

#[test]
fn flow_that_a_file_shows_again_much_later_is_one_record() {
    let folder = folder();
    let frames = read_pcap(&fs::read(support::capture(CLEAN)).unwrap()).unwrap();
    for (minutes, file) in [(0, "joined.pcap"), (2, "later.pcap"), (600, "much-later.pcap")] {
        let mut all = frames.clone();
        // Between the two the table has forgotten the flow, as packets of no flow tell it.
        for _ in 0..2 {
            let mut other = frames[0].clone();
            other.time_micros += minutes * 60_000_000;
            (other.data[35], other.data[47]) = (other.data[35] ^ 1, 0x10);
            all.push(other);
        }
        all.extend(
            frames.iter().map(|frame| Frame {
                time_micros: frame.time_micros + minutes * 60_000_000,
                ..frame.tagged(7)
            }),
        );
        let path = folder.path().join(file);
        fs::write(&path, pcap(&all)).unwrap();
        let path = path.to_str().unwrap();
        let ran = run(&["analyze", "--format", "jsonl", path]);
        expect(&ran, 0);
        assert_eq!(ran.records().len(), 1, "{minutes}");
        let ran = run(&["analyze", "--format", "prometheus", path]);
        let metrics = String::from_utf8_lossy(&ran.stdout);
        let counted = "ddbwatch_flow_evictions_total{reason=\"same_flow_earlier_in_file\"} 1";
        assert_eq!(metrics.contains(counted), minutes > 0, "{metrics}");
    }
}

#[cfg(unix)]
/// What one interface of a capture showed, in a file of its own that names that interface.
fn one_interface(folder: &Path, capture: &str, number: u32) -> String {
    let file = folder.join(format!("{number}-{capture}")).display().to_string();
    let output = Command::new("tshark")
        .current_dir(support::captures())
        .args(["-r", capture, "-w", &file, "-Y", &format!("frame.interface_id == {number}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

#[test]
fn both_sides_of_nat_in_two_files_are_one_record() {
    let folder = folder();
    let [inside, outside] =
        [0, 1].map(|number| one_interface(folder.path(), "nat-two-interfaces.pcapng", number));
    for (files, client) in [([&inside, &outside], "10.1.2.3"), ([&outside, &inside], "198.51.100.20")] {
        let [one, two] = files;
        let ran = run(&["analyze", "--format", "jsonl", one, two]);
        let clients: Vec<String> =
            ran.records().iter().map(|record| shown(&record["client.address"])).collect();
        assert_eq!(clients, [client], "the file given first tells it");
        let ran = run(&["analyze", "--format", "prometheus", one, two]);
        let metrics = String::from_utf8_lossy(&ran.stdout);
        let counted = "ddbwatch_flow_evictions_total{reason=\"same_flow_translated_in_earlier_file\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[test]
fn nat_is_not_assumed_where_the_files_name_no_interface() {
    let folder = folder();
    let files = [0, 1].map(|number| {
        let named = one_interface(folder.path(), "nat-two-interfaces.pcapng", number);
        let nameless = format!("{named}.pcap");
        let status = Command::new("editcap").args(["-F", "pcap", &named, &nameless]).status().unwrap();
        assert!(status.success());
        nameless
    });
    let ran = run(&["analyze", "--format", "jsonl", &files[0], &files[1]]);
    assert_eq!(ran.records().len(), 2);
}

#[test]
fn odd_file_names_are_taken() {
    use std::os::unix::ffi::OsStringExt;

    let folder = folder();
    for name in [
        b"with space.pcap".to_vec(),
        b"-dash.pcap".to_vec(),
        b"not-utf8-\xff.pcap".to_vec(),
        b"new\nline.pcap".to_vec(),
    ] {
        let path = folder.path().join(OsString::from_vec(name));
        fs::copy(capture(CLEAN), &path).unwrap();
        let ran = run(&["analyze".into(), "--format".into(), "jsonl".into(), path.into_os_string()]);
        expect(&ran, 0);
        assert_eq!(ran.records().len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_do_not_speak_for_the_program() {
    let folder = folder();
    write(folder.path(), "x\u{1b}[31m\nddbwatch: all is well", "text");
    let bytes = fs::read(capture(DAMAGED)).unwrap();
    write(folder.path(), "d\u{1b}]0;title\u{7}.pcap", bytes);
    let path = folder.path().to_str().unwrap();
    let missing = folder.path().join("\u{1b}[2J");
    for (arguments, code) in [
        (["analyze", "--color", "always", path], 4),
        (["analyze", "--color", "always", missing.to_str().unwrap()], 1),
    ] {
        let ran = run(&arguments);
        expect(&ran, code);
        assert!(!ran.stderr.contains('\u{1b}') && ran.stderr.contains("\\u{1b}"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("\nddbwatch: all is well"), "{}", ran.stderr);
    }
}
