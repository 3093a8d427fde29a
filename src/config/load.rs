//! Reading: the text first, then the files it names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::de::DeTable;

use super::error::{ConfigError, Problem, nearest};
use super::place::{Problems, Section, line_of, shortened};
use super::resolved::{Backend, CommandLine, RedactionKey, Resolved};
use super::{doubts, file, policy};
use crate::classify::PrefixList;

/// A configuration of more than that is another file.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// AWS's whole list has a few MiB.
const MAX_IP_RANGES_BYTES: u64 = 64 << 20;

/// HMAC-SHA256 takes nothing from a longer key than its block of 64 bytes; a key file of more than a
/// page is another file.
const MAX_KEY_BYTES: u64 = 4_096;

/// Half the output of SHA-256: what a key must have at the least [RFC 2104 section 3 asks for the whole].
const MIN_KEY_BYTES: usize = 16;

/// Reads the file (none: built-in values) and every file it names.
///
/// # Errors
/// All that is wrong with the text, or the first named file that is missing or unusable.
pub fn load(path: Option<&Path>, command_line: &CommandLine) -> Result<Resolved, ConfigError> {
    read_all(path, command_line, read_limited)
}

/// As [`load`], of files that were read before: a pipe has nothing a second time, or nobody who writes into it, for
/// whom it would be waited.
///
/// # Errors
/// As those of [`load`], and that a file is a pipe.
pub fn load_again(path: Option<&Path>, command_line: &CommandLine) -> Result<Resolved, ConfigError> {
    read_all(path, command_line, |path, limit| {
        if is_pipe(path) {
            let what = "it is a pipe, which can be read only once: name a file, or restart ddbwatch";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        read_limited(path, limit)
    })
}

/// Reads a file of at most so many bytes.
type Read = fn(&Path, u64) -> io::Result<Vec<u8>>;

fn read_all(path: Option<&Path>, command_line: &CommandLine, read: Read) -> Result<Resolved, ConfigError> {
    let Some(path) = path else {
        return parse("", command_line);
    };
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let bytes = read(path, MAX_CONFIG_BYTES).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")))?;
    let mut resolved = parse(&text, command_line).map_err(|error| match error {
        ConfigError::Invalid { problems, .. } => {
            ConfigError::Invalid { path: Some(path.to_owned()), problems }
        }
        other => other,
    })?;
    resolved.path_of_file = Some(path.to_owned());
    let origin = Origin { path, text: &text, read };
    load_ip_ranges(&mut resolved, origin)?;
    load_key(&mut resolved, origin)?;
    warn_of_strange_regions(&mut resolved);
    Ok(resolved)
}

/// A region with a slip of the pen is none that any flow goes to: what is said of it would never hold, in silence.
fn warn_of_strange_regions(resolved: &mut Resolved) {
    let prefixes = &resolved.endpoint.prefixes;
    let matches = (resolved.policy.overrides.iter().map(|known| &known.matching))
        .chain(resolved.policy.exceptions.iter().map(|known| &known.matching));
    let mut named: Vec<&str> = matches.flat_map(|matching| &matching.region).map(String::as_str).collect();
    named.extend(resolved.site.region.as_deref());
    named.extend(resolved.endpoint.hosts.iter().filter_map(|host| host.region.as_deref()));
    // Of the isolated partitions the list has no region at all.
    named.retain(|region| prefixes.lacks_region(region));
    named.sort_unstable();
    named.dedup();
    let warnings: Vec<String> = named
        .into_iter()
        .map(|region| {
            let near = nearest(region, prefixes.regions());
            let hint = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            format!("`{region}` is no region of the address list{hint}")
        })
        .collect();
    resolved.warnings.extend(warnings);
}

/// Reads the text alone; files it names are not opened.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(text: &str, command_line: &CommandLine) -> Result<Resolved, ConfigError> {
    let mut resolved = Resolved::default();
    let problems = Problems::new(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let root = Section::root(&table, &problems);
            file::read(&root, &mut resolved);
            policy::read(&root, &problems, command_line, &mut resolved);
            root.finish();
        }
        Err(error) => problems.add(error.span().or(Some(0..0)), error.message().replace('\n', ", "), None),
    }
    let problems: Vec<Problem> = problems.into_sorted();
    if !problems.is_empty() {
        return Err(ConfigError::Invalid { path: None, problems });
    }
    if !command_line.interfaces.is_empty() {
        let named = std::mem::replace(&mut resolved.capture.interfaces, command_line.interfaces.clone());
        if !named.is_empty() && named != command_line.interfaces {
            resolved.warnings.push(format!(
                "-i stands in for [capture] interfaces: {} of the configuration does not count.",
                shortened(&named.join(", "))
            ));
        }
    }
    if let Some(backend) = command_line.backend {
        let written = std::mem::replace(&mut resolved.capture.backend, backend);
        if written != Backend::default() && written != backend {
            resolved.warnings.push(format!(
                "--backend {} stands in for [capture] backend = \"{}\".",
                backend.as_str(),
                written.as_str()
            ));
        }
    }
    if let Some(redact) = command_line.redact {
        resolved.privacy.redact = redact;
    }
    let doubts = doubts::of(&resolved);
    resolved.warnings.extend(doubts);
    Ok(resolved)
}

/// The door for fuzzing: any bytes as a configuration.
pub fn fuzz_config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        match parse(text, &CommandLine::default()) {
            Ok(resolved) => drop(super::describe(&resolved)),
            Err(error) => drop(error.to_string()),
        }
    }
}

/// `[endpoints] ip_ranges` → the prefix list.
fn load_ip_ranges(resolved: &mut Resolved, origin: Origin<'_>) -> Result<(), ConfigError> {
    let Some(path) = resolved.ip_ranges.clone() else { return Ok(()) };
    let unusable = |what| origin.named("endpoints", "ip_ranges", &path, what);
    let json = (origin.read)(&path, MAX_IP_RANGES_BYTES).map_err(|error| unusable(error.to_string()))?;
    resolved.endpoint.prefixes =
        PrefixList::from_ip_ranges_json(&json).map_err(|error| unusable(error.to_string()))?;
    Ok(())
}

/// `[privacy] key_file` → the key.
fn load_key(resolved: &mut Resolved, origin: Origin<'_>) -> Result<(), ConfigError> {
    let Some(path) = resolved.privacy.key_file.clone() else { return Ok(()) };
    let unusable = |what| origin.named("privacy", "key_file", &path, what);
    let mut bytes = (origin.read)(&path, MAX_KEY_BYTES).map_err(|error| unusable(error.to_string()))?;
    // The line end that an editor or `echo` adds is not part of the key.
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.len() < MIN_KEY_BYTES {
        return Err(unusable(format!(
            "the key has {} bytes, at least {MIN_KEY_BYTES} are needed: make one with `openssl rand -hex 32`",
            bytes.len()
        )));
    }
    if is_readable_by_others(&path) {
        resolved.warnings.push(format!(
            "{} can be read by others than its owner: `chmod 600` it, else account ids can be found out from their hashes.",
            path.display()
        ));
    }
    resolved.privacy.key = Some(RedactionKey::new(bytes));
    Ok(())
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

/// Where a configuration was written down.
#[derive(Clone, Copy)]
struct Origin<'a> {
    path: &'a Path,
    text: &'a str,
    /// How the files it names are read.
    read: Read,
}

impl Origin<'_> {
    /// What is wrong with the file that `key` in `section` names.
    fn named(self, section: &str, key: &'static str, path: &Path, what: String) -> ConfigError {
        // Read again rather than remembered: the key may be written in a table, dotted or inline.
        let line = DeTable::parse(self.text)
            .ok()
            .and_then(|root| {
                let section = root.get_ref().get(section)?.get_ref().as_table()?;
                Some(line_of(self.text, section.get(key)?.span().start))
            })
            .unwrap_or(1);
        ConfigError::NamedFile { config: self.path.to_owned(), line, key, path: path.to_owned(), what }
    }
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if read as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests;
