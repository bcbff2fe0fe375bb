//! Rows of a file, one at a time, each with where it begins and where its field stands.
//!
//! Rows are cut in order from blocks of bounded size. A row that cannot be taken (too long, not closed, no JSON) ends at
//! its first line end, whatever else it looked like, so that one bad row costs one row and a run that was resumed cuts
//! the same rows.

use std::io::{self, Read};
use std::ops::Range;

use zeroize::Zeroizing;

use super::{csv, ndjson};

/// What kind of file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Fields between delimiters; which field, from 0.
    Csv { delimiter: u8, column: usize },
    /// An object on each line; the path of keys.
    Ndjson { path: Vec<String> },
}

/// Why a row is not taken. The texts hold nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Malformed,
    TooLong,
    NoColumn,
    NotText,
    FieldTooLong,
    Twice,
}

impl Fault {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Malformed => "row_malformed",
            Self::TooLong => "row_too_long",
            Self::NoColumn => "column_missing",
            Self::NotText => "field_not_text",
            Self::FieldTooLong => "field_too_long",
            Self::Twice => "key_twice",
        }
    }

    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Malformed => "The row is not CSV or JSON as this file's kind asks for; mend its quotes or brackets.",
            Self::TooLong => "The row is longer than 1 MB; a quote that is not closed does that too.",
            Self::NoColumn => "The row does not have the column.",
            Self::NotText => "The field is not text; numbers have to be written as strings, in UTF-8.",
            Self::FieldTooLong => "The field is longer than any number or token is written.",
            Self::Twice => "The key stands twice in the object.",
        }
    }
}

/// A row as it stands in the file.
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    /// All of it, with its line end.
    pub(super) octets: Zeroizing<Vec<u8>>,
    /// The field: where it stands, and what it says.
    pub(super) field: Result<(Range<usize>, Zeroizing<String>), Fault>,
}

/// Cuts rows from a source.
pub(super) struct Rows<R> {
    source: R,
    format: Format,
    held: Zeroizing<Vec<u8>>,
    at: usize,
    ended: bool,
    /// How many octets of the source are behind us.
    pub(super) offset: u64,
    /// The line on which the next row begins.
    pub(super) line: u64,
}

impl<R: Read> Rows<R> {
    /// Cuts what follows as `format` says.
    pub(super) fn cut_as(&mut self, format: Format) {
        self.format = format;
    }

    /// Rows of a source that stands at `offset` of its file, at the beginning of `line`.
    pub(super) fn new(source: R, format: Format, offset: u64, line: u64) -> Self {
        Self { source, format, held: Zeroizing::default(), at: 0, ended: false, offset, line }
    }

    /// The octets before the first row: a mark of the byte order that UTF-8 does not need but some programs write.
    pub(super) fn mark(&mut self) -> io::Result<Vec<u8>> {
        while self.rest().len() < 3 && self.more()? {}
        let mark: &[u8] = if self.rest().starts_with(BOM) { BOM } else { &[] };
        self.pass(mark.len());
        Ok(mark.to_vec())
    }

    /// The next row; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            if self.rest().is_empty() && !self.more()? {
                return Ok(None);
            }
            if let Some(row) = self.cut() {
                return Ok(Some(row));
            }
            if self.rest().len() > LONGEST {
                return self.broken(Fault::TooLong).map(Some);
            }
            if !self.more()? && self.cut_is_hopeless() {
                return self.broken(Fault::Malformed).map(Some);
            }
        }
    }

    fn cut(&mut self) -> Option<Row> {
        let rest = self.held.get(self.at..).unwrap_or_default();
        let (length, field) = match &self.format {
            Format::Csv { delimiter, column } => match csv::record(rest, *delimiter, *column, self.ended) {
                csv::Record::Whole { length, field } => {
                    let read = |at: Range<usize>| {
                        let text = csv::text(rest.get(at.clone()).unwrap_or_default()).ok_or(Fault::NotText)?;
                        Ok((at, text))
                    };
                    (length, field.ok_or(Fault::NoColumn).and_then(read))
                }
                _ => return None,
            },
            Format::Ndjson { path } => {
                let end = rest.iter().position(|octet| *octet == b'\n').map(|end| end + 1);
                let length = end.or_else(|| self.ended.then_some(rest.len()))?;
                let line = rest.get(..length).unwrap_or_default();
                let read = |at: Range<usize>| Ok((at.clone(), ndjson::text(line.get(at).unwrap_or_default())?));
                (length, ndjson::find(line, path).and_then(|at| at.ok_or(Fault::NoColumn)).and_then(read))
            }
        };
        Some(self.row(length, field))
    }

    fn row(&mut self, length: usize, field: Result<(Range<usize>, Zeroizing<String>), Fault>) -> Row {
        let octets = Zeroizing::new(self.rest().get(..length).unwrap_or_default().to_vec());
        let line = self.line;
        self.pass(length);
        Row { line, octets, field }
    }

    /// At the end of the source only an open quote keeps a row from being cut.
    fn cut_is_hopeless(&self) -> bool {
        self.ended && !self.rest().is_empty() && {
            let Format::Csv { delimiter, column } = &self.format else { return false };
            csv::record(self.rest(), *delimiter, *column, true) == csv::Record::Unclosed
        }
    }

    /// Gives up the row up to its first line end.
    fn broken(&mut self, fault: Fault) -> io::Result<Row> {
        let line = self.line;
        loop {
            if let Some(end) = self.rest().iter().position(|octet| *octet == b'\n') {
                self.pass(end + 1);
                break;
            }
            self.pass(self.rest().len());
            if !self.more()? {
                break;
            }
        }
        Ok(Row { line, octets: Zeroizing::default(), field: Err(fault) })
    }

    fn rest(&self) -> &[u8] {
        self.held.get(self.at..).unwrap_or_default()
    }

    fn pass(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        let lines = passed.iter().filter(|octet| **octet == b'\n').count();
        self.line += lines as u64;
        self.at += length;
        self.offset += length as u64;
    }

    /// Reads another block behind what is left of the last. Whether there was any.
    fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.held.drain(..self.at);
        self.at = 0;
        let filled = self.held.len();
        self.held.resize(filled + BLOCK, 0);
        let read = self.source.read(self.held.get_mut(filled..).unwrap_or_default());
        self.held.truncate(filled + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(!self.ended)
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The longest row.
const LONGEST: usize = 1_000_000;

const BLOCK: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Gives one octet at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            *into.first_mut().unwrap() = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn csv_rows(octets: &[u8]) -> Vec<(u64, Result<String, Fault>, u64)> {
        let format = Format::Csv { delimiter: b',', column: 1 };
        let mut rows = Rows::new(Drip(octets), format, 0, 1);
        rows.mark().unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.push((row.line, row.field.map(|(_, text)| text.to_string()), rows.offset));
        }
        all
    }

    #[test]
    fn rows_know_their_line_and_where_they_end() {
        let octets = b"\xef\xbb\xbf1,\"a\nb\"\r\n2\n3,c";
        let expected = [(1, Ok("a\nb".to_owned()), 12), (3, Err(Fault::NoColumn), 14), (4, Ok("c".to_owned()), 17)];
        assert_eq!(csv_rows(octets), expected);
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_one_line() {
        let expected = [(1, Err(Fault::Malformed), 5), (2, Ok("b".to_owned()), 9)];
        assert_eq!(csv_rows(b"1,\"a\n2,b\n"), expected);
    }

    #[test]
    fn a_row_that_is_too_long_costs_one_line() {
        let long = [b"1,".as_slice(), &vec![b'x'; LONGEST + BLOCK], b"\n2,b\n"].concat();
        let format = Format::Csv { delimiter: b',', column: 1 };
        let mut rows = Rows::new(long.as_slice(), format, 0, 1);
        assert_eq!(rows.next().unwrap().unwrap().field.err(), Some(Fault::TooLong));
        assert_eq!(rows.next().unwrap().unwrap().field.ok().map(|(_, text)| text.to_string()), Some("b".into()));
        assert!(rows.next().unwrap().is_none());
    }

    #[test]
    fn a_line_of_json_is_a_row() {
        let octets = b"{\"phone\":\"a\"}\n\n{\"phone\":5}\n{\"phone\":null}";
        let mut rows = Rows::new(Drip(octets), Format::Ndjson { path: vec!["phone".into()] }, 0, 1);
        let mut seen = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            seen.push((row.line, row.field.map(|(_, text)| text.to_string())));
        }
        let expected =
            [(1, Ok("a".to_owned())), (2, Err(Fault::Malformed)), (3, Err(Fault::NotText)), (4, Ok(String::new()))];
        assert_eq!(seen, expected);
    }
}
