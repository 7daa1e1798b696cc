//! The progress of a long command: a bar on a terminal, otherwise a log line every ten seconds.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The time between two log lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Shows how many rows are done, how many per second, and the remaining time.
pub(crate) struct Shown {
    what: &'static str,
    bar: Option<ProgressBar>,
    begun: Instant,
    logged: Instant,
}

impl Shown {
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::no_length().with_message(what));
        Self { what, bar, begun: Instant::now(), logged: Instant::now() }
    }

    /// Shows the number of rows that are done, and of all rows if it is known.
    pub(crate) fn at(&mut self, done: u64, all: Option<u64>) {
        if let Some(bar) = &self.bar {
            if let Some(all) = all.filter(|all| bar.length() != Some(*all)) {
                bar.set_length(all);
            }
            bar.set_style(style(all.is_some()));
            bar.set_position(done);
        } else if self.logged.elapsed() >= BETWEEN_LINES {
            self.logged = Instant::now();
            let seconds = self.begun.elapsed().as_secs().max(1);
            let each_second = done / seconds;
            let left = all.map(|all| all.saturating_sub(done) / each_second.max(1));
            tracing::info!(done, all, each_second, seconds_left = left, "{}", self.what);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(has_end: bool) -> ProgressStyle {
    let form = if has_end {
        "{msg} {wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left"
    } else {
        "{msg} {human_pos} rows, {per_sec}"
    };
    ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar())
}
