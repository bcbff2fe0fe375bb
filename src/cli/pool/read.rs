//! Reading a file of virtual numbers: CSV with a header, or NDJSON. A fault names its line and column, never the number.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::cli::CommandError;
use crate::phone::{self, VirtualNumber};
use crate::store::Traits;

/// A number with the line that it came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: u64,
    pub(super) number: VirtualNumber,
    pub(super) traits: Traits,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: u64,
    pub(super) what: String,
}

/// The lines of a file, or what is wrong with them.
pub(super) type Lines = (Vec<Line>, Vec<Fault>);

/// Reads a whole file: `.ndjson` and `.jsonl` as NDJSON, all others as CSV.
pub(super) fn file(path: &Path) -> Result<Lines, CommandError> {
    let unread = |error: std::io::Error| CommandError::Failed(format!("{}: {error}", path.display()));
    let file = BufReader::new(File::open(path).map_err(unread)?);
    let is_json = path.extension().is_some_and(|ext| ext == "ndjson" || ext == "jsonl");
    let (mut lines, mut faults) = if is_json { ndjson(file) } else { csv(file) }.map_err(unread)?;
    let mut first = HashMap::new();
    lines.retain(|line| match first.insert(line.number, line.at) {
        None => true,
        Some(before) => {
            faults.push(Fault { at: line.at, what: format!("number: the same as in line {before}") });
            false
        }
    });
    faults.sort_by_key(|fault| fault.at);
    Ok((lines, faults))
}

/// One line as a client writes it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    number: String,
    region: Option<String>,
    #[serde(default)]
    capabilities: Words,
    #[serde(default)]
    reach: Words,
    #[serde(default, alias = "carriers")]
    carrier: Words,
}

/// Several words: a list, or one text with spaces, bars or semicolons between.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Words {
    #[default]
    None,
    Text(String),
    List(Vec<String>),
}

impl Words {
    fn list(self) -> Vec<String> {
        let split = |text: &str| -> Vec<String> {
            text.split([' ', '|', ';']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        match self {
            Self::None => Vec::new(),
            Self::Text(text) => split(&text),
            Self::List(words) => words.iter().flat_map(|text| split(text)).collect(),
        }
    }
}

impl Written {
    fn read(self, at: u64) -> Result<Line, Fault> {
        let number = phone::parse_virtual(&self.number);
        let number = number.ok_or_else(|| Fault { at, what: "number: write it as + and 7 to 15 digits".to_owned() })?;
        let region = self.region.map(|region| region.trim().to_owned()).filter(|region| !region.is_empty());
        let traits = Traits {
            region,
            capabilities: self.capabilities.list(),
            reach: self.reach.list(),
            carriers: self.carrier.list(),
        };
        Ok(Line { at, number, traits })
    }
}

fn ndjson(file: impl Read) -> std::io::Result<Lines> {
    let (mut lines, mut faults) = Lines::default();
    for (at, text) in (1..).zip(BufReader::new(file).lines()) {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let read = match serde_json::from_str::<Written>(&text) {
            Ok(written) => written.read(at),
            // The parser's own words may quote what stands there.
            Err(error) => Err(Fault { at, what: format!("no object of this kind: {}", kind(&error)) }),
        };
        keep(read, &mut lines, &mut faults);
        if faults.len() >= MAX_FAULTS || lines.len() >= MAX_LINES {
            break;
        }
    }
    Ok((lines, faults))
}

fn csv(file: impl Read) -> std::io::Result<Lines> {
    let (mut lines, mut faults) = Lines::default();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim_start_matches('\u{feff}').to_lowercase()).collect(),
        Err(_) => return Ok((lines, vec![Fault { at: 1, what: "this is no CSV in UTF-8".to_owned() }])),
    };
    if let Some(what) = unfit(&header) {
        return Ok((lines, vec![Fault { at: 1, what }]));
    }
    for record in reader.into_records() {
        let (at, read) = match record {
            Ok(record) => {
                let at = record.position().map_or(0, csv::Position::line);
                (at, columns(&header, &record).read(at))
            }
            Err(error) => {
                let at = error.position().map_or(0, csv::Position::line);
                (at, Err(Fault { at, what: "more or fewer columns than the header has, or no UTF-8".to_owned() }))
            }
        };
        let _ = at;
        keep(read, &mut lines, &mut faults);
        if faults.len() >= MAX_FAULTS || lines.len() >= MAX_LINES {
            break;
        }
    }
    Ok((lines, faults))
}

/// What is wrong with a header.
fn unfit(header: &[String]) -> Option<String> {
    if let Some(other) = header.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        let shown: String = other.chars().take(40).filter(|letter| !letter.is_ascii_digit()).collect();
        return Some(format!("there is no column {shown:?}; there are {}", COLUMNS.join(", ")));
    }
    (!header.iter().any(|name| name == "number")).then(|| "the first line has to name a column `number`".to_owned())
}

fn columns(header: &[String], record: &csv::StringRecord) -> Written {
    let mut written = Written::default();
    for (name, value) in header.iter().zip(record) {
        let value = value.to_owned();
        match name.as_str() {
            "number" => written.number = value,
            "region" => written.region = Some(value),
            "capabilities" => written.capabilities = Words::Text(value),
            "reach" => written.reach = Words::Text(value),
            _ => written.carrier = Words::Text(value),
        }
    }
    written
}

fn keep(read: Result<Line, Fault>, lines: &mut Vec<Line>, faults: &mut Vec<Fault>) {
    match read {
        Ok(line) => lines.push(line),
        Err(fault) => faults.push(fault),
    }
}

fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "an unknown field, one missing, or one of another type",
        _ => "this is not JSON",
    }
}

/// The columns there are.
const COLUMNS: [&str; 6] = ["number", "region", "capabilities", "reach", "carrier", "carriers"];
/// Faults after which reading ends.
pub(super) const MAX_FAULTS: usize = 20;
/// Numbers of one file.
pub(super) const MAX_LINES: usize = 2_000_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn both_forms_say_the_same() {
        let by_comma =
            "number,region,capabilities,reach,carrier\n+12025550143,US,sms voice,+1|+52,main\n+44 7700 900999,,,,\n";
        let by_line = r#"{"number":"+12025550143","region":"US","capabilities":["sms","voice"],"reach":"+1 +52","carrier":"main"}

{"number":"+447700900999"}"#;
        let (from_csv, faults) = csv(by_comma.as_bytes()).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        let (from_json, faults) = ndjson(by_line.as_bytes()).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(from_csv.len(), 2);
        for (one, other) in from_csv.iter().zip(&from_json) {
            assert_eq!((one.number, &one.traits), (other.number, &other.traits));
        }
        let traits = &from_csv[0].traits;
        assert_eq!((traits.region.as_deref(), &traits.capabilities), (Some("US"), &words(&["sms", "voice"])));
        assert_eq!((&traits.reach, &traits.carriers), (&words(&["+1", "+52"]), &words(&["main"])));
        assert_eq!(from_csv[1].traits, Traits::default());
    }

    #[test]
    fn a_fault_names_line_and_column_and_repeats_no_number() {
        let (lines, faults) = csv("number,region\n+12025550143,US\n2025550144,US\n+12025550145\n".as_bytes()).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(faults.iter().map(|fault| fault.at).collect::<Vec<_>>(), [3, 4]);
        let (_, json) = ndjson("{\"number\":\"x\"}\n{\"numbers\":\"+12025550143\"}\nnope".as_bytes()).unwrap();
        assert_eq!(json.iter().map(|fault| fault.at).collect::<Vec<_>>(), [1, 2, 3]);
        for fault in faults.iter().chain(&json) {
            assert!(!fault.what.contains("2025"), "{}", fault.what);
        }
    }

    #[test]
    fn a_header_is_needed_and_known() {
        let (_, faults) = csv("phone,region\n".as_bytes()).unwrap();
        assert!(faults[0].what.contains("\"phone\""), "{}", faults[0].what);
        let (_, faults) = csv("region\n".as_bytes()).unwrap();
        assert!(faults[0].what.contains("`number`"), "{}", faults[0].what);
        let (_, faults) = csv("+12025550143\n".as_bytes()).unwrap();
        assert!(!faults[0].what.contains("2025"), "{}", faults[0].what);
    }
}
