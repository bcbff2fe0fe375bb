//! Gateways of any shape: a phone, a modem, an aggregator, described in the settings.
//!
//! Rooms: `mould` (texts with placeholders, each escaped for its place), `submit` (what goes out), `auth` (who calls),
//! `place` (where a value stands in a call), `message` (what comes in).

mod auth;
mod message;
mod mould;
mod place;
mod submit;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::http::{Line, address};
use super::{
    Address, Callback, Carrier, HttpCarrier, Inbox, Place, Refusal, Reply, Submission, SubmitError, Submitted,
};
use crate::config::{HttpLink, Template, TemplateAuth};

/// A gateway that is described in the settings.
pub struct TemplateCarrier {
    link: HttpLink,
    sender: Address,
    line: Line,
    request: submit::Shape,
    auth: Option<TemplateAuth>,
    inbound: Option<message::Inbound>,
    status: Option<message::Status>,
}

impl TemplateCarrier {
    /// Reads every template and place once.
    ///
    /// # Errors
    /// One line that names the setting and how to mend it.
    pub fn new(settings: Template) -> Result<Self, String> {
        let Template { link, secrets, submit, login, auth, inbound, status } = settings;
        Ok(Self {
            sender: address::setting(&link.sender),
            line: Line::new(&link)?,
            request: submit::Shape::read(submit, login, secrets)?,
            inbound: inbound.map(message::Inbound::read).transpose()?,
            status: status.map(message::Status::read).transpose()?,
            auth,
            link,
        })
    }
}

#[async_trait]
impl Carrier for TemplateCarrier {
    fn name(&self) -> &str {
        &self.link.name
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
        self.link.region.as_deref()
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let outgoing = self.request.filled(&submission, &id)?;
        let taken = self.line.submit(outgoing, submission.lane, |answer| self.request.judge(answer)).await?;
        Ok(Submitted { ids: vec![taken.unwrap_or(id)] })
    }

    /// It has no link of its own to keep up.
    async fn run(self: Arc<Self>, _: Arc<dyn Inbox>, mut stop: watch::Receiver<bool>) {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

#[async_trait]
impl HttpCarrier for TemplateCarrier {
    async fn called_back(&self, place: Place, callback: &Callback<'_>, inbox: &dyn Inbox) -> Result<Reply, Refusal> {
        let is_here = match place {
            Place::Inbound => self.inbound.is_some(),
            Place::Status => self.status.is_some(),
            Place::Voice | Place::VoiceStatus => false,
        };
        let auth = self.auth.as_ref().filter(|_| is_here).ok_or(Refusal::NowhereHere)?;
        auth::checked(auth, callback)?;
        let content = place::Content::of(callback);
        match (place, &self.inbound, &self.status) {
            (Place::Inbound, Some(inbound), _) => inbound.take(&self.link, &content, inbox).await,
            (Place::Status, _, Some(status)) => status.take(&self.link, &content, inbox).await,
            _ => Err(Refusal::NowhereHere),
        }
    }
}
