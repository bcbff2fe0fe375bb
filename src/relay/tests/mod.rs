//! The relay over the real store: who reaches whom, what is dropped and why, and that nothing is lost or doubled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod house;
mod manners;
mod modes;
mod pools;

use std::time::Duration;

use house::*;
use zeroize::Zeroizing;

use crate::access::{Action, AliasRef, FreezeSwitch};
use crate::carrier::{Accepted, Inbox, Incoming, LinkChange, Origin, Part};
use crate::message::{Alphabet, Encoded};
use crate::phone::VirtualNumber;
use crate::store::{Class, Counted, DeliveryStatus, Task, Write};

const X: u64 = 15_550_000_001;

#[tokio::test]
async fn anyone_reaches_a_through_x_unchanged_and_unseen() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    let text = " 【微信】验证码 178781 有效期 15 分钟\r\n";
    assert_eq!(house.write(BEN, alias.number, text).await, Accepted::Carried);
    assert_eq!(house.outbox().await, [(shown(ANN), alias.number.to_string(), text.to_owned())]);
    let entries = house.entries("message.received").await;
    assert_eq!((entries.len(), &entries[0]["sender"]), (1, &"number".into()));
}

#[tokio::test]
async fn short_codes_and_names_are_carried_and_cannot_be_answered() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    for (origin, text) in [(Origin::ShortCode("32665".into()), "one"), (Origin::Name("WeChat".into()), "two")] {
        assert_eq!(house.relay.message(incoming(origin, alias.number, text)).await.unwrap(), Accepted::Carried);
    }
    let texts: Vec<_> = house.outbox().await.into_iter().map(|seen| seen.2).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(house.write(ANN, alias.number, "who is this?").await, Accepted::Dropped);
    let told = house.outbox().await;
    assert_eq!((told.len(), told[0].0.clone()), (1, shown(ANN)));
    assert!(told[0].2.contains("Nobody who can be answered"), "{}", told[0].2);
    assert_eq!(house.drops().await, ["no_sender"]);
}

#[tokio::test]
async fn tags_appear_with_the_second_sender_and_guide_the_answer() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.write(BEN, x, "from ben").await;
    house.write(ANN, x, "to the only one").await;
    house.write(CAT, x, "from cat").await;
    house.write(BEN, x, "ben again").await;
    let texts: Vec<_> = house.outbox().await.into_iter().map(|seen| (seen.0, seen.2)).collect();
    let expected = [(ANN, "from ben"), (BEN, "to the only one"), (ANN, "[2] from cat"), (ANN, "[1] ben again")];
    assert_eq!(texts, expected.map(|(to, text)| (shown(to), text.to_owned())));

    assert_eq!(house.write(ANN, x, "which one?").await, Accepted::Dropped);
    assert_eq!(house.write(ANN, x, "[2] for cat").await, Accepted::Carried);
    let seen = house.outbox().await;
    assert!(
        seen.iter().any(|(to, from, text)| *to == shown(ANN) && *from == x.to_string() && text.contains("[1] [2]"))
    );
    assert!(seen.contains(&(shown(CAT), x.to_string(), "for cat".to_owned())));
    assert_eq!(seen.len(), 2);
    assert_eq!(house.drops().await, ["untagged_reply"]);
}

#[tokio::test]
async fn a_sender_silent_for_a_day_is_forgotten_and_not_mistaken() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.write(BEN, x, "one").await;
    house.clock.advance(Duration::from_secs(13 * 3600));
    house.write(CAT, x, "two").await;
    house.clock.advance(Duration::from_secs(12 * 3600));
    house.outbox().await;
    assert_eq!(house.write(ANN, x, "[1] the key is under the mat").await, Accepted::Dropped);
    assert_eq!(house.write(ANN, x, "hello cat").await, Accepted::Carried);
    let to: Vec<_> = house.outbox().await.into_iter().map(|seen| seen.0).collect();
    assert_eq!(to.iter().filter(|to| **to == shown(CAT)).count(), 1);
    assert!(!to.contains(&shown(BEN)));
}

#[tokio::test]
async fn the_tag_of_one_who_left_is_not_soon_somebody_elses() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    let x = alias.number;
    house.write(BEN, x, "ben").await;
    house.write(CAT, x, "cat").await;
    house.clock.advance(Duration::from_secs(23 * 3600));
    house.write(BEN, x, "ben again").await;
    house.clock.advance(Duration::from_secs(2 * 3600));
    house.write(DAN, x, "dan").await;
    house.outbox().await;
    assert_eq!(house.write(ANN, x, "[2] cat, the key is under the mat").await, Accepted::Dropped);
    let to: Vec<_> = house.outbox().await.into_iter().map(|seen| seen.0).collect();
    assert_eq!(to, [shown(ANN)], "nobody but A hears of it");
    house.write(CAT, x, "cat is back").await;
    assert_eq!(house.write(ANN, x, "[2] welcome back").await, Accepted::Carried);
    assert!(house.outbox().await.iter().any(|seen| seen.0 == shown(CAT) && seen.2 == "welcome back"));
    house.clock.advance(Duration::from_secs(49 * 3600));
    house.write(DAN, x, "dan").await;
    assert_eq!(house.store.senders(alias.id).await.unwrap().len(), 1, "tags are kept for a day and no longer");
}

#[tokio::test]
async fn a_crowd_that_used_every_tag_still_gets_in() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    for n in 100..205 {
        house.clock.advance(Duration::from_secs(1));
        let accepted = house.write(&format!("+44 7700 900{n}"), alias.number, "hello").await;
        assert_eq!(accepted, Accepted::Carried, "{n}");
    }
    let senders = house.store.senders(alias.id).await.unwrap();
    assert_eq!((senders.len(), senders.iter().map(|sender| sender.tag).max()), (99, Some(99)));
}

#[tokio::test]
async fn the_sender_silent_longest_makes_room_for_the_fifty_first() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    for n in 100..151 {
        house.clock.advance(Duration::from_secs(1));
        house.write(&format!("+44 7700 900{n}"), alias.number, "hello").await;
    }
    let day = Duration::from_secs(24 * 3600);
    let mut live = house.store.senders(alias.id).await.unwrap();
    live.retain(|sender| sender.until > house.store.now().plus(day));
    assert_eq!(live.len(), 50);
    assert!(live.iter().all(|sender| sender.tag != 1), "the first is gone");
    assert_eq!(house.write("+44 7700 900150", alias.number, "again").await, Accepted::Carried);
}

#[tokio::test]
async fn new_senders_at_once_each_get_a_tag_of_their_own() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    let numbers: Vec<_> = (100..130).map(|n| format!("+44 7700 900{n}")).collect();
    let all = numbers.iter().map(|number| house.write(number, alias.number, "hello"));
    assert!(futures::future::join_all(all).await.iter().all(|accepted| *accepted == Accepted::Carried));
    let mut tags: Vec<_> = house.store.senders(alias.id).await.unwrap().iter().map(|sender| sender.tag).collect();
    tags.sort_unstable();
    assert_eq!(tags, (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn two_parties_reach_each_other_and_nobody_else_gets_in() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("axb", ANN, Some(BEN)).await;
    house.write(ANN, alias.number, "hello b").await;
    house.write(BEN, alias.number, "hello a").await;
    assert_eq!(house.write(CAT, alias.number, "let me in").await, Accepted::Dropped);
    let mut seen = house.outbox().await;
    seen.sort();
    let x = alias.number.to_string();
    let told = seen.pop().unwrap();
    assert_eq!(told.0, shown(CAT), "nobody but the writer hears of it: {told:?}");
    assert_eq!(seen, [(shown(ANN), x.clone(), "hello a".into()), (shown(BEN), x, "hello b".into())]);
    let senders: Vec<_> = house.entries("message.received").await.iter().map(|e| e["sender"].clone()).collect();
    assert_eq!(senders, ["a", "b"]);
    assert_eq!(house.drops().await, ["unknown_sender"]);
}

#[tokio::test]
async fn foreign_numbers_carriers_and_tenants_are_not_ours() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    let stranger = || Origin::Number(real(BEN));
    let elsewhere = VirtualNumber::from_digits(15_550_000_999).unwrap();
    let unknown = incoming(stranger(), elsewhere, "x");
    let wrong_carrier = Incoming { carrier: "other".into(), ..incoming(stranger(), alias.number, "x") };
    let other_tenant = Incoming { only: Some(crate::ids::fresh()), ..incoming(stranger(), alias.number, "x") };
    let own_tenant = Incoming { only: Some(house.tenant), ..incoming(stranger(), alias.number, "x") };
    for (message, accepted) in [
        (unknown, Accepted::Dropped),
        (wrong_carrier, Accepted::Dropped),
        (other_tenant, Accepted::Dropped),
        (own_tenant, Accepted::Carried),
    ] {
        assert_eq!(house.relay.message(message).await.unwrap(), accepted);
    }
    assert_eq!(house.drops().await, ["not_ours", "not_ours", "unknown_sender"]);
}

#[tokio::test]
async fn machines_that_talk_to_each_other_are_stopped() {
    let house = House::new().await;
    let pool = house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    for n in 0..5 {
        let accepted = house.write(BEN, alias.number, "I am on holiday").await;
        assert_eq!(accepted, if n < 3 { Accepted::Carried } else { Accepted::Dropped });
    }
    assert_eq!(house.write(CAT, alias.number, "I am on holiday").await, Accepted::Carried, "another writer");
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(house.write(BEN, alias.number, "I am on holiday").await, Accepted::Carried, "a minute later");
    house.import(pool, &[447_700_900_004]).await.unwrap();
    assert_eq!(house.write(DAN, alias.number, "from a pool number").await, Accepted::Dropped);
    assert_eq!(house.drops().await, ["loop", "loop", "loop"]);
}

#[tokio::test]
async fn a_frozen_or_ended_alias_carries_nothing() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let frozen = house.bound("ax", ANN, None).await;
    let permit = house.operate(Action::Freeze, FreezeSwitch { target: frozen.id.to_string() }).await;
    house.access.freeze(permit, true).await.unwrap();
    assert_eq!(house.write(BEN, frozen.number, "x").await, Accepted::Dropped);

    let mut wish = house.wish("axb", BEN, Some(CAT)).await;
    wish.ttl = Some(Duration::from_secs(60));
    let short = house.bind(wish).await.unwrap();
    house.clock.advance(Duration::from_secs(61));
    assert_eq!(house.write(BEN, short.number, "x").await, Accepted::Dropped);
    assert_eq!(house.alias.expire_lapsed(10).await.unwrap(), 1);
    assert_eq!(house.alias.expire_lapsed(10).await.unwrap(), 0);
    assert_eq!(house.drops().await[0], "frozen");
    assert_eq!(house.drops().await.len(), 2);
    let told = house.outbox().await;
    assert!(told.len() == 1 && told[0].0 == shown(BEN) && told[0].1 == short.number.to_string(), "{told:?}");
}

fn piece(x: VirtualNumber, number: u8, total: u8, octets: &[u8]) -> Incoming {
    let body = Encoded { alphabet: Alphabet::Ucs2, octets: Zeroizing::new(octets.to_vec()) };
    let part = Some(Part { reference: 7, total, number });
    Incoming { body, part, ..incoming(Origin::Number(real(BEN)), x, "") }
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[tokio::test]
async fn parts_in_any_order_make_one_message_even_where_a_character_is_split() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let text = "Mã của bạn 😀 là 178781";
    let octets = ucs2(text);
    // In the middle of the surrogate pair.
    let at = ucs2("Mã của bạn ").len() + 2;
    let (first, second) = octets.split_at(at);
    assert_eq!(house.relay.message(piece(x, 2, 2, second)).await.unwrap(), Accepted::AwaitingParts);
    assert_eq!(house.relay.message(piece(x, 2, 2, second)).await.unwrap(), Accepted::AwaitingParts, "repeated");
    assert_eq!(house.relay.message(piece(x, 1, 2, first)).await.unwrap(), Accepted::Carried);
    assert_eq!(house.outbox().await, [(shown(ANN), x.to_string(), text.to_owned())]);
    assert_eq!(house.entries("message.received").await[0]["parts"], 2);
}

#[tokio::test]
async fn what_stays_incomplete_is_carried_as_far_as_known_after_five_minutes() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.relay.message(piece(x, 1, 3, &ucs2("begin"))).await.unwrap();
    house.relay.message(piece(x, 3, 3, &ucs2("end"))).await.unwrap();
    let before = |house: &House| house.store.now().minus(Duration::from_secs(300));
    assert_eq!(house.relay.carry_stale(before(&house), 10).await.unwrap(), 0);
    house.clock.advance(Duration::from_secs(301));
    assert_eq!(house.relay.carry_stale(before(&house), 10).await.unwrap(), 1);
    assert_eq!(house.relay.carry_stale(before(&house), 10).await.unwrap(), 0);
    assert_eq!(house.outbox().await[0].2, "begin ... end");
}

#[tokio::test]
async fn a_reference_used_again_loses_no_part_of_either_message() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.relay.message(piece(x, 1, 2, &ucs2("first, cut off"))).await.unwrap();
    assert_eq!(house.relay.message(piece(x, 1, 2, &ucs2("second, "))).await.unwrap(), Accepted::AwaitingParts);
    assert_eq!(house.relay.message(piece(x, 2, 2, &ucs2("whole"))).await.unwrap(), Accepted::Carried);
    let texts: Vec<_> = house.outbox().await.into_iter().map(|seen| seen.2).collect();
    assert_eq!(texts, ["first, cut off ... ", "second, whole"]);
}

#[tokio::test]
async fn parts_from_somebody_unknown_or_out_of_range_are_not_kept() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("axb", ANN, Some(CAT)).await.number;
    assert_eq!(house.relay.message(piece(x, 1, 2, b"\0a")).await.unwrap(), Accepted::Dropped);
    let from_ann = |number, total| Incoming { from: Origin::Number(real(ANN)), ..piece(x, number, total, b"\0a") };
    assert_eq!(house.relay.message(from_ann(3, 2)).await.unwrap(), Accepted::Dropped);
    assert_eq!(house.relay.message(from_ann(0, 2)).await.unwrap(), Accepted::Dropped);
    assert_eq!(house.drops().await, ["unknown_sender", "bad_part", "bad_part"]);
}

#[tokio::test]
async fn octets_that_spell_no_text_are_dropped_and_told() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let body = Encoded { alphabet: Alphabet::Binary, octets: Zeroizing::new(vec![0, 255]) };
    let binary = Incoming { body, ..incoming(Origin::Number(real(BEN)), x, "") };
    assert_eq!(house.relay.message(binary).await.unwrap(), Accepted::Dropped);
    assert_eq!(house.drops().await, ["unreadable"]);
}

#[tokio::test]
async fn a_receipt_settles_its_message_once_all_parts_have_one() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    house.write(BEN, alias.number, "hello").await;
    let until = house.store.now().plus(Duration::from_secs(60));
    let row = house.store.claim("test", until, 1).await.unwrap().remove(0);
    let permit = house.access.for_delivery(row.clone()).await.unwrap();
    let event = permit.event(house.store.now(), crate::event::What::Swept {});
    let ids = vec!["one".into(), "two".into()];
    let counted = Counted::plain(Class::Relay);
    let write = Write::RecordSubmission { carrier: "line".into(), tenant: row.tenant, task: row.task, ids, counted };
    house.store.commit(crate::store::Change::telling(event).with(write)).await.unwrap();
    for id in ["one", "never", "two", "two"] {
        house.relay.receipt(delivered(id)).await.unwrap();
    }
    assert_eq!(house.entries("message.delivered").await.len(), 1);
    assert_eq!(house.entries("receipt.noted").await.len(), 2);
    assert_eq!(house.entries("receipt.unmatched").await.len(), 1);
    let Task::Message(id) = row.task else { panic!("not a message") };
    let message = house.store.message(row.tenant, id).await.unwrap().unwrap();
    assert_eq!((message.status, message.body), (DeliveryStatus::Delivered, None));
}

#[tokio::test]
async fn what_a_carriers_links_do_is_told() {
    let house = House::new().await;
    house.relay.link("line", "receiver-2", LinkChange::Down("bind_refused_13".into())).await;
    house.relay.link("line", "receiver-2", LinkChange::Up).await;
    let down = house.entries("carrier.down").await;
    assert_eq!((&down[0]["link"], &down[0]["reason"]), (&"receiver-2".into(), &"bind_refused_13".into()));
    assert_eq!(house.entries("carrier.up").await.len(), 1);
}

#[tokio::test]
async fn the_log_of_a_conversation_holds_no_number_and_history_no_content() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let alias = house.bound("ax", ANN, None).await;
    house.write(BEN, alias.number, "secret words").await;
    house.write(ANN, alias.number, "secret answer").await;
    let rows = house.store.entries(&crate::store::EntryFilter { limit: 1_000, ..Default::default() }).await.unwrap();
    for row in &rows {
        assert!(!row.text.contains("4477009") && !row.text.contains("secret"), "{}", row.text);
    }
    let permit = house.may(&house.business, Action::AliasRead, AliasRef { id: alias.id }).await;
    let history = house.alias.history(&permit, None, 10).await.unwrap();
    let from: Vec<_> = history.iter().map(|message| message.from.as_str()).collect();
    assert_eq!(from, ["a", "number"]);
    assert!(!serde_json::to_string(&history).unwrap().contains("secret"));
}
