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

/// The word of `known` that is nearest to `word`, if any is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are nobody's slip of the pen, and comparing costs the product of the lengths.
    const MAX_WORD: usize = 64;
    if word.len() > MAX_WORD {
        return None;
    }
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
        assert_eq!(hint("colour", known).unwrap(), "known are profile, minimum_version, severity");
    }
}
