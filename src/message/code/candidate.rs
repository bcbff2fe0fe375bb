//! What in a text could be typed as a code, by its own form and what stands right beside it.

use zeroize::Zeroizing;

use super::fold::Folded;
use super::marks::{self, LENGTH};
use super::number::{self, Atom, Reading};
use super::words::{Class, Hit};

/// Something that could be typed.
pub(super) struct Candidate {
    pub start: usize,
    pub end: usize,
    /// Without separators, in its case.
    pub value: Zeroizing<String>,
    pub form: Form,
}

/// How a candidate looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits.
    Digits,
    /// Digits in parts of unequal length.
    Uneven,
    /// Letters and digits.
    Mixed,
    /// A word with a number after it: `SAVE20`, `iphone15`.
    Named,
    /// Capital letters that are no word of any language, vowels being too few.
    Letters,
}

/// All candidates in order.
pub(super) fn list(text: &Folded, hits: &[Hit]) -> Vec<Candidate> {
    let atoms = atoms(text);
    let mut found = Vec::new();
    let mut rest = atoms.as_slice();
    while let Some(first) = rest.first() {
        let (used, candidate) = next(text, hits, rest, first);
        found.extend(candidate);
        rest = rest.get(used.max(1)..).unwrap_or_default();
    }
    found
}

fn next(text: &Folded, hits: &[Hit], rest: &[Atom], first: &Atom) -> (usize, Option<Candidate>) {
    if first.letters {
        return lettered(text, hits, rest, first);
    }
    let single = |a: &Atom, b: &Atom| {
        let mut gap = text.between(a.end, b.start).chars();
        gap.next().filter(|_| gap.next().is_none())
    };
    let ends = |atom: &Atom| atom.measured || is_amount(text, hits, atom.start, atom.end);
    let timed = |atom: &Atom| is_measured(text, hits, atom.end, |class| matches!(class, Class::Time(_)));
    let (used, form) = match number::read(rest, single, ends, timed) {
        Reading::Other(3) if is_shelf(text, hits, rest) => (3, Form::Uneven),
        Reading::Other(used) => return (used, None),
        Reading::Code(used) => (used, Form::Digits),
        Reading::Uneven(used) => (used, Form::Uneven),
    };
    if rest.iter().take(used).any(|atom| atom.measured) {
        return (used, None);
    }
    let end = rest.get(used.saturating_sub(1)).map_or(first.end, |last| last.end);
    (used, made(text, hits, first.start, end, form))
}

/// `取件码 7-3-2045`: shelf, row and parcel, which looks like a date and is typed at the locker.
fn is_shelf(text: &Folded, hits: &[Hit], rest: &[Atom]) -> bool {
    let [first, row, parcel, ..] = rest else { return false };
    let dashes = [(first, row), (row, parcel)].into_iter().all(|(a, b)| text.between(a.end, b.start) == "-");
    let until = hits.partition_point(|hit| hit.end <= first.start);
    let named = until.checked_sub(1).and_then(|last| hits.get(last)).is_some_and(|hit| {
        let gap = text.between(hit.end, first.start);
        hit.class == Class::Strong && gap.chars().all(|c| matches!(c, ' ' | ':' | '"' | '[' | '('))
    });
    dashes && named && first.len() <= 2 && row.len() <= 2 && parcel.len() == 4
}

/// `G-123456`, `A1B2-C3D4`, `K7P 2QX`, or letters and digits in one.
fn lettered(text: &Folded, hits: &[Hit], rest: &[Atom], first: &Atom) -> (usize, Option<Candidate>) {
    if let Some(second) = rest.get(1) {
        let gap = text.raw.get(first.end..second.start).unwrap_or_default();
        let alone = rest.get(2).is_none_or(|third| third.start > second.end.saturating_add(1));
        if gap == "-" && !first.digits && !second.letters && alone && (4..=8).contains(&second.len()) {
            return (2, prefixed(text, hits, first, second));
        }
        if is_pair(text, first, second, gap) {
            return (2, made(text, hits, first.start, second.end, Form::Mixed));
        }
    }
    let value = text.raw.get(first.start..first.end).unwrap_or_default();
    let form = if first.digits { mixed(value) } else { letters(value) };
    (1, form.and_then(|form| made(text, hits, first.start, first.end, form)))
}

/// Digits after a short prefix in capitals. `G-` and `FB-` are their senders' marks, words like `OTP-` say what follows;
/// other letters belong to the code.
fn prefixed(text: &Folded, hits: &[Hit], prefix: &Atom, digits: &Atom) -> Option<Candidate> {
    let letters = text.raw.get(prefix.start..prefix.end)?;
    if letters.chars().all(|c| matches!(c, 'x' | 'X')) {
        return None;
    }
    let at = hits.partition_point(|hit| hit.end < prefix.end);
    let word = hits.get(at).is_some_and(|hit| hit.start <= prefix.start) || prefix.len() > 3;
    if word || matches!(letters, "G" | "FB") || !letters.chars().all(|c| c.is_ascii_uppercase()) {
        return made(text, hits, digits.start, digits.end, Form::Digits);
    }
    made(text, hits, prefix.start, digits.end, Form::Mixed)
}

/// Two parts of one length in capitals and digits.
fn is_pair(text: &Folded, first: &Atom, second: &Atom, gap: &str) -> bool {
    let capitals = |atom: &Atom| {
        let part = text.raw.get(atom.start..atom.end).unwrap_or_default();
        part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let both = (first.digits && first.letters) && (second.digits && second.letters);
    let joined = (gap == "-" && (first.digits || second.digits)) || (gap == " " && both);
    joined && first.len() == second.len() && (3..=5).contains(&first.len()) && capitals(first) && capitals(second)
}

/// Letters and digits in one run: what it looks like, if it can be typed at all.
fn mixed(value: &str) -> Option<Form> {
    let start = value.chars().take_while(|c| c.is_ascii_alphabetic()).count();
    let tail = value.get(start..)?;
    if start >= 4 && tail.len() <= 4 && tail.chars().all(|c| c.is_ascii_digit()) {
        return Some(Form::Named);
    }
    let masked = value.trim_start_matches(['x', 'X']).chars().all(|c| c.is_ascii_digit());
    (!masked).then_some(Form::Mixed)
}

/// Capitals alone are a code only where they could be no word.
fn letters(value: &str) -> Option<Form> {
    let vowels = value.chars().filter(|c| "AEIOUY".contains(*c)).count();
    let allowed = usize::from(value.len() > 4);
    let capitals = value.chars().all(|c| c.is_ascii_uppercase());
    (capitals && (4..=8).contains(&value.len()) && vowels <= allowed).then_some(Form::Letters)
}

/// The candidate, unless its length or its neighbours make it something else.
fn made(text: &Folded, hits: &[Hit], start: usize, end: usize, form: Form) -> Option<Candidate> {
    let parts = text.raw.get(start..end)?;
    let value: Zeroizing<String> = Zeroizing::new(parts.chars().filter(char::is_ascii_alphanumeric).collect());
    let other = is_masked(text, start, end) || is_amount(text, hits, start, end) || is_glued(text, start);
    (LENGTH.contains(&value.len()) && !other).then_some(Candidate { start, end, value, form })
}

/// `**** 4821`, `••4821`, `...4821`, `+4821`, `*100#`, `@4821`: the end of something longer, or not for typing here.
fn is_masked(text: &Folded, start: usize, end: usize) -> bool {
    let Some(before) = text.before(start) else { return false };
    let two = text.raw.get(..start).map(|all| all.chars().rev().take(2).collect::<String>()).unwrap_or_default();
    match before {
        '+' | '@' | '&' | '%' => true,
        '*' => text.after(end) != Some('*'),
        '•' | '●' | '∗' | '×' | '.' | '/' | '\\' | '_' => true,
        ' ' => two.ends_with(['*', '•', '●', '∗', '+']),
        _ => false,
    }
}

/// With a unit after it, or money on either side.
fn is_amount(text: &Folded, hits: &[Hit], start: usize, end: usize) -> bool {
    let sign = |c: Option<char>| c.is_some_and(is_currency);
    let skip = |c: Option<char>| c == Some(' ');
    let before = if skip(text.before(start)) { start.saturating_sub(1) } else { start };
    let after = if skip(text.after(end)) { end.saturating_add(1) } else { end };
    if sign(text.before(before)) || sign(text.after(after)) || text.after(after) == Some('%') {
        return true;
    }
    let measures = |class| matches!(class, Class::Time(_) | Class::Unit | Class::Currency);
    is_measured(text, hits, end, measures) || is_paid(text, hits, start)
}

/// Whether a unit of such a class follows.
fn is_measured(text: &Folded, hits: &[Hit], end: usize, of: impl Fn(Class) -> bool) -> bool {
    let after = if text.after(end) == Some(' ') { end.saturating_add(1) } else { end };
    let from = hits.partition_point(|hit| hit.start < end);
    let mut units = hits.get(from..).unwrap_or_default().iter().take_while(|hit| hit.start <= after);
    units.any(|hit| of(hit.class) && (hit.start == end || is_word(text, hit)))
}

/// `Rs. 5000`, `USD 5000`.
fn is_paid(text: &Folded, hits: &[Hit], start: usize) -> bool {
    let until = hits.partition_point(|hit| hit.end <= start);
    let last = until.checked_sub(1).and_then(|last| hits.get(last));
    last.is_some_and(|hit| {
        let gap = text.between(hit.end, start);
        hit.class == Class::Currency && gap.len() <= 2 && gap.chars().all(|c| matches!(c, ' ' | '.' | ':'))
    })
}

/// One sign of a script without spaces is a unit only right at its number.
fn is_word(text: &Folded, hit: &Hit) -> bool {
    text.between(hit.start, hit.end).chars().nth(1).is_some()
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '\u{a2}'..='\u{a5}' | '\u{58f}' | '\u{60b}' | '\u{9f2}' | '\u{9f3}' | '\u{e3f}' | '\u{17db}'
        | '\u{20a0}'..='\u{20cf}')
}

/// A letter of an alphabet with spaces right before the first digit: part of a longer mark, `№А482913`.
fn is_glued(text: &Folded, start: usize) -> bool {
    text.before(start).is_some_and(|c| matches!(c, '\u{370}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}'))
}

/// Runs of ASCII letters and digits outside links.
fn atoms(text: &Folded) -> Vec<Atom> {
    let links = marks::links(text);
    let mut links = links.iter().peekable();
    let mut atoms = Vec::new();
    let mut open: Option<Atom> = None;
    for (at, c) in text.raw.char_indices().chain([(text.raw.len(), ' ')]) {
        if c.is_ascii_alphanumeric() {
            let atom = open.get_or_insert(Atom { start: at, end: at, digits: false, letters: false, measured: false });
            atom.digits |= c.is_ascii_digit();
            atom.letters |= c.is_ascii_alphabetic();
            atom.end = at.saturating_add(1);
        } else if let Some(atom) = open.take() {
            while links.next_if(|link| link.end <= atom.start).is_some() {}
            if !links.peek().is_some_and(|link| link.contains(&atom.start)) {
                atoms.push(unglued(text, atom));
            }
        }
    }
    atoms
}

/// `30min`, `50000d`, `Rs5000`: an amount and its unit in one run are the amount, marked as such. `OTP482913` is what
/// follows the word.
fn unglued(text: &Folded, atom: Atom) -> Atom {
    let value = text.raw.get(atom.start..atom.end).unwrap_or_default();
    let digits = value.chars().take_while(char::is_ascii_digit).count();
    let letters = value.chars().take_while(char::is_ascii_alphabetic).count();
    let (head, tail) = (value.get(..letters).unwrap_or_default(), value.get(digits..).unwrap_or_default());
    let number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if digits > 0 && is_tail(tail) {
        let end = atom.start.saturating_add(digits);
        return Atom { end, letters: false, measured: true, ..atom };
    }
    let named = is_in(head, &NAMES);
    if letters > 1 && atom.digits && number(value.get(letters..).unwrap_or_default()) && (named || is_in(head, &HEADS))
    {
        let start = atom.start.saturating_add(letters);
        return Atom { start, letters: false, measured: !named, ..atom };
    }
    atom
}

fn is_tail(tail: &str) -> bool {
    tail.len() == 1 && "hsmdkgxerp".contains(tail) || is_in(tail, &TAILS)
}

fn is_in(word: &str, list: &[&str]) -> bool {
    list.contains(&word.to_ascii_lowercase().as_str())
}

/// Units and currencies that people write right after an amount.
const TAILS: [&str; 36] = [
    "min", "mins", "minutes", "hr", "hrs", "sec", "secs", "gb", "mb", "kb", "tb", "kg", "km", "cm", "mm", "ml", "st",
    "nd", "rd", "th", "am", "pm", "pts", "kr", "rs", "vnd", "eur", "usd", "rub", "lei", "zl", "kc", "ft", "tl", "din",
    "czk",
];

/// Words for a code that people write right before it.
const NAMES: [&str; 4] = ["otp", "pin", "code", "tan"];

/// Currencies that people write right before an amount.
const HEADS: [&str; 24] = [
    "rs", "inr", "rm", "rp", "usd", "eur", "gbp", "aed", "sar", "qar", "kwd", "bdt", "tk", "php", "kes", "ksh", "ngn",
    "npr", "lkr", "pkr", "vnd", "idr", "sgd", "tl",
];
