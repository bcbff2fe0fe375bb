//! One person's token for another audience. Decided by policy before it comes here; what is written is that it happened.

use crate::access::{Exchange, Permit};
use crate::event::What;
use crate::keyring::TenantKeys;
use crate::phone::{self, Masked};
use crate::store::{Change, Conflict, StoreError, Write};
use crate::token::{Kind, Token};

use super::look::Found;
use super::tokenize::ROUNDS;
use super::{TokenView, Vault, VaultError};

impl Vault {
    /// The token of the same person, kind and life for the audience that the permit names, or for the caller's own. No
    /// record is made; a lookalike's digits for an audience that had none are.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for every token that is not the caller's to see; [`VaultError::Refused`] with
    /// `too_many_audiences`.
    pub async fn exchange(&self, permit: &Permit<Exchange>) -> Result<TokenView, VaultError> {
        let Exchange { token, audience } = permit.resource();
        let audience = audience.as_deref().or(permit.audience());
        let keys = self.keys(permit.tenant()).await?;
        let found = self.find(permit, &keys, token).await?;
        for _ in 0..ROUNDS {
            let what = What::TokenExchanged {
                record: found.reference,
                subject: keys.subject(keys.index(&found.number)),
                audience: audience.map(str::to_owned),
            };
            let mut change = Change::telling(permit.event(self.store.now(), what));
            change.writes.extend(self.remembering(permit, audience).await?);
            let (made, naming) = self.other(permit, &keys, token.kind(), &found, audience).await?;
            change.writes.extend(naming);
            match self.store.commit(change).await {
                Ok(_) => {
                    self.remembered(permit, audience);
                    return Ok(exchanged(permit, made, found));
                }
                Err(StoreError::Conflict(Conflict::Taken)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Unavailable("the token's digits were taken under every attempt".into()).into())
    }

    /// The other token, and what has to be written so that it is found again.
    async fn other(
        &self,
        permit: &Permit<Exchange>,
        keys: &TenantKeys,
        kind: Kind,
        found: &Found,
        audience: Option<&str>,
    ) -> Result<(Token, Vec<Write>), VaultError> {
        match (kind, found.record) {
            (Kind::Sealed, _) => {
                let epoch = self.sealing_epoch(permit, keys, &found.number).await?;
                Ok((keys.sealed(&found.number, audience, found.expires_at, epoch), Vec::new()))
            }
            (_, Some(record)) => self.naming(permit.tenant(), keys, record, audience, kind).await,
            (_, None) => Err(VaultError::NotFound),
        }
    }
}

fn exchanged(permit: &Permit<Exchange>, token: Token, found: Found) -> TokenView {
    let (country, line_type) = phone::classify(&found.number);
    let whole = permit.sees_all();
    TokenView {
        kind: token.kind(),
        token,
        masked: permit.sees_masks().then(|| Masked::of(&found.number)),
        country,
        line_type,
        created_at: found.created_at.filter(|_| whole),
        expires_at: found.expires_at,
        metadata: found.metadata.filter(|_| whole),
    }
}
