//! Canonical JSON, as log entries have it: keys sorted by code point, nulls left out, no white space (the RFC 8785
//! subset of objects, arrays, strings, integers and booleans).
//!
//! Works on the text that `serde_json` writes, whose members it puts in order, so that it needs to know no type. Also
//! the small reader behind it, which the store uses to pack entries. Neither unescapes a string: what stands between
//! two quotes is carried over byte by byte.

use serde::Serialize;

/// The canonical text of `value`; empty if it cannot be written as JSON, which nothing in an event can cause.
pub(super) fn canonical(value: &impl Serialize) -> String {
    let raw = serde_json::to_vec(value).unwrap_or_default();
    let mut out = Vec::with_capacity(raw.len());
    write(&raw, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn write(raw: &[u8], out: &mut Vec<u8>) {
    match raw.first() {
        Some(b'{') => {
            let mut fields: Vec<_> = members(raw).filter(|(_, value)| *value != b"null").collect();
            fields.sort_by_key(|(key, _)| *key);
            // Of a key that came twice, the last one counts.
            fields.dedup_by(|later, kept| {
                let again = later.0 == kept.0;
                if again {
                    *kept = *later;
                }
                again
            });
            out.push(b'{');
            for (n, (key, value)) in fields.into_iter().enumerate() {
                out.extend_from_slice(if n > 0 { b",\"" } else { b"\"" });
                out.extend_from_slice(key);
                out.extend_from_slice(b"\":");
                write(value, out);
            }
            out.push(b'}');
        }
        Some(b'[') => {
            out.push(b'[');
            for (n, item) in items(raw).enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(raw),
    }
}

/// The members of an object without white space, in the order written: the key between its quotes, and the value.
pub(crate) fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = object.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (key, after) = split_value(rest)?;
        let (value, after) = split_value(after.strip_prefix(b":")?)?;
        rest = after.get(1..).unwrap_or_default();
        Some((key.strip_prefix(b"\"")?.strip_suffix(b"\"")?, value))
    })
}

/// The items of an array without white space.
pub(crate) fn items(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = array.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (item, after) = split_value(rest)?;
        rest = after.get(1..).unwrap_or_default();
        Some(item)
    })
}

/// The value that `text` begins with, and what follows it; none where no value begins.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut depth, mut length) = (0_usize, 0_usize);
    loop {
        let rest = text.get(length..)?;
        match rest.first() {
            Some(b'"') => length += string_length(rest)?,
            Some(b'{' | b'[') => (depth, length) = (depth + 1, length + 1),
            Some(b'}' | b']') if depth > 0 => (depth, length) = (depth - 1, length + 1),
            Some(b',' | b':') if depth > 0 => length += 1,
            Some(b',' | b':' | b'}' | b']') | None => break,
            Some(_) => length += rest.iter().take_while(|byte| !b",:}]\"".contains(byte)).count(),
        }
        if depth == 0 {
            break;
        }
    }
    text.split_at_checked(length).filter(|(value, _)| !value.is_empty())
}

/// Bytes of the string that `text` begins with, quotes included.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth_and_text_is_escaped() {
        let value =
            serde_json::json!({"b": [{"z": 1, "a": "q\"\n"}, []], "a": null, "é": -2, "c": {}, "b2": [true, "\\"]});
        assert_eq!(
            canonical(&value),
            "{\"b\":[{\"a\":\"q\\\"\\n\",\"z\":1},[]],\"b2\":[true,\"\\\\\"],\"c\":{},\"é\":-2}"
        );
    }

    #[test]
    fn braces_commas_and_quotes_inside_strings_end_nothing() {
        let value = serde_json::json!({"z": "},{\"a\":1", "a": ["]", "[\"", "\\\\\""], "m": {"k:": ":,"}});
        let expected: std::collections::BTreeMap<_, _> = value.as_object().into_iter().flatten().collect();
        assert_eq!(canonical(&value), serde_json::to_string(&expected).unwrap_or_default());
    }

    #[test]
    fn what_is_no_json_ends_and_is_not_looped_over() {
        for text in ["{", "{\"a", "{\"a\"", "{\"a\":", "[1", "[\"", "{]", "[,]", "{:}"] {
            let mut out = Vec::new();
            write(text.as_bytes(), &mut out);
        }
    }
}
