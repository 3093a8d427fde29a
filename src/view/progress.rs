//! How far the reading of the inputs is, on stderr, for a person who waits.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws in a second: smooth enough, and no cost beside the reading.
const DRAWS_PER_SECOND: u8 = 10;

/// A bar with bytes, rate and the time left. It draws nothing where stderr is no terminal.
pub struct ReadProgress {
    bar: ProgressBar,
}

impl ReadProgress {
    /// Begins at 0 of `total_bytes`; 0: the total is not known (standard input), and a spinner is drawn.
    #[must_use]
    pub fn new(total_bytes: u64, is_wanted: bool) -> Self {
        if !is_wanted || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        Self::on(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND), total_bytes)
    }

    fn on(target: ProgressDrawTarget, total_bytes: u64) -> Self {
        let (bar, template) = if total_bytes == 0 {
            (ProgressBar::no_length(), "{spinner} {bytes} read, {bytes_per_sec}")
        } else {
            (
                ProgressBar::new(total_bytes),
                "{bar:30} {percent:>3} %  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            )
        };
        bar.set_draw_target(target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if total_bytes == 0 {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar }
    }

    /// `bytes` more were read; from any thread.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Takes the bar away, so that what follows stands on a clean screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bytes_and_stays_silent_off_a_terminal() {
        let progress = ReadProgress::new(1_000, true);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| progress.advance(250));
            }
        });
        assert_eq!(progress.bar.position(), 500);
        assert!(progress.bar.is_hidden() || std::io::stderr().is_terminal());
        progress.finish();
    }

    #[test]
    fn knows_its_templates() {
        for total in [0, 10] {
            let progress = ReadProgress::on(ProgressDrawTarget::hidden(), total);
            progress.advance(10);
            assert_eq!(progress.bar.length(), (total > 0).then_some(total));
            progress.finish();
        }
    }
}
