//! `kind = "template"`: a gateway whose requests, both ways, are described in the settings.
//!
//! Shapes only: what placeholders, places and words mean is read by the carrier, which stops the start as well.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Section;
use super::http::{HttpLink, SENDER};
use crate::config::{ConfigError, Hidden};

/// A gateway of any shape.
#[derive(Clone, Debug)]
pub struct Template {
    /// How requests go there.
    pub link: HttpLink,
    /// Secrets that templates may name.
    pub secrets: Vec<(String, Hidden)>,
    /// The request that hands a message over.
    pub submit: TemplateSubmit,
    /// Basic authentication of that request: user and password.
    pub login: Option<(String, Hidden)>,
    /// What every call of the gateway has to bring.
    pub auth: Option<TemplateAuth>,
    /// Where a message that came stands in such a call.
    pub inbound: Option<TemplateInbound>,
    /// Where a status stands in such a call.
    pub status: Option<TemplateStatus>,
}

/// The request that hands a message over, and what its answers mean.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSubmit {
    /// `POST` unless said.
    pub method: Option<String>,
    /// With placeholders.
    pub url: String,
    /// With placeholders for secrets and the id.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, with placeholders in its strings.
    pub json: Option<Value>,
    /// Or as a form, with placeholders in its values.
    pub form: Option<BTreeMap<String, String>>,
    /// The statuses that mean that the message was taken; none means all of 200 to 299.
    pub success: Vec<u16>,
    /// What the answer has to contain besides.
    pub contains: Option<String>,
    /// Where the gateway's id of the message stands in its JSON answer; none means that `{id}` is used.
    pub id: Option<String>,
    /// What other answers mean, the first that fits.
    pub failures: Vec<TemplateFailure>,
    user: String,
    password: String,
}

/// What an answer that is no success means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateFailure {
    /// Its status; none means any.
    pub status: Option<u16>,
    /// What it contains; none means anything.
    pub contains: Option<String>,
    /// `throttled`, `unavailable`, `unconfirmed` or `refused`.
    #[serde(rename = "as")]
    pub verdict: String,
    /// Of one that is refused: the class.
    pub class: Option<String>,
}

/// How calls of the gateway prove that they are its own.
#[derive(Clone, Debug)]
pub enum TemplateAuth {
    /// A header holds the HMAC-SHA256 of the body, in hexadecimal or base64.
    Hmac {
        /// Which header.
        header: String,
        /// The header with the time in Unix seconds that is signed as well.
        timestamp: Option<String>,
        /// What is signed, out of `{body}` and `{timestamp}`.
        signed: String,
        /// Under which secret.
        secret: Hidden,
    },
    /// A header holds a secret.
    Header {
        /// Which header.
        header: String,
        /// Which secret.
        secret: Hidden,
    },
    /// Basic authentication (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Hidden,
    },
}

/// Where a message that came stands: `/json/pointer`, `field` of a form or query, `header:Name`, `body`, or `+number`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateInbound {
    /// Who wrote.
    pub from: String,
    /// Which virtual number was written to.
    pub to: String,
    /// The text.
    pub text: String,
    /// The gateway's id of it, the same if it is sent again.
    pub id: Option<String>,
    /// What has to stand where, for a call to be taken; others are answered and let go.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
}

/// Where a status stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateStatus {
    /// The gateway's id of the message.
    pub id: String,
    /// Its word.
    pub status: String,
    /// What each word means: `submitted`, `delivered`, `undelivered`, `expired`, `rejected`. Others are let go.
    pub words: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    secrets: BTreeMap<String, String>,
    submit: TemplateSubmit,
    auth: Option<RawAuth>,
    inbound: Option<TemplateInbound>,
    status: Option<TemplateStatus>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawAuth {
    hmac: Option<String>,
    timestamp: Option<String>,
    signed: Option<String>,
    header: Option<String>,
    secret: String,
    user: Option<String>,
    password: String,
}

/// The gateway that a section describes.
pub(super) fn gateway(mut section: Section<'_>) -> Result<Template, ConfigError> {
    let link = section.http()?;
    let mut raw: Raw = section.read()?;
    if link.sender.is_empty() {
        return Err(section.wrong("sender", SENDER));
    }
    if raw.auth.is_none() && (raw.inbound.is_some() || raw.status.is_some()) {
        return Err(section.wrong("auth", "is missing: without it anybody could write in the gateway's name"));
    }
    let (user, password) = (std::mem::take(&mut raw.submit.user), std::mem::take(&mut raw.submit.password));
    let login = (!user.is_empty()).then(|| section.secret("submit.password", &password)).transpose()?;
    let secrets = raw.secrets.iter().map(|(name, text)| Ok((name.clone(), section.secret("secrets", text)?)));
    Ok(Template {
        secrets: secrets.collect::<Result<_, ConfigError>>()?,
        auth: raw.auth.map(|auth| auth.check(&section)).transpose()?,
        login: login.map(|password| (user, password)),
        submit: raw.submit,
        inbound: raw.inbound,
        status: raw.status,
        link,
    })
}

impl RawAuth {
    fn check(self, section: &Section<'_>) -> Result<TemplateAuth, ConfigError> {
        match (self.hmac, self.header, self.user) {
            (Some(header), None, None) => {
                let signed = match (&self.signed, &self.timestamp) {
                    (Some(signed), _) => signed.clone(),
                    (None, Some(_)) => "{body}{timestamp}".to_owned(),
                    (None, None) => "{body}".to_owned(),
                };
                if !signed.contains("{body}") || signed.contains("{timestamp}") != self.timestamp.is_some() {
                    return Err(
                        section.wrong("auth.signed", "has to hold {body}, and {timestamp} if its header is named")
                    );
                }
                let secret = section.secret("auth.secret", &self.secret)?;
                Ok(TemplateAuth::Hmac { header, timestamp: self.timestamp, signed, secret })
            }
            (None, Some(header), None) => {
                Ok(TemplateAuth::Header { header, secret: section.secret("auth.secret", &self.secret)? })
            }
            (None, None, Some(user)) => {
                Ok(TemplateAuth::Basic { user, password: section.secret("auth.password", &self.password)? })
            }
            _ => Err(section.wrong("auth", "write one of: hmac and secret; header and secret; user and password")),
        }
    }
}
