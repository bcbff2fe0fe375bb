//! A message on its way into the outbox: whom it reaches, what it says, and what the tenant learns of it.

use std::time::Duration;

use zeroize::Zeroizing;

use super::passage::Passage;
use super::{Halt, Refusal};
use crate::alias::PeopleError;
use crate::event::Mode;
use crate::guard::suppression::stops;
use crate::ids::{self, MessageId, RecordId, SubjectId};
use crate::message::code::{self, Code};
use crate::phone::{self, Rules};
use crate::relay::disclose::{self, Stand};
use crate::relay::phrases::Say;
use crate::relay::{BODY, Relay};
use crate::store::{
    BlindIndex, Change, Class, DISCLOSED, DeliveryStatus, Disclose, Lane, MessageRow, OutboxRow, Progress, Recipient,
    SenderRow, Shown, Task, Write,
};

/// A message to be put into the outbox.
pub(super) struct Outgoing {
    pub(super) to: Recipient,
    /// Whom it reaches, as conversations know them.
    pub(super) index: BlindIndex,
    pub(super) subject: SubjectId,
    pub(super) sender: &'static str,
    pub(super) text: Zeroizing<String>,
    /// What stands before the text, so that the receiver knows whom to answer.
    pub(super) tag: Option<String>,
    pub(super) parts: u32,
}

impl Outgoing {
    /// The same, with `tag` before the text.
    pub(super) fn behind(mut self, tag: Option<String>) -> Self {
        self.tag = tag;
        self
    }

    /// What the receiver reads.
    pub(super) fn shown(&self) -> Zeroizing<String> {
        Zeroizing::new(match &self.tag {
            Some(tag) => format!("{tag}{}", self.text.as_str()),
            None => self.text.as_str().to_owned(),
        })
    }
}

impl Relay {
    /// To the person behind a record, unless that person said STOP to the number that would be shown.
    pub(super) async fn to_person(
        &self,
        passage: &Passage,
        record: RecordId,
        sender: &'static str,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Outgoing, Halt> {
        let known = match self.people.known(passage.alias.tenant, record).await {
            Ok(known) => known,
            Err(PeopleError::Missing) => return Err(passage.refused("recipient_gone")),
            Err(PeopleError::Store(error)) => return Err(error.into()),
            Err(PeopleError::Key(error)) => return Err(error.into()),
        };
        self.check_wanted(passage, known.index).await?;
        let index = passage.index_of(record);
        Ok(Outgoing { to: Recipient::Person(record), index, subject: known.subject, sender, text, tag: None, parts })
    }

    /// To somebody outside who wrote before, unless that person said STOP to X.
    pub(super) async fn to_stranger(
        &self,
        passage: &Passage,
        sender: &SenderRow,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Outgoing, Halt> {
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let number = keys.open_stranger(&ids::bytes(&passage.alias.id), &sender.number)?;
        let index = keys.index(&number);
        self.check_wanted(passage, index).await?;
        let to = Recipient::Stranger(sender.number.clone());
        let subject = keys.subject(index);
        Ok(Outgoing { to, index: sender.index, subject, sender: "a", text, tag: None, parts })
    }

    /// STOP counts for the number that the person would see.
    pub(super) async fn check_wanted(&self, passage: &Passage, person: BlindIndex) -> Result<(), Halt> {
        let scopes = self.store.suppressed(passage.alias.tenant, person).await?;
        if stops(&scopes, Class::Relay, Some(passage.leg.shown)) {
            return Err(Halt::Refused(Refusal { say: Some(Say::Declined), ..passage.refusal("suppressed") }));
        }
        Ok(())
    }

    /// Adds the message with its sealed body and its place in the outbox. One that brings a code goes before others,
    /// and is not delivered after the code lapsed, if it says when that is.
    pub(super) async fn sending(
        &self,
        change: Change,
        passage: &Passage,
        out: Outgoing,
        id: MessageId,
    ) -> Result<Change, Halt> {
        let (now, alias) = (self.store.now(), &passage.alias);
        let code = code::find(&out.text);
        let disclosed = self.disclosed(passage, &out.text, code.as_ref()).await?;
        let keys = self.keyring.tenant(alias.tenant).await?;
        let (body, shown) = (out.shown(), passage.leg.shown);
        let message = MessageRow {
            id,
            tenant: alias.tenant,
            alias: Some(alias.id),
            sender: out.sender.to_owned(),
            from: Shown::Number(shown),
            class: Class::Relay,
            to: out.to,
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), &body)),
            disclosed: disclosed.map(|json| keys.seal_text(DISCLOSED, &ids::bytes(&id), &json)),
            status: DeliveryStatus::Queued,
            parts: out.parts,
            created_at: now,
            asked: None,
            progress: Progress::default(),
            expires_at: now.plus(life(code.as_ref())),
        };
        let conversation = self.conversation(shown.digits(), &out.index);
        let row = OutboxRow {
            id: ids::fresh(),
            tenant: alias.tenant,
            task: Task::Message(id),
            lane: if code.is_some() { Lane::Code } else { Lane::Notice },
            conversation,
            credential: None,
            policy: passage.permit.policy().to_owned(),
            due: now,
            attempts: 0,
        };
        Ok(change.with(Write::Message(Box::new(message))).with(Write::Enqueue(row)))
    }

    /// What is kept in order: everything from one number to one person.
    pub(in crate::relay) fn conversation(&self, shown: u64, receiver: &BlindIndex) -> BlindIndex {
        self.keyring.system().conversation(&[shown.to_be_bytes().as_slice(), &receiver.0])
    }

    /// What the tenant learns of a message, if its alias says anything.
    pub(super) async fn disclosed(
        &self,
        passage: &Passage,
        text: &str,
        code: Option<&Code>,
    ) -> Result<Option<Zeroizing<String>>, Halt> {
        let wish = passage.alias.disclose;
        let numbers = match wish {
            Disclose::Text => self.stands(passage, text).await?,
            _ => Vec::new(),
        };
        Ok(disclose::compose(wish, text, code.map(|code| code.value.as_str()), &numbers))
    }

    /// The numbers in a text, each with the token by which whoever bound the alias knows that person.
    async fn stands(&self, passage: &Passage, text: &str) -> Result<Vec<Stand>, Halt> {
        let alias = &passage.alias;
        let region = phone::region(alias.number);
        let mut stands = Vec::new();
        for found in phone::find(text) {
            let rules = Rules { region: region.clone(), test: passage.permit.mode() == Mode::Test, ..Rules::default() };
            let typed = text.get(found.start..found.end).unwrap_or_default();
            let token = match phone::parse(typed, &rules) {
                Ok(parsed) => {
                    let holder = self.vault.hold(&passage.permit, &parsed.number).await.map_err(failed)?;
                    let token = self.vault.token_of(alias.tenant, holder.record, alias.audience.as_deref()).await;
                    Some(token.map_err(failed)?)
                }
                Err(_) => None,
            };
            stands.push(Stand { at: found.start..found.end, token });
        }
        Ok(stands)
    }
}

fn failed(error: crate::vault::VaultError) -> Halt {
    Halt::Failed(error.to_string())
}

/// How long a message is worth delivering: as long as its code is good, and never longer than a body is kept.
fn life(code: Option<&Code>) -> Duration {
    let said = code.and_then(|code| code.life).map(|life| life.max(SHORTEST_LIFE));
    said.unwrap_or(BODY_LIFE).min(BODY_LIFE)
}

/// How long a body is kept at the most.
pub(in crate::relay) const BODY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A code that is said to be good for less is carried for so long: clocks differ.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
