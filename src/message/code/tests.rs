#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Messages that the lists were made with.
const CORPUS: &str = include_str!("../../../tests/vectors/codes/corpus.ndjson");
/// Messages written before the first run; `docs/codes.md` says how many of them were right then.
const HELD_OUT: &str = include_str!("../../../tests/vectors/codes/held_out.ndjson");

fn found(text: &str) -> Option<(String, Option<u64>)> {
    find(text).map(|code| (code.value.to_string(), code.life.map(|life| life.as_secs())))
}

/// What came of a corpus.
#[derive(Default)]
struct Tally {
    messages: u32,
    exact: u32,
    /// Codes given, codes given right, codes there were.
    given: u32,
    right: u32,
    there: u32,
    decoys: u32,
    languages: BTreeMap<String, (u32, u32)>,
    wrong: Vec<String>,
}

fn tally(corpus: &str) -> Tally {
    let mut tally = Tally::default();
    for line in corpus.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = row["text"].as_str().unwrap();
        let (wanted, got) = (row["code"].as_str(), find(text));
        let got = got.as_ref().map(|code| code.value.as_str());
        let exact = wanted == got;
        tally.messages += 1;
        tally.exact += u32::from(exact);
        tally.given += u32::from(got.is_some());
        tally.right += u32::from(got.is_some() && exact);
        tally.there += u32::from(wanted.is_some());
        tally.decoys += u32::from(wanted.is_none());
        let language = tally.languages.entry(row["lang"].as_str().unwrap().to_owned()).or_default();
        *language = (language.0 + u32::from(exact), language.1 + 1);
        if !exact {
            tally.wrong.push(format!("{wanted:?}, not {got:?}: {text}"));
        }
    }
    tally
}

fn print(name: &str, tally: &Tally) {
    println!(
        "{name}: {} messages, {} of them decoys, {} languages",
        tally.messages,
        tally.decoys,
        tally.languages.len()
    );
    println!("exact {}/{}", tally.exact, tally.messages);
    println!("precision {}/{}, recall {}/{}", tally.right, tally.given, tally.right, tally.there);
    let shares: Vec<String> =
        tally.languages.iter().map(|(language, (exact, all))| format!("{language} {exact}/{all}")).collect();
    println!("{}", shares.join("  "));
    tally.wrong.iter().for_each(|wrong| println!("wrong: {wrong}"));
}

#[test]
fn of_the_labelled_messages_99_in_100_are_exact() {
    let tally = tally(CORPUS);
    print("corpus", &tally);
    assert!(tally.messages >= 300 && tally.decoys >= 80 && tally.languages.len() >= 40);
    assert!(tally.exact * 100 >= tally.messages * 99, "{:#?}", tally.wrong);
    assert!(tally.right * 100 >= tally.given * 99 && tally.right * 100 >= tally.there * 99);
}

#[test]
fn of_the_messages_held_out_none_that_was_right_got_lost() {
    let tally = tally(HELD_OUT);
    print("held out", &tally);
    assert!(tally.messages >= 120);
    assert!(tally.exact * 100 >= tally.messages * 98, "{:#?}", tally.wrong);
}

#[test]
fn a_message_says_how_long_its_code_holds() {
    for (text, seconds) in [
        ("【微信】验证码 178781 有效期 15 分钟,勿泄漏给他人,如非本人操作请忽略。", Some(900)),
        ("Mã xác thực HFM của bạn là : 025372", None),
        ("Your code is 482913. It expires in 2 hours.", Some(7_200)),
        ("482913 ni msimbo wako wa kuthibitisha. Unaisha baada ya dakika 5.", Some(300)),
        ("Код 482913 действует 90 сек.", Some(90)),
        ("コードは482913です。10分間有効です。", Some(600)),
        ("Your code is 482913, valid for 9999 days", None),
    ] {
        assert_eq!(found(text).unwrap().1, seconds, "{text}");
    }
}

#[test]
fn a_code_bound_to_an_origin_needs_the_last_line() {
    assert_eq!(found("Hello\n@shop.example #A1-B2C3").unwrap().0, "A1B2C3");
    assert_eq!(found("@shop.example #747723 @frame.example").unwrap().0, "747723");
    assert_eq!(found("@shop.example #747723\nYour order is on its way"), None);
    assert_eq!(found("@friend #747723 what a day"), None);
    assert_eq!(found("@shop.example #12"), None);
}

#[test]
fn digits_and_letters_of_every_keyboard_are_typed_as_ascii() {
    for text in [
        "Your code is ４８２９１３",
        "Your code is ٤٨٢٩١٣",
        "Your code is 𝟒𝟖𝟐𝟗𝟏𝟑",
        "Your code is 4\u{200b}82\u{2060}913",
    ] {
        assert_eq!(found(text).unwrap().0, "482913", "{text}");
    }
    assert_eq!(found("Your login code: Ａ1ｂ2Ｃ3").unwrap().0, "A1b2C3");
}

/// Processor time of this thread in nanoseconds: what else the machine does is not counted.
fn worked() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What strangers may send to make a reader slow, 16 times as long. Quadratic work would take 256 times as long.
#[test]
fn the_work_grows_with_the_length_and_not_faster() {
    let hostile = [
        "1 ",
        "a1-",
        "code 1234 old ",
        "1,1",
        "验证码1234旧",
        "@a.b #1 ",
        "A-1234 ",
        "\u{301}",
        "ﷺ",
        "1.",
        "..1234 ",
        "instead of 1234 ",
        "1234! ",
    ];
    for piece in hostile {
        let work = |bytes: usize| {
            let text = piece.repeat(bytes / piece.len());
            let once = |_| {
                let began = worked();
                let _ = find(&text);
                worked() - began
            };
            (0..3).map(once).min().unwrap()
        };
        let (short, long) = (work(16 * 1024), work(256 * 1024));
        assert!(long < short.max(100_000) * 64, "{piece:?}: {short} ns, {long} ns");
    }
}

fn is_subsequence(value: &str, text: &str) -> bool {
    let mut rest = text.chars();
    value.chars().all(|c| rest.any(|other| other == c))
}

fn check(text: &str) {
    if let Some(code) = find(text) {
        assert!(marks::LENGTH.contains(&code.value.len()), "{text:?}");
        assert!(code.value.chars().all(|c| c.is_ascii_alphanumeric()), "{text:?}");
        assert!(is_subsequence(&code.value, &Folded::new(text).raw), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn so_is_what_looks_like_a_message(parts in prop::collection::vec("code|验证码|пароль|كود|[0-9]{1,8}|[A-Z0-9]{2,6}|[-.,:;#@*/ \n]|old|instead of|USD|5 min|order|G-|\\PC", 0..40)) {
        check(&parts.concat());
        check(&parts.join(" "));
    }

    #[test]
    fn a_cut_message_is_read_too(n in 0usize..600, cut in 0usize..400) {
        let line = CORPUS.lines().nth(n).unwrap();
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        check(&row["text"].as_str().unwrap().chars().take(cut).collect::<String>());
    }

    #[test]
    fn a_plain_code_is_found_whatever_its_digits(code in "[0-9]{4,8}") {
        prop_assert_eq!(found(&format!("Your verification code is {code}. Do not share it.")).unwrap().0, code.clone());
        prop_assert_eq!(found(&format!("{code} 是您的验证码，5分钟内有效。")).unwrap().0, code);
    }
}
