//! By what callers prove that they are a credential, and what a credential demands of them.

/// One way of proving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The API key itself.
    Key,
    /// An access token that was given out for it.
    #[serde(rename = "oauth")]
    OAuth,
    /// Nothing about who calls, but that nobody between could listen: TLS that ends here.
    Tls,
    /// The very client certificate that the credential is bound to.
    ClientCert,
    /// A signature over the request, by the key that the credential is bound to.
    Signature,
}

impl Proof {
    /// Every one, in the order in which they are asked for.
    pub const ALL: [Self; 5] = [Self::Tls, Self::Key, Self::OAuth, Self::ClientCert, Self::Signature];

    /// The name in policies, answers, settings and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::OAuth => "oauth",
            Self::Tls => "tls",
            Self::ClientCert => "client_cert",
            Self::Signature => "signature",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.as_str() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of proofs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct With(u8);

impl With {
    /// No proof.
    pub const NONE: Self = Self(0);

    /// The same and one more.
    #[must_use]
    pub const fn and(self, proof: Proof) -> Self {
        Self(self.0 | proof.bit())
    }

    /// The same and one more, if `there`.
    #[must_use]
    pub const fn and_if(self, there: bool, proof: Proof) -> Self {
        if there { self.and(proof) } else { self }
    }

    /// The same without one.
    #[must_use]
    pub const fn except(self, proof: Proof) -> Self {
        Self(self.0 & !proof.bit())
    }

    /// Whether it is among them.
    pub const fn has(self, proof: Proof) -> bool {
        self.0 & proof.bit() != 0
    }

    /// The first of `wanted` that is not among them.
    pub fn lacks(self, wanted: Self) -> Option<Proof> {
        wanted.iter().find(|proof| !self.has(*proof))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Proof> {
        Proof::ALL.into_iter().filter(move |proof| self.has(*proof))
    }

    /// Their names, separated by spaces.
    pub fn spelled(self) -> String {
        self.iter().map(Proof::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Self::spelled`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().try_fold(Self::NONE, |with, name| Some(with.and(Proof::parse(name)?)))
    }
}

impl FromIterator<Proof> for With {
    fn from_iter<I: IntoIterator<Item = Proof>>(proofs: I) -> Self {
        proofs.into_iter().fold(Self::NONE, Self::and)
    }
}

impl std::fmt::Debug for With {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.spelled())
    }
}

/// The key that a credential signs requests with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// HMAC-SHA-256; the secret is derived from this salt and kept nowhere.
    Hmac([u8; 16]),
    /// Ed25519; the public key.
    Ed25519([u8; 32]),
}

/// What a credential is bound to beside its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    /// Whether it has no key at all and is its certificate.
    pub keyless: bool,
    /// SHA-256 of the one client certificate that it works with.
    pub certificate: Option<[u8; 32]>,
    /// What its requests are signed with.
    pub signing: Option<SigningKey>,
    /// What every request has to bring.
    pub requires: With,
}

impl Proofs {
    /// Every proof that one request of the credential could bring: its key or an access token, never both.
    pub fn all(&self) -> With {
        let with =
            With::NONE.and(if self.keyless || self.requires.has(Proof::OAuth) { Proof::OAuth } else { Proof::Key });
        with.and(Proof::Tls)
            .and_if(self.certificate.is_some(), Proof::ClientCert)
            .and_if(self.signing.is_some(), Proof::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back_from_its_names_and_tells_what_it_lacks() {
        let all: With = Proof::ALL.into_iter().collect();
        assert_eq!(With::parse(&all.spelled()), Some(all));
        assert_eq!(With::parse(""), Some(With::NONE));
        assert_eq!(With::parse("key passport"), None);
        let key = With::NONE.and(Proof::Key);
        assert_eq!(key.lacks(all.except(Proof::Tls)), Some(Proof::OAuth));
        assert_eq!(all.lacks(all), None);
        assert!(!key.and(Proof::Tls).except(Proof::Tls).has(Proof::Tls));
    }
}
