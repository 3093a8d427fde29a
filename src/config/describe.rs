//! What a configuration resolved to, for people; no secrets.

use std::fmt::{Display, Write as _};

use super::file::role_word;
use super::resolved::Resolved;
use crate::classify::PathRule;
use crate::export::plain::plain;
use crate::policy::Settings;

/// The whole configuration as it holds, for `check`.
#[must_use]
pub fn describe(resolved: &Resolved) -> String {
    let mut page = Page(String::new());
    let file = resolved
        .path_of_file
        .as_ref()
        .map_or("none (built-in values)".to_owned(), |path| path.display().to_string());
    page.line("configuration", file);

    page.title("site");
    let site = &resolved.site;
    page.line("region", site.region.as_deref().unwrap_or("not set"));
    page.line("role", site.role.map_or("not set", role_word));
    page.line("vpn outside addresses", joined(&site.vpn_outside, "none"));

    page.title("capture");
    let capture = &resolved.capture;
    page.line("interfaces", joined(&capture.interfaces, "none named"));
    page.line("back-end", capture.backend.as_str());
    page.line("bytes kept of a packet", capture.snaplen_bytes);
    page.line("ring", format_args!("{} MiB", capture.ring_mib));

    page.title("endpoints");
    let prefixes = &resolved.endpoint.prefixes;
    let source =
        resolved.ip_ranges.as_ref().map_or("compiled in".to_owned(), |path| path.display().to_string());
    page.line("address prefixes", format_args!("{} of {}, {source}", prefixes.len(), prefixes.created()));
    for host in &resolved.endpoint.hosts {
        let region = host.region.as_deref().unwrap_or("no region");
        page.line("host", format_args!("{} ({}, {region})", host.name, host.service));
    }

    page.title("paths, the first that matches wins");
    if resolved.path.rules.is_empty() {
        page.text("none: only what packets prove is said");
    }
    for (index, rule) in resolved.path.rules.iter().enumerate() {
        let entry = rule.entry.map_or("entry as packets show".to_owned(), |entry| entry.to_string());
        page.text(format_args!(
            "{}. {}: {} → {}, {entry}",
            index + 1,
            rule.name,
            conditions(rule),
            rule.access
        ));
    }

    let policy = &resolved.policy;
    page.title(&format!("policy, profile {}", policy.settings.profile));
    page.changes(resolved, &policy.settings);
    page.0.push_str(&policy.settings.describe("  "));
    for (index, given) in policy.overrides.iter().enumerate() {
        let condition = if index > 0 { " (only what no override before it takes)" } else { "" };
        page.title(&format!(
            "override {}, for {}{condition}, profile {}",
            index + 1,
            given.matching,
            given.settings.profile
        ));
        page.changes(resolved, &given.settings);
        page.0.push_str(&given.settings.describe("  "));
    }
    if !policy.exceptions.is_empty() {
        page.title("exceptions");
    }
    for exception in &policy.exceptions {
        page.text(format_args!(
            "{} for {} until {}: {} ({})",
            joined(&exception.rules, "no rule"),
            exception.matching,
            exception.expires,
            exception.reason,
            exception.owner
        ));
    }

    page.title("output");
    let output = &resolved.output;
    page.line(
        "records",
        output.records.as_ref().map_or("none".to_owned(), |path| path.display().to_string()),
    );
    page.line("rotation", format_args!("at {} MiB, {} files kept", output.rotate_mib, output.keep));
    page.title("metrics");
    let metrics = &resolved.metrics;
    page.line("listen", metrics.listen);
    page.line("most series of all metrics", metrics.max_series);
    page.line("offenders", metrics.offenders);
    page.title("privacy");
    let redaction = match (resolved.privacy.redact, resolved.privacy.key_file.is_some()) {
        (false, _) => "off: account ids are written as they are",
        (true, true) => "on, account ids as keyed hashes",
        (true, false) => "on, account ids numbered by first appearance",
    };
    page.line("redaction", redaction);
    page.title("limits");
    let limits = &resolved.limits;
    page.line("flows", limits.flows);
    page.line("bytes of a flow", limits.flow_bytes);
    page.line("memory", format_args!("{} MiB", limits.memory_mib));
    page.title("reload");
    page.line("taken by SIGHUP", "all but what needs a restart");
    page.line("needs a restart", "[capture] backend, snaplen, ring_mib; [limits]");
    if !resolved.warnings.is_empty() {
        page.title("warnings");
    }
    for warning in &resolved.warnings {
        page.text(warning);
    }
    page.0
}

/// Writing to a String does not fail.
struct Page(String);

impl Page {
    fn title(&mut self, title: &str) {
        let _ = writeln!(self.0, "\n{}", plain(title));
    }

    fn line(&mut self, key: &str, value: impl Display) {
        self.text(format_args!("{key}: {value}"));
    }

    /// What makes settings others than those of the profile that they are called by.
    fn changes(&mut self, resolved: &Resolved, settings: &Settings) {
        let Some(profile) = resolved.profile(&settings.profile) else { return };
        for change in &profile.changes {
            self.line("the profile differs from the built-in one it stands on", change);
        }
        for change in settings.changes_from(&profile.settings) {
            self.line("changed here", change);
        }
    }

    /// One line, whatever names have in them: whoever wrote the file may be somebody else than who reads this.
    fn text(&mut self, value: impl Display) {
        let _ = writeln!(self.0, "  {}", plain(&value.to_string()));
    }
}

fn joined<T: Display>(values: &[T], none: &str) -> String {
    if values.is_empty() {
        return none.to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn conditions(rule: &PathRule) -> String {
    let macs: Vec<String> = rule
        .next_hop_mac
        .iter()
        .map(|mac| mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
        .collect();
    let endpoints: Vec<String> = rule.gwlb_endpoint.iter().map(|id| format!("vpce-{id:017x}")).collect();
    let parts = [
        ("interface", joined(&rule.interface, "")),
        ("vlan", joined(&rule.vlan, "")),
        ("link kind", joined(&rule.link_kind, "")),
        ("vni", joined(&rule.vni, "")),
        ("gwlb endpoint", joined(&endpoints, "")),
        ("source", joined(&rule.source, "")),
        ("destination", joined(&rule.destination, "")),
        ("next hop", joined(&macs, "")),
        ("tunnel", joined(&rule.tunnel, "")),
    ];
    let given: Vec<String> = parts
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| format!("{key} {values}"))
        .collect();
    if given.is_empty() { "every flow".to_owned() } else { given.join("; ") }
}
