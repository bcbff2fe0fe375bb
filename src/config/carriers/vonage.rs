//! `kind = "vonage"`.

use serde::Deserialize;

use super::Section;
use super::http::{HttpLink, SENDER, Voice};
use crate::config::{ConfigError, Hidden};

/// An account at Vonage.
#[derive(Clone, Debug)]
pub struct Vonage {
    /// How requests go there.
    pub link: HttpLink,
    /// Where the service is, without a `/` at its end.
    pub base_url: String,
    /// Who we are there.
    pub api_key: String,
    /// The secret of our requests.
    pub api_secret: Hidden,
    /// The secret of the signatures on theirs.
    pub signature_secret: Hidden,
    /// The application whose calls and messages are taken; none takes those of the whole account.
    pub application_id: Option<String>,
    /// How calls are to be.
    pub voice: Voice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    base_url: String,
    api_key: String,
    api_secret: String,
    signature_secret: String,
    application_id: Option<String>,
    voice: Voice,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            base_url: "https://api.nexmo.com".to_owned(),
            api_key: String::new(),
            api_secret: String::new(),
            signature_secret: String::new(),
            application_id: None,
            voice: Voice::default(),
        }
    }
}

/// The account that a section asks for.
pub(super) fn account(mut section: Section<'_>) -> Result<Vonage, ConfigError> {
    let link = section.http()?;
    let raw: Raw = section.read()?;
    if raw.api_key.is_empty() || !raw.api_key.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return Err(section.wrong("api_key", "is missing or no key; write the account's API key"));
    }
    if link.sender.is_empty() {
        return Err(section.wrong("sender", SENDER));
    }
    Ok(Vonage {
        base_url: section.base("base_url", &raw.base_url)?,
        api_secret: section.secret("api_secret", &raw.api_secret)?,
        signature_secret: section.secret("signature_secret", &raw.signature_secret)?,
        api_key: raw.api_key,
        application_id: raw.application_id,
        voice: section.voice(raw.voice)?,
        link,
    })
}

#[cfg(test)]
impl Vonage {
    /// An account whose service is at `base_url`.
    pub(crate) fn for_test(base_url: &str) -> Self {
        let hidden = |text: &str| Hidden(zeroize::Zeroizing::new(text.to_owned()));
        Self {
            link: HttpLink {
                name: "vonage".to_owned(),
                region: None,
                sender: "Rialto".to_owned(),
                window: 4,
                rate: 0,
                timeout: std::time::Duration::from_secs(5),
                ca_file: None,
            },
            base_url: base_url.to_owned(),
            api_key: "abcd1234".to_owned(),
            api_secret: hidden("api secret"),
            signature_secret: hidden("signature secret"),
            application_id: None,
            voice: Voice::default(),
        }
    }
}
