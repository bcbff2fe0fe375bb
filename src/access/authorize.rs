//! From a caller, an action and a resource to a [`Permit`], by Cedar.
//!
//! The entities that policies see are made here and only from the credential and from what [`Resource`] answers. An
//! evaluation error, whatever else was permitted, is a denial. Freezes and ends are looked at on every call, before the
//! remembered decision.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value,
};

use super::directory::{Directory, Owner};
use super::memo::{Question, Verdict};
use super::permit::{Grant, Permit, Resource};
use super::{Access, Action, Allowance, Caller, Denied, Policies, Principal, Terminal};
use crate::clock::Timestamp;
use crate::event::{Event, Role, What};
use crate::ids::TenantId;
use crate::store::{Change, With};

/// What is asked about beside the resource: everything that the tenant keeps, of every audience.
const HOLDINGS: &str = "Holdings";

impl Access {
    /// Asks whether `caller` may do `action` on `resource`, which comes back inside the permit.
    ///
    /// # Errors
    /// [`Denied::Forbidden`], [`Denied::Frozen`], or [`Denied::Unauthenticated`] if the credential ended meanwhile. A
    /// refusal is in the log, or summed to be, before this returns; a store that cannot write it changes nothing.
    pub async fn authorize<'a, R: Resource>(
        &self,
        caller: impl Into<Caller<'a>>,
        action: Action,
        resource: R,
    ) -> Result<Permit<R>, Denied> {
        let caller = caller.into();
        match self.decide(caller, action, &resource, Eyes::Two) {
            Ok(grant) => Ok(Permit::new(grant, resource)),
            Err((denied, policy)) => {
                self.tell_denial(caller, action, &denied, policy).await;
                Err(denied)
            }
        }
    }

    /// Whether a caller may still be given what it was given before: neither it nor its tenant is frozen, and its credential
    /// has not ended.
    ///
    /// # Errors
    /// As [`Self::authorize`]; told as the reading that it would be.
    pub async fn still_stands(&self, principal: &Principal) -> Result<(), Denied> {
        let (checked, policy) = {
            let directory = self.directory();
            let checked = stands(principal, &directory, Action::TokenRead, self.now());
            (checked, directory.policies().version().to_owned())
        };
        if let Err(denied) = &checked {
            self.tell_denial(Caller::Credential(principal), Action::TokenRead, denied, policy).await;
        }
        checked
    }

    /// The grant, or the refusal and the version of the policies that refused: one directory's from end to end. `eyes` says
    /// whether a second person agreed.
    pub(super) fn decide<R: Resource>(
        &self,
        caller: Caller<'_>,
        action: Action,
        resource: &R,
        eyes: Eyes,
    ) -> Result<Grant, (Denied, String)> {
        let directory = self.directory();
        let told = |denied| (denied, directory.policies().version().to_owned());
        let verdict = self.weigh(&directory, caller, action, resource, eyes).map_err(told)?;
        Ok(grant(caller, verdict, &directory))
    }

    fn weigh<R: Resource>(
        &self,
        directory: &Directory,
        caller: Caller<'_>,
        action: Action,
        resource: &R,
        eyes: Eyes,
    ) -> Result<Verdict, Denied> {
        let now = self.now();
        let plain = Asked::of(resource, directory, self.named_keeper(), caller, action, now);
        let asked = Asked { approved: eyes == Eyes::Four, ..plain };
        let judged = || judge(caller, &asked, directory, now);
        let verdict = match caller {
            Caller::Credential(principal) => {
                stands(principal, directory, action, now)?;
                directory.memo.settle(asked.question(principal, now), judged)
            }
            // Whoever owns the machine is not stopped by a freeze; what a terminal may do at all is little.
            Caller::Terminal(_) => judged(),
        };
        if verdict.allowed { Ok(verdict) } else { Err(Denied::Forbidden) }
    }

    pub(super) async fn tell_denial(&self, caller: Caller<'_>, action: Action, denied: &Denied, policy: String) {
        let now = self.now();
        if let Caller::Credential(principal) = caller
            && !self.ledger().tells(principal.credential, now)
        {
            return;
        }
        let event = Event {
            at: now,
            tenant: Some(caller.tenant()),
            actor: caller.actor(),
            policy: Some(policy),
            what: What::Denied { attempted: action.as_str().to_owned(), reason: denied.code().to_owned() },
        };
        if let Err(error) = self.store().commit(Change::telling(event)).await {
            tracing::warn!(%error, "a denial is not in the log");
        }
    }
}

/// How many pairs of eyes a question was looked at with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Eyes {
    /// The caller's own.
    Two,
    /// A second person's too.
    Four,
}

/// The decision itself, and with it what the caller gets to see.
fn judge(caller: Caller<'_>, asked: &Asked, directory: &Directory, now: Timestamp) -> Verdict {
    let (policies, second_person) =
        (directory.policies(), directory.second_person(caller.tenant(), caller.person(), now));
    let allowed = ask(caller, asked, policies, second_person);
    let sees_all = allowed && ask(caller, &asked.on_holdings(Action::AudienceCross), policies, second_person);
    Verdict { allowed, sees_all }
}

/// Puts one question to the policies. Whatever goes wrong on the way is a denial.
pub(super) fn ask(caller: Caller<'_>, asked: &Asked, policies: &Policies, second_person: bool) -> bool {
    let Some((request, entities)) = asked.in_cedar(caller, policies, second_person) else {
        tracing::error!(action = asked.action.as_str(), "a request could not be put to the policies");
        return false;
    };
    let response = Authorizer::new().is_authorized(&request, &policies.set, &entities);
    for cedar_policy::AuthorizationError::PolicyEvaluationError(error) in response.diagnostics().errors() {
        let policy = error.policy_id();
        tracing::error!(%policy, action = asked.action.as_str(), "a policy failed, which denies");
    }
    response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
}

fn grant(caller: Caller<'_>, verdict: Verdict, directory: &Directory) -> Grant {
    let policies = directory.policies();
    let allowance = match caller {
        Caller::Credential(p) => policies.budgets().allowance(p.credential, p.role),
        Caller::Terminal(_) => Allowance::default(),
    };
    let (credential, brand, audience) = match caller {
        Caller::Credential(p) => (Some(p.credential), p.brand.clone(), p.audience.clone()),
        Caller::Terminal(t) => (None, t.tenant.name.clone(), None),
    };
    let profile = directory.profile(caller.tenant());
    Grant {
        tenant: caller.tenant(),
        mode: caller.mode(),
        brand: profile.brand.clone().unwrap_or(brand),
        profile,
        terms: Arc::clone(policies.terms()),
        suppressions: directory.has_suppressions(caller.tenant()),
        actor: caller.actor(),
        credential,
        audience,
        sees_all: verdict.sees_all,
        erasures: directory.has_erasures(caller.tenant()),
        policy: policies.version().to_owned(),
        allowance,
        approval: None,
    }
}

/// Whether credential and tenant may act at all at this moment.
fn stands(principal: &Principal, directory: &Directory, action: Action, now: Timestamp) -> Result<(), Denied> {
    let standing = directory.standing(principal.credential).ok_or(Denied::Unauthenticated)?;
    if standing.ended(now) {
        return Err(Denied::Unauthenticated);
    }
    let frozen = directory.frozen();
    if frozen.credential(principal.credential) || (frozen.tenant(principal.tenant) && !action.outlasts_freeze()) {
        return Err(Denied::Frozen);
    }
    Ok(())
}

/// One question, in the words that policies and memo share.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) action: Action,
    pub(super) kind: &'static str,
    pub(super) owner: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) id: Option<String>,
    pub(super) own: bool,
    pub(super) grants: Option<Role>,
    pub(super) approved: bool,
    pub(super) address: Option<IpAddr>,
    pub(super) with: With,
    pub(super) hour: u8,
}

impl Asked {
    /// About a resource of the caller's own, with nothing said of the circumstances.
    pub(super) fn plainly(action: Action, kind: &'static str) -> Self {
        Self {
            action,
            kind,
            owner: None,
            audience: None,
            purpose: None,
            id: None,
            own: false,
            grants: None,
            approved: false,
            address: None,
            with: With::NONE,
            hour: 0,
        }
    }

    fn of<R: Resource>(
        resource: &R,
        directory: &Directory,
        keeper: Option<TenantId>,
        caller: Caller<'_>,
        action: Action,
        now: Timestamp,
    ) -> Self {
        let id = resource.id();
        let owner = match id.as_deref().map_or(Owner::Asker, |id| directory.owner(id)) {
            _ if R::DEPLOYMENT_WIDE => directory.keeper(keeper).map_or(Owner::Nobody, Owner::Tenant),
            owner => owner,
        };
        let owner = match owner {
            Owner::Asker => None,
            Owner::Tenant(tenant) => (tenant != caller.tenant()).then(|| tenant.to_string()),
            Owner::Nobody => Some(String::new()),
        };
        Self {
            action,
            kind: R::KIND,
            owner,
            audience: resource.audience().map(str::to_owned),
            purpose: resource.purpose().map(str::to_owned),
            id,
            own: resource.own(),
            grants: resource.grants(),
            approved: false,
            address: match caller {
                Caller::Credential(principal) => Some(principal.from()),
                Caller::Terminal(_) => None,
            },
            with: match caller {
                Caller::Credential(principal) => principal.with(),
                Caller::Terminal(_) => With::NONE,
            },
            hour: u8::try_from(now.as_secs().div_euclid(3_600).rem_euclid(24)).unwrap_or(0),
        }
    }

    /// The same circumstances, another action, about everything that the tenant keeps.
    fn on_holdings(&self, action: Action) -> Self {
        Self {
            action,
            kind: HOLDINGS,
            owner: None,
            audience: None,
            purpose: self.purpose.clone(),
            id: None,
            own: false,
            grants: None,
            approved: self.approved,
            address: self.address,
            with: self.with,
            hour: self.hour,
        }
    }

    fn question(&self, principal: &Principal, now: Timestamp) -> Question {
        Question {
            credential: principal.credential,
            action: self.action,
            kind: self.kind,
            audience: self.audience.clone(),
            purpose: self.purpose.clone(),
            id: self.id.clone(),
            own: self.own,
            grants: self.grants,
            approved: self.approved,
            address: principal.from(),
            with: self.with,
            hour: now.as_secs().div_euclid(3_600),
        }
    }

    /// The request and its two entities; none if they do not agree with the schema, which is a denial.
    fn in_cedar(&self, caller: Caller<'_>, policies: &Policies, second_person: bool) -> Option<(Request, Entities)> {
        let tenant = caller.tenant().to_string();
        let owner = self.owner.as_deref().unwrap_or(&tenant);
        let principal = match caller {
            Caller::Credential(principal) => credential_entity(principal)?,
            Caller::Terminal(terminal) => terminal_entity(terminal)?,
        };
        let mut attributes = HashMap::from([("tenant".to_owned(), reference("Tenant", owner)?)]);
        if matches!(self.kind, "AuditLog" | "Approvals") {
            attributes.insert("own".to_owned(), Value::new_bool(self.own));
        }
        if let Some(role) = self.grants {
            attributes.insert("grants".to_owned(), reference("Role", role.as_str())?);
        }
        attributes.extend(optional("audience", self.audience.as_deref()));
        let resource = entity(self.kind, self.id.as_deref().unwrap_or(""), attributes)?;

        let with = self.with.iter().map(|proof| Value::new_string(proof.as_str().to_owned()));
        let mut circumstances = vec![
            ("hour".to_owned(), Value::new_long(self.hour.into())),
            ("approved".to_owned(), Value::new_bool(self.approved)),
            ("second_person".to_owned(), Value::new_bool(second_person)),
            ("with".to_owned(), Value::new_set(with)),
        ];
        circumstances.extend(optional("purpose", self.purpose.as_deref()));
        circumstances.extend(self.address.map(|from| ("address".to_owned(), Value::new_ip(from.to_string()))));
        let context = Context::from_pairs(circumstances).ok()?;

        let action = uid("Action", self.action.as_str())?;
        let schema = Some(&policies.schema);
        let request = Request::new(principal.uid(), action, resource.uid(), context, schema).ok()?;
        Some((request, Entities::from_entities([principal, resource], schema).ok()?))
    }
}

fn credential_entity(principal: &Principal) -> Option<Entity> {
    let mut attributes = HashMap::from([
        ("tenant".to_owned(), reference("Tenant", &principal.tenant.to_string())?),
        ("mode".to_owned(), reference("Mode", principal.mode.as_str())?),
        ("role".to_owned(), reference("Role", principal.role.as_str())?),
        ("person".to_owned(), Value::new_string(principal.person.clone())),
    ]);
    attributes.extend(optional("audience", principal.audience.as_deref()));
    entity("Credential", &principal.credential.to_string(), attributes)
}

fn terminal_entity(terminal: &Terminal) -> Option<Entity> {
    let attributes = HashMap::from([
        ("tenant".to_owned(), reference("Tenant", &terminal.tenant.id.to_string())?),
        ("mode".to_owned(), reference("Mode", terminal.tenant.mode.as_str())?),
        ("user".to_owned(), Value::new_string(terminal.user.clone())),
        ("has_admin".to_owned(), Value::new_bool(terminal.has_admin)),
    ]);
    entity("Terminal", &terminal.user, attributes)
}

fn entity(kind: &str, id: &str, attributes: HashMap<String, Value>) -> Option<Entity> {
    Entity::new(uid(kind, id)?, attributes, HashSet::new()).ok()
}

fn reference(kind: &str, id: &str) -> Option<Value> {
    uid(kind, id).map(Value::new_entity_uid)
}

fn optional(name: &str, text: Option<&str>) -> Option<(String, Value)> {
    text.map(|text| (name.to_owned(), Value::new_string(text.to_owned())))
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let name = EntityTypeName::from_str(&format!("Bauta::{kind}")).ok()?;
    Some(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}
