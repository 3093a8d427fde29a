//! A tap that slices frames does not say how long they were: what it cut off was sent all the same.

use std::fs;

use crate::properties::BASES;
use crate::support::packets::pcap;
use crate::support::{self, Record};

/// With the full handshake cut, its resumption is told as it is with a capture that says what it cut.
#[test]
fn what_goes_on_behind_a_slice_does_not_wait() {
    let base = BASES.iter().find(|base| base.name == "tls12-resumed-static.pcap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for length in [428, 600, 1_000] {
        let mut frames = base.frames.clone();
        frames.iter_mut().for_each(|frame| frame.data.truncate(length));
        let file = folder.path().join(format!("{length}.pcap"));
        fs::write(&file, pcap(&frames)).unwrap();
        let mut command = support::ddbwatch();
        let ran =
            support::finish(command.args(["analyze", "--all-services", "--format", "jsonl"]).arg(&file));
        let told = |record: &Record| {
            ["client.port", "handshake.outcome", "tls.forward_secrecy", "policy.verdict"]
                .map(|key| record[key].clone())
        };
        let found: Vec<_> = ran.records().iter().map(told).collect();
        let whole: Vec<_> = base.records.iter().map(told).collect();
        assert_eq!(found, whole, "{length}");
    }
}
