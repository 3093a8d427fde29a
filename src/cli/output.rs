//! Where the data goes: standard output, or a file that appears only when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A buffered output.
pub enum Output {
    Stdout(BufWriter<StdoutLock<'static>>),
    /// Written beside the wanted file and renamed at the end.
    File {
        writer: BufWriter<File>,
        partial: PathBuf,
        wanted: PathBuf,
    },
    /// A device or pipe: written to directly.
    Special(BufWriter<File>),
}

/// No more than what the writers of records gather: what they hand over is then not copied once more.
const BUFFER_BYTES: usize = 64 * 1024;

impl Output {
    /// Opens what `-o` named, or standard output.
    ///
    /// # Errors
    /// Where the file or its folder cannot be written.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(wanted) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock())));
        };
        let is_special = fs::metadata(wanted).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if is_special {
            let file = File::options().write(true).open(wanted);
            let file = file.with_context(|| format!("{}: cannot be opened for writing", wanted.display()))?;
            return Ok(Self::Special(BufWriter::with_capacity(BUFFER_BYTES, file)));
        }
        anyhow::ensure!(
            wanted.file_name().is_some() && !wanted.is_dir(),
            "{}: is a folder; name a file for -o",
            wanted.display()
        );
        let partial = partial_of(wanted);
        let file = File::create(&partial).with_context(|| {
            format!("{}: cannot be written; check that its folder exists", partial.display())
        })?;
        Ok(Self::File {
            writer: BufWriter::with_capacity(BUFFER_BYTES, file),
            partial,
            wanted: wanted.to_owned(),
        })
    }

    /// Writes out what is left and puts the file in its place.
    ///
    /// # Errors
    /// Those of writing and renaming.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut writer) => writer.flush(),
            Self::Special(mut writer) => writer.flush(),
            Self::File { mut writer, partial, wanted } => {
                writer.flush()?;
                drop(writer);
                fs::rename(partial, wanted)
            }
        }
    }
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
    is_same_file(wanted, input) || is_same_file(&partial_of(wanted), input)
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
