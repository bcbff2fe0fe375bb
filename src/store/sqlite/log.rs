//! The audit log: entries appended in the transaction of the change that they tell of, each after the leaf before it.
//!
//! Other processes append to the same file, so each transaction reads the end of the log anew. Texts are kept packed
//! ([`packed`]); filters that look into them work on the text, after those that a column answers.

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, named_params, params};

use super::columns::maybe_id;
use super::packed::{self, Columns};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::event::told::About;
use crate::event::{Event, Leaf};
use crate::ids::bytes;
use crate::store::{EntryFilter, EntryRow, StoreError};

/// The end of the log: where the next entry goes.
#[derive(Clone, Copy)]
pub(super) struct Tip(i64);

/// An entry that waits for its place; made before the transaction, so that the writer only writes.
pub(super) struct Draft {
    tenant: Option<[u8; 16]>,
    at: Timestamp,
    action: String,
    about: About,
    leaf: Leaf,
    salt: [u8; 16],
    packed: Vec<u8>,
}

impl Draft {
    /// The entry of `event` under a salt drawn now.
    pub(super) fn of(event: &Event) -> Result<Self, StoreError> {
        let mut salt = [0; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| StoreError::Unavailable("no randomness from the operating system".into()))?;
        let entry = event.entry(salt);
        Ok(Self {
            tenant: event.tenant.as_ref().map(bytes),
            at: event.at,
            action: entry.action().to_owned(),
            about: event.what.about(),
            leaf: entry.leaf,
            salt,
            packed: packed::pack(&entry.text, Columns { tenant: event.tenant, at: event.at }),
        })
    }

    /// The name of what it tells.
    pub(super) fn action(&self) -> &str {
        &self.action
    }

    /// What it is about.
    pub(super) fn about(&self) -> About {
        self.about
    }

    /// Whose business it is.
    pub(super) fn tenant(&self) -> Option<[u8; 16]> {
        self.tenant
    }

    /// When it happened.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }
}

/// Appends the entries; gives the index of the first (0 if there are none) and their leaves.
pub(super) fn append(tx: &mut Tx<'_>, drafts: &[Draft]) -> Result<(u64, Vec<Leaf>), StoreError> {
    if drafts.is_empty() {
        return Ok((0, Vec::new()));
    }
    let Tip(mut next) = match tx.tip {
        Some(known) => known,
        None => tip(tx.conn)?,
    };
    let first = next.cast_unsigned();
    let mut insert = tx
        .conn
        .prepare_cached("INSERT INTO log (idx, node, tenant, at, leaf, salt, text) VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for Draft { tenant, at, leaf, salt, packed, .. } in drafts {
        insert.execute(params![next, tx.node, tenant, at, leaf, salt, packed])?;
        next += 1;
    }
    tx.tip = Some(Tip(next));
    Ok((first, drafts.iter().map(|draft| draft.leaf).collect()))
}

fn tip(conn: &Connection) -> rusqlite::Result<Tip> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT idx FROM log ORDER BY idx DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(Tip(last.map_or(0, |last| last + 1)))
}

/// Entries in order, as the filter asks.
///
/// Walks the log in stretches, each a short read, so that a long search neither holds a snapshot nor runs for ever: past
/// [`PATIENCE`] it gives up with an error rather than with an answer that looks whole.
pub(super) fn entries(conn: &Connection, filter: &EntryFilter) -> Result<Vec<EntryRow>, StoreError> {
    let started = Instant::now();
    let Tip(end) = tip(conn)?;
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
    let mut leaves = conn.prepare_cached("SELECT leaf FROM log WHERE idx = ?")?;
    let wanted = Wanted::of(filter);
    let mut rows = statement.query(named_params! {
        ":tenant": filter.tenant.as_ref().map(bytes),
        ":first": from,
        ":end": to,
        ":from": filter.from,
        ":to": filter.to,
    })?;
    while found.len() < filter.limit as usize
        && let Some(row) = rows.next()?
    {
        let columns = Columns { tenant: maybe_id(row, "tenant")?, at: row.get("at")? };
        let packed: Vec<u8> = row.get("text")?;
        let text = packed::unpack(&packed, columns).ok_or(StoreError::Corrupt("log entry"))?;
        if wanted.matches(&text) {
            found.push(entry(row, text, &mut leaves)?);
        }
    }
    Ok(())
}

macro_rules! entries_where {
    ($tenant:literal) => {
        concat!(
            "SELECT idx, tenant, at, leaf, salt, text FROM log WHERE ",
            $tenant,
            " AND idx >= :first AND idx < :end AND text IS NOT NULL
              AND (:from IS NULL OR at >= :from) AND (:to IS NULL OR at < :to) ORDER BY idx"
        )
    };
}

const OF_TENANT: &str = entries_where!("tenant = :tenant");
const OF_ALL: &str = entries_where!("(:tenant IS NULL OR TRUE)");

/// What a filter asks of the text itself.
struct Wanted<'a> {
    /// The text sorts its keys, so that it begins with the action.
    action: Option<String>,
    names: Option<String>,
    outcome: Option<String>,
    actor: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(filter: &'a EntryFilter) -> Self {
        let quoted = |text: &String| serde_json::Value::from(&**text).to_string();
        Self {
            action: filter.action.as_ref().map(|action| format!("{{\"action\":{},", quoted(action))),
            names: filter.names.as_ref().map(quoted),
            outcome: filter.outcome.as_ref().map(quoted),
            actor: filter.actor.as_deref(),
        }
    }

    /// Looks for words first, and reads the text only where they occur.
    fn matches(&self, text: &str) -> bool {
        self.action.as_ref().is_none_or(|action| text.starts_with(action))
            && self.names.as_ref().is_none_or(|names| text.contains(names))
            && self.outcome.as_ref().is_none_or(|outcome| text.contains(&format!("\"outcome\":{outcome}")))
            && self.actor.is_none_or(|actor| is_by(text, actor))
    }
}

/// Whether the entry says that this person or credential did it.
fn is_by(text: &str, actor: &str) -> bool {
    let entry: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    ["/actor/id", "/actor/person"].into_iter().any(|place| entry.pointer(place).is_some_and(|found| found == actor))
}

fn entry(row: &Row<'_>, text: String, leaves: &mut CachedStatement<'_>) -> rusqlite::Result<EntryRow> {
    let index: i64 = row.get("idx")?;
    // The very first entry follows none.
    let previous = leaves.query_row([index - 1], |row| row.get(0)).optional()?.unwrap_or(Leaf([0; 32]));
    Ok(EntryRow { index: index.cast_unsigned(), leaf: row.get("leaf")?, previous, salt: row.get("salt")?, text })
}
