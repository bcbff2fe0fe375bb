//! Tokens in the form of a phone number: lookalikes, which name a record, and fpe texts, which are the number itself
//! under FF1.
//!
//! A lookalike's digits are a keyed function (HMAC) of its record, audience and how many others were in the way. They
//! are kept nowhere: the store finds the record by a [`LookalikeMark`], an HMAC of the digits under another key. Whoever
//! has the store without the keys can neither compute a lookalike nor tell which row one belongs to.

use zeroize::Zeroizing;

use super::keys::{TenantKeys, audience_bytes};
use super::purpose::Purpose;
use super::versions::Versions;
use super::{AudienceTag, KeyError, Opened};
use crate::crypto::{Key, fpe, index, keyset};
use crate::ids::RecordId;
use crate::phone::PhoneNumber;
use crate::store::LookalikeMark;
use crate::token::{BODIES, Token};

/// The keys of both kinds.
pub(super) struct Surrogates {
    /// Chooses a lookalike's digits. Derived from the `token` key, for it lives as long as the tokens do.
    digits: Key,
    /// Finds them again. Derived likewise.
    mark: Key,
    /// Tenants that were made before there was this purpose may have none yet, and a destroyed one ends these texts
    /// alone.
    fpe: Option<Versions>,
}

impl Surrogates {
    pub(super) fn of(token: &Key, opened: &Opened) -> Self {
        Self {
            digits: keyset::derive(token, "bauta/1|lookalike digits"),
            mark: keyset::derive(token, "bauta/1|lookalike mark"),
            fpe: opened.keys(Purpose::Fpe).ok(),
        }
    }
}

impl TenantKeys {
    /// The lookalike of a record for an audience's tag, if `turn` others are in the way of the first.
    pub fn lookalike(&self, record: RecordId, tag: AudienceTag, turn: u8) -> Token {
        let parts = [b"lookalike".as_slice(), &self.tenant, &record.0.to_be_bytes(), &tag, &[turn]];
        let drawn = u128::from_be_bytes(index::mac16(&self.surrogates.digits, &parts));
        // 2^128 is no multiple of 10^11; what that favours is less than one part in 10^27.
        let body = u64::try_from(drawn % u128::from(BODIES)).unwrap_or_default();
        Token::lookalike(body)
    }

    /// By which the store finds a lookalike; none for tokens of other kinds.
    pub fn lookalike_mark(&self, token: &Token) -> Option<LookalikeMark> {
        let body = token.lookalike_body()?;
        Some(LookalikeMark(index::mac16(&self.surrogates.mark, &[b"mark", &self.tenant, &body.to_be_bytes()])))
    }

    /// The number in the form of a number, for an audience: of the same length, with its country code if that is to be
    /// kept. None where fewer than 10^6 numbers could be meant.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if the tenant has no `fpe` key.
    pub fn fpe(
        &self,
        number: &PhoneNumber,
        audience: Option<&str>,
        keep_country: bool,
    ) -> Result<Option<Token>, KeyError> {
        let missing = || KeyError::Missing { owner: "the tenant".into(), purpose: Purpose::Fpe.as_str() };
        let key = self.surrogates.fpe.as_ref().ok_or_else(missing)?.newest();
        let Some((country, national)) = number.secret_parts() else { return Ok(None) };
        let country = country.to_string();
        let (kept, secret) = match keep_country {
            true => (country.as_str(), national),
            false => ("", Zeroizing::new(format!("{country}{}", *national))),
        };
        // Each part behind its length: no two audiences, nor a kept and an unkept code, share a permutation.
        let mut tweak = Vec::with_capacity(64);
        for part in [b"bauta/1|fpe".as_slice(), &self.tenant, kept.as_bytes(), &audience_bytes(audience)] {
            tweak.extend_from_slice(&(part.len() as u64).to_be_bytes());
            tweak.extend_from_slice(part);
        }
        let image = fpe::permute(key, &tweak, &secret);
        Ok(image.map(|image| Token::fpe(&Zeroizing::new(format!("{kept}{}", *image)))))
    }
}
