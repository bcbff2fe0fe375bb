//! An alias's life after it was bound: read, extend, release, expire, and its history without content.

use std::time::Duration;

use super::error::AliasError;
use super::view::{AliasView, MessageView};
use super::{Alias, COOLING, REST, is_visible};
use crate::access::{AliasList, AliasRef, Permit};
use crate::event::{Event, What};
use crate::ids::{AliasId, MessageId};
use crate::phone::VirtualNumber;
use crate::store::{AliasFilter, AliasRow, AliasStatus, Change, Conflict, StoreError, Write};

/// Which of the caller's aliases to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct AliasQuery {
    /// Only of this status.
    pub status: Option<AliasStatus>,
    /// Only on this number.
    pub number: Option<VirtualNumber>,
    /// Older than this one.
    pub after: Option<AliasId>,
    /// At most so many.
    pub limit: u32,
}

impl Alias {
    /// One alias.
    pub async fn get(&self, permit: &Permit<AliasRef>) -> Result<AliasView, AliasError> {
        self.view(permit, &self.find(permit).await?).await
    }

    /// The caller's aliases, newest first.
    pub async fn list(&self, permit: &Permit<AliasList>, query: AliasQuery) -> Result<Vec<AliasView>, AliasError> {
        if !permit.sees_all() && permit.audience().is_none() {
            return Ok(Vec::new());
        }
        let audience = if permit.sees_all() { None } else { permit.audience().map(str::to_owned) };
        let AliasQuery { status, number, after, limit } = query;
        let limit = limit.min(MAX_PAGE);
        let filter = AliasFilter { tenant: Some(permit.tenant()), audience, status, number, after, limit };
        let mut views = Vec::new();
        for row in self.store.aliases(&filter).await? {
            views.push(self.view(permit, &row).await?);
        }
        Ok(views)
    }

    /// Ends an alias. Its legs cool for 7 days; a number that took messages from anyone rests for 90.
    pub async fn release(&self, permit: &Permit<AliasRef>) -> Result<(), AliasError> {
        let row = self.find(permit).await?;
        let event = permit.event(self.store.now(), What::AliasReleased { alias: row.id });
        self.store.commit(self.ending(&row, AliasStatus::Released, event)).await.map_err(over)?;
        Ok(())
    }

    /// What went through an alias, newest first, without content.
    pub async fn history(
        &self,
        permit: &Permit<AliasRef>,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<MessageView>, AliasError> {
        let row = self.find(permit).await?;
        let messages = self.store.messages(row.tenant, row.id, after, limit.min(MAX_PAGE)).await?;
        Ok(messages.into_iter().map(MessageView::from).collect())
    }

    /// Ends up to `limit` aliases whose time ran out. Returns how many.
    pub async fn expire_lapsed(&self, limit: u32) -> Result<u32, AliasError> {
        let mut ended = 0;
        for row in self.store.lapsed_aliases(limit).await? {
            let permit = self.access.upkeep(row.tenant);
            let event = permit.event(self.store.now(), What::AliasExpired { alias: row.id });
            match self.store.commit(self.ending(&row, AliasStatus::Expired, event)).await {
                Ok(_) => ended += 1,
                // Released, extended or expired by somebody else since it was read.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ended)
    }

    pub(super) async fn find(&self, permit: &Permit<AliasRef>) -> Result<AliasRow, AliasError> {
        let row = self.store.alias(permit.tenant(), permit.resource().id).await?;
        row.filter(|row| is_visible(permit, row)).ok_or(AliasError::NotFound)
    }

    fn ending(&self, row: &AliasRow, status: AliasStatus, event: Event) -> Change {
        let now = event.at;
        Change::telling(event).with(Write::EndAlias {
            tenant: row.tenant,
            id: row.id,
            status,
            cool_until: now.plus(COOLING),
            rest_until: now.plus(REST),
        })
    }
}

/// 60 s to ten years, or none.
pub(super) fn check_ttl(ttl: Option<Duration>) -> Result<(), AliasError> {
    match ttl {
        Some(ttl) if !(MIN_TTL..=MAX_TTL).contains(&ttl) => Err(AliasError::TtlInvalid),
        _ => Ok(()),
    }
}

fn over(error: StoreError) -> AliasError {
    match error {
        StoreError::Conflict(Conflict::AliasOver) => AliasError::Over,
        error => AliasError::Store(error),
    }
}

const MIN_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
/// The longest list page.
const MAX_PAGE: u32 = 200;
