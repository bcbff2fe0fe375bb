//! What becomes of a message whose leg is known: the one change that carries it on, or that tells its writer why not.

use tokio::sync::MutexGuard;
use zeroize::Zeroizing;

use super::outgoing::Outgoing;
use super::passage::{Passage, Way};
use super::{Decision, Envelope, Halt, senders};
use crate::carrier::Accepted;
use crate::event::{Event, What};
use crate::ids::{self, RecordId};
use crate::message::{Alphabet, segments};
use crate::relay::answer::{self, Answer, Help};
use crate::relay::phrases::Say;
use crate::relay::{Relay, lately};
use crate::store::{Change, LegTarget, SenderRow};

impl Relay {
    /// Decides about a whole message.
    pub(super) async fn decide(
        &self,
        envelope: &Envelope,
        text: Option<Zeroizing<String>>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let way = self.way(envelope).await?;
        if let Some(decision) = self.obey(envelope, &way, text.as_deref().map(String::as_str)).await? {
            return Ok(decision);
        }
        match way {
            Way::Leg(way, senders) => {
                let passage = self.permitted(*way, senders)?;
                let text = text.ok_or_else(|| Halt::Refused(passage.refusal("unreadable").saying(Say::NoText)))?;
                if passage.is_session() {
                    self.in_session(envelope, passage, text, parts).await
                } else {
                    self.carry(envelope, &passage, text, parts).await
                }
            }
            Way::Extensions => self.dial(envelope, text, parts).await,
            Way::Unknown(alias) => self.unknown(envelope, alias.map(|alias| *alias), text, parts).await,
        }
    }

    /// Carries a text along its leg, unless a rule says no.
    pub(super) async fn carry(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let print = self.print(envelope, &text);
        if self.echoes.is_full(&print, self.store.now()) {
            return Err(passage.refused("loop"));
        }
        self.check_content(envelope, passage, &text)?;
        let spending = self.spending(envelope, passage, parts).await?;
        let mut decision = match passage.leg.to {
            LegTarget::Person(record) => self.towards_person(envelope, passage, record, text, parts).await?,
            LegTarget::Senders => self.towards_tagged(envelope, passage, &text, parts).await?,
            LegTarget::LastSender => self.towards_last(envelope, passage, text, parts).await?,
            LegTarget::Members => self.towards_member(envelope, passage, text, parts).await?,
        };
        if matches!(decision.accepted, Accepted::Carried) {
            decision.change.writes.extend(spending);
        }
        decision.print = Some(print);
        Ok(decision)
    }

    /// To the person that the leg names, with a seat for somebody outside who can be answered.
    async fn towards_person(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        record: RecordId,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let (mut shown, mut writes, mut tags) = (None, Vec::new(), None);
        if passage.is_from_outside() {
            let seat;
            (seat, tags) = self.seat(envelope, passage).await?;
            if let Some(seat) = seat {
                shown = self.tag_of(envelope, passage, &seat).await?;
                writes = seat.writes;
            }
        }
        let outgoing = self.to_person(passage, record, passage.sender(envelope), text, parts).await?;
        let outgoing = outgoing.behind(shown);
        let mut decision = self.carrying(envelope, passage, outgoing).await?;
        decision.change.writes.extend(writes);
        decision._tags = tags;
        Ok(decision)
    }

    /// A seat for a sender who can be answered. The lock on the alias's tags is held only for a new one.
    pub(super) async fn seat(
        &self,
        envelope: &Envelope,
        passage: &Passage,
    ) -> Result<(Option<senders::Seat>, Option<MutexGuard<'_, ()>>), Halt> {
        let Some(number) = envelope.writer.number() else { return Ok((None, None)) };
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let now = self.store.now();
        if senders::is_seated(&passage.senders, &envelope.writer, now) {
            let seat = senders::seat(passage, &passage.senders, &envelope.writer, number, &keys, now);
            return Ok((Some(seat), None));
        }
        let alias = self.keyring.system().conversation(&[b"tags".as_slice(), &ids::bytes(&passage.alias.id)]);
        let lock = self.tags.take(&alias).await;
        let known = self.store.senders(passage.alias.id).await?;
        Ok((Some(senders::seat(passage, &known, &envelope.writer, number, &keys, now)), lock))
    }

    /// A's answer, to the one sender it is for; else a help text to A.
    async fn towards_tagged(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: &str,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let live = self.live(passage);
        let tags: Vec<u32> = live.iter().map(|sender| sender.tag).collect();
        let (sender, text) = match answer::address(&tags, text) {
            Answer::To { tag, text } => (live.iter().find(|sender| sender.tag == tag), text),
            Answer::Nobody(help) => return self.helping(envelope, passage, help, &tags).await,
        };
        match sender {
            Some(sender) => {
                self.towards_sender(envelope, passage, sender, Zeroizing::new(text.to_owned()), parts).await
            }
            None => self.helping(envelope, passage, Help::Gone, &tags).await,
        }
    }

    /// A calls back whoever wrote last.
    async fn towards_last(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        match self.live(passage).into_iter().max_by_key(|sender| (sender.until, sender.tag)) {
            Some(last) => self.towards_sender(envelope, passage, last, text, parts).await,
            None => self.helping(envelope, passage, Help::NoSender, &[]).await,
        }
    }

    /// A writes to a team of which no member is named: to the only one there is.
    async fn towards_member(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        match passage.alias.members.as_slice() {
            [only] => self.towards_person(envelope, passage, only.record, text, parts).await,
            _ => self.helping(envelope, passage, Help::NoMember, &[]).await,
        }
    }

    async fn towards_sender(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        sender: &SenderRow,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let outgoing = self.to_stranger(passage, sender, text, parts).await?;
        let mut decision = self.carrying(envelope, passage, outgoing).await?;
        decision.change.writes.push(senders::renewed(sender, self.store.now()));
        Ok(decision)
    }

    /// A's text is not carried, and A is told why.
    async fn helping(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        help: Help,
        tags: &[u32],
    ) -> Result<Decision<'_>, Halt> {
        let names: Vec<String> = tags.iter().map(|tag| format!("[{tag}]")).collect();
        self.helping_named(envelope, passage, help, &names).await
    }

    /// The same, with other names than tags.
    pub(super) async fn helping_named(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        help: Help,
        names: &[String],
    ) -> Result<Decision<'_>, Halt> {
        let text = help.text(names, &envelope.writer.country());
        let change = Change::telling(self.dropped(&envelope.carrier, envelope.to, &passage.refusal(help.reason())));
        let change = self.replying(change, envelope, (passage.alias.tenant, Some(passage.alias.id)), &text).await?;
        Ok(Decision { change, accepted: Accepted::Dropped, print: None, _tags: None })
    }

    /// The one change that carries a message on.
    async fn carrying(&self, envelope: &Envelope, passage: &Passage, out: Outgoing) -> Result<Decision<'_>, Halt> {
        if is_too_long(&out.shown()) {
            return Err(Halt::Refused(passage.refusal("too_long").saying(Say::TooLong)));
        }
        let (event, message) = self.received(envelope, passage, &out);
        let change = self.sending(Change::telling(event), passage, out, message).await?;
        Ok(Decision { change, accepted: Accepted::Carried, print: None, _tags: None })
    }

    fn received(&self, envelope: &Envelope, passage: &Passage, out: &Outgoing) -> (Event, ids::MessageId) {
        let (message, alias, subject) = (ids::fresh(), passage.alias.id, out.subject);
        let (sender, parts) = (out.sender.to_owned(), u64::from(out.parts));
        let what = What::MessageReceived { message, alias, subject, sender, parts };
        let policy = Some(passage.permit.policy().to_owned());
        (self.told_by(&envelope.carrier, Some(passage.alias.tenant), policy, what), message)
    }

    /// The senders who can be answered now.
    pub(super) fn live<'a>(&self, passage: &'a Passage) -> Vec<&'a SenderRow> {
        let now = self.store.now();
        // Somebody who called once may be the one who answers now.
        let others = passage.senders.iter().filter(|sender| sender.index != passage.alias.a.index);
        others.filter(|sender| senders::is_live(sender, now)).collect()
    }

    fn print(&self, envelope: &Envelope, text: &str) -> lately::Print {
        let number = envelope.to.digits().to_be_bytes();
        self.keyring.system().fingerprint(&[b"echo".as_slice(), &number, &envelope.writer.index.0, text.as_bytes()])
    }
}

/// Whether a text needs more parts than a message may have, whatever the carrier. Most are too short to be asked.
fn is_too_long(text: &str) -> bool {
    text.len() > CERTAINLY_SHORT && segments(text, Alphabet::Gsm7, 0).is_err()
}

/// Bytes that ten parts hold in any alphabet: no character takes more octets in UTF-16 than twice those in UTF-8.
const CERTAINLY_SHORT: usize = 660;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_parts_are_carried_and_eleven_are_not() {
        assert!(!is_too_long(&"a".repeat(1_530)));
        assert!(is_too_long(&"a".repeat(1_531)));
        assert!(!is_too_long(&"验".repeat(670)));
        assert!(is_too_long(&"验".repeat(671)));
    }
}
