//! The pure table of legs: for a mode and its parties, who writes to which number, whom that reaches, and what the
//! receiver sees.
//!
//! | mode | needs | legs | shares its number with |
//! |---|---|---|---|
//! | `ax` | a | (X, \*) → A; (X, A) → whoever wrote to A and can be answered | nobody |
//! | `axb` | a, b | (X, A) → B; (X, B) → A | aliases of other people |
//! | `axn` | a, b? | (X, \*) → A; (X, A) → B, or whoever wrote last | nobody |
//! | `axe` | a | (X, extension) → A; A answers as [`answering`] says | other extensions |
//! | `axyb` | a, b | (X, B) → A, shown Y; (Y, A) → B, shown X | aliases of other people |
//! | `axg` | a, members, b? | (X, member) → A; (X, A) → B, one of them, or the only one | aliases of other people |
//!
//! Called by [`super::Alias`] to bind and rebind, and by `relay` for answers on a number with extensions.

use crate::phone::VirtualNumber;
use crate::store::{AliasMode, AliasRow, BlindIndex, LegKey, LegRow, LegTarget, Party, counterpart};

/// The people of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// In which mode.
    pub mode: AliasMode,
    /// The first person.
    pub a: Party,
    /// The second person, where the mode has one.
    pub b: Option<Party>,
    /// The team, where the mode has one.
    pub members: Vec<Party>,
}

/// Whether a mode takes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has no place for it.
    Never,
    /// As the caller likes.
    Maybe,
    /// It is nothing without.
    Always,
}

/// What a mode takes beside X and A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// A second person.
    pub b: Need,
    /// A team.
    pub members: bool,
    /// A second number.
    pub y: bool,
    /// Digits that name the alias on X.
    pub extension: bool,
}

/// One of the numbers of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// X.
    X,
    /// Y, in `axyb`.
    Y,
}

/// One rule before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which number is written to.
    pub at: Side,
    /// By whom.
    pub from: LegKey,
    /// Whom the writer reaches.
    pub to: LegTarget,
    /// What the receiver sees as the sender.
    pub shown: Side,
}

impl Rule {
    const fn on_x(from: LegKey, to: LegTarget) -> Self {
        Self { at: Side::X, from, to, shown: Side::X }
    }
}

/// Every mode with its name, as in requests, answers and events.
pub const MODES: [(AliasMode, &str); 6] = [
    (AliasMode::Ax, "ax"),
    (AliasMode::Axb, "axb"),
    (AliasMode::Axn, "axn"),
    (AliasMode::Axe, "axe"),
    (AliasMode::Axyb, "axyb"),
    (AliasMode::Axg, "axg"),
];

/// What a mode takes.
pub const fn needs(mode: AliasMode) -> Needs {
    let b = match mode {
        AliasMode::Ax | AliasMode::Axe => Need::Never,
        AliasMode::Axn | AliasMode::Axg => Need::Maybe,
        AliasMode::Axb | AliasMode::Axyb => Need::Always,
    };
    Needs {
        b,
        members: matches!(mode, AliasMode::Axg),
        y: matches!(mode, AliasMode::Axyb),
        extension: matches!(mode, AliasMode::Axe),
    }
}

impl Parties {
    /// The people of an alias that there is.
    pub fn of(row: &AliasRow) -> Self {
        Self { mode: row.mode, a: row.a, b: row.b, members: row.members.clone() }
    }

    /// The rules of the mode, for these people. `extension` is what names the alias on X, in `axe`.
    pub fn rules(&self, extension: Option<&str>) -> Vec<Rule> {
        let Self { mode, a, b, members } = self;
        let (to_a, by_a) = (LegTarget::Person(a.record), LegKey::Person(a.index));
        let to_b = b.map(|b| LegTarget::Person(b.record));
        let by = |party: &Party| LegKey::Person(party.index);
        match mode {
            AliasMode::Ax => vec![Rule::on_x(LegKey::Anyone, to_a), Rule::on_x(by_a, LegTarget::Senders)],
            AliasMode::Axb => {
                let there = b.map(|b| Rule::on_x(by_a, LegTarget::Person(b.record)));
                there.into_iter().chain(b.map(|b| Rule::on_x(by(&b), to_a))).collect()
            }
            AliasMode::Axn => {
                vec![Rule::on_x(LegKey::Anyone, to_a), Rule::on_x(by_a, to_b.unwrap_or(LegTarget::LastSender))]
            }
            AliasMode::Axe => {
                extension.map(|digits| Rule::on_x(LegKey::Extension(digits.to_owned()), to_a)).into_iter().collect()
            }
            AliasMode::Axyb => {
                let back = b.map(|b| Rule { at: Side::X, from: by(&b), to: to_a, shown: Side::Y });
                let there = to_b.map(|to| Rule { at: Side::Y, from: by_a, to, shown: Side::X });
                back.into_iter().chain(there).collect()
            }
            AliasMode::Axg => {
                let own = Rule::on_x(by_a, to_b.unwrap_or(LegTarget::Members));
                members.iter().map(|member| Rule::on_x(by(member), to_a)).chain([own]).collect()
            }
        }
    }

    /// The people who have a leg of their own on one of the numbers, each with the counterpart for whom a cooling place
    /// may be had again.
    pub fn places(&self, side: Side) -> Vec<(BlindIndex, Option<BlindIndex>)> {
        let Self { mode, a, b, members } = self;
        let stands = |rule: Rule| {
            let key = Some(rule.from).filter(|_| rule.at == side)?;
            Some((key.person()?, counterpart(*mode, *a, *b, members, &key)))
        };
        self.rules(None).into_iter().filter_map(stands).collect()
    }

    /// Everybody, A first, each once.
    pub fn people(&self) -> impl Iterator<Item = Party> {
        let beside = self.b.filter(|b| !self.members.iter().any(|member| member.index == b.index));
        [Some(self.a), beside].into_iter().flatten().chain(self.members.iter().copied())
    }
}

/// The legs of an alias, as its row says.
pub fn legs(row: &AliasRow) -> Vec<LegRow> {
    let number = |side| number(row, side);
    let leg = |rule: Rule| LegRow {
        number: number(rule.at),
        from: rule.from,
        shown: number(rule.shown),
        alias: row.id,
        tenant: row.tenant,
        to: rule.to,
        expires_at: row.expires_at,
    };
    Parties::of(row).rules(row.extension.as_deref()).into_iter().map(leg).collect()
}

/// The leg by which A answers callers of an extension. It is not kept: one person may have several extensions of one
/// number, so that (X, A) tells nothing by itself; see [`crate::store::AliasStore::extensions_of`].
pub fn answering(row: &AliasRow) -> LegRow {
    LegRow {
        number: row.number,
        from: LegKey::Person(row.a.index),
        shown: row.number,
        alias: row.id,
        tenant: row.tenant,
        to: LegTarget::Senders,
        expires_at: row.expires_at,
    }
}

/// The number that this person of the alias writes to and is written from.
pub fn number_of(row: &AliasRow, party: &Party) -> VirtualNumber {
    match row.mode {
        AliasMode::Axyb if party.index == row.a.index => number(row, Side::Y),
        _ => row.number,
    }
}

fn number(row: &AliasRow, side: Side) -> VirtualNumber {
    match side {
        Side::X => row.number,
        Side::Y => row.number_y.unwrap_or(row.number),
    }
}

/// The mode's name, as in requests, answers and events.
pub fn name(mode: AliasMode) -> &'static str {
    MODES.iter().find(|(known, _)| *known == mode).map_or("", |(_, name)| name)
}

/// The mode that `name` names, if it is one of this table.
pub fn mode(name: &str) -> Option<AliasMode> {
    MODES.iter().find(|(_, known)| *known == name).map(|(mode, _)| *mode)
}

/// Digits of an extension: a guess hits one of at most 10,000 on one number once in a hundred times.
pub const EXTENSION_DIGITS: usize = 6;
/// The most members of a team.
pub const MAX_MEMBERS: usize = 50;

#[cfg(test)]
mod tests;
