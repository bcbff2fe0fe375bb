//! Vonage: messages out by its Messages API, everything in as signed JSON, calls by NCCO.
//!
//! Rooms: `submit` (what goes out), `codes` (what its error codes mean), `signature` (who calls), `message` and `voice`
//! (what comes in), `ncco` (what a call is answered).

mod codes;
mod message;
mod ncco;
mod signature;
mod submit;
mod voice;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::http::{Line, address};
use super::{
    Address, Callback, Capability, Carrier, HttpCarrier, Inbox, Place, Refusal, Reply, Submission, SubmitError,
    Submitted,
};
use crate::config::Vonage;

/// An account at Vonage.
pub struct VonageCarrier {
    settings: Vonage,
    sender: Address,
    /// Where it calls us: `https://bauta.example/carriers/vonage`.
    here: String,
    line: Line,
}

impl VonageCarrier {
    /// `public_url` is how the outside reaches us.
    ///
    /// # Errors
    /// One line on a setting that cannot be used.
    pub fn new(settings: Vonage, public_url: &str) -> Result<Self, String> {
        Ok(Self {
            sender: address::setting(&settings.link.sender),
            here: format!("{public_url}/carriers/{}", settings.link.name),
            line: Line::new(&settings.link)?,
            settings,
        })
    }
}

#[async_trait]
impl Carrier for VonageCarrier {
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

    /// Longer texts than it takes at a time go out one after the other. Once a first piece is taken, a later one that is
    /// not leaves the whole unconfirmed: trying again may repeat the first.
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let mut ids = Vec::new();
        for (place, piece) in submit::pieces(&submission.text).into_iter().enumerate() {
            match self.line.submit(self.request(&submission, piece)?, submission.lane, submit::judge).await {
                Ok(id) => ids.extend(id),
                Err(_) if place > 0 => return Err(SubmitError::Unconfirmed),
                Err(error) => return Err(error),
            }
        }
        Ok(Submitted { ids })
    }

    /// It has no link of its own to keep up.
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, mut stop: watch::Receiver<bool>) {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

#[async_trait]
impl HttpCarrier for VonageCarrier {
    async fn called_back(&self, place: Place, callback: &Callback<'_>, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let content = signature::checked(&self.settings, callback)?;
        match place {
            Place::Inbound => self.message(&content, inbox).await,
            Place::Status => self.status(&content, inbox).await,
            Place::Voice => self.voice(&content, callback.query, inbox).await,
            Place::VoiceStatus => self.voice_status(&content, inbox).await,
        }
    }
}
