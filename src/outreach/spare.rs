//! People who asked to be spared messages: entered one by one or many at once, listed without numbers, taken back.
//!
//! A suppression is kept by the person's index, under which it outlives the person's tokens: being forgotten does not
//! begin the messages again.

use super::{Outreach, OutreachError};
use crate::access::{Permit, Suppressions};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::{SubjectId, SuppressionId};
use crate::phone::VirtualNumber;
use crate::store::{BlindIndex, Change, Scope, Suppression, Write};
use crate::token::Token;
use crate::vault::MAX_BATCH;

/// Somebody to be spared something.
pub struct SpareWish {
    /// The person.
    pub token: Token,
    /// From what.
    pub scope: Scope,
}

/// Somebody who is spared something.
#[derive(Clone, Debug)]
pub struct SparedPerson {
    /// The entry's id.
    pub id: Option<SuppressionId>,
    /// The person in the log.
    pub subject: SubjectId,
    /// The person's token in the caller's audience, while there is one.
    pub token: Option<Token>,
    /// From what.
    pub scope: Scope,
    /// How it came about: `api`, `stop`, `complaint`.
    pub source: String,
    /// Since when.
    pub at: Timestamp,
}

/// The name of a scope in answers and events.
pub fn scope_name(scope: Scope) -> String {
    match scope {
        Scope::Number(number) => number.to_string(),
        Scope::Marketing => "marketing".to_owned(),
        Scope::Notice => "notice".to_owned(),
        Scope::All => "all".to_owned(),
    }
}

impl Outreach {
    /// Spares a person messages.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`] for every token that is not the caller's to see; [`OutreachError::Invalid`] for a number
    /// that is in no pool of the tenant's.
    pub async fn spare(&self, permit: &Permit<Suppressions>, wish: SpareWish) -> Result<SparedPerson, OutreachError> {
        let (subject, row) = self.suppression(permit, &wish).await?;
        let (scope, at) = (row.scope, row.at);
        let source = row.source.clone();
        let what = What::SuppressionAdded { subject, scope: scope_name(scope), source: source.clone() };
        self.store.commit(Change::telling(permit.event(at, what)).with(Write::Suppress(row))).await?;
        Ok(SparedPerson { id: None, subject, token: Some(wish.token), scope, source, at })
    }

    /// Spares many people messages, in one commit. Items that came refused stay so.
    ///
    /// # Errors
    /// [`OutreachError::TooMany`]; [`OutreachError::Store`] if none could be written.
    pub async fn spare_many<E>(
        &self,
        permit: &Permit<Suppressions>,
        items: Vec<Result<SpareWish, E>>,
    ) -> Result<Vec<Result<SparedPerson, Result<OutreachError, E>>>, OutreachError> {
        if items.len() > MAX_BATCH {
            return Err(OutreachError::TooMany);
        }
        let (mut answers, mut rows, mut subjects) = (Vec::with_capacity(items.len()), Vec::new(), Vec::new());
        for item in items {
            let wish = match item {
                Ok(wish) => wish,
                Err(refusal) => {
                    answers.push(Err(Err(refusal)));
                    continue;
                }
            };
            answers.push(match self.suppression(permit, &wish).await {
                Ok((subject, row)) => {
                    let (scope, source, at) = (row.scope, row.source.clone(), row.at);
                    subjects.push(subject);
                    rows.push(row);
                    Ok(SparedPerson { id: None, subject, token: Some(wish.token), scope, source, at })
                }
                Err(OutreachError::Store(error)) => return Err(OutreachError::Store(error)),
                Err(OutreachError::Key(error)) => return Err(OutreachError::Key(error)),
                Err(refusal) => Err(Ok(refusal)),
            });
            if answers.len().is_multiple_of(BREATH) {
                tokio::task::yield_now().await;
            }
        }
        let refused = (answers.len() - rows.len()) as u64;
        let events = self.told_of_many(permit, &subjects, refused);
        let writes = rows.into_iter().map(Write::Suppress).collect();
        self.store.commit(Change { events, writes }).await?;
        Ok(answers)
    }

    /// Takes back what a person is spared: of one scope, or everything.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`] for every token that is not the caller's to see, and if there is nothing to take back.
    pub async fn lift(
        &self,
        permit: &Permit<Suppressions>,
        token: &Token,
        scope: Option<Scope>,
    ) -> Result<(), OutreachError> {
        let person = self.vault.person_of(permit, token).await?;
        let known = self.store.suppressed(permit.tenant(), person.index).await?;
        if known.is_empty() || scope.is_some_and(|scope| !known.contains(&scope)) {
            return Err(OutreachError::NotFound);
        }
        let (tenant, index) = (permit.tenant(), person.index);
        let told = scope.map(scope_name);
        let what = What::SuppressionLifted { subject: person.subject, scope: told, source: SOURCE.to_owned() };
        let write = Write::Unsuppress { tenant, index, scopes: scope.into_iter().collect() };
        self.store.commit(Change::telling(permit.event(self.store.now(), what)).with(write)).await?;
        Ok(())
    }

    /// From what one person is spared.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`] for every token that is not the caller's to see.
    pub async fn spared(&self, permit: &Permit<Suppressions>, token: &Token) -> Result<Vec<Scope>, OutreachError> {
        let person = self.vault.person_of(permit, token).await?;
        Ok(self.store.suppressed(permit.tenant(), person.index).await?)
    }

    /// Everybody who is spared something, newest first.
    ///
    /// # Errors
    /// If the store or the keys fail.
    pub async fn all_spared(
        &self,
        permit: &Permit<Suppressions>,
        after: Option<SuppressionId>,
        limit: u32,
    ) -> Result<Vec<SparedPerson>, OutreachError> {
        let tenant = permit.tenant();
        let keys = self.keyring.tenant(tenant).await?;
        let rows = self.store.suppressions(tenant, after, limit).await?;
        let indexes: Vec<BlindIndex> = rows.iter().map(|(_, row)| row.index).collect();
        let records = self.store.tokens_by_index(tenant, &indexes).await?;
        let mut people = Vec::with_capacity(rows.len());
        for ((id, row), record) in rows.into_iter().zip(records) {
            let token = match record {
                Some(record) => Some(self.vault.token_of(tenant, record.id, permit.audience()).await?),
                None => None,
            };
            let (subject, scope, at) = (keys.subject(row.index), row.scope, row.at);
            people.push(SparedPerson { id: Some(id), subject, token, scope, source: row.source, at });
        }
        Ok(people)
    }

    async fn suppression(
        &self,
        permit: &Permit<Suppressions>,
        wish: &SpareWish,
    ) -> Result<(SubjectId, Suppression), OutreachError> {
        if let Scope::Number(number) = wish.scope
            && !self.is_usable(permit, number).await?
        {
            return Err(OutreachError::Invalid("scope"));
        }
        let person = self.vault.person_of(permit, &wish.token).await?;
        let (tenant, index, at) = (permit.tenant(), person.index, self.store.now());
        let row = Suppression { tenant, index, scope: wish.scope, source: SOURCE.to_owned(), at };
        Ok((person.subject, row))
    }

    /// Whether a number is of a pool that the tenant may use. Any other could be a person's, which may stand nowhere.
    async fn is_usable<R>(&self, permit: &Permit<R>, number: VirtualNumber) -> Result<bool, OutreachError> {
        let Some(row) = self.store.number(number).await? else { return Ok(false) };
        let pool = self.store.pool(row.pool).await?;
        Ok(pool.is_some_and(|pool| pool.mode == permit.mode() && (pool.shared || pool.tenant == permit.tenant())))
    }

    fn told_of_many(
        &self,
        permit: &Permit<Suppressions>,
        subjects: &[SubjectId],
        refused: u64,
    ) -> Vec<crate::event::Event> {
        let (count, parts) = (subjects.len() as u64, subjects.len().div_ceil(LISTED).max(1) as u64);
        let chunks: Vec<&[SubjectId]> = if subjects.is_empty() { vec![&[]] } else { subjects.chunks(LISTED).collect() };
        let at = self.store.now();
        let told = |(chunk, part): (&[SubjectId], u64)| {
            permit.event(at, What::SuppressionsAdded { part, parts, count, refused, subjects: chunk.to_vec() })
        };
        chunks.into_iter().zip(1..).map(told).collect()
    }
}

/// How suppressions come about here.
const SOURCE: &str = "api";
/// Items between two breaths.
const BREATH: usize = 64;
/// People whom one entry names: below 60,000 bytes.
const LISTED: usize = 1_600;
