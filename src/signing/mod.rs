//! Signed requests: HTTP Message Signatures (RFC 9421) with body digests (RFC 9530). Pure: no clock, no key store.
//!
//! [`Signed::read`] takes one signature from a request and builds the base that it is over; the caller finds the key that
//! `keyid` names and asks [`Signed::verify`], [`Signed::is_fresh`] and [`Signed::covers`]. Invariants: the key decides
//! about the algorithm, what a request says about it can only contradict; a signature over less than method, authority,
//! path, query and the digest of the body counts for nothing. `api` reads, `access` verifies.

mod base;
mod digest;
mod key;

use sfv::{Dictionary, InnerList, ListEntry, Parser};

pub use base::Parts;
pub use key::{Algorithm, Key, public_key};

use base::base;
use digest::Digests;

/// Longest of the two fields. Ours have a few hundred bytes.
const FIELD_MAX: usize = 4_096;

/// How far `created` may lie from now, in seconds, either way.
pub const WINDOW_S: i64 = 300;

/// What has to be under every signature; with a body, its digest too.
const REQUIRED: [&str; 4] = ["@method", "@authority", "@path", "@query"];

const CONTENT_DIGEST: &str = "content-digest";

/// Why a request's signature cannot even be looked at. Told from the request alone, so it gives nothing away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is malformed, or covers too little")]
pub struct Incomplete;

/// One signature of a request, with what it is over.
pub struct Signed {
    /// Whose key it is said to be.
    pub keyid: String,
    /// Works once.
    pub nonce: String,
    alg: Option<String>,
    created: i64,
    expires: Option<i64>,
    base: String,
    signature: Vec<u8>,
    digests: Option<Digests>,
}

impl Signed {
    /// The signature of a request; none if it has none.
    ///
    /// # Errors
    /// [`Incomplete`] if it cannot be read, is one of several, or covers or says less than it has to.
    pub fn read(parts: &Parts<'_>) -> Result<Option<Self>, Incomplete> {
        match (parts.field("signature-input"), parts.field("signature")) {
            (None, None) => Ok(None),
            (Some(input), Some(signature)) if input.len() <= FIELD_MAX && signature.len() <= FIELD_MAX => {
                Self::of(parts, &input, &signature).ok_or(Incomplete).map(Some)
            }
            _ => Err(Incomplete),
        }
    }

    fn of(parts: &Parts<'_>, input: &str, signature: &str) -> Option<Self> {
        let inputs: Dictionary = Parser::new(input).parse().ok()?;
        let signatures: Dictionary = Parser::new(signature).parse().ok()?;
        let (ListEntry::InnerList(list), ListEntry::Item(item)) = matching(&inputs, &signatures)? else { return None };
        let covered = base::components(list)?;
        if !REQUIRED.iter().all(|name| covered.contains(name)) {
            return None;
        }
        let digests = match covered.contains(&CONTENT_DIGEST) {
            true => Some(Digests::read(&parts.field(CONTENT_DIGEST)?)?),
            false => None,
        };
        let nonce = text(list, "nonce")?;
        if !(8..=256).contains(&nonce.len()) {
            return None;
        }
        Some(Self {
            keyid: text(list, "keyid")?,
            nonce,
            alg: match list.params.contains_key("alg") {
                true => Some(text(list, "alg")?),
                false => None,
            },
            created: seconds(list, "created")?,
            expires: match list.params.contains_key("expires") {
                true => Some(seconds(list, "expires")?),
                false => None,
            },
            base: base(parts, list)?,
            signature: item.bare_item.as_byte_sequence()?.to_vec(),
            digests,
        })
    }

    /// Whether `key` made it. False too if the request names another algorithm than the key's.
    pub fn verify(&self, key: &Key) -> bool {
        let says = self.alg.as_deref().is_none_or(|alg| alg == key.algorithm().as_str());
        key.verify(self.base.as_bytes(), &self.signature) && says
    }

    /// Whether it was made at about `now`, in Unix seconds, and has not expired by its own word.
    pub fn is_fresh(&self, now: i64) -> bool {
        self.created.abs_diff(now) <= WINDOW_S.unsigned_abs() && self.expires.is_none_or(|end| end > now)
    }

    /// Whether this body is what was signed. No body needs no digest.
    pub fn covers(&self, body: &[u8]) -> bool {
        self.digests.as_ref().map_or(body.is_empty(), |digests| digests.of(body))
    }
}

/// The only member of both, under one label.
fn matching<'a>(inputs: &'a Dictionary, signatures: &'a Dictionary) -> Option<(&'a ListEntry, &'a ListEntry)> {
    let (mut inputs, mut signatures) = (inputs.iter(), signatures.iter());
    let ((label, input), (other, signature)) = (inputs.next()?, signatures.next()?);
    (label == other && inputs.next().is_none() && signatures.next().is_none()).then_some((input, signature))
}

fn text(list: &InnerList, name: &str) -> Option<String> {
    Some(list.params.get(name)?.as_string()?.as_str().to_owned())
}

fn seconds(list: &InnerList, name: &str) -> Option<i64> {
    list.params.get(name)?.as_integer().map(i64::from)
}

#[cfg(test)]
mod tests;
