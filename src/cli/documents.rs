//! What the program knows, in print: `check`, `explain`, `rules`, `profiles`.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use anyhow::anyhow;

use super::args::{Check, Explain, Profiles};
use super::{Failure, Finished, print};
use crate::classify::{self, PrefixList};
use crate::config::{self, CommandLine};
use crate::model::{Date, Severity};
use crate::policy::{Rule, profile};
use crate::view::text::plain;

/// `ddbwatch check`.
pub fn check(args: &Check) -> Result<Finished, Failure> {
    let config = config::load(args.config.as_deref(), &CommandLine::default())
        .map_err(|error| Failure::Usage(error.into()))?;
    print(config::describe(&config).as_bytes())
}

/// `ddbwatch explain`.
pub fn explain(args: &Explain) -> Result<Finished, Failure> {
    // What is asked for is shown again.
    let subject = &*plain(args.subject.trim());
    if let Some(rule) = Rule::parse(subject) {
        return print(rule.explain().as_bytes());
    }
    let host = host_of(subject);
    if let Some(address) = address_of(host) {
        return print(explain_address(address).as_bytes());
    }
    // Host names have dots and no underscores, rule ids the other way round.
    if !host.contains('.') && host != "localhost" {
        let hint = config::nearest(subject, Rule::ALL.iter().map(|rule| rule.as_str())).map_or_else(
            || "`ddbwatch rules` lists the rules".to_owned(),
            |name| format!("did you mean `{name}`?"),
        );
        return Err(Failure::Usage(anyhow!("`{subject}` is neither a rule nor a host name: {hint}")));
    }
    let recognition = classify::recognise(host);
    let mut text = format!("{}\n", recognition.explanation());
    if let Some(endpoint) = &recognition.endpoint {
        let mut line = |key: &str, value: &str| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {key:<11}{value}");
        };
        line("service", endpoint.service.as_str());
        line("kind", endpoint.kind.as_str());
        for (key, value) in [
            ("region", endpoint.region.as_deref()),
            ("partition", endpoint.partition),
            ("account", endpoint.account_id.as_deref()),
            ("endpoint", endpoint.vpce_id.as_deref()),
        ] {
            if let Some(value) = value {
                line(key, value);
            }
        }
        let fips = match endpoint.fips {
            true => "yes",
            false if recognition.counts_as_fips() => "not by its name, but counts as such",
            false => "no",
        };
        line("FIPS", fips);
        line("dual stack", if endpoint.dual_stack { "yes" } else { "no" });
    }
    print(text.as_bytes())
}

/// An address, with or without brackets and a port.
fn address_of(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok().or_else(|| Some(host.parse::<SocketAddr>().ok()?.ip()))
}

fn explain_address(address: IpAddr) -> String {
    let list = PrefixList::compiled_in();
    let day = Date::from(list.created()).day();
    let place = match list.lookup(address) {
        Some(listed) => {
            format!("one of DynamoDB's public addresses in {}", listed.region().unwrap_or("several regions"))
        }
        None => "in none of DynamoDB's address prefixes".to_owned(),
    };
    let which = format!("by the list compiled in, of {day}");
    format!("{address} is an address, not a host name: {place}, {which}.\n")
}

/// The host of a URL or of `host:port`; what is neither is taken as it is.
fn host_of(subject: &str) -> &str {
    let rest = subject.split_once("://").map_or(subject, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        // More colons are those of an IPv6 address.
        Some((name, port)) if !name.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// `ddbwatch rules`.
pub fn rules() -> Result<Finished, Failure> {
    let mut text = String::new();
    for rule in Rule::ALL {
        let severity = rule.default_severity().map_or("off", Severity::as_str);
        let _ = writeln!(text, "{:<28} {severity:<9} {}", rule.as_str(), rule.text().what);
    }
    print(text.as_bytes())
}

/// `ddbwatch profiles`.
pub fn profiles(args: &Profiles) -> Result<Finished, Failure> {
    let config = config::load(args.config.as_deref(), &CommandLine::default())
        .map_err(|error| Failure::Usage(error.into()))?;
    let mut all: Vec<profile::Profile> = profile::all().into_iter().chain(config.profiles).collect();
    for profile in &mut all {
        let texts = [&mut profile.name, &mut profile.title].into_iter().chain(&mut profile.extends);
        texts.chain(&mut profile.changes).for_each(|text| *text = plain(text).into_owned());
    }
    let Some(name) = &args.name else {
        let width = all.iter().map(|profile| profile.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for profile in &all {
            let _ = writeln!(text, "{:<width$}  {}", profile.name, profile.title);
        }
        return print(text.as_bytes());
    };
    if let Some(found) = all.iter().find(|profile| profile.name == plain(name)) {
        return print(found.describe().as_bytes());
    }
    let hint = config::nearest(name, all.iter().map(|profile| profile.name.as_str())).map_or_else(
        || "`ddbwatch profiles` lists them".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Err(Failure::Usage(anyhow!("there is no profile `{}`: {hint}", plain(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_host_out_of_what_people_paste() {
        const HOST: &str = "dynamodb.eu-west-1.amazonaws.com";
        for subject in [
            HOST,
            "https://dynamodb.eu-west-1.amazonaws.com/",
            "https://dynamodb.eu-west-1.amazonaws.com:443/a?b#c",
            "http://user:secret@dynamodb.eu-west-1.amazonaws.com",
            "dynamodb.eu-west-1.amazonaws.com:443",
            "dynamodb.eu-west-1.amazonaws.com/",
        ] {
            assert_eq!(host_of(subject), HOST, "{subject}");
        }
        assert_eq!(host_of("http://localhost:8000"), "localhost");
        assert_eq!(host_of("2001:db8::1"), "2001:db8::1");
        assert_eq!(host_of(""), "");
    }

    #[test]
    fn tells_where_an_address_is() {
        for subject in ["52.94.5.10", "52.94.5.10:443", "https://52.94.5.10/", "::ffff:52.94.5.10"] {
            let said = explain_address(address_of(host_of(subject)).unwrap());
            assert!(said.contains("DynamoDB's public addresses in eu-west-1"), "{subject}: {said}");
        }
        for subject in ["10.0.0.1", "2001:db8::1", "[2001:db8::1]:443", "http://[2001:db8::1]:443/"] {
            let said = explain_address(address_of(host_of(subject)).unwrap());
            assert!(said.contains("in none of DynamoDB's address prefixes"), "{subject}: {said}");
        }
        assert_eq!(address_of("dynamodb.eu-west-1.amazonaws.com"), None);
    }
}
