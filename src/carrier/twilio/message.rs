//! Messages that come in, and what became of ours.

use zeroize::Zeroizing;

use super::{TwilioCarrier, codes, twiml};
use crate::carrier::http::address;
use crate::carrier::http::fields::{Fields, is_id};
use crate::carrier::{Inbox, Incoming, Receipt, Refusal, Reply};
use crate::message::{Alphabet, Encoded};
use crate::phone::PhoneNumber;

impl TwilioCarrier {
    /// A message from a device. Twilio joins its parts.
    pub(super) async fn message(&self, fields: &Fields, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let id = fields.get("MessageSid").or_else(|| fields.get("SmsMessageSid")).filter(|id| is_id(id));
        let id = id.ok_or(Refusal::Malformed("no_message_id"))?;
        let to = address::destination(fields.need("To", "no_destination")?);
        let text = fields.get("Body").unwrap_or_default();
        // Pictures without a word are nothing that can be carried.
        let has_media = fields.get("NumMedia").is_some_and(|count| count != "0");
        let alphabet = if text.is_empty() && has_media { Alphabet::Binary } else { Alphabet::Utf8 };
        let incoming = Incoming {
            carrier: self.settings.link.name.clone(),
            id: Some(id.to_owned()),
            from: address::origin(fields.need("From", "no_sender")?, self.settings.link.region.as_deref()),
            to: to.ok_or(Refusal::Malformed("no_destination"))?,
            body: Encoded { alphabet, octets: Zeroizing::new(text.as_bytes().to_vec()) },
            part: None,
            only: None,
        };
        inbox.message(incoming).await?;
        Ok(twiml::nothing())
    }

    /// The carrier's word on a message of ours.
    pub(super) async fn status(&self, fields: &Fields, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let id = fields.get("MessageSid").or_else(|| fields.get("SmsSid")).filter(|id| is_id(id));
        let word = fields.get("MessageStatus").or_else(|| fields.get("SmsStatus"));
        let status = word.and_then(codes::status).ok_or(Refusal::Malformed("no_status"))?;
        let code = fields.get("ErrorCode").and_then(|code| code.parse().ok()).filter(|code| *code != 0);
        let receipt = Receipt {
            carrier: self.settings.link.name.clone(),
            id: id.ok_or(Refusal::Malformed("no_message_id"))?.to_owned(),
            also: Vec::new(),
            status,
            failure: code.map(codes::failure),
            to: fields.get("To").and_then(device),
        };
        inbox.receipt(receipt).await?;
        Ok(twiml::nothing())
    }
}

/// The device that a receipt is about.
fn device(text: &str) -> Option<PhoneNumber> {
    match address::origin(text, None) {
        crate::carrier::Origin::Number(number) => Some(number),
        _ => None,
    }
}
