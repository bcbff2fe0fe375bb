//! Messages that come in, and what became of ours.

use serde_json::Value;
use zeroize::Zeroizing;

use super::{VonageCarrier, codes};
use crate::carrier::http::address;
use crate::carrier::http::fields::{is_id, text_at};
use crate::carrier::{Inbox, Incoming, Origin, Receipt, Refusal, Reply};
use crate::message::{Alphabet, Encoded};

impl VonageCarrier {
    /// A message from a device. Vonage joins its parts.
    pub(super) async fn message(&self, content: &Value, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let text = text_at(content, "/text").unwrap_or_default();
        let is_text = text_at(content, "/message_type").is_none_or(|kind| kind.as_str() == "text");
        let alphabet = if is_text { Alphabet::Utf8 } else { Alphabet::Binary };
        let from = party(content, "from").ok_or(Refusal::Malformed("no_sender"))?;
        let to = party(content, "to").and_then(|to| address::destination(&to));
        let incoming = Incoming {
            carrier: self.settings.link.name.clone(),
            id: Some(id(content)?),
            from: address::origin(&from, self.settings.link.region.as_deref()),
            to: to.ok_or(Refusal::Malformed("no_destination"))?,
            body: Encoded { alphabet, octets: Zeroizing::new(text.as_bytes().to_vec()) },
            part: None,
            only: None,
        };
        inbox.message(incoming).await?;
        Ok(Reply::taken())
    }

    /// The carrier's word on a message of ours.
    pub(super) async fn status(&self, content: &Value, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let word = text_at(content, "/status");
        let status = word.and_then(|word| codes::status(&word)).ok_or(Refusal::Malformed("no_status"))?;
        let to = party(content, "to").map(|to| address::origin(&to, None));
        let receipt = Receipt {
            carrier: self.settings.link.name.clone(),
            id: id(content)?,
            also: Vec::new(),
            status,
            failure: content.get("error").and_then(codes::of).map(codes::failure),
            to: to.and_then(|to| if let Origin::Number(number) = to { Some(number) } else { None }),
        };
        inbox.receipt(receipt).await?;
        Ok(Reply::taken())
    }
}

/// A number: by itself, or as the older form has it.
fn party(content: &Value, name: &str) -> Option<Zeroizing<String>> {
    text_at(content, &format!("/{name}")).or_else(|| text_at(content, &format!("/{name}/number")))
}

fn id(content: &Value) -> Result<String, Refusal> {
    let id = text_at(content, "/message_uuid").filter(|id| is_id(id));
    id.map(|id| id.to_string()).ok_or(Refusal::Malformed("no_message_id"))
}
