//! Whether a number is known, for those whom a policy lets ask.

use crate::access::{Holdings, Permit};
use crate::event::What;
use crate::ids::RecordId;
use crate::phone::PhoneNumber;
use crate::store::{BudgetKind, Change};
use crate::token::Token;

use super::{Vault, VaultError};

impl Vault {
    /// The caller's token of a number that has one, without making any. A known and an unknown number take the same
    /// work: one look-up, one token computed, one entry committed.
    ///
    /// # Errors
    /// [`VaultError::BudgetExhausted`]; [`VaultError::Store`] if the entry could not be written: then nothing is told.
    pub async fn lookup(&self, permit: &Permit<Holdings>, number: &PhoneNumber) -> Result<Option<Token>, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let index = keys.index(number);
        let known = self.known(permit, &[index]).await?.first().copied().flatten();
        let token = keys.vaulted(known.unwrap_or(NOBODY), permit.audience());
        let what = What::TokenLookedUp { subject: keys.subject(index), found: known.is_some() };
        let mut change = Change::telling(permit.event(self.store.now(), what));
        change.writes.extend(self.remembering(permit, permit.audience()).await?);
        self.commit_spending(permit, change, BudgetKind::Lookup, 1).await?;
        self.remembered(permit, permit.audience());
        self.watch_asked(permit, number, known.is_some()).await;
        Ok(known.map(|_| token))
    }
}

/// Stands in for the record that an unknown number has not.
const NOBODY: RecordId = RecordId(0);
