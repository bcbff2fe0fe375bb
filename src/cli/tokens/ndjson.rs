//! Where one value stands in a line of JSON, so that it can be replaced there and the rest stays as it was.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::rows::Fault;

/// The place of the value at `path`, keys from the outermost on; none if a key is missing on the way.
///
/// # Errors
/// [`Fault::Malformed`] if the line is no JSON object; [`Fault::Twice`] if a key on the way stands there twice, since
/// which of the two is meant differs from reader to reader.
pub(super) fn find(line: &[u8], path: &[String]) -> Result<Option<Range<usize>>, Fault> {
    serde_json::from_slice::<IgnoredAny>(line).map_err(|_| Fault::Malformed)?;
    let start = skip_space(line, 0);
    if line.get(start) != Some(&b'{') {
        return Err(Fault::Malformed);
    }
    let mut at = start;
    for (depth, key) in path.iter().enumerate() {
        let Some(value) = member(line, at, key)? else { return Ok(None) };
        if depth + 1 == path.len() {
            return Ok(Some(value));
        }
        if line.get(value.start) != Some(&b'{') {
            return Ok(None);
        }
        at = value.start;
    }
    Ok(None)
}

/// What the value at `place` says, if it is text; [`Fault::NotText`] if it is something else.
pub(super) fn text(value: &[u8]) -> Result<Zeroizing<String>, Fault> {
    if value == b"null" {
        return Ok(Zeroizing::default());
    }
    serde_json::from_slice(value).map(Zeroizing::new).map_err(|_| Fault::NotText)
}

/// `text` as a JSON string.
pub(super) fn written(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(text).unwrap_or_default())
}

/// The value of `key` in the object that begins at `at`. The line is known to be JSON.
fn member(line: &[u8], at: usize, key: &str) -> Result<Option<Range<usize>>, Fault> {
    let mut found = None;
    let mut at = skip_space(line, at + 1);
    while line.get(at) == Some(&b'"') {
        let name = at..end_of_string(line, at);
        let colon = skip_space(line, name.end);
        let start = skip_space(line, colon + 1);
        let value = start..end_of_value(line, start);
        let name = serde_json::from_slice::<Cow<'_, str>>(line.get(name).unwrap_or_default());
        if name.is_ok_and(|name| name == key) && found.replace(value.clone()).is_some() {
            return Err(Fault::Twice);
        }
        let comma = skip_space(line, value.end);
        at = skip_space(line, comma + 1);
    }
    Ok(found)
}

fn skip_space(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|octet| octet.is_ascii_whitespace()).count()
}

/// Behind the closing quote of the string that begins at `at`.
fn end_of_string(line: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(octet) = line.get(at) {
        match octet {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    line.len()
}

/// Behind the value that begins at `at`.
fn end_of_value(line: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(octet) = line.get(at) {
        match octet {
            b'"' => at = end_of_string(line, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' if depth == 0 => return at,
            octet if depth == 0 && octet.is_ascii_whitespace() => return at,
            _ => at += 1,
        }
        if depth == 0 && at > start && matches!(line.get(start), Some(b'"' | b'{' | b'[')) {
            return at;
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn at<'a>(line: &'a str, path: &str) -> Result<Option<&'a str>, Fault> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        Ok(find(line.as_bytes(), &path)?.map(|place| &line[place]))
    }

    #[test]
    fn a_value_is_found_where_it_stands() {
        let line = r#" {"a" : [1,{"phone":"x"}], "ph\u006fne":"+1 \"2\"","n":-1.50e3 ,"o":{"p":{"q":"z"}}, "t":true}"#;
        assert_eq!(at(line, "phone"), Ok(Some(r#""+1 \"2\"""#)));
        assert_eq!(at(line, "n"), Ok(Some("-1.50e3")));
        assert_eq!(at(line, "o.p.q"), Ok(Some(r#""z""#)));
        assert_eq!(at(line, "a"), Ok(Some(r#"[1,{"phone":"x"}]"#)));
        assert_eq!(at(line, "t"), Ok(Some("true")));
        for missing in ["q", "o.q", "phone.q", "n.x"] {
            assert_eq!(at(line, missing), Ok(None), "{missing}");
        }
    }

    #[test]
    fn a_key_that_stands_there_twice_is_refused() {
        assert_eq!(at(r#"{"phone":"a","x":1,"phone":"b"}"#, "phone"), Err(Fault::Twice));
        assert_eq!(at(r#"{"o":{"phone":"a"},"phone":"b"}"#, "phone"), Ok(Some(r#""b""#)));
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for line in ["", "[]", "\"phone\"", "{\"phone\":", "{\"phone\":\"a\"} x"] {
            assert_eq!(at(line, "phone"), Err(Fault::Malformed), "{line}");
        }
    }
}
