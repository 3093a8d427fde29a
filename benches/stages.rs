//! What each stage costs: one frame, one handshake, one record. `cargo bench --bench stages`.
//!
//! The frames are those of `captures/`, so that the figures are of real stacks. `compare.py` measures the
//! whole program.

#![allow(clippy::expect_used, reason = "a bench without its capture can only stop")]

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use ddbwatch::capture::{FileSource, Frame, FrameSource, Interface};
use ddbwatch::config::Resolved;
use ddbwatch::decode::{Decoder, Limits, read_plain};
use ddbwatch::export::{Jsonl, Sink};
use ddbwatch::model::{Encapsulation, Record, Timestamp};
use ddbwatch::pipeline::Engine;
use ddbwatch::tls::fingerprint;
use foldhash::fast::RandomState;

/// The frames of a capture, in memory.
struct Capture {
    frames: Vec<(Timestamp, u32, Vec<u8>)>,
    interfaces: Vec<Interface>,
}

impl Capture {
    fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name);
        let file = std::fs::File::open(&path).expect("the capture is in the repository");
        let mut source = FileSource::from_reader(file).expect("a capture");
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = source.next_frame() {
            frames.push((frame.timestamp, frame.wire_bytes, frame.data.to_vec()));
        }
        Self { frames, interfaces: source.interfaces().to_vec() }
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let (timestamp, wire_bytes, data) = &self.frames[index];
        Frame { number: index as u64 + 1, timestamp: *timestamp, interface: 0, wire_bytes: *wire_bytes, data }
    }

    /// The longest frame: one that carries data.
    fn longest(&self) -> usize {
        (0..self.frames.len()).max_by_key(|&index| self.frames[index].2.len()).unwrap_or_default()
    }

    fn feed(&self, engine: &mut Engine) {
        for index in 0..self.frames.len() {
            engine.frame(&self.frame(index), &self.interfaces);
        }
    }

    fn record(&self) -> Record {
        let config = Arc::new(Resolved::default());
        let mut engine = engine(&config);
        self.feed(&mut engine);
        engine.finish();
        let (record, _) = engine.take_records().next().expect("a record");
        record
    }
}

fn engine(config: &Arc<Resolved>) -> Engine {
    Engine::new(Arc::clone(config), true, Arc::from("bench"), RandomState::default())
}

/// Target: a bare frame in 20 ns, one tunnel in 60 ns.
fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for name in
        ["tls12-ecdhe-rsa", "ipv6-tls12", "tunnel-vlan", "tunnel-gre", "tunnel-vxlan", "tunnel-geneve-gwlb"]
    {
        let capture = Capture::load(&format!("{name}.pcap"));
        let frame = capture.frame(capture.longest());
        let link_type = capture.interfaces[0].link_type.0;
        let mut decoder = Decoder::new(Limits::default());
        let mut encapsulation = Encapsulation::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                encapsulation.clear();
                // As the engine does.
                let data = black_box(frame.data);
                if let Some(segment) = read_plain(link_type, data, frame.wire_bytes, &mut encapsulation) {
                    return black_box(segment.payload.len());
                }
                let (at, wire_bytes) = (frame.timestamp, frame.wire_bytes);
                let decoded = decoder.decode(link_type, at, data, wire_bytes, &mut encapsulation, &mut None);
                black_box(usize::from(decoded.is_ok()))
            });
        });
    }
    group.finish();
}

/// Target: a packet of a decided flow, decoded and looked up, in 50 ns.
fn decided(criterion: &mut Criterion) {
    let capture = Capture::load("tls12-ecdhe-rsa.pcap");
    let config = Arc::new(Resolved::default());
    let mut engine = engine(&config);
    capture.feed(&mut engine);
    let index = (0..capture.frames.len()).rev().find(|&index| capture.frames[index].2.len() > 80);
    let frame = capture.frame(index.expect("application data"));
    criterion.bench_function("frame of a decided flow", |bencher| {
        bencher.iter(|| engine.frame(black_box(&frame), &capture.interfaces));
    });
}

/// Target: from the first frame to the record in 10 µs, with what comes again known already.
fn handshakes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames to record");
    for name in ["tls12-ecdhe-rsa", "tls13-x25519", "rustls-x25519mlkem768"] {
        let mut capture = Capture::load(&format!("{name}.pcap"));
        let config = Arc::new(Resolved::default());
        let mut engine = engine(&config);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                capture.feed(&mut engine);
                // Later than any flow is remembered, so that the next one is new.
                for (timestamp, ..) in &mut capture.frames {
                    *timestamp = Timestamp::from_nanos(timestamp.as_nanos() + 3_600_000_000_000);
                }
                black_box(engine.take_records().count())
            });
        });
    }
    group.finish();
}

/// Target: 3 µs; once for each kind of hello.
fn fingerprints(criterion: &mut Criterion) {
    let record = Capture::load("tls13-x25519.pcap").record();
    let hello = record.tls.and_then(|tls| tls.client_hello).expect("a ClientHello");
    criterion.bench_function("ja3 and ja4", |bencher| {
        bencher.iter(|| (fingerprint::ja3(black_box(&hello)), fingerprint::ja4(black_box(&hello))));
    });
}

/// Target: 2 µs.
fn json_lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json line");
    for name in ["tls12-ecdhe-rsa", "tls13-x25519", "tls10-rsa"] {
        let record = Capture::load(&format!("{name}.pcap")).record();
        let mut output = Jsonl::new(io::sink());
        group.bench_function(name, |bencher| {
            bencher.iter(|| output.record(black_box(&record)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(stages, decode, decided, handshakes, fingerprints, json_lines);
criterion_main!(stages);
