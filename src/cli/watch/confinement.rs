//! Giving up what is not needed once everything is open.

use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::config::Resolved;
use crate::host::privileges::{self, DEFAULT_USER};
use crate::host::sandbox::{self, Reachable};

/// Becomes a user of its own with as little as capturing needs, behind walls. No thread may run yet.
pub(super) fn give_up(config: &Resolved, backend: &str) -> Result<(), Failure> {
    let dropped = privileges::drop_to(DEFAULT_USER, privileges::needed(backend))
        .map_err(|error| Failure::CannotRun(error.into()))?;
    dropped.notes.iter().for_each(|note| tracing::warn!("Privileges: {note}."));
    let confined = sandbox::confine(&reachable(config, backend));
    confined.notes.iter().for_each(|note| tracing::warn!("Sandbox: {note}."));
    tracing::info!(privileges = %dropped, sandbox = %confined, "Privileges were given up.");
    Ok(())
}

fn reachable(config: &Resolved, backend: &str) -> Reachable {
    let mut read = vec![PathBuf::from("/proc"), PathBuf::from("/sys")];
    let named = [&config.path_of_file, &config.ip_ranges, &config.privacy.key_file];
    read.extend(named.into_iter().flatten().map(|path| folder_of(path)));
    let records = config.output.records.as_deref().filter(|path| *path != Path::new("-"));
    Reachable {
        read,
        write: records.map(folder_of).into_iter().collect(),
        listen: vec![config.metrics.listen.port()],
        uses_bpf: backend == "ebpf",
    }
}

/// The folder a file is in: whoever writes the file anew makes another file.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => path.to_owned(),
    }
}
