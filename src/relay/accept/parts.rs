//! Parts of longer messages: each is durable when it is acknowledged, the last one carries the whole.
//!
//! Who completes a message takes its parts out in the commit that carries it; of two who do so at once, one wins. What
//! stays incomplete for five minutes is carried as far as it is known, with an ellipsis for what is missing. More than ten
//! parts are not begun with: what leaves has no more than that either.

use zeroize::Zeroizing;

use super::passage::Way;
use super::writer::{self, Writer};
use super::{Content, Envelope, Halt, Refusal, stop};
use crate::carrier::{Accepted, Part};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::TenantId;
use crate::keyring::SystemKeys;
use crate::message::{Alphabet, Encoded, MAX_SEGMENTS};
use crate::relay::Relay;
use crate::relay::phrases::Say;
use crate::store::{Change, PartKey, PartRow, StoreError, Unknown, Write};

/// A part, opened.
struct Piece {
    number: u8,
    body: Encoded,
}

impl Relay {
    /// Takes one part: keeps it, or carries the whole if it was the last.
    pub(super) async fn gather(&self, envelope: &Envelope, part: Part, body: Encoded) -> Result<Accepted, Halt> {
        let tenant = match self.admit_part(envelope, part).await {
            Ok(tenant) => tenant,
            Err(Halt::Refused(refusal)) => return self.refuse_part(envelope, refusal).await,
            Err(halt) => return Err(halt),
        };
        let key = part_key(envelope, part);
        let sealed = sealed(&self.keyring.system(), &key, part.number, &envelope.writer, &body);
        let row = PartRow { number: part.number, body: sealed, at: self.store.now() };
        let mut known = self.store.parts(&key).await?;
        if known.iter().any(|row| row.number == part.number && !self.holds(&key, row, &body)) {
            // The writer gave its reference to another message before this one was whole: it stays as far as it came.
            match self.assemble(envelope, &key, std::mem::take(&mut known), Vec::new()).await {
                Ok(_) | Err(Halt::Taken) => known = self.store.parts(&key).await?,
                Err(halt) => return Err(halt),
            }
        }
        if known.iter().all(|known| known.number != part.number) && known.len() + 1 == usize::from(part.total) {
            let mut writes = vec![Write::Part { key: key.clone(), part: row.clone() }];
            writes.extend(self.hearing(envelope));
            known.push(row.clone());
            match self.assemble(envelope, &key, known, writes).await {
                Err(Halt::Taken) => {}
                settled => return settled,
            }
        }
        let (part, of) = (u64::from(part.number), u64::from(part.total));
        let what = What::MessagePartReceived { number: envelope.to, part, of };
        let event = self.told_by(&envelope.carrier, Some(tenant), None, what);
        let mut change = Change::telling(event).with(Write::Part { key: key.clone(), part: row });
        change.writes.extend(self.hearing(envelope));
        self.store.commit(change).await?;
        self.complete(envelope, &key).await
    }

    /// Whether a part is worth keeping; whose it is, as far as can be told before the whole is read.
    async fn admit_part(&self, envelope: &Envelope, part: Part) -> Result<TenantId, Halt> {
        let way = self.way(envelope).await?;
        let (tenant, alias) = stop::speaker(envelope, &way);
        match way {
            Way::Leg(way, senders) => drop(self.permitted(*way, senders)?),
            Way::Unknown(Some(alias)) if alias.unknown == Unknown::Webhook && !self.is_over(&alias) => {}
            Way::Unknown(alias) => return Err(Halt::Refused(self.unknown_refusal(envelope, alias.as_deref()))),
            Way::Extensions => {}
        }
        let refusal = |reason| Refusal { reason, tenant: Some(tenant), alias, say: None };
        if part.total < 2 || !(1..=part.total).contains(&part.number) {
            return Err(Halt::Refused(refusal("bad_part")));
        }
        if usize::from(part.total) > MAX_SEGMENTS {
            return Err(Halt::Refused(refusal("too_long").saying(Say::TooLong)));
        }
        Ok(tenant)
    }

    /// Whether a part that was kept is this very one, come again.
    fn holds(&self, key: &PartKey, row: &PartRow, body: &Encoded) -> bool {
        opened(&self.keyring.system(), key, row)
            .is_some_and(|(_, kept)| kept.body.alphabet == body.alphabet && *kept.body.octets == *body.octets)
    }

    /// After a part was kept: another may have come meanwhile, and neither saw the other.
    async fn complete(&self, envelope: &Envelope, key: &PartKey) -> Result<Accepted, Halt> {
        let known = self.store.parts(key).await?;
        if known.len() < usize::from(key.total) {
            return Ok(Accepted::AwaitingParts);
        }
        match self.assemble(envelope, key, known, Vec::new()).await {
            Err(Halt::Taken) => Ok(Accepted::Carried),
            settled => settled,
        }
    }

    async fn assemble(
        &self,
        envelope: &Envelope,
        key: &PartKey,
        rows: Vec<PartRow>,
        mut writes: Vec<Write>,
    ) -> Result<Accepted, Halt> {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let keys = self.keyring.system();
        let opened: Option<Vec<Piece>> = rows.iter().map(|row| Some(opened(&keys, key, row)?.1)).collect();
        writes.push(Write::TakeParts { key: key.clone(), count });
        let text = opened.and_then(|pieces| joined(pieces, key.total));
        self.settle(envelope, Content { text, parts: count, writes }).await
    }

    /// Carries up to `limit` messages whose newest part came before `before`, as far as they are known. Returns how
    /// many it took up. For `worker::expire`.
    pub async fn carry_stale(&self, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
        let mut carried = 0;
        let mut failed = None;
        for key in self.store.stale_parts(before, limit).await? {
            match self.carry_incomplete(&key).await {
                Ok(_) => carried += 1,
                Err(Halt::Taken | Halt::Heard | Halt::Refused(_)) => {}
                // What one message waits for holds up no other.
                Err(Halt::Failed(fault)) => failed = Some(StoreError::Unavailable(fault)),
            }
        }
        failed.map_or(Ok(carried), Err)
    }

    async fn carry_incomplete(&self, key: &PartKey) -> Result<Accepted, Halt> {
        let rows = self.store.parts(key).await?;
        let Some(first) = rows.first() else { return Err(Halt::Taken) };
        let keys = self.keyring.system();
        let origin = opened(&keys, key, first).map(|(origin, _)| origin);
        let pool = self.pools.of(key.number, &key.carrier).await?;
        let (Some(origin), Some(pool)) = (origin, pool) else { return self.discard(key, rows.len()).await };
        let envelope = self.envelope(key.carrier.clone(), key.number, origin, &pool, (None, None));
        let _turn = self.order.take(&envelope.writer.index).await;
        self.assemble(&envelope, key, rows, Vec::new()).await
    }

    /// Parts that open no more: their key is gone, or they were changed.
    async fn discard(&self, key: &PartKey, count: usize) -> Result<Accepted, Halt> {
        let take = Write::TakeParts { key: key.clone(), count: u32::try_from(count).unwrap_or(u32::MAX) };
        let refusal = Refusal { reason: "unreadable", tenant: None, alias: None, say: None };
        let event = self.dropped(&key.carrier, key.number, &refusal);
        self.store.commit(Change::telling(event).with(take)).await?;
        Ok(Accepted::Dropped)
    }
}

fn part_key(envelope: &Envelope, part: Part) -> PartKey {
    PartKey {
        carrier: envelope.carrier.clone(),
        number: envelope.to,
        sender: envelope.writer.index,
        reference: part.reference,
        total: part.total,
    }
}

/// Where a part belongs: what it is sealed for.
fn place(key: &PartKey, number: u8) -> Vec<u8> {
    let mut place = Vec::with_capacity(64);
    place.extend_from_slice(&key.number.digits().to_be_bytes());
    place.extend_from_slice(&key.sender.0);
    place.extend_from_slice(&key.reference.to_be_bytes());
    place.extend_from_slice(&[key.total, number]);
    place.extend_from_slice(key.carrier.as_bytes());
    place
}

fn sealed(keys: &SystemKeys, key: &PartKey, number: u8, writer: &Writer, body: &Encoded) -> crate::store::Sealed {
    let plain = to_bytes(writer, body);
    keys.seal_part(&place(key, number), &plain)
}

fn opened(keys: &SystemKeys, key: &PartKey, row: &PartRow) -> Option<(crate::carrier::Origin, Piece)> {
    let plain = keys.open_part(&place(key, row.number), &row.body).ok()?;
    let (origin, body) = from_bytes(&plain)?;
    Some((origin, Piece { number: row.number, body }))
}

/// One byte of alphabet, the writer, the octets.
fn to_bytes(writer: &Writer, body: &Encoded) -> Zeroizing<Vec<u8>> {
    let alphabet = ALPHABETS.iter().position(|known| *known == body.alphabet).unwrap_or_default();
    let mut plain = Zeroizing::new(vec![u8::try_from(alphabet).unwrap_or_default()]);
    plain.extend_from_slice(&writer.to_bytes());
    plain.extend_from_slice(&body.octets);
    plain
}

fn from_bytes(plain: &[u8]) -> Option<(crate::carrier::Origin, Encoded)> {
    let (alphabet, rest) = plain.split_first()?;
    let alphabet = *ALPHABETS.get(usize::from(*alphabet))?;
    let (origin, octets) = writer::origin(rest)?;
    Some((origin, Encoded { alphabet, octets: Zeroizing::new(octets.to_vec()) }))
}

/// The text that the pieces spell together. Octets are joined before they are read, since a character may be split
/// between two parts; a missing part or another alphabet starts a new run.
fn joined(mut pieces: Vec<Piece>, total: u8) -> Option<Zeroizing<String>> {
    pieces.sort_by_key(|piece| piece.number);
    let mut text = Zeroizing::new(String::new());
    let mut pieces = pieces.into_iter().peekable();
    let mut awaited = 1_u16;
    while let Some(Piece { number, mut body }) = pieces.next() {
        text.push_str(if u16::from(number) > awaited { GAP } else { "" });
        awaited = u16::from(number) + 1;
        let follows = |next: &Piece, awaited| u16::from(next.number) == awaited && next.body.alphabet == body.alphabet;
        let mut octets = Zeroizing::new(std::mem::take(&mut *body.octets));
        while let Some(next) = pieces.next_if(|next| follows(next, awaited)) {
            octets.extend_from_slice(&next.body.octets);
            awaited += 1;
        }
        body.octets = octets;
        text.push_str(&body.to_text().ok()?);
    }
    text.push_str(if awaited <= u16::from(total) { GAP } else { "" });
    Some(text)
}

/// Stands for parts that never came; in the GSM alphabet.
const GAP: &str = " ... ";

const ALPHABETS: [Alphabet; 5] = [Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2, Alphabet::Utf8, Alphabet::Binary];
