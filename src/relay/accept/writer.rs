//! Who wrote: turned into an index under the pool's key as soon as it came in.

use zeroize::Zeroizing;

use crate::carrier::Origin;
use crate::ids::PoolId;
use crate::keyring::SystemKeys;
use crate::phone::{self, LineType, PhoneNumber};
use crate::store::BlindIndex;

/// A writer, as one pool knows it.
pub(super) struct Writer {
    /// The writer under the pool's key; short codes by carrier, since each carrier has its own.
    pub(super) index: BlindIndex,
    origin: Origin,
}

impl Writer {
    pub(super) fn new(origin: Origin, pool: PoolId, carrier: &str, keys: &SystemKeys) -> Self {
        let index = match &origin {
            Origin::Number(number) => keys.pool_index(pool, number),
            Origin::ShortCode(code) => keys.pool_sender(pool, "short_code", &format!("{carrier}\n{code}")),
            Origin::Name(name) => keys.pool_sender(pool, "name", name),
        };
        Self { index, origin }
    }

    /// The number, which is what can be answered.
    pub(super) const fn number(&self) -> Option<&PhoneNumber> {
        match &self.origin {
            Origin::Number(number) => Some(number),
            Origin::ShortCode(_) | Origin::Name(_) => None,
        }
    }

    /// The leg's key: only numbers have a leg of their own, everybody else takes `*`.
    pub(super) fn party(&self) -> Option<BlindIndex> {
        self.number().map(|_| self.index)
    }

    /// ISO 3166-1 alpha-2 of the number, `ZZ` where there is none: what language to answer in.
    pub(super) fn country(&self) -> String {
        self.number().map_or_else(|| "ZZ".to_owned(), |number| phone::classify(number).0)
    }

    /// Whether a text may reach the writer: certainly not where the number is known to be no mobile's.
    pub(super) fn may_be_mobile(&self) -> bool {
        let class = self.number().map(|number| phone::classify(number).1);
        class.is_some_and(|class| !matches!(class, LineType::FixedLine | LineType::Other))
    }

    /// What kind of sender it is, as events and history say.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.origin {
            Origin::Number(_) => "number",
            Origin::ShortCode(_) => "short_code",
            Origin::Name(_) => "name",
        }
    }

    /// One byte of kind, one of length, and the writer: kept sealed beside each part.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(16));
        let (kind, bytes): (u8, &[u8]) = match &self.origin {
            Origin::Number(number) => {
                out.extend_from_slice(&[0, 8]);
                out.extend_from_slice(number.secret_bytes().as_slice());
                return out;
            }
            Origin::ShortCode(code) => (1, code.as_bytes()),
            Origin::Name(name) => (2, name.as_bytes()),
        };
        let bytes = bytes.get(..usize::from(u8::MAX)).unwrap_or(bytes);
        out.extend_from_slice(&[kind, u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(bytes);
        out
    }
}

/// Reads what [`Writer::to_bytes`] wrote; also returns what follows it.
pub(super) fn origin(bytes: &[u8]) -> Option<(Origin, &[u8])> {
    let ([kind, length], rest) = bytes.split_first_chunk::<2>()?;
    let (own, rest) = rest.split_at_checked(usize::from(*length))?;
    let text = || std::str::from_utf8(own).ok().map(str::to_owned);
    let origin = match kind {
        0 => Origin::Number(PhoneNumber::from_secret_bytes(own.try_into().ok()?)?),
        1 => Origin::ShortCode(text()?),
        2 => Origin::Name(text()?),
        _ => return None,
    };
    Some((origin, rest))
}
