//! Ways that close because people complain: of one tenant's messages, by a carrier, to a country, of a class.
//!
//! A way closes when complaints of the last 30 days are at least [`LEAST`] and more than [`PER_MILLION`] of what went
//! that way, and opens again once they are not. Codes that were asked for and advertising are different ways, so that
//! those who complain of the one do not cut off the other; and what one tenant sends closes nothing of another's. The state is the store's: it outlives processes, and of
//! several that notice one writes.

use std::time::Duration;

use super::Dispatch;
use super::gate::can_fail;
use crate::clock::Timestamp;
use crate::event::{Actor, Event, What};
use crate::ids::TenantId;
use crate::store::{Change, ClosedRoute, Conflict, RouteComplaints, StoreError, Write};

/// How far back complaints count.
const BACK: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Fewer complaints than this close nothing.
const LEAST: u64 = 3;
/// More than so many of a million messages are too many.
const PER_MILLION: u64 = 2;
/// How often complaints are counted.
pub(super) const REVIEW: Duration = Duration::from_secs(30);

/// Whether complaints close a way.
pub(super) fn is_too_many(complaints: u64, sent: u64) -> bool {
    complaints >= LEAST && complaints.saturating_mul(1_000_000) > sent.saturating_mul(PER_MILLION)
}

impl Dispatch {
    /// Closes and opens ways as complaints have it by now.
    ///
    /// # Errors
    /// If the store cannot be used; the next review goes on.
    pub async fn review_complaints(&self) -> Result<(), StoreError> {
        let now = self.store.now();
        let counted = self.store.complaints_by_route(now.minus(BACK)).await?;
        let closures = self.table.load().closures.clone();
        for way in counted.iter().filter(|way| is_too_many(way.complaints, way.sent)) {
            if !closures.iter().any(|closed| is_same(closed, way)) {
                self.turn(close(way, now)).await?;
            }
        }
        for closed in &closures {
            let still = counted.iter().find(|way| is_same(closed, way));
            if !still.is_some_and(|way| is_too_many(way.complaints, way.sent)) {
                self.turn(open(closed, now)).await?;
            }
        }
        can_fail("reading routes after a review of complaints", self.table.follow(self.store.as_ref()).await);
        Ok(())
    }

    /// Writes a turn, unless another process did.
    async fn turn(&self, change: Change) -> Result<(), StoreError> {
        match self.store.commit(change).await {
            Ok(_) | Err(StoreError::Conflict(Conflict::Exists | Conflict::Missing)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_same(closed: &ClosedRoute, way: &RouteComplaints) -> bool {
    (closed.tenant, &closed.carrier, &closed.country, closed.class)
        == (way.tenant, &way.carrier, &way.country, way.class)
}

fn close(way: &RouteComplaints, now: Timestamp) -> Change {
    let RouteComplaints { tenant, carrier, country, class, complaints, sent } = way.clone();
    let of = class.as_str().to_owned();
    let what = What::RouteClosed { carrier: carrier.clone(), country: country.clone(), class: of, complaints, sent };
    let row = ClosedRoute { tenant, carrier, country, class, complaints, sent, since: now };
    Change::telling(told(tenant, what, now)).with(Write::CloseRoute(row))
}

fn open(closed: &ClosedRoute, now: Timestamp) -> Change {
    let (tenant, carrier, country, class) =
        (closed.tenant, closed.carrier.clone(), closed.country.clone(), closed.class);
    let of = class.as_str().to_owned();
    let what = What::RouteOpened { carrier: carrier.clone(), country: country.clone(), class: of };
    Change::telling(told(tenant, what, now)).with(Write::OpenRoute { tenant, carrier, country, class })
}

fn told(tenant: TenantId, what: What, at: Timestamp) -> Event {
    Event { at, tenant: Some(tenant), actor: Actor::Worker, policy: None, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_complaints_and_more_than_two_in_a_million_are_too_many() {
        assert!(!is_too_many(2, 10), "two are never");
        assert!(is_too_many(3, 10));
        assert!(is_too_many(3, 1_499_999));
        assert!(!is_too_many(3, 1_500_000), "exactly two in a million are not more");
        assert!(is_too_many(u64::MAX, 1));
        assert!(is_too_many(3, 0));
    }
}
