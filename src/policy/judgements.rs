//! Judgements kept for the flows that ask the same.
//!
//! The clients of a site speak to the same few endpoints with the same few hellos: but for the client's address,
//! what the rules say of one connection they say of thousands.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::certificate::{Validity, validity};
use super::check::address_text;
use super::evaluation::{evaluate, evaluate_for};
use super::options::Options;
use crate::model::{
    Access, AlertFrom, Completeness, Confidence, EndpointFacts, Entry, Outcome, PathFacts, PolicyFacts,
    Record, Severity, Shared, TlsFacts, TlsKind, Verdict, Violation, is_private,
};

/// Judgements kept, two kilobytes or so each; a site needs some hundred.
const MAX_KEPT: usize = 1_024;

/// Stands for the client's address in what is kept. No rule writes it, and where another text has it, that is
/// noticed.
const CLIENT: &str = "\0";

/// Judgements that are kept, all by the same options.
#[derive(Default)]
pub struct Judgements {
    kept: HashMap<Question, Kept, RandomState>,
}

/// All that rules ask of a flow without overrides, exceptions, requests in clear and proxies, but for the
/// client's address in their sentences. What several flows share is known by where it is in memory, which
/// [`Kept`] keeps.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    endpoint: usize,
    tls: Option<TlsKind>,
    validity: Option<Validity>,
    is_dated: bool,
    server: IpAddr,
    is_client_private: bool,
    is_server_private: bool,
    access: Access,
    entry: Entry,
    possible_halves: [bool; 2],
    has_open_rules: bool,
    completeness: Completeness,
    outcome: Outcome,
    is_from_beginning: bool,
    ended_by: Option<AlertFrom>,
}

/// An answer, and what its question knows by the place in memory.
struct Kept {
    profile: Arc<str>,
    verdict: Verdict,
    violations: Vec<KeptViolation>,
    not_assessed: Vec<&'static str>,
    not_asked: Vec<&'static str>,
    _shared: (Shared<EndpointFacts>, Option<Box<TlsFacts>>),
}

struct KeptViolation {
    rule: &'static str,
    severity: Severity,
    offending: Text,
    message: Text,
    remedy: Arc<str>,
}

/// A text, and where in it the client's address is to be put.
struct Text {
    text: Arc<str>,
    client_at: Option<usize>,
}

impl Judgements {
    /// [`evaluate`], by the options of all calls before.
    pub fn evaluate(&mut self, record: &Record, options: &Options) -> PolicyFacts {
        let Some(question) = Question::of(record, options) else { return evaluate(record, options) };
        let client = address_text(record.client.ip());
        if let Some(kept) = self.kept.get(&question) {
            return kept.tell(&client);
        }
        let answer = evaluate(record, options);
        if let Some(kept) = Kept::of(record, options)
            && kept.tell(&client) == answer
        {
            if self.kept.len() >= MAX_KEPT {
                // Begins anew: to keep an order of use would cost more than what is lost.
                self.kept.clear();
            }
            self.kept.insert(question, kept);
        }
        answer
    }
}

impl Question {
    /// `None` for a flow that is not worth to be remembered, or of which rules may ask more.
    fn of(record: &Record, options: &Options) -> Option<Self> {
        // Every field is named, so that a new one is not forgotten.
        let Record {
            timestamp,
            client,
            server,
            source: _,
            sightings: _,
            first_frame: _,
            client_hello_frame: _,
            server_hello_frame: _,
            completeness,
            is_from_beginning,
            outcome,
            ended_by,
            tls,
            http,
            proxy,
            handshake_duration: _,
            tcp_rtt: _,
            endpoint,
            path:
                PathFacts { access, entry, name: _, evidence: _, access_confidence, entry_confidence, open_rules },
            // Asked by overrides and exceptions only, as name and evidence of the path; but for what is asked of it below.
            translated: _,
            host: _,
            policy: _,
        } = record;
        let is_for_all = options.overrides.is_empty() && options.exceptions.is_empty();
        if !is_for_all || http.is_some() || proxy.is_some() || !endpoint.is_shared() {
            return None;
        }
        let certificate = tls.as_ref().and_then(|tls| tls.peer_certificate());
        Some(Self {
            endpoint: endpoint.address(),
            tls: match tls {
                Some(tls) => Some(TlsKind::of(tls)?),
                None => None,
            },
            validity: certificate.map(|certificate| validity(certificate, *timestamp)),
            is_dated: timestamp.is_date(),
            server: server.ip(),
            is_client_private: is_private(client.ip()),
            is_server_private: record.is_server_private(),
            access: *access,
            entry: *entry,
            possible_halves: [*access_confidence, *entry_confidence]
                .map(|of| of == Some(Confidence::Possible)),
            has_open_rules: !open_rules.is_empty(),
            completeness: *completeness,
            outcome: *outcome,
            is_from_beginning: *is_from_beginning,
            ended_by: *ended_by,
        })
    }
}

impl Kept {
    /// `None` where the client's address stands in one text more than once.
    fn of(record: &Record, options: &Options) -> Option<Self> {
        let PolicyFacts { profile, verdict, violations, not_assessed, not_asked } =
            evaluate_for(record, options, CLIENT);
        let violations = violations
            .into_iter()
            .map(|Violation { rule, severity, offending, message, remedy, excuse: _ }| {
                let (offending, message) = (Text::of(&offending)?, Text::of(&message)?);
                Some(KeptViolation { rule, severity, offending, message, remedy })
            })
            .collect::<Option<_>>()?;
        let _shared = (record.endpoint.clone(), record.tls.clone());
        Some(Self { profile, verdict, violations, not_assessed, not_asked, _shared })
    }

    /// The answer for one client.
    fn tell(&self, client: &str) -> PolicyFacts {
        let tell = |kept: &KeptViolation| Violation {
            rule: kept.rule,
            severity: kept.severity,
            offending: match kept.offending.client_at {
                Some(_) => kept.offending.with(client).into(),
                None => Arc::clone(&kept.offending.text),
            },
            message: kept.message.with(client),
            remedy: Arc::clone(&kept.remedy),
            // None is kept where there are exceptions.
            excuse: None,
        };
        PolicyFacts {
            profile: Arc::clone(&self.profile),
            verdict: self.verdict,
            violations: self.violations.iter().map(tell).collect(),
            not_assessed: self.not_assessed.clone(),
            not_asked: self.not_asked.clone(),
        }
    }
}

impl Text {
    fn of(text: &str) -> Option<Self> {
        let Some((before, after)) = text.split_once(CLIENT) else {
            return Some(Self { text: text.into(), client_at: None });
        };
        let is_once = !after.contains(CLIENT);
        is_once.then(|| Self { text: [before, after].concat().into(), client_at: Some(before.len()) })
    }

    fn with(&self, client: &str) -> String {
        match self.client_at.and_then(|at| self.text.split_at_checked(at)) {
            Some((before, after)) => [before, client, after].concat(),
            None => self.text.as_ref().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::policy::evaluation::tests::good;

    #[test]
    fn says_the_same_as_the_rules() {
        let options = Options::default();
        let mut judgements = Judgements::default();
        let mut record = good();
        // As the pipeline has them: shared.
        let _held = (
            record.endpoint.clone(),
            record.tls.as_ref().map(|tls| (tls.client_hello.clone(), tls.server_hello.clone())),
        );
        for client in ["10.0.0.1:1", "10.0.0.2:1", "198.51.100.255:9", "[2001:db8::1]:1"] {
            record.client = client.parse().unwrap();
            let answer = judgements.evaluate(&record, &options);
            assert_eq!(answer, evaluate(&record, &options));
            assert!(
                answer.violations.iter().any(|found| found.message.contains(&record.client.ip().to_string()))
            );
        }
        assert_eq!(judgements.kept.len(), 2, "one for private, one for public clients");
        record.outcome = Outcome::Reset;
        assert_eq!(judgements.evaluate(&record, &options), evaluate(&record, &options));
        assert_eq!(judgements.kept.len(), 3);
    }

    /// Everything that rules ask of one flow and not of the next must be in the question.
    #[test]
    fn says_the_same_whatever_came_before() {
        use crate::policy::evaluation::tests::{certificate, tls};
        let mut options = Options::default();
        options.site.egress_hop = Some("NAT hop");
        options.site.region = Some("eu-central-1".to_owned());
        let day = |number: u64| Timestamp::from_seconds(1_772_323_200 + number * 86_400);
        let mut facts = certificate();
        (facts.not_before, facts.not_after) = (day(10).into(), day(20).into());
        let mut base = good();
        let shown = Arc::new(facts);
        for is_session in [false, true] {
            let slot = Some(Arc::clone(&shown));
            let of = tls(&mut base);
            (of.certificate, of.session_certificate) = if is_session { (None, slot) } else { (slot, None) };
            let _held = (
                base.endpoint.clone(),
                base.tls.as_ref().map(|tls| (tls.client_hello.clone(), tls.server_hello.clone())),
            );
            let mut judgements = Judgements::default();
            let mut verdicts = std::collections::BTreeSet::new();
            for number in [15, 1, 25, 15, 9, 21, 0] {
                for has_open_rules in [false, true] {
                    let mut record = base.clone();
                    record.timestamp = day(number);
                    record.path.open_rules.extend(has_open_rules.then(|| "open".to_owned()));
                    let answer = judgements.evaluate(&record, &options);
                    assert_eq!(answer, evaluate(&record, &options), "{number} {has_open_rules}");
                    verdicts.insert(answer.verdict.as_str());
                }
            }
            assert_eq!(verdicts.len(), 2, "{verdicts:?}");
        }
    }

    #[test]
    fn puts_the_client_where_it_was() {
        let text = Text::of("a \0 b").unwrap();
        assert_eq!(text.with("10.0.0.1"), "a 10.0.0.1 b");
        assert_eq!(Text::of("\0").unwrap().with("x"), "x");
        assert_eq!(Text::of("none").unwrap().with("x"), "none");
        assert!(Text::of("\0 and \0").is_none());
    }
}
