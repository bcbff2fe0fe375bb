//! The deployment's own keys: what must be comparable over tenants, and the proof key. Pure once loaded.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::proof::ProofKey;
use super::purpose::Purpose;
use super::uses::Uses;
use super::versions::{Place, Versions};
use super::{KeyError, Opened};
use crate::clock::Timestamp;
use crate::crypto::{Key, index, keyset};
use crate::ids::{self, CredentialId, PoolId, TenantId};
use crate::phone::PhoneNumber;
use crate::store::{BlindIndex, Class, PartId, Sealed};

/// The deployment's keys.
pub struct SystemKeys {
    credential: Versions,
    pool: Versions,
    scratch: Versions,
    seal: Versions,
    proof: Versions<ProofKey>,
}

impl SystemKeys {
    pub(super) fn of(opened: &Opened) -> Result<Self, KeyError> {
        Ok(Self {
            credential: opened.keys(Purpose::Credential)?,
            pool: opened.keys(Purpose::Pool)?,
            scratch: opened.keys(Purpose::Scratch)?,
            seal: opened.keys(Purpose::Seal)?,
            proof: opened.derived(Purpose::Proof, |secret, info| ProofKey::of(&keyset::derive(secret, info)))?,
        })
    }

    /// Lets new versions begin whose time has come.
    pub(super) fn advance(&self, now: Timestamp) {
        self.seal.advance(now);
        self.proof.advance(now);
    }

    /// The version whose uses are counted.
    pub(super) fn counted(&self) -> (Purpose, u16, &Uses) {
        let seal = self.seal.sealing();
        (Purpose::Seal, seal.number, &seal.uses)
    }

    /// What the store keeps of an API key.
    pub fn credential(&self, key: &str) -> [u8; 32] {
        index::mac32(self.credential.newest(), &[b"credential", key.as_bytes()])
    }

    /// What access tokens are authenticated with. Derived from the key that recognises API keys, for it lives as long.
    pub fn access_tokens(&self) -> Key {
        keyset::derive(self.credential.newest(), "bauta/1|access token")
    }

    /// The secret that a credential signs its requests with. Derived from a salt, so that no store has it.
    pub fn signing_secret(&self, credential: CredentialId, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        let parts: [&[u8]; 3] = [b"signing secret", &ids::bytes(&credential), salt];
        Zeroizing::new(index::mac32(self.credential.newest(), &parts))
    }

    /// Whether two requests under one idempotency key are the same.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        index::mac32(self.scratch.newest(), &labelled(b"fingerprint", parts))
    }

    /// A caller's network address, as limits know it: of IPv6 the /64, within which one caller has every address there is
    /// (RFC 4291 §2.5.4).
    pub fn address(&self, address: &IpAddr) -> [u8; 16] {
        let key = self.scratch.newest();
        match address {
            IpAddr::V4(four) => index::mac16(key, &[b"address", &four.octets()]),
            IpAddr::V6(six) => index::mac16(key, &[b"address", six.octets().first_chunk::<8>().unwrap_or(&[0; 8])]),
        }
    }

    /// A party's number as the legs of a pool know it, over all tenants that share the pool.
    pub fn pool_index(&self, pool: PoolId, number: &PhoneNumber) -> BlindIndex {
        let secret = number.secret_bytes();
        BlindIndex(index::mac16(self.pool.newest(), &[b"number", &ids::bytes(&pool), secret.as_slice()]))
    }

    /// A sender that is no number (`kind` says what) as the legs and conversations of a pool know it.
    pub fn pool_sender(&self, pool: PoolId, kind: &str, text: &str) -> BlindIndex {
        let pool = ids::bytes(&pool);
        BlindIndex(index::mac16(self.pool.newest(), &[b"sender", &pool, kind.as_bytes(), text.as_bytes()]))
    }

    /// What orders deliveries: one conversation, one index.
    pub fn conversation(&self, parts: &[&[u8]]) -> BlindIndex {
        BlindIndex(index::mac16(self.pool.newest(), &labelled(b"conversation", parts)))
    }

    /// The conversation of what a tenant itself sends to a person. Each class has its own, so that no code waits behind a
    /// campaign.
    pub fn conversation_with(&self, tenant: TenantId, party: BlindIndex, class: Class) -> BlindIndex {
        self.conversation(&[class.as_str().as_bytes(), &ids::bytes(&tenant), &party.0])
    }

    /// A device as the receipts of one carrier may name it.
    pub fn device(&self, carrier: &str, number: &PhoneNumber) -> Device {
        let secret = number.secret_bytes();
        let parts: [&[u8]; 3] = [b"device", carrier.as_bytes(), secret.as_slice()];
        Device(Zeroizing::new(index::mac32(self.pool.newest(), &parts)))
    }

    /// Seals what has no tenant yet, for the place that `ctx` names.
    pub fn seal_part(&self, ctx: &[u8], plaintext: &[u8]) -> Sealed {
        self.seal.seal(&part(ctx), plaintext)
    }

    /// Opens what [`Self::seal_part`] sealed.
    ///
    /// # Errors
    /// [`KeyError::Unopened`] if it was sealed for another place, or changed.
    pub fn open_part(&self, ctx: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.seal.open(&part(ctx), sealed)
    }

    /// The key that signs proofs.
    pub fn proof(&self) -> &ProofKey {
        self.proof.newest()
    }

    /// Every public key that proofs are, will be, or lately were signed with: `kid` and 32 bytes.
    pub fn proof_keys(&self) -> Vec<(String, [u8; 32])> {
        self.proof.all().map(|version| (version.key.kid().to_owned(), version.key.public())).collect()
    }
}

/// A device to one carrier. What the store keeps of it is bound to one id, so that no two rows tell of one device.
pub struct Device(Zeroizing<[u8; 32]>);

impl Device {
    /// This device as the receiver of the part that the carrier names `id`.
    pub fn part(&self, id: String) -> PartId {
        let device = index::mac8(&self.0, id.as_bytes());
        PartId { id, device }
    }
}

fn part(ctx: &[u8]) -> Place<'_> {
    Place { label: "part", owner: b"system", id: ctx }
}

fn labelled<'a>(label: &'a [u8], parts: &[&'a [u8]]) -> Vec<&'a [u8]> {
    std::iter::once(label).chain(parts.iter().copied()).collect()
}
