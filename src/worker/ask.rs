//! Asks the tenant what becomes of a stranger's message that is parked, and has `relay` do it.
//!
//! The carrier was acknowledged long before. A few are asked about at a time, beside the deliveries, so that an endpoint
//! that does not answer holds up no code; whoever does not answer means that the message is dropped.

use serde_json::{Map, Value};

use super::deliver::{Deliver, Fate};
use crate::access::{Delivery, Permit};
use crate::ids::{self, MessageId};
use crate::relay::Verdict;
use crate::store::{DISCLOSED, MessageRow, OutboxRow, StoreError};
use crate::webhook::{Answer, Reaction};

impl Deliver {
    /// Asks about one message and does what the answer says.
    pub(super) async fn ask(&self, permit: &Permit<Delivery>, row: &OutboxRow, id: MessageId) -> Fate {
        let Ok(_turn) = self.asking.try_acquire() else {
            return Fate::Later { reason: "others_are_asked", wait: AGAIN };
        };
        match self.asked(permit, row, id).await {
            Ok(fate) => fate,
            Err(error) => {
                tracing::warn!(%error, "a question is left to its lease");
                Fate::Settled
            }
        }
    }

    async fn asked(&self, permit: &Permit<Delivery>, row: &OutboxRow, id: MessageId) -> Result<Fate, StoreError> {
        let store = &self.rooms.store;
        let Some(message) = store.message(row.tenant, id).await? else { return Ok(Fate::Pointless) };
        let Some(alias) = message.alias else { return Ok(Fate::Pointless) };
        let Some(alias) = store.alias(row.tenant, alias).await? else { return Ok(Fate::Pointless) };
        let data = self.question(&message).await;
        let webhooks = &self.rooms.webhooks;
        let answer = webhooks.ask(row.tenant, alias.audience.as_deref(), alias.id, &id.to_string(), data).await;
        self.rooms.relay.settle_parked(permit, row, message, &alias, verdict(answer)).await?;
        Ok(Fate::Settled)
    }

    /// What the tenant is told of the message: no number, and of its text what the alias discloses.
    async fn question(&self, message: &MessageRow) -> Map<String, Value> {
        let mut data = Map::new();
        if let Some(sealed) = &message.disclosed
            && let Ok(keys) = self.rooms.keyring.tenant(message.tenant).await
            && let Ok(json) = keys.open_text(DISCLOSED, &ids::bytes(&message.id), sealed)
            && let Ok(Value::Object(disclosed)) = serde_json::from_str(&json)
        {
            data.extend(disclosed);
        }
        data.insert("message".to_owned(), message.id.to_string().into());
        data.insert("sender".to_owned(), message.sender.as_str().into());
        data.insert("parts".to_owned(), message.parts.into());
        data
    }
}

fn verdict(answer: Option<Answer>) -> Verdict {
    match answer {
        Some(Answer { action: Reaction::Relay, .. }) => Verdict::Relay,
        Some(Answer { action: Reaction::Reply, text: Some(text) }) => Verdict::Reply(text),
        _ => Verdict::Drop,
    }
}

/// Questions under way.
pub(super) const WIDTH: usize = 16;
/// When a question that found no room is put again.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
