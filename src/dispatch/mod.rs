//! Dispatch: one message to one person, over a carrier that may carry it.
//!
//! Invariants: a number is opened here, on a [`Delivery`] permit, and moves into the submission; a test tenant's
//! message goes only to carriers that reach no device, a live one's only to those that do; a message from a pool
//! number leaves only by that number's carriers. Which of several carriers takes a message is said by the tenant's
//! routes ([`rules`](RouteRule)), weighed with what is measured ([`Health`]).
//!
//! `rules` and `check` are the routes, `choose` the choice, `window`, `breaker` and `health` what is measured,
//! `complaint` what closes a way, `portability` who serves a number, `table` the routes in force, `manage` and `explain`
//! for those who set them and ask why. Called by `worker::deliver` and the API.

mod breaker;
mod check;
mod choose;
mod complaint;
mod explain;
mod gate;
mod health;
mod homes;
mod manage;
mod parcel;
mod portability;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

pub use breaker::BreakerState;
pub use check::Fault;
pub use explain::{Explained, Explanation, Receiver, Trial};
pub use health::{Health, Measured};
pub use manage::{RoutesError, RoutesView};
pub use parcel::{DispatchError, From, Parcel, Sent, To};
pub use portability::{Portability, PortabilityError};
pub use rules::{Crossed, RouteRule, Routes, Share};

use self::choose::{Candidate, Closed, Question, Verdict};
use self::health::{Country, Handed, Handing};
use self::homes::Homes;
use self::rules::{Aim, Rule};
use self::table::{InForce, Table};
use crate::access::{Access, Delivery, Permit};
use crate::carrier::{Address, Carrier, Submission};
use crate::ids;
use crate::keyring::{Keyring, TenantKeys};
use crate::message::{self, Alphabet};
use crate::phone::{Bearing, PhoneNumber};
use crate::store::{Counted, PartId, Store};
use crate::vault::Vault;

/// The ways out.
pub struct Dispatch {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    access: Arc<Access>,
    carriers: Vec<Arc<dyn Carrier>>,
    homes: Homes,
    table: Table,
    health: Arc<Health>,
    portability: Option<Portability>,
}

impl Dispatch {
    /// Over the rooms below and every configured carrier, in the order of preference. [`Self::refresh`] has to come
    /// before the first message, and [`Self::watch`] to run.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        carriers: Vec<Arc<dyn Carrier>>,
    ) -> Self {
        let homes = Homes::new(Arc::clone(&store));
        let (table, health) = (Table::default(), Arc::default());
        Self { store, vault, keyring, access, carriers, homes, table, health, portability: None }
    }

    /// The same, asking somebody which operator serves a number.
    #[must_use]
    pub fn asking(self, portability: Option<Portability>) -> Self {
        Self { portability, ..self }
    }

    /// The same, measuring into `health`, which receipts are told to.
    #[must_use]
    pub fn measuring(self, health: Arc<Health>) -> Self {
        Self { health, ..self }
    }

    /// Whether any carrier could take a message now.
    pub fn is_up(&self) -> bool {
        self.carriers.iter().any(|carrier| carrier.is_up())
    }

    /// Hands one message to a carrier; returns once the carrier has taken every part. A carrier that took nothing is
    /// followed by the next one, where another may carry it.
    pub async fn send(&self, permit: &Permit<Delivery>, parcel: &Parcel<'_>) -> Result<Sent, DispatchError> {
        let homes = match parcel.from {
            From::Pool(number) => Some(self.homes.carriers(number).await?.ok_or(DispatchError::NoRoute)?),
            From::House | From::Sender(_) => None,
        };
        let end = Instant::now() + PATIENCE;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let number = self.open(permit, &keys, &parcel.to).await?;
        let subject = keys.subject(keys.index(&number));
        let counted = counted(permit, parcel, &number);
        let snapshot = self.table.load();
        let of_tenant = snapshot.of_tenant(permit.tenant());
        let bearing = bearing(&number, of_tenant, snapshot.closed(permit.tenant()));
        let operator = self.operator(permit, &keys, &number, &bearing, of_tenant).await;
        let aim = Aim { bearing: &bearing, operator: operator.as_deref(), class: parcel.class };
        let rule = of_tenant.and_then(|set| set.routes.pick(&aim)).map(|(_, rule)| rule);
        let region = self.region(permit, rule);
        let asked = Question {
            mode: permit.mode(),
            region: region.as_deref(),
            homes: homes.as_deref(),
            rule,
            country: bearing.country_code().unwrap_or_default(),
            iso: bearing.region(),
            class: parcel.class,
            closed: snapshot.closed(permit.tenant()),
        };
        let weighed = choose::weigh(&self.carriers, &asked, &self.health, self.store.now());
        let mut outcome = Err(held_up(&weighed, self.store.now()));
        let mut number = Some(number);
        for carrier in choose::order(weighed, rule.is_some(), choose::drawn) {
            let number = match number.take() {
                Some(number) => number,
                None => self.open(permit, &keys, &parcel.to).await?,
            };
            let way = Way { carrier: carrier.as_ref(), country: asked.country, rule };
            let tried = self.submit(permit, &way, parcel, number, end).await;
            let goes_on = matches!(tried, Err(DispatchError::Unavailable | DispatchError::Throttled { .. }));
            let carrier = carrier.name().to_owned();
            let sent = tried.map(|ids| Sent { carrier, ids, subject, counted: counted.clone() });
            outcome = sooner(outcome, sent);
            if !goes_on {
                break;
            }
        }
        outcome
    }

    async fn submit(
        &self,
        permit: &Permit<Delivery>,
        way: &Way<'_>,
        parcel: &Parcel<'_>,
        number: PhoneNumber,
        end: Instant,
    ) -> Result<Vec<PartId>, DispatchError> {
        let (carrier, name) = (way.carrier, way.carrier.name());
        let now = self.store.now();
        let handing = self.health.begin(name, way.country, now);
        let handing = handing.map_err(|until| DispatchError::Throttled { retry_after: now.until(until) })?;
        let device = self.keyring.system().device(name, &number);
        let (text, lane) = (Zeroizing::new(parcel.text.to_owned()), permit.resource().row.lane);
        let (tenant, from) = (permit.tenant(), way.shown(&parcel.from));
        let registration = parcel.registration.cloned();
        let submission = Submission { tenant, from, to: number, text, life: parcel.life, lane, registration };
        let (began, was_up) = (Instant::now(), carrier.is_up());
        let submitted = match timeout_at(end, carrier.submit(submission)).await {
            Ok(Ok(submitted)) => Ok(submitted.ids),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(DispatchError::Unconfirmed),
        };
        if let Ok(ids) = &submitted {
            self.health.submitted(name, way.country, ids);
        }
        self.note(name, handing, handed(&submitted, began.elapsed(), was_up)).await;
        submitted.map(|ids| ids.into_iter().map(|id| device.part(id)).collect())
    }

    async fn note(&self, carrier: &str, handing: Handing, handed: Handed) {
        let turned = self.health.end(carrier, handing, self.store.now(), handed);
        self.tell(carrier, turned).await;
    }

    async fn open(&self, permit: &Permit<Delivery>, keys: &TenantKeys, to: &To) -> Result<PhoneNumber, DispatchError> {
        match to {
            To::Person(record) => Ok(self.vault.open(permit, *record).await?),
            To::Stranger(alias, sealed) => Ok(keys.open_stranger(&ids::bytes(alias), sealed)?),
        }
    }

    /// The tenant's region, where the rule keeps messages in it.
    fn region<R>(&self, permit: &Permit<R>, rule: Option<&Rule>) -> Option<String> {
        rule.filter(|rule| rule.residency).and_then(|_| self.access.region(permit.tenant()))
    }

    /// Who serves the number: where a rule asks for it, by a look-up if that is set, else by the table.
    async fn operator(
        &self,
        permit: &Permit<Delivery>,
        keys: &TenantKeys,
        number: &PhoneNumber,
        bearing: &Bearing,
        set: Option<&Arc<InForce>>,
    ) -> Option<Arc<str>> {
        if !set.is_some_and(|set| set.routes.asks_operator()) {
            return None;
        }
        if let Some(portability) = &self.portability
            && let Some(found) = portability.operator(self.store.as_ref(), permit, keys, number).await
        {
            return Some(found);
        }
        self.access.policies().operators().of(bearing).cloned()
    }
}

/// Where the number points: with its region only where a rule or a closed way asks for it.
fn bearing(number: &PhoneNumber, set: Option<&Arc<InForce>>, closed: &Closed) -> Bearing {
    if set.is_some_and(|set| set.routes.asks_region()) || !closed.is_empty() {
        Bearing::with_region(number)
    } else {
        Bearing::of(number)
    }
}

/// One carrier on one way.
struct Way<'a> {
    carrier: &'a dyn Carrier,
    country: Country,
    rule: Option<&'a Rule>,
}

impl Way<'_> {
    /// What the receiver sees as the sender: a number or a name of the message's own stays.
    fn shown(&self, from: &From) -> Address {
        match from {
            From::Pool(number) => Address::Number(*number),
            From::Sender(name) => named(name),
            From::House => {
                let of_rule = self.rule.and_then(|rule| rule.sender.as_deref());
                of_rule.map_or_else(|| self.carrier.sender(), named)
            }
        }
    }
}

/// What a message counts as. A number of no country counts apart.
fn counted(permit: &Permit<Delivery>, parcel: &Parcel<'_>, number: &PhoneNumber) -> Counted {
    let class = parcel.class;
    let to = Bearing::with_region(number);
    let price = permit.terms().prices.part(&to, class);
    let parts = message::parts(parcel.text, Alphabet::Gsm7).map_or(0, |parts| parts as u64);
    Counted { class, country: to.region().map(str::to_owned), parts, price }
}

/// What a hand-over says about the carrier. A link that was down to begin with is told by the link itself.
fn handed(submitted: &Result<Vec<String>, DispatchError>, took: Duration, was_up: bool) -> Handed {
    match submitted {
        Ok(_) => Handed::Taken(took),
        Err(DispatchError::Refused { .. }) => Handed::Refused,
        Err(DispatchError::Unavailable) if !was_up => Handed::Waits,
        Err(DispatchError::Unavailable | DispatchError::Unconfirmed) => Handed::Failed,
        Err(_) => Handed::Waits,
    }
}

/// Of two carriers that took nothing, the word that lets the message come back sooner.
fn sooner(before: Result<Sent, DispatchError>, now: Result<Sent, DispatchError>) -> Result<Sent, DispatchError> {
    match (&before, &now) {
        (Err(DispatchError::Unavailable), Err(DispatchError::Throttled { .. })) => before,
        (Err(DispatchError::Throttled { retry_after: one }), Err(DispatchError::Throttled { retry_after: two }))
            if one < two =>
        {
            before
        }
        _ => now,
    }
}

/// Why a message waits that no carrier may be given: for a breaker, or for ever.
fn held_up(weighed: &[Candidate<'_>], now: crate::clock::Timestamp) -> DispatchError {
    let until = weighed.iter().filter_map(|candidate| match candidate.verdict {
        Verdict::BreakerOpen(until) => Some(until),
        _ => None,
    });
    until.min().map_or(DispatchError::NoRoute, |until| DispatchError::Throttled { retry_after: now.until(until) })
}

/// A sender that is no number: digits are a short code, anything else a name.
fn named(sender: &str) -> Address {
    if sender.bytes().all(|c| c.is_ascii_digit()) {
        Address::ShortCode(sender.to_owned())
    } else {
        Address::Name(sender.to_owned())
    }
}

/// How long all carriers together may take over one message. With the time to record it, shorter than the lease of an
/// outbox row.
pub const PATIENCE: Duration = Duration::from_secs(30);
