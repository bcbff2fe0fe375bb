//! What writers are told and how often; STOP, START and HELP; repeats of carriers; what the tenant learns.

use std::time::Duration;

use zeroize::Zeroizing;

use super::house::*;
use super::{X, piece};
use crate::access::{Policies, PolicyFiles};
use crate::carrier::{Accepted, Inbox, Incoming, Origin};
use crate::ids;
use crate::message::{Alphabet, Encoded};
use crate::phone::VirtualNumber;
use crate::store::{DISCLOSED, Disclose, Lane, Scope, Task, Unknown, Write};

fn told(got: &[Seen], who: &str, words: &str) -> bool {
    got.len() == 1 && got[0].0 == shown(who) && got[0].2.contains(words)
}

#[tokio::test]
async fn a_stranger_is_told_once_a_day_and_only_the_stranger() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("axb", ANN, Some(CAT)).await.number;
    for _ in 0..3 {
        assert_eq!(house.write(BEN, x, "hello").await, Accepted::Dropped);
        house.clock.advance(Duration::from_secs(100));
    }
    let got = house.outbox().await;
    assert!(told(&got, BEN, "takes no messages from you"), "{got:?}");
    assert_eq!(got[0].1, x.to_string());
    house.clock.advance(Duration::from_secs(24 * 3_600));
    house.write(BEN, x, "hello").await;
    assert_eq!(house.outbox().await.len(), 1);
    assert_eq!(house.entries("alias.unknown_sender").await.len(), 4);
    // A landline gets no texts, and neither do short codes.
    house.write("+44 20 7946 0018", x, "hello").await;
    house.relay.message(incoming(Origin::ShortCode("32665".into()), x, "hello")).await.unwrap();
    assert!(house.outbox().await.is_empty());
}

#[tokio::test]
async fn an_alias_may_keep_silent_towards_strangers() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let mut wish = house.wish("axb", ANN, Some(CAT)).await;
    wish.unknown = Unknown::Drop;
    let x = house.bind(wish).await.unwrap().number;
    assert_eq!(house.write(BEN, x, "hello").await, Accepted::Dropped);
    assert!(house.outbox().await.is_empty());
}

#[tokio::test]
async fn an_alias_that_is_over_answers_and_a_number_without_alias_does_too() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let mut wish = house.wish("axb", ANN, Some(BEN)).await;
    wish.ttl = Some(Duration::from_secs(60));
    let x = house.bind(wish).await.unwrap().number;
    house.clock.advance(Duration::from_secs(61));
    house.write(BEN, x, "hello").await;
    let got = house.outbox().await;
    assert!(told(&got, BEN, "takes no messages from you"), "{got:?}");
    let bare = [X, X + 1].into_iter().filter_map(VirtualNumber::from_digits).find(|number| *number != x).unwrap();
    house.write(BEN, bare, "hello").await;
    let got = house.outbox().await;
    assert!(told(&got, BEN, "takes no messages from you"), "{got:?}");
    assert_eq!(house.drops().await, ["alias_expired", "unknown_sender"]);
}

#[tokio::test]
async fn what_waits_for_the_tenants_word_is_parked_and_acknowledged() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let mut wish = house.wish("axb", ANN, Some(CAT)).await;
    wish.unknown = Unknown::Webhook;
    let x = house.bind(wish).await.unwrap().number;
    assert_eq!(house.write(BEN, x, "may I?").await, Accepted::Carried);
    let until = house.store.now().plus(Duration::from_secs(60));
    let row = house.store.claim("test", until, 10).await.unwrap().remove(0);
    let Task::Ask(id) = row.task else { panic!("{:?}", row.task) };
    let entry = &house.entries("alias.unknown_sender").await[0];
    assert_eq!((entry["message"].as_str(), entry["sender"].as_str()), (Some(id.to_string().as_str()), Some("number")));
    for (verdict, expected) in [(crate::relay::Verdict::Relay, Some((ANN, "may I?")))] {
        let message = house.store.message(row.tenant, id).await.unwrap().unwrap();
        let alias = house.store.alias(row.tenant, message.alias.unwrap()).await.unwrap().unwrap();
        let permit = house.access.for_delivery(row.clone()).await.unwrap();
        house.relay.settle_parked(&permit, &row, message, &alias, verdict).await.unwrap();
        let got = house.outbox().await;
        assert_eq!(got.first().map(|seen| (seen.0.clone(), seen.2.as_str())), expected.map(|(to, t)| (shown(to), t)));
        assert_eq!(got[0].1, x.to_string());
    }
}

#[tokio::test]
async fn the_tenant_may_answer_a_stranger_or_say_nothing() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let mut wish = house.wish("axb", ANN, Some(CAT)).await;
    wish.unknown = Unknown::Webhook;
    let x = house.bind(wish).await.unwrap().number;
    for (verdict, expected) in [
        (crate::relay::Verdict::Reply("We are closed".into()), Some("We are closed")),
        (crate::relay::Verdict::Reply(" ".into()), None),
        (crate::relay::Verdict::Drop, None),
    ] {
        house.write(BEN, x, "hello").await;
        house.clock.advance(Duration::from_secs(100));
        let until = house.store.now().plus(Duration::from_secs(60));
        let row = house.store.claim("test", until, 10).await.unwrap().remove(0);
        let Task::Ask(id) = row.task else { panic!("{:?}", row.task) };
        let message = house.store.message(row.tenant, id).await.unwrap().unwrap();
        let alias = house.store.alias(row.tenant, message.alias.unwrap()).await.unwrap().unwrap();
        let permit = house.access.for_delivery(row.clone()).await.unwrap();
        house.relay.settle_parked(&permit, &row, message, &alias, verdict).await.unwrap();
        let got = house.outbox().await;
        assert_eq!(got.first().map(|seen| (seen.0.clone(), seen.2.as_str())), expected.map(|t| (shown(BEN), t)));
        let parked = house.store.message(row.tenant, id).await.unwrap().unwrap();
        assert_eq!(parked.body, None, "the question is settled and its text gone");
    }
}

#[tokio::test]
async fn stop_ends_what_comes_from_that_number_until_start() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let x = house.bound("axb", ANN, Some(BEN)).await.number;
    let other = house.bound("axb", ANN, Some(CAT)).await.number;
    assert_eq!(house.write(ANN, x, " Stop ").await, Accepted::Dropped);
    house.write(ANN, x, "STOP").await;
    let got = house.outbox().await;
    assert!(told(&got, ANN, "no more messages"), "one confirmation: {got:?}");
    let index = house.holder(ANN).await.index;
    let scopes = house.store.suppressed(house.tenant, index).await.unwrap();
    assert!(scopes.contains(&Scope::Number(x)) && scopes.contains(&Scope::Marketing), "{scopes:?}");

    assert_eq!(house.write(BEN, x, "are you there?").await, Accepted::Dropped);
    assert_eq!(house.write(BEN, x, "hello?").await, Accepted::Dropped);
    let got = house.outbox().await;
    assert!(told(&got, BEN, "no longer wanted"), "told once: {got:?}");
    assert_eq!(house.write(CAT, other, "still open").await, Accepted::Carried, "another number");
    assert_eq!(house.write(ANN, x, "I may still write").await, Accepted::Carried);
    house.outbox().await;

    assert_eq!(house.write(ANN, x, "START").await, Accepted::Dropped);
    assert!(told(&house.outbox().await, ANN, "again"));
    assert_eq!(house.store.suppressed(house.tenant, index).await.unwrap(), []);
    assert_eq!(house.write(BEN, x, "back?").await, Accepted::Carried);
    assert_eq!(house.write(ANN, x, "start").await, Accepted::Carried, "without a STOP before it a word like others");
}

#[tokio::test]
async fn a_stranger_who_says_stop_is_not_answered_any_more() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.write(BEN, x, "hello").await;
    house.write(BEN, x, "ARRET").await;
    house.outbox().await;
    assert_eq!(house.write(ANN, x, "an answer").await, Accepted::Dropped);
    assert!(told(&house.outbox().await, ANN, "no longer wanted"));
    assert_eq!(house.drops().await, ["stop_word", "suppressed"]);
}

#[tokio::test]
async fn help_is_answered_and_not_carried() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("axb", ANN, Some(BEN)).await.number;
    house.write(ANN, x, "help").await;
    house.write(ANN, x, "INFO").await;
    assert!(told(&house.outbox().await, ANN, "passes messages on"));
}

#[tokio::test]
async fn what_the_content_policy_forbids_is_not_carried_and_the_writer_is_told() {
    let rules = "[policy.market]\nkeywords = [\"free money\"]\nlinks = []\nrepeats = 2\n";
    let mut files: serde_json::Value = serde_json::from_str(&PolicyFiles::shipped().to_json()).unwrap();
    files["content.toml"] = rules.into();
    let files = PolicyFiles::from_json(&files.to_string()).unwrap();
    let house = House::under(Policies::of(files).unwrap()).await;
    house.pool("p", &[X]).await;
    let mut wish = house.wish("axb", ANN, Some(BEN)).await;
    wish.content = Some("market".into());
    let x = house.bind(wish).await.unwrap().number;
    for text in ["Free  MONEY!", "see shop.example/x"] {
        assert_eq!(house.write(BEN, x, text).await, Accepted::Dropped, "{text}");
    }
    assert!(told(&house.outbox().await, BEN, "does not pass on"));
    for accepted in [Accepted::Carried, Accepted::Carried, Accepted::Dropped] {
        assert_eq!(house.write(BEN, x, "still for sale?").await, accepted);
        house.clock.advance(Duration::from_secs(100));
    }
    assert_eq!(house.drops().await, ["content_keyword", "content_link", "content_repeat"]);
}

#[tokio::test]
async fn what_a_stranger_and_an_alias_may_spend_in_a_day_is_not_passed() {
    let mut files: serde_json::Value = serde_json::from_str(&PolicyFiles::shipped().to_json()).unwrap();
    files["spend.toml"] = "[alias]\nparts = 5\n[stranger]\nparts = 3\n".into();
    let files = PolicyFiles::from_json(&files.to_string()).unwrap();
    let house = House::under(Policies::of(files).unwrap()).await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let mut became = Vec::new();
    for (writer, text) in [(BEN, "1"), (BEN, "2"), (BEN, "3"), (BEN, "4"), (CAT, "5"), (CAT, "6"), (CAT, "7")] {
        became.push(house.write(writer, x, text).await);
    }
    let (yes, no) = (Accepted::Carried, Accepted::Dropped);
    assert_eq!(became, [yes, yes, yes, no, yes, yes, no], "three of one stranger, five of the alias");
    assert_eq!(house.drops().await, ["spend_cap_reached", "spend_cap_reached"]);
    let alerts = house.entries("alert.spend").await;
    let told = |cap: &str, share: u64| alerts.iter().filter(|it| it["cap"] == cap && it["share"] == share).count();
    assert_eq!((told("stranger", 100), told("alias", 80), told("alias", 100)), (1, 1, 1), "{alerts:?}");
    house.clock.advance(Duration::from_secs(86_400));
    assert_eq!(house.write(BEN, x, "8").await, yes, "a day starts anew");
}

#[tokio::test]
async fn more_than_ten_parts_and_binary_are_refused_once_and_politely() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    for number in 1..=11 {
        assert_eq!(house.relay.message(piece(x, number, 11, b"\0a")).await.unwrap(), Accepted::Dropped);
    }
    assert!(told(&house.outbox().await, BEN, "too long"));
    for _ in 0..2 {
        let body = Encoded { alphabet: Alphabet::Binary, octets: Zeroizing::new(vec![0, 255]) };
        house.relay.message(Incoming { body, ..incoming(Origin::Number(real(BEN)), x, "") }).await.unwrap();
    }
    assert!(told(&house.outbox().await, BEN, "Only text"));
    let long = "验".repeat(671);
    assert_eq!(house.write(CAT, x, &long).await, Accepted::Dropped, "more than ten parts on its way out");
    assert!(told(&house.outbox().await, CAT, "too long"));
    assert_eq!(house.write(CAT, x, &"验".repeat(670)).await, Accepted::Carried);
}

#[tokio::test]
async fn a_message_that_its_carrier_names_is_taken_once_in_a_day() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    let named = |id: &str, text: &str| Incoming { id: Some(id.into()), ..incoming(Origin::Number(real(BEN)), x, text) };
    assert_eq!(house.relay.message(named("SM1", "hello")).await.unwrap(), Accepted::Carried);
    assert_eq!(house.relay.message(named("SM1", "hello")).await.unwrap(), Accepted::Dropped);
    assert_eq!(house.relay.message(named("SM2", "hello")).await.unwrap(), Accepted::Carried, "written twice");
    assert_eq!(house.outbox().await.len(), 2);
    assert_eq!(house.drops().await, ["repeated"]);
    house.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(house.relay.message(named("SM1", "hello")).await.unwrap(), Accepted::Carried, "a day later");

    let part = |id: &str, number| Incoming { id: Some(id.into()), ..piece(x, number, 2, b"\0a") };
    assert_eq!(house.relay.message(part("P1", 1)).await.unwrap(), Accepted::AwaitingParts);
    assert_eq!(house.relay.message(part("P1", 1)).await.unwrap(), Accepted::Dropped);
    assert_eq!(house.relay.message(part("P2", 2)).await.unwrap(), Accepted::Carried);
    assert_eq!(house.relay.message(part("P2", 2)).await.unwrap(), Accepted::Dropped);
}

async fn disclosed(house: &House, wish: Disclose, text: &str) -> (Option<String>, Lane) {
    let mut bind = house.wish("ax", ANN, None).await;
    bind.disclose = wish;
    let x = house.bind(bind).await.unwrap().number;
    house.write(BEN, x, text).await;
    let until = house.store.now().plus(Duration::from_secs(60));
    let row = house.store.claim("test", until, 10).await.unwrap().remove(0);
    let Task::Message(id) = row.task else { panic!("{:?}", row.task) };
    let message = house.store.message(row.tenant, id).await.unwrap().unwrap();
    let keys = house.keyring.tenant(row.tenant).await.unwrap();
    let permit = house.access.for_delivery(row.clone()).await.unwrap();
    let event = permit.event(house.store.now(), crate::event::What::Swept {});
    house.store.commit(crate::store::Change::telling(event).with(Write::Dequeue(row.id))).await.unwrap();
    let open = |sealed| keys.open_text(DISCLOSED, &ids::bytes(&id), &sealed).unwrap().to_string();
    (message.disclosed.map(open), row.lane)
}

#[tokio::test]
async fn the_tenant_learns_what_the_alias_discloses_and_no_number() {
    let house = House::new().await;
    house.pool("p", &(X..X + 5).collect::<Vec<_>>()).await;
    let code = "Your verification code is 178738";
    assert_eq!(disclosed(&house, Disclose::None, code).await, (None, Lane::Code));
    assert_eq!(disclosed(&house, Disclose::MaskedCode, code).await.0.unwrap(), r#"{"code":"••••38"}"#);
    assert_eq!(disclosed(&house, Disclose::Code, code).await.0.unwrap(), r#"{"code":"178738"}"#);
    assert_eq!(disclosed(&house, Disclose::Code, "see you").await, (None, Lane::Notice));
    let (text, _) = disclosed(&house, Disclose::Text, "call +44 7700 900 003 please").await;
    let text = text.unwrap();
    let cat = house.vault.token_of(house.tenant, house.holder(CAT).await.record, None).await.unwrap();
    assert_eq!(text, format!(r#"{{"text":"call {} please"}}"#, cat.as_str()));
}
