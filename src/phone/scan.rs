//! Cuts a text into groups of digits and says what joins them. One pass, no memory; for `detect`.

use super::digit::{digit_value, is_invisible, is_plus, is_separator};

/// Digits without anything between them.
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many digits.
    pub(super) len: usize,
    /// What they spell, up to `u32::MAX`.
    pub(super) value: u32,
    /// Whether the first is a zero.
    pub(super) zero: bool,
    /// Where a plus sign before them is.
    pub(super) plus: Option<usize>,
    /// What joins them to the group before.
    pub(super) gap: Gap,
    /// Whether a colon to a neighbouring group makes them a part of a time of day.
    pub(super) clock: bool,
    /// Whether a unit of time follows.
    pub(super) timed: bool,
}

/// What is between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// More than separators: another run begins.
    Break,
    /// One dot.
    Dot,
    /// One dash.
    Dash,
    /// One slash.
    Slash,
    /// One plus sign: a space in `application/x-www-form-urlencoded`.
    Plus,
    /// Any other separators.
    Other,
}

/// The groups of a text, without those that are parts of words and UUIDs.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// One past the last digit, counted or not.
    last_digit: usize,
    broken: bool,
    separators: usize,
    plus: Option<usize>,
    word: Word,
}

/// The letters and digits directly before.
#[derive(Default)]
struct Word {
    letters: bool,
    beyond_hex: bool,
    digits: bool,
}

impl Word {
    fn is_empty(&self) -> bool {
        !self.letters && !self.digits
    }

    /// Whether digits may begin here and yet be a number: `tel0901…`, not `3f0901…`.
    fn may_precede(&self) -> bool {
        !self.letters || (self.beyond_hex && !self.digits)
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, last_digit: 0, broken: true, separators: 0, plus: None, word: Word::default() }
    }

    /// The character at `at` and its length in bytes, percent-encoding undone.
    fn character(&self, at: usize) -> Option<(char, usize)> {
        let rest = self.text.get(at..)?;
        let c = rest.chars().next()?;
        if c == '%'
            && let Some(byte) = rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            return Some((if byte.is_ascii() { byte.into() } else { char::REPLACEMENT_CHARACTER }, 3));
        }
        Some((c, c.len_utf8()))
    }

    fn is_uuid(&self) -> bool {
        let bytes = self.text.as_bytes();
        if !self.word.is_empty() || bytes.get(self.at + 8) != Some(&b'-') {
            return false;
        }
        let Some((uuid, rest)) = bytes.get(self.at..).and_then(|rest| rest.split_at_checked(36)) else { return false };
        let shaped = uuid.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        shaped && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
    }

    /// Moves over something that is not a digit.
    fn pass(&mut self, c: char, length: usize) {
        if is_plus(c) {
            self.plus = Some(self.at);
            self.separators = 0;
        } else if is_separator(c) {
            self.separators += usize::from(!is_invisible(c));
        } else {
            self.interrupt();
        }
        if self.separators > MOST_SEPARATORS {
            self.interrupt();
        }
        if c.is_ascii_alphabetic() {
            self.word.letters = true;
            self.word.beyond_hex |= !c.is_ascii_hexdigit();
        } else {
            self.word = Word::default();
        }
        self.at += length;
    }

    fn interrupt(&mut self) {
        self.broken = true;
        self.plus = None;
        self.separators = 0;
    }

    /// Reads the digits here. `None` if they are part of a word.
    fn group(&mut self) -> Option<Group> {
        let (start, gap) = (self.at, self.gap());
        let (mut len, mut value, mut zero) = (0, 0u32, false);
        while let Some((c, length)) = self.character(self.at)
            && let Some(digit) = digit_value(c)
        {
            zero |= len == 0 && digit == 0;
            value = value.saturating_mul(10).saturating_add(digit.into());
            len += 1;
            self.at += length;
        }
        let colon = self.text.get(self.last_digit..start) == Some(":");
        let clock = (len == 2 && colon) || (len <= 2 && self.is_before_minutes());
        let plus = self.plus;
        let counts = plus.is_some() || (self.word.may_precede() && self.is_before_word_end());
        (self.last_digit, self.broken, self.separators, self.plus) = (self.at, !counts, 0, None);
        self.word.digits = true;
        counts.then(|| Group { start, end: self.at, len, value, zero, plus, gap, clock, timed: self.is_before_unit() })
    }

    fn gap(&self) -> Gap {
        match self.text.get(self.last_digit..self.at) {
            _ if self.broken => Gap::Break,
            Some(".") => Gap::Dot,
            Some("-") => Gap::Dash,
            Some("/") => Gap::Slash,
            Some("+") => Gap::Plus,
            _ => Gap::Other,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn is_before_minutes(&self) -> bool {
        self.rest().strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Whether the word ends with these digits, or with letters of which some is not hexadecimal.
    fn is_before_word_end(&self) -> bool {
        let letters = self.rest().bytes().take_while(u8::is_ascii_alphabetic);
        let (count, beyond_hex) = letters.fold((0, false), |(n, beyond), c| (n + 1, beyond | !c.is_ascii_hexdigit()));
        let digit_follows = self.rest().as_bytes().get(count).is_some_and(u8::is_ascii_digit);
        count == 0 || (beyond_hex && !digit_follows)
    }

    fn is_before_unit(&self) -> bool {
        let end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
        UNITS.iter().any(|unit| self.rest().strip_prefix(unit).is_some_and(end))
    }
}

impl Iterator for Scanner<'_> {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        loop {
            let (c, length) = self.character(self.at)?;
            if c.is_ascii_hexdigit() && self.is_uuid() {
                self.interrupt();
                self.at += 36;
            } else if digit_value(c).is_some() {
                if let Some(group) = self.group() {
                    return Some(group);
                }
            } else {
                self.pass(c, length);
            }
        }
    }
}

const MOST_SEPARATORS: usize = 4;
const UNITS: [&str; 7] = ["s", "ms", "us", "µs", "μs", "ns", "S"];
