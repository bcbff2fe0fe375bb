//! Binding: choose a pool and a number, and write alias, legs and event in one commit.

use std::collections::HashSet;
use std::time::Duration;

use super::error::AliasError;
use super::ground::Ground;
use super::leg::{self, Need, Side};
use super::view::AliasView;
use super::{Alias, life};
use crate::access::{NewAlias, Permit};
use crate::event::What;
use crate::ids::{self, PoolId};
use crate::phone::{self, VirtualNumber};
use crate::store::{
    AliasMode, AliasRow, AliasStatus, Allocation, BlindIndex, Change, Conflict, Disclose, LegKey, PoolRow, StoreError,
    Strategy, Unknown, Write,
};
use crate::vault::Holder;

/// What is to be bound.
pub struct Bind {
    /// The mode's name.
    pub mode: String,
    /// The first person.
    pub a: Holder,
    /// The second person, in modes that have one.
    pub b: Option<Holder>,
    /// The team, in the mode that has one.
    pub members: Vec<Holder>,
    /// This number and no other; own, unshared pools only.
    pub number: Option<VirtualNumber>,
    /// The same for the second number of `axyb`.
    pub number_y: Option<VirtualNumber>,
    /// From this pool and no other.
    pub pool: Option<PoolId>,
    /// ISO 3166-1 alpha-2, if it matters.
    pub region: Option<String>,
    /// The same of what A sees, in `axyb`.
    pub a_region: Option<String>,
    /// The same of what B sees, in `axyb`.
    pub b_region: Option<String>,
    /// What the number has to be able to do, and the alias carries; none is whatever the number can, texts at least.
    pub capabilities: Vec<String>,
    /// Which of several numbers.
    pub strategy: Strategy,
    /// What the tenant learns of messages.
    pub disclose: Disclose,
    /// What becomes of messages from those who have no leg.
    pub unknown: Unknown,
    /// The content policy that messages pass, by name.
    pub content: Option<String>,
    /// How long it lasts; none is until released.
    pub ttl: Option<Duration>,
    /// A JSON object, free of numbers.
    pub metadata: Option<String>,
}

impl Bind {
    /// A binding of `a` with nothing else said.
    pub fn of(mode: &str, a: Holder) -> Self {
        Self {
            mode: mode.to_owned(),
            a,
            b: None,
            members: Vec::new(),
            number: None,
            number_y: None,
            pool: None,
            region: None,
            a_region: None,
            b_region: None,
            capabilities: Vec::new(),
            strategy: Strategy::default(),
            disclose: Disclose::default(),
            unknown: Unknown::default(),
            content: None,
            ttl: None,
            metadata: None,
        }
    }

    /// Everybody, A first, each once.
    pub(super) fn people(&self) -> impl Iterator<Item = &Holder> {
        let beside = self.b.as_ref().filter(|b| !self.members.iter().any(|member| member.index == b.index));
        [Some(&self.a), beside].into_iter().flatten().chain(&self.members)
    }

    /// Where a number has to be.
    pub(super) fn region(&self, side: Side) -> Option<&str> {
        let own = match side {
            // B writes to X and sees it.
            Side::X => &self.b_region,
            Side::Y => &self.a_region,
        };
        own.as_deref().or(self.region.as_deref())
    }
}

impl Alias {
    /// Binds a number of a pool to people. Refuses with a code of [`AliasError`].
    pub async fn bind(&self, permit: &Permit<NewAlias>, wish: Bind) -> Result<AliasView, AliasError> {
        let mode = check(&wish)?;
        if wish.content.as_deref().is_some_and(|policy| !permit.terms().content.knows(policy)) {
            return Err(AliasError::ContentUnknown);
        }
        let mut why = None;
        for pool in self.candidates(permit, &wish).await? {
            let settled = match self.ground(permit, mode, &wish, &pool).await {
                Ok(ground) => self.bind_in(permit, &wish, &ground).await,
                Err(error) => Err(error),
            };
            match settled {
                Err(AliasError::PoolExhausted) => why = Some(AliasError::PoolExhausted),
                Err(AliasError::Unroutable) => why = why.or(Some(AliasError::Unroutable)),
                settled => return settled,
            }
        }
        Err(why.unwrap_or(AliasError::PoolExhausted))
    }

    /// The pools to try: the chosen number's, the named one, or the tenant's own before shared ones.
    async fn candidates(&self, permit: &Permit<NewAlias>, wish: &Bind) -> Result<Vec<PoolRow>, AliasError> {
        let mut pools = self.store.pools(permit.tenant()).await?;
        pools.retain(|pool| pool.mode == permit.mode() && (pool.shared || pool.tenant == permit.tenant()));
        if let Some(named) = wish.pool {
            pools.retain(|pool| pool.id == named);
            if pools.is_empty() {
                return Err(AliasError::PoolUnknown);
            }
        }
        for number in [wish.number, wish.number_y].into_iter().flatten() {
            let home = self.store.number(number).await?.map(|row| row.pool);
            pools.retain(|pool| Some(pool.id) == home && pool.tenant == permit.tenant() && !pool.shared);
            if pools.is_empty() {
                return Err(AliasError::Unroutable);
            }
        }
        pools.sort_by_key(|pool| pool.tenant != permit.tenant());
        pools.truncate(MAX_POOLS);
        Ok(pools)
    }

    /// Takes numbers of a pool and binds them, again with others where somebody was faster.
    async fn bind_in(&self, permit: &Permit<NewAlias>, wish: &Bind, ground: &Ground) -> Result<AliasView, AliasError> {
        for _ in 0..MAX_TRIES {
            let Some(row) = self.proposal(permit, wish, ground).await? else { break };
            match self.store.commit(binding(permit, wish, &row)).await {
                Ok(_) => return self.view(permit, &row).await,
                Err(StoreError::Conflict(Conflict::LegTaken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.shortage(wish, ground).await?)
    }

    /// An alias on numbers that could be had a moment ago; none if there are none.
    async fn proposal(
        &self,
        permit: &Permit<NewAlias>,
        wish: &Bind,
        ground: &Ground,
    ) -> Result<Option<AliasRow>, AliasError> {
        let x = allocation(permit, wish, ground, Side::X, Vec::new());
        let Some(number) = self.store.allocate(&x).await? else { return Ok(None) };
        let mut row = self.row(permit, wish, ground, number)?;
        if leg::needs(row.mode).y {
            let y = allocation(permit, wish, ground, Side::Y, vec![number]);
            row.number_y = self.store.allocate(&y).await?;
            if row.number_y.is_none() {
                return Ok(None);
            }
        }
        if row.capabilities.is_empty() {
            row.capabilities = self.abilities(ground, &row).await?;
        }
        Ok(Some(row))
    }

    /// What the numbers of an alias can do, all of them.
    async fn abilities(&self, ground: &Ground, row: &AliasRow) -> Result<Vec<String>, StoreError> {
        if let Some(alike) = ground.abilities() {
            return Ok(alike.to_vec());
        }
        let mut abilities: Option<Vec<String>> = None;
        for number in row.numbers() {
            let can = self.store.number(number).await?.map(|row| row.traits.capabilities).unwrap_or_default();
            abilities = Some(match abilities {
                None => can,
                Some(both) => both.into_iter().filter(|ability| can.contains(ability)).collect(),
            });
        }
        Ok(abilities.unwrap_or_default())
    }

    /// Why no number was had: on an own number that the caller chose, what stands in the way; else only that.
    async fn shortage(&self, wish: &Bind, ground: &Ground) -> Result<AliasError, StoreError> {
        let mut chosen = false;
        for (side, number) in [(Side::X, wish.number), (Side::Y, wish.number_y)] {
            let Some(number) = number else { continue };
            chosen = true;
            for (party, _) in ground.parties.places(side) {
                let leg = self.store.leg(number, Some(party)).await?;
                if leg.is_some_and(|leg| leg.from == LegKey::Person(party)) {
                    return Ok(AliasError::AliasConflict);
                }
            }
        }
        Ok(if chosen { AliasError::NumberOccupied } else { AliasError::PoolExhausted })
    }

    fn row(
        &self,
        permit: &Permit<NewAlias>,
        wish: &Bind,
        ground: &Ground,
        number: VirtualNumber,
    ) -> Result<AliasRow, AliasError> {
        let now = self.store.now();
        let parties = ground.parties.clone();
        Ok(AliasRow {
            id: ids::fresh(),
            tenant: permit.tenant(),
            mode: parties.mode,
            number,
            number_y: None,
            extension: leg::needs(parties.mode).extension.then(extension),
            pool: ground.pool.id,
            a: parties.a,
            b: parties.b,
            members: parties.members,
            disclose: wish.disclose,
            unknown: wish.unknown,
            content: wish.content.clone(),
            capabilities: wish.capabilities.clone(),
            audience: permit.audience().map(str::to_owned),
            credential: permit.credential().ok_or(AliasError::NotFound)?,
            status: AliasStatus::Active,
            metadata: wish.metadata.clone(),
            created_at: now,
            expires_at: wish.ttl.map(|ttl| now.plus(ttl)),
        })
    }
}

/// What can be refused without looking anything up.
fn check(wish: &Bind) -> Result<AliasMode, AliasError> {
    let mode = leg::mode(&wish.mode).ok_or(AliasError::ModeUnsupported)?;
    life::check_ttl(wish.ttl)?;
    if wish.metadata.as_deref().is_some_and(|text| text.len() > MAX_METADATA) {
        return Err(AliasError::SizeInvalid);
    }
    if wish.metadata.as_deref().is_some_and(phone::contains_number) {
        return Err(AliasError::NumberInText);
    }
    let needs = leg::needs(mode);
    if !needs.y {
        let beside = [("a_region", wish.a_region.is_some()), ("b_region", wish.b_region.is_some())];
        let beside = beside.into_iter().chain([("number_y", wish.number_y.is_some())]);
        if let Some((field, _)) = beside.into_iter().find(|(_, given)| *given) {
            return Err(AliasError::Unexpected(field));
        }
    }
    if wish.number.is_some() && wish.number == wish.number_y {
        return Err(AliasError::Unexpected("number_y"));
    }
    let index = |holder: &Holder| holder.index;
    let team: Vec<_> = wish.members.iter().map(index).collect();
    check_people(mode, wish.a.index, wish.b.as_ref().map(index), &team)?;
    Ok(mode)
}

/// Whether a mode can be of these people, by indexes under one key.
pub(super) fn check_people(
    mode: AliasMode,
    a: BlindIndex,
    b: Option<BlindIndex>,
    members: &[BlindIndex],
) -> Result<(), AliasError> {
    let needs = leg::needs(mode);
    match (needs.b, b) {
        (Need::Always, None) => return Err(AliasError::PartyMissing),
        (Need::Never, Some(_)) => return Err(AliasError::PartyUnexpected),
        _ => {}
    }
    match (needs.members, members.len()) {
        (true, 0) => return Err(AliasError::MembersMissing),
        (false, 1..) => return Err(AliasError::Unexpected("members")),
        (true, count) if count > leg::MAX_MEMBERS => return Err(AliasError::Unexpected("members")),
        _ => {}
    }
    let mut seen = HashSet::from([a]);
    if !members.iter().all(|member| seen.insert(*member)) {
        return Err(AliasError::SameParty);
    }
    match b {
        Some(b) if b == a => Err(AliasError::SameParty),
        Some(b) if needs.members && !members.contains(&b) => Err(AliasError::PartyUnexpected),
        _ => Ok(()),
    }
}

fn allocation(
    permit: &Permit<NewAlias>,
    wish: &Bind,
    ground: &Ground,
    side: Side,
    taken: Vec<VirtualNumber>,
) -> Allocation {
    let (number, other) = match side {
        Side::X => (wish.number, wish.number_y),
        Side::Y => (wish.number_y, None),
    };
    Allocation {
        pool: ground.pool.id,
        number,
        lots: ground.lots(side),
        without: taken.into_iter().chain(other).collect(),
        usage: ground.parties.mode.usage(),
        parties: ground.parties.places(side),
        owner: ground.parties.a.index,
        tenant: permit.tenant(),
        strategy: wish.strategy,
        spread: u64::from_be_bytes(crate::crypto::random()),
    }
}

fn binding(permit: &Permit<NewAlias>, wish: &Bind, row: &AliasRow) -> Change {
    let subjects = wish.people().map(|person| person.subject).collect();
    let what = What::AliasBound { alias: row.id, mode: leg::name(row.mode).to_owned(), number: row.number, subjects };
    let legs = leg::legs(row);
    Change::telling(permit.event(row.created_at, what)).with(Write::BindAlias { alias: Box::new(row.clone()), legs })
}

/// Digits that nobody can guess from others that were given out.
fn extension() -> String {
    // The bias of the remainder is below one in 10^12.
    let random = u64::from_be_bytes(crate::crypto::random());
    let width = leg::EXTENSION_DIGITS;
    format!("{:0width$}", random % EXTENSIONS)
}

/// As many as there are of [`leg::EXTENSION_DIGITS`] digits.
const EXTENSIONS: u64 = 10_u64.pow(leg::EXTENSION_DIGITS as u32);
/// How often another number is tried when somebody else was faster.
const MAX_TRIES: usize = 8;
/// How many pools one call looks into.
const MAX_POOLS: usize = 16;
/// Bytes of `metadata`.
const MAX_METADATA: usize = 4_096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;
    use crate::ids::RecordId;

    fn holder(n: u8) -> Holder {
        Holder { record: RecordId(n.into()), index: BlindIndex([n; 16]), subject: ids::from_bytes([n; 16]) }
    }

    fn wish(mode: &str, b: Option<Holder>) -> Bind {
        Bind { b, ..Bind::of(mode, holder(1)) }
    }

    fn team(b: Option<u8>, members: &[u8]) -> Bind {
        Bind { members: members.iter().copied().map(holder).collect(), ..wish("axg", b.map(holder)) }
    }

    fn code(wish: &Bind) -> &'static str {
        check(wish).err().and_then(|error| error.code()).unwrap_or("accepted")
    }

    #[test]
    fn each_mode_has_exactly_its_parties() {
        for (mode, alone, with) in [
            ("ax", "accepted", "party_unexpected"),
            ("axb", "party_missing", "accepted"),
            ("axn", "accepted", "accepted"),
            ("axe", "accepted", "party_unexpected"),
            ("axyb", "party_missing", "accepted"),
            ("axg", "members_missing", "members_missing"),
            ("axz", "mode_unsupported", "mode_unsupported"),
        ] {
            assert_eq!((code(&wish(mode, None)), code(&wish(mode, Some(holder(2))))), (alone, with), "{mode}");
        }
    }

    #[test]
    fn a_team_is_of_different_people_and_b_is_one_of_them() {
        assert_eq!(code(&team(None, &[2])), "accepted");
        assert_eq!(code(&team(Some(3), &[2, 3])), "accepted");
        assert_eq!(code(&team(Some(4), &[2, 3])), "party_unexpected");
        assert_eq!(code(&team(None, &[2, 3, 2])), "same_party");
        assert_eq!(code(&team(None, &[1])), "same_party");
        let crowd: Vec<u8> = (2..=52).collect();
        assert_eq!(code(&team(None, &crowd[..50])), "accepted");
        assert_eq!(code(&team(None, &crowd)), "unexpected");
        assert_eq!(code(&Bind { members: vec![holder(3)], ..wish("axb", Some(holder(2))) }), "unexpected");
    }

    #[test]
    fn two_tokens_of_one_number_are_one_party() {
        let mut twin = holder(1);
        twin.record = RecordId(9);
        for mode in ["axb", "axn", "axyb"] {
            assert_eq!(code(&wish(mode, Some(twin))), "same_party");
        }
    }

    #[test]
    fn areas_of_each_side_are_for_two_numbers() {
        let with_areas = |mode| Bind { a_region: Some("GB".into()), ..wish(mode, Some(holder(2))) };
        assert_eq!(code(&with_areas("axyb")), "accepted");
        assert_eq!(code(&with_areas("axb")), "unexpected");
        let x = VirtualNumber::from_digits(447_700_900_500);
        assert_eq!(code(&Bind { number: x, number_y: x, ..wish("axyb", Some(holder(2))) }), "unexpected");
        let bind = Bind { b_region: Some("FR".into()), region: Some("US".into()), ..with_areas("axyb") };
        assert_eq!((bind.region(Side::X), bind.region(Side::Y)), (Some("FR"), Some("GB")), "X is what B sees");
    }

    #[test]
    fn a_life_has_bounds_and_metadata_holds_no_number() {
        let mut short = wish("ax", None);
        short.ttl = Some(Duration::from_secs(59));
        assert_eq!(code(&short), "ttl_invalid");
        short.ttl = Some(Duration::from_secs(60));
        assert_eq!(code(&short), "accepted");
        short.metadata = Some(r#"{"call":"+1 212 555 0123"}"#.into());
        assert_eq!(code(&short), "number_in_text");
    }

    #[test]
    fn extensions_have_one_length_and_are_spread() {
        let given: std::collections::HashSet<_> = (0..200).map(|_| extension()).collect();
        assert!(given.iter().all(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit())));
        assert!(given.len() > 190, "{}", given.len());
    }
}
