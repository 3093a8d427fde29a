//! What is wrong with a configuration, in words for the one who wrote it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The most problems that are listed; more would not be read.
pub(super) const MAX_PROBLEMS: usize = 20;

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself could not be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It was read and is wrong, in one place or several.
    #[error("{}", Listing { path: path.as_ref(), problems })]
    Invalid { path: Option<PathBuf>, problems: Vec<Problem> },
    /// A file that the configuration names is missing or unusable.
    #[error("{}: `{key}` at line {line} names {}: {what}", config.display(), path.display())]
    NamedFile { config: PathBuf, line: usize, key: &'static str, path: PathBuf, what: String },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1; `None` for what came from the command line.
    pub place: Option<(usize, usize)>,
    /// What is wrong, without a full stop.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some((line, column)) = self.place {
            write!(f, " at line {line}, column {column}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

struct Listing<'a> {
    path: Option<&'a PathBuf>,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(MAX_PROBLEMS).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(path) = self.path {
                write!(f, "{}: ", path.display())?;
            }
            write!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(MAX_PROBLEMS) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// The word of `known` that is nearest to `word`, if any is near: but for a slip or two the same, or what it is short for.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are nobody's slip of the pen, and comparing costs the product of the lengths.
    const MAX_WORD: usize = 64;
    if word.len() > MAX_WORD {
        return None;
    }
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let known: Vec<(String, &str)> = known.into_iter().map(|one| (one.to_lowercase(), one)).collect();
    let mut by_distance: Vec<(usize, &str, &str)> = known
        .iter()
        .map(|(lower, candidate)| (strsim::damerau_levenshtein(&word, lower), &**lower, *candidate))
        .collect();
    by_distance.sort_by_key(|(distance, ..)| *distance);
    if let Some((_, _, candidate)) = by_distance.first().filter(|(distance, ..)| *distance <= limit) {
        return Some(candidate);
    }
    let mut meant = by_distance.iter().filter(|(_, lower, _)| is_short_for(&word, lower));
    let (distance, _, candidate) = meant.next()?;
    // Of two that are as near nobody knows which.
    meant.next().is_none_or(|(next, ..)| next > distance).then_some(*candidate)
}

/// `mem` for `memory_mib`, `src` for `source`: its first letter, and the others in their order.
fn is_short_for(word: &str, whole: &str) -> bool {
    /// Fewer letters are in everything.
    const MIN_LETTERS: usize = 3;
    let mut letters = whole.chars();
    word.chars().count() >= MIN_LETTERS
        && word.chars().next() == whole.chars().next()
        && word.chars().all(|letter| letters.any(|found| found == letter))
}

/// `did you mean `x`?`, or all that is known where that is short enough.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Lists beyond this are looked up, not read.
    const MAX_LISTED: usize = 16;
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() || known.len() > MAX_LISTED => None,
        None => Some(format!("known are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["profile", "minimum_version", "severity"];
        assert_eq!(nearest("profil", known), Some("profile"));
        assert_eq!(nearest("Severity", known), Some("severity"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("min", known), Some("minimum_version"));
        assert_eq!(nearest("SVR", known), Some("severity"));
        let alike = ["flows", "flow_bytes", "source", "service"];
        assert_eq!(["flw", "src"].map(|word| nearest(word, alike)), [Some("flows"), Some("source")]);
        assert_eq!(["fl", "s", "flws_"].map(|word| nearest(word, alike)), [None; 3]);
        assert_eq!(nearest("eu-west", ["eu-west-1", "eu-west-2"]), Some("eu-west-1"), "a slip");
        assert_eq!(nearest("euw", ["eu-west-1", "eu-west-2"]), None, "which?");
        assert_eq!(nearest("ource_", alike), Some("source"), "a slip");
        assert_eq!(nearest("urc", alike), None, "its first letter is another");
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
        assert_eq!(hint("colour", known).unwrap(), "known are profile, minimum_version, severity");
    }
}
