//! Words that stand together, and what they name together: `order code` is no code, `order verification code` is one.

use super::fold::Folded;
use super::words::{Class, Hit};

/// What a phrase names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A one-time code, by a word of its own or by what it is for.
    Strong,
    /// A code, of what is not said.
    Code,
    /// Something else with a number.
    Number,
    /// A discount, a gift.
    Promotion,
    /// To verify, to log in.
    Verify,
    /// To confirm.
    Confirm,
    /// To collect something.
    Pickup,
    /// To enter, to use.
    Enter,
    /// Not to be shared.
    Secret,
    /// Valid, expires.
    Valid,
}

/// Words that stand together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phrase {
    pub start: usize,
    pub end: usize,
    pub name: Name,
}

/// The phrases of a text, in order.
pub(super) fn list(text: &Folded, hits: &[Hit]) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    let mut open: Option<Open> = None;
    for hit in hits {
        if let Some(name) = alone(hit.class) {
            phrases.push(Phrase { start: hit.start, end: hit.end, name });
            continue;
        }
        if !joins(hit.class) {
            continue;
        }
        match &mut open {
            Some(phrase) if is_joint(text.between(phrase.end, hit.start)) => phrase.add(hit),
            _ => {
                phrases.extend(open.take().map(Open::close));
                let mut phrase = Open { start: hit.start, ..Open::default() };
                phrase.add(hit);
                open = Some(phrase);
            }
        }
    }
    phrases.extend(open.map(Open::close));
    phrases.sort_by_key(|phrase| phrase.start);
    phrases
}

fn alone(class: Class) -> Option<Name> {
    Some(match class {
        Class::Enter => Name::Enter,
        Class::Secret => Name::Secret,
        Class::Valid => Name::Valid,
        _ => return None,
    })
}

fn joins(class: Class) -> bool {
    matches!(
        class,
        Class::Strong
            | Class::Code
            | Class::Verify
            | Class::Confirm
            | Class::Pickup
            | Class::Promotion
            | Class::Number
            | Class::Money
    )
}

/// Words that stand together, as far as they were read.
#[derive(Default)]
struct Open {
    start: usize,
    end: usize,
    strong: bool,
    code: bool,
    verify: bool,
    confirm: bool,
    pickup: bool,
    promotion: bool,
    number: bool,
    money: bool,
}

impl Open {
    fn add(&mut self, hit: &Hit) {
        self.end = hit.end;
        match hit.class {
            Class::Strong => self.strong = true,
            Class::Code => self.code = true,
            Class::Verify => self.verify = true,
            Class::Confirm => self.confirm = true,
            Class::Pickup => self.pickup = true,
            Class::Promotion => self.promotion = true,
            Class::Number => self.number = true,
            _ => self.money = true,
        }
    }

    /// A purpose makes a code one for once; another thing with a number makes it that thing's.
    fn close(self) -> Phrase {
        let name = if self.promotion {
            Name::Promotion
        } else if self.strong || (self.code && (self.verify || self.confirm || self.pickup)) {
            Name::Strong
        } else if self.number {
            Name::Number
        } else if self.code {
            Name::Code
        } else if self.money {
            Name::Number
        } else if self.verify {
            Name::Verify
        } else if self.confirm {
            Name::Confirm
        } else {
            Name::Pickup
        };
        Phrase { start: self.start, end: self.end, name }
    }
}

/// Whether what stands between two words leaves them together: a space, `de`, `d'`, `的`; not `for`, not `and`.
fn is_joint(gap: &str) -> bool {
    let word = gap.trim_matches([' ', '\'', '-', '"']);
    let short = word.chars().count() <= 3 && word.chars().all(char::is_alphabetic);
    gap.len() <= 16 && short && !APART.contains(&word)
}

/// Short words that say: for, and, or, is, to, in.
const APART: [&str; 40] = [
    "for", "per", "fur", "zum", "zur", "til", "za", "na", "pre", "and", "or", "und", "et", "ou", "y", "och", "og",
    "ja", "es", "est", "is", "ist", "ar", "to", "no", "we", "by", "via", "если", "для", "на", "и", "за", "per", "ve",
    "da", "dan", "atau", "in", "on",
];
