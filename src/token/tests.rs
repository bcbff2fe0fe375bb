#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use regex::Regex;

use super::*;

fn vaulted() -> Token {
    Token::vaulted(1, *b"a block of bytes")
}

fn sealed() -> Token {
    Token::sealed(7, b"synthetic iv and ciphertext!")
}

fn lookalike() -> Token {
    Token::lookalike(12_345_678_901)
}

fn all() -> [Token; 3] {
    [vaulted(), sealed(), lookalike()]
}

/// Where the part begins whose characters are free, and which characters those are.
fn alphabet(token: &Token) -> (usize, &'static str) {
    match token.kind() {
        Kind::Lookalike | Kind::Fpe => (4, "0123456789"),
        Kind::Vaulted | Kind::Sealed => (4, "0123456789abcdefghjkmnpqrstvwxyz"),
    }
}

/// Computed with Python's `hashlib` and `base64`.
#[test]
fn the_text_form_does_not_change() {
    assert_eq!(vaulted().as_str(), "tok_05gj0rkcdxhpp83fcrg64ybmcnsqxzdf");
    assert_eq!(sealed().as_str(), "tks_0400ewvsdst6gsbmd5hj0tbp41gpws10cdmq0t35e9t6ay3m47t55cm5");
    assert_eq!(lookalike().as_str(), "+999123456789018");
    assert_eq!(Token::lookalike(0).as_str(), "+999000000000000");
}

#[test]
fn what_went_in_comes_out() {
    let read = Token::parse(vaulted().as_str()).unwrap();
    assert_eq!(read.vaulted_parts(), Some((1, *b"a block of bytes")));
    assert_eq!((read.kind(), read.sealed_parts()), (Kind::Vaulted, None));
    let read = Token::parse(sealed().as_str()).unwrap();
    assert_eq!(read.sealed_parts(), Some((7, *b"synthetic iv and ciphertext!")));
    assert_eq!((read.kind(), read.vaulted_parts()), (Kind::Sealed, None));
    let read = Token::parse(lookalike().as_str()).unwrap();
    assert_eq!(read.lookalike_body(), Some(12_345_678_901));
    assert_eq!((read.kind(), read.vaulted_parts(), read.sealed_parts()), (Kind::Lookalike, None, None));
    assert_eq!((vaulted().lookalike_body(), sealed().lookalike_body()), (None, None));
}

#[test]
fn every_single_wrong_character_is_told_as_a_typo() {
    for token in all() {
        let (free, alphabet) = alphabet(&token);
        for (position, right) in token.as_str().char_indices().skip(free) {
            for wrong in alphabet.chars().filter(|c| *c != right) {
                let mut text = token.as_str().to_owned();
                text.replace_range(position..=position, &wrong.to_string());
                assert_eq!(Token::parse(&text).err(), Some(TokenError::Checksum), "{text}");
            }
        }
    }
}

#[test]
fn swapped_neighbours_are_told_as_a_typo() {
    for token in all() {
        let bytes = token.as_str().as_bytes();
        for i in (4..bytes.len() - 1).filter(|i| bytes[*i] != bytes[i + 1]) {
            let mut text = bytes.to_vec();
            text.swap(i, i + 1);
            assert_eq!(Token::parse(str::from_utf8(&text).unwrap()).err(), Some(TokenError::Checksum));
        }
    }
}

#[test]
fn other_shapes_are_malformed() {
    let (good, other) = (vaulted(), sealed());
    let good = good.as_str();
    let shapes = [
        String::new(),
        "tok_".to_owned(),
        good[..35].to_owned(),
        format!("{good}0"),
        format!(" {good}"),
        format!("{good}\n"),
        good.to_uppercase(),
        good.replace("tok_", "TOK_"),
        good.replace("tok_", "tks_"),
        other.as_str().replace("tks_", "tok_"),
        good.replace("tok_0", "tok_o"),
        good.replace("tok_0", "tok_é"),
        lookalike().as_str()[..15].to_owned(),
        lookalike().as_str()[1..].to_owned(),
        lookalike().as_str().replace("+999", "+998"),
        lookalike().as_str().replace("+999", "00999"),
        lookalike().as_str().replace("+999", "+999 "),
        lookalike().as_str().replace("+9991", "+999١"),
        format!("{}0", lookalike().as_str()),
        "+447700900123".to_owned(),
    ];
    for text in shapes {
        assert_eq!(Token::parse(&text).err(), Some(TokenError::Malformed), "{text:?}");
    }
}

#[test]
fn a_sealed_format_of_the_future_is_malformed() {
    let future = Token::of(Kind::Sealed, &[&[2], &[0; 30]]);
    assert_eq!(Token::parse(future.as_str()).err(), Some(TokenError::Malformed));
}

#[test]
fn truncated_and_doubled_tokens_are_malformed() {
    for token in all() {
        let text = token.as_str();
        for length in 0..text.len() {
            assert_eq!(Token::parse(&text[..length]).err(), Some(TokenError::Malformed), "{length} of {text}");
        }
        for other in all() {
            let doubled = format!("{text}{}", other.as_str());
            assert_eq!(Token::parse(&doubled).err(), Some(TokenError::Malformed), "{doubled}");
        }
    }
}

#[test]
fn no_flipped_bit_leaves_a_token() {
    for token in all() {
        for bit in 0..token.as_str().len() * 8 {
            let mut bytes = token.as_str().as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let text = String::from_utf8_lossy(&bytes);
            assert!(Token::parse(&text).is_err(), "bit {bit} of {}", token.as_str());
        }
    }
}

#[test]
fn an_fpe_text_is_no_token_for_anyone_who_reads_it() {
    let made = Token::fpe(&Zeroizing::new("447700900123".to_owned()));
    assert_eq!((made.kind(), made.as_str()), (Kind::Fpe, "+447700900123"));
    assert_eq!(Token::parse(made.as_str()).err(), Some(TokenError::Malformed));
    assert_eq!(format!("{made:?}"), "+…");
}

#[test]
fn the_documents_print_the_pattern_as_it_is() {
    for document in [include_str!("../../docs/concepts.md"), include_str!("../../docs/guide.md")] {
        assert!(document.contains(PATTERN));
    }
}

#[test]
fn debug_shows_no_token() {
    assert_eq!(format!("{:?} {:?} {:?}", vaulted(), sealed(), lookalike()), "tok_… tks_… +999…");
    assert_eq!(serde_json::to_string(&vaulted()).unwrap(), format!("\"{}\"", vaulted().as_str()));
}

#[test]
fn the_pattern_finds_tokens_in_any_text() {
    let pattern = Regex::new(PATTERN).unwrap();
    let [a, b, c] = all();
    let (a, b, c) = (a.as_str(), b.as_str(), c.as_str());
    let text = format!("cho {a}, và令牌{b}谢谢; x{a}0 tok_abc TOK_ {c}{c}. tel:{c} +99912 +447700900123 99{c}");
    let found: Vec<&str> = pattern.find_iter(&text).map(|found| found.as_str()).collect();
    assert_eq!(found, [a, b, a, c, c, c, c]);
}

proptest! {
    #[test]
    fn every_token_reads_back_and_matches_the_pattern(version: u8, block: [u8; 16], key: u16, siv: [u8; 28], body in 0..BODIES) {
        let pattern = Regex::new(&format!("^(?:{PATTERN})$")).unwrap();
        for token in [Token::vaulted(version, block), Token::sealed(key, &siv), Token::lookalike(body)] {
            prop_assert!(pattern.is_match(token.as_str()));
            prop_assert!(Token::parse(token.as_str()).is_ok_and(|read| read == token));
        }
    }

    #[test]
    fn any_one_wrong_character_is_told(token in 0_usize..3, body in 0..BODIES, at: usize, other: usize) {
        let token = [vaulted(), sealed(), Token::lookalike(body)][token].clone();
        let (free, alphabet) = alphabet(&token);
        let at = free + at % (token.as_str().len() - free);
        let other = other % alphabet.len();
        let mut text = token.as_str().to_owned();
        text.replace_range(at..=at, &alphabet[other..=other]);
        if text != token.as_str() {
            prop_assert_eq!(Token::parse(&text).err(), Some(TokenError::Checksum));
        }
    }

    #[test]
    fn parsing_never_panics(text in ".{0,80}") {
        let _ = Token::parse(&text);
        let _ = Token::parse(&format!("tok_{text}"));
        let _ = Token::parse(&format!("+999{text}"));
    }
}
