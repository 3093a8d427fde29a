//! Where the data goes: standard output, or a file or folder that appears only when it is complete.

use std::ffi::{OsStr, OsString};
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
    Special {
        writer: BufWriter<File>,
        path: PathBuf,
    },
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

/// What standard output is called in errors.
const STDOUT: &str = "standard output";

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
            let writer = BufWriter::with_capacity(BUFFER_BYTES, file);
            return Ok(Self::Special { writer, path: wanted.to_owned() });
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
            mut direct @ (Self::Stdout(_) | Self::Special { .. }) => direct.flush(),
            Self::File { mut writer, mut partial, wanted } => {
                writer.flush().map_err(|error| named(&partial.path, &error))?;
                if is_complete {
                    fs::rename(&partial.path, &wanted).map_err(|error| named(&wanted, &error))?;
                }
                partial.is_kept = true;
                Ok(())
            }
        }
    }
}

/// What a folder is called inside the wanted one, until it is complete. Readers of such folders pass over names like that.
const STAGING: &str = ".partial";

/// A folder that is filled out of sight. Its name is taken away, with all below, unless the folder was put in its place
/// or is to be left.
pub struct Staging {
    path: PathBuf,
    wanted: PathBuf,
    /// The wanted folder was there, and may be a file system of its own: what is below moves, one by one.
    is_inside: bool,
    is_kept: bool,
    /// Held as long as this run fills it.
    _lock: Option<File>,
}

impl Staging {
    /// A folder to fill for `wanted`, which must be new or empty, so that nothing of an earlier run is read with it.
    /// `is_ours` tells by its name what an earlier run that was stopped may have left, and what is taken away.
    ///
    /// # Errors
    /// Where the folder holds something or cannot be made, or another run fills it.
    pub fn begin(wanted: &Path, is_ours: fn(&OsStr) -> bool) -> anyhow::Result<Self> {
        let wanted = behind_links(wanted);
        let listed = |path: &Path| {
            let entries: io::Result<Vec<OsString>> =
                fs::read_dir(path).and_then(|entries| entries.map(|one| Ok(one?.file_name())).collect());
            entries.with_context(|| format!("{}: cannot be listed", path.display()))
        };
        let is_inside = wanted.exists();
        if is_inside {
            anyhow::ensure!(
                listed(&wanted)?.iter().all(|name| name == STAGING),
                "{}: is not empty; name a new folder for -o, or empty this one",
                wanted.display()
            );
        }
        let path = if is_inside { wanted.join(STAGING) } else { partial_of(&wanted) };
        fs::create_dir_all(&path).with_context(|| format!("{}: cannot be created", path.display()))?;
        // A system that opens or locks no folders is no reason to write nothing.
        let lock = File::open(&path).ok();
        if let Some(file) = &lock
            && (matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_named(file, &path))
        {
            anyhow::bail!(
                "{}: another run is writing it; let it end, or name another folder for -o",
                path.display()
            );
        }
        for name in listed(&path)? {
            let left = path.join(&name);
            anyhow::ensure!(is_ours(&name), "{}: is in the way; take it away", left.display());
            fs::remove_dir_all(&left).with_context(|| format!("{}: cannot be removed", left.display()))?;
        }
        Ok(Self { path, wanted, is_inside, is_kept: false, _lock: lock })
    }

    /// Where to write until it is complete.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the folder in its place, or leaves it where it is if it is not complete.
    ///
    /// # Errors
    /// Those of renaming.
    pub fn finish(mut self, is_complete: bool) -> io::Result<()> {
        self.is_kept = !is_complete;
        if !is_complete {
            return Ok(());
        }
        let failed = |error: io::Error| named(&self.wanted, &error);
        if self.is_inside {
            for entry in fs::read_dir(&self.path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                fs::rename(entry.path(), self.wanted.join(entry.file_name())).map_err(failed)?;
            }
            return Ok(());
        }
        fs::rename(&self.path, &self.wanted).map_err(failed)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_kept {
            // As with a file: what went wrong is told already.
            let _ = fs::remove_dir_all(&self.path);
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

/// What was left of an output that is not complete, file or folder.
pub fn left_of(wanted: &Path) -> Option<PathBuf> {
    let wanted = behind_links(wanted);
    [partial_of(&wanted), wanted.join(STAGING)].into_iter().find(|partial| partial.exists())
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

/// An error of writing, with what was written to: a full disk is not found without it.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Output {
    /// The place and what is written to it.
    fn parts(&mut self) -> (&Path, &mut dyn Write) {
        match self {
            Self::Stdout(writer) => (Path::new(STDOUT), writer),
            Self::File { writer, partial, .. } => (&partial.path, writer),
            Self::Special { writer, path } => (path, writer),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (path, writer) = self.parts();
        writer.write(bytes).map_err(|error| named(path, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let (path, writer) = self.parts();
        writer.flush().map_err(|error| named(path, &error))
    }
}
