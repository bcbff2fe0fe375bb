//! The table: one line for each row, the aim beside the figure.

/// One line.
pub struct Line {
    pub what: String,
    /// With its unit.
    pub figure: String,
    /// Against echo, where it is compared with it.
    pub ratio: Option<f64>,
    pub aim: String,
    /// Whether the aim is met; none where there is none.
    pub met: Option<bool>,
    /// Milliseconds: median and 99th percentile.
    pub latency: Option<(f64, f64)>,
    /// Processor time of the service, in microseconds, for each unit of the figure.
    pub cpu_us: Option<f64>,
    /// Entries that the log grew by in a second.
    pub entries: Option<f64>,
}

impl Line {
    pub fn plain(what: impl Into<String>, figure: String, aim: &str, met: Option<bool>) -> Self {
        let (what, aim) = (what.into(), aim.to_owned());
        Self { what, figure, ratio: None, aim, met, latency: None, cpu_us: None, entries: None }
    }
}

/// Prints the head of the table, in Markdown.
pub fn head() {
    println!("| what | figure | × echo | aim | p50 / p99 ms | CPU µs each | log entries/s |");
    println!("|---|--:|--:|---|--:|--:|--:|");
}

/// Prints lines of the table.
pub fn print(lines: &[Line]) {
    for line in lines {
        let aim = match line.met {
            Some(true) => format!("{} ✓", line.aim),
            Some(false) => format!("{} ✗", line.aim),
            None => line.aim.clone(),
        };
        println!(
            "| {} | {} | {} | {aim} | {} | {} | {} |",
            line.what,
            line.figure,
            line.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            line.latency.map_or_else(String::new, |(p50, p99)| format!("{p50:.1} / {p99:.1}")),
            line.cpu_us.map_or_else(String::new, |us| if us < 10.0 { format!("{us:.1}") } else { format!("{us:.0}") }),
            line.entries.map_or_else(String::new, grouped),
        );
    }
}

/// A count with its thousands apart.
pub fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
