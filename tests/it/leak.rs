//! The leak test: every number that a journey used, in every spelling and encoding, searched in all that it left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;

/// Numbers that must not be found, with all their spellings worked out.
pub struct Search {
    numbers: Vec<Number>,
}

struct Number {
    national: String,
    patterns: Vec<(&'static str, Vec<u8>)>,
}

impl Search {
    /// Numbers in E.164, each with the digits of its country code.
    pub fn for_numbers<'a>(numbers: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        let numbers = numbers.into_iter().map(|(number, code)| Number::new(number, code)).collect();
        Self { numbers }
    }

    /// Where any of the numbers stands in `bytes`; the finds name the spelling, never the number.
    pub fn in_bytes(&self, place: &str, bytes: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let runs = digit_runs(bytes);
        for (i, number) in self.numbers.iter().enumerate() {
            for (spelling, pattern) in &number.patterns {
                if contains(bytes, pattern) {
                    found.insert(format!("{place}: number {i} as {spelling}"));
                }
            }
            if runs.iter().any(|run| run.contains(&number.national)) {
                found.insert(format!("{place}: number {i} as digits with separators"));
            }
        }
        found
    }

    /// Each spelling's name and, as a regular expression over bytes, its form; for haystacks too large for [`Self::in_bytes`].
    pub fn patterns(&self) -> Vec<(String, String)> {
        let mut patterns = Vec::new();
        for (i, number) in self.numbers.iter().enumerate() {
            for (spelling, pattern) in &number.patterns {
                let form = pattern.iter().map(|byte| format!(r"\x{byte:02x}")).collect();
                patterns.push((format!("number {i} as {spelling}"), form));
            }
            let digits: Vec<String> = number.national.chars().map(String::from).collect();
            let form = digits.join(r"(?:[ \-.()/]|\xc2\xa0|\xe2\x80[\x91\x8e]){0,3}");
            patterns.push((format!("number {i} as digits with separators"), form));
        }
        patterns
    }

    /// Where any of the numbers stands in the files below `folder`, names of files included.
    pub fn in_folder(&self, folder: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for path in files(folder) {
            let place = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.extend(self.in_bytes("a file's name", path.to_string_lossy().as_bytes()));
            found.extend(self.in_bytes(&place, &fs::read(&path).unwrap_or_default()));
        }
        found
    }
}

impl Number {
    fn new(e164: &str, code: usize) -> Self {
        let digits = e164.trim_start_matches('+');
        let national = digits[code..].to_owned();
        let value: u64 = digits.parse().expect("digits");
        let mut patterns = vec![
            ("digits", digits.as_bytes().to_vec()),
            ("national digits", national.as_bytes().to_vec()),
            ("percent-encoded", format!("%2B{digits}").into_bytes()),
            ("big-endian integer", value.to_be_bytes().to_vec()),
            ("little-endian integer", value.to_le_bytes().to_vec()),
            ("UTF-16 big-endian", national.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            ("UTF-16 little-endian", national.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("hex of its digits", data_encoding::HEXLOWER.encode(national.as_bytes()).into_bytes()),
            ("semi-octets", semi_octets(digits)),
            ("packed septets", packed_septets(&national)),
            ("full-width digits", translate(&national, '\u{ff10}')),
            ("Arabic-Indic digits", translate(&national, '\u{660}')),
            ("Devanagari digits", translate(&national, '\u{966}')),
            ("reversed", national.chars().rev().collect::<String>().into_bytes()),
        ];
        for (name, text) in [("base64", e164), ("base64 of digits", digits)] {
            patterns.extend((0..3).map(|shift| (name, base64_core(text, shift))));
        }
        Self { national, patterns }
    }
}

/// Semi-octet BCD as in TP-DA (3GPP TS 23.040 §9.1.2.5), digits swapped in pairs, full octets only.
fn semi_octets(digits: &str) -> Vec<u8> {
    let d: Vec<u8> = digits.bytes().map(|b| b - b'0').collect();
    d.chunks_exact(2).map(|pair| pair[1] << 4 | pair[0]).collect()
}

/// GSM 7-bit packing (3GPP TS 23.038 §6.1.2.1), full octets only.
fn packed_septets(text: &str) -> Vec<u8> {
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for septet in text.bytes() {
        held |= u32::from(septet) << bits;
        bits += 7;
        while bits >= 8 {
            out.push((held & 0xff) as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    out
}

fn translate(digits: &str, zero: char) -> Vec<u8> {
    let shifted = digits.bytes().map(|b| char::from_u32(zero as u32 + u32::from(b - b'0')).expect("a digit"));
    shifted.collect::<String>().into_bytes()
}

/// The part of a text's base64 that does not depend on what stands around it, for one of three alignments.
fn base64_core(text: &str, shift: usize) -> Vec<u8> {
    let padded = [vec![0; shift], text.as_bytes().to_vec()].concat();
    let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
    let start = (shift * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    encoded.as_bytes()[start..end].to_vec()
}

/// Runs of at least seven digits, with the separators that people put between digits left out.
fn digit_runs(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut runs = Vec::new();
    let mut run = String::new();
    let mut gap = 0;
    for c in text.chars() {
        if c.is_ascii_digit() {
            run.push(c);
            gap = 0;
        } else if " -.()/\u{a0}\u{2011}\u{200e}".contains(c) && gap < 3 && !run.is_empty() {
            gap += 1;
        } else if !run.is_empty() {
            if run.len() >= 7 {
                runs.push(std::mem::take(&mut run));
            }
            run.clear();
            gap = 0;
        }
    }
    if run.len() >= 7 {
        runs.push(run);
    }
    runs
}

fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    let Some(first) = pattern.first() else { return false };
    let last = bytes.len().saturating_sub(pattern.len() - 1);
    let mut at = 0;
    while at < last {
        match bytes[at..last].iter().position(|b| b == first) {
            Some(step) if &bytes[at + step..at + step + pattern.len()] == pattern => return true,
            Some(step) => at += step + 1,
            None => return false,
        }
    }
    false
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_planted_number_is_found_in_every_spelling() {
    let search = Search::for_numbers([("+12025550143", 1)]);
    let packed = packed_septets("2025550143");
    for planted in [
        b"call +12025550143 now".to_vec(),
        b"call (202) 555-0143 now".to_vec(),
        b"to=%2B12025550143".to_vec(),
        12_025_550_143u64.to_be_bytes().to_vec(),
        "2025550143".encode_utf16().flat_map(u16::to_be_bytes).collect(),
        base64::engine::general_purpose::STANDARD.encode("xx+12025550143yy").into_bytes(),
        semi_octets("12025550143"),
        "٢٠٢٥٥٥٠١٤٣".as_bytes().to_vec(),
        packed,
    ] {
        let around = [b"before ".to_vec(), planted, b" after".to_vec()].concat();
        assert!(!search.in_bytes("planted", &around).is_empty(), "{:?}", String::from_utf8_lossy(&around));
    }
    assert!(search.in_bytes("clean", b"+1 202 555 0144 and 20255501 and 43").is_empty());
}
