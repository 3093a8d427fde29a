//! The status page: one document, readable without script, nothing loaded from elsewhere.
//!
//! Every text that came from the wire is escaped by the template engine; styles and script stand in the page
//! and are allowed by their hash, so that nothing else in it can act.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, context, escape_formatter};
use sha2::{Digest as _, Sha256};

use super::picture::NO_VERSION;
use super::summary::{State, Summary, percent};
use crate::export::markup::with_code;
use crate::export::plain::{bytes, plain, thousands};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Renders the page.
pub struct Page {
    environment: Environment<'static>,
}

impl Page {
    /// Reads the template.
    ///
    /// # Errors
    /// A mistake in the template, which a test would find.
    pub fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // The ending of the name turns escaping on.
        environment.add_template("page.html", TEMPLATE)?;
        // No text acts on the page: control characters and signs that turn the direction of writing are written out.
        environment.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if !value.is_safe() => escape_formatter(out, state, &plain(text).into()),
            _ => escape_formatter(out, state, value),
        });
        environment.add_filter("n", thousands);
        environment.add_filter("bytes", bytes);
        environment.add_filter("when", when);
        environment.add_filter("words", words);
        environment.add_filter("code", with_code);
        Ok(Self { environment })
    }

    /// The whole document.
    ///
    /// # Errors
    /// A mistake in the template, which a test would find.
    pub fn render(&self, summary: &Summary<'_>) -> Result<String, minijinja::Error> {
        let state = match summary.watching.state {
            State::Starting => "starting",
            State::Capturing if summary.watching.backend == "replay" => "playing",
            State::Capturing => "capturing",
            State::Failing => "not capturing",
            State::Over => "replay over",
        };
        let verdicts = &summary.verdicts;
        let judged = verdicts.pass + verdicts.violation + verdicts.not_assessable;
        self.environment.get_template("page.html")?.render(context! {
            s => minijinja::value::Serde(summary),
            state,
            shares => context! { violation => format!("{:.1}", percent(verdicts.violation, judged)) },
            no_version => NO_VERSION,
            css => STYLE,
            js => SCRIPT,
        })
    }
}

/// What the page may do, for the header `Content-Security-Policy`.
#[must_use]
pub fn content_security_policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(STYLE)),
        STANDARD.encode(Sha256::digest(SCRIPT))
    )
}

/// RFC 3339 to the second, with a space.
fn when(time: &str) -> String {
    let seconds = time.get(..19).unwrap_or(time);
    seconds.replace('T', " ")
}

/// `client_only` as `client only`.
fn words(text: &str) -> String {
    text.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::export::sample;
    use crate::model::Timestamp;
    use crate::serve::{Configuration, Picture, Watching};
    use crate::telemetry::Accounts;

    fn rendered(picture: &Picture, watching: &Watching) -> String {
        rendered_with(picture, watching, &Accounts::default())
    }

    fn rendered_with(picture: &Picture, watching: &Watching, accounts: &Accounts) -> String {
        let configuration = Configuration::default();
        let times = (Timestamp::default(), Timestamp::from_seconds(9));
        let summary = Summary::new(picture, accounts, watching, &configuration, times, 20);
        Page::new().unwrap().render(&summary).unwrap()
    }

    #[test]
    fn escapes_what_came_from_the_wire() {
        let mut picture = Picture::default();
        let mut record = sample::old_version();
        record.endpoint.host = Some("<img src=x onerror=alert(1)>.amazonaws.com".to_owned());
        let policy = record.policy.as_mut().unwrap();
        assert!(!policy.violations.is_empty());
        for violation in &mut policy.violations {
            violation.message = "</script><script>alert(2)</script>".to_owned();
            violation.remedy = "\"'><b onmouseover=alert(3)>`<b>`".into();
        }
        picture.take(&record);
        let watching = Watching {
            interfaces: vec!["<i>eth0".to_owned()],
            refused: BTreeMap::from([("<u>".to_owned(), "<s>why".to_owned())]),
            trouble: Some("<h1>trouble\u{1b}[31m\u{202e}\u{200b}".to_owned()),
            ..Watching::default()
        };
        let page = rendered(&picture, &watching);
        for raw in ["<img", "<script>alert", "<b onmouse", "<code><b>", "<i>", "<u>", "<s>", "<h1>trouble"] {
            assert!(!page.contains(raw), "{raw}");
        }
        assert!(page.contains("&lt;img") && page.contains("trouble\\u{1b}[31m\\u{202e}\\u{200b}<"), "{page}");
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn shows_commands_as_code() {
        let mut picture = Picture::default();
        let mut record = sample::old_version();
        for violation in &mut record.policy.as_mut().unwrap().violations {
            violation.remedy = "Look at it (`ddbwatch check`).".into();
        }
        picture.take(&record);
        let watching = Watching { trouble: Some("`lo` is down".to_owned()), ..Watching::default() };
        let page = rendered(&picture, &watching);
        assert!(page.contains("Look at it (<code>ddbwatch check</code>)."), "{page}");
        assert!(page.contains("<code>lo</code> is down"), "{page}");
    }

    #[test]
    fn says_that_nothing_was_seen_rather_than_that_all_is_well() {
        let page = rendered(&Picture::default(), &Watching::default());
        assert!(page.contains("No flow was reported yet, so nothing can be said."));
        assert!(!page.contains("No rule was broken"));
    }

    #[test]
    fn never_says_that_all_flows_violate_where_one_does_not() {
        let mut picture = Picture::default();
        picture.take(&sample::tls12());
        (0..2_000).for_each(|_| picture.take(&sample::old_version()));
        let accounts = Accounts { records: 2_001, ..Accounts::default() };
        let page = rendered_with(&picture, &Watching::default(), &accounts);
        assert!(page.contains("99.9 % of flows"), "{page}");
    }

    #[test]
    fn says_that_flows_were_lost_for_want_of_room() {
        const NOTHING: &str = "No packet and no record, at any stage.";
        let of = |evictions: &[(&'static str, u64)]| {
            let accounts = Accounts { evictions: evictions.iter().copied().collect(), ..Accounts::default() };
            rendered_with(&Picture::default(), &Watching::default(), &accounts)
        };
        assert!(of(&[("no_payload", 9)]).contains(NOTHING));
        let page = of(&[("no_payload", 9), ("memory_full", 1_000), ("table_full", 2)]);
        assert!(page.contains("1,002 flows left the table without a record for want of room."), "{page}");
        assert!(!page.contains(NOTHING));
    }

    #[test]
    fn says_which_flows_pass_only_under_an_exception() {
        let mut picture = Picture::default();
        picture.take(&sample::tls12());
        assert!(!rendered(&picture, &Watching::default()).contains("under an exception"));
        picture.take(&sample::excused());
        assert!(
            rendered(&picture, &Watching::default())
                .contains("seen to keep the profile, 1 only under an exception")
        );
    }

    #[test]
    fn says_that_metrics_found_no_room() {
        let page =
            |series_folded| rendered(&Picture::default(), &Watching { series_folded, ..Watching::default() });
        assert!(!page(0).contains("max_series"));
        assert!(page(1_234).contains("The metrics count 1,234 observations under <code>other</code>"));
    }

    #[test]
    fn allows_only_its_own_style_and_script() {
        let page = rendered(&Picture::default(), &Watching::default());
        let between = |open: &str, close: &str| {
            page.split_once(open).unwrap().1.split_once(close).unwrap().0.to_owned()
        };
        let policy = content_security_policy();
        for text in [between("<style>", "</style>"), between("<script>", "</script>")] {
            assert!(
                policy.contains(&STANDARD.encode(Sha256::digest(text))),
                "what is hashed is what is sent"
            );
        }
        for outside in ["http:", "https:", "//cdn", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains(" style="), "the policy would refuse it");
    }

    #[test]
    fn writes_times_for_people() {
        assert_eq!(when("2026-11-23T10:00:01.123456789Z"), "2026-11-23 10:00:01");
    }
}
