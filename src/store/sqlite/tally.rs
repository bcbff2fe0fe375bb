//! What messages came to, counted in the transaction that sends or settles them.
//!
//! Many changes are committed together, and most of them count towards the same few rows. So each change only notes what
//! it counts ([`Noted`]); before the commit the notes are added up and each row is written once. A change that fails
//! takes its notes back with it, so that counts are as durable and as exact as what they count.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TenantId, bytes};
use crate::store::{
    Class, Conversion, Counted, Counts, DeliveryStatus, Settled, StoreError, Task, UsageFilter, UsageRow,
    VerificationStatus,
};

/// What the changes of one transaction count so far.
#[derive(Default)]
pub(super) struct Tally(RefCell<Vec<Noted>>);

/// One thing to be counted.
#[derive(Clone)]
enum Noted {
    Message(Way, Counts),
    Verification([u8; 16], i64, Conversion),
}

/// A row of `traffic`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    tenant: [u8; 16],
    day: i64,
    country: String,
    class: Class,
    carrier: String,
}

impl Tally {
    /// Where it stands, to come back to.
    pub(super) fn mark(&self) -> usize {
        self.0.borrow().len()
    }

    /// Forgets what was noted since.
    pub(super) fn back_to(&self, mark: usize) {
        self.0.borrow_mut().truncate(mark);
    }

    fn note(&self, noted: Noted) {
        self.0.borrow_mut().push(noted);
    }

    /// A carrier took a message.
    fn sent(&self, way: Way, parts: u64, price: u64) {
        let cost = parts.saturating_mul(price);
        self.note(Noted::Message(way, Counts { messages: 1, parts, cost, ..Counts::default() }));
    }

    /// It is clear what became of a message.
    fn settled(&self, way: Way, status: DeliveryStatus, taken: Timestamp, now: Timestamp) {
        let mut counts = Counts::default();
        match status {
            DeliveryStatus::Queued | DeliveryStatus::Submitted => return,
            DeliveryStatus::Delivered => {
                let waited = u64::try_from(taken.until(now).as_millis()).unwrap_or(u64::MAX);
                counts.delivered = 1;
                counts.latency_ms = waited;
                counts.within_5s = u64::from(waited <= 5_000);
                counts.within_30s = u64::from(waited <= 30_000);
            }
            DeliveryStatus::Undelivered => counts.undelivered = 1,
            DeliveryStatus::Expired => counts.expired = 1,
            DeliveryStatus::Rejected => counts.rejected = 1,
            DeliveryStatus::Unknown => counts.unknown = 1,
        }
        self.note(Noted::Message(way, counts));
    }

    /// A verification began.
    pub(super) fn started(&self, tenant: TenantId, now: Timestamp) {
        let counts = Conversion { started: 1, ..Conversion::default() };
        self.note(Noted::Verification(bytes(&tenant), day(now), counts));
    }

    /// A verification ended so.
    pub(super) fn ended(&self, tenant: TenantId, status: VerificationStatus, now: Timestamp) {
        let mut counts = Conversion::default();
        match status {
            VerificationStatus::Pending => return,
            VerificationStatus::Approved => counts.approved = 1,
            VerificationStatus::Canceled => counts.canceled = 1,
            VerificationStatus::Expired => counts.expired = 1,
            VerificationStatus::Exhausted => counts.exhausted = 1,
            VerificationStatus::Failed => counts.failed = 1,
        }
        self.note(Noted::Verification(bytes(&tenant), day(now), counts));
    }

    /// Writes the sums.
    pub(super) fn settle(&self, conn: &Connection) -> Result<(), StoreError> {
        let noted = self.0.take();
        if noted.is_empty() {
            return Ok(());
        }
        let mut messages: HashMap<Way, Counts> = HashMap::new();
        let mut verifications: HashMap<([u8; 16], i64), Conversion> = HashMap::new();
        for noted in noted {
            match noted {
                Noted::Message(way, counts) => add(messages.entry(way).or_default(), &counts),
                Noted::Verification(tenant, day, counts) => {
                    add_conversion(verifications.entry((tenant, day)).or_default(), &counts);
                }
            }
        }
        messages.iter().try_for_each(|(way, counts)| write(conn, way, counts))?;
        verifications.iter().try_for_each(|((tenant, day), counts)| write_conversion(conn, tenant, *day, counts))
    }
}

/// Days since the epoch.
pub(super) fn day(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(86_400)
}

/// A carrier took a message or code in so many parts.
pub(super) fn sent(tx: &Tx<'_>, tenant: TenantId, carrier: &str, parts: usize, counted: &Counted) {
    let country = counted.country.clone().unwrap_or_default();
    let way =
        Way { tenant: bytes(&tenant), day: day(tx.now), country, class: counted.class, carrier: carrier.to_owned() };
    tx.tally.sent(way, counted.parts.max(parts as u64), counted.price);
}

/// Carrier, country, class and when it was taken.
type Taken = (Option<String>, Option<String>, Class, Option<Timestamp>);

/// It is clear what became of a message or code. One that no carrier took counts nowhere: it is no traffic.
pub(super) fn settled(tx: &Tx<'_>, settled: &Settled) -> Result<(), StoreError> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let taken: Option<Taken> = match settled.task {
        Task::Message(id) | Task::Ask(id) => tx
            .conn
            .prepare_cached("SELECT carrier, country, class, submitted_at FROM message WHERE id = ?")?
            .query_row([bytes(&id)], read)
            .optional()?,
        Task::Code(id, n) => tx
            .conn
            .prepare_cached(
                "SELECT carrier, country, 0, taken_at FROM verification_send WHERE verification = ? AND n = ?",
            )?
            .query_row(params![bytes(&id), n], read)
            .optional()?,
    };
    if let Some((Some(carrier), country, class, Some(taken))) = taken {
        let (tenant, country) = (bytes(&settled.tenant), country.unwrap_or_default());
        let way = Way { tenant, day: day(tx.now), country, class, carrier };
        tx.tally.settled(way, settled.status, taken, tx.now);
    }
    Ok(())
}

fn add(sum: &mut Counts, one: &Counts) {
    sum.messages += one.messages;
    sum.parts += one.parts;
    sum.cost = sum.cost.saturating_add(one.cost);
    sum.delivered += one.delivered;
    sum.undelivered += one.undelivered;
    sum.expired += one.expired;
    sum.rejected += one.rejected;
    sum.unknown += one.unknown;
    sum.latency_ms = sum.latency_ms.saturating_add(one.latency_ms);
    sum.within_5s += one.within_5s;
    sum.within_30s += one.within_30s;
}

fn add_conversion(sum: &mut Conversion, one: &Conversion) {
    sum.started += one.started;
    sum.approved += one.approved;
    sum.canceled += one.canceled;
    sum.expired += one.expired;
    sum.exhausted += one.exhausted;
    sum.failed += one.failed;
}

fn write(conn: &Connection, way: &Way, counts: &Counts) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO traffic (tenant, day, country, channel, class, carrier, messages, parts, cost, delivered,
             undelivered, expired, rejected, unknown, latency_ms, within_5s, within_30s)
         VALUES (?1, ?2, ?3, 'sms', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT DO UPDATE SET messages = messages + ?6, parts = parts + ?7, cost = cost + ?8,
             delivered = delivered + ?9, undelivered = undelivered + ?10, expired = expired + ?11,
             rejected = rejected + ?12, unknown = unknown + ?13, latency_ms = latency_ms + ?14,
             within_5s = within_5s + ?15, within_30s = within_30s + ?16",
    )?
    .execute(params![
        way.tenant,
        way.day,
        way.country,
        way.class,
        way.carrier,
        counts.messages.cast_signed(),
        counts.parts.cast_signed(),
        counts.cost.cast_signed(),
        counts.delivered.cast_signed(),
        counts.undelivered.cast_signed(),
        counts.expired.cast_signed(),
        counts.rejected.cast_signed(),
        counts.unknown.cast_signed(),
        counts.latency_ms.cast_signed(),
        counts.within_5s.cast_signed(),
        counts.within_30s.cast_signed(),
    ])?;
    Ok(())
}

fn write_conversion(conn: &Connection, tenant: &[u8; 16], day: i64, counts: &Conversion) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO conversion (tenant, day, started, approved, canceled, expired, exhausted, failed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET started = started + ?3, approved = approved + ?4, canceled = canceled + ?5,
             expired = expired + ?6, exhausted = exhausted + ?7, failed = failed + ?8",
    )?
    .execute(params![
        tenant,
        day,
        counts.started.cast_signed(),
        counts.approved.cast_signed(),
        counts.canceled.cast_signed(),
        counts.expired.cast_signed(),
        counts.exhausted.cast_signed(),
        counts.failed.cast_signed(),
    ])?;
    Ok(())
}

/// The counts of a tenant's days, told apart as asked.
pub(super) fn usage(conn: &Connection, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
    let by = filter.by;
    let mut statement = conn.prepare_cached(
        "SELECT iif(?4, day, NULL) AS d, iif(?5, country, NULL) AS c, iif(?6, channel, NULL) AS h,
             iif(?7, class, NULL) AS l, iif(?8, carrier, NULL) AS r, sum(messages), sum(parts), sum(cost),
             sum(delivered), sum(undelivered), sum(expired), sum(rejected), sum(unknown), sum(latency_ms),
             sum(within_5s), sum(within_30s)
         FROM traffic WHERE tenant = ?1 AND day BETWEEN ?2 AND ?3 GROUP BY d, c, h, l, r ORDER BY d, c, h, l, r
         LIMIT ?9",
    )?;
    let rows = statement.query_map(
        params![
            bytes(&filter.tenant),
            filter.from,
            filter.to,
            by.day,
            by.country,
            by.channel,
            by.class,
            by.carrier,
            filter.limit,
        ],
        |row| {
            let count = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            Ok(UsageRow {
                day: row.get(0)?,
                country: row.get(1)?,
                channel: row.get(2)?,
                class: row.get(3)?,
                carrier: row.get(4)?,
                counts: Counts {
                    messages: count(5)?,
                    parts: count(6)?,
                    cost: count(7)?,
                    delivered: count(8)?,
                    undelivered: count(9)?,
                    expired: count(10)?,
                    rejected: count(11)?,
                    unknown: count(12)?,
                    latency_ms: count(13)?,
                    within_5s: count(14)?,
                    within_30s: count(15)?,
                },
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a tenant's verifications of these days came to.
pub(super) fn conversion(conn: &Connection, tenant: TenantId, from: i64, to: i64) -> Result<Conversion, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT coalesce(sum(started), 0), coalesce(sum(approved), 0), coalesce(sum(canceled), 0),
                 coalesce(sum(expired), 0), coalesce(sum(exhausted), 0), coalesce(sum(failed), 0)
             FROM conversion WHERE tenant = ? AND day BETWEEN ? AND ?",
        )?
        .query_row(params![bytes(&tenant), from, to], |row| {
            let count = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            Ok(Conversion {
                started: count(0)?,
                approved: count(1)?,
                canceled: count(2)?,
                expired: count(3)?,
                exhausted: count(4)?,
                failed: count(5)?,
            })
        })?)
}
