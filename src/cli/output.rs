//! Where the data goes: standard output, or a file that appears only when it is complete.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A buffered output.
pub enum Output {
    Stdout(BufWriter<StdoutLock<'static>>),
    /// Written beside the wanted file and renamed at the end. The name goes before the file is closed: with that its
    /// lock is given up, and the name may be another's.
    File {
        partial: Partial,
        writer: BufWriter<File>,
        wanted: PathBuf,
    },
    /// A device or pipe: written to directly.
    Special(BufWriter<File>),
}

/// The name of a file that is not complete. It is taken away, and with it the room on a full disk, unless
/// the file was put in its place or is to be left.
pub struct Partial {
    path: PathBuf,
    is_kept: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            // There is nobody to tell: what went wrong before is told already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// No more than what the writers of records gather: what they hand over is then not copied once more.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often another run may put its file in place just while this one opens it.
const MAX_ATTEMPTS: usize = 8;

impl Output {
    /// Opens what `-o` named, or standard output.
    ///
    /// # Errors
    /// Where the file or its folder cannot be written, or another run is writing it.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(wanted) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock())));
        };
        let there = fs::metadata(wanted).ok();
        if there.as_ref().is_some_and(|there| !there.is_file() && !there.is_dir()) {
            let file = File::options().write(true).open(wanted);
            let file = file.with_context(|| format!("{}: cannot be opened for writing", wanted.display()))?;
            return Ok(Self::Special(BufWriter::with_capacity(BUFFER_BYTES, file)));
        }
        anyhow::ensure!(
            wanted.file_name().is_some() && !wanted.is_dir(),
            "{}: is a folder; name a file for -o",
            wanted.display()
        );
        // A link stays a link: what it leads to is replaced.
        let wanted = behind_links(wanted);
        let path = partial_of(&wanted);
        let file = begin(&path)?;
        let partial = Partial { path, is_kept: false };
        if let Some(there) = there {
            // Who could not read the old file is not to read the new one.
            file.set_permissions(there.permissions())
                .with_context(|| format!("{}: cannot be given its permissions", wanted.display()))?;
        }
        Ok(Self::File { partial, writer: BufWriter::with_capacity(BUFFER_BYTES, file), wanted })
    }

    /// Writes out what is left and puts the file in its place. One that is not complete is left beside it, under the
    /// name of [`left_of`], and what was there stays.
    ///
    /// # Errors
    /// Those of writing and renaming.
    pub fn finish(self, is_complete: bool) -> io::Result<()> {
        match self {
            Self::Stdout(mut writer) => writer.flush(),
            Self::Special(mut writer) => writer.flush(),
            Self::File { mut writer, mut partial, wanted } => {
                writer.flush()?;
                if is_complete {
                    fs::rename(&partial.path, wanted)?;
                }
                partial.is_kept = true;
                Ok(())
            }
        }
    }
}

/// Opens the file that is written until it is complete, for this run alone: two that write to one file would give
/// a mixture of both.
fn begin(partial: &Path) -> anyhow::Result<File> {
    let name = partial.display();
    for _ in 0..MAX_ATTEMPTS {
        // Not cut yet: it may be another's.
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        // Its name is known beforehand: a link that somebody put there must not lead to another file.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
        let file = options.open(partial);
        let file = file.with_context(|| {
            format!("{name}: cannot be written; its folder must be there, and one you may write to")
        })?;
        // A file system without locks is no reason to write nothing.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            anyhow::bail!("{name}: another run is writing it; let it end, or name another file for -o");
        }
        // The other may have put this very file in its place between opening and locking.
        if is_named(&file, partial) {
            file.set_len(0).with_context(|| format!("{name}: cannot be written"))?;
            return Ok(file);
        }
    }
    anyhow::bail!("{name}: is written again and again by other runs; name another file for -o")
}

#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_named(_: &File, path: &Path) -> bool {
    path.exists()
}

/// The file that a link leads to; the path itself where there is none yet.
fn behind_links(wanted: &Path) -> PathBuf {
    let is_link = wanted.symlink_metadata().is_ok_and(|there| there.is_symlink());
    if is_link && let Ok(target) = wanted.canonicalize() { target } else { wanted.to_owned() }
}

/// What was left of an output that is not complete.
pub fn left_of(wanted: &Path) -> Option<PathBuf> {
    Some(partial_of(&behind_links(wanted))).filter(|partial| partial.is_file())
}

/// Where the output is written until it is complete.
fn partial_of(wanted: &Path) -> PathBuf {
    let mut name = wanted.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    wanted.with_file_name(name)
}

/// True where writing to `wanted` would change the file `input`, whatever links lead to it.
#[must_use]
pub fn would_overwrite(wanted: &Path, input: &Path) -> bool {
    is_same_file(wanted, input) || is_same_file(&partial_of(&behind_links(wanted)), input)
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(writer) => writer.write(bytes),
            Self::File { writer, .. } | Self::Special(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::File { writer, .. } | Self::Special(writer) => writer.flush(),
        }
    }
}
