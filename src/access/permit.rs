//! The permit: what `access` grants for one action on one resource, and what every service function asks for.
//!
//! A [`Permit`] is made only inside `access`, cannot be copied, and carries the resource it is for, so that a service
//! works on exactly what was asked about:
//!
//! ```compile_fail
//! let permit = bauta::access::Permit { grant: todo!(), resource: () };
//! ```
//! ```compile_fail
//! fn twice<R>(permit: &bauta::access::Permit<R>) -> bauta::access::Permit<R> { permit.clone() }
//! ```

use std::sync::Arc;

use super::Allowance;
use crate::clock::Timestamp;
use crate::event::{Actor, Event, Mode, Role, What};
use crate::guard::Terms;
use crate::ids::{AliasId, ApprovalId, CredentialId, MessageId, TenantId, VerificationId, WebhookId};
use crate::store::{Change, OutboxRow, Profile, Write};

/// One action on one resource, allowed.
pub struct Permit<R> {
    grant: Grant,
    resource: R,
}

/// The decision behind a permit.
pub(super) struct Grant {
    pub(super) tenant: TenantId,
    pub(super) mode: Mode,
    pub(super) brand: String,
    pub(super) actor: Actor,
    pub(super) credential: Option<CredentialId>,
    /// The audience whose tokens the caller speaks in; none is the tenant's own.
    pub(super) audience: Option<String>,
    /// Whether the caller sees tokens of every audience of the tenant, and masks.
    pub(super) sees_all: bool,
    /// Whether sealed tokens of the tenant were ever erased.
    pub(super) erasures: bool,
    pub(super) policy: String,
    /// What the tenant says about itself.
    pub(super) profile: Arc<Profile>,
    /// What messages may say and cost.
    pub(super) terms: Arc<Terms>,
    /// Whether anyone asked to be spared messages of the tenant.
    pub(super) suppressions: bool,
    /// What the credential may spend in a day.
    pub(super) allowance: Allowance,
    /// The second person's word that this permit stands on, if it needs one.
    pub(super) approval: Option<ApprovalId>,
}

impl<R> Permit<R> {
    pub(super) fn new(grant: Grant, resource: R) -> Self {
        Self { grant, resource }
    }

    /// What it is for.
    pub fn resource(&self) -> &R {
        &self.resource
    }

    /// Whose business it is.
    pub fn tenant(&self) -> TenantId {
        self.grant.tenant
    }

    /// Live or test.
    pub fn mode(&self) -> Mode {
        self.grant.mode
    }

    /// The tenant's name as people know it.
    pub fn brand(&self) -> &str {
        &self.grant.brand
    }

    /// What the tenant says about itself.
    pub fn profile(&self) -> &Profile {
        &self.grant.profile
    }

    /// What messages may say and cost, as the policies have it that decided.
    pub fn terms(&self) -> &Terms {
        &self.grant.terms
    }

    /// Whether anyone asked to be spared messages of the tenant, as far as this process knows: another may have written
    /// the first a moment ago.
    pub fn has_suppressions(&self) -> bool {
        self.grant.suppressions
    }

    /// The credential that asked, if one did.
    pub fn credential(&self) -> Option<CredentialId> {
        self.grant.credential
    }

    /// The audience whose tokens the caller speaks in; none is the tenant's own.
    pub fn audience(&self) -> Option<&str> {
        self.grant.audience.as_deref()
    }

    /// Whether the caller sees tokens of every audience of the tenant, and masks.
    pub fn sees_all(&self) -> bool {
        self.grant.sees_all
    }

    /// Whether answers show masks (`+84 ••• ••• •67`): one right with [`Self::sees_all`], named for where it is asked.
    pub fn sees_masks(&self) -> bool {
        self.grant.sees_all
    }

    /// The person, system or user behind it, as lists show them.
    pub fn actor_name(&self) -> &str {
        match &self.grant.actor {
            Actor::Credential { person, .. } => person,
            Actor::Terminal { user } => user,
            Actor::Carrier { name } => name,
            Actor::Worker | Actor::Stranger => "bauta",
        }
    }

    /// Whether sealed tokens of the tenant were ever erased, so that opening or making one has to look at the list.
    pub fn has_erasures(&self) -> bool {
        self.grant.erasures
    }

    /// The version of the policies that decided.
    pub fn policy(&self) -> &str {
        &self.grant.policy
    }

    /// The person or system behind the credential, if one asked.
    pub fn person(&self) -> Option<&str> {
        match &self.grant.actor {
            Actor::Credential { person, .. } => Some(person),
            _ => None,
        }
    }

    /// What the credential may spend in a day; nothing for those without one.
    pub fn allowance(&self) -> Allowance {
        self.grant.allowance
    }

    /// The approval that this permit stands on, if it needed a second person.
    pub fn approval(&self) -> Option<ApprovalId> {
        self.grant.approval
    }

    /// A change that tells what this permit was used for. If the permit stands on an approval, the change uses it up: of
    /// several changes, also racing ones, one is written. What may need a second person is to be written by this.
    pub fn change(&self, at: Timestamp, what: What) -> Change {
        let change = Change::telling(self.event(at, what));
        match self.grant.approval {
            None => change,
            Some(id) => change
                .with(Write::UseApproval { tenant: self.grant.tenant, id })
                .and_telling(self.event(at, What::ApprovalUsed { approval: id })),
        }
    }

    /// Makes such events where only the store knows what happened.
    pub fn telling(&self, at: Timestamp) -> Box<dyn Fn(What) -> Event + Send + Sync> {
        let (tenant, actor, policy) = (self.grant.tenant, self.grant.actor.clone(), self.grant.policy.clone());
        Box::new(move |what| Event {
            at,
            tenant: Some(tenant),
            actor: actor.clone(),
            policy: Some(policy.clone()),
            what,
        })
    }

    /// The event that tells what this permit was used for.
    pub fn event(&self, at: Timestamp, what: What) -> Event {
        Event {
            at,
            tenant: Some(self.grant.tenant),
            actor: self.grant.actor.clone(),
            policy: Some(self.grant.policy.clone()),
            what,
        }
    }
}

#[cfg(test)]
impl<R> Permit<R> {
    /// A permit that nothing decided, for the unit tests of services: a partner where `partner` names its audience, else
    /// one who sees all of the tenant.
    pub(crate) fn for_test(tenant: TenantId, credential: CredentialId, partner: Option<&str>, resource: R) -> Self {
        let grant = Grant {
            tenant,
            mode: Mode::Test,
            brand: "Test".into(),
            actor: Actor::Worker,
            credential: Some(credential),
            audience: partner.map(str::to_owned),
            sees_all: partner.is_none(),
            erasures: true,
            policy: "test".into(),
            profile: Arc::default(),
            terms: Arc::default(),
            suppressions: true,
            allowance: Allowance::for_test(100_000),
            approval: None,
        };
        Self { grant, resource }
    }

    /// The same for a tenant of another mode.
    pub(crate) fn in_mode(mut self, mode: Mode) -> Self {
        self.grant.mode = mode;
        self
    }

    /// The same with so much to spend of everything.
    pub(crate) fn spending(mut self, each: u64) -> Self {
        self.grant.allowance = Allowance::for_test(each);
        self
    }

    /// The same, standing on an approval.
    pub(crate) fn approved(mut self, id: ApprovalId) -> Self {
        self.grant.approval = Some(id);
        self
    }
}

/// What can be asked about. The Cedar resource is built from these answers alone.
pub trait Resource {
    /// The Cedar entity type, without namespace.
    const KIND: &'static str;
    /// Whether it is the whole deployment's, and so that of the tenant that keeps its policies.
    const DEPLOYMENT_WIDE: bool = false;
    /// The audience that the resource is made for, if it names one.
    fn audience(&self) -> Option<&str> {
        None
    }
    /// The stated purpose, for reveals.
    fn purpose(&self) -> Option<&str> {
        None
    }
    /// The id of what it names, where somebody else might own that.
    fn id(&self) -> Option<String> {
        None
    }
    /// Whether only what the caller did itself is asked about, for the log and for approvals.
    fn own(&self) -> bool {
        false
    }
    /// The role that is to be granted, for credentials.
    fn grants(&self) -> Option<Role> {
        None
    }
}

macro_rules! resource {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? } $($body:tt)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty),* }
        impl Resource for $name { const KIND: &'static str = stringify!($name); $($body)* }
    };
}

resource!(/// Making tokens, one or many.
    NewTokens {
        /// For whom; none is the caller's own audience.
        audience: Option<String>,
    }
    fn audience(&self) -> Option<&str> { self.audience.as_deref() });
resource!(/// Making numbers in the form of numbers, which are nobody's tokens.
    NewFpe {
        /// For whom; none is the caller's own audience.
        audience: Option<String>,
    }
    fn audience(&self) -> Option<&str> { self.audience.as_deref() });
resource!(/// Giving one person's token out for another audience.
    Exchange {
        /// The token that the caller has.
        token: crate::token::Token,
        /// For whom the other is; none is the caller's own audience.
        audience: Option<String>,
    }
    fn audience(&self) -> Option<&str> { self.audience.as_deref() });
resource!(/// All that the tenant keeps.
    Holdings {});
resource!(/// One existing token, as text. Whether it exists is the vault's to find out.
    TokenRef {
        /// As it came in.
        token: crate::token::Token,
        /// Why it is to be revealed, when it is.
        purpose: Option<String>,
    }
    fn purpose(&self) -> Option<&str> { self.purpose.as_deref() });
/// Tokens that are asked about together.
#[derive(Debug)]
pub struct TokenSet {
    /// As they came in, in order.
    pub tokens: Vec<crate::token::Token>,
    /// Why they are to be revealed, when they are.
    pub purpose: Option<String>,
}

impl Resource for TokenSet {
    // Policies see tokens as one thing, however many: they know nothing that tells one from the other.
    const KIND: &'static str = "TokenRef";

    fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }
}

resource!(/// Starting verifications.
    NewVerification {});
resource!(/// One verification.
VerificationRef {
    /// Which.
    id: VerificationId,
});
resource!(/// Binding aliases.
    NewAlias {});
resource!(/// One alias.
AliasRef {
    /// Which.
    id: AliasId,
});
resource!(/// The caller's aliases.
    AliasList {});
resource!(/// Messages in the tenant's own name.
    NewMessage {});
resource!(/// One message.
MessageRef {
    /// Which.
    id: MessageId,
});
resource!(/// The tenant's templates.
    Templates {});
resource!(/// Who asked to be spared messages.
    Suppressions {});
resource!(/// Complaints.
    Complaints {});
resource!(/// What messages came to.
    UsageCounts {});
resource!(/// What the tenant says about itself.
    TenantProfile {});
resource!(/// Pools and their numbers.
    Pools {});
resource!(/// Where the tenant is told of events.
    Endpoints {
        /// In whose tokens, where one is to be made; none is the tenant's own.
        audience: Option<String>,
    }
    fn audience(&self) -> Option<&str> { self.audience.as_deref() });
resource!(/// The tenant's routes.
    RouteSet {});
resource!(/// The tenant's credentials.
    Credentials {
        /// The role that somebody is to get by it, where one is granted: issued, or issued again by a rotation.
        grants: Option<Role>,
    }
    fn grants(&self) -> Option<Role> { self.grants });
resource!(/// What waits for a second person, or waited; `own` narrows it to what the caller asked for.
Approvals {
    /// Only what the caller asked for.
    own: bool,
}
    fn own(&self) -> bool { self.own });
resource!(/// One thing that waits for a second person.
ApprovalRef {
    /// Which.
    id: ApprovalId,
});
resource!(/// The audit log; `own` narrows it to the caller's own actions.
AuditLog {
    /// Only the caller's own entries.
    own: bool,
}
    fn own(&self) -> bool { self.own });
resource!(/// A freeze switch: tenant, credential or alias, by id.
    FreezeSwitch {
        /// The id.
        target: String,
    }
    fn id(&self) -> Option<String> { Some(self.target.clone()) });
resource!(/// Handsets of the sandbox.
    SandboxHandsets {});
resource!(/// Making a tenant; only at a terminal of the machine itself.
    NewTenant {});
resource!(/// The tenant's keys.
    Keys {});
resource!(/// The deployment's own keys, and the KMS.
    DeploymentKeys {});
resource!(/// A whole tenant.
    TenantRef {});
resource!(/// The store's files.
    DeploymentStore {});
resource!(/// The whole log: every tenant's entries and the deployment's own.
    DeploymentLog {});

/// The deployment's policies, or one version of them.
#[derive(Debug)]
pub struct PolicySet {
    /// Which; none is the one in force, or a new one.
    pub version: Option<String>,
}

impl Resource for PolicySet {
    const KIND: &'static str = "PolicySet";
    const DEPLOYMENT_WIDE: bool = true;
}

/// One delivery that was decided earlier; minted by `access` for the worker from the outbox row, after it looked
/// again at freezes, revocations and the rest.
pub struct Delivery {
    /// The row.
    pub row: OutboxRow,
}

impl Resource for Delivery {
    const KIND: &'static str = "Delivery";
}

/// One incoming message on a leg that says whose it is; minted by `access` for `relay`.
pub struct Crossing {
    /// The alias.
    pub alias: AliasId,
}

impl Resource for Crossing {
    const KIND: &'static str = "Crossing";
}

/// One call to an endpoint of webhooks; minted by `access` for whoever sends, on the word of who made the endpoint.
pub struct Calling {
    /// The endpoint.
    pub webhook: WebhookId,
}

impl Resource for Calling {
    const KIND: &'static str = "Calling";
}

/// What the deployment does by itself on time: expire, sweep.
pub struct Upkeep {}

impl Resource for Upkeep {
    const KIND: &'static str = "Upkeep";
}
