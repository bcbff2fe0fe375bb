//! Calls: whoever rings a virtual number is put through along the legs that messages take, from the number that the
//! party may see.
//!
//! The number of the party leaves by the carrier's door only after `call.started` is durable, and once for each call: a
//! request that comes again gets no number. Aliases that end during a call let it end. Whoever is turned away leaves
//! `call.refused` with the reason. How a call went is told once, whatever order the carrier's words come in.

use std::time::Duration;

use tokio::sync::MutexGuard;

use super::passage::{Passage, Way};
use super::{Envelope, Halt, Refusal, senders};
use crate::alias::leg;
use crate::carrier::{CallPlan, CallProgress, CallStatus, CallStep, InboxError, IncomingCall};
use crate::event::What;
use crate::ids::{self, RecordId, SubjectId};
use crate::phone::PhoneNumber;
use crate::relay::Relay;
use crate::store::{
    AliasMode, BlindIndex, CallRow, CallWrite, Change, Conflict, LegTarget, SenderRow, StoreError, Write,
};
use crate::vault::VaultError;

/// Whom a call is put through to.
struct Callee<'a> {
    number: PhoneNumber,
    subject: SubjectId,
    /// What lets the party call back, or keeps somebody within reach.
    writes: Vec<Write>,
    /// Nobody else gives out a tag of this alias until the commit.
    _tags: Option<MutexGuard<'a, ()>>,
}

impl Relay {
    /// Decides about a call. One commit before a number is named, and one for whoever is turned away.
    pub(super) async fn answer_call(&self, call: IncomingCall) -> Result<CallPlan, InboxError> {
        let IncomingCall { carrier, id, from, to, digits, screen, max_s } = call;
        let Some(pool) = self.pools.of(to, &carrier).await.map_err(super::not_durable)? else {
            let refusal = Refusal { reason: "not_ours", tenant: None, alias: None, say: None };
            return self.turn_away(&carrier, to, &refusal).await.map_err(Halt::into_inbox);
        };
        let envelope = self.envelope(carrier, to, from, &pool, (None, None));
        let _turn = self.order.take(&envelope.writer.index).await;
        let ring = Ring { reference: self.reference(&envelope.carrier, &id), screen, max_s };
        let digits = digits.as_deref().map(String::as_str);
        let mut planned = self.plan(&envelope, &ring, digits).await;
        for _ in 1..super::MAX_TRIES {
            if matches!(planned, Err(Halt::Taken)) {
                planned = self.plan(&envelope, &ring, digits).await;
            }
        }
        match planned {
            Err(Halt::Refused(refusal)) => self.turn_away(&envelope.carrier, to, &refusal).await,
            planned => planned,
        }
        .map_err(Halt::into_inbox)
    }

    async fn plan(&self, envelope: &Envelope, ring: &Ring, digits: Option<&str>) -> Result<CallPlan, Halt> {
        let tenant = Some(envelope.owner);
        let number = self.store.number(envelope.to).await?;
        if !number.is_some_and(|row| row.traits.capabilities.iter().any(|ability| ability == "voice")) {
            return Err(Halt::refused("no_voice", tenant, None));
        }
        let passage = match self.way(envelope).await? {
            Way::Leg(way, senders) => self.permitted(*way, senders)?,
            Way::Extensions => match (self.own_passage(envelope, digits).await?, digits) {
                (Some(own), _) => own,
                (None, None) => return Ok(CallPlan::Keypad),
                (None, Some(digits)) => self.dialled(envelope, digits).await?,
            },
            Way::Unknown(alias) => return Err(Halt::Refused(self.unknown_refusal(envelope, alias.as_deref()))),
        };
        if !passage.alias.capabilities.iter().any(|ability| ability == "voice") {
            return Err(passage.refused("no_voice"));
        }
        let callee = self.callee(envelope, &passage).await?;
        self.put_through(envelope, &passage, ring, callee).await
    }

    /// The alias behind the extension that a caller typed.
    async fn dialled(&self, envelope: &Envelope, digits: &str) -> Result<Passage, Halt> {
        let digits = digits.trim_matches(['#', '*', ' ']);
        let is_extension = (1..=8).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
        if is_extension && let Some(passage) = self.reached(envelope, digits).await? {
            return Ok(passage);
        }
        self.misses.happened(self.dial_print(envelope), self.store.now());
        Err(Halt::refused("extension_unknown", Some(envelope.owner), None))
    }

    /// The alias that the caller is the person of, on a number with extensions, if one can be meant.
    async fn own_passage(&self, envelope: &Envelope, digits: Option<&str>) -> Result<Option<Passage>, Halt> {
        let mut owned = Vec::new();
        for alias in self.owned(envelope).await? {
            if digits.is_none_or(|digits| alias.extension.as_deref() == Some(digits)) {
                let senders = self.store.senders(alias.id).await?;
                owned.push(self.permitted((leg::answering(&alias), alias), senders)?);
            }
        }
        if owned.len() > 1 {
            owned.retain(|passage| !self.live(passage).is_empty());
        }
        Ok(if owned.len() == 1 { owned.pop() } else { None })
    }

    async fn callee(&self, envelope: &Envelope, passage: &Passage) -> Result<Callee<'_>, Halt> {
        match passage.leg.to {
            LegTarget::Person(record) => {
                let mut callee = self.person(passage, record).await?;
                if passage.is_from_outside() {
                    let (seat, tags) = self.seat(envelope, passage).await?;
                    callee.writes.extend(seat.map(|seat| seat.writes).unwrap_or_default());
                    callee._tags = tags;
                }
                if passage.alias.mode == AliasMode::Axe {
                    callee.writes.extend(self.session(envelope, passage));
                }
                Ok(callee)
            }
            LegTarget::Senders => match self.live(passage).as_slice() {
                [only] => self.outsider(passage, only).await,
                [] => Err(passage.refused("no_sender")),
                _ => Err(passage.refused("several_senders")),
            },
            LegTarget::LastSender => {
                let live = self.live(passage);
                let last = live.into_iter().max_by_key(|sender| (sender.until, sender.tag));
                self.outsider(passage, last.ok_or_else(|| passage.refused("no_sender"))?).await
            }
            LegTarget::Members => match passage.alias.members.as_slice() {
                [only] => self.person(passage, only.record).await,
                _ => Err(passage.refused("no_member")),
            },
        }
    }

    async fn person(&self, passage: &Passage, record: RecordId) -> Result<Callee<'_>, Halt> {
        let number = self.vault.bridge(&passage.permit, record).await.map_err(|error| match error {
            VaultError::Store(error) => error.into(),
            VaultError::Key(error) => error.into(),
            _ => passage.refused("recipient_gone"),
        })?;
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let index = keys.index(&number);
        self.check_wanted(passage, index).await?;
        Ok(Callee { subject: keys.subject(index), number, writes: Vec::new(), _tags: None })
    }

    async fn outsider(&self, passage: &Passage, sender: &SenderRow) -> Result<Callee<'_>, Halt> {
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let number = keys.open_stranger(&ids::bytes(&passage.alias.id), &sender.number)?;
        let index = keys.index(&number);
        self.check_wanted(passage, index).await?;
        let writes = vec![senders::renewed(sender, self.store.now())];
        Ok(Callee { subject: keys.subject(index), number, writes, _tags: None })
    }

    /// Makes it durable that the call is put through; then its plan names the number.
    async fn put_through(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        ring: &Ring,
        callee: Callee<'_>,
    ) -> Result<CallPlan, Halt> {
        let (now, id, alias) = (self.store.now(), ids::fresh(), &passage.alias);
        let caller = passage.sender(envelope).to_owned();
        let what = What::CallStarted { call: id, alias: alias.id, subject: callee.subject, caller };
        let event = self.told_by(&envelope.carrier, Some(alias.tenant), Some(passage.permit.policy().to_owned()), what);
        let row = CallRow {
            id,
            reference: ring.reference,
            tenant: alias.tenant,
            alias: alias.id,
            screened: ring.screen,
            started_at: now,
            answered_at: None,
            ended_at: None,
            until: now.plus(Duration::from_secs(u64::from(ring.max_s)).saturating_add(KEPT)),
        };
        let mut change = Change::telling(event).with(Write::Call(CallWrite::Start(row)));
        change.writes.extend(callee.writes);
        match self.store.commit(change).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Conflict::Exists)) => return Err(passage.refused("repeated")),
            Err(error) => return Err(error.into()),
        }
        Ok(CallPlan::Bridge { to: callee.number, shown: passage.leg.shown, screen: ring.screen, max_s: ring.max_s })
    }

    async fn turn_away(
        &self,
        carrier: &str,
        number: crate::phone::VirtualNumber,
        refusal: &Refusal,
    ) -> Result<CallPlan, Halt> {
        let reason = refusal.reason;
        let what = What::CallRefused { number, alias: refusal.alias, reason: reason.to_owned() };
        self.store.commit(Change::telling(self.told_by(carrier, refusal.tenant, None, what))).await?;
        // Machines that call each other, and those whom an alias is silent to, get no words.
        let told = refusal.say.is_some() || !matches!(reason, "loop" | "unknown_sender" | "extension_guessing");
        Ok(CallPlan::Reject { reason, told })
    }

    /// How a call goes on. What comes again, or of a call that was not put through, changes nothing.
    pub(super) async fn note_progress(&self, progress: CallProgress) -> Result<(), StoreError> {
        let CallProgress { carrier, id, step } = progress;
        let Some(row) = self.store.call(self.reference(&carrier, &id)).await? else { return Ok(()) };
        if row.ended_at.is_some() {
            return Ok(());
        }
        let (what, write) = match step {
            CallStep::Answered if row.answered_at.is_some() => return Ok(()),
            CallStep::Answered => {
                (What::CallAnswered { call: row.id, alias: row.alias }, CallWrite::Answer { id: row.id })
            }
            CallStep::Ended { .. } | CallStep::HungUp { .. } => {
                let (status, seconds) = outcome(&row, step);
                let (call, alias, status) = (row.id, row.alias, status.as_str().to_owned());
                (What::CallEnded { call, alias, status, seconds }, CallWrite::End { id: row.id })
            }
        };
        let event = self.told_by(&carrier, Some(row.tenant), None, what);
        match self.store.commit(Change::telling(event).with(Write::Call(write))).await {
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn reference(&self, carrier: &str, id: &str) -> BlindIndex {
        self.keyring.system().conversation(&[b"call", carrier.as_bytes(), id.as_bytes()])
    }
}

/// What a carrier says of a call beside who calls whom.
struct Ring {
    reference: BlindIndex,
    screen: bool,
    max_s: u32,
}

/// How a call ended. Whoever picked up and pressed no key was nobody, or a machine.
fn outcome(row: &CallRow, step: CallStep) -> (CallStatus, u64) {
    let is_answered = row.answered_at.is_some();
    match step {
        CallStep::Ended { status: CallStatus::Completed, .. } if row.screened && !is_answered => {
            (CallStatus::NoAnswer, 0)
        }
        CallStep::Ended { status, seconds } => (status, u64::from(seconds)),
        CallStep::HungUp { seconds } if is_answered => (CallStatus::Completed, u64::from(seconds)),
        CallStep::HungUp { .. } | CallStep::Answered => (CallStatus::Canceled, 0),
    }
}

/// How long a call is remembered beyond the longest that it can last.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn row(screened: bool, answered: bool) -> CallRow {
        let at = Timestamp::from_millis(1_000);
        CallRow {
            id: ids::fresh(),
            reference: BlindIndex([0; 16]),
            tenant: ids::fresh(),
            alias: ids::fresh(),
            screened,
            started_at: at,
            answered_at: answered.then_some(at),
            ended_at: None,
            until: at,
        }
    }

    #[test]
    fn a_call_counts_as_held_only_if_somebody_took_it() {
        let ended = |status| CallStep::Ended { status, seconds: 42 };
        let done = ended(CallStatus::Completed);
        assert_eq!(outcome(&row(true, true), done), (CallStatus::Completed, 42));
        assert_eq!(outcome(&row(false, false), done), (CallStatus::Completed, 42));
        assert_eq!(outcome(&row(true, false), done), (CallStatus::NoAnswer, 0), "a voicemail presses no key");
        assert_eq!(outcome(&row(true, false), ended(CallStatus::Busy)), (CallStatus::Busy, 42));
        let hung_up = CallStep::HungUp { seconds: 9 };
        assert_eq!(outcome(&row(true, true), hung_up), (CallStatus::Completed, 9));
        assert_eq!(outcome(&row(true, false), hung_up), (CallStatus::Canceled, 0));
    }
}
