//! Lookalike tokens: from the mark of one to the record that it names.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::ids::{TenantId, bytes};
use crate::store::{Conflict, LookalikeMark, LookalikeRow, StoreError};

/// Adds a row; one that is there already may be added again, another's place may not be taken.
pub(super) fn add(tx: &Tx<'_>, row: &LookalikeRow) -> Result<(), StoreError> {
    let added = tx
        .conn
        .prepare_cached(
            "INSERT INTO lookalike (mark, tenant, record, tag) VALUES (?, ?, ?, ?) ON CONFLICT (mark) DO NOTHING",
        )?
        .execute(params![row.mark.0, bytes(&row.tenant), row.record, row.tag])?;
    if added > 0 || find(tx.conn, row.tenant, &[row.mark])?.first() == Some(&Some(*row)) {
        return Ok(());
    }
    Err(StoreError::Conflict(Conflict::Taken))
}

/// The row of each mark, in the order asked.
pub(super) fn find(
    conn: &Connection,
    tenant: TenantId,
    marks: &[LookalikeMark],
) -> Result<Vec<Option<LookalikeRow>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT * FROM lookalike WHERE mark = ? AND tenant = ?")?;
    let tenant = bytes(&tenant);
    marks.iter().map(|mark| Ok(statement.query_row(params![mark.0, tenant], lookalike).optional()?)).collect()
}

fn lookalike(row: &Row<'_>) -> rusqlite::Result<LookalikeRow> {
    Ok(LookalikeRow {
        mark: LookalikeMark(row.get("mark")?),
        tenant: id(row, "tenant")?,
        record: row.get("record")?,
        tag: row.get("tag")?,
    })
}
