//! Dispatch: one message to one person, over a carrier that may carry it.
//!
//! Invariants: a number is opened here, on a [`Delivery`] permit, and moves into the submission; a test tenant's
//! message goes only to carriers that reach no device, a live one's only to those that do; a message from a pool
//! number leaves only by that pool's carrier. Called by `worker::deliver`.

mod parcel;
mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

pub use parcel::{DispatchError, From, Parcel, Sent, To};

use crate::access::{Delivery, Permit};
use crate::carrier::{Address, Carrier, Submission};
use crate::ids;
use crate::keyring::Keyring;
use crate::phone::PhoneNumber;
use crate::store::Store;
use crate::vault::Vault;

/// The ways out.
pub struct Dispatch {
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    carriers: Vec<Arc<dyn Carrier>>,
    homes: route::Homes,
}

impl Dispatch {
    /// Over the rooms below and every configured carrier, in the order of preference.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        keyring: Arc<Keyring>,
        carriers: Vec<Arc<dyn Carrier>>,
    ) -> Self {
        Self { vault, keyring, carriers, homes: route::Homes::new(store) }
    }

    /// Whether any carrier could take a message now.
    pub fn is_up(&self) -> bool {
        self.carriers.iter().any(|carrier| carrier.is_up())
    }

    /// Hands one message to a carrier; returns once the carrier has taken every part. A carrier that took nothing is
    /// followed by the next one, where another may carry it.
    pub async fn send(&self, permit: &Permit<Delivery>, parcel: &Parcel<'_>) -> Result<Sent, DispatchError> {
        let home = match parcel.from {
            From::Pool(number) => Some(self.homes.carrier(number).await?.ok_or(DispatchError::NoRoute)?),
            From::House | From::Sender(_) => None,
        };
        let end = Instant::now() + PATIENCE;
        let mut outcome = Err(DispatchError::NoRoute);
        for carrier in route::choose(&self.carriers, permit.mode(), home.as_deref()) {
            outcome = self.submit(permit, carrier.as_ref(), parcel, end).await;
            if !matches!(outcome, Err(DispatchError::Unavailable | DispatchError::Throttled { .. })) {
                break;
            }
        }
        outcome
    }

    async fn submit(
        &self,
        permit: &Permit<Delivery>,
        carrier: &dyn Carrier,
        parcel: &Parcel<'_>,
        end: Instant,
    ) -> Result<Sent, DispatchError> {
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let number = self.open(permit, &parcel.to).await?;
        let subject = keys.subject(keys.index(&number));
        let from = match &parcel.from {
            From::Pool(number) => Address::Number(*number),
            From::House => carrier.sender(),
            From::Sender(name) => named(name),
        };
        let (text, lane) = (Zeroizing::new(parcel.text.to_owned()), permit.resource().row.lane);
        let device = self.keyring.system().device(carrier.name(), &number);
        let submission = Submission { tenant: permit.tenant(), from, to: number, text, life: parcel.life, lane };
        match timeout_at(end, carrier.submit(submission)).await {
            Ok(Ok(submitted)) => {
                let ids = submitted.ids.into_iter().map(|id| device.part(id)).collect();
                Ok(Sent { carrier: carrier.name().to_owned(), ids, subject })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(DispatchError::Unconfirmed),
        }
    }

    async fn open(&self, permit: &Permit<Delivery>, to: &To) -> Result<PhoneNumber, DispatchError> {
        match to {
            To::Person(record) => Ok(self.vault.open(permit, *record).await?),
            To::Stranger(alias, sealed) => {
                let keys = self.keyring.tenant(permit.tenant()).await?;
                Ok(keys.open_stranger(&ids::bytes(alias), sealed)?)
            }
        }
    }
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
