//! A file of JSON Lines that a daemon appends to: whole lines only, rotated by size.
//!
//! `flows.jsonl` is written; a full one becomes `flows.jsonl.1`, that one `flows.jsonl.2`, and so on. What
//! is given to [`RecordsFile::write`] is appended by one call to the system, so that a reader who follows
//! the file, or a sudden end of the process, finds whole lines. A line that is torn all the same (the
//! disk was full, the machine lost its power, a SIGKILL came between two pages of a write) is ended before the next
//! one is written.
//!
//! A file that somebody else moved away is written on until it is full or opened anew, one that was removed is begun
//! anew at once: neither is a reason to move the numbered ones. A pipe or a device is never moved.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A file of records.
#[derive(Debug)]
pub struct RecordsFile {
    path: PathBuf,
    rotate_bytes: u64,
    keep: u32,
    file: File,
    /// It is no pipe and no device.
    is_regular: bool,
    bytes: u64,
    /// The file is rotated when it would become larger than this; more than `rotate_bytes` after a rotation failed.
    full_bytes: u64,
    /// A write broke off and could not be taken back: the next one ends the line first.
    is_torn: bool,
    /// Nothing was written since it was opened, so that its last line may be torn. Whoever wrote until then may not have
    /// done so yet when it is opened.
    is_fresh: bool,
    /// Lines that were found or left torn.
    torn_lines: u64,
    news: Option<News>,
}

/// What happened to the file, other than that it was written.
#[derive(Debug)]
pub enum News {
    /// It is full and could not be moved away; it grows on.
    NotRotated(io::Error),
    Rotated,
    /// Somebody else removed it or moved it away, and it was begun anew under its name.
    BegunAnew,
}

impl RecordsFile {
    /// Opens the file, or makes it; its folder must be there.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(path: &Path, rotate_bytes: u64, keep: u32) -> io::Result<Self> {
        let file = append(path)?;
        let mut new = Self {
            // Where the name is a link, what it leads to is moved, and stays in its own folder.
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            rotate_bytes,
            keep,
            file,
            is_regular: false,
            bytes: 0,
            full_bytes: rotate_bytes,
            is_torn: false,
            is_fresh: true,
            torn_lines: 0,
            news: None,
        };
        new.look()?;
        Ok(new)
    }

    /// Opens the file anew under its name, after somebody else moved it away.
    ///
    /// # Errors
    /// Those of the system; the file that was open stays in use.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.file = append(&self.path)?;
        self.look()
    }

    /// Lines that were found torn at the opening, or were left so by a failed write.
    #[must_use]
    pub const fn torn_lines(&self) -> u64 {
        self.torn_lines
    }

    /// Where it is, behind any links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What happened since this was asked last; the newest.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Finds out how long the file is, and that it can be read, to see later whether its last line has an end.
    fn look(&mut self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        self.is_regular = metadata.is_file();
        self.bytes = metadata.len();
        self.full_bytes = self.rotate_bytes;
        (self.is_torn, self.is_fresh) = (false, true);
        self.has_torn_end().map(drop)
    }

    /// Whether the last line in the file lacks its end. A pipe or a device has no end to look at.
    fn has_torn_end(&self) -> io::Result<bool> {
        if !self.is_regular || self.file.metadata()?.len() == 0 {
            return Ok(false);
        }
        let mut last = [0];
        let mut reader = File::open(&self.path)?;
        reader.seek(SeekFrom::End(-1))?;
        reader.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }

    /// Appends whole lines, each with its line end.
    ///
    /// # Errors
    /// Those of the system. Nothing of `lines` is in the file then, or only a torn line that is ended by the next call.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_fresh {
            // What cannot be read any more was read when the file was opened.
            if self.has_torn_end().unwrap_or(false) {
                self.file.write_all(b"\n")?;
                self.torn_lines += 1;
            }
            self.is_fresh = false;
        }
        if self.is_regular {
            let metadata = self.file.metadata()?;
            if metadata.len() < self.bytes {
                // Somebody else emptied it, to rotate it by copying.
                self.full_bytes = self.rotate_bytes;
                self.is_torn = false;
            }
            self.bytes = metadata.len();
            if is_removed(&metadata) {
                self.begin_anew()?;
            } else if self.bytes > 0 && self.bytes + lines.len() as u64 > self.full_bytes {
                self.rotate();
            }
        }
        let torn;
        let mut rest = if self.is_torn {
            torn = [b"\n", lines].concat();
            torn.as_slice()
        } else {
            lines
        };
        let mut written = 0;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return self.take_back(written, io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    written += bytes as u64;
                    rest = rest.get(bytes..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.take_back(written, error),
            }
        }
        self.is_torn = false;
        self.bytes += written;
        Ok(())
    }

    /// A write broke off: what it left is cut away again.
    fn take_back(&mut self, written: u64, error: io::Error) -> io::Result<()> {
        if written > 0 && self.file.set_len(self.bytes).is_err() {
            self.bytes += written;
            self.is_torn = true;
            self.torn_lines += 1;
        }
        Err(error)
    }

    /// The name leads to another file, or to none, because somebody else moved or removed the one that is open.
    fn begin_anew(&mut self) -> io::Result<()> {
        self.reopen()?;
        self.news = Some(News::BegunAnew);
        Ok(())
    }

    /// Moves the file away. Where that is not possible, the file grows on: records are worth more than its size.
    fn rotate(&mut self) {
        let result = match is_at(&self.file, &self.path) {
            Ok(true) => self.try_rotate().map(|file| {
                self.file = file;
                self.bytes = 0;
                self.full_bytes = self.rotate_bytes;
                self.is_torn = false;
                self.news = Some(News::Rotated);
            }),
            Ok(false) => self.begin_anew(),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.full_bytes = self.bytes + self.rotate_bytes / 10;
            self.news = Some(News::NotRotated(error));
        }
    }

    fn try_rotate(&self) -> io::Result<File> {
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
            return append(&self.path);
        }
        for number in (0..self.keep).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if number == 0 || error.kind() != io::ErrorKind::NotFound => {
                    self.move_back(number + 1);
                    return Err(error);
                }
                _ => {}
            }
        }
        append(&self.path).inspect_err(|_| self.move_back(0))
    }

    /// Gives the files from this number on their names back: else trying again would push all of them out.
    fn move_back(&self, first: u32) {
        for number in first..self.keep {
            // The first failure has been told; there may be no file of this number.
            let _ = fs::rename(self.numbered(number + 1), self.numbered(number));
        }
    }

    /// 0 is the file that is written.
    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        // Who speaks with which endpoint is nobody else's business.
        options.mode(0o640);
        // Opened for writing alone, a pipe waits for its reader, and with it whoever opens it.
        options.read(fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()));
    }
    options.open(path)
}

/// Whether the file has no name any more.
fn is_removed(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.nlink() == 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// Whether the name leads to the file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let at = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        at => at?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let open = file.metadata()?;
        Ok((open.dev(), open.ino()) == (at.dev(), at.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, at);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn rotates_by_size_and_keeps_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let mut file = RecordsFile::open(&path, 20, 2).unwrap();
        for number in 0..10 {
            file.write(format!("{{\"n\":{number}}}\n").as_bytes()).unwrap();
        }
        assert_eq!(names(folder.path()), ["flows.jsonl", "flows.jsonl.1", "flows.jsonl.2"]);
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("flows.jsonl"), "{\"n\":8}\n{\"n\":9}\n");
        assert_eq!(read("flows.jsonl.1"), "{\"n\":6}\n{\"n\":7}\n");
        assert_eq!(read("flows.jsonl.2"), "{\"n\":4}\n{\"n\":5}\n");
    }

    #[test]
    fn keeps_nothing_where_nothing_shall_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let mut file = RecordsFile::open(&path, 4, 0).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        assert_eq!(names(folder.path()), ["flows.jsonl"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn ends_a_torn_line_and_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        fs::write(&path, "{\"a\":1}\n{\"b\":").unwrap();
        let mut file = RecordsFile::open(&path, 1_000, 1).unwrap();
        file.write(b"{\"c\":3}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":\n{\"c\":3}\n");
        assert_eq!(file.torn_lines(), 1);
    }

    /// As a reload opens it, while what waits is still written.
    #[test]
    fn a_line_that_is_being_written_when_it_is_opened_is_not_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        fs::write(&path, "{\"a\":").unwrap();
        let mut file = RecordsFile::open(&path, 1_000, 1).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"1}\n").unwrap();
        file.write(b"{\"b\":2}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
        assert_eq!(file.torn_lines(), 0);
    }

    #[test]
    fn follows_its_name_when_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let mut file = RecordsFile::open(&path, 1_000, 1).unwrap();
        file.write(b"one\n").unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        file.write(b"two\n").unwrap();
        file.reopen().unwrap();
        file.write(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("moved")).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn grows_on_where_it_cannot_rotate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        // A folder with something in it stands where the rotated file should.
        fs::create_dir_all(folder.path().join("flows.jsonl.1/x")).unwrap();
        let mut file = RecordsFile::open(&path, 8, 1).unwrap();
        for _ in 0..5 {
            file.write(b"1234567\n").unwrap();
        }
        assert_eq!(fs::read(&path).unwrap().len(), 40);
        assert!(matches!(file.take_news(), Some(News::NotRotated(_))));
    }

    #[test]
    fn trying_again_to_rotate_pushes_no_older_file_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        for name in ["flows.jsonl.1", "flows.jsonl.2"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        // Nothing can take this name.
        fs::create_dir_all(folder.path().join("flows.jsonl.3/x")).unwrap();
        let mut file = RecordsFile::open(&path, 8, 3).unwrap();
        for _ in 0..9 {
            file.write(b"1234567\n").unwrap();
        }
        for name in ["flows.jsonl.1", "flows.jsonl.2"] {
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), name);
        }
        fs::remove_dir_all(folder.path().join("flows.jsonl.3")).unwrap();
        file.write(b"1234567\n").unwrap();
        assert!(matches!(file.take_news(), Some(News::Rotated)));
        assert_eq!(fs::read_to_string(folder.path().join("flows.jsonl.3")).unwrap(), "flows.jsonl.2");
    }

    #[cfg(unix)]
    #[test]
    fn one_that_was_removed_or_moved_is_begun_anew_and_older_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let at = |name: &str| folder.path().join(name);
        let mut file = RecordsFile::open(&path, 8, 2).unwrap();
        for line in ["number1\n", "number2\n", "number3\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        fs::remove_file(&path).unwrap();
        file.write(b"number4\n").unwrap();
        assert!(matches!(file.take_news(), Some(News::BegunAnew)));
        fs::rename(&path, at("moved")).unwrap();
        file.write(b"number5\n").unwrap();
        assert!(matches!(file.take_news(), Some(News::BegunAnew)));
        for (name, expected) in [("flows.jsonl.2", 1), ("flows.jsonl.1", 2), ("moved", 4), ("flows.jsonl", 5)]
        {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), format!("number{expected}\n"), "{name}");
        }
    }

    #[test]
    fn one_that_was_emptied_counts_from_nothing_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let mut file = RecordsFile::open(&path, 16, 2).unwrap();
        file.write(b"number1\n").unwrap();
        File::create(&path).unwrap();
        for line in ["number2\n", "number3\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "number2\nnumber3\n");
        assert_eq!(names(folder.path()), ["flows.jsonl"]);
    }

    #[cfg(unix)]
    #[test]
    fn rotates_what_a_link_leads_to() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("flows.jsonl");
        std::os::unix::fs::symlink(disk.path().join("data"), &path).unwrap();
        let mut file = RecordsFile::open(&path, 8, 2).unwrap();
        for line in ["number1\n", "number2\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        assert_eq!(names(disk.path()), ["data", "data.1"]);
        assert_eq!(names(folder.path()), ["flows.jsonl"]);
        assert_eq!(fs::read_to_string(path).unwrap(), "number2\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_never_moved_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Nobody reads it yet.
        let mut file = RecordsFile::open(&path, 8, 2).unwrap();
        let mut reader = File::open(&path).unwrap();
        for _ in 0..5 {
            file.write(b"1234567\n").unwrap();
        }
        drop(file);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "1234567\n".repeat(5));
        assert_eq!(names(folder.path()), ["pipe"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn says_that_the_disk_is_full() {
        let mut file = RecordsFile::open(Path::new("/dev/full"), 1_000, 1).unwrap();
        assert_eq!(file.write(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
