//! Numbers in the form of numbers, for data that nobody is reached by: test data, statistics.
//!
//! Such a text may be a stranger's number, so that it must never come near a carrier: a live tenant, the only one that
//! has a route to a carrier, is refused whatever the policies say.

use crate::access::{NewFpe, Permit};
use crate::event::{Mode, What};
use crate::keyring::TenantKeys;
use crate::store::{BudgetKind, Change};
use crate::token::{Kind, Token};

use super::tokenize::{check, view};
use super::{NewToken, TokenView, Vault, VaultError};

impl Vault {
    /// The fpe text of a number for the permit's audience: always the same, kept nowhere, and no token to any call.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with `fpe_not_allowed` for live tenants, `fpe_domain_too_small` for numbers of too few
    /// digits, and what [`Vault::tokenize`] refuses.
    pub async fn fpe(&self, permit: &Permit<NewFpe>, new: NewToken) -> Result<TokenView, VaultError> {
        allowed(Some(permit)).map_err(VaultError::Refused)?;
        check(&new).map_err(VaultError::Refused)?;
        self.spend(permit, BudgetKind::Tokenize, 1).await?;
        let keys = self.keys(permit.tenant()).await?;
        let audience = permit.resource().audience.as_deref().or(permit.audience());
        let token = text(&keys, &new, audience)?.map_err(VaultError::Refused)?;
        let now = self.store.now();
        let what =
            What::FpeCreated { subject: keys.subject(keys.index(&new.number)), audience: audience.map(str::to_owned) };
        self.store.commit(Change::telling(permit.event(now, what))).await?;
        self.watch_tokenized(permit, std::iter::once(&new)).await;
        Ok(view(token, new, now))
    }
}

/// Whether fpe texts may be made: with a permit for them, and for a tenant that reaches no carrier.
pub(super) fn allowed(permit: Option<&Permit<NewFpe>>) -> Result<(), &'static str> {
    permit.filter(|permit| permit.mode() == Mode::Test).map(drop).ok_or("fpe_not_allowed")
}

/// The text, or why there is none.
pub(super) fn text(
    keys: &TenantKeys,
    new: &NewToken,
    audience: Option<&str>,
) -> Result<Result<Token, &'static str>, VaultError> {
    debug_assert!(new.kind == Kind::Fpe);
    Ok(keys.fpe(&new.number, audience, new.keep_country)?.ok_or("fpe_domain_too_small"))
}
