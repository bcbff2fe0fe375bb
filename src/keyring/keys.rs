//! One tenant's keys, and everything that is done with them. Pure once loaded: no wait, no lock, no I/O.
//!
//! Called by `vault`, `verify`, `alias` and `relay`. Nothing here decides who may; callers hold a permit.

use zeroize::{Zeroize, Zeroizing};

use super::purpose::Purpose;
use super::surrogates::Surrogates;
use super::uses::Uses;
use super::versions::{Place, Versions};
use super::webhooks::WebhookKeys;
use super::{KeyError, Opened, code};
use crate::clock::Timestamp;
use crate::crypto::siv::{self, SivKey};
use crate::crypto::{Key, block, index, keyset};
use crate::ids::{self, RecordId, RecordRef, SubjectId, TenantId, VerificationId};
use crate::phone::PhoneNumber;
use crate::store::{BlindIndex, Sealed};
use crate::token::Token;

/// A tenant's keys.
pub struct TenantKeys {
    pub(super) tenant: [u8; 16],
    token: Versions,
    /// Tags audiences inside tokens; derived from the `token` key, for it lives as long as the tokens do.
    tag: Key,
    seal: Versions,
    index: Versions,
    siv: Versions<SivKey>,
    pub(super) surrogates: Surrogates,
    pub(super) webhooks: WebhookKeys,
    code: Versions,
    subject: Versions,
}

/// The label of token records' numbers, for [`TenantKeys::reseal`].
pub const NUMBER: &str = "number";
/// The label of strangers' numbers, for [`TenantKeys::reseal`].
pub const STRANGER: &str = "stranger";

/// Eight bytes that name an audience inside a vaulted token.
pub type AudienceTag = [u8; 8];

/// What a sealed token holds.
pub struct Unsealed {
    /// The number.
    pub number: PhoneNumber,
    /// Until when it works.
    pub expiry: Option<Timestamp>,
    /// How often the person's sealed tokens had been erased when it was made.
    pub epoch: u8,
}

impl TenantKeys {
    pub(super) fn of(id: TenantId, opened: &Opened) -> Result<Self, KeyError> {
        let token = opened.keys(Purpose::Token)?;
        Ok(Self {
            tenant: ids::bytes(&id),
            tag: keyset::derive(token.newest(), "bauta/1|audience tag"),
            surrogates: Surrogates::of(token.newest(), opened),
            webhooks: WebhookKeys::of(token.newest()),
            token,
            seal: opened.keys(Purpose::Seal)?,
            index: opened.keys(Purpose::Index)?,
            siv: opened.derived(Purpose::Siv, |secret, info| Ok(keyset::derive_siv(secret, info)))?,
            code: opened.keys(Purpose::Code)?,
            subject: opened.keys(Purpose::Subject)?,
        })
    }

    // ── keyed ids

    /// The number's blind index within this tenant.
    pub fn index(&self, number: &PhoneNumber) -> BlindIndex {
        BlindIndex(index::mac16(self.index.newest(), &[b"number", &self.tenant, number.secret_bytes().as_slice()]))
    }

    /// The person's id in log and rules, over all tokens and audiences.
    pub fn subject(&self, index: BlindIndex) -> SubjectId {
        self.keyed(&[b"subject", &index.0])
    }

    /// The record's id in the log.
    pub fn record_ref(&self, record: RecordId) -> RecordRef {
        self.keyed(&[b"record", &record.0.to_be_bytes()])
    }

    /// A sealed token's id in the log: it has no record.
    pub fn sealed_ref(&self, token: &Token) -> RecordRef {
        self.keyed(&[b"sealed token", token.as_str().as_bytes()])
    }

    /// The person in the list of erased people, from which nobody learns the blind index.
    pub fn erased_person(&self, index: BlindIndex) -> BlindIndex {
        BlindIndex(index::mac16(self.subject.newest(), &[b"erased person", &index.0]))
    }

    fn keyed<T: type_safe_id::StaticType>(&self, parts: &[&[u8]]) -> type_safe_id::TypeSafeId<T> {
        ids::from_bytes(index::mac16(self.subject.newest(), parts))
    }

    // ── at rest

    /// Seals the number of a token record.
    pub fn seal_number(&self, record: RecordId, number: &PhoneNumber) -> Sealed {
        self.seal.seal(&self.place(NUMBER, &record.0.to_be_bytes()), number.secret_bytes().as_slice())
    }

    /// Opens the number of a token record.
    ///
    /// # Errors
    /// [`KeyError::Unopened`] if it was sealed for another record, tenant or purpose, or changed.
    pub fn open_number(&self, record: RecordId, sealed: &Sealed) -> Result<PhoneNumber, KeyError> {
        read_number(&self.seal.open(&self.place(NUMBER, &record.0.to_be_bytes()), sealed)?)
    }

    /// Seals the number of a stranger who can be answered through the alias whose id is `alias`.
    pub fn seal_stranger(&self, alias: &[u8], number: &PhoneNumber) -> Sealed {
        self.seal.seal(&self.place(STRANGER, alias), number.secret_bytes().as_slice())
    }

    /// Opens what [`Self::seal_stranger`] sealed.
    ///
    /// # Errors
    /// As [`Self::open_number`].
    pub fn open_stranger(&self, alias: &[u8], sealed: &Sealed) -> Result<PhoneNumber, KeyError> {
        read_number(&self.seal.open(&self.place(STRANGER, alias), sealed)?)
    }

    /// Seals the text of the thing that `label` and `id` name.
    pub fn seal_text(&self, label: &'static str, id: &[u8], text: &str) -> Sealed {
        self.seal.seal(&self.place(label, id), text.as_bytes())
    }

    /// Opens what [`Self::seal_text`] sealed.
    ///
    /// # Errors
    /// As [`Self::open_number`].
    pub fn open_text(&self, label: &'static str, id: &[u8], sealed: &Sealed) -> Result<Zeroizing<String>, KeyError> {
        let mut opened = self.seal.open(&self.place(label, id), sealed)?;
        match String::from_utf8(std::mem::take(&mut *opened)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(other) => {
                other.into_bytes().zeroize();
                Err(KeyError::Unopened)
            }
        }
    }

    /// Seals anew what an older version of the key sealed under `label` and `id`; none if the newest did.
    ///
    /// # Errors
    /// As [`Self::open_number`].
    pub fn reseal(&self, label: &'static str, id: &[u8], sealed: &Sealed) -> Result<Option<Sealed>, KeyError> {
        self.seal.reseal(&self.place(label, id), sealed)
    }

    /// The version that seals.
    pub fn seal_version(&self) -> u16 {
        self.seal.version()
    }

    /// Lets new versions begin whose time has come.
    pub(super) fn advance(&self, now: Timestamp) {
        self.seal.advance(now);
        self.siv.advance(now);
        self.code.advance(now);
    }

    /// The versions whose uses are counted.
    pub(super) fn counted(&self) -> [(Purpose, u16, &Uses); 2] {
        let (seal, code) = (self.seal.sealing(), self.code.sealing());
        [(Purpose::Seal, seal.number, &seal.uses), (Purpose::Code, code.number, &code.uses)]
    }

    fn place<'a>(&'a self, label: &'a str, id: &'a [u8]) -> Place<'a> {
        Place { label, owner: &self.tenant, id }
    }

    // ── tokens

    /// The vaulted token of a record for an audience; none is the tenant's own.
    pub fn vaulted(&self, record: RecordId, audience: Option<&str>) -> Token {
        self.vaulted_for(record, self.audience_tag(audience))
    }

    /// The vaulted token of a record for the audience of a tag, which many tokens share.
    pub fn vaulted_for(&self, record: RecordId, audience: AudienceTag) -> Token {
        let mut plain = [0; 16];
        let (id, tag) = plain.split_at_mut(8);
        id.copy_from_slice(&record.0.to_be_bytes());
        tag.copy_from_slice(&audience);
        // Token keys are re-wrapped, not replaced: the version stays in one byte.
        Token::vaulted(self.token.version() as u8, block::encrypt(self.token.newest(), plain))
    }

    /// What a vaulted token says. Any 16 bytes say something: whoever asks compares the tag with an audience's.
    pub fn read_vaulted(&self, token: &Token) -> Option<(RecordId, AudienceTag)> {
        let (version, bytes) = token.vaulted_parts()?;
        let plain = block::decrypt(self.token.get(u16::from(version))?, bytes);
        let (id, tag) = plain.split_first_chunk::<8>()?;
        Some((RecordId(u64::from_be_bytes(*id)), tag.try_into().ok()?))
    }

    /// The tag of an audience; none is the tenant's own.
    pub fn audience_tag(&self, audience: Option<&str>) -> AudienceTag {
        let mac = index::mac16(&self.tag, &[b"audience", &self.tenant, &audience_bytes(audience)]);
        mac.first_chunk::<8>().copied().unwrap_or_default()
    }

    /// The sealed token of a number for an audience, under the newest `siv` key. `expiry` counts in whole seconds.
    /// `epoch`, 0 to 63, says how often the person's sealed tokens have been erased; another epoch, another token.
    pub fn sealed(&self, number: &PhoneNumber, audience: Option<&str>, expiry: Option<Timestamp>, epoch: u8) -> Token {
        let version = self.siv.version();
        let plain = sealed_plaintext(number, expiry, epoch);
        let ad = [self.tenant.as_slice(), &audience_bytes(audience), &version.to_be_bytes()];
        let mut sealed = [0; siv::OVERHEAD + SEALED_PLAINTEXT];
        sealed.iter_mut().zip(siv::seal(self.siv.newest(), &ad, &*plain)).for_each(|(to, from)| *to = from);
        Token::sealed(version, &sealed)
    }

    /// Opens a sealed token, if it is this tenant's and for this audience. Whether it has expired or was erased is the
    /// caller's to ask.
    pub fn open_sealed(&self, token: &Token, audience: Option<&str>) -> Option<Unsealed> {
        let (version, sealed) = token.sealed_parts()?;
        let key = self.siv.get(version)?;
        let ad = [self.tenant.as_slice(), &audience_bytes(audience), &version.to_be_bytes()];
        read_sealed_plaintext(&siv::open(key, &ad, &sealed).ok()?)
    }

    // ── codes

    /// The version under which new verifications derive their code.
    pub fn code_version(&self) -> u16 {
        self.code.version()
    }

    /// The one-time code of a verification: `len` digits, or capitals and digits without look-alikes.
    ///
    /// # Errors
    /// [`KeyError::NoSuchVersion`]; [`KeyError::CodeLength`] outside 4 to 10.
    pub fn code(
        &self,
        id: VerificationId,
        salt: &[u8; 16],
        key_version: u16,
        len: u8,
        alphanumeric: bool,
    ) -> Result<Zeroizing<String>, KeyError> {
        let key = self.code.get(key_version).ok_or(KeyError::NoSuchVersion(key_version))?;
        self.code.sealing().uses.count();
        let alphabet = if alphanumeric { code::ALPHANUMERIC } else { code::DIGITS };
        code::derive(key, &[&self.tenant, &ids::bytes(&id), salt], len, alphabet)
    }
}

/// Tells no audience from an audience of no letters.
pub(super) fn audience_bytes(audience: Option<&str>) -> Vec<u8> {
    match audience {
        None => vec![0],
        Some(name) => [&[1], name.as_bytes()].concat(),
    }
}

fn read_number(bytes: &[u8]) -> Result<PhoneNumber, KeyError> {
    let bytes = Zeroizing::new(<[u8; 8]>::try_from(bytes).map_err(|_| KeyError::Unopened)?);
    PhoneNumber::from_secret_bytes(*bytes).ok_or(KeyError::Unopened)
}

/// The epoch in the first 6 bits of 7 bytes and the number in the others (15 digits fit into 50), the expiry as 5 bytes
/// of Unix seconds, 0 for none.
fn sealed_plaintext(number: &PhoneNumber, expiry: Option<Timestamp>, epoch: u8) -> Zeroizing<[u8; SEALED_PLAINTEXT]> {
    let mut plain = Zeroizing::new([0; SEALED_PLAINTEXT]);
    let (digits, until) = plain.split_at_mut(7);
    let seconds = expiry.map_or(0, |at| u64::try_from(at.as_secs()).unwrap_or(0).clamp(1, MAX_EXPIRY_SECS));
    for (to, from) in digits.iter_mut().zip(number.secret_bytes().iter().skip(1)) {
        *to = *from;
    }
    if let Some(first) = digits.first_mut() {
        *first |= epoch << 2;
    }
    for (to, from) in until.iter_mut().zip(seconds.to_be_bytes().iter().skip(3)) {
        *to = *from;
    }
    plain
}

fn read_sealed_plaintext(plain: &[u8]) -> Option<Unsealed> {
    let (digits, until) = plain.split_first_chunk::<7>()?;
    let epoch = digits.first()? >> 2;
    let mut number = Zeroizing::new([0; 8]);
    number.iter_mut().skip(1).zip(digits).for_each(|(to, from)| *to = *from);
    if let Some(first) = number.get_mut(1) {
        *first &= 0b11;
    }
    let seconds = <[u8; 5]>::try_from(until).ok()?.iter().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    let expiry = (seconds != 0).then(|| Timestamp::from_millis(seconds.saturating_mul(1_000)));
    Some(Unsealed { number: PhoneNumber::from_secret_bytes(*number)?, expiry, epoch })
}

/// Seven bytes of number, five of expiry.
const SEALED_PLAINTEXT: usize = 12;

/// The last second that five bytes can say, in the year 36812.
const MAX_EXPIRY_SECS: u64 = (1 << 40) - 1;
