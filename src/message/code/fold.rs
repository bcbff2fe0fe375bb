//! One form for all the ways to write the same letter or digit.

use unicode_normalization::char::decompose_compatible;
use zeroize::Zeroizing;

use crate::phone::digit_value;

/// A text with digits of every script as ASCII, wide and accented letters as plain ones, dashes, spaces and punctuation
/// of every script as one each, and marks without width left out. Both forms have the same length in bytes.
pub(super) struct Folded {
    /// With letters in their case: what a person types is cut from here.
    pub raw: Zeroizing<String>,
    /// In lower case, hyphens between letters as spaces: what words are looked for in.
    pub low: Zeroizing<String>,
}

impl Folded {
    pub fn new(text: &str) -> Self {
        let room = text.len().saturating_mul(2);
        let mut raw = Zeroizing::new(String::with_capacity(room));
        for c in text.chars() {
            push(c, &mut raw);
        }
        let mut low = Zeroizing::new(raw.to_ascii_lowercase());
        open_hyphens(&mut low);
        Self { raw, low }
    }

    /// The byte before `at`.
    pub fn before(&self, at: usize) -> Option<char> {
        self.raw.get(..at)?.chars().next_back()
    }

    /// The character at `at`.
    pub fn after(&self, at: usize) -> Option<char> {
        self.raw.get(at..)?.chars().next()
    }

    /// What stands between two places; empty where they overlap.
    pub fn between(&self, from: usize, to: usize) -> &str {
        self.low.get(from..to).unwrap_or_default()
    }
}

/// The lower-case form of a word of the lists, made as the text's is.
pub(super) fn word(text: &str) -> String {
    Folded::new(text).low.to_string()
}

fn push(c: char, into: &mut String) {
    if c.is_ascii() {
        into.push(if c.is_ascii_control() && c != '\n' { ' ' } else { c });
    } else if let Some(value) = digit_value(c) {
        into.push(char::from(b'0' + value));
    } else if let Some(text) = punctuation(c) {
        into.push_str(text);
    } else if c.is_whitespace() {
        into.push(if matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') { '\n' } else { ' ' });
    } else if matches!(c, '\u{ac00}'..='\u{d7a3}') {
        into.push(c);
    } else {
        decompose_compatible(c, |part| push_part(part, into));
    }
}

fn push_part(part: char, into: &mut String) {
    if part.is_ascii() {
        into.push(part);
    } else if let Some(text) = letter(part).or_else(|| punctuation(part)) {
        into.push_str(text);
    } else if !is_mark(part) {
        into.extend(part.to_lowercase().filter(|c| !is_mark(*c)));
    }
}

/// Punctuation of other scripts as ASCII. Full stops and commas of scripts without spaces get one.
fn punctuation(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '\u{5be}' => "-",
        '。' | '｡' | '।' | '॥' | '።' | '։' | '။' | '។' | '۔' => ". ",
        '，' | '、' | '､' | '၊' | '﹐' => ", ",
        '،' | '٬' => ",",
        '٫' => ".",
        '؛' | '；' => ";",
        '؟' | '？' => "?",
        '：' | '՝' | '៖' | '﹕' => ":",
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' | '״' | '＂' => "\"",
        '‘' | '’' | '‚' | '‛' | '′' | '׳' | 'ʼ' | 'ʻ' | '´' | '‹' | '›' => "'",
        '【' | '「' | '『' | '〔' | '《' | '〈' | '［' => "[",
        '】' | '」' | '』' | '〕' | '》' | '〉' | '］' => "]",
        '…' => "...",
        _ => return None,
    })
}

/// Letters that no decomposition leads to their plain form, or that two keyboards write differently.
fn letter(c: char) -> Option<&'static str> {
    Some(match c {
        'đ' | 'Đ' | 'ð' => "d",
        'ł' => "l",
        'Ł' => "L",
        'ø' | 'Ø' => "o",
        'ı' => "i",
        'ħ' | 'Ħ' => "h",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ə' | 'Ə' => "e",
        'ß' => "ss",
        'ي' | 'ى' => "ی",
        'ك' => "ک",
        'ة' | 'ہ' | 'ۃ' | 'ھ' | 'ە' => "ه",
        'ς' => "σ",
        _ => return None,
    })
}

/// Marks that change no word: accents, vowel points, joiners, direction marks, the elongation of Arabic.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'
        | '\u{5c1}'..='\u{5c7}' | '\u{610}'..='\u{61c}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6ed}' | '\u{93c}' | '\u{9bc}' | '\u{a3c}' | '\u{55b}' | '\u{55c}' | '\u{55e}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20f0}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// `one-time` reads as `one time`, `SMS-Code` as `sms code`.
fn open_hyphens(low: &mut Zeroizing<String>) {
    let mut open = Zeroizing::new(String::with_capacity(low.len()));
    let mut letter_before = false;
    let mut rest = low.chars().peekable();
    while let Some(c) = rest.next() {
        let between = letter_before && rest.peek().is_some_and(|next| next.is_alphabetic());
        open.push(if c == '-' && between { ' ' } else { c });
        letter_before = c.is_alphabetic();
    }
    *low = open;
}
