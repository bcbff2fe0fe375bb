//! The life of a set of policies: proposed, put into force, superseded or withdrawn; each kept for good.
//!
//! The set in force is the store's, not a file's: files that differ are at most a proposal. It is part of the directory,
//! so that every process on the store follows a change with its next look ([`Access::watch`]), and a decision is
//! remembered only beside the set that took it. Policies are the whole deployment's; one tenant keeps them
//! ([`Access::keeper`]). Called by the API and the command line.

use std::sync::Arc;

use serde_json::json;

use super::rails::{self, Keepers};
use super::{Outcome, Policies, PolicyError, PolicyFiles};
use crate::access::{Access, AccessError, Bound, Permit, PolicySet};
use crate::event::What;
use crate::ids::{ApprovalId, TenantId};
use crate::store::{Change, Conflict, PolicyRow, PolicySource, PolicyStatus, StoreError, Write};

/// The most versions of one page: a page of 100 and the one that tells of a next page.
const MAX_PAGE: u32 = 101;

/// What is proposed.
pub enum Proposal {
    /// These files.
    Files(PolicyFiles),
    /// A version that is kept already.
    Version(String),
}

/// A version with what it consists of and what it would change.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// How it stands.
    pub row: PolicyRow,
    /// What it consists of.
    pub files: PolicyFiles,
    /// The version that it is compared with: its base while it waits, else the one in force.
    pub against: String,
    /// What differs, as `diff -u` shows it.
    pub diff: String,
    /// The cases of fixtures that it decides otherwise.
    pub changes: Vec<Outcome>,
}

impl Access {
    /// The tenant whose people keep the deployment's policies: the one of the settings, else the only live tenant, or the
    /// oldest tenant where none is live. None where several are live: then the settings have to name it.
    pub fn keeper(&self) -> Option<TenantId> {
        self.directory().keeper(self.named_keeper())
    }

    /// Proposes policies over `base`, which has to be in force. Returns what would change.
    ///
    /// # Errors
    /// [`AccessError::Policy`] says what is wrong with them, [`AccessError::PolicyConflict`] that others are in force or
    /// that they are proposed or in force already, [`AccessError::TooManyProposals`] that others have to go first,
    /// [`AccessError::NotFound`] that there is no such version to propose again.
    pub async fn propose(
        &self,
        permit: &Permit<PolicySet>,
        proposal: Proposal,
        base: &str,
    ) -> Result<PolicyView, AccessError> {
        let files = match proposal {
            Proposal::Files(files) => files,
            Proposal::Version(version) => self.kept(&version).await?,
        };
        let now = self.now();
        let current = self.policies();
        if current.version() != base {
            return Err(AccessError::PolicyConflict);
        }
        let tried = self.tried(files, Arc::clone(&current)).await?;
        let row = PolicyRow {
            version: tried.policies.version().to_owned(),
            status: PolicyStatus::Proposed,
            source: PolicySource::Proposal,
            base: Some(base.to_owned()),
            proposer: permit.actor_name().to_owned(),
            approver: None,
            proposed_at: now,
            activated_at: None,
            ended_at: None,
        };
        let told = What::PolicyProposed { version: row.version.clone(), base: row.base.clone() };
        let files = tried.policies.files().to_json();
        let change = Change::telling(permit.event(now, told));
        self.write_policy(change.with(Write::ProposePolicy { row: row.clone(), files })).await?;
        Ok(tried.view(row, &current))
    }

    /// Puts a proposal into force, here at once and in every process of the store within a second.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] if there is no such version, [`AccessError::PolicyConflict`] if it is no proposal over
    /// the policies in force, [`AccessError::Policy`] if by now it may not come into force.
    pub async fn activate(&self, permit: &Permit<PolicySet>) -> Result<PolicyRow, AccessError> {
        let version = permit.resource().version.clone().ok_or(AccessError::NotFound)?;
        let row = self.store().policy(&version).await?.ok_or(AccessError::NotFound)?;
        let current = self.policies();
        if row.status != PolicyStatus::Proposed || row.base.as_deref() != Some(current.version()) {
            return Err(AccessError::PolicyConflict);
        }
        self.tried(self.kept(&version).await?, current).await?;
        let now = self.now();
        let told = What::PolicyActivated { version: version.clone(), over: row.base };
        let second = self.second_person(permit).await?;
        let mut change = permit.change(now, told);
        if second.is_some() {
            let told = What::PolicyApproved { version: version.clone(), proposer: row.proposer };
            change = change.and_telling(permit.event(now, told));
        }
        let approver = second.unwrap_or_else(|| permit.actor_name().to_owned());
        let write = Write::ActivatePolicy { version: version.clone(), approver, at: now };
        self.write_policy(change.with(write)).await?;
        crate::access::gate::can_fail("reading the directory after a change of policies", self.refresh().await);
        self.store().policy(&version).await?.ok_or(AccessError::NotFound)
    }

    /// What a second person approves of putting a proposal into force: the version, and over which.
    ///
    /// # Errors
    /// As [`Self::activate`], so that nobody is asked about what cannot be.
    pub async fn bound_activation(
        &self,
        permit: &Permit<PolicySet>,
        approval: Option<ApprovalId>,
    ) -> Result<Bound, AccessError> {
        let view = self.policy_version(permit).await?;
        if view.row.status != PolicyStatus::Proposed || view.row.base.as_deref() != Some(&view.against) {
            return Err(AccessError::PolicyConflict);
        }
        let summary = json!({
            "do": "activate",
            "policies": view.row.version,
            "over": view.against,
            "proposer": view.row.proposer,
            "changed_cases": view.changes.len(),
        });
        let digest = [b"activate".as_slice(), view.row.version.as_bytes(), view.against.as_bytes()];
        Ok(Bound { digest: Bound::digest(digest), summary, reference: None, approval })
    }

    /// Takes a proposal back.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] if there is no such version, [`AccessError::PolicyConflict`] if it is no proposal.
    pub async fn withdraw(&self, permit: &Permit<PolicySet>) -> Result<PolicyRow, AccessError> {
        let version = permit.resource().version.clone().ok_or(AccessError::NotFound)?;
        let row = self.store().policy(&version).await?.ok_or(AccessError::NotFound)?;
        if row.status != PolicyStatus::Proposed {
            return Err(AccessError::PolicyConflict);
        }
        let now = self.now();
        let told = What::PolicyWithdrawn { version: version.clone() };
        let write = Write::WithdrawPolicy { version: version.clone(), at: now };
        self.write_policy(Change::telling(permit.event(now, told)).with(write)).await?;
        self.store().policy(&version).await?.ok_or(AccessError::NotFound)
    }

    /// Versions, the last proposed first: up to `limit` (101 at most) after `after`.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn policy_versions(
        &self,
        _permit: &Permit<PolicySet>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyRow>, AccessError> {
        Ok(self.store().policies(after, limit.min(MAX_PAGE)).await?)
    }

    /// One version, and what it changes or would change: with a permit that names none, the one in force.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] if there is none.
    pub async fn policy_version(&self, permit: &Permit<PolicySet>) -> Result<PolicyView, AccessError> {
        let current = self.policies();
        let version = permit.resource().version.clone().unwrap_or_else(|| current.version().to_owned());
        let row = self.store().policy(&version).await?.ok_or(AccessError::NotFound)?;
        let files = self.kept(&version).await?;
        if files == *current.files() {
            return Ok(Tried { policies: Arc::clone(&current), changes: Vec::new() }.view(row, &current));
        }
        // One that no longer compiles is shown all the same, without what it would change.
        let compared = compared(files.clone(), Arc::clone(&current)).await?;
        Ok(match compared {
            Ok(tried) => tried.view(row, &current),
            Err(_) => {
                let diff = current.files().diff(&files);
                PolicyView { row, files, against: current.version().to_owned(), diff, changes: Vec::new() }
            }
        })
    }

    /// What `files` would change, without proposing them.
    ///
    /// # Errors
    /// [`AccessError::Policy`] if they could not be proposed.
    pub async fn compare(
        &self,
        _permit: &Permit<PolicySet>,
        files: PolicyFiles,
    ) -> Result<(String, Vec<Outcome>), AccessError> {
        let current = self.policies();
        let diff = current.files().diff(&files);
        let tried = self.tried(files, current).await?;
        Ok((diff, tried.changes))
    }

    /// Who approved what the permit stands on, if somebody had to.
    async fn second_person(&self, permit: &Permit<PolicySet>) -> Result<Option<String>, AccessError> {
        let Some(id) = permit.approval() else { return Ok(None) };
        Ok(self.store().approval(permit.tenant(), id).await?.and_then(|row| row.approver_person))
    }

    async fn kept(&self, version: &str) -> Result<PolicyFiles, AccessError> {
        let text = self.store().policy_files(version).await?.ok_or(AccessError::NotFound)?;
        Ok(PolicyFiles::from_json(&text)?)
    }

    /// Compiles a set and tries all that has to hold before it may come into force.
    async fn tried(&self, files: PolicyFiles, current: Arc<Policies>) -> Result<Tried, AccessError> {
        let keepers = self.keepers();
        let work = move || -> Result<Tried, PolicyError> {
            let policies = Policies::of(files)?;
            policies.try_fixtures()?;
            rails::check(&policies, &keepers)?;
            Ok(Tried { changes: current.changed_by(&policies), policies: Arc::new(policies) })
        };
        Ok(aside(work).await??)
    }

    fn keepers(&self) -> Keepers {
        let (directory, now) = (self.directory(), self.now());
        let Some(tenant) = directory.keeper(self.named_keeper()).and_then(|id| directory.tenant(id).cloned()) else {
            return Keepers::imagined();
        };
        Keepers::of(directory.standings(tenant.id, now), tenant.mode, directory.has_admin(tenant.id, now))
    }

    async fn write_policy(&self, change: Change) -> Result<(), AccessError> {
        match self.store().commit(change).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(Conflict::PolicyMoved | Conflict::Exists | Conflict::Missing)) => {
                Err(AccessError::PolicyConflict)
            }
            Err(StoreError::Conflict(Conflict::TooMany)) => Err(AccessError::TooManyProposals),
            Err(error) => Err(error.into()),
        }
    }
}

/// A set that compiles, and what it would change.
struct Tried {
    policies: Arc<Policies>,
    changes: Vec<Outcome>,
}

impl Tried {
    fn view(self, row: PolicyRow, current: &Policies) -> PolicyView {
        PolicyView {
            row,
            files: self.policies.files().clone(),
            against: current.version().to_owned(),
            diff: current.files().diff(self.policies.files()),
            changes: self.changes,
        }
    }
}

async fn compared(files: PolicyFiles, current: Arc<Policies>) -> Result<Result<Tried, PolicyError>, AccessError> {
    aside(move || {
        let policies = Policies::of(files)?;
        Ok(Tried { changes: current.changed_by(&policies), policies: Arc::new(policies) })
    })
    .await
}

/// Runs what takes milliseconds of a processor on a thread made for waiting.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccessError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| AccessError::Store(StoreError::Unavailable("the trial of policies was broken off".into())))
}
