//! What messages may say: named policies of words, links, length and repetition, as `policies/content.toml` has them.
//!
//! Reading and judging are pure; only repetitions need a memory, which is this process's and bounded: forgetting lets a
//! text through once more. A policy that is named but not there refuses everything, so that a renamed policy is
//! noticed and lets nothing through. Asked by `outreach` and `relay`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::clock::Timestamp;

/// The file's name.
pub const CONTENT_FILE: &str = "content.toml";

/// Every policy, by name.
#[derive(Clone, Debug, Default)]
pub struct Content {
    messages: Option<String>,
    policies: HashMap<String, Rules>,
}

/// One policy.
#[derive(Clone, Debug, Default)]
struct Rules {
    /// Words and phrases, folded.
    keywords: Vec<Vec<String>>,
    /// Sites that may be linked to; none is any.
    links: Option<Vec<String>>,
    max_length: Option<usize>,
    repeats: Option<u32>,
}

/// Which rule a text breaks. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentRefusal {
    /// A word or phrase that may not be said.
    #[error("a word that may not be said")]
    Keyword,
    /// A link to elsewhere.
    #[error("a link that may not be there")]
    Link,
    /// Too long.
    #[error("too long")]
    Length,
    /// The same once too often.
    #[error("the same text once too often")]
    Repeat,
    /// There is no policy of this name.
    #[error("no policy of this name")]
    Unknown,
}

impl ContentRefusal {
    /// The rule's name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyword => "content_keyword",
            Self::Link => "content_link",
            Self::Length => "content_length",
            Self::Repeat => "content_repeat",
            Self::Unknown => "content_policy_unknown",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    messages: Option<String>,
    #[serde(default)]
    policy: HashMap<String, Lines>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    #[serde(default)]
    keywords: Vec<String>,
    links: Option<Vec<String>>,
    max_length: Option<usize>,
    repeats: Option<u32>,
}

impl Content {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())?;
        let mut policies = HashMap::new();
        for (name, lines) in file.policy {
            let rules = lines.read().map_err(|fault| format!("policy.{name}: {fault}"))?;
            policies.insert(name, rules);
        }
        if let Some(name) = file.messages.as_ref().filter(|name| !policies.contains_key(*name)) {
            return Err(format!("messages: there is no [policy.{name}]; write one or leave `messages` out"));
        }
        Ok(Self { messages: file.messages, policies })
    }

    /// The policy that every message of a tenant's own has to pass.
    pub fn for_messages(&self) -> Option<&str> {
        self.messages.as_deref()
    }

    /// Whether there is a policy of this name.
    pub fn knows(&self, policy: &str) -> bool {
        self.policies.contains_key(policy)
    }

    /// Whether a text may be said under a policy, repetitions aside.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, policy: &str, text: &str) -> Result<(), ContentRefusal> {
        let rules = self.policies.get(policy).ok_or(ContentRefusal::Unknown)?;
        if rules.max_length.is_some_and(|most| text.chars().count() > most) {
            return Err(ContentRefusal::Length);
        }
        if !rules.keywords.is_empty() {
            let words = words(text);
            if rules.keywords.iter().any(|phrase| words.windows(phrase.len()).any(|said| said == phrase.as_slice())) {
                return Err(ContentRefusal::Keyword);
            }
        }
        match &rules.links {
            Some(sites) if hosts(text).any(|host| !sites.iter().any(|site| is_within(&host, site))) => {
                Err(ContentRefusal::Link)
            }
            _ => Ok(()),
        }
    }

    /// How often one person may get the same text within a day.
    pub fn repeats(&self, policy: &str) -> Option<u32> {
        self.policies.get(policy).and_then(|rules| rules.repeats)
    }
}

impl Lines {
    fn read(self) -> Result<Rules, String> {
        let keywords: Vec<_> = self.keywords.iter().map(|keyword| words(keyword)).collect();
        if keywords.iter().any(Vec::is_empty) {
            return Err("keywords: a keyword without letters or digits matches nothing; take it out".into());
        }
        let links = self.links.map(|sites| sites.iter().map(|site| site.to_lowercase()).collect::<Vec<_>>());
        if links.iter().flatten().any(|site| !is_host(site)) {
            return Err("links: write sites, \"example.com\" say, without scheme or path".into());
        }
        if self.max_length == Some(0) || self.repeats == Some(0) {
            return Err("max_length and repeats begin at 1; leave them out to allow any".into());
        }
        Ok(Rules { keywords, links, max_length: self.max_length, repeats: self.repeats })
    }
}

/// The words of a text in lower case, without what stands between them. What is invisible parts no word.
fn words(text: &str) -> Vec<String> {
    let visible: String = text.chars().filter(|c| !is_joined(*c)).collect();
    let words = visible.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Marks without width, which would hide a word from whoever looks for it.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

/// The hosts that a text links to: after a scheme, or as a phone would make a link of it (`shop.example/x`).
fn hosts(text: &str) -> impl Iterator<Item = String> {
    let visible: String = text.chars().filter(|c| !is_joined(*c)).collect();
    let lower = visible.to_lowercase();
    let parts: Vec<String> =
        lower.split(|c: char| c.is_whitespace() || "<>\"'()[]{}，。".contains(c)).map(str::to_owned).collect();
    parts.into_iter().filter_map(|part| {
        let (has_scheme, rest) = match part.split_once("://") {
            Some((_, rest)) => (true, rest),
            None => (false, part.as_str()),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        let host = authority.rsplit('@').next()?.split(':').next()?.trim_matches(['.', ',', '!', ';']);
        (has_scheme && !host.is_empty() || is_host(host)).then(|| host.to_owned())
    })
}

/// Labels with dots between them, of which the last is no number.
fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let label = |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let top = |top: &&str| top.chars().count() >= 2 && top.chars().all(char::is_alphabetic) || top.starts_with("xn--");
    labels.len() >= 2 && labels.iter().all(label) && labels.last().is_some_and(top)
}

fn is_within(host: &str, site: &str) -> bool {
    host == site || host.strip_suffix(site).is_some_and(|rest| rest.ends_with('.'))
}

/// How often texts were let through lately, by fingerprint: of whoever sends, who receives, and the text.
#[derive(Default)]
pub struct Repeats(Mutex<HashMap<[u8; 32], Vec<Timestamp>>>);

impl Repeats {
    /// Counts one more, unless `limit` of the last day are through already.
    ///
    /// # Errors
    /// [`ContentRefusal::Repeat`].
    pub fn once_more(&self, print: [u8; 32], limit: u32, now: Timestamp) -> Result<(), ContentRefusal> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Timestamp| at.until(now) < DAY;
        if seen.len() >= MAX_PRINTS {
            seen.retain(|_, times| times.iter().any(is_recent));
        }
        if seen.len() >= MAX_PRINTS {
            seen.clear();
        }
        let times = seen.entry(print).or_default();
        times.retain(is_recent);
        if times.len() >= limit as usize {
            return Err(ContentRefusal::Repeat);
        }
        times.push(now);
        Ok(())
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// About 6 MB.
const MAX_PRINTS: usize = 65_536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ContentRefusal::{Keyword, Length, Link, Unknown};

    fn content() -> Content {
        Content::parse(
            "[policy.strict]\nkeywords = [\"free money\", \"kiếm tiền\"]\nlinks = [\"shop.example\"]\nmax_length = 60\n\
             [policy.nolinks]\nlinks = []\n[policy.open]\n",
        )
        .unwrap()
    }

    #[test]
    fn words_are_refused_as_words_in_any_case_and_however_they_are_hidden() {
        let content = content();
        for text in ["FREE  money!", "get free-money now", "Free\u{200B} mo\u{AD}ney", "Kiếm TIỀN nhanh"] {
            assert_eq!(content.check("strict", text), Err(Keyword), "{text}");
        }
        for text in ["carefree moneylender", "free of charge, money back"] {
            assert_eq!(content.check("strict", text), Ok(()), "{text}");
        }
    }

    #[test]
    fn links_lead_only_where_they_may() {
        let content = content();
        for text in ["see https://shop.example/a?b", "SHOP.example", "www.shop.example/x", "at 10.30 for 5.99 only..."]
        {
            assert_eq!(content.check("strict", text), Ok(()), "{text}");
        }
        for text in [
            "https://evil.example",
            "notshop.example",
            "http://shop.example@evil.example/",
            "evil.example/shop.example",
            "http://127.0.0.1/x",
            "(bit.ly/abc)",
            "shop.example.evil.com",
        ] {
            assert_eq!(content.check("strict", text), Err(Link), "{text}");
        }
        assert_eq!(content.check("nolinks", "shop.example"), Err(Link));
        assert_eq!(content.check("open", "https://anything.example free money"), Ok(()));
    }

    #[test]
    fn length_is_counted_in_characters_and_an_unknown_policy_lets_nothing_through() {
        let content = content();
        assert_eq!(content.check("strict", &"ờ".repeat(60)), Ok(()));
        assert_eq!(content.check("strict", &"ờ".repeat(61)), Err(Length));
        assert_eq!(content.check("gone", "hello"), Err(Unknown));
    }

    #[test]
    fn a_text_goes_through_so_often_a_day() {
        let repeats = Repeats::default();
        let at = |secs: i64| Timestamp::from_millis(1_000_000 + secs * 1_000);
        for secs in 0..3 {
            repeats.once_more([1; 32], 3, at(secs)).unwrap();
        }
        assert_eq!(repeats.once_more([1; 32], 3, at(3)), Err(ContentRefusal::Repeat));
        repeats.once_more([2; 32], 3, at(3)).unwrap();
        repeats.once_more([1; 32], 3, at(86_400)).unwrap();
    }

    #[test]
    fn a_file_that_says_nothing_sensible_is_refused_with_a_mend() {
        for (text, said) in [
            ("messages = \"x\"", "no [policy.x]"),
            ("[policy.a]\nkeywords = [\"!!\"]", "matches nothing"),
            ("[policy.a]\nlinks = [\"https://a.example\"]", "without scheme"),
            ("[policy.a]\nrepeats = 0", "begin at 1"),
            ("[policy.a]\nwords = []", "unknown field"),
        ] {
            let fault = Content::parse(text).unwrap_err();
            assert!(fault.contains(said), "{text}: {fault}");
        }
        let shipped = Content::parse(include_str!("../../policies/content.toml")).unwrap();
        assert!(shipped.for_messages().is_none() && shipped.policies.is_empty());
    }
}
