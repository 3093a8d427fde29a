//! The terminal: taken over, drawn on, read from, and given back however this ends.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};

use super::Update;
use super::screen::{Look, draw};
use super::state::{Action, Key, State};

/// How long a key or a signal may wait.
const LISTEN: Duration = Duration::from_millis(50);

/// Draws until the user has enough.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn run(
    mut state: State,
    look: Look,
    updates: &Receiver<Update>,
    wake: &SyncSender<()>,
) -> io::Result<()> {
    let signals = Signals::hear()?;
    restore_on_panic();
    let _guard = Guard::take_over()?;
    let mut screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    // Some terminals keep what another program left on the second screen.
    wipe(&mut screen)?;
    let mut is_changed = true;
    loop {
        if signals.end.load(Ordering::Relaxed) {
            return Ok(());
        }
        if signals.pause.swap(false, Ordering::Relaxed) {
            suspend(&mut screen, &signals)?;
            is_changed = true;
        }
        while let Ok(update) = updates.try_recv() {
            state.update(update);
            is_changed = true;
        }
        if is_changed {
            let size = screen.size()?;
            state.resize(size.width, size.height);
            screen.draw(|frame| draw(&state, look, frame))?;
        }
        if !listen()? {
            return Ok(());
        }
        is_changed = event::poll(Duration::ZERO)?;
        if !is_changed {
            continue;
        }
        let action = match event::read()? {
            Event::Key(event) if event.kind != KeyEventKind::Release => match key(event) {
                Some(key) => state.press(key),
                None => continue,
            },
            Event::Resize(..) => Action::Redraw,
            _ => continue,
        };
        match action {
            Action::Draw => {}
            Action::Redraw => wipe(&mut screen)?,
            // A question that waits already is enough.
            Action::Refresh => drop(wake.try_send(())),
            Action::Suspend => signals.pause.store(true, Ordering::Relaxed),
            Action::Quit => return Ok(()),
        }
    }
}

/// Waits for a key, a moment long; false where the terminal is gone. The library that reads the keys would read its end over
/// and over, and never come back.
fn listen() -> io::Result<bool> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    // What is drawn on is the terminal; input may be a capture.
    let terminal = if stdin.is_terminal() { stdin.as_fd() } else { stdout.as_fd() };
    let mut ends = [PollFd::new(&terminal, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(LISTEN.subsec_nanos()) };
    match poll(&mut ends, Some(&timeout)) {
        // A signal, which is looked for next.
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [end] = ends;
    Ok(!end.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
}

/// One picture as text, without any control character.
///
/// # Errors
/// Where it cannot be drawn.
pub fn once(mut state: State, is_unicode: bool, (columns, lines): (u16, u16)) -> io::Result<String> {
    state.resize(columns, lines);
    let look = Look { has_color: false, is_unicode, is_text: true };
    let Ok(mut screen) = Terminal::new(TestBackend::new(columns, lines));
    let Ok(_) = screen.draw(|frame| draw(&state, look, frame));
    let mut text = String::new();
    let buffer = screen.backend().buffer();
    for y in 0..lines {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..columns {
            let symbol = buffer.cell((x, y)).map_or(" ", |cell| cell.symbol());
            if skip == 0 {
                line.push_str(symbol);
            }
            skip = crate::view::text::width(symbol).max(skip).saturating_sub(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
    Ok(text)
}

fn key(event: KeyEvent) -> Option<Key> {
    let is_control = event.modifiers.contains(KeyModifiers::CONTROL);
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match event.code {
        KeyCode::Char('c') if is_control => Key::Interrupt,
        KeyCode::Char('z') if is_control => Key::Suspend,
        KeyCode::Char('l') if is_control => Key::Redraw,
        KeyCode::Char('u') if is_control => Key::Erase,
        KeyCode::Char(_) if is_control => return None,
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// What other processes and the terminal ask for.
struct Signals {
    end: Arc<AtomicBool>,
    pause: Arc<AtomicBool>,
}

impl Signals {
    fn hear() -> io::Result<Self> {
        let signals = Self { end: Arc::default(), pause: Arc::default() };
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&signals.end))?;
        }
        signal_hook::flag::register(SIGTSTP, Arc::clone(&signals.pause))?;
        Ok(signals)
    }
}

/// Gives the terminal back, stops as the shell expects it, and takes the terminal again.
fn suspend(screen: &mut Terminal<CrosstermBackend<io::Stdout>>, signals: &Signals) -> io::Result<()> {
    give_back();
    signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
    signals.pause.store(false, Ordering::Relaxed);
    take()?;
    wipe(screen)
}

/// The next drawing draws everything. The terminal is asked nothing for that: not all of them answer.
fn wipe(screen: &mut Terminal<CrosstermBackend<io::Stdout>>) -> io::Result<()> {
    execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
    *screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    Ok(())
}

/// Holds the terminal.
struct Guard;

impl Guard {
    fn take_over() -> io::Result<Self> {
        let guard = Self;
        take()?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)
}

/// As it was. Where that fails, nobody is left to tell.
fn give_back() {
    let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
    let _ = terminal::disable_raw_mode();
    let _ = io::stdout().flush();
}

/// The message of a panic stands on the screen that stays.
fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
}
