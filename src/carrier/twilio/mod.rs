//! Twilio, and whoever speaks as it does: messages out as a form, everything in as signed forms, calls by TwiML.
//!
//! Rooms: `submit` (what goes out), `codes` (what its error codes mean), `signature` (who calls), `message` and `voice`
//! (what comes in), `twiml` (what a call is answered).

mod codes;
mod message;
mod signature;
mod submit;
mod twiml;
mod voice;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::http::{Line, address};
use super::{
    Address, Callback, Capability, Carrier, HttpCarrier, Inbox, Place, Refusal, Reply, Submission, SubmitError,
    Submitted,
};
use crate::config::Twilio;

/// An account at Twilio.
pub struct TwilioCarrier {
    settings: Twilio,
    sender: Address,
    /// Where it calls us: `https://bauta.example/carriers/tw`.
    here: String,
    line: Line,
}

impl TwilioCarrier {
    /// `public_url` is how the outside reaches us.
    ///
    /// # Errors
    /// One line on a setting that cannot be used.
    pub fn new(settings: Twilio, public_url: &str) -> Result<Self, String> {
        Ok(Self {
            sender: address::setting(&settings.link.sender),
            here: format!("{public_url}/carriers/{}", settings.link.name),
            line: Line::new(&settings.link)?,
            settings,
        })
    }
}

#[async_trait]
impl Carrier for TwilioCarrier {
    fn name(&self) -> &str {
        &self.settings.link.name
    }

    fn is_live(&self) -> bool {
        true
    }

    fn sender(&self) -> Address {
        self.sender.clone()
    }

    fn is_up(&self) -> bool {
        self.line.is_up()
    }

    fn region(&self) -> Option<&str> {
        self.settings.link.region.as_deref()
    }

    fn capabilities(&self) -> &[Capability] {
        &[Capability::Sms, Capability::Voice]
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        self.line.submit(self.request(&submission)?, submission.lane, submit::judge).await
    }

    /// It has no link of its own to keep up.
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, mut stop: watch::Receiver<bool>) {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

#[async_trait]
impl HttpCarrier for TwilioCarrier {
    async fn called_back(&self, place: Place, callback: &Callback<'_>, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let fields = signature::checked(&self.settings.auth_token.0, callback)?;
        match place {
            Place::Inbound => self.message(&fields, inbox).await,
            Place::Status => self.status(&fields, inbox).await,
            Place::Voice => self.voice(&fields, callback.query, inbox).await,
            Place::VoiceStatus => self.voice_status(&fields, inbox).await,
        }
    }
}
