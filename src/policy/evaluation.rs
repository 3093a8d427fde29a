//! All rules on one flow, exceptions, and the verdict.

use std::sync::Arc;

use super::check::{Case, Finding};
use super::clients;
use super::options::{Exception, Options, Settings};
use super::rules::Rule;
use crate::model::{Completeness, Outcome, PolicyFacts, Record, Severity, Verdict, Violation};

/// Judges one flow.
///
/// A rule at `warning` or `critical` is a requirement: broken, it makes the verdict `violation`; not
/// assessable, it keeps it from `pass`. Rules at `info` are reported and change nothing.
#[must_use]
pub fn evaluate(record: &Record, options: &Options) -> PolicyFacts {
    let settings = options.settings_for(record);
    judge(&Case::new(record, settings, &options.site), record, settings, options)
}

/// The same, with another text in place of the client's address.
pub(super) fn evaluate_for(record: &Record, options: &Options, client: &str) -> PolicyFacts {
    let settings = options.settings_for(record);
    judge(&Case::of_client(client, record, settings, &options.site), record, settings, options)
}

fn judge(case: &Case<'_>, record: &Record, settings: &Settings, options: &Options) -> PolicyFacts {
    let mut violations = Vec::new();
    let mut not_assessed = Vec::new();
    for &rule in Rule::ALL {
        let Some(severity) = settings.severities.of(rule) else { continue };
        match case.check(rule) {
            Finding::Kept => {}
            Finding::Unknown if severity == Severity::Info => {}
            Finding::Unknown => not_assessed.push(rule.as_str()),
            Finding::Broken { offending, message } => {
                let (severity, message) = excuse(rule, severity, message, record, &options.exceptions);
                violations.push(Violation {
                    rule: rule.as_str(),
                    severity,
                    offending: offending.into(),
                    message,
                    remedy: remedy(rule, record).into(),
                });
            }
        }
    }
    let open = open_by_settings(record, &violations, options);
    if !open.is_empty() {
        let is_open = |rule: &&Rule| open.contains(rule) || not_assessed.contains(&rule.as_str());
        not_assessed = Rule::ALL.iter().filter(is_open).map(|rule| rule.as_str()).collect();
    }
    let verdict = verdict(record, &violations, &not_assessed);
    PolicyFacts { profile: Arc::clone(&settings.profile), verdict, violations, not_assessed }
}

/// Rules that settings would find broken, or could not judge, of which nobody knows whether they are those of the flow.
fn open_by_settings(record: &Record, violations: &[Violation], options: &Options) -> Vec<Rule> {
    let is_required = |severity: Severity| severity != Severity::Info;
    let mut open = Vec::new();
    for settings in options.possible_settings(record) {
        let case = Case::new(record, settings, &options.site);
        for &rule in Rule::ALL {
            let Some(severity) = settings.severities.of(rule).filter(|severity| is_required(*severity))
            else {
                continue;
            };
            let is_found = |found: &Violation| found.rule == rule.as_str() && is_required(found.severity);
            if open.contains(&rule) || violations.iter().any(is_found) {
                continue;
            }
            let is_open = match case.check(rule) {
                Finding::Kept => false,
                Finding::Unknown => true,
                Finding::Broken { message, .. } => {
                    is_required(excuse(rule, severity, message, record, &options.exceptions).0)
                }
            };
            if is_open {
                open.push(rule);
            }
        }
    }
    open
}

/// What follows from the findings and from what could not be judged.
#[must_use]
pub fn verdict(record: &Record, violations: &[Violation], not_assessed: &[&str]) -> Verdict {
    // Hellos of two handshakes prove nothing of either.
    let is_one_handshake = record.tls.as_ref().is_none_or(|tls| tls.is_choice_offered());
    let is_seen =
        record.completeness == Completeness::Full && record.outcome == Outcome::Completed && is_one_handshake;
    if violations.iter().any(|violation| violation.severity != Severity::Info) {
        Verdict::Violation
    } else if is_seen && not_assessed.is_empty() {
        Verdict::Pass
    } else {
        Verdict::NotAssessable
    }
}

/// A finding that was made before, perhaps by another policy, under the severity and the exceptions of `options`; `None`
/// where these do not have its rule.
#[must_use]
pub fn carried_over(found: &Violation, record: &Record, options: &Options) -> Option<Violation> {
    let rule = Rule::parse(found.rule)?;
    let severity = options.settings_for(record).severities.of(rule)?;
    let message = without_excuse(&found.message).to_owned();
    let (severity, message) = excuse(rule, severity, message, record, &options.exceptions);
    Some(Violation { severity, message, ..found.clone() })
}

/// What comes between the sentence of a finding and that of its exception.
const EXCEPTED: &str = " Excepted until ";
const EXPIRED: &str = " The exception of ";

/// A message without what [`excuse`] said at its end.
fn without_excuse(message: &str) -> &str {
    let ends = [EXCEPTED, EXPIRED].into_iter().filter_map(|words| {
        // Names in a message are chosen by strangers: only behind a whole sentence is it ours.
        let at = message.rfind(words)?;
        message.get(..at).filter(|sentence| sentence.ends_with('.'))
    });
    ends.min_by_key(|sentence| sentence.len()).unwrap_or(message)
}

/// Severity and message after exceptions.
fn excuse(
    rule: Rule,
    severity: Severity,
    mut message: String,
    record: &Record,
    exceptions: &[Exception],
) -> (Severity, String) {
    let mut expired = None;
    let is_dated = record.timestamp.is_date();
    for exception in exceptions {
        if !exception.rules.contains(&rule) || exception.matching.holds(record) != Some(true) {
            continue;
        }
        let Exception { owner, reason, expires, .. } = exception;
        // Where the capture tells no date, nobody knows whether it still holds.
        if is_dated && !expires.is_over(record.timestamp) {
            message.push_str(&format!("{EXCEPTED}{expires} by {owner}: {reason}."));
            return (Severity::Info, message);
        }
        expired = expired.or(Some(exception));
    }
    if let Some(Exception { owner, expires, .. }) = expired {
        message.push_str(&if is_dated {
            format!("{EXPIRED}{owner} expired on {expires}.")
        } else {
            format!("{EXPIRED}{owner} until {expires} is not applied: the capture tells no date.")
        });
    }
    (severity, message)
}

/// The rule's remedy, and where to look in the client that was recognised.
fn remedy(rule: Rule, record: &Record) -> String {
    let mut text = rule.text().remedy.to_owned();
    let place: fn(&clients::Client) -> &'static str = match rule {
        Rule::TlsVersionTooLow
        | Rule::TlsVersionNotRecommended
        | Rule::LegacyClientRefused
        | Rule::NoForwardSecrecy
        | Rule::WeakCipher
        | Rule::CipherNotAllowed
        | Rule::GroupNotAllowed
        | Rule::WeakKeyExchange
        | Rule::NotPostQuantum
        | Rule::EarlyData
        | Rule::TlsCompression
        | Rule::SniMissing => |client| client.tls,
        Rule::PlaintextHttp | Rule::FipsEndpointRequired | Rule::CrossRegionEndpoint | Rule::DnsOverride => {
            |client| client.endpoint
        }
        _ => return text,
    };
    let Some(client) = clients::recognise(record) else { return text };
    let place = place(client);
    let article = if client.name.starts_with("AWS ") { "the " } else { "" };
    text.push_str(&format!(
        " The client is probably {article}{}; there it is decided by {place}.",
        client.name
    ));
    text
}

#[cfg(test)]
pub(super) mod tests;
