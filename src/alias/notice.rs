//! What the service itself, or the tenant, writes to people of an alias: message and place in the outbox, for a commit of
//! somebody else's.

use std::time::Duration;

use super::error::AliasError;
use super::{Alias, leg};
use crate::access::{AliasRef, Permit};
use crate::ids::{self, CredentialId, MessageId};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasRow, BlindIndex, Class, DeliveryStatus, MessageRow, OutboxRow, Party, Progress, Recipient, Shown, Task, Usage,
    Write,
};

/// A message to somebody of an alias, before it is sealed.
pub(super) struct Written<'a> {
    pub(super) id: MessageId,
    pub(super) to: Recipient,
    /// Whom it reaches, as conversations know them.
    pub(super) index: BlindIndex,
    /// What the receiver sees as the sender.
    pub(super) shown: VirtualNumber,
    /// `service` or `tenant`.
    pub(super) sender: &'static str,
    pub(super) class: Class,
    pub(super) text: &'a str,
    pub(super) parts: u32,
    /// The credential on whose word it goes out; none where a change of the alias says it.
    pub(super) credential: Option<CredentialId>,
    pub(super) policy: &'a str,
}

impl Alias {
    /// What the service tells a person of the alias, from the number that the person sees.
    pub(super) async fn notice(
        &self,
        policy: &str,
        row: &AliasRow,
        party: &Party,
        text: &str,
    ) -> Result<[Write; 2], AliasError> {
        let shown = leg::number_of(row, party);
        let to = Recipient::Person(party.record);
        self.sealed(row, service(to, party.index, shown, policy, text)).await
    }

    /// What callers of an extension are told when somebody else answers now: those who can still be answered.
    pub(super) async fn told_callers(
        &self,
        permit: &Permit<AliasRef>,
        was: &AliasRow,
        to: &AliasRow,
    ) -> Result<Vec<[Write; 2]>, AliasError> {
        if to.mode.usage() != Usage::Ext || was.a.index == to.a.index {
            return Ok(Vec::new());
        }
        let mut told = Vec::new();
        for caller in self.store.senders(to.id).await?.into_iter().take(MAX_CALLERS) {
            let recipient = Recipient::Stranger(caller.number);
            let written = service(recipient, caller.index, to.number, permit.policy(), super::change::NOTICE);
            told.push(self.sealed(to, written).await?);
        }
        Ok(told)
    }

    /// The message with its sealed text, and its place in the outbox.
    pub(super) async fn sealed(&self, row: &AliasRow, written: Written<'_>) -> Result<[Write; 2], AliasError> {
        let now = self.store.now();
        let keys = self.keyring.tenant(row.tenant).await?;
        let Written { id, to, index, shown, sender, class, text, parts, credential, policy } = written;
        let message = MessageRow {
            id,
            tenant: row.tenant,
            alias: Some(row.id),
            sender: sender.to_owned(),
            from: Shown::Number(shown),
            class,
            to,
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), text)),
            disclosed: None,
            status: DeliveryStatus::Queued,
            parts,
            created_at: now,
            expires_at: now.plus(BODY_LIFE),
            asked: None,
            progress: Progress::default(),
        };
        // As `relay` names it, so that it keeps its place among what people write to each other.
        let number = shown.digits().to_be_bytes();
        let outbox = OutboxRow {
            id: ids::fresh(),
            tenant: row.tenant,
            task: Task::Message(id),
            lane: class.lane(),
            conversation: self.keyring.system().conversation(&[&number, &index.0]),
            credential,
            policy: policy.to_owned(),
            due: now,
            attempts: 0,
        };
        Ok([Write::Message(Box::new(message)), Write::Enqueue(outbox)])
    }
}

fn service<'a>(to: Recipient, index: BlindIndex, shown: VirtualNumber, policy: &'a str, text: &'a str) -> Written<'a> {
    Written {
        id: ids::fresh(),
        to,
        index,
        shown,
        sender: "service",
        class: Class::Relay,
        text,
        parts: 1,
        credential: None,
        policy,
    }
}

/// The label under which bodies of messages are sealed, with the message's id: the same as `relay`'s, since one worker
/// opens both.
const BODY: &str = "message";
/// How long a body is kept at the most.
const BODY_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Callers who are told in one commit.
const MAX_CALLERS: usize = 100;
