use super::*;
use crate::export::jsonl::write_record;
use crate::export::sample;
use crate::top::picture::Summary;

fn flow(client: &str, seconds: u64) -> Flow {
    let mut record = sample::tls12();
    record.client = format!("{client}:1000").parse().unwrap();
    record.timestamp = Timestamp::from_seconds(seconds);
    let mut json = Vec::new();
    write_record(&record, &mut json);
    Flow::new(&record, String::from_utf8(json).unwrap().trim_end().into())
}

/// Flows of clients 10.0.0.0, 10.0.0.1 …, the newest first.
fn picture(flows: u64) -> Picture {
    let summary = r#"{"schema":"ddbwatch.summary/1","now":"2026-11-26T12:00:00.0Z","flows":{"reported":9},
        "violations":[
            {"rule":"weak_cipher","severity":"critical","flows":3,"clients":2,"remedy":"mend it"},
            {"rule":"dns_override","severity":"warning","flows":1,"clients":1}],
        "offenders":{"clients":2,"worst":[
            {"address":"10.0.0.2","flows":3,"rules":[{"rule":"dns_override","severity":"warning","flows":3}]},
            {"address":"10.0.0.1","flows":1,"rules":[{"rule":"weak_cipher","severity":"critical","flows":1}]}]}}"#;
    Picture {
        summary: Summary::read(summary.as_bytes()).unwrap(),
        flows: (0..flows).rev().map(|number| flow(&format!("10.0.0.{number}"), number)).collect(),
        ..Picture::default()
    }
}

fn state(flows: u64) -> State {
    State::new("test", picture(flows), true)
}

fn press(state: &mut State, keys: &str) -> Action {
    keys.chars().map(|letter| state.press(Key::Letter(letter))).last().unwrap()
}

fn clients(state: &State) -> Vec<String> {
    state.flows().flatten().map(|flow| flow.client.ip().to_string()).collect()
}

#[test]
fn goes_from_view_to_view() {
    let mut state = state(3);
    for (key, view) in [
        (Key::Tab, View::Flows),
        (Key::Tab, View::Clients),
        (Key::Tab, View::NotSeen),
        (Key::Tab, View::Overview),
        (Key::BackTab, View::NotSeen),
        (Key::Letter('2'), View::Flows),
        (Key::Letter('1'), View::Overview),
    ] {
        assert_eq!(state.press(key), Action::Draw);
        assert_eq!(state.view, view);
    }
}

#[test]
fn filters_while_typing_and_forgets_on_escape() {
    let mut state = state(3);
    press(&mut state, "2/client=10.0.0.1");
    assert_eq!(clients(&state), ["10.0.0.1"]);
    state.press(Key::Backspace);
    assert_eq!(clients(&state).len(), 3);
    // While a filter is typed, letters are no commands.
    press(&mut state, "q2");
    assert_eq!(state.typed.as_deref(), Some("client=10.0.0.q2"));
    state.press(Key::Erase);
    press(&mut state, "10.0.0.2");
    state.press(Key::Enter);
    assert_eq!((state.typed.as_deref(), clients(&state)), (None, vec!["10.0.0.2".to_owned()]));
    assert_eq!(state.press(Key::Escape), Action::Draw);
    assert_eq!(clients(&state).len(), 3);
}

#[test]
fn sorts_by_each_column_and_the_other_way_round() {
    let mut state = state(3);
    press(&mut state, "2");
    assert_eq!(clients(&state), ["10.0.0.2", "10.0.0.1", "10.0.0.0"]);
    press(&mut state, "S");
    assert_eq!(clients(&state), ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
    press(&mut state, "ss");
    assert_eq!(state.flow_order, (FlowOrder::Client, false));
    assert_eq!(clients(&state), ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
    press(&mut state, "sss");
    assert_eq!(state.flow_order, (FlowOrder::Time, false));

    let addresses = |state: &State| -> Vec<String> {
        state.clients().flatten().map(|client| client.address.to_string()).collect()
    };
    press(&mut state, "3");
    assert_eq!(addresses(&state), ["10.0.0.2", "10.0.0.1"]);
    press(&mut state, "s");
    assert_eq!(addresses(&state), ["10.0.0.1", "10.0.0.2"], "the gravest first");
}

/// Records come when their flows end, which is not the order in which they began.
#[test]
fn shows_the_newest_first_among_equal_ones() {
    let flows = [5, 9, 7].map(|seconds| flow("10.0.0.1", seconds)).into();
    let mut state = State::new("test", Picture { flows, ..picture(0) }, true);
    let times =
        |state: &State| -> Vec<Timestamp> { state.flows().flatten().map(|flow| flow.timestamp).collect() };
    let newest_first = [9, 7, 5].map(Timestamp::from_seconds);
    press(&mut state, "2ss");
    assert_eq!(state.flow_order, (FlowOrder::Client, false));
    assert_eq!(times(&state), newest_first);
    press(&mut state, "S");
    assert_eq!(times(&state), newest_first, "also where clients are turned round");
}

#[test]
fn keeps_the_choice_on_its_flow_when_new_ones_come() {
    let mut state = state(3);
    press(&mut state, "2");
    state.update(Update::Picture(Box::new(picture(4))));
    assert_eq!(
        state.chosen_flow().unwrap().client.ip().to_string(),
        "10.0.0.3",
        "the first line is the newest"
    );
    state.press(Key::Down);
    state.update(Update::Picture(Box::new(picture(6))));
    assert_eq!(state.chosen_flow().unwrap().client.ip().to_string(), "10.0.0.2");
    state.press(Key::End);
    assert_eq!(state.chosen_flow().unwrap().client.ip().to_string(), "10.0.0.0");
    state.update(Update::Picture(Box::new(picture(0))));
    assert!(state.chosen_flow().is_none());
    assert_eq!(state.press(Key::Enter), Action::Draw);
}

#[test]
fn holds_the_picture_until_told_to_go_on() {
    let mut state = state(3);
    press(&mut state, " ");
    state.update(Update::Picture(Box::new(picture(5))));
    assert_eq!((state.picture.flows.len(), state.has_newer()), (3, true));
    press(&mut state, " ");
    assert_eq!((state.picture.flows.len(), state.has_newer()), (5, false));
}

#[test]
fn keeps_the_last_picture_when_the_daemon_is_gone() {
    let mut state = state(3);
    state.update(Update::Trouble("gone".to_owned()));
    assert_eq!((state.picture.flows.len(), state.trouble.as_deref()), (3, Some("gone")));
    state.update(Update::Picture(Box::new(picture(2))));
    assert_eq!((state.picture.flows.len(), state.trouble.as_deref()), (2, None));
}

#[test]
fn opens_what_is_chosen_and_goes_back_step_by_step() {
    let mut state = state(3);
    state.press(Key::Down);
    state.press(Key::Enter);
    assert_eq!(state.opened(), Some(("Rule dns_override", 0)));
    state.press(Key::Escape);
    press(&mut state, "3");
    state.press(Key::Enter);
    assert_eq!(state.opened(), Some(("Client 10.0.0.2", 0)));
    press(&mut state, "f");
    assert_eq!((state.view, state.filter.text()), (View::Flows, "client=10.0.0.2"));
    state.press(Key::Enter);
    assert!(state.opened().unwrap().0.starts_with("Flow of 10.0.0.2:1000"));
    state.press(Key::End);
    let (_, at) = state.opened().unwrap();
    let lines = state.opened_lines().unwrap().len();
    assert_eq!(at, lines - state.page_lines(), "the last line is at the foot");
    state.resize(200, 200);
    assert_eq!(state.opened().unwrap().1, 0, "all of it has room");
    // The page, the filter, the view, the program.
    for _ in 0..3 {
        assert_eq!(state.press(Key::Escape), Action::Draw);
    }
    assert_eq!(state.view, View::Overview);
    assert_eq!(state.press(Key::Escape), Action::Quit);
}

#[test]
fn tells_what_it_cannot_do_itself() {
    let mut state = state(0);
    for (key, action) in [
        (Key::Letter('q'), Action::Quit),
        (Key::Letter('r'), Action::Refresh),
        (Key::Interrupt, Action::Quit),
        (Key::Suspend, Action::Suspend),
        (Key::Redraw, Action::Redraw),
        (Key::Letter('x'), Action::Draw),
    ] {
        assert_eq!(state.press(key), action);
    }
    press(&mut state, "/");
    assert_eq!(state.press(Key::Letter('q')), Action::Draw);
    assert_eq!(state.press(Key::Interrupt), Action::Quit);
}

#[test]
fn survives_any_keys_in_any_order() {
    let keys = [
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Enter,
        Key::Escape,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Erase,
        Key::Letter('/'),
        Key::Letter('s'),
        Key::Letter('S'),
        Key::Letter('f'),
        Key::Letter(' '),
        Key::Letter('?'),
        Key::Letter('='),
    ];
    let mut state = state(5);
    let mut number = 7_usize;
    for round in 0..3_000_u64 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.press(keys[(number >> 33) % keys.len()]);
        if round % 7 == 0 {
            state.update(Update::Picture(Box::new(picture(round % 11))));
            state.resize((round % 130) as u16, (round % 40) as u16);
        }
        assert!(state.cursor() == 0 || state.cursor() <= state.last_row());
    }
}
