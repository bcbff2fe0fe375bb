//! How far a run is: a bar on a terminal, a line now and then elsewhere. Both on standard error.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Tells of a run.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    said: Instant,
    /// Octets of the input, if they are known.
    total: Option<u64>,
    /// Where this run began, which is not the beginning if it was resumed.
    first: (u64, u64),
}

impl Progress {
    pub(super) fn start(total: Option<u64>, octets: u64, rows: u64) -> Self {
        let bar = total.filter(|_| console_is_terminal()).map(|total| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Self { bar, began: now, said: now, total, first: (octets, rows) }
    }

    /// So many octets of the input and rows are behind us.
    pub(super) fn at(&mut self, octets: u64, rows: u64) {
        let rate = self.rate(rows);
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} rows, {}/s", grouped(rows), grouped(rate)));
            bar.set_position(octets);
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let left = self.left(octets).map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
            eprintln!("{} rows, {}/s{left}", grouped(rows), grouped(rate));
        }
    }

    /// The last word.
    pub(super) fn end(&self, rows: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.began.elapsed().as_secs_f64();
        let done = rows - self.first.1;
        eprintln!("{} rows in {seconds:.1} s, {}/s: {what}", grouped(done), grouped(self.rate(rows)));
    }

    fn rate(&self, rows: u64) -> u64 {
        let millis = self.began.elapsed().as_millis().max(1);
        u64::try_from(u128::from(rows - self.first.1) * 1_000 / millis).unwrap_or(u64::MAX)
    }

    fn left(&self, octets: u64) -> Option<Duration> {
        let done = octets.checked_sub(self.first.0).filter(|done| *done > 0)?;
        let share = self.total?.saturating_sub(octets) as f64 / done as f64;
        Some(self.began.elapsed().mul_f64(share))
    }
}

fn console_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// 1,234,567
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Between lines where there is no bar.
const EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        let all = [0, 12, 123, 1_234, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
