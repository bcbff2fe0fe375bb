//! `kind = "twilio"`.

use serde::Deserialize;

use super::Section;
use super::http::{HttpLink, SENDER, Voice};
use crate::config::{ConfigError, Hidden};

/// An account at Twilio, or at whoever speaks as it does.
#[derive(Clone, Debug)]
pub struct Twilio {
    /// How requests go there.
    pub link: HttpLink,
    /// Where the service is, without a `/` at its end.
    pub base_url: String,
    /// Who we are there.
    pub account_sid: String,
    /// The account's secret: of our requests, and of the signatures on theirs.
    pub auth_token: Hidden,
    /// What messages of the house itself go out by, in place of a sender.
    pub messaging_service_sid: Option<String>,
    /// How calls are to be.
    pub voice: Voice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    base_url: String,
    account_sid: String,
    auth_token: String,
    messaging_service_sid: Option<String>,
    voice: Voice,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            base_url: USUAL.to_owned(),
            account_sid: String::new(),
            auth_token: String::new(),
            messaging_service_sid: None,
            voice: Voice::default(),
        }
    }
}

/// The account that a section asks for.
pub(super) fn account(mut section: Section<'_>) -> Result<Twilio, ConfigError> {
    let link = section.http()?;
    let raw: Raw = section.read()?;
    let is_sid = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
    if !is_sid(&raw.account_sid) {
        return Err(section.wrong("account_sid", "is missing or no SID; write \"AC…\""));
    }
    if raw.messaging_service_sid.as_deref().is_some_and(|sid| !is_sid(sid)) {
        return Err(section.wrong("messaging_service_sid", "is no SID; write \"MG…\" or leave it out"));
    }
    if link.sender.is_empty() && raw.messaging_service_sid.is_none() {
        return Err(section.wrong("sender", SENDER));
    }
    let base_url = section.base("base_url", &raw.base_url)?;
    if base_url == USUAL && !section.has_public_url {
        return Err(section.wrong("kind", "it calls us back at server.public_url; write that"));
    }
    Ok(Twilio {
        base_url,
        auth_token: section.secret("auth_token", &raw.auth_token)?,
        account_sid: raw.account_sid,
        messaging_service_sid: raw.messaging_service_sid,
        voice: section.voice(raw.voice)?,
        link,
    })
}

/// Where Twilio is.
const USUAL: &str = "https://api.twilio.com";
