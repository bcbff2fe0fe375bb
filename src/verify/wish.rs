//! What a caller may ask for when starting a verification, checked before anything is counted. Pure.

use std::time::Duration;

use super::VerifyError;
use crate::guard::{Label, number_in_text};
use crate::store::Transaction;
use crate::vault::Holder;

/// A wish to verify that a person holds a number.
pub struct StartVerification {
    /// Who, as the vault resolved them.
    pub to: Holder,
    /// For what; at most 64 characters.
    pub purpose: Option<String>,
    /// The tenant's own name for who asks; at most 128 characters. Two of the same replace each other.
    pub user_ref: Option<String>,
    /// `sms`.
    pub channel: Option<String>,
    /// BCP 47; picks the language of the message.
    pub locale: Option<String>,
    /// 4 to 10, 6 if not said.
    pub code_length: Option<u8>,
    /// Letters too.
    pub alphanumeric: bool,
    /// 30 to 600 s, 300 s if not said.
    pub ttl: Option<Duration>,
    /// The site that the code is for, `https://host` or `host`, for the last line of the message (WebOTP).
    pub origin: Option<String>,
    /// The Android app that the code is for: the 11 base64 characters of SMS Retriever.
    pub app_hash: Option<String>,
    /// The payment that the code confirms (PSD2 RTS article 5, dynamic linking).
    pub transaction: Option<Transaction>,
}

/// A wish in order: every default filled in, every text within its rules.
pub(super) struct Wish {
    pub(super) to: Holder,
    pub(super) purpose: String,
    pub(super) requester: String,
    pub(super) locale: Option<String>,
    pub(super) code_length: u8,
    pub(super) alphanumeric: bool,
    pub(super) ttl: Duration,
    pub(super) origin: Option<String>,
    pub(super) app_hash: Option<String>,
    pub(super) transaction: Option<Transaction>,
}

impl Wish {
    pub(super) fn read(wish: StartVerification) -> Result<Self, VerifyError> {
        if wish.channel.as_deref().is_some_and(|channel| channel != CHANNEL) {
            return refused("channel", "channel_unavailable");
        }
        if wish.origin.is_some() && wish.app_hash.is_some() {
            // Both claim the last line.
            return refused("app_hash", "origin_or_app_hash");
        }
        Ok(Self {
            to: wish.to,
            purpose: label("purpose", wish.purpose, LONGEST_PURPOSE)?.unwrap_or_else(|| PURPOSE.to_owned()),
            requester: label("user_ref", wish.user_ref, LONGEST_USER_REF)?.unwrap_or_default(),
            locale: wish.locale.map(locale).transpose()?,
            code_length: code_length(wish.code_length)?,
            alphanumeric: wish.alphanumeric,
            ttl: ttl(wish.ttl)?,
            origin: wish.origin.as_deref().map(host).transpose()?,
            app_hash: wish.app_hash.map(app_hash).transpose()?,
            transaction: wish.transaction.map(transaction).transpose()?,
        })
    }
}

fn refused<T>(field: &'static str, code: &'static str) -> Result<T, VerifyError> {
    Err(VerifyError::Refused { field, code })
}

fn label(field: &'static str, text: Option<String>, longest: usize) -> Result<Option<String>, VerifyError> {
    if let Some(text) = &text {
        Label::up_to(longest).check(text).map_err(|e| VerifyError::Refused { field, code: e.code() })?;
    }
    Ok(text)
}

fn code_length(length: Option<u8>) -> Result<u8, VerifyError> {
    match length.unwrap_or(6) {
        length @ 4..=10 => Ok(length),
        _ => refused("code_length", "code_length_invalid"),
    }
}

fn ttl(ttl: Option<Duration>) -> Result<Duration, VerifyError> {
    match ttl.unwrap_or(DEFAULT_TTL) {
        ttl if (SHORTEST_TTL..=LONGEST_TTL).contains(&ttl) => Ok(ttl),
        _ => refused("ttl_s", "ttl_invalid"),
    }
}

/// The shape of a language tag (RFC 5646 §2.1): a primary subtag of letters, then subtags of letters and digits.
fn locale(tag: String) -> Result<String, VerifyError> {
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default();
    let shaped = tag.len() <= LONGEST_LOCALE
        && (2..=8).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !shaped {
        return refused("locale", "locale_invalid");
    }
    if number_in_text(&tag) {
        return refused("locale", "number_in_text");
    }
    Ok(tag)
}

/// The host of an https origin on its default port, as the last line of a message names it
/// (wicg.github.io/sms-one-time-codes §2.1). An internationalised host comes in its ASCII form.
fn host(origin: &str) -> Result<String, VerifyError> {
    let authority = origin.strip_prefix("https://").unwrap_or(origin);
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let host = authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
    let named = host.len() <= LONGEST_HOST
        && (host == "localhost" || host.contains('.'))
        && host.split('.').all(is_host_label)
        // A last label of digits alone is an IPv4 address, which no code is bound to.
        && host.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
    if !named {
        return refused("origin", "origin_invalid");
    }
    if number_in_text(&host) {
        return refused("origin", "number_in_text");
    }
    Ok(host)
}

/// Letters, digits and inner hyphens, at most 63 (RFC 1123 §2.1).
fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Eleven base64 characters: the first 66 bits of the app's hash (Android SMS Retriever).
fn app_hash(hash: String) -> Result<String, VerifyError> {
    let shaped = hash.len() == 11 && hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    if !shaped {
        return refused("app_hash", "app_hash_invalid");
    }
    if number_in_text(&hash) {
        return refused("app_hash", "number_in_text");
    }
    Ok(hash)
}

fn transaction(transaction: Transaction) -> Result<Transaction, VerifyError> {
    let rule = |text: &str, longest| Label::up_to(longest).check(text);
    rule(&transaction.amount, LONGEST_AMOUNT)
        .map_err(|e| VerifyError::Refused { field: "transaction.amount", code: e.code() })?;
    rule(&transaction.payee, LONGEST_PAYEE)
        .map_err(|e| VerifyError::Refused { field: "transaction.payee", code: e.code() })?;
    Ok(transaction)
}

pub(super) const CHANNEL: &str = "sms";
const PURPOSE: &str = "login";
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const SHORTEST_TTL: Duration = Duration::from_secs(30);
const LONGEST_TTL: Duration = Duration::from_secs(600);
const LONGEST_PURPOSE: usize = 64;
const LONGEST_USER_REF: usize = 128;
const LONGEST_LOCALE: usize = 35;
const LONGEST_HOST: usize = 253;
const LONGEST_AMOUNT: usize = 24;
const LONGEST_PAYEE: usize = 40;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn code<T>(result: Result<T, VerifyError>) -> &'static str {
        match result {
            Err(VerifyError::Refused { code, .. }) => code,
            _ => "accepted",
        }
    }

    #[test]
    fn an_origin_is_the_host_of_an_https_site() {
        for good in ["https://shop.example", "https://shop.example/", "https://Shop.Example:443", "shop.example"] {
            assert_eq!(host(good).unwrap(), "shop.example");
        }
        for bad in [
            "http://shop.example",
            "https://shop.example/login",
            "https://shop.example:8443",
            "https://me@shop.example",
            "https://127.0.0.1",
            "https://[::1]",
            "https://",
            "shop..example",
            "-shop.example",
            "shop.example\n@evil.example",
            "https://shöp.example",
            "shop",
        ] {
            assert_eq!(code(host(bad)), "origin_invalid", "{bad}");
        }
        assert_eq!(code(host("https://+84901234567.example")), "origin_invalid");
    }

    #[test]
    fn bounds_are_the_contracts() {
        assert_eq!(code_length(None).unwrap(), 6);
        assert!(code_length(Some(4)).is_ok() && code_length(Some(10)).is_ok());
        assert_eq!(code(code_length(Some(3))), "code_length_invalid");
        assert_eq!(code(code_length(Some(11))), "code_length_invalid");
        assert_eq!(ttl(None).unwrap(), Duration::from_secs(300));
        assert!(ttl(Some(SHORTEST_TTL)).is_ok() && ttl(Some(LONGEST_TTL)).is_ok());
        assert_eq!(code(ttl(Some(Duration::from_secs(29)))), "ttl_invalid");
        assert_eq!(code(ttl(Some(Duration::from_millis(600_001)))), "ttl_invalid");
    }

    #[test]
    fn a_locale_has_the_shape_of_a_language_tag() {
        for good in ["en", "vi-VN", "zh-Hant-TW", "es-419", "de-CH-1996"] {
            assert!(locale(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "e", "en_US", "en-", "-en", "84", "en US", "abcdefghi"] {
            assert_eq!(code(locale(bad.to_owned())), "locale_invalid", "{bad}");
        }
    }

    #[test]
    fn an_app_hash_is_eleven_base64_characters() {
        assert!(app_hash("FA+9qCX9VSu".to_owned()).is_ok());
        for bad in ["FA+9qCX9VS", "FA+9qCX9VSu=", "FA-9qCX9VSu", "FA 9qCX9VSu"] {
            assert_eq!(code(app_hash(bad.to_owned())), "app_hash_invalid", "{bad}");
        }
    }

    #[test]
    fn a_transaction_is_short_and_free_of_numbers() {
        let of = |amount: &str, payee: &str| Transaction { amount: amount.to_owned(), payee: payee.to_owned() };
        assert!(transaction(of("EUR 12.50", "Café Central")).is_ok());
        assert_eq!(code(transaction(of("EUR 12.50", "call +84 90 123 45 67"))), "number_in_text");
        assert_eq!(code(transaction(of("", "Café Central"))), "text_empty");
        assert_eq!(code(transaction(of("EUR 12.50", "Café\nCentral"))), "text_unprintable");
        assert_eq!(code(transaction(of(&"9".repeat(25), "Café"))), "text_too_long");
    }
}
