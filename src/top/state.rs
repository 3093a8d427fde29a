//! What keys and new pictures make of what is on the screen. Pure: nothing here draws, waits or asks.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::Update;
use super::details;
use super::filter::{Filter, MAX_LETTERS};
use super::page::{Line, Page};
use super::picture::{BrokenRule, Flow, Offender, Picture};
use crate::model::Timestamp;
use crate::view::Signs;

/// One of the screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Overview,
    Flows,
    Clients,
    NotSeen,
}

impl View {
    /// In the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Overview, Self::Flows, Self::Clients, Self::NotSeen];

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Flows => "Flows",
            Self::Clients => "Clients",
            Self::NotSeen => "Not seen",
        }
    }

    const fn number(self) -> usize {
        self as usize
    }
}

/// A key, as far as it means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Letter(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Tab,
    BackTab,
    Backspace,
    /// Ctrl-U: all of the line.
    Erase,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
}

/// What is to be done for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Draw,
    /// Everything, as something else may have written to the terminal.
    Redraw,
    /// Ask the daemon now.
    Refresh,
    Suspend,
    Quit,
}

/// Orders of the flow table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FlowOrder {
    #[default]
    Time,
    Gravity,
    Client,
    Name,
    Version,
}

/// Orders of the client table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClientOrder {
    #[default]
    Flows,
    Gravity,
    Address,
    Newest,
}

impl FlowOrder {
    const fn next(self) -> Self {
        match self {
            Self::Time => Self::Gravity,
            Self::Gravity => Self::Client,
            Self::Client => Self::Name,
            Self::Name => Self::Version,
            Self::Version => Self::Time,
        }
    }

    pub(super) const fn words(self, is_reversed: bool) -> &'static str {
        match (self, is_reversed) {
            (Self::Time, false) => "newest first",
            (Self::Time, true) => "oldest first",
            (Self::Gravity, false) => "gravest first",
            (Self::Gravity, true) => "best first",
            (Self::Client, false) => "by client",
            (Self::Client, true) => "by client, backwards",
            (Self::Name, false) => "by name",
            (Self::Name, true) => "by name, backwards",
            (Self::Version, false) => "oldest version first",
            (Self::Version, true) => "newest version first",
        }
    }
}

impl ClientOrder {
    const fn next(self) -> Self {
        match self {
            Self::Flows => Self::Gravity,
            Self::Gravity => Self::Address,
            Self::Address => Self::Newest,
            Self::Newest => Self::Flows,
        }
    }

    pub(super) const fn words(self, is_reversed: bool) -> &'static str {
        match (self, is_reversed) {
            (Self::Flows, false) => "most violating flows first",
            (Self::Flows, true) => "fewest violating flows first",
            (Self::Gravity, false) => "gravest first",
            (Self::Gravity, true) => "least grave first",
            (Self::Address, false) => "by address",
            (Self::Address, true) => "by address, backwards",
            (Self::Newest, false) => "newest first",
            (Self::Newest, true) => "oldest first",
        }
    }
}

/// All that is on the screen.
pub struct State {
    pub(super) picture: Picture,
    /// The newest one, while the shown one is held.
    waiting: Option<Box<Picture>>,
    /// Why the daemon does not answer.
    pub(super) trouble: Option<String>,
    /// Where the picture comes from.
    pub(super) source: String,
    pub(super) view: View,
    pub(super) filter: Filter,
    /// What is being typed after `/`.
    pub(super) typed: Option<String>,
    pub(super) is_paused: bool,
    pub(super) flow_order: (FlowOrder, bool),
    pub(super) client_order: (ClientOrder, bool),
    /// Flows, clients and rules that pass the filter, in order.
    flow_rows: Vec<usize>,
    client_rows: Vec<usize>,
    rule_rows: Vec<usize>,
    /// The chosen line of each view, or how far it is scrolled.
    cursors: [usize; 4],
    /// The chosen flow, so that new ones above it do not move the choice; none: the first line, whatever it is.
    followed: Option<(Timestamp, SocketAddr, SocketAddr)>,
    opened: Option<(Page, usize)>,
    pub(super) columns: usize,
    pub(super) lines: usize,
    pub(super) signs: &'static Signs,
}

impl State {
    /// With the first picture.
    #[must_use]
    pub fn new(source: impl Into<String>, picture: Picture, is_unicode: bool) -> Self {
        let mut state = Self {
            picture,
            waiting: None,
            trouble: None,
            source: source.into(),
            view: View::default(),
            filter: Filter::default(),
            typed: None,
            is_paused: false,
            flow_order: (FlowOrder::default(), false),
            client_order: (ClientOrder::default(), false),
            flow_rows: Vec::new(),
            client_rows: Vec::new(),
            rule_rows: Vec::new(),
            cursors: [0; 4],
            followed: None,
            opened: None,
            columns: 80,
            lines: 24,
            signs: Signs::of(is_unicode),
        };
        state.arrange();
        state
    }

    /// The terminal has this size.
    pub fn resize(&mut self, columns: u16, lines: u16) {
        (self.columns, self.lines) = (columns.into(), lines.into());
        self.keep_in_bounds();
    }

    /// What the source tells.
    pub fn update(&mut self, update: Update) {
        match update {
            Update::Trouble(why) => self.trouble = Some(why),
            Update::Picture(picture) => {
                self.trouble = None;
                if self.is_paused {
                    self.waiting = Some(picture);
                } else {
                    self.picture = *picture;
                    self.arrange();
                }
            }
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: Key) -> Action {
        match key {
            Key::Interrupt => return Action::Quit,
            Key::Suspend => return Action::Suspend,
            Key::Redraw => return Action::Redraw,
            _ if self.typed.is_some() => self.type_filter(key),
            Key::Letter('q') => return Action::Quit,
            Key::Letter('r') => return Action::Refresh,
            Key::Letter(' ') => self.hold_or_go_on(),
            Key::Letter('?' | 'h') => self.open(details::help(self.signs)),
            Key::Letter('/') => {
                self.opened = None;
                self.typed = Some(self.filter.text().to_owned());
            }
            Key::Letter(digit @ '1'..='4') => {
                self.show(View::ALL.get(digit as usize - '1' as usize).copied())
            }
            Key::Tab => self.show(View::ALL.get((self.view.number() + 1) % View::ALL.len()).copied()),
            Key::BackTab => {
                self.show(
                    View::ALL.get((self.view.number() + View::ALL.len() - 1) % View::ALL.len()).copied(),
                );
            }
            Key::Letter('s') => self.sort(false),
            Key::Letter('S') => self.sort(true),
            Key::Letter('f') => self.filter_by_chosen(),
            Key::Enter => self.open_chosen(),
            Key::Escape => return self.step_back(),
            Key::Up | Key::Letter('k') => self.go(|at, _| at.saturating_sub(1)),
            Key::Down | Key::Letter('j') => self.go(|at, _| at.saturating_add(1)),
            Key::PageUp => self.go(|at, page| at.saturating_sub(page)),
            Key::PageDown => self.go(|at, page| at.saturating_add(page)),
            Key::Home | Key::Letter('g') => self.go(|_, _| 0),
            Key::End | Key::Letter('G') => self.go(|_, _| usize::MAX),
            Key::Letter(_) | Key::Backspace | Key::Erase => {}
        }
        Action::Draw
    }

    fn show(&mut self, view: Option<View>) {
        self.opened = None;
        self.view = view.unwrap_or_default();
    }

    fn open(&mut self, page: Page) {
        self.opened = Some((page, 0));
    }

    fn hold_or_go_on(&mut self) {
        self.is_paused = !self.is_paused;
        if let Some(picture) = self.waiting.take().filter(|_| !self.is_paused) {
            self.picture = *picture;
            self.arrange();
        }
    }

    fn type_filter(&mut self, key: Key) {
        let Some(typed) = &mut self.typed else { return };
        match key {
            Key::Letter(letter) if typed.chars().count() < MAX_LETTERS && !letter.is_control() => {
                typed.push(letter);
            }
            Key::Backspace => {
                typed.pop();
            }
            Key::Erase => typed.clear(),
            Key::Enter => {
                self.typed = None;
                return;
            }
            Key::Escape => {
                self.typed = None;
                self.use_filter("");
                return;
            }
            _ => return,
        }
        let text = typed.clone();
        self.use_filter(&text);
    }

    fn use_filter(&mut self, text: &str) {
        self.filter = Filter::new(text);
        self.followed = None;
        self.cursors = [0; 4];
        self.arrange();
    }

    /// The flows of the chosen rule or client.
    fn filter_by_chosen(&mut self) {
        let text = match self.view {
            View::Overview => self.chosen_rule().map(|rule| format!("rule={}", rule.rule)),
            View::Clients => self.chosen_client().map(|client| format!("client={}", client.address)),
            View::Flows => self.chosen_flow().map(|flow| format!("client={}", flow.client.ip())),
            View::NotSeen => None,
        };
        if let Some(text) = text {
            self.use_filter(&text);
            self.show(Some(View::Flows));
        }
    }

    fn open_chosen(&mut self) {
        if self.opened.is_some() {
            return;
        }
        let page = match self.view {
            View::Overview => self.chosen_rule().map(|rule| details::rule(rule, self.signs)),
            View::Flows => self.chosen_flow().map(|flow| details::flow(flow, self.signs)),
            View::Clients => self.chosen_client().map(|client| details::client(client, self.signs)),
            View::NotSeen => None,
        };
        if let Some(page) = page {
            self.open(page);
        }
    }

    fn step_back(&mut self) -> Action {
        if self.opened.take().is_some() {
        } else if !self.filter.is_empty() {
            self.use_filter("");
        } else if self.view == View::Overview {
            return Action::Quit;
        } else {
            self.view = View::Overview;
        }
        Action::Draw
    }

    fn sort(&mut self, is_turned: bool) {
        if is_turned {
            match self.view {
                View::Flows => self.flow_order.1 = !self.flow_order.1,
                View::Clients => self.client_order.1 = !self.client_order.1,
                View::Overview | View::NotSeen => {}
            }
        } else {
            match self.view {
                View::Flows => self.flow_order = (self.flow_order.0.next(), false),
                View::Clients => self.client_order = (self.client_order.0.next(), false),
                View::Overview | View::NotSeen => {}
            }
        }
        self.followed = None;
        if let Some(cursor) = self.cursors.get_mut(self.view.number()) {
            *cursor = 0;
        }
        self.arrange();
    }

    /// Moves the choice, or scrolls: `to` gets where it is and the lines of a page.
    fn go(&mut self, to: impl Fn(usize, usize) -> usize) {
        let page = self.page_lines();
        if self.opened.is_some() {
            let last = self.opened_lines().map_or(0, |lines| lines.len().saturating_sub(page));
            if let Some((_, at)) = &mut self.opened {
                *at = to(*at, page).min(last);
            }
            return;
        }
        let last = self.last_row();
        if let Some(at) = self.cursors.get_mut(self.view.number()) {
            *at = to(*at, page).min(last);
        }
        if self.view == View::Flows {
            self.followed = if self.cursor() == 0 { None } else { self.chosen_flow().map(Flow::identity) };
        }
    }

    /// The last place of the cursor.
    fn last_row(&self) -> usize {
        match self.view {
            View::Overview => self.rule_rows.len().saturating_sub(1),
            View::Flows => self.flow_rows.len().saturating_sub(1),
            View::Clients => self.client_rows.len().saturating_sub(1),
            View::NotSeen => self.not_seen_lines().len().saturating_sub(self.page_lines()),
        }
    }

    /// Lines of a list or page: all but the head, a notice and the foot.
    pub(super) const fn page_lines(&self) -> usize {
        let others = if self.trouble.is_some() { 5 } else { 4 };
        let lines = self.lines.saturating_sub(others);
        if lines == 0 { 1 } else { lines }
    }

    /// Sorts and filters anew.
    fn arrange(&mut self) {
        let Picture { flows, summary, .. } = &self.picture;
        self.flow_rows = (0..flows.len())
            .filter(|row| flows.get(*row).is_some_and(|flow| self.filter.admits(flow)))
            .collect();
        let of = |row: &usize| flows.get(*row);
        // Sorting is stable: within equal ones the newest stays first, also where the order is turned round.
        let is_turned = self.flow_order.1;
        self.flow_rows.sort_by_key(|row| Reverse(of(row).map(|flow| flow.timestamp)));
        if is_turned {
            self.flow_rows.reverse();
        }
        match self.flow_order.0 {
            FlowOrder::Time => self.flow_rows.sort_by_key(|row| Reverse(of(row).map(|flow| flow.timestamp))),
            FlowOrder::Gravity => self.flow_rows.sort_by_key(|row| of(row).map(|flow| flow.judged)),
            FlowOrder::Client => self.flow_rows.sort_by_key(|row| of(row).map(|flow| flow.client)),
            FlowOrder::Name => self.flow_rows.sort_by_cached_key(|row| of(row).map(|flow| flow.name.clone())),
            FlowOrder::Version => {
                self.flow_rows.sort_by_cached_key(|row| of(row).map(|flow| flow.line.version.clone()));
            }
        }
        if is_turned {
            self.flow_rows.reverse();
        }
        let clients = &summary.offenders.worst;
        self.client_rows = (0..clients.len())
            .filter(|row| clients.get(*row).is_some_and(|client| self.filter.admits_client(client)))
            .collect();
        let of = |row: &usize| clients.get(*row);
        match self.client_order.0 {
            ClientOrder::Flows => {
                self.client_rows.sort_by_key(|row| Reverse(of(row).map(|client| client.flows)));
            }
            ClientOrder::Gravity => self.client_rows.sort_by_key(|row| {
                Reverse(of(row).map(|client| (client.rules.first().map(|rule| rule.severity), client.flows)))
            }),
            ClientOrder::Address => self.client_rows.sort_by_key(|row| of(row).map(|client| client.address)),
            ClientOrder::Newest => {
                self.client_rows.sort_by_cached_key(|row| Reverse(of(row).map(|client| client.last.clone())));
            }
        }
        if self.client_order.1 {
            self.client_rows.reverse();
        }
        let rules = &summary.violations;
        self.rule_rows = (0..rules.len())
            .filter(|row| rules.get(*row).is_some_and(|rule| self.filter.admits_rule(rule)))
            .collect();
        self.follow();
        self.keep_in_bounds();
    }

    /// Puts the cursor back on the chosen flow, where that is still there.
    fn follow(&mut self) {
        let Some(identity) = self.followed else {
            // The first line is chosen, whatever it is.
            self.cursors[View::Flows.number()] = 0;
            return;
        };
        let is_it =
            |row: &usize| self.picture.flows.get(*row).is_some_and(|flow| flow.identity() == identity);
        if let Some(at) = self.flow_rows.iter().position(is_it) {
            self.cursors[View::Flows.number()] = at;
        }
    }

    fn keep_in_bounds(&mut self) {
        let lasts = [self.rule_rows.len(), self.flow_rows.len(), self.client_rows.len()];
        for (cursor, rows) in self.cursors.iter_mut().zip(lasts) {
            *cursor = (*cursor).min(rows.saturating_sub(1));
        }
        let last = self.not_seen_lines().len().saturating_sub(self.page_lines());
        let scrolled = &mut self.cursors[View::NotSeen.number()];
        *scrolled = (*scrolled).min(last);
        let last = self.opened_lines().map_or(0, |lines| lines.len().saturating_sub(self.page_lines()));
        if let Some((_, at)) = &mut self.opened {
            *at = (*at).min(last);
        }
    }

    /// The chosen line, or how far the view is scrolled.
    pub(super) fn cursor(&self) -> usize {
        self.cursors.get(self.view.number()).copied().unwrap_or_default()
    }

    /// The flows that pass the filter, in order.
    pub(super) fn flows(&self) -> impl ExactSizeIterator<Item = Option<&Flow>> {
        self.flow_rows.iter().map(|row| self.picture.flows.get(*row))
    }

    pub(super) fn clients(&self) -> impl ExactSizeIterator<Item = Option<&Offender>> {
        self.client_rows.iter().map(|row| self.picture.summary.offenders.worst.get(*row))
    }

    pub(super) fn rules(&self) -> impl ExactSizeIterator<Item = Option<&BrokenRule>> {
        self.rule_rows.iter().map(|row| self.picture.summary.violations.get(*row))
    }

    pub(super) fn chosen_flow(&self) -> Option<&Flow> {
        self.flows().nth(self.cursors[View::Flows.number()]).flatten()
    }

    pub(super) fn chosen_client(&self) -> Option<&Offender> {
        self.clients().nth(self.cursors[View::Clients.number()]).flatten()
    }

    pub(super) fn chosen_rule(&self) -> Option<&BrokenRule> {
        self.rules().nth(self.chosen_rule_row()).flatten()
    }

    pub(super) const fn chosen_rule_row(&self) -> usize {
        self.cursors[View::Overview.number()]
    }

    /// The page that is open: title and how far it is scrolled.
    pub(super) fn opened(&self) -> Option<(&str, usize)> {
        self.opened.as_ref().map(|(page, at)| (page.title.as_str(), *at))
    }

    pub(super) fn opened_lines(&self) -> Option<Vec<Line>> {
        self.opened.as_ref().map(|(page, _)| page.lines(self.columns, self.signs))
    }

    pub(super) fn not_seen_lines(&self) -> Vec<Line> {
        details::not_seen(&self.picture, self.trouble.as_deref()).lines(self.columns, self.signs)
    }

    /// A newer picture waits behind the one that is held.
    pub(super) const fn has_newer(&self) -> bool {
        self.waiting.is_some()
    }
}

#[cfg(test)]
mod tests;
