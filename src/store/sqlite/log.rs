//! The audit log: entries appended in the transaction of the change that they tell of, each naming the leaf before it.
//!
//! Other processes append to the same file, so each transaction reads the end of the log anew.

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::writer::Tx;
use crate::clock::Timestamp;
use crate::event::{Entry, Event, Leaf};
use crate::ids::{TenantId, bytes};
use crate::store::{EntryFilter, EntryRow, StoreError};

/// The end of the log: where the next entry goes, and the leaf before it.
#[derive(Clone, Copy)]
pub(super) struct Tip {
    next: i64,
    leaf: Leaf,
}

/// An entry that waits for its place; made before the transaction, so that the writer only writes.
pub(super) struct Draft {
    tenant: Option<TenantId>,
    at: Timestamp,
    entry: Entry,
}

impl Draft {
    /// The entry of `event` under a salt drawn now.
    pub(super) fn of(event: &Event) -> Result<Self, StoreError> {
        let mut salt = [0; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| StoreError::Unavailable("no randomness from the operating system".into()))?;
        Ok(Self { tenant: event.tenant, at: event.at, entry: event.entry(salt) })
    }

    /// The name of what it tells.
    pub(super) fn action(&self) -> &str {
        self.entry.action()
    }
}

/// Appends the entries; gives the index of the first (0 if there are none) and their leaves.
pub(super) fn append(tx: &mut Tx<'_>, drafts: &[Draft]) -> Result<(u64, Vec<Leaf>), StoreError> {
    if drafts.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut tip = match tx.tip {
        Some(known) => known,
        None => tip(tx.conn)?,
    };
    let first = tip.next.cast_unsigned();
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO log (idx, node, tenant, at, leaf, previous, salt, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for Draft { tenant, at, entry } in drafts {
        let tenant = tenant.as_ref().map(bytes);
        insert.execute(params![tip.next, tx.node, tenant, at, entry.leaf, tip.leaf, entry.salt, entry.text])?;
        tip = Tip { next: tip.next + 1, leaf: entry.leaf };
    }
    tx.tip = Some(tip);
    Ok((first, drafts.iter().map(|draft| draft.entry.leaf).collect()))
}

fn tip(conn: &Connection) -> rusqlite::Result<Tip> {
    let last = conn
        .prepare_cached("SELECT idx, leaf FROM log ORDER BY idx DESC LIMIT 1")?
        .query_row([], |row| Ok(Tip { next: row.get::<_, i64>(0)? + 1, leaf: row.get(1)? }))
        .optional()?;
    Ok(last.unwrap_or(Tip { next: 0, leaf: Leaf([0; 32]) }))
}

/// Entries in order, as the filter asks.
///
/// Walks the log in stretches, each a short read, so that a long search neither holds a snapshot nor runs for ever: past
/// [`PATIENCE`] it gives up with an error rather than with an answer that looks whole.
pub(super) fn entries(conn: &Connection, filter: &EntryFilter) -> Result<Vec<EntryRow>, StoreError> {
    let started = Instant::now();
    let end = tip(conn)?.next;
    let mut from = filter.after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX).saturating_add(1));
    let mut found = Vec::new();
    while from < end && found.len() < filter.limit as usize {
        let to = from.saturating_add(STRETCH);
        stretch(conn, filter, from, to, &mut found)?;
        from = to;
        if started.elapsed() > PATIENCE {
            return Err(StoreError::Unavailable("the search took too long; narrow it by time".into()));
        }
    }
    Ok(found)
}

/// Entries looked at in one read.
const STRETCH: i64 = 50_000;
/// How long a search may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Adds what matches from index `from` up to, not including, `to`.
fn stretch(
    conn: &Connection,
    filter: &EntryFilter,
    from: i64,
    to: i64,
    found: &mut Vec<EntryRow>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(if filter.tenant.is_some() { OF_TENANT } else { OF_ALL })?;
    let left = u64::from(filter.limit).saturating_sub(found.len() as u64);
    // The canonical text sorts its keys, so that it begins with the action.
    let action = filter.action.as_ref().map(|action| format!("{{\"action\":{},", serde_json::Value::from(&**action)));
    let rows = statement.query_map(
        named_params! {
            ":tenant": filter.tenant.as_ref().map(bytes),
            ":first": from,
            ":end": to,
            ":from": filter.from,
            ":to": filter.to,
            ":action": action,
            ":outcome": filter.outcome,
            ":actor": filter.actor,
            ":names": filter.names.as_ref().map(|name| format!("\"{name}\"")),
            ":limit": left.cast_signed(),
        },
        entry,
    )?;
    for row in rows {
        found.push(row?);
    }
    Ok(())
}

macro_rules! entries_where {
    ($tenant:literal) => {
        concat!(
            "SELECT idx, leaf, previous, salt, text FROM log WHERE ",
            $tenant,
            " AND idx >= :first AND idx < :end AND text IS NOT NULL
              AND (:from IS NULL OR at >= :from) AND (:to IS NULL OR at < :to)
              AND (:action IS NULL OR substr(text, 1, length(:action)) = :action)
              AND (:names IS NULL OR instr(text, :names) > 0)
              AND (:outcome IS NULL OR json_extract(text, '$.outcome') = :outcome)
              AND (:actor IS NULL OR :actor IN (json_extract(text, '$.actor.id'), json_extract(text, '$.actor.person')))
              ORDER BY idx LIMIT :limit"
        )
    };
}

const OF_TENANT: &str = entries_where!("tenant = :tenant");
const OF_ALL: &str = entries_where!("(:tenant IS NULL OR TRUE)");

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        index: row.get::<_, i64>("idx")?.cast_unsigned(),
        leaf: row.get("leaf")?,
        previous: row.get("previous")?,
        salt: row.get("salt")?,
        text: row.get("text")?,
    })
}
