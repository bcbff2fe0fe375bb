//! Numbers that many people share, each behind an extension: who names one is in conversation with its person for a day.
//!
//! `1234: hello` opens a session, or moves the writer from another one; what follows without an extension goes to the
//! session. The person behind an extension has no leg: an answer goes to whoever is live, by tag or extension where
//! several are. Guessing extensions ends after five misses in an hour, for the rest of it, also for a right guess.

use std::time::Duration;

use zeroize::Zeroizing;

use super::passage::Passage;
use super::senders::Seat;
use super::{Decision, Envelope, Halt, Refusal};
use crate::alias::leg;
use crate::relay::answer::Help;
use crate::relay::dialled::{self, Dialled};
use crate::relay::phrases::Say;
use crate::relay::{Relay, answer, lately};
use crate::store::{AliasMode, AliasRow, AliasWrite, LegKey, LegRow, Write};

impl Relay {
    /// From a writer who is in no conversation on X.
    pub(super) async fn dial(
        &self,
        envelope: &Envelope,
        text: Option<Zeroizing<String>>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let tenant = envelope.only.unwrap_or(envelope.owner);
        let refusal = |reason| Refusal { reason, tenant: Some(tenant), alias: None, say: None };
        let text = text.ok_or_else(|| Halt::Refused(refusal("unreadable").saying(Say::NoText)))?;
        let owned = self.owned(envelope).await?;
        let is_owner = !owned.is_empty();
        let others = |dialled: &Dialled<'_>| {
            let own = |alias: &AliasRow| alias.extension.as_deref() == Some(&dialled.extension);
            (dialled.certain || !is_owner) && !owned.iter().any(own)
        };
        let dialled = dialled::read(&text).filter(others);
        if let Some(dialled) = &dialled {
            if let Some(passage) = self.reached(envelope, &dialled.extension).await? {
                return self.in_reach(envelope, &passage, dialled.text, parts, !is_owner).await;
            }
            self.misses.happened(self.dial_print(envelope), self.store.now());
        }
        if is_owner {
            return self.as_owner(envelope, owned, text, parts).await;
        }
        let reason = if dialled.is_some() { "extension_unknown" } else { "extension_missing" };
        Err(Halt::Refused(refusal(reason).saying(Say::Extension)))
    }

    /// From a writer who is in a session: there, unless another extension is named beyond doubt.
    pub(super) async fn in_session(
        &self,
        envelope: &Envelope,
        passage: Passage,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let Some(dialled) = dialled::read(&text) else {
            return self.connected(envelope, &passage, text, parts).await;
        };
        if passage.alias.extension.as_deref() == Some(&dialled.extension) {
            return self.in_reach(envelope, &passage, dialled.text, parts, true).await;
        }
        if dialled.certain && !self.misses.is_full(&self.dial_print(envelope), self.store.now()) {
            if let Some(other) = self.reached(envelope, &dialled.extension).await? {
                return self.in_reach(envelope, &other, dialled.text, parts, true).await;
            }
            self.misses.happened(self.dial_print(envelope), self.store.now());
        }
        self.connected(envelope, &passage, text, parts).await
    }

    /// The alias behind an extension of X, unless this writer has guessed too often.
    pub(super) async fn reached(&self, envelope: &Envelope, extension: &str) -> Result<Option<Passage>, Halt> {
        if self.misses.is_full(&self.dial_print(envelope), self.store.now()) {
            let tenant = envelope.only.unwrap_or(envelope.owner);
            return Err(Halt::refused("extension_guessing", Some(tenant), None));
        }
        let leg = self.store.extension(envelope.to, extension).await?;
        let Some(leg) = leg.filter(|leg| envelope.only.is_none_or(|only| only == leg.tenant)) else { return Ok(None) };
        let Some(alias) = self.store.alias(leg.tenant, leg.alias).await? else { return Ok(None) };
        let senders = self.store.senders(alias.id).await?;
        self.permitted((leg, alias), senders).map(Some)
    }

    /// Carries what follows an extension. An extension alone only opens the session, and the writer is told.
    async fn in_reach(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: &str,
        parts: u32,
        opens: bool,
    ) -> Result<Decision<'_>, Halt> {
        let session = opens.then(|| self.session(envelope, passage)).flatten();
        let mut decision = if text.is_empty() {
            let refusal = passage.refusal("session_opened").saying(Say::Connected);
            self.refusing(envelope, refusal).await?
        } else {
            self.carry(envelope, passage, Zeroizing::new(text.to_owned()), parts).await?
        };
        decision.change.writes.extend(session);
        Ok(decision)
    }

    async fn connected(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let mut decision = self.carry(envelope, passage, text, parts).await?;
        decision.change.writes.extend(self.session(envelope, passage));
        Ok(decision)
    }

    /// Opens or renews the writer's session with an alias; only numbers can have one.
    pub(super) fn session(&self, envelope: &Envelope, passage: &Passage) -> Option<Write> {
        let from = LegKey::Person(envelope.writer.party()?);
        let lapse = self.store.now().plus(SESSION);
        let end = passage.alias.expires_at.map_or(lapse, |end| end.min(lapse));
        let leg = LegRow { from, expires_at: Some(end), ..passage.leg.clone() };
        Some(Write::Alias(AliasWrite::OpenSession(leg)))
    }

    /// The aliases on X that the writer is the person of.
    pub(super) async fn owned(&self, envelope: &Envelope) -> Result<Vec<AliasRow>, Halt> {
        let Some(index) = envelope.writer.party() else { return Ok(Vec::new()) };
        let mut owned = self.store.extensions_of(envelope.to, index).await?;
        owned.retain(|alias| envelope.only.is_none_or(|only| only == alias.tenant));
        Ok(owned)
    }

    /// An answer of the person behind one extension or several.
    async fn as_owner(
        &self,
        envelope: &Envelope,
        owned: Vec<AliasRow>,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let named = dialled::read(&text);
        let mut doors = Vec::new();
        for alias in owned {
            let senders = self.store.senders(alias.id).await?;
            let leg = leg::answering(&alias);
            let names = named.as_ref().is_some_and(|named| alias.extension.as_deref() == Some(&named.extension));
            doors.push(((leg, alias), senders, names));
        }
        let is_named = doors.iter().any(|(.., names)| *names);
        let text = match named {
            Some(named) if is_named => Zeroizing::new(named.text.to_owned()),
            _ => text,
        };
        let (mut passages, mut closed) = (Vec::new(), None);
        for (way, senders, names) in doors {
            if names || !is_named {
                match self.permitted(way, senders) {
                    Ok(passage) => passages.push(passage),
                    Err(halt) => closed = Some(halt),
                }
            }
        }
        match closed {
            Some(halt) if passages.is_empty() => Err(halt),
            _ => self.through_one(envelope, passages, text, parts).await,
        }
    }

    /// Through the one alias that has somebody to answer.
    async fn through_one(
        &self,
        envelope: &Envelope,
        mut passages: Vec<Passage>,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        if passages.len() > 1 && passages.iter().any(|passage| !self.live(passage).is_empty()) {
            passages.retain(|passage| !self.live(passage).is_empty());
        }
        match passages.as_slice() {
            [only] => self.carry(envelope, only, text, parts).await,
            [first, ..] => {
                let names: Vec<String> = passages.iter().filter_map(|passage| label(&passage.alias)).collect();
                self.helping_named(envelope, first, Help::Untagged, &names).await
            }
            [] => Err(Halt::refused("no_sender", envelope.only.or(Some(envelope.owner)), None)),
        }
    }

    /// What stands before a text from outside, so that A knows whom an answer reaches: the extension where A is behind
    /// several of X, the tag where several people are live.
    pub(super) async fn tag_of(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        seat: &Seat,
    ) -> Result<Option<String>, Halt> {
        let mut shown = String::new();
        if passage.alias.mode == AliasMode::Axe
            && self.store.extensions_of(envelope.to, passage.alias.a.index).await?.len() > 1
        {
            shown.extend(label(&passage.alias));
            shown.push(' ');
        }
        if passage.has_tags() {
            shown.push_str(&answer::tag(seat.tag, seat.live));
        }
        Ok(Some(shown).filter(|shown| !shown.is_empty()))
    }

    pub(super) fn dial_print(&self, envelope: &Envelope) -> lately::Print {
        let number = envelope.to.digits().to_be_bytes();
        self.keyring.system().fingerprint(&[b"dial", &number, &envelope.writer.index.0])
    }
}

fn label(alias: &AliasRow) -> Option<String> {
    alias.extension.as_ref().map(|extension| format!("{extension}:"))
}

/// How long a session lasts after the last text.
const SESSION: Duration = Duration::from_secs(24 * 3_600);
