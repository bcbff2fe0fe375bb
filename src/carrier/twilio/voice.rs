//! Calls: who rings is put through, asked for an extension, or turned away; the party presses a key first.
//!
//! The steps within a call carry no number in their address. Everything of one call has its `CallSid`; the party's side
//! has one of its own and names the caller's as its parent.

use zeroize::Zeroizing;

use super::{TwilioCarrier, twiml};
use crate::carrier::http::address;
use crate::carrier::http::fields::{Fields, is_id};
use crate::carrier::{CallProgress, CallStatus, CallStep, Inbox, IncomingCall, Refusal, Reply};

impl TwilioCarrier {
    /// `/voice`: a call, or a step of one.
    pub(super) async fn voice(&self, fields: &Fields, query: &str, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let query = Fields::parse(query.as_bytes())?;
        match query.get("step") {
            None => self.call(fields, None, inbox).await,
            Some("extension") => {
                let digits = fields.get("Digits").unwrap_or_default();
                self.call(fields, Some(Zeroizing::new(digits.to_owned())), inbox).await
            }
            Some("screen") => Ok(self.twiml().screen()),
            Some("accept") => self.accepted(fields, inbox).await,
            Some(_) => Err(Refusal::Malformed("unknown_step")),
        }
    }

    async fn call(
        &self,
        fields: &Fields,
        digits: Option<Zeroizing<String>>,
        inbox: &dyn Inbox,
    ) -> Result<Reply, Refusal> {
        let to = address::destination(fields.need("To", "no_destination")?);
        let call = IncomingCall {
            carrier: self.settings.link.name.clone(),
            id: own(fields)?,
            from: address::origin(fields.get("From").unwrap_or("anonymous"), self.settings.link.region.as_deref()),
            to: to.ok_or(Refusal::Malformed("no_destination"))?,
            digits,
            screen: self.settings.voice.screen,
            max_s: self.settings.voice.max_s,
        };
        Ok(self.twiml().plan(&inbox.call(call).await?))
    }

    /// The party pressed a key, or did not.
    async fn accepted(&self, fields: &Fields, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        if fields.get("Digits") != Some("1") {
            return Ok(self.twiml().hang_up());
        }
        self.progress(parent(fields)?, CallStep::Answered, inbox).await?;
        Ok(twiml::nothing())
    }

    /// `/voice/status`: the party's side was picked up or ended, or the caller's side ended.
    pub(super) async fn voice_status(&self, fields: &Fields, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let seconds = |name: &str| fields.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        if let Some(word) = fields.get("DialCallStatus") {
            let step = ended(word, seconds("DialCallDuration")).ok_or(Refusal::Malformed("no_status"))?;
            self.progress(own(fields)?, step, inbox).await?;
            return Ok(self.twiml().hang_up());
        }
        let word = fields.need("CallStatus", "no_status")?;
        let step = match (fields.get("ParentCallSid"), word) {
            (Some(_), "in-progress" | "answered") => Some((parent(fields)?, CallStep::Answered)),
            // How the party's side ended is told with the seconds, as the answer to the dialling.
            (Some(_), _) => None,
            (None, "completed" | "busy" | "no-answer" | "failed" | "canceled") => {
                Some((own(fields)?, CallStep::HungUp { seconds: seconds("CallDuration") }))
            }
            (None, _) => None,
        };
        if let Some((id, step)) = step {
            self.progress(id, step, inbox).await?;
        }
        Ok(twiml::nothing())
    }

    async fn progress(&self, id: String, step: CallStep, inbox: &dyn Inbox) -> Result<(), Refusal> {
        let carrier = self.settings.link.name.clone();
        Ok(inbox.call_progress(CallProgress { carrier, id, step }).await?)
    }

    fn twiml(&self) -> twiml::Twiml<'_> {
        twiml::Twiml { here: &self.here, voice: &self.settings.voice }
    }
}

fn own(fields: &Fields) -> Result<String, Refusal> {
    fields.get("CallSid").filter(|id| is_id(id)).map(str::to_owned).ok_or(Refusal::Malformed("no_call_id"))
}

fn parent(fields: &Fields) -> Result<String, Refusal> {
    fields.get("ParentCallSid").filter(|id| is_id(id)).map(str::to_owned).ok_or(Refusal::Malformed("no_call_id"))
}

fn ended(word: &str, seconds: u32) -> Option<CallStep> {
    let status = match word {
        "completed" | "answered" => CallStatus::Completed,
        "busy" => CallStatus::Busy,
        "no-answer" => CallStatus::NoAnswer,
        "failed" => CallStatus::Failed,
        "canceled" => CallStatus::Canceled,
        _ => return None,
    };
    Some(CallStep::Ended { status, seconds })
}
