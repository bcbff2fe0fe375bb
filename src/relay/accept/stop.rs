//! STOP, START and HELP: a person's own word on what reaches the phone, obeyed before anything else is asked.
//!
//! None of them is carried on. STOP closes the way from X to the writer, and the tenant's marketing with it; it counts
//! also where the alias is frozen or over. START opens what STOP closed. Without a STOP before it, START is a word like
//! any other.

use super::passage::Way;
use super::reply::Speaker;
use super::{Decision, Envelope, Halt, Refusal};
use crate::carrier::Accepted;
use crate::relay::Relay;
use crate::relay::keyword::{self, Keyword};
use crate::relay::phrases::Say;
use crate::store::{BlindIndex, Change, Scope, Suppression, Write};

impl Relay {
    /// Does what the writer asks for by a keyword; none if the message is none.
    pub(super) async fn obey(
        &self,
        envelope: &Envelope,
        way: &Way,
        text: Option<&str>,
    ) -> Result<Option<Decision<'_>>, Halt> {
        let Some(number) = envelope.writer.number() else { return Ok(None) };
        let Some(keyword) = text.and_then(|text| keyword::find(text, || envelope.writer.country())) else {
            return Ok(None);
        };
        let speaker = speaker(envelope, way);
        let person = self.keyring.tenant(speaker.0).await?.index(number);
        let refusal = |reason| Refusal { reason, tenant: Some(speaker.0), alias: speaker.1, say: None };
        match keyword {
            Keyword::Help => self.refusing(envelope, refusal("help_word").saying(Say::Help)).await.map(Some),
            Keyword::Stop => self.stopping(envelope, speaker, person).await.map(Some),
            Keyword::Start => self.starting(envelope, speaker, person).await,
        }
    }

    async fn stopping(&self, envelope: &Envelope, speaker: Speaker, person: BlindIndex) -> Result<Decision<'_>, Halt> {
        let refusal = Refusal { reason: "stop_word", tenant: Some(speaker.0), alias: speaker.1, say: None };
        let mut change = Change::telling(self.dropped(&envelope.carrier, envelope.to, &refusal));
        let known = self.store.suppressed(speaker.0, person).await?;
        for scope in closed(envelope) {
            if !known.contains(&scope) {
                let now = self.store.now();
                let source = "stop".to_owned();
                let row = Suppression { tenant: speaker.0, index: person, scope, source, at: now };
                change = change.with(Write::Suppress(row));
            }
        }
        if !known.contains(&Scope::Number(envelope.to)) {
            change = self.saying(change, envelope, speaker, Say::Stopped).await?;
        }
        Ok(Decision { change, accepted: Accepted::Dropped, print: None, _tags: None })
    }

    async fn starting(
        &self,
        envelope: &Envelope,
        speaker: Speaker,
        person: BlindIndex,
    ) -> Result<Option<Decision<'_>>, Halt> {
        let known = self.store.suppressed(speaker.0, person).await?;
        if !known.contains(&Scope::Number(envelope.to)) {
            return Ok(None);
        }
        let refusal = Refusal { reason: "start_word", tenant: Some(speaker.0), alias: speaker.1, say: None };
        let scopes = closed(envelope).into_iter().filter(|scope| known.contains(scope)).collect();
        let change = Change::telling(self.dropped(&envelope.carrier, envelope.to, &refusal)).with(Write::Unsuppress {
            tenant: speaker.0,
            index: person,
            scopes,
        });
        let change = self.saying(change, envelope, speaker, Say::Started).await?;
        Ok(Some(Decision { change, accepted: Accepted::Dropped, print: None, _tags: None }))
    }
}

/// What STOP closes and START opens.
fn closed(envelope: &Envelope) -> [Scope; 2] {
    [Scope::Number(envelope.to), Scope::Marketing]
}

/// Whose number X is towards this writer: the alias's on whose leg the message came or that alone is on X, else the
/// tenant's whose pool it is in.
pub(super) fn speaker(envelope: &Envelope, way: &Way) -> Speaker {
    let alias = match way {
        Way::Leg(way, _) => Some(&way.1),
        Way::Unknown(alias) => alias.as_deref(),
        Way::Extensions => None,
    };
    let nobody = || (envelope.only.unwrap_or(envelope.owner), None);
    alias.map_or_else(nobody, |alias| (alias.tenant, Some(alias.id)))
}
