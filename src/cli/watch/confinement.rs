//! Giving up what is not needed once everything is open.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::feed::Open;
use super::names::Names;
use crate::cli::Failure;
use crate::config::Resolved;
use crate::host::privileges::{self, Capability, DEFAULT_USER};
use crate::host::sandbox::{self, Reachable};
use crate::pipeline::live::Feed;

/// Becomes a user of its own with as little as capturing needs, behind walls. No thread may run yet.
///
/// A replay stays the user that started it: its captures may be readable, and its records writable, for nobody
/// else. It keeps no capability but reading what that user could read, and the walls leave nothing in reach but
/// its captures, its configuration and where records go.
pub(super) fn give_up(config: &Resolved, open: &Open, names: &Names) -> Result<(), Failure> {
    let backend = open.watching.backend;
    let dropped = if matches!(open.feed, Feed::Replay(_)) {
        privileges::keep_only(&[Capability::CAP_DAC_READ_SEARCH])
    } else {
        let needed = privileges::needed(backend);
        let mut kept = needed.to_vec();
        if open.uses_bpf {
            kept.extend(privileges::SELECTION.iter().filter(|capability| !needed.contains(capability)));
        }
        privileges::drop_to(DEFAULT_USER, &kept)
    };
    let dropped = dropped.map_err(|error| Failure::CannotRun(error.into()))?;
    dropped.notes.iter().for_each(|note| tracing::warn!("Privileges: {note}."));
    if let Some(why) = unreadable(config) {
        tracing::warn!("A reload would be refused: {}.", names.hide(&why));
    }
    let confined = sandbox::confine(&reachable(config, open));
    confined.notes.iter().for_each(|note| tracing::warn!("Sandbox: {}.", names.hide(note)));
    let sandbox = names.hide(&confined.to_string());
    tracing::info!(privileges = %dropped, sandbox, "Privileges were given up.");
    Ok(())
}

/// Which of the files that a reload reads again are forbidden to the user that this process has become, and what to do.
/// They could be read at the start, when it still was another.
pub(super) fn unreadable(config: &Resolved) -> Option<String> {
    // Nobody is waited for who would write into a pipe.
    let open = |path: &Path| File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let is_forbidden =
        |path: &&Path| open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    let forbidden: Vec<String> =
        read_again(config).filter(is_forbidden).map(|path| path.display().to_string()).collect();
    (!forbidden.is_empty()).then(|| {
        format!(
            "ddbwatch runs as {} now, who may not read {}: let that user's group read it (chgrp, chmod g+r)",
            privileges::user_name(),
            forbidden.join(", ")
        )
    })
}

/// The configuration and the files it names.
fn read_again(config: &Resolved) -> impl Iterator<Item = &Path> {
    [&config.path_of_file, &config.ip_ranges, &config.privacy.key_file]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
}

fn reachable(config: &Resolved, open: &Open) -> Reachable {
    let mut reachable = Reachable::system();
    reachable.read.extend(read_again(config).map(folder_of));
    let mut captures: Vec<PathBuf> = open.captures.iter().map(|path| folder_of(path)).collect();
    captures.dedup();
    reachable.read.extend(captures);
    let records = config.output.records.as_deref().filter(|path| *path != Path::new("-"));
    reachable.write.extend(records.map(folder_of));
    // Where the name of the records is a link, they are moved in the folder of the file itself.
    reachable.write.extend(records.and_then(|path| path.canonicalize().ok()).map(|path| folder_of(&path)));
    reachable.listen.push(config.metrics.listen.port());
    reachable.uses_bpf = open.uses_bpf;
    reachable
}

/// The folder a file is in: whoever writes the file anew makes another file.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => path.to_owned(),
    }
}
