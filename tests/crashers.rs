//! What once broke is tried again, and the shipped captures are tried damaged in many ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the damaged captures are tried at most; on a slow machine fewer of them are.
const SMOKE_TIME: Duration = Duration::from_secs(10);

/// How many damaged captures are tried.
const SMOKE_INPUTS: usize = 4_000;

/// Only captures up to this size are damaged: many small inputs find more than a few large ones.
const MAX_SMOKE_BYTES: usize = 16 * 1024;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// The door that the fuzz target of this name knocks at.
fn door(target: &str) -> fn(&[u8]) {
    match target {
        "config" => ddbwatch::config::fuzz_config,
        "dns" => ddbwatch::app::dns::fuzz_dns,
        "file" => ddbwatch::capture::fuzz_file,
        "frame" => ddbwatch::decode::fuzz_frame,
        "http" => ddbwatch::app::http1::fuzz_http,
        "pipeline" => ddbwatch::pipeline::fuzz_pipeline,
        "tls" => |bytes| drop(ddbwatch::tls::fuzz_tls(bytes)),
        "x509" => ddbwatch::app::x509::fuzz_x509,
        _ => panic!("captures/crashers has a file for {target}, which is no fuzz target"),
    }
}

fn folder() -> PathBuf {
    captures().join("crashers")
}

/// Name and content of each kept crasher. There may be none yet, but there is the place where `fuzz/run.py` puts them.
fn crashers() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name != "README.md")
        .collect();
    found.sort();
    found
}

/// Seeds that need no tool to be made; by them the doors are tried while no crasher is there.
fn seeds() -> Vec<(String, Vec<u8>)> {
    [("config", "../src/config/example.toml"), ("file", "damaged.pcap"), ("pipeline", "damaged.pcap")]
        .map(|(target, path)| (format!("{target}-seed"), fs::read(captures().join(path)).unwrap()))
        .into()
}

#[test]
fn crashers_break_nothing_any_more() {
    for (name, content) in crashers().into_iter().chain(seeds()) {
        let (target, _) = name.split_once('-').unwrap();
        let begun = Instant::now();
        door(target)(&content);
        assert!(begun.elapsed() < Duration::from_secs(5), "{name} takes {:?}", begun.elapsed());
    }
}

/// The first of these names that is not told of.
fn unexplained(readme: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    names.into_iter().find(|name| !readme.contains(&format!("`{name}`")))
}

#[test]
fn every_crasher_is_explained() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let names = crashers().into_iter().map(|(name, _)| name);
    assert_eq!(unexplained(&readme, names), None, "captures/crashers/README.md does not tell what it was");
    assert!(unexplained(&readme, ["tls-00000000".to_owned()]).is_some(), "the search finds everything");
}

#[test]
fn every_fuzz_target_has_a_door() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        door(file.strip_suffix(".rs").unwrap())(b"");
    }
}

/// A linear congruential generator (Knuth's constants): the same damage on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// One to four wounds: bytes changed, a piece cut out or off, a piece of another capture put in.
fn damage(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let length = 1 + dice.below(64);
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            2 => {
                let from = dice.below(other.len());
                let piece = &other[from..(from + 16 * length).min(other.len())];
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
            3 => bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0xff),
            4 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = dice.below(256) as u8),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
    }
}

#[test]
fn damaged_captures_neither_panic_nor_lose_count() {
    let mut shipped: Vec<_> = fs::read_dir(captures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    shipped.sort();
    let shipped: Vec<Vec<u8>> = shipped
        .iter()
        .map(|path| fs::read(path).unwrap())
        .filter(|content| content.len() <= MAX_SMOKE_BYTES)
        .collect();
    assert!(shipped.len() > 50, "the captures are where they should be");
    let mut dice = Dice(1);
    let begun = Instant::now();
    let mut tried = 0;
    while tried < SMOKE_INPUTS && begun.elapsed() < SMOKE_TIME {
        let mut bytes = shipped[tried % shipped.len()].clone();
        damage(&mut bytes, &shipped[dice.below(shipped.len())], &mut dice);
        ddbwatch::pipeline::fuzz_pipeline(&bytes);
        tried += 1;
    }
    assert!(tried > shipped.len(), "only {tried} inputs were tried in {SMOKE_TIME:?}");
}
