//! The sentences on what it all comes to.

use super::collect::Collected;
use super::words::{count, share, thousands};
use crate::model::Judgement;

/// The one sentence, and its class.
pub(super) fn verdict(collected: &Collected, is_partial: bool) -> (String, &'static str) {
    let (mut text, class) = verdict_of_flows(collected);
    if is_partial {
        text.push_str(" Part of the input was not read: see what was not seen.");
    }
    (text, class)
}

fn verdict_of_flows(collected: &Collected) -> (String, &'static str) {
    let (all, counts, excused) = (collected.flows, &collected.judgements, collected.excused);
    let (critical, violations) = (counts.of(Judgement::Critical), counts.violations());
    let unclear = counts.of(Judgement::NotAssessable) + counts.of(Judgement::NotJudged);
    if all == 0 {
        ("No flow was seen, so nothing can be said of them.".to_owned(), "unclear")
    } else if violations > 0 {
        let gravely = if critical > 0 {
            format!(", {} of them critically", thousands(critical))
        } else {
            String::new()
        };
        let class = if critical > 0 { "critical" } else { "warning" };
        let text = format!(
            "The rules are not kept: {} of {} ({}) {} them{gravely}.",
            thousands(violations),
            count(all, "flow"),
            share(violations, all),
            if violations == 1 { "breaks" } else { "break" },
        );
        (text, class)
    } else if unclear > 0 {
        let but = match excused {
            0 => String::new(),
            excused => format!(" but for {} under an exception", count(excused, "flow")),
        };
        let text = format!(
            "No violation was seen{but}, but {} of {} could not be assessed: it is not shown that the rules are kept.",
            thousands(unclear),
            count(all, "flow")
        );
        (text, "unclear")
    } else {
        let only = match excused {
            0 => String::new(),
            excused => format!(", {} of them only under an exception", thousands(excused)),
        };
        let text = match all {
            1 if excused == 1 => "The 1 flow seen keeps the rules only under an exception.".to_owned(),
            1 => "The 1 flow seen keeps the rules.".to_owned(),
            all => format!("All {} seen keep the rules{only}.", count(all, "flow")),
        };
        (text, "pass")
    }
}

/// Which client addresses break a rule.
pub(super) fn who_must_act(collected: &Collected) -> String {
    let clients = collected.clients.values();
    let violating = clients.clone().filter(|client| client.counts.violations() > 0).count() as u64;
    let excused =
        clients.filter(|client| client.counts.violations() == 0 && client.is_excused).count() as u64;
    let beyond = &collected.clients_beyond;
    let has_more = beyond.violations() > 0;
    let mut text = format!(
        "Of {}, {}{} {} a rule",
        addresses(collected.clients_number(), beyond.total() > 0),
        if violating == 0 && !has_more { "none".to_owned() } else { thousands(violating) },
        if has_more { " and more" } else { "" },
        if violating <= 1 && !has_more { "breaks" } else { "break" },
    );
    if excused > 0 {
        let more = if collected.has_excused_beyond { " or more" } else { "" };
        text.push_str(&format!(", {}{more} only under an exception", thousands(excused)));
    }
    text
}

/// How many flows an exception keeps from being violations, where there are any.
pub(super) fn excused(collected: &Collected) -> Option<String> {
    let text = |excused| {
        let verb = if excused == 1 { "breaks" } else { "break" };
        format!(
            "{} {verb} a rule under an exception and would be a violation without it",
            count(excused, "flow")
        )
    };
    Some(collected.excused).filter(|excused| *excused > 0).map(text)
}

/// `1 client address`, `2 client addresses`.
pub(super) fn addresses(number: u64, has_more: bool) -> String {
    let (more, is_one) = (if has_more { " and more" } else { "" }, number == 1 && !has_more);
    format!("{}{more} client {}", thousands(number), if is_one { "address" } else { "addresses" })
}
