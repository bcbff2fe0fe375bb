//! Choosing the digits of lookalikes, and reading them again.
//!
//! The first choice for a record and audience is a keyed function of both; where it names somebody else, the next choice
//! is tried. Rows outlive their records, so that the same search always ends at the same digits. With a million
//! lookalikes of one tenant, one in a hundred thousand first choices is taken.

use std::collections::HashMap;

use crate::ids::{RecordId, TenantId};
use crate::keyring::{AudienceTag, TenantKeys};
use crate::store::{LookalikeMark, LookalikeRow, StoreError};
use crate::token::Token;

use super::{Vault, VaultError};

/// Lookalikes for records and audiences, in the order asked, and the rows that the store has yet to get.
pub(super) struct Chosen {
    pub(super) tokens: Vec<Token>,
    pub(super) rows: Vec<LookalikeRow>,
}

impl Vault {
    /// The lookalike of each record and audience. The rows have to be written before a token is answered; a
    /// [`Conflict::Taken`](crate::store::Conflict::Taken) means that somebody was faster and all has to be chosen again.
    pub(super) async fn choose(
        &self,
        tenant: TenantId,
        keys: &TenantKeys,
        wanted: &[(RecordId, AudienceTag)],
    ) -> Result<Chosen, VaultError> {
        let mut tokens: Vec<Option<Token>> = vec![None; wanted.len()];
        let mut rows: HashMap<LookalikeMark, LookalikeRow> = HashMap::new();
        for turn in 0..TURNS {
            let open = tokens.iter().zip(wanted).enumerate().filter(|(_, (token, _))| token.is_none());
            let tried: Vec<(usize, Token, LookalikeRow)> = open
                .filter_map(|(place, (_, (record, tag)))| {
                    let token = keys.lookalike(*record, *tag, turn);
                    let mark = keys.lookalike_mark(&token)?;
                    Some((place, token, LookalikeRow { mark, tenant, record: *record, tag: *tag }))
                })
                .collect();
            if tried.is_empty() {
                break;
            }
            let marks: Vec<LookalikeMark> = tried.iter().map(|(.., row)| row.mark).collect();
            let found = self.store.lookalikes(tenant, &marks).await?;
            for ((place, token, row), found) in tried.into_iter().zip(found) {
                let standing = found.unwrap_or_else(|| *rows.entry(row.mark).or_insert(row));
                if standing == row
                    && let Some(slot) = tokens.get_mut(place)
                {
                    *slot = Some(token);
                }
            }
        }
        let full = || StoreError::Unavailable("every choice of a lookalike is taken".into());
        let tokens = tokens.into_iter().collect::<Option<Vec<_>>>().ok_or_else(full)?;
        Ok(Chosen { tokens, rows: rows.into_values().collect() })
    }

    /// Which record a lookalike names, and for whom.
    pub(super) async fn read_lookalike(
        &self,
        tenant: TenantId,
        keys: &TenantKeys,
        token: &Token,
    ) -> Result<(RecordId, AudienceTag), VaultError> {
        let mark = keys.lookalike_mark(token).ok_or(VaultError::NotFound)?;
        let rows = self.store.lookalikes(tenant, &[mark]).await?;
        let row = rows.into_iter().next().flatten().ok_or(VaultError::NotFound)?;
        Ok((row.record, row.tag))
    }
}

/// Choices before giving up: with half of all lookalikes taken, one in 4 billion searches would end here.
const TURNS: u8 = 32;
