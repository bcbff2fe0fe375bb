//! `kind = "smpp"`.

use serde::Deserialize;

use super::Section;
use crate::config::{ConfigError, Hidden, secret};

/// An SMPP link to a carrier.
#[derive(Clone, Debug)]
pub struct SmppLink {
    /// Its name, as pools and routes use it.
    pub name: String,
    /// Where it keeps what passes it.
    pub region: Option<String>,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who we are to the SMSC.
    pub system_id: String,
    /// The secret, already read from wherever it is kept.
    pub password: Hidden,
    /// Often empty.
    pub system_type: String,
    /// Most submits without an answer.
    pub window: u16,
    /// Messages a second, 0 for no limit.
    pub rate: u32,
    /// What codes show as their sender: a number, a short code or a name.
    pub sender: String,
    /// What data coding 0 means here.
    pub default_alphabet: String,
    /// Seconds between signs of life.
    pub enquire_link_s: u16,
}

/// The section as people write it, without what every kind has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    host: String,
    port: u16,
    system_id: String,
    password: String,
    bind: String,
    tls: bool,
    window: u16,
    rate: u32,
    sender: String,
    system_type: String,
    default_alphabet: String,
    id_format: String,
    enquire_link_s: u16,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 2775,
            system_id: String::new(),
            password: String::new(),
            bind: "transceiver".to_owned(),
            tls: false,
            window: 64,
            rate: 0,
            sender: String::new(),
            system_type: String::new(),
            default_alphabet: "gsm7".to_owned(),
            id_format: "auto".to_owned(),
            enquire_link_s: 30,
        }
    }
}

/// The link that a section asks for.
pub(super) fn link(mut section: Section<'_>) -> Result<SmppLink, ConfigError> {
    let raw: Raw = section.read()?;
    let wrong = |key: &str, mend: &str| section.wrong(key, mend);
    if raw.host.is_empty() {
        return Err(wrong("host", "is missing; write the SMSC's host name or address"));
    }
    if raw.bind != "transceiver" {
        return Err(wrong("bind", "this version binds as \"transceiver\" only; write that or leave it out"));
    }
    if raw.tls {
        return Err(wrong(
            "tls",
            "this version speaks plain SMPP; leave it out and reach the SMSC through a private network or tunnel",
        ));
    }
    if raw.id_format != "auto" {
        return Err(wrong("id_format", "this version has \"auto\" only; write that or leave it out"));
    }
    if !matches!(raw.default_alphabet.as_str(), "gsm7" | "latin1") {
        return Err(wrong("default_alphabet", "write \"gsm7\" or \"latin1\""));
    }
    if raw.window == 0 || raw.enquire_link_s == 0 {
        return Err(wrong("window", "window and enquire_link_s have to be 1 or more"));
    }
    if raw.sender.is_empty() || raw.sender.len() > 16 {
        return Err(wrong(
            "sender",
            "write what codes show as their sender: \"+number\", a short code or a name of at most 11 characters",
        ));
    }
    let password = secret(&raw.password).map_err(|mend| wrong("password", &mend))?;
    Ok(SmppLink {
        name: section.name.clone(),
        region: section.region.clone(),
        host: raw.host,
        port: raw.port,
        system_id: raw.system_id,
        password,
        system_type: raw.system_type,
        window: raw.window,
        rate: raw.rate,
        sender: raw.sender,
        default_alphabet: raw.default_alphabet,
        enquire_link_s: raw.enquire_link_s,
    })
}
