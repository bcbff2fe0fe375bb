#![allow(clippy::unwrap_used)]
use super::*;

fn found(text: &str) -> Option<(String, Option<u64>)> {
    find(text).map(|code| (code.value.to_string(), code.life.map(|life| life.as_secs())))
}

#[test]
fn a_message_from_the_street_gives_its_code_and_how_long_it_holds() {
    let text = "【微信】验证码 178781 有效期 15 分钟,勿泄漏给他人,如非本人操作请忽略。";
    assert_eq!(found(text), Some(("178781".to_owned(), Some(900))));
    assert_eq!(found("Mã xác thực HFM của bạn là : 025372"), Some(("025372".to_owned(), None)));
}
