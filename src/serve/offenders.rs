//! Who breaks the rules: clients by the flows that do, with what each has to change, in bounded memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::model::{Record, Severity, Timestamp, Verdict};
use crate::policy::clients::Programs;

/// Clients told apart; beyond, those with most violating flows stay. Each takes some kilobytes at most.
const MAX_CLIENTS: usize = 512;

/// One client, as people see it.
#[derive(Debug, Serialize)]
pub struct Offender<'a> {
    pub address: IpAddr,
    /// Flows with the verdict `violation`; a lower bound where clients with few were forgotten.
    pub flows: u64,
    /// What its violating flows probably come from, where their own words or fingerprints tell.
    pub software: Option<String>,
    /// RFC 3339, of the newest violating flow.
    pub last: String,
    /// Rules it broke at `warning` or `critical`, the gravest first.
    pub rules: Vec<OffenderRule<'a>>,
}

/// One rule that a client broke.
#[derive(Debug, Serialize)]
pub struct OffenderRule<'a> {
    pub rule: &'static str,
    pub severity: Severity,
    pub flows: u64,
    /// Of the newest flow.
    pub remedy: &'a str,
}

/// What is remembered of one client.
struct Client {
    flows: u64,
    programs: Programs,
    last: Timestamp,
    rules: BTreeMap<(Reverse<Severity>, &'static str), Broken>,
}

/// What is remembered of a rule that a client broke.
#[derive(Default)]
struct Broken {
    flows: u64,
    last: Timestamp,
    /// Of the newest flow.
    remedy: String,
}

impl Client {
    /// The gravest first, of those the most frequent.
    fn rules(&self) -> Vec<OffenderRule<'_>> {
        let mut rules: Vec<OffenderRule<'_>> = self
            .rules
            .iter()
            .map(|((severity, rule), broken)| OffenderRule {
                rule,
                severity: severity.0,
                flows: broken.flows,
                remedy: &broken.remedy,
            })
            .collect();
        rules.sort_by_key(|rule| (Reverse(rule.severity), Reverse(rule.flows)));
        rules
    }
}

/// All clients that break rules.
#[derive(Default)]
pub(super) struct Offenders {
    clients: BTreeMap<IpAddr, Client>,
    is_folded: bool,
}

impl Offenders {
    /// Takes one record; `shorten` limits texts that strangers may have chosen.
    pub(super) fn take(&mut self, record: &Record, shorten: impl Fn(&str) -> String) {
        let Some(policy) = record.policy.as_ref().filter(|policy| policy.verdict == Verdict::Violation)
        else {
            return;
        };
        let address = record.client.ip();
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&address) {
            self.fold();
        }
        let client = self.clients.entry(address).or_insert_with(|| Client {
            flows: 0,
            programs: Programs::default(),
            last: record.timestamp,
            rules: BTreeMap::new(),
        });
        client.flows += 1;
        client.last = client.last.max(record.timestamp);
        client.programs.add(record);
        for found in policy.violations.iter().filter(|found| found.severity.counts()) {
            let broken = client.rules.entry((Reverse(found.severity), found.rule)).or_default();
            broken.flows += 1;
            if record.timestamp >= broken.last {
                broken.last = record.timestamp;
                broken.remedy = shorten(&found.remedy);
            }
        }
    }

    /// Keeps the half with most flows.
    fn fold(&mut self) {
        let mut order: Vec<(Reverse<u64>, IpAddr)> =
            self.clients.iter().map(|(address, client)| (Reverse(client.flows), *address)).collect();
        order.sort_unstable();
        for (_, address) in order.into_iter().skip(MAX_CLIENTS / 2) {
            self.clients.remove(&address);
        }
        self.is_folded = true;
    }

    /// How many there are; a lower bound where [`Self::has_more`].
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Clients with few flows were forgotten.
    pub(super) const fn has_more(&self) -> bool {
        self.is_folded
    }

    /// The `number` with most violating flows, most first; equal ones by address.
    pub(super) fn top(&self, number: usize) -> Vec<Offender<'_>> {
        let mut all: Vec<(&IpAddr, &Client)> = self.clients.iter().collect();
        all.sort_by_key(|(address, client)| (Reverse(client.flows), **address));
        all.into_iter()
            .take(number)
            .map(|(address, client)| Offender {
                address: *address,
                flows: client.flows,
                software: client.programs.words(),
                last: client.last.to_string(),
                rules: client.rules(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::export::sample;
    use crate::model::{PolicyFacts, Violation};

    fn broken(client: u32, rules: &[(&'static str, Severity)]) -> Record {
        let mut record = sample::tls12();
        record.client = SocketAddr::from((Ipv4Addr::from(client), 1));
        let violations = rules.iter().map(|(rule, severity)| Violation {
            rule,
            severity: *severity,
            offending: "".into(),
            message: String::new(),
            remedy: format!("mend {rule}").into(),
            excuse: None,
        });
        record.policy = Some(PolicyFacts {
            profile: "p".into(),
            verdict: Verdict::Violation,
            violations: violations.collect(),
            not_assessed: Vec::new(),
            not_asked: Vec::new(),
        });
        record
    }

    #[test]
    fn names_who_must_act_and_what_to_do() {
        let mut offenders = Offenders::default();
        let both = [
            ("sni_missing", Severity::Info),
            ("dns_override", Severity::Warning),
            ("weak_cipher", Severity::Critical),
        ];
        offenders.take(&broken(1, &both), str::to_owned);
        for _ in 0..2 {
            offenders.take(&broken(2, &both[1..2]), str::to_owned);
        }
        offenders.take(&sample::tls13(), str::to_owned);
        let top = offenders.top(5);
        let told: Vec<_> = top.iter().map(|one| (one.address.to_string(), one.flows)).collect();
        assert_eq!(told[..2], [("0.0.0.2".to_owned(), 2), ("0.0.0.1".to_owned(), 1)]);
        let rules: Vec<_> = top[1].rules.iter().map(|rule| (rule.rule, rule.flows, rule.remedy)).collect();
        assert_eq!(rules, [("weak_cipher", 1, "mend weak_cipher"), ("dns_override", 1, "mend dns_override")]);
        assert!(!offenders.has_more());
    }

    #[test]
    fn stays_small_and_keeps_the_frequent() {
        let mut offenders = Offenders::default();
        for round in 0..3_000 {
            offenders.take(&broken(7, &[("weak_cipher", Severity::Critical)]), str::to_owned);
            offenders.take(&broken(1_000 + round, &[("weak_cipher", Severity::Critical)]), str::to_owned);
        }
        assert!(offenders.len() <= MAX_CLIENTS && offenders.has_more());
        assert_eq!(offenders.top(1)[0].flows, 3_000);
    }
}
