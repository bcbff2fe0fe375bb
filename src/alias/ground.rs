//! The ground that a binding stands on: one pool, its people as that pool knows them, and the lots whose numbers would do.

use std::collections::BTreeSet;

use super::Alias;
use super::bind::Bind;
use super::error::AliasError;
use super::leg::{Parties, Side};
use crate::access::{Permit, Resource};
use crate::store::{AliasMode, LotId, LotRow, Party, PoolRow};
use crate::vault::Holder;

/// A pool, seen by those who are to be bound from it.
pub(super) struct Ground {
    pub(super) pool: PoolRow,
    pub(super) parties: Parties,
    /// What would do for X, and for Y.
    fitting: [Vec<LotRow>; 2],
}

impl Ground {
    /// The lots that would do for a number.
    pub(super) fn lots(&self, side: Side) -> Vec<LotId> {
        self.on(side).iter().map(|lot| lot.id).collect()
    }

    /// What every number that would do can do, if that is the same for all.
    pub(super) fn abilities(&self) -> Option<&[String]> {
        let mut all = self.fitting.iter().flatten().map(|lot| &lot.traits.capabilities);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    fn on(&self, side: Side) -> &[LotRow] {
        let [x, y] = &self.fitting;
        match side {
            Side::X => x,
            Side::Y => y,
        }
    }
}

/// A person who is to be in an alias.
#[derive(Clone, Copy)]
pub(super) enum Person {
    /// Named by the caller.
    New(Holder),
    /// In it already: the pool knows them, and they can be reached.
    Known(Party),
}

/// The people of an alias as one pool knows them, each with the lots whose numbers reach them.
pub(super) struct Cast {
    pub(super) parties: Parties,
    /// Of A, of B, and of all others.
    pub(super) reached: [BTreeSet<LotId>; 3],
}

impl Cast {
    /// Whether numbers of a lot reach everybody who writes to that side.
    fn reaches(&self, lot: LotId, side: Side) -> bool {
        let [a, b, others] = &self.reached;
        let is_split = self.parties.mode == AliasMode::Axyb;
        match side {
            Side::Y => a.contains(&lot),
            Side::X if is_split => b.contains(&lot),
            Side::X => [a, b, others].into_iter().all(|reached| reached.contains(&lot)),
        }
    }
}

impl Alias {
    /// Refuses what no number of the pool can do: [`AliasError::Unroutable`] if those that would do reach not everybody.
    pub(super) async fn ground<R: Resource>(
        &self,
        permit: &Permit<R>,
        mode: AliasMode,
        wish: &Bind,
        pool: &PoolRow,
    ) -> Result<Ground, AliasError> {
        let lots = self.store.lots(pool.id).await?;
        let members: Vec<_> = wish.members.iter().copied().map(Person::New).collect();
        let people = (Person::New(wish.a), wish.b.map(Person::New), members.as_slice());
        let cast = self.cast(permit, mode, people, pool, &lots).await?;
        let sides = if mode == AliasMode::Axyb { &[Side::X, Side::Y][..] } else { &[Side::X] };
        let mut fitting = [Vec::new(), Vec::new()];
        for (side, fitting) in sides.iter().zip(&mut fitting) {
            let fit: Vec<_> = lots.iter().filter(|lot| fits(lot, wish, *side)).collect();
            if fit.is_empty() {
                return Err(AliasError::PoolExhausted);
            }
            *fitting = fit.into_iter().filter(|lot| cast.reaches(lot.id, *side)).cloned().collect();
            if fitting.is_empty() {
                return Err(AliasError::Unroutable);
            }
        }
        Ok(Ground { pool: pool.clone(), parties: cast.parties, fitting })
    }

    /// The people as a pool knows them; refuses those who are themselves a pool's number.
    pub(super) async fn cast<R: Resource>(
        &self,
        permit: &Permit<R>,
        mode: AliasMode,
        (a, b, members): (Person, Option<Person>, &[Person]),
        pool: &PoolRow,
        lots: &[LotRow],
    ) -> Result<Cast, AliasError> {
        let everywhere = || lots.iter().map(|lot| lot.id).collect::<BTreeSet<_>>();
        let (a, of_a) = self.seen(permit, a, pool, lots).await?;
        let (b, of_b) = match b {
            Some(b) => self.seen(permit, b, pool, lots).await.map(|(b, reached)| (Some(b), reached))?,
            None => (None, everywhere()),
        };
        let (mut team, mut of_others) = (Vec::new(), everywhere());
        for member in members {
            let (member, reached) = self.seen(permit, *member, pool, lots).await?;
            team.push(member);
            of_others.retain(|lot| reached.contains(lot));
        }
        Ok(Cast { parties: Parties { mode, a, b, members: team }, reached: [of_a, of_b, of_others] })
    }

    async fn seen<R: Resource>(
        &self,
        permit: &Permit<R>,
        person: Person,
        pool: &PoolRow,
        lots: &[LotRow],
    ) -> Result<(Party, BTreeSet<LotId>), AliasError> {
        let holder = match person {
            Person::Known(party) => return Ok((party, lots.iter().map(|lot| lot.id).collect())),
            Person::New(holder) => holder,
        };
        let seen = self.people.seen_by(pool, permit.tenant(), holder.record, lots).await?;
        if seen.in_pool { Err(AliasError::NumberInPool) } else { Ok((seen.party, seen.reached)) }
    }
}

/// Whether numbers of a lot are where they are wanted and can do what is wanted, texts if nothing is said.
fn fits(lot: &LotRow, wish: &Bind, side: Side) -> bool {
    let can = |ability: &String| lot.traits.capabilities.contains(ability);
    let is_able = if wish.capabilities.is_empty() { can(&"sms".to_owned()) } else { wish.capabilities.iter().all(can) };
    is_able && wish.region(side).is_none_or(|region| lot.traits.region.as_deref() == Some(region))
}
