//! What a store begins with: the policies in force there, or the first ones.
//!
//! A store without policies takes those of the settings' folder, or the program's own. From then on the store decides;
//! files that differ are only told of. Where nobody ever chose, a newer program's own follow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rails::{self, Keepers};
use super::{Policies, PolicyError, PolicyFiles};
use crate::access::Access;
use crate::access::directory::Directory;
use crate::event::{Actor, Event, What};
use crate::keyring::Keyring;
use crate::store::{Change, Conflict, DirectoryRows, PolicyRow, PolicySource, PolicyStatus, Store, StoreError, Write};

/// Looks at a store that other processes begin with at the same time.
const TRIES: u32 = 5;

/// What to begin with on a store that has no policies yet.
pub enum Opened {
    /// This set.
    Given(Box<Policies>),
    /// The folder of the settings, or the program's own where there is none; a newer program's own then follow.
    Settings(Option<PathBuf>),
}

/// Why there are no policies to begin with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files to begin with are wrong.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// What is in force cannot be compiled by this program.
    #[error(
        "the policies in force ({version}) do not go with this program: {source}; start the program that they were \
         made for, put a set into force that goes with both, and upgrade then"
    )]
    InForce {
        /// Which.
        version: String,
        /// What is wrong with them.
        source: PolicyError,
    },
}

impl Access {
    /// Reads the directory and the policies in force, or puts the first ones into force.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn begin(store: Arc<dyn Store>, keyring: Arc<Keyring>, opened: Opened) -> Result<Self, OpenError> {
        let (rows, policies) = begin(store.as_ref(), &opened).await?;
        Ok(Self::new(store, keyring, Directory::of(rows, Arc::new(policies))))
    }

    /// The policies that `rows` say are in force: `current` as long as they are those. A set that this program cannot
    /// compile, because a newer one put it into force, permits nothing here.
    pub(in crate::access) async fn followed(
        &self,
        rows: &DirectoryRows,
        current: Arc<Policies>,
    ) -> Result<Arc<Policies>, StoreError> {
        let Some(version) = rows.policy.as_deref().filter(|version| *version != current.version()) else {
            return Ok(current);
        };
        let policies = match stored(self.store(), version).await? {
            Ok(policies) => policies,
            Err(error) => {
                tracing::error!(%error, version, "the policies in force cannot be compiled here, so nothing is permitted");
                Policies::nothing(version, current.schema.clone())
            }
        };
        tracing::info!(version, "other policies are in force");
        crate::telemetry::metrics().show_policy(version);
        Ok(Arc::new(policies))
    }

    /// Tells the log lines if the files of `folder` are not what is in force.
    pub fn tell_files(&self, folder: &Path) {
        let active = self.policies();
        match PolicyFiles::read(folder).map(|files| files.version()) {
            Ok(version) if version == active.version() => {}
            Ok(version) => tracing::warn!(
                active = active.version(),
                files = version,
                "the files of [policies] dir are not in force but a proposal: see bauta policy diff"
            ),
            Err(error) => {
                tracing::warn!(%error, active = active.version(), "the files of [policies] dir cannot be proposed")
            }
        }
    }
}

async fn begin(store: &dyn Store, opened: &Opened) -> Result<(DirectoryRows, Policies), OpenError> {
    for _ in 0..TRIES {
        let rows = store.directory().await?;
        let over = match rows.policy.clone() {
            Some(version) if !follows_program(store, opened, &version).await? => {
                let policies = stored(store, &version).await?;
                return Ok((rows, policies.map_err(|source| OpenError::InForce { version, source })?));
            }
            over => over,
        };
        match adopt(store, opened, over).await {
            // Looked at once more: directory and policies have to be of one moment.
            Ok(()) | Err(OpenError::Store(StoreError::Conflict(Conflict::PolicyMoved))) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Unavailable("other processes change the policies without end".into()).into())
}

/// Whether nobody ever chose policies here, and the program's own are others by now.
async fn follows_program(store: &dyn Store, opened: &Opened, version: &str) -> Result<bool, StoreError> {
    if !matches!(opened, Opened::Settings(None)) || PolicyFiles::shipped().version() == version {
        return Ok(false);
    }
    Ok(store.policy(version).await?.is_some_and(|row| row.source == PolicySource::Program))
}

/// Puts what there is to begin with into force.
async fn adopt(store: &dyn Store, opened: &Opened, over: Option<String>) -> Result<(), OpenError> {
    let (files, source) = match opened {
        Opened::Given(policies) => (policies.files().clone(), PolicySource::Program),
        Opened::Settings(None) => (PolicyFiles::shipped(), PolicySource::Program),
        Opened::Settings(Some(folder)) => (PolicyFiles::read(folder)?, PolicySource::Folder),
    };
    let policies = Policies::of(files)?;
    if source == PolicySource::Folder {
        policies.try_fixtures().map_err(PolicyError::from)?;
        rails::check(&policies, &Keepers::imagined())?;
    }
    let (now, version) = (store.now(), policies.version().to_owned());
    let row = PolicyRow {
        version: version.clone(),
        status: PolicyStatus::Active,
        source,
        base: over.clone(),
        proposer: "bauta".to_owned(),
        approver: None,
        proposed_at: now,
        activated_at: Some(now),
        ended_at: None,
    };
    let what = What::PolicyActivated { version: version.clone(), over: over.clone() };
    let event = Event { at: now, tenant: None, actor: Actor::Worker, policy: Some(version), what };
    let write = Write::AdoptPolicy { row, files: policies.files().to_json(), over };
    store.commit(Change::telling(event).with(write)).await?;
    Ok(())
}

/// A version as the store keeps it, compiled. What its name does not stand for is not taken.
async fn stored(store: &dyn Store, version: &str) -> Result<Result<Policies, PolicyError>, StoreError> {
    let text = store.policy_files(version).await?.ok_or(StoreError::Corrupt("set of policies"))?;
    let compiled = PolicyFiles::from_json(&text).and_then(Policies::of);
    if compiled.as_ref().is_ok_and(|policies| policies.version() != version) {
        return Err(StoreError::Corrupt("set of policies"));
    }
    Ok(compiled)
}
