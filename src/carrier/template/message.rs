//! What comes in: messages, and what became of ours.

use crate::carrier::http::address;
use crate::carrier::http::fields::is_id;
use crate::carrier::{Inbox, Incoming, Receipt, Refusal, Reply};
use crate::config::{HttpLink, TemplateInbound, TemplateStatus};
use crate::store::DeliveryStatus;

use super::place::{At, Content};

/// Where a message stands.
pub(super) struct Inbound {
    from: At,
    to: At,
    text: At,
    id: Option<At>,
    only: Vec<(At, String)>,
}

/// Where a status stands.
pub(super) struct Status {
    id: At,
    status: At,
    words: Vec<(String, DeliveryStatus)>,
}

impl Inbound {
    pub(super) fn read(settings: TemplateInbound) -> Result<Self, String> {
        let only = settings.only.into_iter().map(|(place, word)| Ok((at("only", &place)?, word)));
        Ok(Self {
            from: at("from", &settings.from)?,
            to: at("to", &settings.to)?,
            text: at("text", &settings.text)?,
            id: settings.id.map(|id| at("id", &id)).transpose()?,
            only: only.collect::<Result<_, String>>()?,
        })
    }

    pub(super) async fn take(
        &self,
        link: &HttpLink,
        content: &Content<'_>,
        inbox: &dyn Inbox,
    ) -> Result<Reply, Refusal> {
        let is_wanted = |(at, word): &(At, String)| content.text(at).is_some_and(|text| text.as_str() == word);
        if !self.only.iter().all(is_wanted) {
            return Ok(Reply::taken());
        }
        let to = content.text(&self.to).and_then(|to| address::destination(&to));
        let from = content.text(&self.from).ok_or(Refusal::Malformed("no_sender"))?;
        let id = self.id.as_ref().map(|at| content.text(at).filter(|id| is_id(id)));
        let id = id.map(|id| id.ok_or(Refusal::Malformed("no_message_id"))).transpose()?;
        let incoming = Incoming {
            carrier: link.name.clone(),
            id: id.map(|id| id.to_string()),
            from: address::origin(&from, link.region.as_deref()),
            to: to.ok_or(Refusal::Malformed("no_destination"))?,
            body: content.encoded(&self.text),
            part: None,
            only: None,
        };
        inbox.message(incoming).await?;
        Ok(Reply::taken())
    }
}

impl Status {
    pub(super) fn read(settings: TemplateStatus) -> Result<Self, String> {
        let word = |(word, meaning): (String, String)| {
            let wrong = || "status.words: write submitted, delivered, undelivered, expired or rejected".to_owned();
            Ok((word, meaning_of(&meaning).ok_or_else(wrong)?))
        };
        Ok(Self {
            id: at("status.id", &settings.id)?,
            status: at("status.status", &settings.status)?,
            words: settings.words.into_iter().map(word).collect::<Result<_, String>>()?,
        })
    }

    pub(super) async fn take(
        &self,
        link: &HttpLink,
        content: &Content<'_>,
        inbox: &dyn Inbox,
    ) -> Result<Reply, Refusal> {
        let said = content.text(&self.status).ok_or(Refusal::Malformed("no_status"))?;
        let Some((_, status)) = self.words.iter().find(|(word, _)| *word == said.as_str()) else {
            return Ok(Reply::taken());
        };
        let id = content.text(&self.id).filter(|id| is_id(id)).ok_or(Refusal::Malformed("no_message_id"))?;
        let (carrier, id, also) = (link.name.clone(), id.to_string(), Vec::new());
        inbox.receipt(Receipt { carrier, id, also, status: *status, failure: None, to: None }).await?;
        Ok(Reply::taken())
    }
}

fn meaning_of(word: &str) -> Option<DeliveryStatus> {
    Some(match word {
        "submitted" => DeliveryStatus::Submitted,
        "delivered" => DeliveryStatus::Delivered,
        "undelivered" => DeliveryStatus::Undelivered,
        "expired" => DeliveryStatus::Expired,
        "rejected" => DeliveryStatus::Rejected,
        _ => return None,
    })
}

fn at(key: &str, text: &str) -> Result<At, String> {
    At::read(text).map_err(|fault| format!("{key}: {fault}"))
}
