//! The evidence report and Parquet from the outside: self-contained, structured, reproducible, and read by others.

pub mod browser;
mod parquet;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{captures, run};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes the report of these arguments to a file, and gives its text.
fn html(file: &Path, arguments: &[&str]) -> String {
    let mut all = vec![arguments[0], "--format", "html", "-o", file.to_str().unwrap()];
    all.extend(&arguments[1..]);
    let ran = run(&all);
    assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
    fs::read_to_string(file).unwrap()
}

fn of_all_captures(file: &Path) -> String {
    let names = crate::golden::names();
    let mut arguments = vec!["analyze", "--all-services", "--config", "demo.toml"];
    arguments.extend(names.iter().map(String::as_str));
    html(file, &arguments)
}

/// Start tags with their attributes, in order.
fn tags(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(|rest| rest.split('>').next().unwrap())
        .collect()
}

fn name(tag: &str) -> &str {
    tag.split([' ', '/']).next().unwrap()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap())
}

#[test]
fn report_loads_nothing() {
    let folder = folder();
    let html = of_all_captures(&folder.path().join("report.html"));
    for tag in tags(&html) {
        let forbidden =
            ["script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"];
        assert!(!forbidden.contains(&name(tag)), "<{tag}>");
        for source in ["src", "data", "action", "srcset", "xlink:href"] {
            assert!(attribute(tag, source).is_none(), "<{tag}>");
        }
        if let Some(target) = attribute(tag, "href") {
            assert!(target.starts_with('#'), "<{tag}>");
        }
        assert!(!tag.contains(" on") || !tag.contains("=\"javascript"), "<{tag}>");
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
    assert!(html.contains("default-src 'none'"), "the browser is told to load nothing");
}

#[test]
fn report_can_be_read_without_seeing_it() {
    let folder = folder();
    let html = of_all_captures(&folder.path().join("report.html"));
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{:?}", html.get(..60));
    let tags = tags(&html);
    let count = |wanted: &str| tags.iter().filter(|tag| name(tag) == wanted).count();
    assert_eq!(
        html.split("</head>").next().unwrap().matches("<title>").count(),
        1,
        "charts have titles, too"
    );
    for landmark in ["header", "nav", "main", "footer", "h1"] {
        assert_eq!(count(landmark), 1, "{landmark}");
    }
    assert_eq!(count("table"), count("caption"), "each table has a caption");
    assert!(html.contains("<a class=\"skip\" href=\"#main\">"));
    let mut level = 0;
    for tag in &tags {
        match name(tag) {
            heading @ ("h1" | "h2" | "h3" | "h4") => {
                let next: u32 = heading[1..].parse().unwrap();
                assert!(next <= level + 1, "{heading} comes after h{level}");
                level = next;
            }
            "th" => assert!(attribute(tag, "scope").is_some(), "<{tag}>"),
            "svg" => {
                assert_eq!(attribute(tag, "role"), Some("img"), "<{tag}>");
                let named = attribute(tag, "aria-label").or(attribute(tag, "aria-labelledby"));
                assert!(named.is_some_and(|text| !text.is_empty()), "<{tag}>");
            }
            _ => {}
        }
    }
    let ids: Vec<&str> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "each id stands once");
    for tag in &tags {
        for reference in ["aria-labelledby", "href"] {
            if let Some(target) = attribute(tag, reference) {
                assert!(ids.contains(&target.trim_start_matches('#')), "<{tag}> leads nowhere");
            }
        }
    }
    // Every element that is begun is ended.
    for element in
        ["section", "article", "table", "tbody", "tr", "td", "ul", "li", "dl", "dd", "p", "div", "svg"]
    {
        assert_eq!(count(element), html.matches(&format!("</{element}>")).count(), "{element}");
    }
}

#[test]
fn report_is_the_same_byte_for_byte() {
    let folder = folder();
    let (one, other) = (folder.path().join("one.html"), folder.path().join("other.html"));
    assert_eq!(of_all_captures(&one), of_all_captures(&other));
}

#[test]
fn report_names_evidence_that_is_there() {
    let folder = folder();
    let html = html(&folder.path().join("report.html"), &["analyze", "tls10-rsa.pcap"]);
    let records = run(&["analyze", "--format", "jsonl", "tls10-rsa.pcap"]).records();
    let record = &records[0];
    let frames = format!(
        "first {}, ClientHello {}, ServerHello {}",
        record["capture.frame.first"],
        record["capture.frame.client_hello"],
        record["capture.frame.server_hello"]
    );
    for wanted in [&frames, "tls10-rsa.pcap", "<b>TLS 1.0</b>", "TLS_", "What to do", "SHA-256"] {
        assert!(html.contains(wanted), "{wanted}");
    }
    let digest = <sha2::Sha256 as sha2::Digest>::digest(fs::read(captures().join("tls10-rsa.pcap")).unwrap());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(html.contains(&hash), "the hash of the capture");
}

#[test]
fn report_of_records_agrees_with_that_of_captures() {
    let folder = folder();
    let records = folder.path().join("flows.jsonl");
    let names = crate::golden::names();
    let mut arguments =
        vec!["analyze", "--format", "jsonl", "--all-services", "-o", records.to_str().unwrap()];
    arguments.extend(names.iter().map(String::as_str));
    run(&arguments);
    let of_captures = of_all_captures(&folder.path().join("captures.html"));
    let again = html(&folder.path().join("records.html"), &["report", records.to_str().unwrap()]);
    let part = |html: &str, id: &str| {
        let start = html.find(&format!("<section id=\"{id}\"")).unwrap();
        html[start..].split("</section>").next().unwrap().to_owned()
    };
    for id in ["traffic", "inventory"] {
        assert!(part(&again, id).len() > 1_000);
    }
    let findings = |html: &str| -> Vec<String> {
        tags(html).iter().filter(|tag| name(tag) == "article").map(|tag| (*tag).to_owned()).collect()
    };
    assert!(!findings(&again).is_empty());
    assert!(findings(&again).iter().all(|finding| findings(&of_captures).contains(finding)));
    assert!(again.contains("is not in the records and therefore not known here"));
}

#[test]
fn records_come_back_as_they_were_written() {
    let folder = folder();
    let expected = captures().join("expected");
    let all = folder.path().join("all.jsonl");
    let mut text = Vec::new();
    let mut names: Vec<PathBuf> =
        fs::read_dir(expected).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")) {
        text.extend(fs::read(path).unwrap());
    }
    fs::write(&all, &text).unwrap();
    let packed = folder.path().join("all.jsonl.zst");
    fs::write(&packed, zstd::encode_all(&text[..], 3).unwrap()).unwrap();
    for path in [&all, &packed] {
        let ran = run(&["report", "--format", "jsonl", path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout == text, "{}: the bytes are others", path.display());
    }
}

#[test]
fn torn_and_foreign_lines_are_told() {
    let folder = folder();
    let file = folder.path().join("flows.jsonl");
    let whole = run(&["analyze", "--format", "jsonl", "tls10-rsa.pcap"]).stdout;
    let mut text = whole.clone();
    text.extend_from_slice(b"no record\n");
    text.extend_from_slice(&whole[..100]);
    fs::write(&file, text).unwrap();
    let ran = run(&["report", "--format", "jsonl", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout == whole), (Some(4), true), "{}", ran.stderr);
    assert!(ran.stderr.contains("line 2 is no record") && ran.stderr.contains("no end"), "{}", ran.stderr);
    assert_eq!(run(&["report", "README.md"]).code, Some(1));
    // Who mixes the two commands up is told the other one.
    let ran = run(&["report", "tls10-rsa.pcap"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("is a capture; `ddbwatch analyze`"), "{}", ran.stderr);
    let ran = run(&["analyze", file.to_str().unwrap()]);
    assert!(ran.code == Some(1) && ran.stderr.contains("`ddbwatch report` reads them"), "{}", ran.stderr);
    assert_eq!(run(&["report", "missing.jsonl"]).code, Some(1));
    assert_eq!(run(&["report", "--profile", "nowhere", file.to_str().unwrap()]).code, Some(2));
}

/// Where a compressed file breaks makes no difference: what else there is, is reported.
#[test]
fn a_file_that_is_cut_keeps_nothing_from_the_report() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let whole = run(&["analyze", "--format", "jsonl", "tls10-rsa.pcap"]).stdout;
    fs::write(path("whole.jsonl"), &whole).unwrap();
    let packed = zstd::encode_all(&whole[..], 3).unwrap();
    fs::write(path("cut.jsonl.zst"), &packed[..packed.len() / 2]).unwrap();
    let ran = run(&["report", "--format", "jsonl", &path("cut.jsonl.zst"), &path("whole.jsonl")]);
    assert_eq!((ran.code, ran.stdout == whole), (Some(4), true), "{}", ran.stderr);
    assert!(ran.stderr.contains("cut.jsonl.zst: cannot be read: "), "{}", ran.stderr);
    let ran = run(&["report", &path("cut.jsonl.zst"), &path("whole.jsonl")]);
    let html = ran.text();
    assert!(html.contains("1 file could not be read to the end"), "{html}");
    assert!(html.contains("Part of the input was not read: see what was not seen."), "{html}");
    let ran = run(&["report", &path("cut.jsonl.zst")]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{}", ran.stderr);
}

/// Evidence that is missing is no stream, and not nothing.
#[cfg(unix)]
#[test]
fn a_file_of_a_folder_that_is_gone_is_told() {
    let folder = folder();
    let whole = run(&["analyze", "--format", "jsonl", "tls10-rsa.pcap"]).stdout;
    fs::write(folder.path().join("a.jsonl"), &whole).unwrap();
    fs::create_dir(folder.path().join("b.jsonl")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("c.jsonl")).unwrap();
    let ran = run(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("c.jsonl: cannot be read: "), "{}", ran.stderr);
    let html = ran.text();
    assert!(
        html.contains("it could not be read") && html.contains("1 file could not be read to the end"),
        "{html}"
    );
    assert!(!html.contains("a stream: it can be read only once") && !html.contains("b.jsonl"), "{html}");
}

#[test]
fn the_same_records_count_once() {
    let folder = folder();
    let paths = ["one.jsonl", "two.jsonl"].map(|name| folder.path().join(name));
    let text = run(&["analyze", "--format", "jsonl", "tls10-rsa.pcap"]).stdout;
    paths.iter().for_each(|path| fs::write(path, &text).unwrap());
    let [one, two] = paths.each_ref().map(|path| path.to_str().unwrap());
    for again in [one, two] {
        let ran = run(&["report", "--format", "jsonl", one, again]);
        assert_eq!((ran.code, ran.stdout == text), (Some(0), true), "{}", ran.stderr);
        assert!(ran.stderr.contains("has the same content as"), "{}", ran.stderr);
    }
}

#[test]
fn words_for_accounts_stay_and_are_not_confused_in_silence() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = write("key", &"k".repeat(40));
    let config = write("privacy.toml", &format!("[privacy]\nkey_file = {key:?}\n"));
    let all = run(&["analyze", "--format", "jsonl", "endpoint-names.pcap"]).text().to_owned();
    let second: Vec<&str> =
        all.lines().filter(|line| line.contains("\"aws.account_id\":\"account-2\"")).collect();
    let second = write("second.jsonl", &(second.join("\n") + "\n"));
    let keyed =
        run(&["analyze", "--config", &config, "--format", "jsonl", "endpoint-names.pcap"]).text().to_owned();
    let keyed = write("keyed.jsonl", &keyed);
    for arguments in [&[&*second][..], &["--config", &config, &keyed], &[&keyed]] {
        let ran = run(&[&["report", "--format", "jsonl"], arguments].concat());
        let read = fs::read_to_string(arguments.last().unwrap()).unwrap();
        let ids = |text: &str| -> Vec<String> {
            text.lines()
                .filter_map(|line| Some(line.split_once("aws.account_id\":\"")?.1[..9].to_owned()))
                .collect()
        };
        assert!(!ids(&read).is_empty() && ids(ran.text()) == ids(&read), "{arguments:?}");
        assert!(!ran.stderr.contains("account-1 of another"), "{}", ran.stderr);
    }
    let other = run(&["analyze", "--format", "jsonl", "boto3-tls-account.pcap"]).text().to_owned();
    let other = write("other.jsonl", &other);
    let ran = run(&["report", "--format", "jsonl", &second, &other]);
    assert!(ran.code == Some(0) && ran.stderr.contains("account-1 of another"), "{}", ran.stderr);
    let report = run(&["report", &second, &other]);
    assert!(report.text().contains("account-1 of another"), "who reads it later has no messages");
}

/// Contrast as WCAG 2.2 reckons it (success criteria 1.4.3 and 1.4.11).
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn report_has_contrast_in_light_and_dark() {
    let style = include_str!("../../src/export/report/report.css");
    let (light, dark) = style.split_once("@media screen and (prefers-color-scheme: dark)").unwrap();
    for (scheme, text) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| -> &str {
            let at = text.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("{scheme}: {name}"));
            text[at..].split_once(": ").unwrap().1.get(..7).unwrap()
        };
        for (one, other, least) in [
            ("ink", "page", 4.5),
            ("ink", "soft", 4.5),
            ("quiet", "page", 4.5),
            ("quiet", "soft", 4.5),
            ("link", "page", 4.5),
            ("on-critical", "tag-critical", 4.5),
            ("on-warning", "tag-warning", 4.5),
            ("on-info", "tag-info", 4.5),
            ("pass", "page", 3.0),
            ("unclear", "page", 3.0),
            ("warning", "page", 3.0),
            ("critical", "page", 3.0),
        ] {
            let found = contrast(colour(one), colour(other));
            assert!(found >= least, "{scheme}: {one} on {other} has {found:.2}");
        }
    }
}
