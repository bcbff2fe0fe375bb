//! Each event put before the endpoints that want it, in the transaction that tells of it.
//!
//! The writer keeps who wants what in memory and asks once in a transaction whether that still holds, so that a commit
//! which nobody subscribed to pays for one row read among up to 256 commits. An endpoint of an audience is told only of
//! what that audience's aliases and verifications are about.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::log::Draft;
use super::writer::Tx;
use crate::event::told::{self, About};
use crate::ids::{RecordId, TenantId, WebhookId, bytes, from_bytes};
use crate::store::{StoreError, Write};

/// Who wants to be told of what, as of one version.
#[derive(Default)]
pub(super) struct Subscriptions {
    version: Option<i64>,
    /// Whether the version was looked at in this transaction.
    is_current: bool,
    of: HashMap<TenantId, Vec<Subscriber>>,
}

struct Subscriber {
    tenant: TenantId,
    webhook: WebhookId,
    audience: Option<String>,
    patterns: Vec<String>,
}

impl Subscriptions {
    /// Looks again before the next use: a transaction began, or a write moved the version.
    pub(super) fn doubt(&mut self) {
        self.is_current = false;
    }

    /// What it was read at, to be held against what it is after something was taken back.
    pub(super) fn version(&self) -> Option<i64> {
        self.version
    }

    /// Forgets what was read since `version`, which was taken back.
    pub(super) fn back_to(&mut self, version: Option<i64>) {
        if self.version != version {
            *self = Self::default();
        }
        self.is_current = false;
    }

    fn refresh(&mut self, conn: &Connection) -> Result<(), StoreError> {
        if self.is_current {
            return Ok(());
        }
        let version: i64 =
            conn.prepare_cached("SELECT value FROM meta WHERE key = 'webhooks'")?.query_row([], |row| row.get(0))?;
        if self.version != Some(version) {
            self.of = read(conn)?;
            self.version = Some(version);
        }
        self.is_current = true;
        Ok(())
    }

    fn of(&self, tenant: Option<[u8; 16]>) -> &[Subscriber] {
        tenant.and_then(|tenant| self.of.get(&from_bytes(tenant))).map_or(&[], Vec::as_slice)
    }
}

fn read(conn: &Connection) -> Result<HashMap<TenantId, Vec<Subscriber>>, StoreError> {
    let mut of: HashMap<TenantId, Vec<Subscriber>> = HashMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT * FROM webhook WHERE deleted = 0 AND disabled IS NULL
           AND tenant NOT IN (SELECT id FROM tenant WHERE erased_at IS NOT NULL)",
    )?;
    for row in statement.query_map([], super::webhook::webhook)? {
        let row = row?;
        let subscriber =
            Subscriber { tenant: row.tenant, webhook: row.id, audience: row.audience, patterns: row.events };
        of.entry(row.tenant).or_default().push(subscriber);
    }
    Ok(of)
}

impl Subscriber {
    /// Whether the endpoint wants this event, leaving its audience aside.
    fn wants(&self, draft: &Draft) -> bool {
        match draft.about() {
            About::Webhook(only) => only == self.webhook,
            _ => self.patterns.iter().any(|pattern| told::wants(pattern, draft.action())),
        }
    }
}

/// What the events of a change are about, as far as endpoints of an audience ask: looked up before the writes, since
/// what ends may be gone after them, and again after them for what begins.
#[derive(Default)]
pub(super) struct Audiences(Vec<Option<Option<String>>>);

/// Looks who may be told of what is there before the change.
pub(super) fn before(tx: &mut Tx<'_>, drafts: &[Draft]) -> Result<Audiences, StoreError> {
    tx.subscriptions.refresh(tx.conn)?;
    if tx.subscriptions.of.is_empty() {
        return Ok(Audiences::default());
    }
    let found = drafts.iter().map(|draft| audience(tx.conn, tx.subscriptions, draft)).collect::<Result<_, _>>()?;
    Ok(Audiences(found))
}

/// The audience of what an event is about; none if nobody asks, or it is not there.
fn audience(conn: &Connection, to: &Subscriptions, draft: &Draft) -> Result<Option<Option<String>>, StoreError> {
    if !to.of(draft.tenant()).iter().any(|one| one.audience.is_some() && one.wants(draft)) {
        return Ok(None);
    }
    let (sql, id) = match draft.about() {
        About::Tenant | About::Webhook(_) => return Ok(None),
        About::Alias(id) => ("SELECT audience FROM alias WHERE id = ?", bytes(&id)),
        About::Message(id) => (
            "SELECT iif(m.alias IS NULL, m.asked_in, a.audience) FROM message AS m
                 LEFT JOIN alias AS a ON a.id = m.alias WHERE m.id = ?",
            bytes(&id),
        ),
        About::Verification(id) => ("SELECT audience FROM verification WHERE id = ?", bytes(&id)),
    };
    Ok(conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// Puts the events of a change, which stand in the log from `first` on, before the endpoints that want them. Gives which
/// those are.
pub(super) fn tell(
    tx: &mut Tx<'_>,
    drafts: &[Draft],
    first: u64,
    known: &Audiences,
    erased: &[RecordId],
) -> Result<Vec<(TenantId, WebhookId)>, StoreError> {
    tx.subscriptions.refresh(tx.conn)?;
    let mut called = Vec::new();
    if tx.subscriptions.of.is_empty() {
        return Ok(called);
    }
    let mut erased = erased.iter();
    for (place, (draft, index)) in drafts.iter().zip(first..).enumerate() {
        let record = if draft.action() == "token.erased" { erased.next() } else { None };
        let wanting: Vec<&Subscriber> =
            tx.subscriptions.of(draft.tenant()).iter().filter(|one| one.wants(draft)).collect();
        if wanting.is_empty() {
            continue;
        }
        let of = match known.0.get(place) {
            Some(Some(of)) => Some(of.clone()),
            _ => audience(tx.conn, tx.subscriptions, draft)?,
        };
        for one in wanting.into_iter().filter(|one| may_hear(one, draft, of.as_ref())) {
            put(tx, one.webhook, draft, index, record)?;
            called.push((one.tenant, one.webhook));
        }
    }
    Ok(called)
}

/// The tenant's own endpoints hear all that is the tenant's; those of an audience what is that audience's.
fn may_hear(one: &Subscriber, draft: &Draft, of: Option<&Option<String>>) -> bool {
    one.audience.is_none()
        || matches!(draft.about(), About::Webhook(_))
        || of.is_some_and(|audience| *audience == one.audience)
}

fn put(
    tx: &Tx<'_>,
    webhook: WebhookId,
    draft: &Draft,
    index: u64,
    record: Option<&RecordId>,
) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO webhook_delivery (webhook, tenant, idx, action, at, record, state, attempts, due)
             VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?)",
        )?
        .execute(params![
            bytes(&webhook),
            draft.tenant(),
            index.cast_signed(),
            draft.action(),
            draft.at(),
            record,
            tx.now,
        ])?;
    Ok(())
}

/// Whether one of these writes changes who is told of what.
pub(super) fn is_moved_by(writes: &[Write]) -> bool {
    let moves = |write: &Write| {
        matches!(
            write,
            Write::Webhook(_)
                | Write::ChangeWebhook { .. }
                | Write::SwitchWebhook { .. }
                | Write::DeleteWebhook { .. }
                | Write::EraseTenant { .. }
        )
    };
    writes.iter().any(moves)
}

/// The records that these writes erase, in the order of the events that tell of them.
pub(super) fn erased(writes: &[Write]) -> Vec<RecordId> {
    let of = |write: &Write| match write {
        Write::Erase(what) => what.records.clone(),
        _ => Vec::new(),
    };
    writes.iter().flat_map(of).collect()
}
