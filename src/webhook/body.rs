//! What an endpoint is told of an event: made when it is sent, from the event's entry in the log and from what is still
//! there of what it is about.
//!
//! Of an entry only listed members go out, and never a number, pool numbers among them. People are tokens in the
//! endpoint's audience. What an alias discloses of a message goes only to endpoints of that alias's audience, and only
//! as long as it is kept.

use serde_json::{Map, Value};

use super::{WebhookError, Webhooks};
use crate::access::{Calling, Permit};
use crate::event::told::PINGED;
use crate::guard;
use crate::ids::{self, AliasId, MessageId, VerificationId};
use crate::keyring::TenantKeys;
use crate::store::{AliasRow, DISCLOSED, MessageRow, Notice, Recipient, WebhookRow};

/// A body, and the name of the event that it tells of.
pub(super) struct Body {
    pub(super) id: String,
    pub(super) text: String,
}

/// Who is told, and by which keys.
struct Ear<'a> {
    endpoint: &'a WebhookRow,
    keys: &'a TenantKeys,
}

impl Webhooks {
    /// The body of what waits; none if nothing is left to tell.
    pub(super) async fn body(&self, permit: &Permit<Calling>, notice: &Notice) -> Result<Option<Body>, WebhookError> {
        let Some(entry) = notice.entry.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return Ok(None);
        };
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let ear = Ear { endpoint: &notice.endpoint, keys: &keys };
        let action = notice.row.action.as_str();
        let mut facts = listed(action, &entry);
        let id = keys.event_id(notice.row.index).to_string();
        match action.split_once('.').map_or(action, |(family, _)| family) {
            "verification" => self.verification(&ear, &mut facts).await?,
            "alias" => self.alias(&ear, &mut facts).await?,
            "message" => self.message(&ear, action, &mut facts).await?,
            _ => {}
        }
        if let Some(record) = notice.row.record {
            put(&mut facts, "token", ear.token(record));
        }
        Ok(Some(Body { text: envelope(action, notice.row.at.to_string(), &id, facts), id }))
    }

    async fn verification(&self, ear: &Ear<'_>, facts: &mut Map<String, Value>) -> Result<(), WebhookError> {
        let Some(id) = named::<VerificationId>(facts, "verification") else { return Ok(()) };
        let Some(row) = self.store.verification(ear.endpoint.tenant, id).await? else { return Ok(()) };
        put(facts, "token", ear.token(row.record));
        put(facts, "purpose", row.key.purpose.as_str());
        put(facts, "channel", row.channel.as_str());
        put(facts, "attempts_left", row.attempts_left);
        if !row.key.requester.is_empty() {
            put(facts, "user_ref", row.key.requester.as_str());
        }
        Ok(())
    }

    async fn alias(&self, ear: &Ear<'_>, facts: &mut Map<String, Value>) -> Result<(), WebhookError> {
        let Some(id) = named::<AliasId>(facts, "alias") else { return Ok(()) };
        let Some(row) = self.store.alias(ear.endpoint.tenant, id).await? else { return Ok(()) };
        ear.parties(&row, facts);
        Ok(())
    }

    async fn message(&self, ear: &Ear<'_>, action: &str, facts: &mut Map<String, Value>) -> Result<(), WebhookError> {
        let Some(id) = named::<MessageId>(facts, "message") else { return Ok(()) };
        let Some(row) = self.store.message(ear.endpoint.tenant, id).await? else { return Ok(()) };
        put(facts, "from", row.sender.as_str());
        put(facts, "class", row.class.as_str());
        put(facts, "parts", row.parts);
        if let Recipient::Person(record) = &row.to {
            put(facts, "token", ear.token(*record));
        }
        let Some(alias) = row.alias else { return Ok(()) };
        put(facts, "alias", alias.to_string());
        if action == "message.received" {
            let bound_in = self.store.alias(row.tenant, alias).await?.map(|alias| alias.audience);
            if bound_in.is_some_and(|audience| audience == ear.endpoint.audience) {
                facts.extend(self.disclosed(ear, &row));
            }
        }
        Ok(())
    }

    /// What the alias lets be known of the text, for as long as that is kept: `code` or `text`.
    fn disclosed(&self, ear: &Ear<'_>, row: &MessageRow) -> Map<String, Value> {
        let mut told = Map::new();
        let Some(sealed) = row.disclosed.as_ref().filter(|_| row.expires_at > self.store.now()) else { return told };
        let opened = ear.keys.open_text(DISCLOSED, &ids::bytes(&row.id), sealed);
        let Some(Value::Object(mut known)) = opened.ok().and_then(|text| serde_json::from_str(&text).ok()) else {
            return told;
        };
        for name in ["code", "text"] {
            match known.remove(name) {
                Some(Value::String(text)) if name != "text" || !guard::number_in_text(&text) => {
                    put(&mut told, name, text)
                }
                _ => {}
            }
        }
        told
    }
}

impl Ear<'_> {
    fn token(&self, record: ids::RecordId) -> String {
        self.keys.vaulted(record, self.endpoint.audience.as_deref()).as_str().to_owned()
    }

    fn parties(&self, row: &AliasRow, facts: &mut Map<String, Value>) {
        put(facts, "mode", serde_json::to_value(row.mode).unwrap_or_default());
        put(facts, "a", self.token(row.a.record));
        if let Some(b) = &row.b {
            put(facts, "b", self.token(b.record));
        }
        if !row.members.is_empty() {
            put(facts, "members", row.members.iter().map(|member| self.token(member.record)).collect::<Vec<_>>());
        }
        put(facts, "expires_at", row.expires_at.map(|at| at.to_string()));
    }
}

/// The whole body.
pub(super) fn envelope(action: &str, timestamp: String, id: &str, data: Map<String, Value>) -> String {
    let mut body = Map::new();
    put(&mut body, "type", if action == PINGED { "ping" } else { action });
    put(&mut body, "timestamp", timestamp);
    put(&mut body, "id", id);
    put(&mut body, "data", data);
    Value::Object(body).to_string()
}

/// The members of an entry that endpoints may see.
fn listed(action: &str, entry: &Value) -> Map<String, Value> {
    let Value::Object(entry) = entry else { return Map::new() };
    let may = |name: &str| match action.split_once('.').map_or(action, |(family, _)| family) {
        "verification" => {
            ["verification", "status", "reason", "failure", "superseded", "purpose", "channel"].contains(&name)
        }
        "alias" => ["alias", "sender", "mode", "message"].contains(&name),
        "message" => ["message", "alias", "status", "reason", "failure", "parts"].contains(&name),
        "token" => name == "kind",
        "approval" => ["approval", "asked", "purpose", "reference"].contains(&name),
        "webhook" => name == "webhook",
        // Alerts are made for the tenant: all but what every entry has, and what could name a person or a number.
        _ => !ENTRY.contains(&name) && !["number", "numbers", "subject", "subjects"].contains(&name),
    };
    entry.iter().filter(|(name, _)| may(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The members that every entry has.
const ENTRY: [&str; 6] = ["action", "actor", "at", "outcome", "policy", "tenant"];

fn named<T: std::str::FromStr>(facts: &Map<String, Value>, name: &str) -> Option<T> {
    facts.get(name)?.as_str()?.parse().ok()
}

fn put(facts: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    facts.insert(name.to_owned(), value.into());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_listed_members_of_an_entry_go_out() {
        let entry = json!({
            "action": "alias.bound", "actor": {"kind": "worker"}, "alias": "als_x", "at": "…", "mode": "ax",
            "number": "+18675550159", "outcome": "allowed", "subjects": ["sub_x"], "tenant": "ten_x",
        });
        assert_eq!(Value::Object(listed("alias.bound", &entry)), json!({"alias": "als_x", "mode": "ax"}));
        let entry = json!({
            "action": "alert.pool_low", "actor": {}, "at": "…", "outcome": "allowed", "tenant": "ten_x",
            "policy": "p", "pool": "pol_x", "free": 3, "number": "+18675550159", "subject": "sub_x",
        });
        assert_eq!(Value::Object(listed("alert.pool_low", &entry)), json!({"pool": "pol_x", "free": 3}));
    }

    #[test]
    fn a_ping_is_called_so() {
        let body = envelope(PINGED, "2026-11-22T10:00:00.000Z".into(), "evt_x", Map::new());
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"type": "ping", "timestamp": "2026-11-22T10:00:00.000Z", "id": "evt_x", "data": {}}));
    }
}
