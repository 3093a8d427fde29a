//! The configuration as it is used: every value there, every value valid.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::classify::{EndpointOptions, PathOptions, SiteFacts};
use crate::model::closed_set;
use crate::policy;

/// All that the stages are told.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The file it came from; `None`: built-in values only.
    pub path_of_file: Option<PathBuf>,
    /// Where the observer stands.
    pub site: SiteFacts,
    pub capture: Capture,
    pub endpoint: EndpointOptions,
    /// The address list to read in place of the one compiled in.
    pub ip_ranges: Option<PathBuf>,
    pub path: PathOptions,
    pub policy: policy::Options,
    /// Profiles of one's own, by name.
    pub profiles: Vec<policy::Profile>,
    pub output: Output,
    pub metrics: Metrics,
    pub privacy: Privacy,
    pub limits: Limits,
    /// Sentences: what is allowed but probably not meant.
    pub warnings: Vec<String>,
}

impl Resolved {
    /// The profile of this name, one's own or built in.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<policy::Profile> {
        let own = self.profiles.iter().find(|profile| profile.name == name).cloned();
        own.or_else(|| policy::profile::find(name))
    }
}

/// What the command line says over the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `--profile`
    pub profile: Option<String>,
    /// `-i`, in place of `[capture] interfaces`, if any.
    pub interfaces: Vec<String>,
    /// `--backend`
    pub backend: Option<Backend>,
    /// `--redact`
    pub redact: Option<bool>,
}

/// `[capture]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Names or patterns with `*` and `?`.
    pub interfaces: Vec<String>,
    pub backend: Backend,
    /// Bytes kept of each packet.
    pub snaplen_bytes: u32,
    /// Size of the ring of each interface.
    pub ring_mib: u32,
}

impl Default for Capture {
    fn default() -> Self {
        Self { interfaces: Vec::new(), backend: Backend::Auto, snaplen_bytes: 2_048, ring_mib: 64 }
    }
}

closed_set! {
    /// How frames are taken from an interface.
    #[derive(Default)]
    Backend {
        /// The best that this host allows.
        #[default]
        Auto => "auto",
        Ebpf => "ebpf",
        AfPacket => "afpacket",
        Pcap => "pcap",
    }
}

/// `[output]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub records: Option<PathBuf>,
    /// Size at which the file is rotated.
    pub rotate_mib: u32,
    /// Rotated files that are kept.
    pub keep: u32,
}

impl Default for Output {
    fn default() -> Self {
        Self { records: None, rotate_mib: 100, keep: 10 }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    pub listen: SocketAddr,
    /// Most series of all metrics together; what is beyond is folded and counted.
    pub max_series: u32,
    /// How many offenders get a series of their own; 0: none.
    pub offenders: u32,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9_477)), max_series: 5_000, offenders: 0 }
    }
}

/// `[privacy]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    pub redact: bool,
    pub key_file: Option<PathBuf>,
    /// The content of `key_file`, once it was read.
    pub key: Option<RedactionKey>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { redact: true, key_file: None, key: None }
    }
}

/// The key of the hash that stands for account ids. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RedactionKey(Vec<u8>);

impl RedactionKey {
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey")
    }
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows kept at once.
    pub flows: usize,
    /// Bytes held of one flow.
    pub flow_bytes: usize,
    /// Memory of the whole process.
    pub memory_mib: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 200_000, flow_bytes: 65_536, memory_mib: 512 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_the_key() {
        let privacy =
            Privacy { key: Some(RedactionKey::new(b"do not print".to_vec())), ..Privacy::default() };
        let text = format!("{privacy:?}");
        assert!(text.contains("RedactionKey") && !text.contains("print") && !text.contains("100"), "{text}");
    }
}
