//! How much speaks for a candidate, and which one is the code.
//!
//! Points: what it looks like, what the words beside it name, what the rest of the message is about. A candidate whose
//! own words name something else is out, however much it looks like a code.

use zeroize::Zeroizing;

use super::candidate::{Candidate, Form};
use super::fold::Folded;
use super::phrase::{self, Name, Phrase};
use super::words::{Class, Hit};

/// Points that make a candidate the code.
const ENOUGH: i32 = 5;
/// Bytes that a word may stand away from its number, before and after it.
const REACH: usize = 160;
/// Bytes between a word and the number that it names without another word of ours between: `code is 4821`.
const TIGHT: usize = 24;

/// The code's value.
pub(super) fn best(text: &Folded, hits: &[Hit], ages: &[Hit], candidates: Vec<Candidate>) -> Option<Zeroizing<String>> {
    let message = Message::new(text, hits, ages, &candidates);
    let scored: Vec<(i32, &Candidate)> = candidates
        .iter()
        .enumerate()
        .map(|(n, candidate)| (message.points(n, candidate), candidate))
        .filter(|(points, _)| *points >= ENOUGH)
        .collect();
    let several = scored.iter().any(|(_, one)| scored.first().is_some_and(|(_, first)| first.value != one.value));
    let mut best: Option<(i32, &Candidate)> = None;
    for (points, candidate) in scored {
        let points = if several { points.saturating_add(message.currency(ages, candidate)) } else { points };
        if best.is_none_or(|(most, _)| points > most) {
            best = Some((points, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.value.clone())
}

/// What the message says as a whole.
struct Message<'a> {
    text: &'a Folded,
    phrases: Vec<Phrase>,
    /// Where each candidate stands.
    places: Vec<(usize, usize)>,
    /// Where sentences end.
    ends: Vec<usize>,
    strong: bool,
    code: bool,
    verify: bool,
    secret: bool,
    valid: bool,
    promotion: bool,
    /// One thing takes another's place.
    replaced: bool,
    /// No letters.
    wordless: bool,
    /// Letters beyond ASCII, and no word of any list.
    foreign: bool,
}

impl<'a> Message<'a> {
    fn new(text: &'a Folded, hits: &[Hit], ages: &[Hit], candidates: &[Candidate]) -> Self {
        let phrases = phrase::list(text, hits);
        let places: Vec<(usize, usize)> = candidates.iter().map(|one| (one.start, one.end)).collect();
        let ends = sentence_ends(&text.low);
        let unknown = hits.iter().all(|hit| matches!(hit.class, Class::Time(_) | Class::Unit));
        let mut message = Self {
            text,
            phrases,
            places,
            ends,
            strong: false,
            code: false,
            verify: false,
            secret: false,
            valid: false,
            promotion: false,
            replaced: ages.iter().any(|hit| matches!(hit.class, Class::OldNext | Class::OldLast)),
            wordless: !text.raw.chars().any(char::is_alphabetic),
            foreign: unknown && text.raw.chars().any(|c| !c.is_ascii() && c.is_alphabetic()),
        };
        message.look();
        message
    }

    /// What the message is about. `We never ask for your code` is about no code that it holds.
    fn look(&mut self) {
        let secrets: Vec<usize> = self
            .phrases
            .iter()
            .filter(|phrase| phrase.name == Name::Secret)
            .map(|phrase| self.sentence(phrase.start))
            .collect();
        let holding: Vec<usize> = self.places.iter().map(|(start, _)| self.sentence(*start)).collect();
        for phrase in &self.phrases {
            let sentence = self.sentence(phrase.start);
            let warning = secrets.binary_search(&sentence).is_ok() && holding.binary_search(&sentence).is_err();
            match phrase.name {
                Name::Strong => self.strong |= !warning,
                Name::Code => self.code |= !warning,
                Name::Verify => self.verify |= !warning,
                Name::Secret => self.secret = true,
                Name::Valid => self.valid = true,
                Name::Promotion => self.promotion = true,
                _ => {}
            }
        }
    }

    fn sentence(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end <= at)
    }

    fn points(&self, n: usize, candidate: &Candidate) -> i32 {
        if self.is_bare(candidate) {
            return ENOUGH;
        }
        let near = match (self.named_before(n, candidate), self.named_after(n, candidate)) {
            (Named::Other, _) => return 0,
            (Named::Code(before), Named::Code(after)) => before.max(after),
            (Named::Code(points), _) | (_, Named::Code(points)) => points,
            (Named::Perhaps, _) | (_, Named::Other | Named::Perhaps) => return 0,
            (Named::Nothing(before), Named::Nothing(after)) => {
                let replaced = if self.replaced && self.places.len() > 1 { 2 } else { 0 };
                (before + after + replaced).max(self.elsewhere())
            }
        };
        let lured = self.promotion && !self.strong && !self.secret && !self.verify;
        form(candidate) + self.place(candidate) + near + self.context(near) - if lured { 6 } else { 0 }
    }

    /// The message is nothing but this number, or is in no language of ours and holds nothing else to type.
    fn is_bare(&self, candidate: &Candidate) -> bool {
        let length = candidate.value.len();
        let plain = candidate.form == Form::Digits && !is_year(&candidate.value) && self.places.len() == 1;
        let alone = self.wordless && (4..=8).contains(&length) && length != 7;
        let foreign = self.foreign && length == 6 && self.text.before(candidate.start) != Some('#');
        plain && (alone || foreign)
    }

    fn place(&self, candidate: &Candidate) -> i32 {
        let raw = self.text.raw.as_str();
        let before = raw.get(..candidate.start).unwrap_or_default();
        let after = raw.get(candidate.end..).unwrap_or_default();
        let start = before.trim_matches([' ', '\n', '<', '#', '>', '*', '"', 'G', '-']).is_empty();
        let begun = before.trim_end_matches([' ', '"', '[', '(', '*', 'G', '-', '\n']).ends_with([':', '=']);
        let line = before.trim_end_matches(' ').ends_with('\n')
            && (after.is_empty() || after.trim_start_matches(' ').starts_with('\n'));
        let held = before.ends_with(['[', '"', '*']) && after.starts_with([']', '"', '*']);
        i32::from(start) + i32::from(begun) + i32::from(line || held)
    }

    fn context(&self, near: i32) -> i32 {
        let known = near > 0 || self.secret;
        i32::from(self.secret) + i32::from(self.valid && known) + i32::from(self.verify && near > 0)
    }

    /// What words that do not stand beside the number say of the message.
    fn elsewhere(&self) -> i32 {
        if self.strong {
            3
        } else if self.code {
            2
        } else {
            i32::from(self.verify)
        }
    }

    fn named_before(&self, n: usize, candidate: &Candidate) -> Named {
        let floor = n.checked_sub(1).and_then(|last| self.places.get(last)).map_or(0, |place| place.1);
        let floor = floor.max(candidate.start.saturating_sub(REACH));
        let until = self.phrases.partition_point(|phrase| phrase.start < candidate.start);
        let near =
            self.phrases.get(..until).unwrap_or_default().iter().rev().take_while(|phrase| phrase.start >= floor);
        let mut support = 0;
        let mut other = false;
        for phrase in near.filter(|phrase| phrase.end <= candidate.start) {
            let gap = self.text.between(phrase.end, candidate.start);
            if phrase.name == Name::Number && is_glue(gap, phrase) {
                return Named::Other;
            }
            if self.sentence(phrase.end.saturating_sub(1)) != self.sentence(candidate.start) {
                break;
            }
            let tight = gap.len() <= TIGHT;
            match phrase.name {
                Name::Strong | Name::Code if other && is_clause_end(gap) => return Named::Perhaps,
                Name::Strong => return Named::Code(5 + i32::from(tight) + support),
                Name::Code => return Named::Code(4 + i32::from(tight) + support),
                Name::Promotion if tight => return Named::Other,
                // With a number of its own before this one, or in another clause, it names nothing here.
                Name::Number => other |= tight && !is_clause_end(gap) && !gap.contains(|c: char| c.is_ascii_digit()),
                Name::Enter if gap.len() <= 1 => support = support.max(2),
                Name::Verify => support = support.max(2),
                Name::Confirm | Name::Enter => support = support.max(1),
                _ => {}
            }
        }
        if other { Named::Perhaps } else { Named::Nothing(support) }
    }

    fn named_after(&self, n: usize, candidate: &Candidate) -> Named {
        let ceiling = self.places.get(n.saturating_add(1)).map_or(usize::MAX, |place| place.0);
        let ceiling = ceiling.min(candidate.end.saturating_add(REACH));
        let from = self.phrases.partition_point(|phrase| phrase.start < candidate.end);
        let near = self.phrases.get(from..).unwrap_or_default().iter().take_while(|phrase| phrase.end <= ceiling);
        let mut support = 0;
        for phrase in near {
            if self.sentence(phrase.start) != self.sentence(candidate.end.saturating_sub(1)) {
                break;
            }
            let taken = self.is_taken(phrase, ceiling);
            match phrase.name {
                Name::Strong if !taken => return Named::Code(5 + support),
                Name::Code if !taken => return Named::Code(4 + support),
                Name::Number | Name::Promotion if phrase.start <= candidate.end.saturating_add(1) => {
                    return Named::Other;
                }
                Name::Verify => support = support.max(2),
                Name::Confirm | Name::Enter | Name::Pickup => support = support.max(1),
                _ => {}
            }
        }
        Named::Nothing(support)
    }

    /// Whether the phrase names the next candidate, and so not the one before it.
    fn is_taken(&self, phrase: &Phrase, next: usize) -> bool {
        let gap = self.text.raw.get(phrase.end..next);
        gap.is_some_and(|gap| gap.len() <= TIGHT && self.sentence(phrase.start) == self.sentence(next))
    }

    /// Which of two codes the message calls the current one.
    fn currency(&self, hits: &[Hit], candidate: &Candidate) -> i32 {
        let from = hits.partition_point(|hit| hit.end.saturating_add(REACH) < candidate.start);
        let near = hits.get(from..).unwrap_or_default();
        let near = near.iter().take_while(|hit| hit.start <= candidate.end.saturating_add(REACH));
        near.map(|hit| {
            let (place, points) = match hit.class {
                Class::Old => (self.nearest(hit), -8),
                Class::OldNext => (self.next(hit), -8),
                Class::OldLast => (self.last(hit), -8),
                _ => (self.nearest(hit), 4),
            };
            if place.is_some_and(|place| place.0 == candidate.start) { points } else { 0 }
        })
        .sum()
    }

    fn next(&self, hit: &Hit) -> Option<(usize, usize)> {
        let place = self.places.get(self.places.partition_point(|place| place.0 < hit.end))?;
        (place.0.saturating_sub(hit.end) <= REACH).then_some(*place)
    }

    fn last(&self, hit: &Hit) -> Option<(usize, usize)> {
        let place = self.places.get(self.places.partition_point(|place| place.1 <= hit.start).checked_sub(1)?)?;
        (hit.start.saturating_sub(place.1) <= REACH).then_some(*place)
    }

    /// The nearest number in the same clause, else the next one, else the last.
    fn nearest(&self, hit: &Hit) -> Option<(usize, usize)> {
        let (next, last) = (self.next(hit), self.last(hit));
        let (Some(ahead), Some(behind)) = (next, last) else { return next.or(last) };
        let gaps = (self.text.between(hit.end, ahead.0), self.text.between(behind.1, hit.start));
        let apart = (is_clause_end(gaps.0), is_clause_end(gaps.1));
        let back = apart == (true, false) || (apart.0 == apart.1 && gaps.1.len() < gaps.0.len());
        if back { last } else { next }
    }
}

/// What the words beside a candidate name.
enum Named {
    /// Something else: it stands right there.
    Other,
    /// Something else, unless the other side says what.
    Perhaps,
    /// A code, with so many points.
    Code(i32),
    /// Nothing; words that go with codes give points.
    Nothing(i32),
}

fn form(candidate: &Candidate) -> i32 {
    let year = is_year(&candidate.value);
    match (candidate.form, candidate.value.len()) {
        (Form::Digits, 6) => 3,
        (Form::Digits, 4) if year => 0,
        (Form::Digits, 4 | 5 | 7 | 8) => 2,
        (Form::Digits, 3) => -1,
        (Form::Mixed, 4..=8) => 1,
        (Form::Digits | Form::Mixed, _) => 0,
        (Form::Uneven, _) => 0,
        (Form::Named | Form::Letters, _) => -1,
    }
}

fn is_year(value: &str) -> bool {
    value.len() == 4 && (value.starts_with("19") || value.starts_with("20"))
}

/// `order #`, `no. `, `ref: `: nothing that takes a number away from its word.
fn is_glue(gap: &str, phrase: &Phrase) -> bool {
    let short = phrase.end.saturating_sub(phrase.start) <= 4;
    let signs = |c: char| matches!(c, ' ' | '#' | '№' | '(' | '-' | '"' | '[') || (short && c == '.');
    let rest = gap.trim_matches(signs);
    gap.len() <= 12 && (rest.is_empty() || NUMERO.contains(&rest.trim_end_matches(['.', ':'])))
}

const NUMERO: [&str; 10] = ["no", "nr", "n", "num", "nro", "br", "c", "id", "number", "st"];

/// Whether a clause ends in what stands between two places.
fn is_clause_end(gap: &str) -> bool {
    gap.contains([';', '\n', '!', '?']) || gap.contains(". ") || gap.contains(", ") || gap.ends_with(',')
}

/// Where sentences end: after a full stop with a space behind it, after `!` and `?`.
fn sentence_ends(low: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut last = ' ';
    for (at, c) in low.char_indices() {
        if matches!(last, '!' | '?') || (last == '.' && c.is_whitespace()) {
            ends.push(at);
        }
        last = c;
    }
    ends
}
