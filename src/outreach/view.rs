//! What a caller sees of messages: how far they got, never what they say.

use super::{Outreach, OutreachError};
use crate::access::{MessageRef, Permit};
use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId};
use crate::store::{Class, DeliveryStatus, MessageRow, Recipient, Shown};
use crate::token::Token;

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: MessageId,
    /// Queued.
    pub status: DeliveryStatus,
    /// What kind of message it is.
    pub class: Class,
    /// Parts that it will take.
    pub parts: u32,
    /// What it will show as its sender.
    pub from: Shown,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Not sent before.
    pub due_at: Timestamp,
    /// Given up then.
    pub expires_at: Timestamp,
}

/// A message, without content.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// The message.
    pub row: MessageRow,
    /// The person it goes to, in the caller's audience; none once the token is gone, or if it goes to a stranger.
    pub to: Option<Token>,
    /// The alias that it crosses.
    pub alias: Option<AliasId>,
}

impl Outreach {
    /// What became of a message: one of the tenant's own, or one that crossed an alias. Partners see those of their own
    /// audience.
    ///
    /// # Errors
    /// [`OutreachError::NotFound`] for every message that is not the caller's to see.
    pub async fn message(&self, permit: &Permit<MessageRef>) -> Result<MessageView, OutreachError> {
        let row = self.store.message(permit.tenant(), permit.resource().id).await?.ok_or(OutreachError::NotFound)?;
        if !permit.sees_all() && self.audience_of(&row).await?.as_deref() != permit.audience() {
            return Err(OutreachError::NotFound);
        }
        let to = match &row.to {
            Recipient::Person(record) => match self.store.token(row.tenant, *record).await? {
                Some(_) => Some(self.vault.token_of(row.tenant, *record, permit.audience()).await?),
                None => None,
            },
            Recipient::Stranger(_) => None,
        };
        Ok(MessageView { to, alias: row.alias, row })
    }

    /// For whose audience a message is.
    async fn audience_of(&self, row: &MessageRow) -> Result<Option<String>, OutreachError> {
        if let Some(asked) = &row.asked {
            return Ok(asked.audience.clone());
        }
        let alias = row.alias.ok_or(OutreachError::NotFound)?;
        Ok(self.store.alias(row.tenant, alias).await?.ok_or(OutreachError::NotFound)?.audience)
    }
}
