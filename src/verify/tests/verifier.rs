//! What a receiver of proofs has: the JWT crate with an Ed25519 verifier (RFC 8032), here from `ring`.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode, decode_header};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::verify::Claims;

/// Reads a proof as a receiver would: key by `kid` from the published set, then signature, issuer and audience.
pub(super) fn read(proof: &str, keys: &JwkSet, issuer: &str, audience: &str) -> Option<TokenData<Claims>> {
    let _ = PROVIDER.install_default();
    let key = keys.find(&decode_header(proof).ok()?.kid?)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    // The tests' clock is not the machine's; they look at `exp` themselves.
    validation.validate_exp = false;
    decode(proof, &DecodingKey::from_jwk(key).ok()?, &validation).ok()
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |_, key| {
        let public = key.try_get_as_bytes()?.to_vec();
        Ok(Box::new(Public(UnparsedPublicKey::new(&ED25519, public))))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Public(UnparsedPublicKey<Vec<u8>>);

impl Verifier<Vec<u8>> for Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        self.0.verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Public {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
