//! From the paths a user gives to the inputs to read.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::error::CaptureError;
use super::file::probe;

/// How many folders inside each other are walked: more than people nest captures, and few enough
/// for the stack.
const MAX_DEPTH: usize = 64;

/// The most files read in one run: a capture a minute for two months.
const MAX_INPUTS: usize = 100_000;

/// The most entries of folders looked at in one run, each at the price of opening a file.
const MAX_ENTRIES: usize = 1_000_000;

/// The most files passed over that are listed one by one.
const MAX_PASSED_OVER_LISTED: usize = 1_000;

/// One capture to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, or a pipe with a name.
    File(PathBuf),
    /// Given as `-`.
    StandardInput,
}

impl Input {
    /// The path as the user gave it or as it was found; `-` for standard input.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::StandardInput => PathBuf::from("-"),
        }
    }

    /// The base name, as records show it; `-` for standard input. Bytes that are no UTF-8 and control
    /// characters are replaced.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Expanded {
    /// In the order to be read.
    pub inputs: Vec<Input>,
    /// Bytes of all inputs as stored; `None` where one of them does not tell (a pipe).
    pub total_bytes: Option<u64>,
    /// What was found in a folder and is no capture; the first thousand.
    pub passed_over: Vec<PassedOver>,
    /// How many more there were.
    pub passed_over_unlisted: u64,
    /// What was found in a folder, may be a capture or hold some, and cannot be read; the first thousand. The analysis is
    /// then not of everything that was asked for.
    pub lost: Vec<PassedOver>,
    /// How many more there were.
    pub lost_unlisted: u64,
}

/// Something in a folder that is not read.
#[derive(Debug)]
pub struct PassedOver {
    /// Where it was found.
    pub path: PathBuf,
    /// Why it is not read.
    pub reason: PassedOverReason,
}

/// Why something in a folder is not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum PassedOverReason {
    /// It is no capture or cannot be read.
    Capture(CaptureError),
    /// A pipe, socket or device: opening it could wait forever.
    Special,
    /// The folder is inside too many others.
    TooDeep,
    /// Enough was found already; this is the first that was left out.
    TooMany,
    /// The folder cannot be listed.
    Unlistable(io::Error),
}

impl PassedOver {
    /// One word for why it is not read, the same in every version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match &self.reason {
            PassedOverReason::Capture(error) => error.reason(),
            PassedOverReason::Special => "special_file",
            PassedOverReason::TooDeep => "too_deep",
            PassedOverReason::TooMany => "too_many",
            PassedOverReason::Unlistable(_) => "unlistable",
        }
    }

    /// What is wrong, to be said of the path.
    #[must_use]
    pub fn why(&self) -> String {
        match &self.reason {
            PassedOverReason::Capture(error) => error.to_string(),
            PassedOverReason::Special => "is a pipe, socket or device; name it itself to read it".to_owned(),
            PassedOverReason::TooDeep => format!("is inside more than {MAX_DEPTH} folders"),
            PassedOverReason::TooMany => {
                format!("and what follows was left out: at most {MAX_INPUTS} captures are read at once")
            }
            PassedOverReason::Unlistable(error) => format!("cannot be listed: {error}"),
        }
    }

    /// Whether it may be a capture, so that passing it over is more than a note.
    fn is_loss(&self) -> bool {
        match &self.reason {
            PassedOverReason::Capture(CaptureError::NotACapture(_)) | PassedOverReason::Special => false,
            PassedOverReason::Capture(CaptureError::UnsupportedCompression { .. }) => {
                let name = self.path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
                name.contains(".pcap") || name.contains(".cap")
            }
            _ => true,
        }
    }
}

/// Path and reason.
impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why())
    }
}

/// A path that was given and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct InputError {
    /// As it was given.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: CaptureError,
}

impl InputError {
    /// The stable name of what is wrong.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.source.reason()
    }
}

/// Whether a file is a capture. A pipe is not looked into: that would take away what is read later.
#[must_use]
pub fn is_capture(path: &Path) -> bool {
    path.is_file() && probe(&Input::File(path.to_owned())).is_ok()
}

/// Finds the captures that `paths` name: files in the order given, `-` as standard input, folders
/// with all folders in them, sorted by name, numbers by their value: so recorders count the files of one capture.
///
/// A file that is named has to be a capture. In a folder, what is no capture is passed over. Links
/// are followed; a folder is walked once however many links lead to it.
///
/// # Errors
/// The first path that is missing, cannot be read or is no capture; or nothing was found at all.
pub fn expand<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Expanded, InputError> {
    let mut search =
        Search { found: Expanded { total_bytes: Some(0), ..Expanded::default() }, ..Search::default() };
    let mut first = None;
    for path in paths {
        let path = path.as_ref();
        first.get_or_insert_with(|| path.to_owned());
        search.take(path).map_err(|source| InputError { path: path.to_owned(), source })?;
    }
    let found = search.found;
    if found.inputs.is_empty()
        && let Some(path) = first
    {
        let listed = (found.passed_over.len() + found.lost.len()) as u64;
        let passed_over = listed + found.passed_over_unlisted + found.lost_unlisted;
        let loss = found.lost.first().map(ToString::to_string);
        return Err(InputError { path, source: CaptureError::NoCaptureInside { passed_over, loss } });
    }
    Ok(found)
}

/// A name, in an order in which `2` comes before `10`, else byte by byte.
#[derive(PartialEq, Eq)]
pub struct InOrder(Vec<u8>);

impl InOrder {
    /// The order of a file's name among the others of its folder.
    #[must_use]
    pub fn of(name: &OsStr) -> Self {
        Self(name.as_encoded_bytes().to_vec())
    }
}

impl Ord for InOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        let (Self(one), Self(other)) = (self, other);
        let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
        let (common, _) = one.split_at(same);
        // The number in which they differ begins in what they share.
        let begin = common.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
        let number = |name: &[u8]| -> Vec<u8> {
            let digits = name.iter().skip(begin).copied().take_while(u8::is_ascii_digit);
            digits.skip_while(|digit| *digit == b'0').collect()
        };
        let (mine, theirs) = (number(one), number(other));
        let by_bytes = || one.cmp(other);
        let are_numbers = [one, other].iter().all(|name| name.get(begin).is_some_and(u8::is_ascii_digit));
        if are_numbers {
            mine.len().cmp(&theirs.len()).then(mine.cmp(&theirs)).then_with(by_bytes)
        } else {
            by_bytes()
        }
    }
}

impl PartialOrd for InOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct Search {
    found: Expanded,
    entries: usize,
    is_full: bool,
    /// Folders walked for the path at hand.
    walked: HashSet<PathBuf>,
}

impl Search {
    /// Takes a path that the user gave.
    fn take(&mut self, path: &Path) -> Result<(), CaptureError> {
        if path.as_os_str() == "-" {
            if self.found.inputs.contains(&Input::StandardInput) {
                return Err(CaptureError::StandardInputTwice);
            }
            self.found.total_bytes = None;
            self.found.inputs.push(Input::StandardInput);
            return Ok(());
        }
        let metadata = fs::metadata(path).map_err(CaptureError::from_open)?;
        if metadata.is_dir() {
            self.walked.clear();
            // A folder that was named has to be readable, one inside it does not.
            let entries = fs::read_dir(path).map_err(CaptureError::from_open)?;
            self.is_first_visit(path);
            self.walk(path, entries, 0);
            return Ok(());
        }
        let input = Input::File(path.to_owned());
        if metadata.is_file() {
            probe(&input)?;
            self.add_bytes(metadata.len());
        } else {
            // Looking at a pipe would take away what is read later.
            self.found.total_bytes = None;
        }
        self.found.inputs.push(input);
        Ok(())
    }

    fn walk(&mut self, folder: &Path, entries: fs::ReadDir, depth: usize) {
        let left = MAX_ENTRIES.saturating_sub(self.entries);
        let mut listed: Vec<DirEntry> = Vec::new();
        for entry in entries {
            match entry {
                Ok(_) if listed.len() == left => {
                    self.fill_up(folder);
                    break;
                }
                Ok(entry) => listed.push(entry),
                Err(error) => {
                    self.pass_over(folder, PassedOverReason::Unlistable(error));
                    break;
                }
            }
        }
        self.entries += listed.len();
        listed.sort_by_cached_key(|entry| InOrder::of(&entry.file_name()));
        for entry in listed {
            let path = entry.path();
            match fs::metadata(&path) {
                Err(error) => {
                    self.pass_over(&path, PassedOverReason::Capture(CaptureError::from_open(error)))
                }
                Ok(metadata) if metadata.is_dir() => self.walk_inner(&path, depth + 1),
                Ok(metadata) if !metadata.is_file() => self.pass_over(&path, PassedOverReason::Special),
                Ok(metadata) => {
                    if self.found.inputs.len() >= MAX_INPUTS {
                        self.fill_up(&path);
                        return;
                    }
                    let input = Input::File(path);
                    match probe(&input) {
                        Ok(()) => {
                            self.add_bytes(metadata.len());
                            self.found.inputs.push(input);
                        }
                        Err(error) => self.pass_over(&input.path(), PassedOverReason::Capture(error)),
                    }
                }
            }
        }
    }

    fn walk_inner(&mut self, folder: &Path, depth: usize) {
        if !self.is_first_visit(folder) {
            return;
        }
        if depth > MAX_DEPTH {
            return self.pass_over(folder, PassedOverReason::TooDeep);
        }
        match fs::read_dir(folder) {
            Ok(entries) => self.walk(folder, entries, depth),
            Err(error) => self.pass_over(folder, PassedOverReason::Unlistable(error)),
        }
    }

    /// Whether a folder was not walked yet; what stops walking in circles.
    fn is_first_visit(&mut self, folder: &Path) -> bool {
        self.walked.insert(fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()))
    }

    /// Notes, once, that a limit was reached.
    fn fill_up(&mut self, path: &Path) {
        if !self.is_full {
            self.is_full = true;
            self.pass_over(path, PassedOverReason::TooMany);
        }
    }

    fn pass_over(&mut self, path: &Path, reason: PassedOverReason) {
        let passed_over = PassedOver { path: path.to_owned(), reason };
        let found = &mut self.found;
        let (listed, unlisted) = if passed_over.is_loss() {
            (&mut found.lost, &mut found.lost_unlisted)
        } else {
            (&mut found.passed_over, &mut found.passed_over_unlisted)
        };
        if listed.len() < MAX_PASSED_OVER_LISTED {
            listed.push(passed_over);
        } else {
            *unlisted += 1;
        }
    }

    fn add_bytes(&mut self, bytes: u64) {
        self.found.total_bytes = self.found.total_bytes.map(|total| total.saturating_add(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::writer::{Order, Pcap};

    fn capture() -> Vec<u8> {
        Pcap::new(Order::Little, 0xa1b2_c3d4, 1).bytes
    }

    fn names(found: &Expanded) -> Vec<String> {
        found.inputs.iter().map(Input::name).collect()
    }

    #[test]
    fn walks_folders_by_name_and_passes_over_what_is_no_capture() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/inner")).unwrap();
        for name in ["c.pcap", "b/inner/x", "a.cap", "B.pcap"] {
            fs::write(at(name), capture()).unwrap();
        }
        fs::write(at("notes.txt"), "to do\n").unwrap();
        fs::write(at("empty"), "").unwrap();
        let found = expand([folder.path()]).unwrap();
        assert_eq!(names(&found), ["B.pcap", "a.cap", "x", "c.pcap"]);
        assert_eq!(found.total_bytes, Some(4 * 24));
        let passed_over: Vec<_> = found.passed_over.iter().map(PassedOver::reason).collect();
        assert_eq!(passed_over, ["not_a_capture"; 2]);
        assert!(
            found.passed_over[0].to_string().ends_with("empty: is no capture: it looks like an empty file")
        );
        assert!(found.lost.is_empty());
    }

    #[test]
    fn sorts_the_files_of_one_capture_as_they_were_written() {
        let in_order = [
            "B",
            "a",
            "a-1",
            "a01",
            "a1",
            "a1.pcap",
            "a1.pcap1",
            "a1.pcap2",
            "a1.pcap10",
            "a02",
            "a2-3",
            "a2-20",
            "a10",
            "a10b",
            "ab",
        ];
        for (number, one) in in_order.iter().enumerate() {
            for (other_number, other) in in_order.iter().enumerate() {
                let found = InOrder(one.as_bytes().to_vec()).cmp(&InOrder(other.as_bytes().to_vec()));
                assert_eq!(found, number.cmp(&other_number), "{one} {other}");
            }
        }
    }

    #[test]
    fn keeps_the_order_given() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, capture()).unwrap();
        fs::write(&b, capture()).unwrap();
        let found = expand([b.as_path(), Path::new("-"), a.as_path()]).unwrap();
        assert_eq!(names(&found), ["b", "-", "a"]);
        assert_eq!(found.total_bytes, None);
    }

    #[test]
    fn refuses_what_was_named_and_is_no_capture() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.pcap");
        fs::write(&page, "<!doctype html><p>Sign in").unwrap();
        let error = expand([&page]).unwrap_err();
        assert_eq!(error.reason(), "not_a_capture");
        assert_eq!(
            error.to_string(),
            format!(
                "{}: is no capture: it looks like HTML; a download may have given an error or login page instead",
                page.display()
            )
        );
        assert_eq!(expand([folder.path().join("missing")]).unwrap_err().reason(), "not_found");
        assert_eq!(expand(["-", "-"]).unwrap_err().reason(), "standard_input_twice");
        // The folder holds nothing but the page.
        let error = expand([folder.path()]).unwrap_err();
        assert!(error.to_string().ends_with("holds no capture; files passed over: 1"), "{error}");
        // What may have been one is named.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", folder.path().join("gone.pcap")).unwrap();
            let error = expand([folder.path()]).unwrap_err().to_string();
            assert!(error.contains("files passed over: 2, among them "), "{error}");
            assert!(error.ends_with("gone.pcap: does not exist; check the path"), "{error}");
        }
    }

    #[test]
    fn tells_losses_from_notes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.pcap"), capture()).unwrap();
        fs::write(at("log.xz"), b"\xfd7zXZ\0....").unwrap();
        assert!(expand([folder.path()]).unwrap().lost.is_empty());
        fs::write(at("b.pcap.xz"), b"\xfd7zXZ\0....").unwrap();
        assert_eq!(expand([folder.path()]).unwrap().lost.len(), 1);
        fs::remove_file(at("b.pcap.xz")).unwrap();
        fs::write(at("cut.pcap"), &capture()[..20]).unwrap();
        let found = expand([folder.path()]).unwrap();
        assert_eq!(found.lost.iter().map(PassedOver::reason).collect::<Vec<_>>(), ["header_cut_off"]);
        assert_eq!(found.passed_over.len(), 1);
        assert_eq!(names(&found), ["a.pcap"]);
    }

    #[cfg(unix)]
    #[test]
    fn is_not_caught_in_links_that_go_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/a.pcap"), capture()).unwrap();
        symlink(folder.path(), at("sub/up")).unwrap();
        symlink(at("sub"), at("again")).unwrap();
        symlink(at("self"), at("self")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        let found = expand([folder.path()]).unwrap();
        assert_eq!(names(&found), ["a.pcap"]);
        assert_eq!(found.lost.len(), 2);
    }

    #[test]
    fn leaves_out_what_is_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().to_owned();
        fs::write(path.join("top.pcap"), capture()).unwrap();
        for _ in 0..MAX_DEPTH + 2 {
            path.push("d");
        }
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("deep.pcap"), capture()).unwrap();
        let found = expand([folder.path()]).unwrap();
        assert_eq!(names(&found), ["top.pcap"]);
        assert_eq!(found.lost.iter().map(PassedOver::reason).collect::<Vec<_>>(), ["too_deep"]);
    }

    #[test]
    fn shows_names_without_control_characters() {
        assert_eq!(Input::File("/a/b\x1b[2J.pcap".into()).name(), "b\u{fffd}[2J.pcap");
        assert_eq!(Input::StandardInput.name(), "-");
        assert_eq!(Input::StandardInput.path(), PathBuf::from("-"));
    }
}
