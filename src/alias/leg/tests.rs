//! The table, mode by mode.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::ids::{self, RecordId};
use crate::store::{AliasStatus, Disclose, Unknown, Usage};

const fn party(n: u8) -> Party {
    Party { record: RecordId(n as u64), index: BlindIndex([n; 16]) }
}

const A: Party = party(1);
const B: Party = party(2);
const C: Party = party(3);

const fn to(party: Party) -> LegTarget {
    LegTarget::Person(party.record)
}

const fn by(party: Party) -> LegKey {
    LegKey::Person(party.index)
}

fn of(mode: AliasMode, b: Option<Party>, members: &[Party]) -> Parties {
    Parties { mode, a: A, b, members: members.to_vec() }
}

/// Every mode in each of its shapes.
fn shapes() -> Vec<Parties> {
    vec![
        of(AliasMode::Ax, None, &[]),
        of(AliasMode::Axb, Some(B), &[]),
        of(AliasMode::Axn, None, &[]),
        of(AliasMode::Axn, Some(B), &[]),
        of(AliasMode::Axe, None, &[]),
        of(AliasMode::Axyb, Some(B), &[]),
        of(AliasMode::Axg, None, &[B, C]),
        of(AliasMode::Axg, Some(C), &[B, C]),
    ]
}

fn x(n: u64) -> VirtualNumber {
    VirtualNumber::from_digits(447_700_900_500 + n).unwrap()
}

fn row(parties: &Parties) -> AliasRow {
    let Parties { mode, a, b, members } = parties.clone();
    AliasRow {
        id: ids::fresh(),
        tenant: ids::fresh(),
        mode,
        number: x(0),
        number_y: needs(mode).y.then(|| x(1)),
        extension: needs(mode).extension.then(|| "402817".to_owned()),
        pool: ids::fresh(),
        a,
        b,
        members,
        disclose: Disclose::None,
        unknown: Unknown::Reply,
        content: None,
        capabilities: vec!["sms".into()],
        audience: None,
        credential: ids::fresh(),
        status: AliasStatus::Active,
        metadata: None,
        created_at: crate::clock::Timestamp::from_millis(0),
        expires_at: None,
    }
}

/// What the table says of one shape: (written to, by, reaches, sees).
type Line = (u64, LegKey, LegTarget, u64);

#[test]
fn every_mode_has_the_legs_of_the_table_and_no_other() {
    let ext = LegKey::Extension("402817".into());
    let tables: Vec<Vec<Line>> = vec![
        vec![(0, LegKey::Anyone, to(A), 0), (0, by(A), LegTarget::Senders, 0)],
        vec![(0, by(A), to(B), 0), (0, by(B), to(A), 0)],
        vec![(0, LegKey::Anyone, to(A), 0), (0, by(A), LegTarget::LastSender, 0)],
        vec![(0, LegKey::Anyone, to(A), 0), (0, by(A), to(B), 0)],
        vec![(0, ext, to(A), 0)],
        vec![(0, by(B), to(A), 1), (1, by(A), to(B), 0)],
        vec![(0, by(B), to(A), 0), (0, by(C), to(A), 0), (0, by(A), LegTarget::Members, 0)],
        vec![(0, by(B), to(A), 0), (0, by(C), to(A), 0), (0, by(A), to(C), 0)],
    ];
    for (parties, table) in shapes().iter().zip(tables) {
        let row = row(parties);
        let line = |leg: LegRow| {
            assert_eq!((leg.alias, leg.tenant), (row.id, row.tenant));
            (leg.number.digits() - x(0).digits(), leg.from, leg.to, leg.shown.digits() - x(0).digits())
        };
        let lines: Vec<Line> = legs(&row).into_iter().map(line).collect();
        assert_eq!(lines, table, "{}", name(parties.mode));
    }
}

#[test]
fn no_rule_leads_a_writer_back_to_the_writer_or_out_of_the_alias() {
    for parties in shapes() {
        let people: Vec<_> = parties.people().collect();
        for rule in parties.rules(Some("402817")) {
            let LegTarget::Person(reached) = rule.to else { continue };
            assert!(people.iter().any(|party| party.record == reached), "{}", name(parties.mode));
            let own = people.iter().find(|party| rule.from == LegKey::Person(party.index));
            assert!(own.is_none_or(|own| own.record != reached), "{} reaches itself", name(parties.mode));
        }
    }
}

#[test]
fn what_a_receiver_sees_is_what_the_receiver_can_write_to() {
    for parties in shapes() {
        let row = row(&parties);
        for leg in legs(&row) {
            let LegTarget::Person(reached) = leg.to else { continue };
            let receiver = parties.people().find(|party| party.record == reached).unwrap();
            assert_eq!(leg.shown, number_of(&row, &receiver), "{}", name(parties.mode));
            assert!(row.numbers().any(|number| number == leg.shown), "only numbers of the alias are shown");
        }
    }
}

#[test]
fn only_anyones_mode_and_extensions_keep_their_number_from_others() {
    for parties in shapes() {
        let rules = parties.rules(Some("402817"));
        let usage = match () {
            () if rules.iter().any(|rule| rule.from == LegKey::Anyone) => Usage::Star,
            () if rules.iter().any(|rule| matches!(rule.from, LegKey::Extension(_))) => Usage::Ext,
            () => Usage::Pair,
        };
        assert_eq!(parties.mode.usage(), usage, "{}", name(parties.mode));
    }
}

#[test]
fn a_place_comes_back_to_the_same_counterpart_alone() {
    let pair = |mode| of(mode, Some(B), &[]);
    assert_eq!(pair(AliasMode::Axb).places(Side::X), [(A.index, Some(B.index)), (B.index, Some(A.index))]);
    assert_eq!(pair(AliasMode::Axyb).places(Side::X), [(B.index, Some(A.index))]);
    assert_eq!(pair(AliasMode::Axyb).places(Side::Y), [(A.index, Some(B.index))]);
    assert_eq!(of(AliasMode::Ax, None, &[]).places(Side::X), [(A.index, None)]);
    assert!(of(AliasMode::Axe, None, &[]).places(Side::X).is_empty(), "anybody may have several");

    let team = |members: &[Party]| of(AliasMode::Axg, None, members).places(Side::X);
    let own = |places: &[(BlindIndex, Option<BlindIndex>)]| places.last().copied().unwrap();
    assert_eq!(team(&[B, C])[0], (B.index, Some(A.index)));
    assert_eq!(own(&team(&[B, C])), own(&team(&[C, B])), "the same team in any order");
    assert_ne!(own(&team(&[B, C])), own(&team(&[B])));
    assert_ne!(own(&team(&[B])).1, Some(B.index), "a team of one is no pair: others were in it, or may come");
}

#[test]
fn what_a_row_says_of_counterparts_is_what_the_table_says() {
    for parties in shapes() {
        let row = row(&parties);
        for side in [Side::X, Side::Y] {
            for (index, counterpart) in parties.places(side) {
                assert_eq!(row.counterpart(&LegKey::Person(index)), counterpart);
            }
        }
        assert_eq!(row.counterpart(&LegKey::Anyone), None);
        assert_eq!(row.counterpart(&LegKey::Extension("1".into())), Some(A.index));
        assert_eq!(row.people(), parties.people().collect::<Vec<_>>());
    }
}

#[test]
fn a_modes_name_is_its_own() {
    for (known, text) in MODES {
        assert_eq!((mode(text), name(known)), (Some(known), text));
        assert_eq!(serde_json::to_value(known).unwrap(), text, "as answers write it");
    }
    for other in ["AX", "a", "", "axbb"] {
        assert_eq!(mode(other), None, "{other}");
    }
}
