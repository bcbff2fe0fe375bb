//! The pure table of legs: for a mode and its parties, who writes to X and whom that reaches.
//!
//! | mode | legs |
//! |---|---|
//! | `ax` | (X, \*) → A; (X, A) → whoever wrote to A and can be answered |
//! | `axb` | (X, A) → B; (X, B) → A |
//!
//! Called by [`super::Alias::bind`]. A new mode is a new arm of each `match` here.

use crate::store::{AliasMode, BlindIndex, LegTarget, Party};

/// One rule before it has a number: a writer (none is anyone) and whom the writer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The writer under the pool's key; none is `*`.
    pub from: Option<BlindIndex>,
    /// Whom the writer reaches.
    pub to: LegTarget,
}

/// The people of an alias, in the shape that its mode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parties {
    /// `ax`: one person and everyone outside.
    One(Party),
    /// `axb`: two persons.
    Two(Party, Party),
}

impl Parties {
    /// The mode that these people are bound in.
    pub const fn mode(&self) -> AliasMode {
        match self {
            Self::One(_) => AliasMode::Ax,
            Self::Two(..) => AliasMode::Axb,
        }
    }

    /// The first person.
    pub const fn a(&self) -> Party {
        match *self {
            Self::One(a) | Self::Two(a, _) => a,
        }
    }

    /// The second person, where the mode has one.
    pub const fn b(&self) -> Option<Party> {
        match *self {
            Self::One(_) => None,
            Self::Two(_, b) => Some(b),
        }
    }

    /// Whether anyone may write to X, so that X can carry no other alias.
    pub const fn is_star(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// The rules of the mode, for these people.
    pub fn legs(&self) -> Vec<Rule> {
        match *self {
            Self::One(a) => vec![
                Rule { from: None, to: LegTarget::Person(a.record) },
                Rule { from: Some(a.index), to: LegTarget::Senders },
            ],
            Self::Two(a, b) => vec![
                Rule { from: Some(a.index), to: LegTarget::Person(b.record) },
                Rule { from: Some(b.index), to: LegTarget::Person(a.record) },
            ],
        }
    }

    /// Each person with the counterpart for whom a cooling (X, person) may be had again.
    pub fn counterparts(&self) -> Vec<(BlindIndex, Option<BlindIndex>)> {
        match *self {
            Self::One(a) => vec![(a.index, None)],
            Self::Two(a, b) => vec![(a.index, Some(b.index)), (b.index, Some(a.index))],
        }
    }
}

/// The mode's name, as in requests, answers and events.
pub const fn name(mode: AliasMode) -> &'static str {
    match mode {
        AliasMode::Ax => "ax",
        AliasMode::Axb => "axb",
    }
}

/// The mode that `name` names, if it is one of this table.
pub fn mode(name: &str) -> Option<AliasMode> {
    [AliasMode::Ax, AliasMode::Axb].into_iter().find(|mode| self::name(*mode) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RecordId;

    const A: Party = Party { record: RecordId(1), index: BlindIndex([1; 16]) };
    const B: Party = Party { record: RecordId(2), index: BlindIndex([2; 16]) };

    #[test]
    fn ax_takes_from_anyone_and_lets_only_a_answer() {
        let one = Parties::One(A);
        assert_eq!(
            one.legs(),
            [
                Rule { from: None, to: LegTarget::Person(A.record) },
                Rule { from: Some(A.index), to: LegTarget::Senders },
            ]
        );
        assert!(one.is_star());
        assert_eq!(one.counterparts(), [(A.index, None)]);
    }

    #[test]
    fn axb_joins_two_and_has_no_leg_for_anyone_else() {
        let two = Parties::Two(A, B);
        assert_eq!(
            two.legs(),
            [
                Rule { from: Some(A.index), to: LegTarget::Person(B.record) },
                Rule { from: Some(B.index), to: LegTarget::Person(A.record) },
            ]
        );
        assert!(!two.is_star());
        assert_eq!(two.counterparts(), [(A.index, Some(B.index)), (B.index, Some(A.index))]);
    }

    #[test]
    fn no_rule_leads_a_writer_back_to_the_writer() {
        for parties in [Parties::One(A), Parties::Two(A, B)] {
            for rule in parties.legs() {
                for person in [Some(A), parties.b()].into_iter().flatten() {
                    let own = rule.from == Some(person.index) && rule.to == LegTarget::Person(person.record);
                    assert!(!own, "{:?} reaches itself", parties.mode());
                }
            }
        }
    }

    #[test]
    fn only_the_modes_of_the_table_have_names() {
        for mode in [AliasMode::Ax, AliasMode::Axb] {
            assert_eq!(self::mode(name(mode)), Some(mode));
        }
        for other in ["axn", "axe", "axyb", "axg", "AX", ""] {
            assert_eq!(mode(other), None, "{other}");
        }
    }
}
