//! A terminal to run a program in: a pseudo-terminal, and an emulator that knows what would be seen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Whatever is waited for, it takes less.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal of its own. It is killed where a test fails.
pub struct Terminal {
    pub child: Child,
    keyboard: File,
    /// Kept open, so that the terminal can be looked at after the program has ended.
    other_side: OwnedFd,
    modes_before: LocalModes,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Every byte that came.
    raw: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Terminal {
    /// Starts `program` in a terminal of this size.
    pub fn start(program: &Command, lines: u16, columns: u16) -> Self {
        // The program must not have this end, too.
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let other_side = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        tcsetwinsize(&master, size(lines, columns)).unwrap();
        let modes_before = tcgetattr(&other_side).unwrap().local_modes;
        // `setsid` makes it the controlling terminal, as a shell has one.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .stdin(other_side.try_clone().unwrap())
            .stdout(other_side.try_clone().unwrap())
            .stderr(other_side.try_clone().unwrap());
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(number(lines), number(columns), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut output = File::from(master.try_clone().unwrap());
        let (seen, kept) = (Arc::clone(&screen), Arc::clone(&raw));
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            let a_moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            while !stop.load(Ordering::Relaxed) {
                if poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&a_moment)) == Ok(0) {
                    continue;
                }
                let Ok(count @ 1..) = output.read(&mut bytes) else { break };
                seen.lock().unwrap().process(&bytes[..count]);
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let (keyboard, reader) = (File::from(master), Some(reader));
        Self { child, keyboard, other_side, modes_before, screen, raw, reader, is_over }
    }

    /// The window is closed, and with it all that leads to it.
    pub fn close_window(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.reader.take().unwrap().join().unwrap();
        self.keyboard = File::open("/dev/null").unwrap();
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// The window gets another size.
    pub fn resize(&self, lines: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(number(lines), number(columns));
        tcsetwinsize(&self.keyboard, size(lines, columns)).unwrap();
    }

    /// What is to be seen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Everything the program wrote.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Waits until this is to be seen; gives the screen.
    pub fn wait_for(&mut self, words: &str) -> String {
        self.wait_until(words, |text| text.contains(words))
    }

    /// Waits until the screen is so.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let text = self.text();
            if is_so(&text) {
                // A drawing may come in several pieces.
                std::thread::sleep(Duration::from_millis(60));
                if self.text() == text {
                    return text;
                }
            }
            assert!(begin.elapsed() < PATIENCE, "never: {what}\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the program.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a shell would find the terminal as it was: lines and echo, the main screen, a cursor.
    pub fn assert_given_back(&self) {
        let begin = Instant::now();
        let modes = || tcgetattr(&self.other_side).unwrap().local_modes;
        let is_back = || {
            let screen = self.screen.lock().unwrap();
            modes() == self.modes_before
                && !screen.screen().alternate_screen()
                && !screen.screen().hide_cursor()
        };
        // The last bytes may be under way.
        while !is_back() {
            assert!(begin.elapsed() < PATIENCE, "the terminal is not as it was: {:?}", modes());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(modes().contains(LocalModes::ECHO | LocalModes::ICANON));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

const fn size(lines: u16, columns: u16) -> Winsize {
    Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
