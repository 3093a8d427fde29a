//! The pages: one flow with its evidence, one rule, one client, what was not seen, and the keys.

use serde_json::{Map, Value};

use super::page::Page;
use super::picture::{BrokenRule, Flow, Interface, Offender, Picture, Reason};
use super::words::{Tone, day_and_clock};
use crate::export::schema;
use crate::model::{Completeness, Severity};
use crate::policy::Rule;
use crate::view::Signs;
use crate::view::text::{bytes, count, thousands};

/// Every key of the record, and each violation with what to do.
pub(super) fn flow(flow: &Flow, signs: &Signs) -> Page {
    let mut page = Page::new(format!("Flow of {} to {}", flow.client, flow.name));
    let mut object: Map<String, Value> = serde_json::from_str(&flow.json).unwrap_or_default();
    let verdict = object.get("policy.verdict").and_then(Value::as_str).unwrap_or("not judged");
    page.heading(format!("Verdict: {}", verdict.replace('_', " ")));
    let violations = object.remove("violations");
    let violations = violations.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if violations.is_empty() {
        page.paragraph(2, "No rule was broken.", Tone::Quiet);
    }
    for violation in violations {
        let text = |key: &str| violation.get(key).and_then(Value::as_str).unwrap_or_default();
        let severity = Severity::parse(text("severity")).unwrap_or(Severity::Info);
        let (sign, tone) = sign(severity, signs);
        page.paragraph(0, format!("{sign} {severity}: {} {}", text("rule"), quoted(text("offending"))), tone);
        page.paragraph(4, text("message"), Tone::Plain);
        if severity.counts() {
            page.paragraph(4, format!("{} {}", signs.arrow, text("remedy")), Tone::Heading);
        }
    }
    let mut last = String::new();
    let known = schema::Key::ALL.iter().filter_map(|key| {
        let name = key.column().name;
        Some((name.to_owned(), object.remove(name)?))
    });
    let known: Vec<(String, Value)> = known.collect();
    for (key, value) in known.into_iter().chain(object) {
        if key == "schema" {
            continue;
        }
        let group = group(&key);
        if group != last {
            page.heading(group);
            group.clone_into(&mut last);
        }
        page.labelled(key, written(&value), Tone::Plain);
    }
    page
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("({text})") }
}

/// The heading that a key stands under.
fn group(key: &str) -> &'static str {
    match key.split('.').next().unwrap_or_default() {
        "tls" => "TLS",
        "handshake" | "tcp" => "Handshake",
        "http" => "Plain HTTP",
        "aws" => "Endpoint",
        "path" => "Path",
        "proxy" => "Proxy",
        "policy" => "Policy",
        "process" | "container" => "Process",
        _ => "Flow and capture",
    }
}

/// A value as a person would write it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| format!("{key} {}", written(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

/// What the rule says, who broke it and what to do.
pub(super) fn rule(broken: &BrokenRule, signs: &Signs) -> Page {
    let mut page = Page::new(format!("Rule {}", broken.rule));
    let (sign, tone) = sign(broken.severity, signs);
    page.heading("What is wrong");
    page.paragraph(
        0,
        format!("{sign} {}: {} in {}", broken.severity, broken.rule, count(broken.flows, "flow")),
        tone,
    );
    if let Some(text) = Rule::parse(&broken.rule).map(|rule| rule.text()) {
        page.paragraph(4, text.what, Tone::Plain);
        page.heading("Why it matters");
        page.paragraph(4, text.why, Tone::Plain);
        page.paragraph(4, format!("Source: {}.", text.source), Tone::Quiet);
    }
    page.heading("The newest");
    page.labelled("when", day_and_clock(&broken.last), Tone::Plain);
    page.labelled("found", &broken.message, Tone::Plain);
    page.labelled("do this", &broken.remedy, Tone::Heading);
    page.heading("Who must act");
    let more = if broken.has_more_clients { "more than " } else { "" };
    page.labelled("clients", format!("{more}{}", thousands(broken.clients)), Tone::Plain);
    for client in &broken.worst {
        page.labelled(client.address.to_string(), count(client.flows, "flow"), Tone::Plain);
    }
    page
}

/// What one client has to change.
pub(super) fn client(client: &Offender, signs: &Signs) -> Page {
    let mut page = Page::new(format!("Client {}", client.address));
    page.heading("Client");
    page.labelled("address", client.address.to_string(), Tone::Plain);
    page.labelled("software", client.software.as_deref().unwrap_or("not recognised"), Tone::Plain);
    page.labelled("violating flows", thousands(client.flows), Tone::Plain);
    page.labelled("the newest", day_and_clock(&client.last), Tone::Plain);
    page.heading("What it has to change");
    for broken in &client.rules {
        let (sign, tone) = sign(broken.severity, signs);
        let flows = count(broken.flows, "flow");
        page.paragraph(0, format!("{sign} {}: {} in {flows}", broken.severity, broken.rule), tone);
        page.paragraph(4, format!("{} {}", signs.arrow, broken.remedy), Tone::Plain);
    }
    page
}

/// Sign and tone of a severity.
pub(super) const fn sign(severity: Severity, signs: &Signs) -> (&'static str, Tone) {
    match severity {
        Severity::Critical => (signs.critical, Tone::Critical),
        Severity::Warning => (signs.warning, Tone::Warning),
        Severity::Info => (signs.info, Tone::Quiet),
    }
}

/// Coverage and losses: what is not in the other views.
pub(super) fn not_seen(picture: &Picture, trouble: Option<&str>) -> Page {
    let summary = &picture.summary;
    let mut page = Page::new("Not seen");
    let number = |number: u64| if number > 0 { Tone::Warning } else { Tone::Plain };
    page.heading("Capture");
    if let Some(why) = trouble {
        page.labelled("daemon", why, Tone::Critical);
    }
    let watching = &summary.watching;
    let state = if picture.is_of_captures { "read to its end" } else { &watching.state };
    let tone = if watching.state == "failing" { Tone::Critical } else { Tone::Plain };
    page.labelled("state", state, tone);
    if let Some(why) = &watching.trouble {
        page.labelled("trouble", why, Tone::Critical);
    }
    if !picture.is_of_captures {
        page.labelled("back-end", format!("{} ({})", watching.backend, watching.reason), Tone::Plain);
        page.labelled("restarts", thousands(watching.restarts), number(watching.restarts));
    }
    for (interface, why) in &watching.refused {
        page.labelled("not watched", format!("{interface}: {why}"), Tone::Critical);
    }
    packets(picture, &mut page);

    page.heading("Handshakes");
    for share in &summary.coverage {
        let is_whole = share.completeness == Completeness::Full;
        let label =
            if is_whole { "seen whole".to_owned() } else { share.completeness.as_str().replace('_', " ") };
        let tone = if is_whole { Tone::Plain } else { number(share.flows) };
        page.labelled(label, format!("{} ({:.1} %)", thousands(share.flows), share.percent), tone);
    }
    let flows = &summary.flows;
    let sums = format!(
        "{} opened = {} reported + {} left out + {} open",
        thousands(flows.opened),
        thousands(flows.reported),
        thousands(flows.evicted),
        thousands(flows.open)
    );
    page.labelled("flows", sums, Tone::Plain);
    page.labelled("left out", reasons(&summary.evictions), Tone::Plain);
    if picture.forgotten_flows > 0 {
        let text = format!("{} older than those in the list", thousands(picture.forgotten_flows));
        page.labelled("not listed", text, Tone::Quiet);
    }
    if picture.unreadable_flows > 0 {
        let text = format!("{} of another version", count(picture.unreadable_flows, "flow"));
        page.labelled("not readable", text, Tone::Warning);
    }
    if !summary.notes.is_empty() {
        page.heading("Damaged input");
        for note in &summary.notes {
            page.paragraph(2, note, Tone::Warning);
        }
    }
    page.heading("Basis");
    let configuration = &summary.configuration;
    page.labelled("profile", &configuration.profile, Tone::Plain);
    page.labelled("configuration", configuration.file.as_deref().unwrap_or("built in"), Tone::Plain);
    if let Some(why) = &configuration.refused {
        page.labelled("refused", why, Tone::Warning);
    }
    page.labelled("addresses", &configuration.address_list, Tone::Plain);
    if !configuration.records.is_empty() {
        page.labelled("records go to", &configuration.records, Tone::Plain);
    }
    page
}

fn packets(picture: &Picture, page: &mut Page) {
    let summary = &picture.summary;
    let packets = &summary.packets;
    page.heading("Packets");
    let sums = format!(
        "{} = {} parsed + {} skipped, {}",
        thousands(packets.seen),
        thousands(packets.parsed),
        thousands(packets.skipped),
        bytes(packets.bytes)
    );
    page.labelled("seen", sums, Tone::Plain);
    let lost = if packets.lost == 0 {
        ("none that was noticed".to_owned(), Tone::Good)
    } else {
        let share = 100.0 - packets.seen_percent;
        (format!("{} ({share:.1} %) before they could be looked at", thousands(packets.lost)), Tone::Critical)
    };
    page.labelled("lost", lost.0, lost.1);
    for loss in &summary.dropped {
        let text = format!("{} at {} ({})", thousands(loss.count), loss.stage, loss.reason.replace('_', " "));
        page.labelled(format!("lost: {}", loss.interface), text, Tone::Warning);
    }
    page.labelled("skipped", reasons(&summary.skipped), Tone::Plain);
    let errors = summary.decode_errors.iter();
    let errors = errors
        .map(|one| format!("{} {} ({})", one.layer, one.reason.replace('_', " "), thousands(one.packets)));
    let errors = errors.collect::<Vec<_>>().join(", ");
    if !errors.is_empty() {
        page.labelled("undecoded", errors, Tone::Warning);
    }
    for interface in summary.interfaces.iter().filter(|_| !picture.is_of_captures) {
        page.labelled(&interface.name, interface_text(interface), Tone::Plain);
    }
}

fn interface_text(interface: &Interface) -> String {
    let last = interface
        .last_packet
        .as_deref()
        .map_or_else(String::new, |time| format!(", the last {}", day_and_clock(time)));
    let lost =
        if interface.lost > 0 { format!(", {} lost", thousands(interface.lost)) } else { String::new() };
    format!("{}, {}{lost}{last}", count(interface.packets, "packet"), bytes(interface.bytes))
}

fn reasons(all: &[Reason]) -> String {
    let texts = all.iter().map(|one| format!("{} ({})", one.reason.replace('_', " "), thousands(one.count)));
    let text = texts.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// The keys, and how a filter is written.
pub(super) fn help(signs: &Signs) -> Page {
    let mut page = Page::new("Help");
    page.heading("Keys");
    for (key, text) in [
        ("1 2 3 4, Tab", "overview, flows, clients, what was not seen; the next one"),
        ("arrows, j k", "choose a line, or scroll; PageUp, PageDown, Home, End too"),
        ("Enter", "all of the chosen flow, rule or client: evidence, messages, what to do"),
        ("f", "the flows of the chosen rule or client"),
        ("/", "filter; Enter keeps it, Esc takes it away"),
        ("s, S", "sort by the next column; the other way round"),
        ("Space", "hold the picture, and let it go on"),
        ("r", "ask the daemon now"),
        ("?", "this page"),
        ("Esc", "one step back"),
        ("q, Ctrl-C", "quit; Ctrl-Z: go to the background, fg: come back"),
    ] {
        page.labelled(key, text, Tone::Plain);
    }
    page.heading("Signs");
    for (sign, text, tone) in [
        (signs.critical, "critical: breaks the profile, and data or credentials are at risk", Tone::Critical),
        (signs.warning, "warning: breaks the profile", Tone::Warning),
        (signs.unclear, "not assessable: something the profile asks for could not be seen", Tone::Unclear),
        (signs.good, "pass: everything the profile asks for was seen and kept", Tone::Good),
        (signs.info, "info: worth knowing, never a violation", Tone::Quiet),
    ] {
        page.labelled(sign, text, tone);
    }
    page.heading("Filter");
    page.paragraph(
        2,
        "Words that must all occur in the line, and key=value: client, server, name, region, version, cipher, \
         group, path, outcome, verdict, rule, severity, or any key of a record.",
        Tone::Plain,
    );
    page.paragraph(2, "Example: verdict=violation client=10.1. tls.curve=x25519", Tone::Quiet);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::jsonl::write_record;
    use crate::export::sample;

    #[test]
    fn shows_every_key_and_every_remedy_of_a_record() {
        for record in sample::all() {
            let mut json = Vec::new();
            write_record(&record, &mut json);
            let json = String::from_utf8(json).unwrap();
            let page = flow(&Flow::new(&record, json.trim_end().into()), Signs::of(true));
            let lines = page.lines(500, Signs::of(true));
            let text: String = lines.into_iter().flatten().map(|(text, _)| text + "\n").collect();
            let object: Map<String, Value> = serde_json::from_str(&json).unwrap();
            for key in object.keys().filter(|key| !matches!(key.as_str(), "schema" | "violations")) {
                assert!(text.contains(key), "{key}: {text}");
            }
            for violation in object.get("violations").and_then(Value::as_array).into_iter().flatten() {
                assert!(text.contains(violation["message"].as_str().unwrap()));
            }
        }
    }
}
