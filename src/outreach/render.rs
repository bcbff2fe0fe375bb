//! Texts with `{placeholders}`: read strictly when they are kept, filled strictly when they are sent. Pure.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

/// The placeholder that is filled with the tenant's name, whether or not a variable says so.
pub(super) const BRAND: &str = "brand";
/// The longest name of a placeholder.
const LONGEST_NAME: usize = 32;

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The placeholders of a text, [`BRAND`] aside; none if a brace stands alone or a name cannot be one.
pub(super) fn placeholders(text: &str) -> Option<BTreeSet<String>> {
    let names = pieces(text)?.into_iter().filter_map(|piece| match piece {
        Piece::Variable(name) if name != BRAND => Some(name.to_owned()),
        _ => None,
    });
    Some(names.collect())
}

/// The text with every placeholder filled; none if one has no variable, or a variable no placeholder. Filled in one
/// pass: what a variable says is never read as a placeholder.
pub(super) fn fill(
    text: &str,
    brand: &str,
    variables: &BTreeMap<String, Zeroizing<String>>,
) -> Option<Zeroizing<String>> {
    let wanted = placeholders(text)?;
    if variables.keys().any(|name| !wanted.contains(name)) {
        return None;
    }
    let values: usize = variables.values().map(|value| value.len()).sum();
    let mut filled = Zeroizing::new(String::with_capacity(text.len() * 2 + values * 4));
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Variable(BRAND) => filled.push_str(brand),
            Piece::Variable(name) => filled.push_str(variables.get(name)?),
        }
    }
    Some(filled)
}

/// The text of the locale that was asked for: the very tag, else its language (RFC 4647 §3.4, lookup), else the first of
/// `usual` that there is, else English, else the first.
pub(super) fn chosen<'a>(
    texts: &'a BTreeMap<String, String>,
    asked: Option<&str>,
    usual: &[String],
) -> Option<&'a String> {
    let tags = asked.into_iter().chain(usual.iter().map(String::as_str)).chain(["en"]);
    tags.into_iter().find_map(|tag| of_locale(texts, tag)).or_else(|| texts.values().next())
}

fn of_locale<'a>(texts: &'a BTreeMap<String, String>, tag: &str) -> Option<&'a String> {
    let mut range = tag;
    loop {
        let found = texts.iter().find(|(locale, _)| locale.eq_ignore_ascii_case(range));
        match (found, range.rsplit_once('-')) {
            (Some((_, text)), _) => return Some(text),
            (None, Some((shorter, _))) => range = shorter,
            (None, None) => return None,
        }
    }
}

fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('{') {
        let (name, after) = tail.split_once('}')?;
        if plain.contains('}') || !is_name(name) {
            return None;
        }
        pieces.extend([Piece::Text(plain), Piece::Variable(name)]);
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

/// Lower-case letters, digits and underscores, a letter first.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled(text: &str, variables: &[(&str, &str)]) -> Option<String> {
        let of = |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()));
        fill(text, "Rialto", &variables.iter().map(of).collect()).map(|text| text.to_string())
    }

    #[test]
    fn every_variable_has_its_place_and_every_place_its_variable() {
        let text = "{brand}: {item} for {name}, {item}!";
        assert_eq!(filled(text, &[("item", "box"), ("name", "you")]).unwrap(), "Rialto: box for you, box!");
        assert_eq!(filled(text, &[("item", "box")]), None, "one is missing");
        assert_eq!(filled(text, &[("item", "box"), ("name", "you"), ("x", "y")]), None, "one is not known");
        assert_eq!(filled("plain", &[]).unwrap(), "plain");
    }

    #[test]
    fn what_a_variable_says_is_never_a_placeholder() {
        assert_eq!(filled("{a} {b}", &[("a", "{b}"), ("b", "{brand}")]).unwrap(), "{b} {brand}");
    }

    #[test]
    fn braces_that_are_no_placeholder_make_no_template() {
        for text in
            ["{", "}", "{}", "a } b", "{Name}", "{na me}", "{a{b}}", "{a}}", "{1a}", &format!("{{{}}}", "a".repeat(33))]
        {
            assert_eq!(placeholders(text), None, "{text}");
        }
        assert_eq!(placeholders("{a_1} {brand}").unwrap().into_iter().collect::<Vec<_>>(), ["a_1"]);
    }

    #[test]
    fn a_locale_falls_back_to_its_language_then_the_usual_one() {
        let texts: BTreeMap<String, String> =
            ["en", "vi", "zh-Hant"].map(|tag| (tag.to_owned(), tag.to_owned())).into_iter().collect();
        let usual = ["vi".to_owned()];
        for (asked, got) in [
            (Some("zh-Hant-TW"), "zh-Hant"),
            (Some("VI-vn"), "vi"),
            (Some("zh-Hans"), "vi"),
            (None, "vi"),
            (Some("en-GB"), "en"),
        ] {
            assert_eq!(chosen(&texts, asked, &usual).unwrap(), got, "{asked:?}");
        }
        assert_eq!(chosen(&texts, Some("fr"), &[]).unwrap(), "en");
    }
}
