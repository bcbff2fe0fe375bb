//! What the carriers over HTTP share: how fast, how long, whom to trust; and how calls are to be.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Section;
use crate::config::{ConfigError, Hidden, secret};

/// How requests go to an HTTP carrier.
#[derive(Clone, Debug)]
pub struct HttpLink {
    /// Its name, as pools and routes use it.
    pub name: String,
    /// Where it keeps what passes it; where numbers without country code are from.
    pub region: Option<String>,
    /// What codes show as their sender: a number, a short code or a name.
    pub sender: String,
    /// Requests at once.
    pub window: u16,
    /// Requests a second, 0 for no limit.
    pub rate: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// Who may sign the carrier's certificate; none means the system's.
    pub ca_file: Option<PathBuf>,
}

/// How calls are put through.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Voice {
    /// Whether the party proves to be no voicemail before the two hear each other.
    pub screen: bool,
    /// The longest a call may last, in seconds.
    pub max_s: u32,
    /// How long it rings, in seconds.
    pub ring_s: u32,
    /// The language of the texts below, BCP 47.
    pub language: String,
    /// What the party hears first.
    pub prompt: String,
    /// What a caller hears who is to type an extension.
    pub keypad: String,
    /// What a caller hears who cannot be put through.
    pub refusal: String,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            screen: true,
            max_s: 3_600,
            ring_s: 25,
            language: "en-US".to_owned(),
            prompt: "You have a call. Press 1 to take it.".to_owned(),
            keypad: "Please enter the extension, then press the hash key.".to_owned(),
            refusal: "This call cannot be put through. Goodbye.".to_owned(),
        }
    }
}

impl Section<'_> {
    /// Takes out what every HTTP carrier has.
    pub(super) fn http(&mut self) -> Result<HttpLink, ConfigError> {
        let window = self.number("window", 32)?;
        let timeout = self.number("timeout_s", 10)?;
        if window == 0 || !(1..=20).contains(&timeout) {
            return Err(self.wrong("window", "window has to be 1 or more, timeout_s 1 to 20"));
        }
        let sender = self.word("sender")?.unwrap_or_default();
        if sender.len() > 16 {
            return Err(self.wrong("sender", SENDER));
        }
        let ca_file = self.word("ca_file")?.map(PathBuf::from);
        Ok(HttpLink {
            name: self.name.clone(),
            region: self.region.clone(),
            sender,
            window: window.try_into().unwrap_or(u16::MAX),
            rate: self.number("rate", 0)?,
            timeout: Duration::from_secs(timeout.into()),
            ca_file: ca_file.map(|path| (self.at)(&path)),
        })
    }

    fn number(&mut self, key: &str, usual: u32) -> Result<u32, ConfigError> {
        let Some(value) = self.rest.remove(key) else { return Ok(usual) };
        let number = value.to_i128().and_then(|number| number.try_into().ok());
        number.ok_or_else(|| self.wrong(key, "has the wrong type or value; write a number, 0 or more"))
    }

    /// A secret that has to be there.
    pub(super) fn secret(&self, key: &str, text: &str) -> Result<Hidden, ConfigError> {
        let hidden = secret(text).map_err(|mend| self.wrong(key, &mend))?;
        if hidden.0.is_empty() {
            return Err(self.wrong(key, "is missing; write \"env:NAME\" or \"file:PATH\""));
        }
        Ok(hidden)
    }

    /// Where a service is, without a `/` at its end. Credentials go over plain HTTP only within a machine or a network
    /// of one's own.
    pub(super) fn base(&self, key: &str, text: &str) -> Result<String, ConfigError> {
        let text = text.trim_end_matches('/');
        let wrong = || self.wrong(key, "write \"https://…\"; \"http://…\" only for this machine or a private address");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_fit = text.parse::<hyper::Uri>().is_ok() && !host.is_empty() && !host.contains('@');
        match scheme {
            "https" if is_fit => Ok(text.to_owned()),
            "http" if is_fit && is_near(host) => Ok(text.to_owned()),
            _ => Err(wrong()),
        }
    }

    pub(super) fn voice(&self, voice: Voice) -> Result<Voice, ConfigError> {
        if !(1..=14_400).contains(&voice.max_s) || !(5..=120).contains(&voice.ring_s) {
            return Err(self.wrong("voice", "max_s has to be 1 to 14400, ring_s 5 to 120"));
        }
        Ok(voice)
    }
}

/// Whether a host is this machine, a private address, or a name without a dot, as of containers.
fn is_near(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => host,
        _ => authority,
    };
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(four)) => four.is_loopback() || four.is_private() || four.is_link_local(),
        Ok(IpAddr::V6(six)) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
        Err(_) => !host.contains('.'),
    }
}

/// What a sender setting may be.
pub(super) const SENDER: &str =
    "write what codes show as their sender: \"+number\", a short code or a name of at most 11 characters";

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn plain_http_stays_near() {
        for near in ["127.0.0.1:8080", "localhost", "192.168.1.20:8080", "[::1]:80", "[fd00::1]", "kannel:13013"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["192.0.2.1", "api.example", "198.51.100.7:80", "[2001:db8::1]:80"] {
            assert!(!is_near(far), "{far}");
        }
    }
}
