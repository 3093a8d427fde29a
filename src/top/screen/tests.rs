use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::export::jsonl::write_record;
use crate::export::sample;
use crate::model::Record;
use crate::serve;
use crate::telemetry::{Accounts, DamageNote, InterfaceCounts, StageCounts};
use crate::top::capture::Gathering;
use crate::top::picture::{Flow, Picture};
use crate::top::state::Key;
use crate::top::{Update, once};
use crate::view::text::width;

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 50), (60, 16)];

fn accounts() -> Accounts {
    let mut accounts = Accounts::default();
    let counts = |packets| StageCounts { packets, bytes: packets * 100 };
    accounts.interfaces.insert(
        "eth0".to_owned(),
        InterfaceCounts { seen: counts(1_000), skipped: counts(10), parsed: counts(990), last_packet: None },
    );
    accounts.dropped.insert(("eth0".to_owned(), "kernel", "ring_full"), 37);
    accounts.damage.push(DamageNote {
        file: "a.pcap".to_owned(),
        offset: Some(7),
        what: "cut off".to_owned(),
    });
    accounts.skipped.insert("not_tcp", 10);
    accounts
}

fn picture(records: &[Record]) -> Picture {
    let mut gathering = Gathering::default();
    records.iter().for_each(|record| gathering.take(record));
    let mut accounts = accounts();
    accounts.records = records.len() as u64;
    let configuration = serve::Configuration { profile: "aws-dynamodb".to_owned(), ..Default::default() };
    gathering.finish(&accounts, vec!["a.pcap".to_owned()], configuration).unwrap()
}

fn state() -> State {
    State::new("a.pcap", picture(&sample::all()), true)
}

const PLAIN: Look = Look { has_color: false, is_unicode: true, is_text: false };

fn terminal(state: &mut State, look: Look, (columns, lines): (u16, u16)) -> Terminal<TestBackend> {
    state.resize(columns, lines);
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| draw(state, look, frame)).unwrap();
    terminal
}

fn rows(state: &mut State, look: Look, size: (u16, u16)) -> Vec<String> {
    let terminal = terminal(state, look, size);
    let cells = terminal.backend().buffer().content();
    cells
        .chunks(usize::from(size.0).max(1))
        .map(|row| row.iter().map(|cell| cell.symbol()).collect())
        .collect()
}

#[test]
fn says_what_is_wrong_who_must_act_and_what_was_not_seen() {
    for size in SIZES {
        let mut state = state();
        let text = rows(&mut state, PLAIN, size).join("\n");
        for words in [
            "break the profile aws-dynamodb",
            "Not seen: 37 lost packets (3.6 %)",
            "What is wrong",
            "Who must act",
        ] {
            assert!(text.contains(words), "{size:?}: no {words} in\n{text}");
        }
        let worst = &state.picture.summary.violations[0];
        assert!(text.contains(&worst.rule) && text.contains("critical"), "{text}");
        let client = state.picture.summary.offenders.worst[0].address.to_string();
        assert!(text.contains(&client), "{text}");
        assert!(text.contains("→"), "the remedy: {text}");
    }
}

#[test]
fn shows_each_view_and_page_at_each_size() {
    for size in SIZES {
        for (keys, words) in [
            ("2", vec!["Endpoint", "Version", "Verdict", "newest first"]),
            ("3", vec!["Client", "Rules", "violating flows"]),
            ("4", vec!["990 parsed + 10 skipped", "37 at kernel (ring full)"]),
            ("?", vec!["Keys", "choose a line"]),
        ] {
            let mut state = state();
            for key in keys.chars() {
                state.press(Key::Letter(key));
            }
            let text = rows(&mut state, PLAIN, size).join("\n");
            for words in words {
                assert!(text.contains(words), "{size:?} {keys}: no {words} in\n{text}");
            }
        }
    }
}

#[test]
fn shows_a_flow_with_its_evidence() {
    let mut state = state();
    state.press(Key::Letter('2'));
    state.press(Key::End);
    state.press(Key::Enter);
    let text = rows(&mut state, PLAIN, (200, 200)).join("\n");
    for words in ["Verdict: ", "client.address", "flow.completeness", "handshake.outcome", "policy.profile"] {
        assert!(text.contains(words), "no {words} in\n{text}");
    }
}

#[test]
fn says_that_there_is_no_room() {
    let text = rows(&mut state(), PLAIN, (40, 12)).join("");
    assert!(text.contains("40 columns and 12 lines"), "{text}");
    for size in [(0, 0), (1, 1), (59, 16), (60, 15)] {
        rows(&mut state(), PLAIN, size);
    }
}

#[test]
fn says_that_the_daemon_is_gone_and_that_the_picture_is_held() {
    let mut state = state();
    state.picture.is_of_captures = false;
    state.update(Update::Trouble("http://127.0.0.1:9477 cannot be reached".to_owned()));
    let text = rows(&mut state, PLAIN, (80, 24)).join("\n");
    assert!(text.contains("STALE since") && text.contains("cannot be reached"), "{text}");
    assert!(text.contains("What is wrong"), "the last picture stays");
    state.update(Update::Picture(Box::new(picture(&[]))));
    state.press(Key::Letter(' '));
    assert!(rows(&mut state, PLAIN, (80, 24))[0].contains("HELD at"));
}

#[test]
fn needs_no_color_and_no_unicode() {
    let mut state = State::new("a.pcap", picture(&sample::all()), false);
    let look = Look { has_color: false, is_unicode: false, is_text: false };
    for keys in ["1", "2", "3", "4", "?"] {
        for key in keys.chars() {
            state.press(Key::Letter(key));
        }
        let terminal = terminal(&mut state, look, (80, 24));
        for cell in terminal.backend().buffer().content() {
            assert!(cell.symbol().is_ascii(), "{}", cell.symbol());
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
}

#[test]
fn marks_the_choice_and_severity_by_more_than_color() {
    let mut state = state();
    let text = rows(&mut state, Look { has_color: true, ..PLAIN }, (80, 24));
    let chosen: Vec<_> = text.iter().filter(|row| row.starts_with('>')).collect();
    assert_eq!(chosen.len(), 1, "{text:#?}");
    assert!(chosen[0].contains("✖ critical"));
    let terminal = terminal(&mut state, Look { has_color: true, ..PLAIN }, (80, 24));
    let buffer = terminal.backend().buffer();
    assert!(buffer.content().iter().any(|cell| cell.fg == Color::Red));
    assert!(buffer.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
}

#[test]
fn lets_nothing_from_the_wire_act_on_the_terminal() {
    let mut state = state();
    let evil = "\u{1b}[2Jevil\u{7}\u{202e}\r\n\u{9b}31m";
    let mut record = sample::tls12();
    let mut json = Vec::new();
    write_record(&record, &mut json);
    let json = String::from_utf8(json).unwrap().replacen(
        "{",
        &format!("{{\"x.key{}\":{},", "\\u001b", serde_json::to_string(evil).unwrap()),
        1,
    );
    record.policy = None;
    let mut flow = Flow::new(&record, json.into());
    flow.name = evil.to_owned();
    flow.line.endpoint = evil.to_owned();
    flow.line.path = evil.to_owned();
    state.picture.flows.insert(0, flow);
    state.picture.summary.notes.push(evil.to_owned());
    state.picture.summary.configuration.profile = evil.to_owned();
    state.picture.summary.violations[0].message = evil.to_owned();
    state.picture.summary.offenders.worst[0].software = Some(evil.to_owned());
    state.source = evil.to_owned();
    state.update(Update::Trouble(evil.to_owned()));
    for size in SIZES {
        for key in ['1', '2', '3', '4'] {
            state.press(Key::Letter(key));
            for _ in 0..2 {
                for row in rows(&mut state, PLAIN, size) {
                    assert!(
                        !row.chars().any(|letter| letter.is_control() || letter == '\u{202e}'),
                        "{row:?}"
                    );
                }
                state.press(Key::Enter);
            }
        }
    }
}

#[test]
fn gives_one_picture_as_text() {
    let text = once(state(), true, (100, 30)).unwrap();
    assert!(text.lines().count() <= 30 && text.lines().all(|line| width(line) <= 100));
    assert!(text.starts_with("ddbwatch top") && !text.contains('\u{1b}') && !text.contains("quit"), "{text}");
    let state = State::new("a.pcap", picture(&sample::all()), false);
    assert!(once(state, false, (60, 16)).unwrap().is_ascii());
}
