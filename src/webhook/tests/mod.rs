#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod house;

use std::time::Duration;

use house::{House, Receiver};
use serde_json::json;

use super::{Change, Rest, Wanted, WebhookError, schedule};
use crate::access::{Action, FreezeSwitch};
use crate::event::What;
use crate::ids;
use crate::store::NoticeState;

#[tokio::test]
async fn a_failing_endpoint_is_called_by_the_schedule_given_up_and_goes_on_where_it_stood() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/hook"), &["alert.*"]).await.unwrap().endpoint;
    receiver.answers([500; 10]);
    house.happens(1).await;
    house.happens(2).await;
    for failure in 1..10 {
        let due = house.store.now().plus(schedule::wait(failure).unwrap());
        assert_eq!(house.webhooks.serve(made.id).await.unwrap(), Rest::Until(due), "after failure {failure}");
        assert_eq!(house.webhooks.serve(made.id).await.unwrap(), Rest::Until(due), "and not before");
        assert_eq!(receiver.heard().len() as u32, failure);
        house.clock.advance(house.store.now().until(due));
    }
    assert_eq!(house.webhooks.serve(made.id).await.unwrap(), Rest::Idle);
    assert_eq!((house.told("webhook.disabled").await, house.told("alert.webhook_disabled").await), (1, 1));
    let permit = house.may(None).await;
    assert_eq!(house.webhooks.read(&permit, made.id).await.unwrap().disabled.as_deref(), Some("exhausted"));

    let first = receiver.heard()[0].clone();
    let names: Vec<_> = receiver.heard().iter().map(|heard| heard.headers["webhook-id"].clone()).collect();
    assert!(names.iter().all(|name| *name == first.headers["webhook-id"]), "one event, one name: {names:?}");
    assert_eq!(first.body["data"]["matching"], 1);

    house.happens(3).await;
    assert_eq!(house.webhooks.serve(made.id).await.unwrap(), Rest::Idle, "a disabled one is not called");
    let enabled = Change { enabled: Some(true), ..Change::default() };
    assert_eq!(house.webhooks.change(&permit, made.id, enabled).await.unwrap().disabled, None);
    house.happens(4).await;
    assert_eq!(house.webhooks.serve(made.id).await.unwrap(), Rest::Idle);
    let heard = receiver.heard();
    let told: Vec<_> = heard[10..].iter().map(|heard| heard.body["data"]["matching"].as_u64().unwrap()).collect();
    assert_eq!(told, [1, 2, 4], "what waited, in order, and nothing of what happened while it was disabled");
    assert_eq!(house.webhooks.read(&permit, made.id).await.unwrap().failing_since, None);
}

#[tokio::test]
async fn an_endpoint_that_never_succeeds_is_given_up_after_five_days_however_often_it_is_asked_again() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint;
    receiver.answers([500; 100]);
    house.happens(1).await;
    let permit = house.may(None).await;
    for day in 0..6 {
        house.webhooks.serve(made.id).await.unwrap();
        let view = house.webhooks.read(&permit, made.id).await.unwrap();
        assert_eq!(view.disabled.as_deref(), (day == 5).then_some("failing"), "day {day}");
        if day < 5 {
            let event = house.webhooks.deliveries(&permit, made.id, None, 1).await.unwrap()[0].id;
            house.webhooks.redeliver(&permit, made.id, Wanted::One(event)).await.unwrap();
            house.clock.advance(Duration::from_secs(24 * 3_600));
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled_at_once_and_others_are_told() {
    let (house, gone, other) = (House::new().await, Receiver::open().await, Receiver::open().await);
    let first = house.endpoint(&gone.url("/"), &["alert.enumeration"]).await.unwrap().endpoint.id;
    let second = house.endpoint(&other.url("/"), &["alert.*"]).await.unwrap().endpoint.id;
    gone.answers([410]);
    house.happens(1).await;
    assert_eq!(house.webhooks.serve(first).await.unwrap(), Rest::Idle);
    assert_eq!(house.webhooks.serve(second).await.unwrap(), Rest::Idle);
    let heard = other.heard();
    assert_eq!(other.types(), ["alert.enumeration", "alert.webhook_disabled"]);
    assert_eq!(heard[1].body["data"], json!({"webhook": first.to_string(), "reason": "gone"}));
}

#[tokio::test]
async fn what_is_no_2xx_is_a_failure_and_no_redirect_is_followed() {
    let house = House::new().await;
    for status in [301, 302, 307, 308, 400, 404, 500, 503] {
        let receiver = Receiver::open().await;
        let made = house.endpoint(&receiver.url("/here"), &["webhook"]).await;
        assert!(matches!(made, Err(WebhookError::EventUnknown(0))));
        let made = house.endpoint(&receiver.url("/here"), &["alias.*"]).await.unwrap().endpoint.id;
        receiver.answers([status]);
        let event = house.webhooks.ping(&house.may(None).await, made).await.unwrap();
        assert!(matches!(house.webhooks.serve(made).await.unwrap(), Rest::Until(_)));
        assert_eq!(receiver.heard().len(), 1, "{status} is not followed");
        let row = house.deliveries(made).await.remove(0);
        assert_eq!((row.state, row.code, row.fault, row.attempts), (NoticeState::Waiting, Some(status), None, 1));
        house.clock.advance(Duration::from_secs(5));
        assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
        assert_eq!(house.deliveries(made).await[0].state, NoticeState::Delivered);
        assert_eq!(
            (receiver.types()[1].as_str(), receiver.heard()[1].headers["webhook-id"].clone()),
            ("ping", event.to_string())
        );
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_it_was_checked_reaches_nothing() {
    let (house, receiver) = (House::reaching(&[]).await, Receiver::open().await);
    let (public, inside) = ("93.184.215.14:443".parse().unwrap(), receiver.address);
    house.names.0.lock().unwrap().extend([vec![public], vec![inside]]);
    let made = house.endpoint("https://rebinding.example/", &["*"]).await.unwrap().endpoint.id;
    house.happens(1).await;
    assert!(matches!(house.webhooks.serve(made).await.unwrap(), Rest::Until(_)));
    assert_eq!(house.deliveries(made).await[0].fault.as_deref(), Some("address_refused"));
    assert_eq!(receiver.desk.lock().unwrap().connections, 0);
    assert!(
        matches!(house.endpoint("https://rebinding.example/", &["*"]).await, Err(WebhookError::UrlRefused)),
        "and is refused when it is known beforehand"
    );
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_called_are() {
    let (house, open, closed) =
        (House::reaching(&["127.0.0.1/32"]).await, Receiver::open().await, Receiver::open().await);
    let mut metadata = closed.address;
    metadata.set_ip("127.0.0.2".parse().unwrap());
    house.names.0.lock().unwrap().push_back(vec!["169.254.169.254:80".parse().unwrap(), metadata, open.address]);
    let port = open.address.port();
    let made = house.endpoint(&format!("http://several.example:{port}/"), &["*"]).await.unwrap().endpoint.id;
    house.happens(1).await;
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
    assert_eq!((open.heard().len(), closed.desk.lock().unwrap().connections), (1, 0));
    assert_eq!(open.heard()[0].headers["host"], format!("several.example:{port}"));
}

#[tokio::test]
async fn one_connection_carries_what_waits_and_order_is_kept() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    for n in 0..50 {
        house.happens(n).await;
    }
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
    let told: Vec<_> = receiver.heard().iter().map(|heard| heard.body["data"]["matching"].as_u64().unwrap()).collect();
    assert_eq!(told, (0..50).collect::<Vec<_>>());
    assert_eq!(receiver.desk.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn an_endpoint_that_ends_its_connections_has_not_failed() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    receiver.desk.lock().unwrap().closes = true;
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    for n in 0..20 {
        house.happens(n).await;
    }
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
    assert!(house.deliveries(made).await.iter().all(|row| (row.state, row.attempts) == (NoticeState::Delivered, 1)));
    assert_eq!((receiver.heard().len(), receiver.desk.lock().unwrap().connections), (20, 20));
}

#[tokio::test]
async fn what_is_asked_for_again_comes_before_what_waits_and_under_its_old_name() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    for n in 0..5 {
        house.happens(n).await;
        house.clock.advance(Duration::from_secs(60));
    }
    house.webhooks.serve(made).await.unwrap();
    let permit = house.may(None).await;
    let page = house.webhooks.deliveries(&permit, made, None, 2).await.unwrap();
    assert_eq!(page.len(), 2);
    let older = house.webhooks.deliveries(&permit, made, Some(page[1].id), 10).await.unwrap();
    assert_eq!(older.len(), 3, "behind the second newest");
    receiver.answers([500]);
    house.happens(5).await;
    let Rest::Until(due) = house.webhooks.serve(made).await.unwrap() else { panic!("it waits") };
    let again = house.webhooks.redeliver(&permit, made, Wanted::One(older[0].id)).await.unwrap();
    assert_eq!((again.count, again.next), (1, None));
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Until(due), "the other goes on waiting");
    let heard = receiver.heard();
    assert_eq!(heard.last().unwrap().body["data"]["matching"], 2);
    assert_eq!(heard.last().unwrap().headers["webhook-id"], heard[2].headers["webhook-id"]);
    let since = house.store.now().minus(Duration::from_secs(4 * 60 + 30));
    let again = house.webhooks.redeliver(&permit, made, Wanted::Since(since, None)).await.unwrap();
    assert_eq!(again.count, 5, "all but the first");
    house.webhooks.serve(made).await.unwrap();
    let told: Vec<_> = receiver.heard()[7..].iter().map(|h| h.body["data"]["matching"].as_u64().unwrap()).collect();
    assert_eq!(told, [1, 2, 3, 4, 5]);
    let nothing = house.webhooks.redeliver(&permit, made, Wanted::One(ids::fresh())).await;
    assert!(matches!(nothing, Err(WebhookError::NotFound)));
}

#[tokio::test]
async fn a_secret_that_is_replaced_signs_too_until_its_time_is_up() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let first = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap();
    let permit = house.may(None).await;
    let second = house.webhooks.rotate(&permit, first.endpoint.id, Some(Duration::from_secs(60))).await.unwrap();
    assert_ne!(*first.secret, *second.secret);
    assert!(second.endpoint.old_secret_until.is_some());
    house.happens(1).await;
    house.webhooks.serve(first.endpoint.id).await.unwrap();
    house.clock.advance(Duration::from_secs(60));
    house.happens(2).await;
    house.webhooks.serve(first.endpoint.id).await.unwrap();
    let signatures: Vec<usize> =
        receiver.heard().iter().map(|heard| heard.headers["webhook-signature"].split(' ').count()).collect();
    assert_eq!(signatures, [2, 1]);
}

#[tokio::test]
async fn while_a_tenant_is_frozen_its_events_wait() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    let terminal = house.access.terminal("root", house.tenant).unwrap();
    let switch = || FreezeSwitch { target: house.tenant.to_string() };
    let permit = house.access.authorize(&terminal, Action::Freeze, switch()).await.unwrap();
    house.access.freeze(permit, true).await.unwrap();
    house.happens(1).await;
    assert!(matches!(house.webhooks.serve(made).await.unwrap(), Rest::Until(_)));
    assert_eq!((receiver.heard().len(), house.deliveries(made).await[0].attempts), (0, 0));
    let permit = house.access.authorize(&terminal, Action::Freeze, switch()).await.unwrap();
    house.access.freeze(permit, false).await.unwrap();
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn a_deleted_endpoint_is_not_called_and_leaves_nothing_behind() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    house.happens(1).await;
    let permit = house.may(None).await;
    house.webhooks.delete(&permit, made).await.unwrap();
    house.happens(2).await;
    assert_eq!(house.webhooks.serve(made).await.unwrap(), Rest::Idle);
    assert_eq!(receiver.heard().len(), 0);
    assert!(matches!(house.webhooks.read(&permit, made).await, Err(WebhookError::NotFound)));
    assert!(house.webhooks.list(&permit, None, 10).await.unwrap().is_empty());
    assert_eq!(house.deliveries(made).await.len(), 1, "what waited goes by sweeping");
    house.sweep().await;
    assert!(house.deliveries(made).await.is_empty());
}

#[tokio::test]
async fn events_that_nobody_is_told_of_go_nowhere() {
    let (house, receiver) = (House::new().await, Receiver::open().await);
    let made = house.endpoint(&receiver.url("/"), &["*"]).await.unwrap().endpoint.id;
    house.tell(What::AuditRead { entries: 1 }).await;
    house.tell(What::Swept {}).await;
    assert!(house.deliveries(made).await.is_empty(), "neither its own making nor what is the log's alone");
}

#[tokio::test]
async fn what_may_be_an_endpoint_is_said_before_anything_is_kept() {
    let house = House::reaching(&[]).await;
    for url in [
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://user@hooks.example/",
        "nowhere",
        "",
    ] {
        assert!(matches!(house.endpoint(url, &["*"]).await, Err(WebhookError::UrlRefused)), "{url}");
    }
    let number = house.endpoint("https://hooks.example/+44%207700%20900123", &["*"]).await;
    assert!(matches!(number, Err(WebhookError::NumberInUrl)));
    assert!(matches!(house.endpoint("https://hooks.example/", &[]).await, Err(WebhookError::EventsInvalid)));
    let unknown = house.endpoint("https://hooks.example/", &["alias.bound", "alias.made"]).await;
    assert!(matches!(unknown, Err(WebhookError::EventUnknown(1))));
    assert!(house.webhooks.list(&house.may(None).await, None, 10).await.unwrap().is_empty());
    let named = house.endpoint("https://hooks.example/", &["*"]).await.unwrap().endpoint.id;
    house.happens(1).await;
    house.webhooks.serve(named).await.unwrap();
    assert_eq!(house.deliveries(named).await[0].fault.as_deref(), Some("unresolved"), "a name may get an address yet");
}

#[tokio::test]
async fn a_tenant_has_a_hundred_endpoints_and_no_more() {
    let house = House::reaching(&[]).await;
    for _ in 0..100 {
        house.endpoint("https://hooks.example/", &["*"]).await.unwrap();
    }
    let one_more = house.endpoint("https://hooks.example/", &["*"]).await;
    assert!(matches!(one_more, Err(WebhookError::TooMany)));
}

#[tokio::test]
async fn what_an_alias_discloses_goes_to_its_own_audience_and_only_while_it_is_kept() {
    let house = House::new().await;
    let (own, courier) = (Receiver::open().await, Receiver::open().await);
    let to_own = house.endpoint(&own.url("/"), &["message.*"]).await.unwrap().endpoint.id;
    let to_courier = house.endpoint_of(Some("courier"), &courier.url("/"), &["message.*"]).await.unwrap().endpoint.id;
    for (audience, known) in [(None, json!({"code": "178781"})), (Some("courier"), json!({"text": "at 10, tok_x"}))] {
        house.message(audience, &known).await;
    }
    house.webhooks.serve(to_own).await.unwrap();
    house.webhooks.serve(to_courier).await.unwrap();
    let data = |heard: &house::Heard| heard.body["data"].as_object().unwrap().clone();
    let (own_heard, courier_heard) = (own.heard(), courier.heard());
    assert_eq!((own_heard.len(), courier_heard.len()), (2, 1), "the tenant hears of all, a partner of its own");
    assert_eq!(data(&own_heard[0])["code"], "178781");
    assert!(!data(&own_heard[1]).contains_key("text"), "what was bound for another audience is not for the tenant's");
    assert_eq!(data(&courier_heard[0])["text"], "at 10, tok_x");
    assert_ne!(data(&own_heard[1])["token"], data(&courier_heard[0])["token"], "each in its own tokens");

    own.answers([500]);
    house.message(None, &json!({"code": "••••38"})).await;
    house.webhooks.serve(to_own).await.unwrap();
    house.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(house.webhooks.serve(to_own).await.unwrap(), Rest::Idle);
    let heard = own.heard();
    assert_eq!((&data(&heard[2])["code"], heard.len()), (&json!("••••38"), 4));
    assert!(!data(&heard[3]).contains_key("code"), "a day later there is none");

    house.message(None, &json!({"text": "call +44 7700 900123"})).await;
    house.webhooks.serve(to_own).await.unwrap();
    assert!(!data(own.heard().last().unwrap()).contains_key("text"), "and never one that holds a number");
}

#[tokio::test]
async fn the_endpoint_of_an_aliass_audience_is_asked_about_strangers() {
    let house = House::new().await;
    let (own, courier) = (Receiver::open().await, Receiver::open().await);
    let alias = ids::fresh();
    let ask = async |audience: Option<&str>, data: serde_json::Value| {
        let data = data.as_object().unwrap().clone();
        house.webhooks.ask(house.tenant, audience, alias, "msg_1", data).await
    };
    assert_eq!(ask(None, json!({})).await, None, "nobody is there to be asked");
    house.endpoint(&own.url("/"), &["message.*"]).await.unwrap();
    assert_eq!(ask(None, json!({})).await, None, "nor is one who does not want to be");
    house.endpoint(&own.url("/"), &["alias.unknown_sender"]).await.unwrap();
    house.endpoint_of(Some("courier"), &courier.url("/"), &["*"]).await.unwrap();
    own.desk.lock().unwrap().says = Some(r#"{"action":"relay"}"#);
    courier.desk.lock().unwrap().says = Some(r#"{"action":"reply","text":"Not here."}"#);
    let relay = super::Answer { action: super::Reaction::Relay, text: None };
    let told = json!({"sender": "number", "number": "+447700900000", "text": "me on +44 7700 900123"});
    assert_eq!(ask(None, told).await, Some(relay));
    let reply = super::Answer { action: super::Reaction::Reply, text: Some("Not here.".into()) };
    assert_eq!(ask(Some("courier"), json!({})).await, Some(reply));
    assert_eq!(ask(Some("insurer"), json!({})).await, None);
    let heard = own.heard();
    assert_eq!(heard.len(), 1);
    let data = json!({"alias": alias.to_string(), "sender": "number", "question": true});
    assert_eq!((&heard[0].body["data"], &heard[0].body["type"]), (&data, &json!("alias.unknown_sender")));
    assert_eq!(heard[0].headers["webhook-id"], "msg_1");
    own.answers([500]);
    assert_eq!(ask(None, json!({})).await, None);
}
