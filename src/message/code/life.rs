//! How long a message says its code holds.

use std::time::Duration;

use super::fold::Folded;
use super::words::{Class, Hit};

/// A code that is said to hold longer than this is held by something else.
const LONGEST: u64 = 30 * 86_400;

/// The first span of time in the text: `5 min`, `15 分钟`, `dakika 10`.
pub(super) fn said(text: &Folded, hits: &[Hit]) -> Option<Duration> {
    hits.iter().find_map(|hit| {
        let Class::Time(unit) = hit.class else { return None };
        let count = before(text, hit.start).or_else(|| after(text, hit.end))?;
        let seconds = count.saturating_mul(u64::from(unit));
        (1..=LONGEST).contains(&seconds).then(|| Duration::from_secs(seconds))
    })
}

fn before(text: &Folded, at: usize) -> Option<u64> {
    let until = text.low.get(..at)?.trim_end_matches([' ', '-', '(', ')']);
    let digits = until.len().saturating_sub(until.bytes().rev().take(5).take_while(u8::is_ascii_digit).count());
    (until.len().saturating_add(2) >= at).then(|| count(until.get(digits..)?))?
}

fn after(text: &Folded, at: usize) -> Option<u64> {
    let rest = text.low.get(at..)?.strip_prefix([' ', ':']).unwrap_or_default();
    count(rest.get(..rest.bytes().take(5).take_while(u8::is_ascii_digit).count())?)
}

/// Up to four digits: five are something else.
fn count(digits: &str) -> Option<u64> {
    (digits.len() <= 4).then(|| digits.parse().ok())?
}
