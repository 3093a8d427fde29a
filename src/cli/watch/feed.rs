//! Opens what shall be watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;

use super::backends;
use super::names::Names;
use crate::capture::unwanted::Unwanted;
use crate::capture::{self, Input};
use crate::cli::Failure;
use crate::cli::analyze::losses;
use crate::cli::args::Watch;
use crate::config::Resolved;
use crate::host::links::LinkWatch;
use crate::host::process::Senders;
use crate::pipeline::live::{Feed, Replay, STALLED};
use crate::serve::Watching;

/// What is open, and what that needs while it runs.
pub(super) struct Open {
    pub(super) feed: Feed,
    pub(super) watching: Watching,
    pub(super) follower: Option<LinkWatch>,
    pub(super) uses_bpf: bool,
    pub(super) senders: Option<Senders>,
    pub(super) unwanted: Option<Unwanted>,
    /// Captures that are opened again in each round.
    pub(super) captures: Vec<PathBuf>,
}

/// Interfaces or captures, as the flags say.
pub(super) fn open(args: &Watch, config: &Arc<Resolved>, names: &Names) -> Result<Open, Failure> {
    if let Some(path) = &args.replay {
        let found = capture::expand([path]).map_err(|error| Failure::CannotRun(error.into()))?;
        let watching = Watching {
            backend: "replay",
            reason: "captures that were recorded before".to_owned(),
            interfaces: vec![path.display().to_string()],
            ..Watching::default()
        };
        let lost = losses(&found);
        let captures = found.inputs.iter().map(Input::path).filter(|path| path != Path::new("-")).collect();
        let replay = Replay { inputs: found.inputs, lost, speed: args.speed, is_endless: args.is_endless };
        return Ok(Open {
            feed: Feed::Replay(replay),
            watching,
            follower: None,
            uses_bpf: false,
            senders: None,
            unwanted: None,
            captures,
        });
    }
    if config.capture.interfaces.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "nothing to watch was named: give -i IFACE, [capture] interfaces in the configuration, or --replay CAPTURE"
        )));
    }
    let opened = backends::open(config, names).map_err(Failure::CannotRun)?;
    let watching = Watching {
        backend: opened.source.backend(),
        reason: opened.reason,
        interfaces: opened.links.iter().map(|link| link.name.to_string()).collect(),
        refused: opened.refused.iter().cloned().collect(),
        ..Watching::default()
    };
    let (source, reopen, links) = (opened.source, opened.reopen, opened.links);
    let feed = Feed::Interfaces { source, reopen, links, refused: opened.refused, stalled_after: STALLED };
    let (follower, uses_bpf, senders) = (Some(opened.follower), opened.uses_bpf, opened.senders);
    let unwanted = opened.unwanted;
    Ok(Open { feed, watching, follower, uses_bpf, senders, unwanted, captures: Vec::new() })
}
