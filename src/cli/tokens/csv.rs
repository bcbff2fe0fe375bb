//! Where a CSV record (RFC 4180) ends, and where one of its fields stands in it.
//!
//! Fields are found by their place and replaced there, so that every other octet of a file, quoting and line ends
//! included, stays as it was. A record may span lines inside quotes. A field whose closing quote is missing is told as
//! such, never guessed.

use std::ops::Range;

use zeroize::Zeroizing;

/// What was found at the beginning of some octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// One record of `length` octets, its line end included; the wanted field, if the record has so many.
    Whole { length: usize, field: Option<Range<usize>> },
    /// Its end is not among the octets.
    Partial,
    /// It ends inside quotes.
    Unclosed,
}

/// The first record of `octets`. `last` says that nothing follows them.
pub(super) fn record(octets: &[u8], delimiter: u8, wanted: usize, last: bool) -> Record {
    let (mut at, mut found) = (0, None);
    for index in 0.. {
        let start = at;
        if octets.get(at) == Some(&b'"') {
            match closed(octets, at + 1) {
                // Another quote may follow, and then this one closes nothing.
                Some(end) if end == octets.len() && !last => return Record::Partial,
                Some(end) => at = end,
                None if last => return Record::Unclosed,
                None => return Record::Partial,
            }
        }
        let rest = octets.get(at..).unwrap_or_default();
        let end = rest.iter().position(|octet| *octet == delimiter || matches!(octet, b'\n' | b'\r'));
        let Some(end) = end.map(|end| at + end).or_else(|| last.then_some(octets.len())) else {
            return Record::Partial;
        };
        if index == wanted {
            found = Some(start..end);
        }
        at = end + 1;
        let length = match (octets.get(end), octets.get(at)) {
            (Some(b'\r'), Some(b'\n')) => at + 1,
            (Some(b'\r'), None) if !last => return Record::Partial,
            (Some(b'\r' | b'\n'), _) => at,
            (None, _) => octets.len(),
            _ => continue,
        };
        return Record::Whole { length, field: found };
    }
    Record::Partial
}

/// Where the quotes that opened before `from` are closed: the place behind the closing one.
fn closed(octets: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += octets.get(at..)?.iter().position(|octet| *octet == b'"')? + 1;
        if octets.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// What a field says, without the quotes around it and with doubled ones made single. None if it is not UTF-8.
pub(super) fn text(field: &[u8]) -> Option<Zeroizing<String>> {
    let field = std::str::from_utf8(field).ok()?;
    let inner = field.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest));
    Some(Zeroizing::new(inner.map_or_else(|| field.to_owned(), |inner| inner.replace("\"\"", "\""))))
}

/// `text` in place of a field; quoted where the field was, or where it has to be.
pub(super) fn written(field: &[u8], text: &str, delimiter: u8) -> Zeroizing<Vec<u8>> {
    let special = |octet: u8| octet == delimiter || matches!(octet, b'"' | b'\n' | b'\r');
    if field.first() == Some(&b'"') || text.bytes().any(special) {
        Zeroizing::new(format!("\"{}\"", text.replace('"', "\"\"")).into_bytes())
    } else {
        Zeroizing::new(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn fields(octets: &[u8], wanted: usize) -> Vec<Option<String>> {
        let (mut rest, mut fields) = (octets, Vec::new());
        while !rest.is_empty() {
            let Record::Whole { length, field } = record(rest, b',', wanted, true) else { break };
            fields.push(field.map(|at| text(&rest[at]).unwrap().to_string()));
            rest = &rest[length..];
        }
        fields
    }

    #[test]
    fn quotes_hold_line_ends_delimiters_and_quotes() {
        let octets = b"1,\"a\nb,\"\"c\"\"\",x\r\n2,d\n";
        assert_eq!(fields(octets, 1), [Some("a\nb,\"c\"".into()), Some("d".into())]);
        assert_eq!(fields(octets, 2), [Some("x".into()), None]);
    }

    #[test]
    fn the_line_end_belongs_to_its_record_whichever_it_is() {
        for (octets, length) in [(&b"a,b\r\nc"[..], 5), (b"a,b\nc", 4), (b"a,b\rc", 4), (b"a,b", 3)] {
            assert_eq!(record(octets, b',', 1, true), Record::Whole { length, field: Some(2..3) });
        }
    }

    #[test]
    fn what_may_go_on_is_not_taken_for_an_end() {
        for octets in [&b"a,b"[..], b"a,b\r", b"\"a\"", b"\"a", b""] {
            assert_eq!(record(octets, b',', 0, false), Record::Partial, "{octets:?}");
        }
        assert_eq!(record(b"\"a,b\nc\n", b',', 0, true), Record::Unclosed);
    }

    #[test]
    fn a_field_keeps_its_quotes_and_gets_them_where_it_must() {
        assert_eq!(written(b"\"x\"", "tok", b',').as_slice(), b"\"tok\"");
        assert_eq!(written(b"x", "tok", b',').as_slice(), b"tok");
        assert_eq!(written(b"x", "a;b", b';').as_slice(), b"\"a;b\"");
    }

    proptest! {
        /// Whatever the usual writer of CSV makes of fields, the same fields are found in it.
        #[test]
        fn the_fields_are_those_that_another_implementation_wrote(
            rows in proptest::collection::vec(proptest::collection::vec("[a-z\",\n\r ]{0,6}", 3), 1..5)
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let octets = writer.into_inner().unwrap();
            for column in 0..3 {
                let expected: Vec<_> = rows.iter().map(|row| Some(row[column].clone())).collect();
                prop_assert_eq!(fields(&octets, column), expected);
            }
        }

        #[test]
        fn no_octets_panic(octets: Vec<u8>, last: bool) {
            let _ = record(&octets, b',', 1, last);
        }
    }
}
