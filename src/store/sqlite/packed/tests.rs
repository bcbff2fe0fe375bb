//! What is packed comes back, whatever it is; the places of words stay.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use ring::digest;
use serde_json::{Value, json};

use super::*;
use crate::event::{Actor, Event, Role, What};
use crate::ids;

fn columns() -> Columns {
    Columns { tenant: Some(ids::from_bytes([9; 16])), at: Timestamp::from_millis(1_795_000_000_123) }
}

fn comes_back(text: &str) -> Vec<u8> {
    let packed = pack(text, columns());
    assert_eq!(unpack(&packed, columns()).as_deref(), Some(text), "{packed:02x?}");
    packed
}

fn revealed() -> Event {
    let Columns { tenant, at } = columns();
    let actor = Actor::Credential { id: ids::fresh(), person: "Thu \"Custodian\"".into(), role: Role::Custodian };
    let purpose = "support".to_owned();
    let what = What::Revealed { record: ids::fresh(), subject: ids::fresh(), purpose, reference: Some("c/7".into()) };
    Event { at, tenant, actor, policy: Some("0123456789abcdef".into()), what }
}

#[test]
fn an_entry_comes_back_byte_for_byte_and_takes_a_third_of_its_text() {
    let text = revealed().entry([0; 16]).text;
    let packed = comes_back(&text);
    assert!(packed.len() * 3 < text.len(), "{} of {}", packed.len(), text.len());
}

#[test]
fn what_only_looks_like_an_id_a_moment_a_number_or_hex_comes_back_too() {
    for text in [
        "\"ten_7zzzzzzzzzzzzzzzzzzzzzzzzz\"",
        "\"ten_8zzzzzzzzzzzzzzzzzzzzzzzzz\"",
        "\"ten_0000000000000000000000000\"",
        "\"xyz_00000000000000000000000000\"",
        "\"ten_0000000000000000000000000L\"",
        "\"2026-11-18T11:06:40.123Z\"",
        "\"2026-11-18T11:06:40.123+00:00\"",
        "\"2026-13-18T11:06:40.123Z\"",
        "\"1905-11-18T11:06:40.123Z\"",
        "\"2026-11-18 11:06:40.123Z\"",
        "\"0123456789abcdef\"",
        "\"0123456789ABCDEF\"",
        "\"0123456789abcde\"",
        "0",
        "-0",
        "007",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1.5",
        "1e9",
        "\"\"",
        "{}",
        "[]",
        "[[],{}]",
        "{\"\":\"\"}",
        "\"action\"",
        "\"audit.exported\"",
        "\"\\u0000\\\"\"",
        "[true,false,null]",
    ] {
        comes_back(text);
    }
}

#[test]
fn bytes_that_nobody_packed_are_refused_and_end() {
    let packed = pack(&revealed().entry([0; 16]).text, columns());
    for length in 0..packed.len() {
        assert_eq!(unpack(&packed[..length], columns()), None, "{length} bytes");
    }
    assert_eq!(unpack(&[&packed[..], &[0]].concat(), columns()), None);
    assert_eq!(unpack(&[&[2], &packed[1..]].concat(), columns()), None, "another format");
    assert_eq!(unpack(&[vec![PACKED], vec![ARRAY; 9_999]].concat(), columns()), None);
}

/// Whoever changes or moves a word or prefix makes entries unreadable that were written before. New ones go to the
/// end: then add a line with the new count and digest here, and leave the earlier lines.
#[test]
fn words_and_prefixes_keep_their_places() {
    let print =
        |list: &[&str]| HEXLOWER.encode(&digest::digest(&digest::SHA256, list.join(",").as_bytes()).as_ref()[..8]);
    for (count, expected) in [(140, "51336cb6a7eb8062"), (211, "1d2871929fdb5405")] {
        assert_eq!(print(&WORDS[..count]), expected);
    }
    assert_eq!(print(&PREFIXES[..12]), "980ecfb86d8c8a93");
    assert!(WORDS.iter().all(|word| word.len() <= words::LONGEST), "or it is never found");
    assert!(PREFIXES.len() <= usize::from(FIRST_WORD - FIRST_ID));
    assert_eq!(WORDS.iter().collect::<std::collections::HashSet<_>>().len(), WORDS.len());
}

fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        prop::sample::select(WORDS).prop_map(str::to_owned),
        "[a-z]{3}_[0-9a-z]{26}",
        "[0-9a-f]{6,20}"
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #[test]
    fn every_text_comes_back(value in json()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(unpack(&pack(&text, columns()), columns()), Some(text));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack(&[&[PACKED], &bytes[..]].concat(), columns());
    }
}
