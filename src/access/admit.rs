//! From what a request brings to a [`Principal`]: a key, an access token, a client certificate, a signature.
//!
//! First whose request it is ([`Access::recognise`]), of which strangers learn nothing but that they are none; then
//! whether the credential may be used like that ([`proven`]): from this address, with this certificate, with every proof
//! that it demands. Freezes are not looked at here but by `authorize`.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::key::MAX_LENGTH;
use super::{Access, Denied, Principal, Standing, key_mode};
use crate::clock::Timestamp;
use crate::ids::CredentialId;
use crate::signing::{Key, Signed};
use crate::store::{Proof, SigningKey, With};

/// What a request brings to say who sends it.
pub struct Presented<'a> {
    /// An API key or an access token.
    pub bearer: Option<&'a str>,
    /// Where it comes from.
    pub from: IpAddr,
    /// Whether it came over TLS that ends here.
    pub tls: bool,
    /// SHA-256 of the client's certificate, if it showed one that is good.
    pub certificate: Option<[u8; 32]>,
    /// The request's signature.
    pub signature: Option<&'a Signed>,
}

impl<'a> Presented<'a> {
    /// A key or access token and nothing more.
    pub fn bearer(bearer: &'a str, from: IpAddr) -> Self {
        Self { bearer: Some(bearer), from, tls: false, certificate: None, signature: None }
    }

    /// Whether it may be of a credential that another process has just made: well-formed, at least.
    fn may_be_new(&self) -> bool {
        self.bearer.map_or(self.signature.is_some() || self.certificate.is_some(), |key| key_mode(key).is_ok())
    }
}

impl Access {
    /// Who presents this key or access token, and nothing more. As [`Self::admit`].
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn identify(&self, bearer: &str, from: IpAddr) -> Result<Principal, Denied> {
        self.admit(&Presented::bearer(bearer, from)).await
    }

    /// Whose request this is. What is not known is looked up once more if another process changed the directory
    /// meanwhile, so that a key works as soon as the command that made it is done. That a nonce is new and that the body
    /// is what was signed is the caller's to see to.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`], [`Denied::AddressNotAllowed`] and [`Denied::OtherCertificate`], which callers must not
    /// be able to tell apart; [`Denied::SignatureInvalid`] and [`Denied::SignatureStale`]; [`Denied::Lacking`] for a
    /// credential that is valid but demands more. All are summed for the log.
    pub async fn admit(&self, presented: &Presented<'_>) -> Result<Principal, Denied> {
        self.admitted(presented, With::NONE).await
    }

    /// Which client asks for an access token, by its key or its certificate. An access token does not renew itself, and
    /// what only later requests can bring is not asked for.
    ///
    /// # Errors
    /// As [`Self::admit`]; [`Denied::Unauthenticated`] if it is not `id`, or frozen.
    pub async fn client(&self, id: CredentialId, presented: &Presented<'_>) -> Result<Principal, Denied> {
        let later = With::NONE.and(Proof::OAuth).and(Proof::Signature);
        let client = self.admitted(presented, later).await?;
        let fit = client.credential == id && !client.with().has(Proof::OAuth);
        if fit && !self.directory().frozen().credential(id) { Ok(client) } else { Err(Denied::Unauthenticated) }
    }

    /// Counts a call that claims to be a carrier's and does not prove it: to the log a stranger's.
    pub fn stranger(&self, from: IpAddr) {
        self.ledger().stranger(from, self.now());
    }

    /// Counts a signed request of this caller that had been sent before.
    pub fn replayed(&self, caller: &Principal) {
        self.ledger().astray(caller.credential, "nonce", self.now());
    }

    async fn admitted(&self, presented: &Presented<'_>, waived: With) -> Result<Principal, Denied> {
        let from = presented.from.to_canonical();
        let now = self.now();
        let mut known = self.recognise(presented, now);
        if known.is_err() && presented.may_be_new() {
            self.catch_up().await;
            known = self.recognise(presented, now);
        }
        let (standing, with) = known.inspect_err(|_| self.ledger().stranger(from, now))?;
        match proven(&standing, presented, with, waived) {
            Ok(with) => Ok(Principal::new(standing, from, with)),
            Err((why, denied)) => {
                self.ledger().astray(standing.credential, why, now);
                Err(denied)
            }
        }
    }

    /// Whose request it is, and by what that is known. Everything that is brought has to be of one credential.
    fn recognise(&self, presented: &Presented<'_>, now: Timestamp) -> Result<(Arc<Standing>, With), Denied> {
        let bearer = presented.bearer.map(|text| self.by_bearer(text, presented, now).ok_or(Denied::Unauthenticated));
        let signer = presented.signature.map(|signature| self.by_signature(signature, now));
        match (bearer.transpose()?, signer.transpose()?) {
            (Some((standing, proof)), None) => Ok((standing, With::NONE.and(proof))),
            (None, Some(signer)) => Ok((signer, With::NONE.and(Proof::Signature))),
            (Some((standing, proof)), Some(signer)) if standing.credential == signer.credential => {
                Ok((standing, With::NONE.and(proof).and(Proof::Signature)))
            }
            (Some(_), Some(_)) => Err(Denied::Unauthenticated),
            (None, None) => {
                let shown = presented.certificate.ok_or(Denied::Unauthenticated)?;
                let directory = self.directory();
                let standing = directory.by_certificate(&shown, now).ok_or(Denied::Unauthenticated)?;
                Ok((Arc::clone(standing), With::NONE))
            }
        }
    }

    fn by_bearer(&self, text: &str, presented: &Presented<'_>, now: Timestamp) -> Option<(Arc<Standing>, Proof)> {
        if text.contains('.') {
            return self.by_token(text, presented.certificate, now).map(|standing| (standing, Proof::OAuth));
        }
        // Longer than any key: not worth the hashing, and its length is the caller's own knowledge.
        let text = if text.len() <= MAX_LENGTH { text } else { "" };
        let secret = self.system().credential(text);
        let standing = self.directory().by_secret(&secret).filter(|standing| !standing.ended(now)).cloned()?;
        Some((standing, Proof::Key))
    }

    fn by_signature(&self, signature: &Signed, now: Timestamp) -> Result<Arc<Standing>, Denied> {
        let id = CredentialId::from_str(&signature.keyid).ok();
        let directory = self.directory();
        let live = id.and_then(|id| directory.standing(id)).filter(|standing| !standing.ended(now));
        let signer = live.and_then(|standing| Some((standing, standing.proofs.signing?)));
        let key = match signer {
            Some((standing, SigningKey::Hmac(salt))) => {
                Key::hmac(self.system().signing_secret(standing.credential, &salt).as_slice())
            }
            Some((_, SigningKey::Ed25519(public))) => Key::Ed25519(public),
            // As much work for an id that nobody has, under a key that nobody has.
            None => Key::hmac(&crate::crypto::random::<32>()),
        };
        let valid = signature.verify(&key);
        let (standing, _) = signer.filter(|_| valid).ok_or(Denied::SignatureInvalid)?;
        if signature.is_fresh(now.as_secs()) { Ok(Arc::clone(standing)) } else { Err(Denied::SignatureStale) }
    }
}

/// Whether a credential may be used like this; what it proved, or why not, as the log calls it.
fn proven(
    standing: &Standing,
    presented: &Presented<'_>,
    with: With,
    waived: With,
) -> Result<With, (&'static str, Denied)> {
    if !standing.admits(presented.from.to_canonical()) {
        return Err(("address", Denied::AddressNotAllowed));
    }
    let with = with.and_if(presented.tls, Proof::Tls);
    let with = match (standing.proofs.certificate, presented.certificate) {
        (None, _) => with,
        (Some(own), Some(shown)) if own == shown => with.and(Proof::ClientCert),
        (Some(_), Some(_)) => return Err(("certificate", Denied::OtherCertificate)),
        (Some(_), None) => return Err(("certificate", Denied::Lacking(Proof::ClientCert))),
    };
    let demanded = waived.iter().fold(standing.proofs.requires, With::except);
    match with.lacks(demanded) {
        None => Ok(with),
        Some(proof) => Err(("proof", Denied::Lacking(proof))),
    }
}
