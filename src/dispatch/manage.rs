//! Setting a tenant's routes: read, checked as a whole, put into force over the version that was read.
//!
//! Routes decide by whom people's numbers are seen, so that a second person has to agree where there is one
//! ([`Access::rule`](crate::access::Access::rule)). Called by the API and the command line.

use std::sync::Arc;

use serde_json::json;

use super::Dispatch;
use super::check::{self, Fault, Known, World};
use super::gate::can_fail;
use super::rules::{Crossed, RouteRule, Routes};
use crate::access::{Bound, Permit, RouteSet};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::ApprovalId;
use crate::store::{ClosedRoute, Conflict, RouteSetRow, StoreError, Write};

/// A tenant's routes as they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesView {
    /// Which version; none where none were ever set.
    pub version: Option<u32>,
    /// The rules.
    pub rules: Vec<RouteRule>,
    /// Pairs of rules that fit some messages both.
    pub overlaps: Vec<Crossed>,
    /// Who set them.
    pub author: Option<String>,
    /// Who approved.
    pub approver: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
    /// The tenant's ways that are closed for complaints.
    pub closed: Vec<ClosedRoute>,
}

/// Why routes were not set.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// Something is wrong with the rules.
    #[error("{}", told(.0))]
    Invalid(Vec<Fault>),
    /// Others came into force since they were read.
    #[error("other routes are in force than those of `base`; read them again")]
    Conflict,
    /// The durable store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn told(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail)).collect();
    lines.join("\n")
}

impl Dispatch {
    /// The tenant's routes in force.
    pub fn routes(&self, permit: &Permit<RouteSet>) -> RoutesView {
        let snapshot = self.table.load();
        let of_tenant = |way: &&ClosedRoute| way.tenant == permit.tenant();
        let closed: Vec<_> = snapshot.closures.iter().filter(of_tenant).cloned().collect();
        let Some(set) = snapshot.of_tenant(permit.tenant()) else {
            return RoutesView { closed, ..RoutesView::default() };
        };
        RoutesView {
            version: Some(set.routes.version),
            rules: set.routes.written.clone(),
            overlaps: set.routes.crossings(),
            author: Some(set.author.clone()),
            approver: set.approver.clone(),
            at: Some(set.at),
            closed,
        }
    }

    /// Whether `rules` could come into force, and what a second person would approve of: over the version `base`, 0 for
    /// none, or whatever is in force if that is not said.
    ///
    /// # Errors
    /// [`RoutesError::Invalid`] with all that is wrong, [`RoutesError::Conflict`].
    pub async fn bound_routes(
        &self,
        reads: &Permit<RouteSet>,
        rules: Vec<RouteRule>,
        base: Option<u32>,
        approval: Option<ApprovalId>,
    ) -> Result<(Routes, Bound), RoutesError> {
        self.table.follow(self.store.as_ref()).await?;
        let current = self.routes(reads).version;
        if base.is_some_and(|base| base != current.unwrap_or_default()) {
            return Err(RoutesError::Conflict);
        }
        let routes = self.checked(reads, rules, current.unwrap_or_default().saturating_add(1))?;
        let text = canonical(&routes.written);
        let summary = json!({
            "do": "set routes",
            "version": routes.version,
            "over": current,
            "rules": routes.written.iter().take(SHOWN).collect::<Vec<_>>(),
            "of": routes.written.len(),
        });
        let digest = Bound::digest([b"routes".as_slice(), &routes.version.to_be_bytes(), text.as_bytes()]);
        Ok((routes, Bound { digest, summary, reference: None, approval }))
    }

    /// Puts routes into force: here at once, in every process of the store within a second.
    ///
    /// # Errors
    /// [`RoutesError::Conflict`] if others came into force since they were checked.
    pub async fn set_routes(&self, permit: &Permit<RouteSet>, routes: Routes) -> Result<RoutesView, RoutesError> {
        let now = self.store.now();
        let what = What::RoutesSet {
            version: routes.version.into(),
            rules: u64::try_from(routes.written.len()).unwrap_or(u64::MAX),
            carriers: named(&routes),
        };
        let row = RouteSetRow {
            tenant: permit.tenant(),
            version: routes.version,
            rules: canonical(&routes.written),
            author: permit.actor_name().to_owned(),
            approver: self.second_person(permit).await?,
            at: now,
        };
        match self.store.commit(permit.change(now, what).with(Write::SetRoutes(row))).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Conflict::RoutesMoved)) => return Err(RoutesError::Conflict),
            Err(error) => return Err(error.into()),
        }
        can_fail("reading routes after a change", self.table.refresh(self.store.as_ref()).await);
        Ok(self.routes(permit))
    }

    /// What is wrong with rules, without setting them; else how they would be seen.
    ///
    /// # Errors
    /// [`RoutesError::Invalid`].
    pub fn checked(
        &self,
        permit: &Permit<RouteSet>,
        rules: Vec<RouteRule>,
        version: u32,
    ) -> Result<Routes, RoutesError> {
        let region = self.access.region(permit.tenant());
        let policies = self.access.policies();
        let known = |carrier: &Arc<dyn crate::carrier::Carrier>| {
            (carrier.name().to_owned(), carrier.is_live(), carrier.region().map(str::to_owned))
        };
        let carriers: Vec<_> = self.carriers.iter().map(known).collect();
        let world = World {
            carriers: carriers
                .iter()
                .map(|(name, is_live, region)| Known { name, is_live: *is_live, region: region.as_deref() })
                .collect(),
            mode: permit.mode(),
            region: region.as_deref(),
            operators: policies.operators(),
            other_operators: self.portability.is_some(),
        };
        check::check(rules, version, &world).map_err(RoutesError::Invalid)
    }

    async fn second_person(&self, permit: &Permit<RouteSet>) -> Result<Option<String>, StoreError> {
        let Some(id) = permit.approval() else { return Ok(None) };
        Ok(self.store.approval(permit.tenant(), id).await?.and_then(|row| row.approver_person))
    }
}

/// One JSON text for the same rules.
fn canonical(rules: &[RouteRule]) -> String {
    // A list of texts and small numbers into memory cannot fail.
    serde_json::to_string(rules).unwrap_or_default()
}

/// The carriers that rules name, for the log.
fn named(routes: &Routes) -> Vec<String> {
    let mut names: Vec<_> =
        routes.written.iter().flat_map(|rule| rule.carriers.iter().map(|share| share.carrier.clone())).collect();
    names.sort();
    names.dedup();
    names
}

/// So many rules are shown to whoever approves; all are bound.
const SHOWN: usize = 40;
