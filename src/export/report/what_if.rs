//! What if a stricter profile held: every flow is judged by it once more, and the clients that would break
//! it are named.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::words;
use crate::export::read::judge_anew;
use crate::model::{Record, Verdict, Violation};
use crate::policy::{self, Options, Profile, Rule, Settings};

/// Clients told apart for each profile.
const MAX_CLIENTS: usize = 4_096;

/// What has to change for a client's flows, the worst last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Offer {
    /// Version, suite and group that the profile asks for are offered: the other side decides.
    Enough,
    /// What is asked for is no matter of the hello.
    Elsewhere,
    /// No whole hello was seen.
    Unknown,
    /// What is missing.
    Missing(&'static str),
}

/// A client that would break a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breaking {
    pub flows: u64,
    /// Flows were counted beyond the clients told apart before this one had a place: some may be its own.
    pub is_late: bool,
    pub rules: BTreeSet<&'static str>,
    /// The worst of its flows.
    pub offer: Offer,
}

/// One profile.
pub(super) struct Case {
    pub profile: Profile,
    options: Options,
    /// Flows that would break a rule of this profile that they keep today.
    pub breaking: u64,
    /// Flows that break today's rules, and no further one of this profile.
    pub broken_today: u64,
    /// Flows of which it cannot be told.
    pub unclear: u64,
    pub keeping: u64,
    pub clients: BTreeMap<IpAddr, Breaking>,
    /// Breaking flows that found no place with a client.
    pub beyond: u64,
}

/// All profiles that ask for more than today's.
pub(super) struct WhatIf {
    /// Today's settings, where they are known before the first record.
    today: Option<Options>,
    others: Vec<Profile>,
    /// Records hold less than what was judged at the time.
    are_recorded: bool,
    /// `None` until the first record.
    cases: Option<Vec<Case>>,
}

impl WhatIf {
    pub(super) fn new(today: Option<&Options>, others: &[Profile], are_recorded: bool) -> Self {
        Self { today: today.cloned(), others: others.to_vec(), are_recorded, cases: None }
    }

    pub(super) fn take(&mut self, record: &Record) {
        let (today, others) = (&self.today, &self.others);
        for case in self.cases.get_or_insert_with(|| cases(today.as_ref(), record, others)) {
            case.take(record, self.are_recorded);
        }
    }

    pub(super) fn cases(&self) -> &[Case] {
        self.cases.as_deref().unwrap_or_default()
    }
}

fn cases(today: Option<&Options>, record: &Record, others: &[Profile]) -> Vec<Case> {
    let today = today.cloned().unwrap_or_else(|| {
        let name = record.policy.as_ref().map(|policy| &*policy.profile);
        let settings = name.and_then(policy::profile::find).map(|profile| profile.settings);
        Options { settings: settings.unwrap_or_else(policy::profile::default_settings), ..Options::default() }
    });
    others
        .iter()
        .filter(|profile| asks_for_more(&profile.settings, &today.settings))
        .map(|profile| {
            let mut settings = profile.settings.clone();
            settings.allowed_paths.clone_from(&today.settings.allowed_paths);
            let options = Options {
                site: today.site.clone(),
                settings,
                overrides: Vec::new(),
                // An exception is one from today's rules.
                exceptions: Vec::new(),
            };
            Case {
                profile: profile.clone(),
                options,
                breaking: 0,
                broken_today: 0,
                unclear: 0,
                keeping: 0,
                clients: BTreeMap::new(),
                beyond: 0,
            }
        })
        .collect()
}

/// True where a flow may keep `today` and break `other`.
fn asks_for_more(other: &Settings, today: &Settings) -> bool {
    fn is_narrower<T: PartialEq>(other: &[T], today: &[T]) -> bool {
        !other.is_empty() && (today.is_empty() || today.iter().any(|value| !other.contains(value)))
    }
    other.profile != today.profile
        && (other.minimum_version.rank() > today.minimum_version.rank()
            || is_narrower(&other.allowed_ciphers, &today.allowed_ciphers)
            || is_narrower(&other.allowed_groups, &today.allowed_groups)
            || other.minimum_dh_bits > today.minimum_dh_bits
            || other.minimum_curve_bits > today.minimum_curve_bits
            || Rule::ALL
                .iter()
                .any(|rule| other.severities.requires(*rule) && !today.severities.requires(*rule)))
}

fn grave(violations: &[Violation]) -> impl Iterator<Item = &'static str> + '_ {
    violations.iter().filter(|found| found.severity.counts()).map(|found| found.rule)
}

impl Case {
    fn take(&mut self, record: &Record, is_recorded: bool) {
        let facts = if is_recorded {
            let mut judged = record.clone();
            judge_anew(&mut judged, &self.options);
            judged.policy.unwrap_or_else(|| policy::evaluate(record, &self.options))
        } else {
            policy::evaluate(record, &self.options)
        };
        let today: BTreeSet<&str> =
            record.policy.iter().flat_map(|policy| grave(&policy.violations)).collect();
        let new: BTreeSet<&'static str> =
            grave(&facts.violations).filter(|rule| !today.contains(rule)).collect();
        if new.is_empty() {
            if !today.is_empty() {
                self.broken_today += 1;
            } else if facts.verdict == Verdict::Pass {
                self.keeping += 1;
            } else {
                self.unclear += 1;
            }
            return;
        }
        self.breaking += 1;
        let offer = offer(record, &self.options.settings, &new);
        let client = record.client.ip();
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            self.fold();
        }
        let is_late = self.beyond > 0;
        let found = self.clients.entry(client).or_insert_with(|| Breaking {
            flows: 0,
            is_late,
            rules: BTreeSet::new(),
            offer: Offer::Enough,
        });
        found.flows += 1;
        found.rules.extend(new);
        if offer > found.offer {
            found.offer = offer;
        }
    }

    /// Keeps the half with most flows.
    fn fold(&mut self) {
        let dropped: Vec<IpAddr> =
            self.top(usize::MAX).split_off(MAX_CLIENTS / 2).into_iter().map(|(client, _)| client).collect();
        for breaking in dropped.iter().filter_map(|client| self.clients.remove(client)) {
            self.beyond += breaking.flows;
        }
    }

    /// How many there are; a lower bound where flows are counted beyond those told apart.
    pub(super) fn clients_number(&self) -> u64 {
        self.clients.len().max(if self.beyond > 0 { MAX_CLIENTS } else { 0 }) as u64
    }

    /// Those with most flows first.
    pub(super) fn top(&self, number: usize) -> Vec<(IpAddr, &Breaking)> {
        let mut all: Vec<(IpAddr, &Breaking)> =
            self.clients.iter().map(|(client, breaking)| (*client, breaking)).collect();
        all.sort_by_key(|(client, breaking)| (std::cmp::Reverse(breaking.flows), *client));
        all.truncate(number);
        all
    }

    /// Sentence on what the profile asks for, in short.
    pub(super) fn asks(&self) -> String {
        let settings = &self.profile.settings;
        let mut parts = vec![format!("at least {}", words::version_words(settings.minimum_version))];
        if !settings.allowed_ciphers.is_empty() {
            parts.push(words::count(settings.allowed_ciphers.len() as u64, "listed suite"));
        }
        if !settings.allowed_groups.is_empty() {
            parts.push(words::count(settings.allowed_groups.len() as u64, "listed group"));
        }
        if settings.severities.requires(Rule::NotPostQuantum) {
            parts.push("post-quantum key exchange".to_owned());
        }
        if settings.severities.requires(Rule::FipsEndpointRequired) {
            parts.push("FIPS endpoints".to_owned());
        }
        parts.join(", ")
    }
}

/// Rules on what the two sides agree on, of which the client offers the choice.
const OF_THE_AGREEMENT: &[Rule] = &[
    Rule::TlsVersionTooLow,
    Rule::TlsVersionNotRecommended,
    Rule::LegacyClientRefused,
    Rule::NoForwardSecrecy,
    Rule::WeakCipher,
    Rule::CipherNotAllowed,
    Rule::GroupNotAllowed,
    Rule::WeakKeyExchange,
    Rule::NotPostQuantum,
    Rule::TlsCompression,
];

/// Whether the client could do what the settings ask for if the other side wanted it, where its flow breaks these rules.
fn offer(record: &Record, settings: &Settings, broken: &BTreeSet<&str>) -> Offer {
    if broken.contains(Rule::FipsEndpointRequired.as_str()) {
        return Offer::Missing("asks for an endpoint that is no FIPS endpoint");
    }
    if !OF_THE_AGREEMENT.iter().any(|rule| broken.contains(rule.as_str())) {
        return Offer::Elsewhere;
    }
    let Some(hello) = record.tls.as_deref().and_then(|tls| tls.client_hello.as_ref()) else {
        return if record.http.is_some() { Offer::Missing("speaks no TLS") } else { Offer::Unknown };
    };
    let Some(version) = hello.max_version() else { return Offer::Unknown };
    if hello.is_truncated {
        return Offer::Unknown;
    }
    if version.generation() < settings.minimum_version.generation() {
        return Offer::Missing("does not offer the version");
    }
    let suites = &settings.allowed_ciphers;
    if !suites.is_empty() && !hello.cipher_suites.iter().any(|suite| suites.contains(suite)) {
        return Offer::Missing("offers none of the listed suites");
    }
    let groups = &settings.allowed_groups;
    if !groups.is_empty() && !hello.supported_groups.iter().any(|group| groups.contains(group)) {
        return Offer::Missing("offers none of the listed groups");
    }
    if settings.severities.requires(Rule::NotPostQuantum)
        && !hello.supported_groups.iter().any(|group| group.is_post_quantum())
    {
        return Offer::Missing("offers no post-quantum group");
    }
    Offer::Enough
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::Severity;

    fn judged(mut record: Record) -> Record {
        record.policy = Some(policy::evaluate(&record, &Options::default()));
        record
    }

    fn what_if(records: &[Record]) -> WhatIf {
        let mut what_if = WhatIf::new(Some(&Options::default()), &policy::profile::all(), false);
        records.iter().for_each(|record| what_if.take(record));
        what_if
    }

    #[test]
    fn leaves_out_what_asks_for_less() {
        let what_if = what_if(&[judged(sample::tls12())]);
        let names: Vec<&str> = what_if.cases().iter().map(|case| case.profile.name.as_str()).collect();
        assert!(names.contains(&"cnsa-2.0") && names.contains(&"pq-ready"), "{names:?}");
        assert!(!names.contains(&"aws-dynamodb") && !names.contains(&"aws-dynamodb-2019"), "{names:?}");
        assert!(!names.contains(&"pci-dss-4"), "it asks for less: {names:?}");
    }

    #[test]
    fn names_the_client_that_cannot_do_it() {
        let what_if = what_if(&[judged(sample::tls12())]);
        let case = what_if.cases().iter().find(|case| case.profile.name == "pq-ready").unwrap();
        assert_eq!((case.breaking, case.keeping), (1, 0));
        let (client, breaking) = case.top(9).into_iter().next().unwrap();
        assert_eq!(client, sample::tls12().client.ip());
        assert!(breaking.rules.contains("tls_version_too_low"), "{breaking:?}");
        assert_eq!(breaking.offer, Offer::Missing("does not offer the version"));
        // Nor does it get a connection where it is refused.
        let mut record = sample::refused();
        let tls = record.tls.as_mut().unwrap();
        tls.client_hello.as_mut().unwrap().legacy_version = crate::model::registry::TlsVersion::TLS12;
        let found = self::what_if(&[judged(record)]);
        let case = found.cases().iter().find(|case| case.profile.name == "pq-ready").unwrap();
        let (_, breaking) = case.top(9).into_iter().next().unwrap();
        assert_eq!(breaking.rules, BTreeSet::from(["legacy_client_refused"]));
        assert_eq!(breaking.offer, Offer::Missing("does not offer the version"));
    }

    /// Which endpoint is asked for is the client's choice; of a certificate its hello says nothing.
    #[test]
    fn says_of_no_rule_beyond_the_agreement_that_the_other_side_chose() {
        let offer_of = |rule| {
            let mut profile = policy::profile::find("aws-dynamodb").unwrap();
            profile.settings.profile = "own".into();
            profile.settings.severities.set(rule, Some(Severity::Critical));
            let record = judged(sample::tls12());
            let mut what_if = WhatIf::new(Some(&Options::default()), &[profile], false);
            what_if.take(&record);
            what_if.cases()[0].top(1).first().map(|(_, breaking)| breaking.offer.clone())
        };
        let fips = Offer::Missing("asks for an endpoint that is no FIPS endpoint");
        assert_eq!(offer_of(Rule::FipsEndpointRequired), Some(fips));
        assert_eq!(offer_of(Rule::SigningNotAssessable), Some(Offer::Elsewhere));
        assert_eq!(offer_of(Rule::NotPostQuantum), Some(Offer::Missing("offers no post-quantum group")));
    }

    #[test]
    fn counts_every_flow_once() {
        let records: Vec<Record> = sample::all().into_iter().map(judged).collect();
        for case in what_if(&records).cases() {
            let sum = case.breaking + case.broken_today + case.unclear + case.keeping;
            assert_eq!(sum, records.len() as u64, "{}", case.profile.name);
        }
    }

    /// What a record does not hold any more counts as it was found at the time.
    #[test]
    fn a_record_keeps_nothing_that_it_could_not_then() {
        let mut record = sample::tls12();
        let stricter = policy::profile::find("nist-800-52r2").unwrap();
        let row = |record: &Record| {
            let mut what_if = WhatIf::new(Some(&Options::default()), std::slice::from_ref(&stricter), true);
            what_if.take(record);
            let case = &what_if.cases()[0];
            (case.breaking, case.unclear, case.keeping)
        };
        record.policy = Some(policy::evaluate(&record, &Options::default()));
        assert_eq!(row(&record), (0, 0, 1));
        record.policy.as_mut().unwrap().not_assessed = vec!["suspected_interception"];
        record.policy.as_mut().unwrap().verdict = Verdict::NotAssessable;
        assert_eq!(row(&record), (0, 1, 0));
        // Whose it was, another issuer in the record does not tell.
        let tls = record.tls.as_mut().unwrap();
        let mut other = (**tls.certificate.as_ref().unwrap()).clone();
        other.issuer_organization = None;
        tls.certificate = Some(other.into());
        record.policy.as_mut().unwrap().not_assessed.clear();
        assert_eq!(row(&record).0, 0);
    }
}
