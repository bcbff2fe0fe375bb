//! `/v1/messages`: what a tenant sends to people in its own name, one or many, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::batch::ItemRefusal;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Object, Typed};
use super::idempotency::once;
use super::party::{self, To};
use super::problem::Problem;
use crate::access::{Action, MessageRef, NewMessage as NewMessagePermit, Permit};
use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId};
use crate::outreach::{Accepted, MessageView, NewMessage, Says, TemplateName};
use crate::store::{Class, DeliveryStatus, Shown};
use crate::token::Token;
use crate::vault::MAX_BATCH;

/// A message to a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// The person.
    to: Option<To>,
    /// What it says; or name a template.
    #[schema(value_type = Option<String>, example = "Your parcel is at the door.")]
    text: Option<Typed>,
    /// The name or `tpl_…` id of a template; or give a text.
    template: Option<String>,
    /// What stands for the template's placeholders.
    #[schema(value_type = Option<std::collections::HashMap<String, String>>)]
    variables: Option<BTreeMap<String, Typed>>,
    /// BCP 47; picks the language of the template.
    locale: Option<String>,
    /// `code` goes before `notice`, `notice` before `marketing`. With a template: the template's, if left out.
    class: Option<Asked>,
    /// A registered sender, or a number of one of the tenant's own pools; if left out, the first registered sender that
    /// fits, else what the route shows.
    sender: Option<String>,
    /// How long it may wait to be delivered: 60 to 86,400; a day if left out.
    #[schema(minimum = 60, maximum = 86_400)]
    ttl_s: Option<u64>,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// A one-time code that the person asked for.
    Code,
    /// Something that the person waits for.
    Notice,
    /// The rest.
    Marketing,
}

impl Asked {
    /// The same of a stored message; none if no tenant can ask for it.
    pub(super) const fn of(class: Class) -> Option<Self> {
        match class {
            Class::Code => Some(Self::Code),
            Class::Notice => Some(Self::Notice),
            Class::Marketing => Some(Self::Marketing),
            Class::Relay => None,
        }
    }
}

impl From<Asked> for Class {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Code => Self::Code,
            Asked::Notice => Self::Notice,
            Asked::Marketing => Self::Marketing,
        }
    }
}

/// Messages to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessages {
    /// At most 10,000.
    #[schema(value_type = Vec<SendMessage>, max_items = 10_000)]
    items: Vec<Object<SendMessage>>,
}

/// A message that was accepted.
#[derive(Serialize, ToSchema)]
pub struct AcceptedAnswer {
    #[schema(value_type = String, example = "msg_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: MessageId,
    #[schema(value_type = String, example = "queued")]
    status: DeliveryStatus,
    /// The person, as it was given or in the caller's audience.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    to: Token,
    #[schema(value_type = String, example = "notice")]
    class: Class,
    /// What it shows as its sender; absent where the route decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    /// Parts that it takes.
    parts: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Not sent before, where it has to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// Given up then.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// What became of a message, without content.
#[derive(Serialize, ToSchema)]
pub struct MessageStatus {
    #[schema(value_type = String, example = "msg_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: MessageId,
    /// `queued`, `submitted`, `delivered`, `undelivered`, `expired`, `rejected` or `unknown`.
    #[schema(value_type = String, example = "delivered")]
    status: DeliveryStatus,
    /// Why it did not arrive, as a class that means the same for every carrier.
    #[schema(example = "absent_subscriber")]
    failure: Option<String>,
    /// The person, in the caller's audience; null once the token is gone, or for a stranger.
    #[schema(value_type = Option<String>)]
    to: Option<Token>,
    /// The alias that it crossed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    alias: Option<AliasId>,
    /// `code`, `notice`, `marketing`, or `relay` across an alias.
    #[schema(value_type = String, example = "notice")]
    class: Class,
    /// What it shows as its sender; null where the route decides.
    sender: Option<String>,
    /// The carrier that took it.
    carrier: Option<String>,
    /// Parts that it takes.
    parts: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a carrier took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    submitted_at: Option<Timestamp>,
    /// When it was clear what became of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// One answer for each item, in order.
#[derive(Serialize, ToSchema)]
pub struct Sent {
    items: Vec<SentItem>,
}

/// A message, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SentItem {
    /// The message.
    Accepted(Box<AcceptedAnswer>),
    /// The refusal.
    Refused {
        /// Why.
        error: ItemRefusal,
    },
}

impl AcceptedAnswer {
    fn of(accepted: Accepted, to: Token) -> Self {
        let Accepted { id, status, class, parts, from, created_at, due_at, expires_at } = accepted;
        let due_at = (due_at > created_at).then_some(due_at);
        Self { id, status, to, class, sender: shown(&from), parts, created_at, due_at, expires_at }
    }
}

impl From<MessageView> for MessageStatus {
    fn from(view: MessageView) -> Self {
        let MessageView { row, to, alias } = view;
        Self {
            id: row.id,
            status: row.status,
            failure: row.progress.failure,
            to,
            alias,
            class: row.class,
            sender: shown(&row.from),
            carrier: row.progress.carrier,
            parts: row.parts,
            created_at: row.created_at,
            submitted_at: row.progress.submitted_at,
            settled_at: row.progress.settled_at,
            expires_at: row.expires_at,
        }
    }
}

fn shown(from: &Shown) -> Option<String> {
    match from {
        Shown::Number(number) => Some(number.to_string()),
        Shown::Sender(name) => Some(name.clone()),
        Shown::House => None,
    }
}

/// Send a message
///
/// To a person, in the tenant's own name: a text or a filled template. It is accepted durably and sent at once, marketing
/// outside quiet hours. Refused are texts that name a phone number which is not the tenant's own (`number_in_text`),
/// people who asked to be spared (`suppressed`), and what the content policy forbids (`content_refused`).
#[utoipa::path(post, path = "/v1/messages", tag = "Messages", request_body = SendMessage,
    responses((status = 201, description = "Accepted.", body = AcceptedAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, created).await
}

async fn created(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: SendMessage = body.read()?;
    wish.check()?;
    let permit = call.permit(Action::MessageSend, NewMessagePermit {}).await?;
    let (new, to) = wish.addressed(call, &permit).await?;
    let accepted = call.api.outreach.send(&permit, new).await?;
    Answer::created(&AcceptedAnswer::of(accepted, to))
}

/// Send many messages
///
/// At most 10,000, in one commit. Each item has its own answer, in order; those that are refused leave the others be.
#[utoipa::path(post, path = "/v1/messages/batch", tag = "Messages", request_body = SendMessages,
    responses((status = 200, description = "One answer for each item.", body = Sent)))]
pub async fn create_batch(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, created_batch).await
}

async fn created_batch(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let batch: SendMessages = body.read()?;
    if batch.items.len() > MAX_BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    let permit = call.permit(Action::MessageSend, NewMessagePermit {}).await?;
    let (mut items, mut people) = (Vec::with_capacity(batch.items.len()), Vec::with_capacity(batch.items.len()));
    for Object(wish) in batch.items {
        let read = match wish.check() {
            Ok(()) => wish.addressed(call, &permit).await,
            Err(problem) => Err(problem),
        };
        let (item, to) = match read {
            Ok((new, to)) => (Ok(new), Some(to)),
            Err(problem) => (Err(only_of_item(problem)?), None),
        };
        items.push(item);
        people.push(to);
    }
    let answers = call.api.outreach.send_many(&permit, items).await?;
    let answer = |(answer, to): (Result<Accepted, _>, Option<Token>)| match (answer, to) {
        (Ok(accepted), Some(to)) => SentItem::Accepted(Box::new(AcceptedAnswer::of(accepted, to))),
        (Ok(_), None) => SentItem::Refused { error: ItemRefusal::of(Code::Internal) },
        (Err(Ok(refusal)), _) => SentItem::Refused { error: ItemRefusal::of(Problem::from(refusal).code) },
        (Err(Err(code)), _) => SentItem::Refused { error: ItemRefusal::of(code) },
    };
    Answer::items(answers.into_iter().zip(people).map(answer).collect())
}

/// What refuses one item, as its code. What keeps one from being looked at keeps all.
pub(super) fn only_of_item(problem: Problem) -> Result<Code, Problem> {
    if problem.code.status().is_server_error() { Err(problem) } else { Ok(problem.code) }
}

impl SendMessage {
    fn check(&self) -> Result<(), Problem> {
        if self.to.is_none() {
            return Err(Problem::at(Code::MissingField, "to"));
        }
        match (&self.text, &self.template) {
            (None, None) => Err(Problem::at(Code::MissingField, "text")),
            (Some(_), Some(_)) => Err(Problem::at(Code::InvalidField, "template")),
            (Some(_), None) if self.variables.is_some() => Err(Problem::at(Code::InvalidField, "variables")),
            (Some(_), None) if self.class.is_none() => Err(Problem::at(Code::MissingField, "class")),
            _ => Ok(()),
        }?;
        let variables = self.variables.iter().flatten();
        if variables.clone().count() > MAX_VARIABLES || variables.clone().any(|(_, value)| is_long(value)) {
            return Err(Problem::at(Code::InvalidField, "variables"));
        }
        fields::optional_text("sender", self.sender.as_deref().filter(|sender| !sender.starts_with('+')))?;
        fields::seconds("ttl_s", self.ttl_s, 60..=86_400).map(drop)
    }

    /// The message for the service, and the person's token.
    async fn addressed(self, call: &Call, permit: &Permit<NewMessagePermit>) -> Result<(NewMessage, Token), Problem> {
        let to = self.to.ok_or_else(|| Problem::at(Code::MissingField, "to"))?;
        let (holder, bearing, token) = party::destination(call, permit, &to).await?;
        let says = match (self.text, self.template) {
            (Some(text), _) => Says::Text(text.into_text()),
            (None, Some(name)) => Says::Template {
                template: name.parse().map_or(TemplateName::Name(name), TemplateName::Id),
                variables: self.variables.into_iter().flatten().map(|(name, it)| (name, it.into_text())).collect(),
                locale: self.locale,
            },
            (None, None) => return Err(Problem::at(Code::MissingField, "text")),
        };
        let life = fields::seconds("ttl_s", self.ttl_s, 60..=86_400)?;
        let class = self.class.map(Class::from);
        Ok((NewMessage { to: holder, bearing, says, class, sender: self.sender, life }, token))
    }
}

fn is_long(value: &Typed) -> bool {
    value.as_str().len() > LONGEST_VARIABLE
}

/// Look at a message
///
/// How far it got, and why no further. Never what it says.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "Messages",
    params(("id" = String, Path, description = "`msg_…`")),
    responses((status = 200, description = "How far it got.", body = MessageStatus)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = call.permit(Action::MessageRead, MessageRef { id: call.id()? }).await?;
    Answer::ok(&MessageStatus::from(call.api.outreach.message(&permit).await?))
}

/// Variables of one message.
const MAX_VARIABLES: usize = 32;
/// Bytes of one variable.
const LONGEST_VARIABLE: usize = 512;
