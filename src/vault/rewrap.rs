//! Sealed tokens of older key versions, made anew under the newest.

use crate::access::{NewTokens, Permit};
use crate::token::{Kind, Token};

use super::look::is_over;
use super::tokenize::audience_of;
use super::{MAX_BATCH, Vault, VaultError};

impl Vault {
    /// For each of up to [`MAX_BATCH`] sealed tokens of the permit's audience one of the newest key version, for the same
    /// number and with the same end; none for what is no such token, or over. Tokens of other kinds are given back as
    /// they are: their keys do not rotate. Counts as sealing does.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with `batch_too_large`; [`VaultError::Store`] if the log cannot be told.
    pub async fn rewrap_batch(
        &self,
        permit: &Permit<NewTokens>,
        tokens: Vec<Token>,
    ) -> Result<Vec<Option<Token>>, VaultError> {
        if tokens.len() > MAX_BATCH {
            return Err(VaultError::Refused("batch_too_large"));
        }
        let keys = self.keys(permit.tenant()).await?;
        let audience = audience_of(permit);
        let sealed = tokens.iter().filter(|token| token.kind() == Kind::Sealed).count() as u64;
        if sealed > 0 {
            self.reserve(permit, audience, sealed).await?;
        }
        let now = self.store.now();
        let mut renewed = Vec::with_capacity(tokens.len());
        for token in tokens {
            if token.kind() != Kind::Sealed {
                renewed.push(Some(token));
                continue;
            }
            let opened = keys.open_sealed(&token, audience).filter(|opened| !is_over(opened.expiry, now));
            renewed.push(match opened {
                // One that was erased is given back to nobody.
                Some(it) if it.epoch >= self.epoch(permit, &keys, &it.number).await? => {
                    Some(keys.sealed(&it.number, audience, it.expiry, it.epoch))
                }
                _ => None,
            });
        }
        Ok(renewed)
    }
}
