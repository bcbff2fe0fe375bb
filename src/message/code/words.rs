//! What the languages call a code, and what they call other things that have digits.
//!
//! The lists are data: one section a language, one line a [`Class`]. All languages are looked for at once, since
//! messages mix them and nothing says which one a text is in.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use super::fold::{self, Folded};

/// What a word says about the numbers near it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Names a one-time code by itself: `OTP`, `验证码`.
    Strong,
    /// A code, a password: of what, other words say.
    Code,
    /// To verify, to log in.
    Verify,
    /// To confirm, to activate: said of codes, and of much else.
    Confirm,
    /// To collect something: makes a code a pickup code, and says nothing by itself.
    Pickup,
    /// To enter, to use.
    Enter,
    /// Not to be shared.
    Secret,
    /// Valid, expires.
    Valid,
    /// Discounts and gifts: their codes are not codes.
    Promotion,
    /// Another thing with a number, which also makes `code` mean something else: an order, a postal code.
    Number,
    /// Another thing with a number, which does not: an account, a payment, a phone.
    Money,
    /// The number that follows is the old one.
    OldNext,
    /// The number before is the old one.
    OldLast,
    /// The nearest number is the old one.
    Old,
    /// The nearest number is the current one.
    New,
    /// A unit of time, in seconds.
    Time(u32),
    /// What comes after an amount.
    Unit,
    /// What comes before or after an amount of money.
    Currency,
    /// A longer word that only looks like one of the others.
    Other,
}

impl Class {
    fn is_age(self) -> bool {
        matches!(self, Self::OldNext | Self::OldLast | Self::Old | Self::New)
    }
}

/// A word, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub start: usize,
    pub end: usize,
    pub class: Class,
}

struct Pattern {
    class: Class,
    /// The word may go on before, and after.
    open: (bool, bool),
}

struct Lists {
    machine: AhoCorasick,
    patterns: Vec<Pattern>,
}

/// The words of a text in order, none inside another: those that name things, and those that say old or new of them.
pub(super) fn hits(text: &Folded) -> (Vec<Hit>, Vec<Hit>) {
    let Some(lists) = LISTS.as_ref() else { return Default::default() };
    let mut all: Vec<Hit> = lists
        .machine
        .find_overlapping_iter(text.low.as_str())
        .filter_map(|found| {
            let pattern = lists.patterns.get(found.pattern().as_usize())?;
            let whole = (pattern.open.0 || !goes_on(text.before(found.start())))
                && (pattern.open.1 || !goes_on(text.after(found.end())));
            whole.then_some(Hit { start: found.start(), end: found.end(), class: pattern.class })
        })
        .collect();
    all.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let (ages, names) = all.into_iter().partition(|hit| hit.class.is_age());
    (outermost(names), outermost(ages))
}

fn outermost(mut hits: Vec<Hit>) -> Vec<Hit> {
    let mut reached = 0;
    hits.retain(|hit| {
        let outer = hit.end > reached;
        reached = reached.max(hit.end);
        outer
    });
    hits.retain(|hit| hit.class != Class::Other);
    hits
}

/// Built once. A list that could not be read would find nothing, which a test rules out.
static LISTS: LazyLock<Option<Lists>> = LazyLock::new(|| read(&FILES));

const FILES: [&str; 3] =
    [include_str!("words/latin.txt"), include_str!("words/europe.txt"), include_str!("words/asia.txt")];

fn read(files: &[&str]) -> Option<Lists> {
    let (mut texts, mut patterns) = (Vec::new(), Vec::new());
    for line in files.iter().flat_map(|file| file.lines()).map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '[']) {
            continue;
        }
        let (name, words) = line.split_once(": ")?;
        let class = class(name)?;
        for typed in words.split(", ").map(str::trim) {
            let bare = fold::word(typed.trim_matches('*'));
            if bare.is_empty() {
                return None;
            }
            let open = (
                typed.starts_with('*') || runs_on(bare.chars().next()),
                typed.ends_with('*') || runs_on(bare.chars().next_back()),
            );
            patterns.push(Pattern { class, open });
            texts.push(bare);
        }
    }
    let machine = AhoCorasickBuilder::new()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(&texts)
        .ok()?;
    Some(Lists { machine, patterns })
}

fn class(name: &str) -> Option<Class> {
    Some(match name {
        "strong" => Class::Strong,
        "code" => Class::Code,
        "verify" => Class::Verify,
        "confirm" => Class::Confirm,
        "pickup" => Class::Pickup,
        "enter" => Class::Enter,
        "secret" => Class::Secret,
        "valid" => Class::Valid,
        "promotion" => Class::Promotion,
        "number" => Class::Number,
        "money" => Class::Money,
        "old>" => Class::OldNext,
        "<old" => Class::OldLast,
        "old" => Class::Old,
        "new" => Class::New,
        "second" => Class::Time(1),
        "minute" => Class::Time(60),
        "hour" => Class::Time(3_600),
        "day" => Class::Time(86_400),
        "unit" => Class::Unit,
        "currency" => Class::Currency,
        "other" => Class::Other,
        _ => return None,
    })
}

/// Whether a word would go on with this character.
fn goes_on(c: Option<char>) -> bool {
    c.is_some_and(|letter| letter.is_alphabetic() && !runs_on(c))
}

/// Scripts that write no spaces between words, and Hangul, whose particles are glued on.
pub(super) fn runs_on(c: Option<char>) -> bool {
    c.is_some_and(|c| {
        matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
            || !c.is_alphabetic()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_of_the_lists_is_read() {
        let lists = LISTS.as_ref().unwrap();
        assert!(lists.patterns.len() > 2_000, "{}", lists.patterns.len());
    }

    #[test]
    fn the_longer_word_counts() {
        let text = Folded::new("Your zip code, your code");
        let classes: Vec<Class> = hits(&text).0.iter().map(|hit| hit.class).collect();
        assert_eq!(classes, [Class::Number, Class::Code]);
    }
}
