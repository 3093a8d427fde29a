//! What the evidence report is told beside the records: configuration, policy and hashes of what was read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::args::VERSION;
use crate::capture::Input;
use crate::config::Resolved;
use crate::export::Redactor;
use crate::export::plain::hexadecimal;
use crate::export::report::{Content, InputFact, Origin, Report, ReportOptions};
use crate::model::Date;
use crate::policy::profile;

/// Bytes hashed at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// All but what depends on the command.
pub fn options(config: &Resolved) -> ReportOptions {
    let name = &config.policy.settings.profile;
    ReportOptions {
        version: VERSION.to_owned(),
        policy: Some(config.policy.clone()),
        profile: config.profile(name),
        others: profile::all(),
        config: config.path_of_file.as_deref().map(fact),
        all_services: None,
        are_recorded: false,
        is_redacted: Some(config.privacy.redact),
        facts: vec![address_list_fact(config)],
    }
}

/// Which address list the findings rest on, as a sentence.
pub fn address_list_fact(config: &Resolved) -> String {
    format!("Address list: {}.", address_list(config))
}

/// Which address list the findings rest on.
pub fn address_list(config: &Resolved) -> String {
    let prefixes = &config.endpoint.prefixes;
    let origin = match &config.ip_ranges {
        Some(path) => format!("read from {}", path.display()),
        None => "compiled in".to_owned(),
    };
    let published = Date::from(prefixes.created()).day();
    format!("{} DynamoDB prefixes, published {published}, {origin}", prefixes.len())
}

/// Hands over the captures with their hashes, account ids in their names replaced.
pub fn tell_inputs<W: io::Write>(report: &mut Report<W>, inputs: &[Input], redactor: &mut Redactor) {
    let facts = inputs
        .iter()
        .map(|input| match input {
            Input::File(path) => {
                let mut fact = fact(path);
                fact.name = redactor.name(&fact.name).into_owned();
                fact
            }
            Input::StandardInput => InputFact { name: "standard input".to_owned(), content: Content::Stream },
        })
        .collect();
    report.redact(redactor);
    report.inputs(Origin::Captures, facts);
}

/// A file with its size and hash; without them where it cannot be read (again).
pub fn fact(path: &Path) -> InputFact {
    InputFact { name: path.display().to_string(), content: content(path).unwrap_or(Content::Unread) }
}

fn content(path: &Path) -> io::Result<Content> {
    if !path.metadata()?.is_file() {
        return Ok(Content::Stream);
    }
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        digest.update(chunk.get(..count).unwrap_or_default());
    }
    Ok(Content::Stored(bytes, hexadecimal(&digest.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_sha256sum_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fact(&path).content, Content::Stored(3, expected.to_owned()));
        assert_eq!(fact(folder.path()).content, Content::Stream);
        assert_eq!(fact(&folder.path().join("missing")).content, Content::Unread);
    }
}
