//! The rest of a verification's life: get, resend, cancel, and the end that time brings.

use super::start::ended;
use super::wish::CHANNEL;
use super::{VerificationView, Verify, VerifyError, standing};
use crate::access::{Permit, Upkeep, VerificationRef};
use crate::event::What;
use crate::ids::TenantId;
use crate::store::{Change, Conflict, StoreError, VerificationRow, VerificationStatus, Write};

impl Verify {
    /// Where a verification stands.
    pub async fn get(&self, permit: &Permit<VerificationRef>) -> Result<VerificationView, VerifyError> {
        let row = self.visible(permit, permit.resource().id).await?;
        self.view(permit, row).await
    }

    /// Sends the same code again. Its life and its attempts stay as they are; the send counts against the number.
    pub async fn resend(&self, permit: &Permit<VerificationRef>) -> Result<VerificationView, VerifyError> {
        let row = self.pending(permit, permit.resource().id).await?;
        let number = match row.sends.len() {
            sent if sent < SENDS => u16::try_from(sent).unwrap_or(u16::MAX),
            _ => return Err(VerifyError::Limited { retry_after: self.store.now().until(row.expires_at) }),
        };
        self.guard.sends(permit.tenant(), row.key.party).await?;
        let now = self.store.now();
        let subject = self.keyring.tenant(permit.tenant()).await?.subject(row.key.party);
        let resent = What::VerificationResent { verification: row.id, subject };
        let count = Write::CountSend { tenant: permit.tenant(), id: row.id, channel: CHANNEL.to_owned() };
        let outbox = self.outbox(permit, row.id, row.key.party, number, now);
        let change = Change::telling(permit.event(now, resent)).with(count).with(Write::Enqueue(outbox));
        match self.store.commit(change).await {
            Ok(_) => self.get(permit).await,
            Err(error) => Err(self.how_it_ended(permit, row.id, error).await),
        }
    }

    /// Gives a pending verification up; its code, sent or not, no longer counts.
    pub async fn cancel(&self, permit: &Permit<VerificationRef>) -> Result<VerificationView, VerifyError> {
        let row = self.pending(permit, permit.resource().id).await?;
        let subject = self.keyring.tenant(permit.tenant()).await?.subject(row.key.party);
        let canceled = What::VerificationCanceled { verification: row.id, subject, superseded: false };
        let end = Write::EndVerification { tenant: permit.tenant(), id: row.id, status: VerificationStatus::Canceled };
        match self.store.commit(Change::telling(permit.event(self.store.now(), canceled)).with(end)).await {
            Ok(_) => self.get(permit).await,
            Err(error) => Err(self.how_it_ended(permit, row.id, error).await),
        }
    }

    /// Writes the end of up to `limit` verifications whose time ran out; says how many it ended. `upkeep` is
    /// `access`'s word that the deployment may do so for a tenant.
    pub async fn expire_lapsed(
        &self,
        limit: u32,
        upkeep: impl Fn(TenantId) -> Permit<Upkeep> + Send,
    ) -> Result<usize, VerifyError> {
        let mut count = 0;
        let mut failed = None;
        for row in self.store.lapsed_verifications(limit).await? {
            match self.expire(&upkeep(row.key.tenant), &row).await {
                Ok(ended) => count += usize::from(ended),
                // One tenant's keys that are away hold up nobody else's.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(count), Err)
    }

    async fn expire(&self, permit: &Permit<Upkeep>, row: &VerificationRow) -> Result<bool, VerifyError> {
        let now = self.store.now();
        let status = standing(row, now);
        if status == VerificationStatus::Pending {
            return Ok(false);
        }
        let subject = self.keyring.tenant(permit.tenant()).await?.subject(row.key.party);
        let end = Write::EndVerification { tenant: permit.tenant(), id: row.id, status };
        match self.store.commit(Change::telling(permit.event(now, ended(row.id, subject, status))).with(end)).await {
            Ok(_) => Ok(true),
            // Another process was first.
            Err(StoreError::Conflict(Conflict::VerificationOver)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

const SENDS: usize = 5;
