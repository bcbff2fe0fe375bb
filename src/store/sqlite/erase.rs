//! Forgetting a person or one record, in the transaction that tells of it.
//!
//! The caller read what there is a moment before ([`super::people`]); whatever came in since is a conflict, so that the
//! events that it made tell of all that goes. `secure_delete` makes what is deleted here zeros in the file, and the
//! checkpoint that follows takes it out of the WAL.

use rusqlite::{OptionalExtension, params};

use super::writer::Tx;
use super::{leg, people, place};
use crate::clock::Timestamp;
use crate::ids::{AliasId, RecordId, TenantId, bytes};
use crate::store::{AliasRow, AliasStatus, BlindIndex, Conflict, Erased, Erasure, LegKey, LegTarget, StoreError};

/// A person's place in what is left of an alias: no index under any key.
const NOBODY: BlindIndex = BlindIndex([0; 16]);

pub(super) fn erase(tx: &Tx<'_>, what: &Erasure) -> Result<Erased, StoreError> {
    let mut erased = Erased { tokens: records(tx, what)?, ..Erased::default() };
    for alias in &what.aliases {
        erased.aliases += 1;
        forget_alias(tx, what, alias)?;
    }
    refuse_new_aliases(tx, what)?;
    erased.verifications = verifications(tx, what)?;
    forget_asked(tx, what)?;
    erased.seats = seats(tx, what)?;
    erased.deliveries = drop_queued(tx, what.tenant, &what.conversations)?;
    if what.whole {
        let counts = tx
            .conn
            .prepare_cached("DELETE FROM failure WHERE tenant = ? AND party = ? RETURNING count")?
            .query_map(params![bytes(&what.tenant), what.index], |row| row.get(0))?
            .collect::<Result<Vec<u32>, _>>()?;
        erased.failures = counts.into_iter().map(u64::from).sum();
    }
    if let Some((person, epoch)) = what.sealed {
        set_epoch(tx, what.tenant, person, epoch)?;
    }
    Ok(erased)
}

/// Exactly the records that were read; of a whole person none may have come since.
fn records(tx: &Tx<'_>, what: &Erasure) -> Result<u64, StoreError> {
    let tenant = bytes(&what.tenant);
    let mut delete = tx.conn.prepare_cached("DELETE FROM token WHERE id = ? AND tenant = ?")?;
    for record in &what.records {
        if delete.execute(params![record, tenant])? == 0 {
            return Err(StoreError::Conflict(Conflict::Missing));
        }
    }
    let left = "SELECT count(*) FROM token WHERE idx = ? AND tenant = ?";
    if what.whole && people::count(tx.conn, left, &[&what.index, &tenant])? > 0 {
        return Err(StoreError::Conflict(Conflict::Taken));
    }
    Ok(what.records.len() as u64)
}

/// Ends an alias if it carries, and takes the person out of everything that it left. A whole person's aliases go
/// altogether; else they stay as what the tenant had, without the person.
fn forget_alias(tx: &Tx<'_>, what: &Erasure, alias: &AliasRow) -> Result<(), StoreError> {
    let id = bytes(&alias.id);
    let person = alias.people().into_iter().map(|party| party.index).find(|index| what.places.contains(index));
    let person = person.unwrap_or(NOBODY);
    if alias.outlives(person) {
        return leave_team(tx, what, alias, person);
    }
    end(tx, what, alias, person)?;
    leave_places(tx, alias, person)?;
    tx.conn.prepare_cached("DELETE FROM sender WHERE alias = ?")?.execute([id])?;
    tx.conn
        .prepare_cached(
            "UPDATE message SET body = NULL, disclosed = NULL, to_number = iif(to_number IS NULL, NULL, x''),
                 status = iif(status < 2, 6, status)
             WHERE alias = ? AND (body IS NOT NULL OR disclosed IS NOT NULL OR status < 2)",
        )?
        .execute([id])?;
    if what.whole {
        tx.conn.prepare_cached("DELETE FROM alias WHERE id = ?")?.execute([id])?;
    } else {
        tx.conn
            .prepare_cached(
                "UPDATE alias SET a_index = iif(a_index = ?1, ?2, a_index), b_index = iif(b_index = ?1, ?2, b_index)
                 WHERE id = ?3",
            )?
            .execute(params![person, NOBODY, id])?;
        tx.conn
            .prepare_cached("UPDATE alias_member SET idx = ? WHERE alias = ? AND idx = ?")?
            .execute(params![NOBODY, id, person])?;
    }
    Ok(())
}

/// Takes a member out of a team that goes on. What waits for the others stays.
fn leave_team(tx: &Tx<'_>, what: &Erasure, alias: &AliasRow, person: BlindIndex) -> Result<(), StoreError> {
    let id = bytes(&alias.id);
    tx.conn.prepare_cached("DELETE FROM leg WHERE alias = ? AND party = ?")?.execute(params![id, person])?;
    tx.conn.prepare_cached("DELETE FROM alias_member WHERE alias = ? AND idx = ?")?.execute(params![id, person])?;
    let was_named = tx
        .conn
        .prepare_cached("UPDATE alias SET b_record = NULL, b_index = NULL WHERE id = ? AND b_index = ?")?
        .execute(params![id, person])?;
    if was_named > 0 {
        let (kind, target) = leg::stored(LegTarget::Members);
        tx.conn
            .prepare_cached("UPDATE leg SET kind = ?, target = ? WHERE alias = ? AND party = ?")?
            .execute(params![kind, target, id, alias.a.index])?;
    }
    let mut forget = tx.conn.prepare_cached("DELETE FROM message WHERE alias = ? AND to_record = ?")?;
    for record in &what.records {
        forget.execute(params![id, record])?;
    }
    leave_places(tx, alias, person)
}

/// The other party's place is kept from others for a while, a number that took messages from anyone rests; but who the
/// person was is not kept.
fn end(tx: &Tx<'_>, what: &Erasure, alias: &AliasRow, person: BlindIndex) -> Result<(), StoreError> {
    let ended = tx
        .conn
        .prepare_cached("UPDATE alias SET status = ?, ended_at = ? WHERE id = ? AND status = 0")?
        .execute(params![AliasStatus::Released, tx.now, bytes(&alias.id)])?;
    if ended == 0 {
        return Ok(());
    }
    if alias.status != AliasStatus::Active {
        // Nobody told of its end: read again.
        return Err(StoreError::Conflict(Conflict::Taken));
    }
    let kept = place::Kept { cool_until: what.cool_until, rest_until: what.rest_until };
    for (x, key) in leg::take(tx, alias)? {
        if key != LegKey::Person(person) {
            place::keep(tx, x, &key, None, &kept)?;
        }
    }
    alias.numbers().try_for_each(|x| place::unload(tx, alias, x, None, &kept))
}

/// What earlier ends of this alias kept of the person.
fn leave_places(tx: &Tx<'_>, alias: &AliasRow, person: BlindIndex) -> Result<(), StoreError> {
    for x in alias.numbers() {
        let at = params![x, person];
        tx.conn.prepare_cached("DELETE FROM cooling WHERE x = ? AND party = ?")?.execute(at)?;
        tx.conn.prepare_cached("UPDATE cooling SET counterpart = NULL WHERE x = ? AND counterpart = ?")?.execute(at)?;
        tx.conn
            .prepare_cached(
                "UPDATE number SET rest_tenant = NULL, rest_party = NULL
                 WHERE x = ? AND rest_party = ? AND rest_tenant = ?",
            )?
            .execute(params![x, person, bytes(&alias.tenant)])?;
    }
    Ok(())
}

/// What an erasure is of: a whole person, or each of these records.
fn meant(what: &Erasure) -> Vec<Option<RecordId>> {
    if what.whole { vec![None] } else { what.records.iter().copied().map(Some).collect() }
}

/// An alias that was bound since the reading has an event to come.
fn refuse_new_aliases(tx: &Tx<'_>, what: &Erasure) -> Result<(), StoreError> {
    for record in meant(what) {
        for place in &what.places {
            if people::is_bound(tx.conn, what.tenant, *place, record)? {
                return Err(StoreError::Conflict(Conflict::Taken));
            }
        }
    }
    Ok(())
}

/// What the tenant itself sent: nothing waits any more, and no text is left. Of a whole person the rows go after it, by
/// [`forget_messages`]; else they stay as what the tenant did, without the person.
fn forget_asked(tx: &Tx<'_>, what: &Erasure) -> Result<(), StoreError> {
    for record in meant(what) {
        tx.conn
            .prepare_cached(
                "UPDATE message SET body = NULL, disclosed = NULL, status = iif(status < 2, 6, status),
                     party = iif(?3 IS NULL, party, ?4)
                 WHERE tenant = ?1 AND party = ?2 AND (?3 IS NULL OR to_record = ?3)
                   AND (?3 IS NOT NULL OR body IS NOT NULL OR disclosed IS NOT NULL OR status < 2)",
            )?
            .execute(params![bytes(&what.tenant), what.index, record, NOBODY])?;
    }
    Ok(())
}

fn verifications(tx: &Tx<'_>, what: &Erasure) -> Result<u64, StoreError> {
    for id in &what.verifications {
        tx.conn.prepare_cached("DELETE FROM verification_send WHERE verification = ?")?.execute([bytes(id)])?;
        tx.conn.prepare_cached("DELETE FROM verification WHERE id = ?")?.execute([bytes(id)])?;
    }
    let left = "SELECT count(*) FROM verification WHERE party = ?1 AND tenant = ?2 AND (?3 IS NULL OR record = ?3)";
    for record in meant(what) {
        if people::count(tx.conn, left, &[&what.index, &bytes(&what.tenant), &record])? > 0 {
            return Err(StoreError::Conflict(Conflict::Taken));
        }
    }
    Ok(what.verifications.len() as u64)
}

/// Seats as a sender, and parts of messages that are not whole yet: few rows, which live for minutes.
fn seats(tx: &Tx<'_>, what: &Erasure) -> Result<u64, StoreError> {
    let mut count = 0;
    for seat in &what.seats {
        let mut delete = tx.conn.prepare_cached("DELETE FROM sender WHERE alias = ? AND idx = ?")?;
        count += delete.execute(params![bytes(&seat.alias), seat.index])? as u64;
    }
    if what.whole {
        let mut parts = tx.conn.prepare_cached("DELETE FROM part WHERE sender = ?")?;
        for place in &what.places {
            parts.execute([place])?;
        }
    }
    Ok(count)
}

/// Drops what waits, and what is under way too: whoever delivers it now finds its row gone.
fn drop_queued(tx: &Tx<'_>, tenant: TenantId, conversations: &[BlindIndex]) -> Result<u64, StoreError> {
    let mut dropped = 0;
    for conversation in conversations {
        let tasks = tx
            .conn
            .prepare_cached("DELETE FROM outbox WHERE conversation = ? AND tenant = ? RETURNING task")?
            .query_map(params![conversation, bytes(&tenant)], |row| row.get(0))?
            .collect::<Result<Vec<Vec<u8>>, _>>()?;
        for message in tasks.iter().filter_map(|task| task.strip_prefix(b"m")) {
            tx.conn
                .prepare_cached(
                    "UPDATE message SET body = NULL, disclosed = NULL,
                         to_number = iif(to_number IS NULL, NULL, x''), status = 6
                     WHERE id = ? AND status < 2",
                )?
                .execute([message])?;
        }
        dropped += tasks.len() as u64;
        tx.conn
            .prepare_cached(
                "UPDATE outbox SET head = 1
                 WHERE id = (SELECT id FROM outbox WHERE conversation = ? ORDER BY id LIMIT 1)",
            )?
            .execute([conversation])?;
    }
    Ok(dropped)
}

/// The list only moves forward. The first entry of a tenant tells every process to look from now on.
pub(super) fn set_epoch(tx: &Tx<'_>, tenant: TenantId, person: BlindIndex, epoch: u8) -> Result<(), StoreError> {
    let tenant = bytes(&tenant);
    tx.conn
        .prepare_cached(
            "INSERT INTO erasure (tenant, person, epoch) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        )?
        .execute(params![tenant, person, epoch])?;
    let first = tx
        .conn
        .prepare_cached("UPDATE tenant SET erasures = 1 WHERE id = ? AND erasures = 0 RETURNING 1")?
        .query_row([tenant], |row| row.get::<_, i64>(0))
        .optional()?;
    match first {
        Some(_) => super::access::moved(tx),
        None => Ok(()),
    }
}

/// Gives how many went.
pub(super) fn forget_messages(
    tx: &Tx<'_>,
    tenant: TenantId,
    of: &[AliasId],
    party: Option<BlindIndex>,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut gone = tx
        .conn
        .prepare_cached(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE tenant = ?1 AND party = ?2 LIMIT ?3)",
        )?
        .execute(params![bytes(&tenant), party, limit])? as u64;
    for alias in of {
        let left = u64::from(limit).saturating_sub(gone);
        gone += tx
            .conn
            .prepare_cached(
                "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE alias = ?1 LIMIT ?3) AND tenant = ?2",
            )?
            .execute(params![bytes(alias), bytes(&tenant), left.cast_signed()])? as u64;
    }
    Ok(gone)
}

pub(super) fn use_proof(tx: &Tx<'_>, jti: &[u8; 32], until: Timestamp) -> Result<(), StoreError> {
    tx.conn.prepare_cached("DELETE FROM used_proof WHERE until <= ?")?.execute([tx.now])?;
    let used = tx
        .conn
        .prepare_cached("INSERT INTO used_proof (jti, until) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![jti, until])?;
    if used == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
}
