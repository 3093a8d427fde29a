//! All rules on one flow, exceptions, and the verdict.

use std::sync::Arc;

use super::check::{Case, Finding};
use super::clients;
use super::options::{Exception, Expiry, Options, Settings};
use super::rules::Rule;
use crate::model::{Completeness, Excuse, Outcome, PolicyFacts, Record, Severity, Verdict, Violation};

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
    let mut not_asked = Vec::new();
    for &rule in Rule::ALL {
        let severity = settings.severities.of(rule);
        let is_beyond_records = rule.is_beyond_records() || case.is_told_by_names(rule);
        if severity.is_none() && !is_beyond_records {
            continue;
        }
        match (case.check(rule), severity) {
            (Finding::Kept, _) => {}
            (Finding::Unknown, Some(severity)) if severity.counts() => {
                not_assessed.push(rule.as_str());
            }
            (Finding::Broken { .. }, None) | (Finding::Unknown, _) => {
                not_asked.extend(is_beyond_records.then_some(rule.as_str()));
            }
            (Finding::Broken { offending, message }, Some(severity)) => {
                let found = Violation {
                    rule: rule.as_str(),
                    severity,
                    offending: offending.into(),
                    message: without_our_words(message),
                    remedy: remedy(rule, record, settings).into(),
                    excuse: None,
                };
                violations.push(excused(rule, found, record, &options.exceptions));
            }
        }
    }
    let open = open_by_settings(record, &violations, options);
    if !open.is_empty() {
        let is_open = |rule: &&Rule| open.contains(rule) || not_assessed.contains(&rule.as_str());
        not_assessed = Rule::ALL.iter().filter(is_open).map(|rule| rule.as_str()).collect();
    }
    let verdict = verdict(record, &violations, &not_assessed);
    PolicyFacts { profile: Arc::clone(&settings.profile), verdict, violations, not_assessed, not_asked }
}

/// Rules that settings would find broken, or could not judge, of which nobody knows whether they are those of the flow.
fn open_by_settings(record: &Record, violations: &[Violation], options: &Options) -> Vec<Rule> {
    let mut open = Vec::new();
    for settings in options.possible_settings(record) {
        let case = Case::new(record, settings, &options.site);
        for &rule in Rule::ALL {
            if !settings.severities.requires(rule) {
                continue;
            }
            let is_found = |found: &Violation| found.rule == rule.as_str() && found.severity.counts();
            if open.contains(&rule) || violations.iter().any(is_found) {
                continue;
            }
            let is_open = match case.check(rule) {
                Finding::Kept => false,
                Finding::Unknown => true,
                Finding::Broken { .. } => exception(rule, record, &options.exceptions).is_none(),
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
    if violations.iter().any(|violation| violation.severity.counts()) {
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
    let found = Violation { severity, message, excuse: None, ..found.clone() };
    Some(excused(rule, found, record, &options.exceptions))
}

/// What comes between the sentence of a finding and that of its exception.
const EXCEPTED: &str = " Excepted until ";
const EXPIRED: &str = " The exception of ";

/// A sentence with names in it that strangers chose. These must not say of themselves that they are excepted, so what only
/// exceptions say is put in quotes there.
fn without_our_words(sentence: String) -> String {
    [EXCEPTED, EXPIRED].into_iter().map(str::trim).fold(sentence, |sentence, words| {
        if sentence.contains(words) { sentence.replace(words, &format!("\"{words}\"")) } else { sentence }
    })
}

/// A message without what [`excused`] said at its end. What strangers say in it comes before that, in quotes.
fn without_excuse(message: &str) -> &str {
    let ends = [EXCEPTED, EXPIRED].into_iter().filter_map(|words| {
        let at = message.find(words)?;
        message.get(..at).filter(|sentence| sentence.ends_with('.'))
    });
    ends.min_by_key(|sentence| sentence.len()).unwrap_or(message)
}

/// The excuse of a finding that was recorded, as its message tells it.
#[must_use]
pub fn recorded_excuse(rule: &str, severity: Severity, message: &str) -> Option<Excuse> {
    let (_, after) = message.split_at_checked(without_excuse(message).len())?;
    let (day, _) = after.strip_prefix(EXCEPTED)?.split_once(" by ")?;
    let is_needed = Rule::parse(rule).is_none_or(|rule| rule.default_severity() != Some(Severity::Info));
    (severity == Severity::Info && Expiry::parse(day).is_some()).then_some(Excuse { by: None, is_needed })
}

/// True where an exception holds for what a rule finds.
#[must_use]
pub fn is_excepted(rule: Rule, record: &Record, options: &Options) -> bool {
    exception(rule, record, &options.exceptions).is_some()
}

/// The first exception that holds for a finding, with its place.
fn exception<'a>(rule: Rule, record: &Record, exceptions: &'a [Exception]) -> Option<(usize, &'a Exception)> {
    // Where the capture tells no date, nobody knows whether it still holds.
    let holds = |exception: &Exception| {
        record.timestamp.is_date()
            && !exception.expires.is_over(record.timestamp)
            && is_meant(exception, rule, record)
    };
    exceptions.iter().enumerate().find(|(_, exception)| holds(exception))
}

fn is_meant(exception: &Exception, rule: Rule, record: &Record) -> bool {
    exception.rules.contains(&rule) && exception.matching.holds(record) == Some(true)
}

/// True where an exception would hold, or nobody knows whether it would, if what it asks of the flow were known.
fn may_be_meant(exception: &Exception, rule: Rule, record: &Record) -> bool {
    exception.rules.contains(&rule)
        && !(record.timestamp.is_date() && exception.expires.is_over(record.timestamp))
        && exception.matching.holds(record).is_none()
}

/// The finding after exceptions.
fn excused(rule: Rule, mut found: Violation, record: &Record, exceptions: &[Exception]) -> Violation {
    if let Some((place, exception)) = exception(rule, record, exceptions) {
        let Exception { owner, reason, expires, .. } = exception;
        found.message.push_str(&format!("{EXCEPTED}{expires} by {owner}: {reason}."));
        found.excuse = Some(Excuse { by: Some(place), is_needed: found.severity.counts() });
        found.severity = Severity::Info;
    } else if let Some(Exception { owner, expires, .. }) =
        exceptions.iter().find(|exception| is_meant(exception, rule, record))
    {
        found.message.push_str(&if record.timestamp.is_date() {
            format!("{EXPIRED}{owner} expired on {expires}.")
        } else {
            format!("{EXPIRED}{owner} until {expires} is not applied: the capture tells no date.")
        });
    } else if let Some(Exception { owner, expires, .. }) =
        exceptions.iter().find(|exception| may_be_meant(exception, rule, record))
    {
        found.message.push_str(&format!(
            "{EXPIRED}{owner} until {expires} is not applied: what it asks is not proved of the flow."
        ));
    }
    found
}

/// The rule's remedy, and where to look in the client that was recognised.
fn remedy(rule: Rule, record: &Record, settings: &Settings) -> String {
    let mut text = rule.remedy_for(settings.minimum_version).into_owned();
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
