//! Where an endpoint is: a URL, read once when it is given and once more before each call.
//!
//! What a URL may be is decided here, by its text alone; whether its address may be called, by [`super::reach`], on the
//! address itself.

use std::net::IpAddr;

use url::{Host, Position, Url};

use crate::guard;

/// A place that may be called as far as its text goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether it is called over TLS.
    pub(super) secure: bool,
    /// The name or address to connect to, and to be shown a certificate for.
    pub(super) host: String,
    /// The address, where the host is one.
    pub(super) address: Option<IpAddr>,
    /// The port.
    pub(super) port: u16,
    /// As the `Host` header has it.
    pub(super) authority: String,
    /// The path with the query.
    pub(super) path: String,
    /// The whole as it is kept and shown.
    pub(super) text: String,
}

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No absolute URL of a host, or too long, with a fragment or with a name and password.
    Form,
    /// Neither `https` nor, where private addresses are allowed, `http`.
    Scheme,
    /// A port below 1024 that is not the scheme's own.
    Port,
    /// A phone number in it.
    Number,
}

impl Place {
    /// Reads a URL.
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        if text.len() > LONGEST {
            return Err(Flaw::Form);
        }
        let url = Url::parse(text).map_err(|_| Flaw::Form)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Flaw::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Flaw::Form);
        }
        let (host, address) = match url.host().ok_or(Flaw::Form)? {
            Host::Domain(name) => (name.trim_end_matches('.').to_owned(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
        };
        let port = url.port_or_known_default().ok_or(Flaw::Form)?;
        if host.is_empty() {
            return Err(Flaw::Form);
        }
        if port < 1_024 && port != if secure { 443 } else { 80 } {
            return Err(Flaw::Port);
        }
        let path = url[Position::BeforePath..Position::AfterQuery].to_owned();
        if (address.is_none() && guard::number_in_text(&host)) || holds_number(&path) {
            return Err(Flaw::Number);
        }
        let authority = url[Position::BeforeHost..Position::AfterPort].to_owned();
        Ok(Self { secure, host, address, port, authority, path, text: url.into() })
    }
}

/// Also where it is percent-encoded.
fn holds_number(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?.first().copied());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    guard::number_in_text(path) || guard::number_in_text(&String::from_utf8_lossy(&decoded))
}

/// Characters of a URL at the most.
const LONGEST: usize = 2_048;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_is_read_into_its_parts() {
        let place = Place::parse("HTTPS://Hooks.Example:8443/a/b?c=d").unwrap();
        assert!(place.secure && place.address.is_none());
        assert_eq!((place.host.as_str(), place.port), ("hooks.example", 8443));
        assert_eq!((place.authority.as_str(), place.path.as_str()), ("hooks.example:8443", "/a/b?c=d"));
        assert_eq!(place.text, "https://hooks.example:8443/a/b?c=d");
        assert_eq!(Place::parse("https://hooks.example").unwrap().path, "/");
        assert_eq!(Place::parse("https://hooks.example").unwrap().port, 443);
        assert_eq!(Place::parse("https://[2001:db8::1]/x").unwrap().authority, "[2001:db8::1]");
    }

    #[test]
    fn every_spelling_of_an_address_is_that_address() {
        for text in ["http://127.0.0.1/", "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/"]
        {
            let place = Place::parse(text).unwrap();
            assert_eq!(place.address, Some("127.0.0.1".parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_for_us_is_refused_with_its_flaw() {
        for (text, flaw) in [
            ("hooks.example/x", Flaw::Form),
            ("https://", Flaw::Form),
            ("https://user@hooks.example/", Flaw::Form),
            ("https://user:word@hooks.example/", Flaw::Form),
            ("https://hooks.example/#x", Flaw::Form),
            ("ftp://hooks.example/", Flaw::Scheme),
            ("file:///etc/passwd", Flaw::Scheme),
            ("gopher://hooks.example/", Flaw::Scheme),
            ("https://hooks.example:22/", Flaw::Port),
            ("https://hooks.example:80/", Flaw::Port),
            ("https://hooks.example/+12025550143", Flaw::Number),
            ("https://hooks.example/?to=%2B1%20202%20555%200143", Flaw::Number),
            ("https://hooks.example/%2b%31202555%30143", Flaw::Number),
        ] {
            assert_eq!(Place::parse(text), Err(flaw), "{text}");
        }
        assert_eq!(Place::parse(&format!("https://hooks.example/{}", "x".repeat(LONGEST))), Err(Flaw::Form));
    }

    #[test]
    fn a_port_or_an_address_is_no_number() {
        for text in [
            "http://127.0.0.1:37771/hook",
            "https://203.0.113.77:65535/v1/hook/2026-11-22",
            "https://[2606:4700::1111]/",
        ] {
            assert!(Place::parse(text).is_ok(), "{text}");
        }
    }
}
