//! Changing an alias: how long it lasts, what the tenant learns, and who is in it; all of one wish in one commit.
//!
//! Other people come in by the store's constraints, like a binding. Whoever stays is told from the number that they see,
//! since they would go on writing to somebody they do not know.

use std::time::Duration;

use super::bind::check_people;
use super::error::AliasError;
use super::ground::{Cast, Person};
use super::leg::{self, Parties};
use super::view::AliasView;
use super::{Alias, COOLING, life};
use crate::access::{AliasRef, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::SubjectId;
use crate::store::{
    AliasRow, AliasStatus, AliasWrite, Change, Conflict, Disclose, LotRow, Party, PoolRow, StoreError, Unknown, Usage,
    Write,
};
use crate::vault::Holder;

/// What is to be otherwise; what is none stays.
#[derive(Default)]
pub struct Alter {
    /// Life from now; none of it is until released.
    pub ttl: Option<Option<Duration>>,
    /// The first person.
    pub a: Option<Holder>,
    /// The second person; none of it is nobody, where the mode can do without.
    pub b: Option<Option<Holder>>,
    /// The team.
    pub members: Option<Vec<Holder>>,
    /// What the tenant learns of messages.
    pub disclose: Option<Disclose>,
    /// What becomes of messages from those who have no leg.
    pub unknown: Option<Unknown>,
}

impl Alter {
    const fn is_of_people(&self) -> bool {
        self.a.is_some() || self.b.is_some() || self.members.is_some()
    }
}

impl Alias {
    /// Changes an active alias. Refuses with a code of [`AliasError`]; then nothing is changed.
    pub async fn change(&self, permit: &Permit<AliasRef>, wish: Alter) -> Result<AliasView, AliasError> {
        life::check_ttl(wish.ttl.flatten())?;
        for _ in 0..MAX_TRIES {
            let was = self.find(permit).await?;
            if is_over(&was, self.store.now()) {
                return Err(AliasError::Over);
            }
            let mut to = was.clone();
            let change = self.changing(permit, &wish, &was, &mut to).await?;
            if change.writes.is_empty() {
                return self.view(permit, &was).await;
            }
            match self.store.commit(change).await {
                Ok(_) => return self.view(permit, &to).await,
                // Somebody else put other people in since it was read.
                Err(StoreError::Conflict(Conflict::Taken)) => {}
                Err(StoreError::Conflict(Conflict::AliasOver)) => return Err(AliasError::Over),
                Err(StoreError::Conflict(Conflict::LegTaken)) => return Err(self.taken(permit, &was).await?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(AliasError::AliasConflict)
    }

    /// The change that makes `to` of `was`, without a write if there is nothing to do.
    async fn changing(
        &self,
        permit: &Permit<AliasRef>,
        wish: &Alter,
        was: &AliasRow,
        to: &mut AliasRow,
    ) -> Result<Change, AliasError> {
        let (now, id, tenant) = (self.store.now(), was.id, was.tenant);
        let mut change = Change { events: Vec::new(), writes: Vec::new() };
        if wish.is_of_people() {
            self.rebinding(permit, wish, (was, to), now, &mut change).await?;
        }
        if let Some(ttl) = wish.ttl {
            to.expires_at = ttl.map(|ttl| now.plus(ttl));
            change.events.push(permit.event(now, What::AliasExtended { alias: id, expires_at: to.expires_at }));
            change.writes.push(Write::ExtendAlias { tenant, id, expires_at: to.expires_at });
        }
        to.disclose = wish.disclose.unwrap_or(was.disclose);
        to.unknown = wish.unknown.unwrap_or(was.unknown);
        if (to.disclose, to.unknown) != (was.disclose, was.unknown) {
            let (disclose, unknown) = (to.disclose, to.unknown);
            let what =
                What::AliasAdjusted { alias: id, disclose: disclose.as_str().into(), unknown: unknown.as_str().into() };
            change.events.push(permit.event(now, what));
            change.writes.push(Write::Alias(AliasWrite::Adjust { tenant, id, disclose, unknown }));
        }
        Ok(change)
    }

    /// Puts the people of the wish into `to`, and says so to those who stay.
    async fn rebinding(
        &self,
        permit: &Permit<AliasRef>,
        wish: &Alter,
        (was, to): (&AliasRow, &mut AliasRow),
        now: Timestamp,
        change: &mut Change,
    ) -> Result<(), AliasError> {
        let pool = self.store.pool(was.pool).await?.ok_or(AliasError::PoolUnknown)?;
        let parties = self.company(permit, wish, was, &pool).await?;
        if parties == Parties::of(was) {
            return Ok(());
        }
        if was.mode.usage() == Usage::Star && parties.a.index != was.a.index {
            // Strangers go on writing to the one who had it, services with codes for that one's accounts among them.
            return Err(AliasError::NumberOccupied);
        }
        (to.a, to.b, to.members) = (parties.a, parties.b, parties.members);
        let subjects = self.subjects(to).await?;
        change.events.push(permit.event(now, What::AliasRebound { alias: was.id, subjects }));
        let cool_until = now.plus(COOLING);
        let legs = leg::legs(to);
        let (before, after) = (Box::new(was.clone()), Box::new(to.clone()));
        change.writes.push(Write::Alias(AliasWrite::Rebind { was: before, alias: after, legs, cool_until }));
        for party in stayed(was, to) {
            let told = self.notice(permit.policy(), to, &party, NOTICE).await?;
            change.writes.extend(told);
        }
        for told in self.told_callers(permit, was, to).await? {
            change.writes.extend(told);
        }
        Ok(())
    }

    /// Who would be in the alias: the wish's people as the pool knows them, the others as they are.
    async fn company(
        &self,
        permit: &Permit<AliasRef>,
        wish: &Alter,
        was: &AliasRow,
        pool: &PoolRow,
    ) -> Result<Parties, AliasError> {
        let lots = self.lots_of(was).await?;
        let stays = |party: Party| Person::Known(party);
        let a = wish.a.map_or(stays(was.a), Person::New);
        let b = match wish.b {
            Some(b) => b.map(Person::New),
            None => was.b.map(stays),
        };
        let members = match &wish.members {
            Some(members) if members.len() > leg::MAX_MEMBERS => return Err(AliasError::Unexpected("members")),
            Some(members) => members.iter().copied().map(Person::New).collect(),
            None => was.members.iter().copied().map(stays).collect::<Vec<_>>(),
        };
        let Cast { parties, reached } = self.cast(permit, was.mode, (a, b, &members), pool, &lots).await?;
        let index = |party: &Party| party.index;
        let team: Vec<_> = parties.members.iter().map(index).collect();
        check_people(was.mode, parties.a.index, parties.b.as_ref().map(index), &team)?;
        if lots.iter().all(|lot| reached.iter().all(|reached| reached.contains(&lot.id))) {
            Ok(parties)
        } else {
            Err(AliasError::Unroutable)
        }
    }

    /// The lots of the alias's numbers.
    async fn lots_of(&self, row: &AliasRow) -> Result<Vec<LotRow>, StoreError> {
        let mut of_numbers = Vec::new();
        for number in row.numbers() {
            of_numbers.extend(self.store.number(number).await?.map(|row| row.traits));
        }
        let mut lots = self.store.lots(row.pool).await?;
        lots.retain(|lot| of_numbers.contains(&lot.traits));
        Ok(lots)
    }

    async fn subjects(&self, row: &AliasRow) -> Result<Vec<SubjectId>, AliasError> {
        let mut subjects = Vec::new();
        for party in row.people() {
            subjects.push(self.people.subject(row.tenant, party.record).await?);
        }
        Ok(subjects)
    }

    /// On an own number, that somebody stands in the way; on a shared one only that it cannot be, which tells nothing of
    /// other tenants.
    async fn taken(&self, permit: &Permit<AliasRef>, was: &AliasRow) -> Result<AliasError, StoreError> {
        let pool = self.store.pool(was.pool).await?;
        let own = pool.is_some_and(|pool| pool.tenant == permit.tenant() && !pool.shared);
        Ok(if own { AliasError::AliasConflict } else { AliasError::PoolExhausted })
    }
}

/// Those who are in both and reach somebody else now.
fn stayed(was: &AliasRow, to: &AliasRow) -> Vec<Party> {
    let reaches = |row: &AliasRow, party: &Party| -> Vec<_> {
        let own = leg::legs(row).into_iter().filter(|leg| leg.from.person() == Some(party.index));
        own.map(|leg| leg.to).collect()
    };
    let mut stayed = to.people();
    stayed.retain(|party| was.people().iter().any(|before| before.index == party.index));
    stayed.retain(|party| reaches(was, party) != reaches(to, party));
    stayed
}

/// Whether an alias ended, also before a worker came by to say so.
pub(super) fn is_over(row: &AliasRow, now: Timestamp) -> bool {
    row.status != AliasStatus::Active || row.expires_at.is_some_and(|end| end <= now)
}

/// What those who stay read.
pub(super) const NOTICE: &str = "This number reaches another person from now on.";
/// How often it is tried again when somebody else changed it meanwhile.
const MAX_TRIES: usize = 4;
