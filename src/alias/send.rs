//! A message of the tenant to somebody of an alias, from the number that the person sees there.
//!
//! It passes what a message in the tenant's own name passes: suppressions, content policies, caps. It names no number.

use zeroize::Zeroizing;

use super::error::AliasError;
use super::notice::Written;
use super::{Alias, change, leg};
use crate::access::{AliasRef, Denied, Permit};
use crate::event::What;
use crate::guard::{self, spend, suppression};
use crate::ids::{self, MessageId};
use crate::message::{self, Alphabet};
use crate::store::{
    AliasRow, Change, Class, Conflict, DeliveryStatus, Party, Payer, Recipient, Spending, StoreError, TokenRow, Write,
};
use crate::vault::{Holder, until_midnight};

/// Whom a tenant writes to in an alias.
pub enum Addressee {
    /// The first person.
    A,
    /// The second person.
    B,
    /// The person of a token, who has to be in it.
    Person(Holder),
}

/// A message that is accepted.
pub struct Posted {
    /// `msg_…`.
    pub id: MessageId,
    /// How far it got.
    pub status: DeliveryStatus,
}

impl Alias {
    /// Accepts a message to somebody of an active alias. Refuses with a code of [`AliasError`].
    pub async fn post(
        &self,
        permit: &Permit<AliasRef>,
        to: Addressee,
        text: Zeroizing<String>,
    ) -> Result<Posted, AliasError> {
        let row = self.find(permit).await?;
        if change::is_over(&row, self.store.now()) {
            return Err(AliasError::Over);
        }
        if let Err(Denied::Frozen) = self.access.for_crossing(&row) {
            return Err(AliasError::Frozen);
        }
        let (party, person) = self.addressed(&row, to).await?;
        let parts = check_text(&text)?;
        let shown = leg::number_of(&row, &party);
        if permit.has_suppressions() {
            let scopes = self.store.suppressed(row.tenant, person.index).await?;
            if suppression::stops(&scopes, Class::Notice, Some(shown)) {
                return Err(AliasError::Suppressed);
            }
        }
        check_content(permit, &row, &text)?;
        let id = ids::fresh();
        let subject = self.people.subject(row.tenant, party.record).await?;
        let (class, sender) = (Class::Notice.as_str().to_owned(), Some(shown.to_string()));
        let what = What::MessageAccepted { message: id, subject, class, parts, sender, template: None };
        let written = Written {
            id,
            to: Recipient::Person(party.record),
            index: party.index,
            shown,
            sender: "tenant",
            class: Class::Notice,
            text: &text,
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
            credential: permit.credential(),
            policy: permit.policy(),
        };
        let mut change = Change::telling(permit.event(self.store.now(), what));
        change.writes = self.spending(permit, &row, &party, parts).await?;
        change.writes.extend(self.sealed(&row, written).await?);
        self.commit_spending(permit, &row, change).await?;
        Ok(Posted { id, status: DeliveryStatus::Queued })
    }

    /// The party that is meant, with the record of the person.
    async fn addressed(&self, row: &AliasRow, to: Addressee) -> Result<(Party, TokenRow), AliasError> {
        let of = async |party: Party| {
            let record = self.store.token(row.tenant, party.record).await?.ok_or(AliasError::NotFound)?;
            Ok::<_, AliasError>((party, record))
        };
        match to {
            Addressee::A => of(row.a).await,
            Addressee::B => of(row.b.ok_or(AliasError::PartyUnexpected)?).await,
            Addressee::Person(holder) => {
                for party in row.people() {
                    let (party, record) = of(party).await?;
                    if record.index == holder.index {
                        return Ok((party, record));
                    }
                }
                Err(AliasError::NotFound)
            }
        }
    }

    /// What the message counts against caps of the tenant and of the alias.
    async fn spending(
        &self,
        permit: &Permit<AliasRef>,
        row: &AliasRow,
        party: &Party,
        parts: u64,
    ) -> Result<Vec<Write>, AliasError> {
        let terms = permit.terms();
        if !terms.caps.concern(row.tenant) {
            return Ok(Vec::new());
        }
        let bearing = self.people.bearing(row.tenant, party.record).await?;
        let cost = terms.prices.part(&bearing, Class::Notice).saturating_mul(parts);
        let account = spend::Account { alias: Some(row.id), stranger: None };
        Ok(terms.caps.spending(row.tenant, account, parts, cost))
    }

    async fn commit_spending(
        &self,
        permit: &Permit<AliasRef>,
        row: &AliasRow,
        change: Change,
    ) -> Result<(), AliasError> {
        let payers: Vec<Payer> = change.writes.iter().filter_map(payer).collect();
        let now = self.store.now();
        let near = match self.store.commit(change).await {
            Ok(committed) => committed.near,
            Err(StoreError::Conflict(Conflict::CapReached)) => {
                for payer in payers {
                    let told = spend::refused(row.tenant, payer, |what| permit.event(now, what));
                    can_fail(self.store.commit(told).await);
                }
                return Err(AliasError::CapReached { retry_after: until_midnight(now) });
            }
            Err(error) => return Err(error.into()),
        };
        for near in near {
            can_fail(self.store.commit(Change::telling(permit.event(now, spend::alert(near)))).await);
        }
        Ok(())
    }
}

/// The spend that a write counts, if it counts one.
const fn payer(write: &Write) -> Option<Payer> {
    match write {
        Write::Spending(Spending { payer, .. }) => Some(*payer),
        _ => None,
    }
}

/// A text of one to ten parts that names no number. Returns how many parts.
fn check_text(text: &str) -> Result<u64, AliasError> {
    if text.trim().is_empty() {
        return Err(AliasError::Unexpected("text"));
    }
    if guard::number_in_text(text) {
        return Err(AliasError::NumberInText);
    }
    let parts = message::segments(text, Alphabet::Gsm7, 0).map_err(|_| AliasError::TextTooLong)?;
    Ok(parts.len() as u64)
}

/// The policies of the tenant's own messages, and the alias's.
fn check_content(permit: &Permit<AliasRef>, row: &AliasRow, text: &str) -> Result<(), AliasError> {
    let content = &permit.terms().content;
    let policies = [content.for_messages(), permit.profile().settings.content.as_deref(), row.content.as_deref()];
    for policy in policies.into_iter().flatten() {
        content.check(policy, text).map_err(|_| AliasError::ContentRefused)?;
    }
    Ok(())
}

/// What is not told now is told the next time.
fn can_fail<T>(told: Result<T, StoreError>) {
    match told {
        Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
        Err(error) => tracing::warn!(%error, "a cap was not told of"),
    }
}
