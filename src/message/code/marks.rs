//! What the form alone decides: a code bound to an origin, links, addresses, the hash that tells an Android app a
//! message is its own.

use std::ops::Range;

use zeroize::Zeroizing;

use super::fold::Folded;

/// Digits and letters of a code, at least and at most.
pub(super) const LENGTH: std::ops::RangeInclusive<usize> = 3..=10;

/// The code of the last line `@origin #code`, in a frame `@top #code @frame`: written for machines, so it decides.
pub(super) fn bound_to_origin(text: &Folded) -> Option<Zeroizing<String>> {
    let last = text.raw.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let mut words = last.strip_prefix('@')?.split_ascii_whitespace();
    let origin = words.next()?;
    if !(origin.contains('.') || origin.starts_with("localhost")) {
        return None;
    }
    let code = words.next()?.strip_prefix('#')?;
    let value: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| *c != '-').collect());
    let typed = value.chars().all(|c| c.is_ascii_alphanumeric()) && LENGTH.contains(&value.len());
    typed.then_some(value)
}

/// Links, addresses, handles and the Android hash, in order: nothing in them is typed.
pub(super) fn links(text: &Folded) -> Vec<Range<usize>> {
    let raw = text.raw.as_str();
    let end = raw.trim_end().len();
    let mut links = Vec::new();
    let mut start = 0;
    for (at, c) in raw.char_indices().chain([(raw.len(), ' ')]) {
        if c.is_ascii_alphanumeric() || "-._~/?#=&%@:+".contains(c) {
            continue;
        }
        let word = raw.get(start..at).unwrap_or_default();
        if is_link(word) || (at == end && is_hash(word)) {
            links.push(start..at);
        }
        start = at.saturating_add(c.len_utf8());
    }
    links
}

fn is_link(word: &str) -> bool {
    let lower = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let scheme = word.contains("://") || lower.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    let path = word.split_once('/').is_some_and(|(host, _)| is_host(host));
    let handle = word.split_once('@').is_some_and(|(_, after)| after.starts_with(|c: char| c.is_ascii_alphanumeric()));
    scheme || path || handle
}

/// `example.com`: the last label has letters only.
fn is_host(host: &str) -> bool {
    let last = host.rsplit_once('.');
    last.is_some_and(|(name, top)| {
        name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && top.len() >= 2
            && top.chars().all(|c| c.is_ascii_alphabetic())
    })
}

/// Eleven characters of base64 that are no plain number.
fn is_hash(word: &str) -> bool {
    word.len() == 11
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
        && word.chars().any(|c| c.is_ascii_alphabetic())
}
