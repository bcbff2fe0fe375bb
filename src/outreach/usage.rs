//! What messages came to: counts by day, country, channel, class and carrier, and how well they went. No number, nobody.

use super::{Outreach, OutreachError};
use crate::access::{Permit, UsageCounts};
use crate::store::{By, Conversion, Counts, UsageFilter, UsageRow};

/// Which counts.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuery {
    /// The first day, since the epoch; four weeks before the last if absent.
    pub from: Option<i64>,
    /// The last day; today if absent.
    pub to: Option<i64>,
    /// What to tell apart.
    pub by: By,
}

/// The counts of some days.
pub struct Usage {
    /// The first day, since the epoch.
    pub from: i64,
    /// The last day.
    pub to: i64,
    /// The currency of the costs, if there are prices.
    pub currency: Option<String>,
    /// One row for each of what is told apart.
    pub rows: Vec<UsageRow>,
}

/// How well the messages of some days went.
pub struct Stats {
    /// The first day, since the epoch.
    pub from: i64,
    /// The last day.
    pub to: i64,
    /// Every message.
    pub messages: Counts,
    /// The same by class.
    pub by_class: Vec<UsageRow>,
    /// The same by carrier.
    pub by_carrier: Vec<UsageRow>,
    /// What verifications came to.
    pub verifications: Conversion,
}

impl Outreach {
    /// What the tenant's messages of some days came to.
    ///
    /// # Errors
    /// [`OutreachError::Invalid`] for days that are no range, or more than 400; [`OutreachError::TooMany`] if that would be
    /// more rows than one answer holds.
    pub async fn usage(&self, permit: &Permit<UsageCounts>, query: UsageQuery) -> Result<Usage, OutreachError> {
        let (from, to) = self.days(query)?;
        let rows = self.counted(permit, from, to, query.by).await?;
        if rows.len() > MAX_ROWS as usize {
            return Err(OutreachError::Invalid("by"));
        }
        Ok(Usage { from, to, currency: permit.terms().prices.currency().map(str::to_owned), rows })
    }

    /// How well they went.
    ///
    /// # Errors
    /// As [`Self::usage`].
    pub async fn stats(&self, permit: &Permit<UsageCounts>, query: UsageQuery) -> Result<Stats, OutreachError> {
        let (from, to) = self.days(query)?;
        let whole = self.counted(permit, from, to, By::default()).await?;
        Ok(Stats {
            from,
            to,
            messages: whole.first().map(|row| row.counts).unwrap_or_default(),
            by_class: self.counted(permit, from, to, By { class: true, ..By::default() }).await?,
            by_carrier: self.counted(permit, from, to, By { carrier: true, ..By::default() }).await?,
            verifications: self.store.conversion(permit.tenant(), from, to).await?,
        })
    }

    async fn counted(
        &self,
        permit: &Permit<UsageCounts>,
        from: i64,
        to: i64,
        by: By,
    ) -> Result<Vec<UsageRow>, OutreachError> {
        let filter = UsageFilter { tenant: permit.tenant(), from, to, by, limit: MAX_ROWS + 1 };
        Ok(self.store.usage(&filter).await?)
    }

    fn days(&self, query: UsageQuery) -> Result<(i64, i64), OutreachError> {
        let today = self.store.now().as_secs().div_euclid(86_400);
        let to = query.to.unwrap_or(today);
        let from = query.from.unwrap_or(to - 27);
        if from > to {
            return Err(OutreachError::Invalid("from"));
        }
        if to - from >= MAX_DAYS { Err(OutreachError::Invalid("to")) } else { Ok((from, to)) }
    }
}

/// Days of one answer.
const MAX_DAYS: i64 = 400;
/// Rows of one answer.
const MAX_ROWS: u32 = 5_000;
