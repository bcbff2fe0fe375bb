//! Calls: who rings is put through, asked for an extension, or turned away.
//!
//! Everything of one call has its `conversation_uuid`; the party's side is the outbound one.

use serde_json::Value;

use super::{VonageCarrier, ncco};
use crate::carrier::http::address;
use crate::carrier::http::fields::{Fields, is_id, text_at};
use crate::carrier::{CallProgress, CallStatus, CallStep, Inbox, IncomingCall, Refusal, Reply};

impl VonageCarrier {
    /// `/voice`: a call, or the extension that a caller typed.
    pub(super) async fn voice(&self, content: &Value, query: &str, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let digits = match Fields::parse(query.as_bytes())?.get("step") {
            None => None,
            Some("extension") => Some(text_at(content, "/dtmf/digits").unwrap_or_default()),
            Some(_) => return Err(Refusal::Malformed("unknown_step")),
        };
        let to = text_at(content, "/to").and_then(|to| address::destination(&to));
        let from = text_at(content, "/from");
        let from = from.as_ref().map_or("anonymous", |from| from.as_str());
        let call = IncomingCall {
            carrier: self.settings.link.name.clone(),
            id: id(content)?,
            from: address::origin(from, self.settings.link.region.as_deref()),
            to: to.ok_or(Refusal::Malformed("no_destination"))?,
            digits,
            screen: self.settings.voice.screen,
            max_s: self.settings.voice.max_s,
        };
        let plan = inbox.call(call).await?;
        Ok(ncco::plan(&plan, &self.settings.voice, &self.here))
    }

    /// `/voice/status`: how a side of the call goes on.
    pub(super) async fn voice_status(&self, content: &Value, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let word = text_at(content, "/status").ok_or(Refusal::Malformed("no_status"))?;
        let seconds = text_at(content, "/duration").and_then(|text| text.parse().ok()).unwrap_or_default();
        let is_party = text_at(content, "/direction").is_some_and(|side| side.as_str() == "outbound");
        if let Some(step) = step(&word, is_party, seconds) {
            let (carrier, id) = (self.settings.link.name.clone(), id(content)?);
            inbox.call_progress(CallProgress { carrier, id, step }).await?;
        }
        Ok(Reply::taken())
    }
}

/// What a word means; none if nothing that is told of.
fn step(word: &str, is_party: bool, seconds: u32) -> Option<CallStep> {
    if !is_party {
        let over = ["completed", "cancelled", "failed", "rejected", "busy", "timeout", "unanswered", "disconnected"];
        return over.contains(&word).then_some(CallStep::HungUp { seconds });
    }
    let status = match word {
        "answered" => return Some(CallStep::Answered),
        "completed" | "disconnected" => CallStatus::Completed,
        "busy" | "rejected" => CallStatus::Busy,
        // A machine is hung up on: its greeting would tell a name.
        "timeout" | "unanswered" | "machine" => CallStatus::NoAnswer,
        "failed" => CallStatus::Failed,
        "cancelled" => CallStatus::Canceled,
        _ => return None,
    };
    Some(CallStep::Ended { status, seconds })
}

fn id(content: &Value) -> Result<String, Refusal> {
    let id = text_at(content, "/conversation_uuid").filter(|id| is_id(id));
    id.map(|id| id.to_string()).ok_or(Refusal::Malformed("no_call_id"))
}
