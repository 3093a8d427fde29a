//! What evaluation may be told: thresholds and severities, for all flows or for some.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use super::profile;
use super::rules::Rule;
use crate::model::registry::{CipherSuite, NamedGroup, TlsVersion};
use crate::model::{Access, EndpointFacts, EndpointKind, Entry, Record, Service, Severity, Timestamp};

/// Options of the evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub site: Site,
    /// For every flow that no override takes.
    pub settings: Settings,
    /// The first that matches wins. Each holds the whole of its settings, not only what differs.
    pub overrides: Vec<Override>,
    /// The first that matches and has not expired wins.
    pub exceptions: Vec<Exception>,
}

/// The default profile, no exceptions, nothing known of the site.
impl Default for Options {
    fn default() -> Self {
        Self {
            site: Site::default(),
            settings: profile::default_settings(),
            overrides: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Options {
    /// The settings that hold for a flow.
    #[must_use]
    pub fn settings_for(&self, record: &Record) -> &Settings {
        self.overrides
            .iter()
            .find(|candidate| candidate.matching.holds(record) == Some(true))
            .map_or(&self.settings, |found| &found.settings)
    }

    /// Every severity that a rule may be reported at, by the profile, an override or an exception.
    pub fn severities(&self) -> impl Iterator<Item = (Rule, Severity)> {
        let settings =
            || std::iter::once(&self.settings).chain(self.overrides.iter().map(|one| &one.settings));
        Severity::ALL.iter().flat_map(move |severity| {
            Rule::ALL.iter().filter_map(move |rule| {
                let is_given = settings().any(|settings| settings.severities.of(*rule) == Some(*severity));
                let is_accepted = *severity == Severity::Info
                    && self.exceptions.iter().any(|exception| exception.rules.contains(rule))
                    && settings().any(|settings| settings.severities.of(*rule).is_some());
                (is_given || is_accepted).then_some((*rule, *severity))
            })
        })
    }

    /// The settings of overrides that would come before those of [`Options::settings_for`], but ask what is not known of
    /// the flow.
    pub fn possible_settings(&self, record: &Record) -> impl Iterator<Item = &Settings> {
        self.overrides
            .iter()
            .map(|candidate| (candidate.matching.holds(record), &candidate.settings))
            .take_while(|(holds, _)| *holds != Some(true))
            .filter_map(|(holds, settings)| holds.is_none().then_some(settings))
    }
}

/// What the rules know of the place of observation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Home region.
    pub region: Option<String>,
    /// Set where the observer is a hop that a gateway endpoint's traffic never passes, as words for
    /// a sentence: `NAT hop`.
    pub egress_hop: Option<&'static str>,
}

/// Everything a profile decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the profile, as reported.
    pub profile: Arc<str>,
    pub minimum_version: TlsVersion,
    /// At or below the minimum: no recommendation.
    pub recommended_version: TlsVersion,
    /// Empty: not checked.
    pub allowed_ciphers: Vec<CipherSuite>,
    /// Empty: not checked.
    pub allowed_groups: Vec<NamedGroup>,
    /// Empty: not checked.
    pub allowed_paths: Vec<AllowedPath>,
    /// Smallest finite-field Diffie-Hellman prime, in bits.
    pub minimum_dh_bits: u32,
    /// Smallest curve, in bits.
    pub minimum_curve_bits: u32,
    pub severities: Severities,
}

/// A severity for each rule; `None` is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severities([Option<Severity>; Rule::ALL.len()]);

impl Default for Severities {
    fn default() -> Self {
        let mut severities = [None; Rule::ALL.len()];
        for (slot, rule) in severities.iter_mut().zip(Rule::ALL) {
            *slot = rule.default_severity();
        }
        Self(severities)
    }
}

impl Severities {
    /// The severity of a rule; `None` is off.
    #[must_use]
    pub fn of(&self, rule: Rule) -> Option<Severity> {
        self.0.get(rule as usize).copied().flatten()
    }

    /// True where a flow that breaks the rule is a violation.
    #[must_use]
    pub fn requires(&self, rule: Rule) -> bool {
        self.of(rule).is_some_and(Severity::counts)
    }

    /// Sets the severity of a rule; `None` is off.
    pub fn set(&mut self, rule: Rule, severity: Option<Severity>) {
        if let Some(slot) = self.0.get_mut(rule as usize) {
            *slot = severity;
        }
    }
}

/// One entry of `allowed_paths`; what is left out may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedPath {
    pub access: Option<Access>,
    pub entry: Option<Entry>,
}

/// As in messages: `internet into public_endpoint`.
impl fmt::Display for AllowedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.access, self.entry) {
            (Some(access), Some(entry)) => write!(f, "{access} into {entry}"),
            (Some(access), None) => write!(f, "{access}"),
            (None, Some(entry)) => write!(f, "any way into {entry}"),
            (None, None) => f.write_str("any way"),
        }
    }
}

/// Settings for some flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub matching: Match,
    pub settings: Settings,
}

/// A violation that somebody has accepted for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub rules: Vec<Rule>,
    pub matching: Match,
    pub owner: String,
    pub reason: String,
    pub expires: Expiry,
}

const SECONDS_OF_DAY: u64 = 86_400;

/// The last day of an exception, in UTC. The day itself still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    day: Date,
    /// The first moment after it.
    end: Timestamp,
}

impl Expiry {
    /// From `YYYY-MM-DD`; `None` for anything else, and for days that packet time cannot express.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // jiff also reads other forms of ISO 8601; one form is enough for a configuration.
        if text.len() != "YYYY-MM-DD".len() {
            return None;
        }
        let day: Date = text.parse().ok()?;
        // Counted in days: the last day of the calendar, which stands for "never", has no midnight behind it.
        let days = u64::try_from((day - Date::constant(1970, 1, 1)).get_days()).ok()?;
        let end = (days + 1) * SECONDS_OF_DAY;
        Some(Self { day, end: Timestamp::from_seconds(end) })
    }

    /// True at a moment after the day.
    #[must_use]
    pub fn is_over(self, at: Timestamp) -> bool {
        at >= self.end
    }
}

/// `YYYY-MM-DD`
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.day)
    }
}

/// Which flows are meant: every condition given (not empty) must hold, each by any of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Of the client, before or after address translation.
    pub source: Vec<IpNet>,
    /// Of the server, before or after address translation.
    pub destination: Vec<IpNet>,
    pub service: Vec<Service>,
    pub region: Vec<String>,
    pub endpoint: Vec<EndpointKind>,
    pub access: Vec<Access>,
    pub entry: Vec<Entry>,
    /// Names of `[[path]]` rules.
    pub path: Vec<String>,
}

impl Match {
    /// True where it takes each flow that `other` takes.
    #[must_use]
    pub fn takes_all_of(&self, other: &Self) -> bool {
        // Every field is named, so that a new one is not forgotten.
        let Self { source, destination, service, region, endpoint, access, entry, path } = other;
        takes_all_networks(&self.source, source)
            && takes_all_networks(&self.destination, destination)
            && takes_all(&self.service, service)
            && takes_all(&self.region, region)
            && takes_all(&self.endpoint, endpoint)
            && takes_all(&self.access, access)
            && takes_all(&self.entry, entry)
            && takes_all(&self.path, path)
    }

    /// How many values it asks for; none where it takes every flow.
    #[must_use]
    pub fn values(&self) -> usize {
        let Self { source, destination, service, region, endpoint, access, entry, path } = self;
        source.len()
            + destination.len()
            + service.len()
            + region.len()
            + endpoint.len()
            + access.len()
            + entry.len()
            + path.len()
    }

    /// True for the flows that are meant; `None` where that hangs on what is not known of the flow.
    #[must_use]
    pub fn holds(&self, record: &Record) -> Option<bool> {
        let is_in = |nets: &[IpNet], of: &dyn Fn(&(SocketAddr, SocketAddr)) -> SocketAddr| {
            nets.is_empty()
                || std::iter::once(&(record.client, record.server))
                    .chain(&record.translated)
                    .any(|ends| nets.iter().any(|net| net.contains(&of(ends).ip().to_canonical())))
        };
        let (endpoint, path) = (&record.endpoint, &record.path);
        // Of a flow that does not go to DynamoDB nothing is missing.
        let is_dynamodb = endpoint.service.is_some();
        let access = match path.access {
            Access::Unknown => is_one_of(&self.access, Some(&Access::Unknown)).then_some(true),
            _ => is_one_of_known(&self.access, path.known_access().as_ref()),
        };
        let entry = match path.entry {
            Entry::Unknown => is_one_of(&self.entry, Some(&Entry::Unknown)).then_some(true),
            _ => is_one_of_known(&self.entry, path.known_entry().as_ref()),
        };
        // A rule before the one that matched may be the flow's.
        let is_named = is_one_of(&self.path, path.name.as_ref());
        let may_be_named = path.open_rules.iter().any(|name| self.path.contains(name));
        let path_name = match (is_named, self.path.is_empty()) {
            (_, true) => Some(true),
            (true, _) => path.open_rules.is_empty().then_some(true),
            (false, _) => (!may_be_named).then_some(false),
        };
        let is_service = is_one_of(&self.service, endpoint.service.as_ref());
        let is_service_open = record.is_service_open() && self.tells_services_apart(endpoint);
        let is_region = |region: &str| self.region.iter().any(|wanted| wanted == region);
        let region = if self.region.is_empty() { Some(true) } else { record.known_region().map(is_region) };
        let kind = endpoint.kind.as_ref().filter(|_| record.is_name_proved());
        let answers = [
            Some(is_in(&self.source, &|ends| ends.0)),
            Some(is_in(&self.destination, &|ends| ends.1)),
            (!is_service_open).then_some(is_service),
            path_name,
            region.or((!is_dynamodb).then_some(false)),
            is_one_of_known(&self.endpoint, kind).or((!is_dynamodb).then_some(false)),
            access,
            entry,
        ];
        if answers.contains(&Some(false)) {
            Some(false)
        } else {
            answers.iter().all(Option::is_some).then_some(true)
        }
    }

    /// True where it hangs on which of the services that share addresses a flow goes to, of which it has one told. DAX shares none:
    /// a flow that is told as another's is not its. A record that was read back tells of several services, but not of which.
    fn tells_services_apart(&self, endpoint: &EndpointFacts) -> bool {
        let is_dax = |endpoint: &EndpointFacts| endpoint.service == Some(Service::Dax);
        let is_read_back = endpoint.has_many_services && endpoint.alternatives.is_empty();
        // No name of DAX leads to an address of the list.
        let is_dax_open = is_dax(endpoint)
            || !endpoint.is_in_prefix && (is_read_back || endpoint.alternatives.iter().any(is_dax));
        let mut candidates = Service::ALL.iter().filter(|service| is_dax_open || **service != Service::Dax);
        let is_asked = |service: &&Service| self.service.contains(*service);
        candidates.clone().any(|service| is_asked(&service)) && !candidates.all(|service| is_asked(&service))
    }
}

/// True where a list of conditions takes each value that another takes; an empty one takes all.
#[must_use]
pub fn takes_all<T: PartialEq>(wider: &[T], narrower: &[T]) -> bool {
    wider.is_empty() || !narrower.is_empty() && narrower.iter().all(|value| wider.contains(value))
}

/// The same of networks.
#[must_use]
pub fn takes_all_networks(wider: &[IpNet], narrower: &[IpNet]) -> bool {
    wider.is_empty()
        || !narrower.is_empty() && narrower.iter().all(|net| wider.iter().any(|wider| wider.contains(net)))
}

fn is_one_of<T: PartialEq>(wanted: &[T], found: Option<&T>) -> bool {
    wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
}

/// The same, where what is not there may be anything.
fn is_one_of_known<T: PartialEq>(wanted: &[T], found: Option<&T>) -> Option<bool> {
    if wanted.is_empty() { Some(true) } else { found.map(|found| wanted.contains(found)) }
}

/// For people: `source 10.9.0.0/16, region eu-west-1 or eu-west-2`; `every flow` where nothing is asked.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn words<T: fmt::Display>(values: &[T]) -> String {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        }
        let parts = [
            ("source", words(&self.source)),
            ("destination", words(&self.destination)),
            ("service", words(&self.service)),
            ("region", words(&self.region)),
            ("endpoint", words(&self.endpoint)),
            ("access", words(&self.access)),
            ("entry", words(&self.entry)),
            ("path", words(&self.path)),
        ];
        let given: Vec<String> = parts
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(key, values)| format!("{key} {values}"))
            .collect();
        if given.is_empty() { f.write_str("every flow") } else { f.write_str(&given.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_last_day_of_an_exception() {
        let never = Expiry::parse("9999-12-31").unwrap();
        assert!(!never.is_over(Timestamp::from_seconds(9_000_000_000)) && never.to_string() == "9999-12-31");
        let expiry = Expiry::parse("2027-03-31").unwrap();
        // 2027-03-31T23:59:59Z and the second after it.
        assert!(!expiry.is_over(Timestamp::from_seconds(1_806_537_599)));
        assert!(expiry.is_over(Timestamp::from_seconds(1_806_537_600)));
        assert_eq!(expiry.to_string(), "2027-03-31");
    }

    #[test]
    fn refuses_what_is_no_day() {
        for text in
            ["", "2027-02-30", "2027-3-31", "20270331", "31.03.2027", "2027-03-31T00:00", "1969-01-01"]
        {
            assert_eq!(Expiry::parse(text), None, "{text}");
        }
    }

    #[test]
    fn tells_every_severity_that_a_rule_may_have() {
        let mut options = Options::default();
        let of = |options: &Options, rule: Rule| -> Vec<Severity> {
            options.severities().filter(|(one, _)| *one == rule).map(|(_, severity)| severity).collect()
        };
        assert_eq!(of(&options, Rule::EarlyData), [Severity::Info]);
        assert_eq!(of(&options, Rule::NotPostQuantum), []);
        let mut settings = options.settings.clone();
        settings.severities.set(Rule::EarlyData, Some(Severity::Critical));
        options.overrides.push(Override { matching: Match::default(), settings });
        options.exceptions.push(Exception {
            rules: vec![Rule::WeakCipher, Rule::NotPostQuantum],
            matching: Match::default(),
            owner: String::new(),
            reason: String::new(),
            expires: Expiry::parse("2027-03-31").unwrap(),
        });
        assert_eq!(of(&options, Rule::EarlyData), [Severity::Info, Severity::Critical]);
        assert_eq!(of(&options, Rule::WeakCipher), [Severity::Info, Severity::Critical]);
        assert_eq!(of(&options, Rule::NotPostQuantum), [], "what is off is not reported");
    }

    #[test]
    fn keeps_a_severity_for_each_rule() {
        let mut severities = Severities::default();
        for rule in Rule::ALL {
            assert_eq!(severities.of(*rule), rule.default_severity());
        }
        severities.set(Rule::SigningNotAssessable, None);
        assert_eq!(severities.of(Rule::SigningNotAssessable), None);
        assert_eq!(severities.of(Rule::SniMissing), Some(Severity::Info));
    }
}
