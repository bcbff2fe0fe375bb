//! Finding or making the records of numbers, and telling of them, in one transaction.
//!
//! What is told names the record that stands for each number, which only the transaction knows. So the entry is made
//! inside it, by the caller's word: one round trip, and the same work whether a number was known or not.

use super::change::{Change, StoreError, Write};
use super::rows::TokenRow;
use super::store::Store;
use crate::event::Event;
use crate::ids::{RecordId, TenantId};

/// Numbers to be held.
pub struct Holding {
    /// Whose.
    pub tenant: TenantId,
    /// A new record for each number. A canonical one gives way to the record that stands for its number already. In
    /// the order of their indexes and ids is quickest.
    pub rows: Vec<TokenRow>,
    /// Audiences to be remembered along.
    pub audiences: Vec<String>,
    /// Tells of the records, which come in the order of the rows.
    pub telling: Telling,
}

/// Makes the event, once the records are known; may be asked more than once. Must not wait: the writer waits for it.
pub type Telling = Box<dyn Fn(&[RecordId]) -> Event + Send + Sync>;

/// Holds by reading first and committing then, as often as somebody else comes between: for adapters that have no
/// better way.
pub(super) async fn in_steps<S: Store + ?Sized>(store: &S, holding: Holding) -> Result<Vec<RecordId>, StoreError> {
    let Holding { tenant, rows, audiences, telling } = holding;
    let canonical: Vec<_> = rows.iter().filter(|row| row.canonical).map(|row| row.index).collect();
    for _ in 0..ROUNDS {
        let mut known = store.tokens_by_index(tenant, &canonical).await?.into_iter();
        let (mut records, mut made) = (Vec::with_capacity(rows.len()), Vec::<TokenRow>::new());
        for row in &rows {
            let stands = if row.canonical { known.next().flatten().map(|known| known.id) } else { None };
            let twin = made.iter().find(|made| row.canonical && made.canonical && made.index == row.index);
            match stands.or(twin.map(|twin| twin.id)) {
                Some(record) => records.push(record),
                None => {
                    records.push(row.id);
                    made.push(row.clone());
                }
            }
        }
        let mut change = Change::telling(telling(&records));
        change.writes.extend(audiences.iter().map(|name| Write::Audience { tenant, audience: name.clone() }));
        change.writes.extend(made.into_iter().map(Write::Token));
        match store.commit(change).await {
            Ok(_) => return Ok(records),
            Err(StoreError::TokenExists(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StoreError::Unavailable("a number's record changed under every attempt".into()))
}

const ROUNDS: u32 = 4;
