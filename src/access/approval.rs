//! Four eyes: what one person asked for and another has to approve.
//!
//! A policy demands a second person by forbidding unless `context.approved`. [`Access::rule`] asks twice, as things are
//! and as if somebody had approved; where only the second is permitted, it files an approval, or looks at the one that
//! the caller brings. Invariants: an approval is bound to requester (credential and person), action, purpose, reference,
//! exactly what was asked for, and policy version; whoever decides is another *person*; it lapses; it is used once, in
//! the transaction of what it allows ([`Permit::change`]); it is void while either of the two is revoked or frozen.
//! Called by the API and the command line; the worker ends what lapsed.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::authorize::Eyes;
use super::credential::invalid;
use super::directory::{Directory, same_person};
use super::permit::{ApprovalRef, Approvals, Grant};
use super::{Access, AccessError, Action, Caller, Denied, Permit, Principal, Resource};
use crate::clock::Timestamp;
use crate::crypto;
use crate::event::What;
use crate::ids::{self, ApprovalId, CredentialId};
use crate::phone;
use crate::store::{ApprovalFilter, ApprovalRow, ApprovalStatus, Conflict, Decision, StoreError, Write};

/// How long somebody may take to decide.
const DECIDED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the requester may take to use what was approved.
const USED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// What one credential can have waiting at a time.
const WAITING: u32 = 100;

/// The longest summary, as JSON.
const SUMMARY_MAX: usize = 16_384;

/// The most that is listed at a time: a page of 100 and the one that tells of a next page.
const MAX_PAGE: u32 = 101;

/// What a caller asks for, held exactly: the digest binds an approval to it.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Over all that decides what will happen; see [`Bound::digest`].
    pub digest: [u8; 32],
    /// What the approver gets to see: an object, masked, in which no number is.
    pub summary: Value,
    /// The requester's own note.
    pub reference: Option<String>,
    /// The approval that the caller brings.
    pub approval: Option<ApprovalId>,
}

impl Bound {
    /// Digests what is asked for, part by part. The lengths of the parts are digested with them.
    pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }
}

/// What came of a question that may need a second person.
pub enum Ruling<R> {
    /// Go on.
    Permitted(Permit<R>),
    /// Another person has to approve first.
    Pending(ApprovalView),
}

/// Why an approval does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Nobody decided yet.
    #[error("the approval still waits for a second person")]
    Pending,
    /// Somebody said no.
    #[error("the approval was denied; ask again without it")]
    Denied,
    /// It was not decided, or not used, in time.
    #[error("the approval expired; ask again without it")]
    Expired,
    /// It was used.
    #[error("the approval was used already; ask again without it")]
    Used,
    /// It is for another requester, action, purpose, reference, thing or policy version.
    #[error("the approval is for something else, or the policies changed; ask again without it")]
    Mismatch,
    /// The credential of one of the two persons ended or is frozen.
    #[error("the requester's or the approver's credential ended or is frozen; ask again without the approval")]
    Void,
    /// It is decided or over: nothing is left to decide.
    #[error("the approval is decided already, or over")]
    Decided,
    /// Whoever decides is the person who asked.
    #[error("another person than the requester has to decide")]
    SamePerson,
    /// The credential has too much waiting.
    #[error("100 approvals wait already; have them decided first")]
    TooMany,
}

impl ApprovalError {
    /// The stable name in problem documents.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "approval_pending",
            Self::Denied => "approval_denied",
            Self::Expired => "approval_expired",
            Self::Used => "approval_used",
            Self::Mismatch => "approval_mismatch",
            Self::Void => "approval_void",
            Self::Decided => "approval_decided",
            Self::SamePerson => "same_person",
            Self::TooMany => "approvals_waiting",
        }
    }
}

/// Where an approval stands, as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "as the store's, and void")]
pub enum ApprovalState {
    Pending,
    Approved,
    Denied,
    Expired,
    Used,
    /// The credential of one of the two persons ended or is frozen.
    Void,
}

/// An approval as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApprovalView {
    /// Its id.
    pub id: ApprovalId,
    /// Where it stands.
    pub status: ApprovalState,
    /// The action that was asked for, by its name in policies.
    pub action: String,
    /// The stated purpose, for reveals.
    pub purpose: Option<String>,
    /// The requester's own note.
    pub reference: Option<String>,
    /// What is asked for, masked.
    pub summary: Value,
    /// The credential that asked.
    pub requester: CredentialId,
    /// The person behind it.
    pub person: String,
    /// Who decided.
    pub approver: Option<String>,
    /// The version of the policies that asked for a second person.
    pub policy: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when it may be decided; once approved, until when it may be used.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

impl Access {
    /// Asks whether `caller` may do `action` on `resource`, where policies may ask for a second person. Only with a
    /// credential: at a terminal what needs one is refused.
    ///
    /// # Errors
    /// [`AccessError::Denied`] if not even an approval would help; [`AccessError::NotFound`] and
    /// [`AccessError::Approval`] about the approval that the caller brought; [`AccessError::Invalid`] and
    /// [`AccessError::NumberInText`] about `bound`.
    pub async fn rule<'a, R: Resource>(
        &self,
        caller: impl Into<Caller<'a>>,
        action: Action,
        resource: R,
        bound: Bound,
    ) -> Result<Ruling<R>, AccessError> {
        let caller = caller.into();
        let (denied, policy) = match self.decide(caller, action, &resource, Eyes::Two) {
            Ok(grant) => return Ok(Ruling::Permitted(Permit::new(grant, resource))),
            Err(denied) => denied,
        };
        let with_four = matches!(denied, Denied::Forbidden).then(|| self.decide(caller, action, &resource, Eyes::Four));
        let (Caller::Credential(principal), Some(Ok(grant))) = (caller, with_four) else {
            self.tell_denial(caller, action, &denied, policy).await;
            return Err(denied.into());
        };
        check(&bound)?;
        let binding = self.binding(principal, action, &grant.policy, resource.purpose(), &bound);
        match bound.approval {
            Some(id) => {
                self.check_usable(principal, id, &binding).await?;
                Ok(Ruling::Permitted(Permit::new(Grant { approval: Some(id), ..grant }, resource)))
            }
            None => {
                let purpose = resource.purpose().map(str::to_owned);
                let permit = Permit::new(grant, resource);
                self.file(principal, action, &permit, purpose, bound, binding).await.map(Ruling::Pending)
            }
        }
    }

    /// Whether `caller` may do `action` on `resource` only with a second person's word. For callers of [`Self::rule`] whose
    /// summary costs something to make; grants and files nothing.
    pub fn needs_second_person<'a, R: Resource>(
        &self,
        caller: impl Into<Caller<'a>>,
        action: Action,
        resource: &R,
    ) -> bool {
        let caller = caller.into();
        matches!(self.decide(caller, action, resource, Eyes::Two), Err((Denied::Forbidden, _)))
            && self.decide(caller, action, resource, Eyes::Four).is_ok()
    }

    /// The tenant's approvals, newest first: up to `limit` (101 at most) older than `after`, of one status if given.
    /// With a permit for one's own, those that its credential asked for.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn approvals(
        &self,
        permit: &Permit<Approvals>,
        status: Option<ApprovalStatus>,
        after: Option<ApprovalId>,
        limit: u32,
    ) -> Result<Vec<ApprovalView>, AccessError> {
        let credential = if permit.resource().own { permit.credential() } else { None };
        let filter = ApprovalFilter { tenant: permit.tenant(), credential, status, after, limit: limit.min(MAX_PAGE) };
        let rows = self.store().approvals(&filter).await?;
        let (directory, now) = (self.directory(), self.now());
        Ok(rows.into_iter().map(|row| view(row, &directory, now)).collect())
    }

    /// One approval.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] if it is another tenant's, or not one's own with a permit for one's own.
    pub async fn approval(&self, permit: &Permit<Approvals>, id: ApprovalId) -> Result<ApprovalView, AccessError> {
        let row = self.store().approval(permit.tenant(), id).await?.ok_or(AccessError::NotFound)?;
        if permit.resource().own && Some(row.credential) != permit.credential() {
            return Err(AccessError::NotFound);
        }
        Ok(view(row, &self.directory(), self.now()))
    }

    /// Says yes to what another person asked for. It can be used once, within an hour.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] if it is another tenant's; [`AccessError::Approval`].
    pub async fn approve(&self, permit: &Permit<ApprovalRef>) -> Result<ApprovalView, AccessError> {
        self.settle(permit, true).await
    }

    /// Says no to what another person asked for.
    ///
    /// # Errors
    /// As [`Self::approve`].
    pub async fn deny(&self, permit: &Permit<ApprovalRef>) -> Result<ApprovalView, AccessError> {
        self.settle(permit, false).await
    }

    /// Ends up to `limit` approvals that were not decided or not used in time.
    ///
    /// # Errors
    /// If the store cannot be used; what was ended stays so.
    pub async fn expire_approvals(&self, limit: u32) -> Result<(), StoreError> {
        for row in self.store().lapsed_approvals(limit).await? {
            let (now, tenant) = (self.now(), row.tenant);
            let told = What::ApprovalExpired { approval: row.id, asked: row.action, requester: row.credential };
            let change = self.upkeep(tenant).change(now, told);
            match self.store().commit(change.with(Write::ExpireApproval { tenant, id: row.id })).await {
                // Another process was first.
                Ok(_) | Err(StoreError::Conflict(Conflict::ApprovalOver)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All that an approval is bound to, as one keyed digest: the store's reader learns nothing from it.
    fn binding(
        &self,
        principal: &Principal,
        action: Action,
        policy: &str,
        purpose: Option<&str>,
        bound: &Bound,
    ) -> [u8; 32] {
        let present = |text: Option<&str>| [u8::from(text.is_some())];
        self.system().fingerprint(&[
            b"approval",
            &ids::bytes(&principal.tenant),
            &ids::bytes(&principal.credential),
            principal.person.as_bytes(),
            action.as_str().as_bytes(),
            policy.as_bytes(),
            &present(purpose),
            purpose.unwrap_or_default().as_bytes(),
            &present(bound.reference.as_deref()),
            bound.reference.as_deref().unwrap_or_default().as_bytes(),
            &bound.digest,
        ])
    }

    async fn check_usable(&self, principal: &Principal, id: ApprovalId, binding: &[u8; 32]) -> Result<(), AccessError> {
        let row = self.store().approval(principal.tenant, id).await?.ok_or(AccessError::NotFound)?;
        if !crypto::equal(&row.binding, binding) {
            return Err(ApprovalError::Mismatch.into());
        }
        let fault = match state(&row, &self.directory(), self.now()) {
            ApprovalState::Approved => return Ok(()),
            ApprovalState::Pending => ApprovalError::Pending,
            ApprovalState::Denied => ApprovalError::Denied,
            ApprovalState::Expired => ApprovalError::Expired,
            ApprovalState::Used => ApprovalError::Used,
            ApprovalState::Void => ApprovalError::Void,
        };
        Err(fault.into())
    }

    /// Files an approval; the same question that waits already is not filed twice.
    async fn file<R>(
        &self,
        principal: &Principal,
        action: Action,
        permit: &Permit<R>,
        purpose: Option<String>,
        bound: Bound,
        binding: [u8; 32],
    ) -> Result<ApprovalView, AccessError> {
        let now = self.now();
        let waiting = self.waiting(principal, now).await?;
        if let Some(same) = waiting.iter().find(|row| crypto::equal(&row.binding, &binding)) {
            return Ok(view(same.clone(), &self.directory(), now));
        }
        if waiting.len() >= WAITING as usize {
            return Err(ApprovalError::TooMany.into());
        }
        let row = ApprovalRow {
            id: ids::fresh(),
            tenant: principal.tenant,
            credential: principal.credential,
            person: principal.person.clone(),
            action: action.as_str().to_owned(),
            purpose: purpose.clone(),
            reference: bound.reference.clone(),
            binding,
            policy: permit.policy().to_owned(),
            summary: bound.summary.to_string(),
            status: ApprovalStatus::Pending,
            approver: None,
            approver_person: None,
            created_at: now,
            expires_at: now.plus(DECIDED_WITHIN),
            decided_at: None,
        };
        let told = What::ApprovalRequested {
            approval: row.id,
            asked: row.action.clone(),
            purpose,
            reference: bound.reference,
        };
        let change = permit.change(now, told).with(Write::FileApproval(Box::new(row.clone())));
        self.store().commit(change).await?;
        Ok(view(row, &self.directory(), now))
    }

    async fn waiting(&self, principal: &Principal, now: Timestamp) -> Result<Vec<ApprovalRow>, StoreError> {
        let filter = ApprovalFilter {
            tenant: principal.tenant,
            credential: Some(principal.credential),
            status: Some(ApprovalStatus::Pending),
            after: None,
            limit: WAITING,
        };
        let mut rows = self.store().approvals(&filter).await?;
        rows.retain(|row| row.expires_at > now);
        Ok(rows)
    }

    async fn settle(&self, permit: &Permit<ApprovalRef>, approved: bool) -> Result<ApprovalView, AccessError> {
        let (now, tenant, id) = (self.now(), permit.tenant(), permit.resource().id);
        let row = self.store().approval(tenant, id).await?.ok_or(AccessError::NotFound)?;
        let (Some(approver), Some(person)) = (permit.credential(), permit.person()) else {
            return Err(Denied::Forbidden.into());
        };
        if approver == row.credential || same_person(person, &row.person) {
            return Err(ApprovalError::SamePerson.into());
        }
        match state(&row, &self.directory(), now) {
            ApprovalState::Pending if approved && row.policy != permit.policy() => {
                return Err(ApprovalError::Mismatch.into());
            }
            ApprovalState::Pending => {}
            ApprovalState::Void => return Err(ApprovalError::Void.into()),
            _ => return Err(ApprovalError::Decided.into()),
        }
        let (asked, requester) = (row.action.clone(), row.credential);
        let told = if approved {
            What::ApprovalApproved { approval: id, asked, requester }
        } else {
            What::ApprovalDenied { approval: id, asked, requester }
        };
        let use_by = now.plus(USED_WITHIN);
        let decision = Decision { tenant, id, approved, approver, person: person.to_owned(), use_by };
        match self.store().commit(permit.change(now, told).with(Write::DecideApproval(decision))).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Conflict::ApprovalOver)) => return Err(ApprovalError::Decided.into()),
            Err(error) => return Err(error.into()),
        }
        let row = self.store().approval(tenant, id).await?.ok_or(AccessError::NotFound)?;
        Ok(view(row, &self.directory(), now))
    }
}

fn check(bound: &Bound) -> Result<(), AccessError> {
    if bound.reference.as_deref().is_some_and(phone::contains_number) {
        return Err(AccessError::NumberInText("reference"));
    }
    if bound.summary.to_string().len() > SUMMARY_MAX {
        invalid("summary", "at most 16 KB")?;
    }
    Ok(())
}

/// Where it stands at this moment, also where nobody wrote down yet that its time ran out.
fn state(row: &ApprovalRow, directory: &Directory, now: Timestamp) -> ApprovalState {
    let open = matches!(row.status, ApprovalStatus::Pending | ApprovalStatus::Approved);
    let in_office = |id: CredentialId| directory.in_office(id, now);
    if open && row.expires_at <= now {
        return ApprovalState::Expired;
    }
    if open && !(in_office(row.credential) && row.approver.is_none_or(in_office)) {
        return ApprovalState::Void;
    }
    match row.status {
        ApprovalStatus::Pending => ApprovalState::Pending,
        ApprovalStatus::Approved => ApprovalState::Approved,
        ApprovalStatus::Denied => ApprovalState::Denied,
        ApprovalStatus::Expired => ApprovalState::Expired,
        ApprovalStatus::Used => ApprovalState::Used,
    }
}

fn view(row: ApprovalRow, directory: &Directory, now: Timestamp) -> ApprovalView {
    ApprovalView {
        status: state(&row, directory, now),
        id: row.id,
        action: row.action,
        purpose: row.purpose,
        reference: row.reference,
        summary: serde_json::from_str(&row.summary).unwrap_or_default(),
        requester: row.credential,
        person: row.person,
        approver: row.approver_person,
        policy: row.policy,
        created_at: row.created_at,
        expires_at: row.expires_at,
        decided_at: row.decided_at,
    }
}
