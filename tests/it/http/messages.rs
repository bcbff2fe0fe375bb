//! Messages in a tenant's own name: what a person gets, what is refused, what became of it.

use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};
use crate::service::{Answer, answer, eventually};

impl Shop {
    pub async fn send(&self, body: Value) -> Answer {
        self.post("/v1/messages", &self.business, body).await
    }

    /// What became of a message, once nothing more will.
    pub async fn outcome(&self, id: &str) -> Value {
        let path = format!("/v1/messages/{id}");
        eventually("a settled message", 15, async || {
            let json = self.get(&path, &self.business).await.expect(200).json();
            (json["status"] != "queued" && json["status"] != "submitted").then_some(json)
        })
        .await
    }

    pub async fn arrange(&self, body: Value) -> Answer {
        self.call("PATCH", "/v1/tenant", &self.admin, Some(body)).await
    }

    /// The entries of an action, oldest first.
    pub async fn log_of(&self, action: &str) -> Vec<Value> {
        let path = format!("/v1/audit/entries?action={action}");
        let data = self.get(&path, &self.auditor).await.expect(200).json()["data"].clone();
        data.as_array().unwrap().iter().map(|entry| entry["entry"].clone()).collect()
    }
}

#[actix_web::test]
async fn a_message_reaches_the_person_and_its_text_stays_with_them() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let text = "Your parcel is at the door 🚪";
    let sent = shop.send(json!({"to": anna, "text": text, "class": "notice"})).await.expect(201);
    assert_eq!((sent.text_at("/status"), sent.text_at("/class")), ("queued".into(), "notice".into()));
    assert_eq!((sent.text_at("/to"), sent.text_at("/parts")), (anna.clone(), "1".into()));
    let id = sent.text_at("/id");
    assert!(id.starts_with("msg_"), "{id}");
    assert_eq!(shop.handset(&anna, 1).await[0].1, text);
    let settled = shop.outcome(&id).await;
    assert_eq!((&settled["status"], &settled["carrier"]), (&json!("delivered"), &json!("sandbox")));
    assert_eq!((&settled["to"], &settled["failure"]), (&json!(anna), &json!(null)));
    assert!(settled["submitted_at"].as_str().unwrap() >= settled["created_at"].as_str().unwrap());
    assert!(settled["settled_at"].is_string());
    assert_eq!(shop.shown().matches("parcel is").count(), 1, "the handset's answer alone holds the text");
    let accepted = &shop.log_of("message.accepted").await[0];
    assert_eq!((&accepted["message"], &accepted["class"]), (&json!(id), &json!("notice")));
    assert_eq!(shop.log_of("message.sent").await[0]["message"], json!(id));
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn what_is_no_message_is_refused_by_field() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let long = "x".repeat(1_531);
    for (body, status, code) in [
        (json!({"text": "hi", "class": "notice"}), 400, "missing_field"),
        (json!({"to": anna, "class": "notice"}), 400, "missing_field"),
        (json!({"to": anna, "text": "hi"}), 400, "missing_field"),
        (json!({"to": anna, "text": "hi", "template": "x", "class": "notice"}), 400, "invalid_field"),
        (json!({"to": anna, "text": "hi", "variables": {}, "class": "notice"}), 400, "invalid_field"),
        (json!({"to": anna, "text": "hi", "class": "relay"}), 400, "invalid_field"),
        (json!({"to": anna, "text": "hi", "class": "notice", "ttl_s": 59}), 400, "invalid_field"),
        (json!({"to": anna, "text": " \n", "class": "notice"}), 400, "invalid_field"),
        (json!({"to": anna, "text": "a\u{202E}b", "class": "notice"}), 400, "invalid_field"),
        (json!({"to": anna, "text": "hi", "class": "notice", "priority": 1}), 400, "unknown_field"),
        (json!({"to": anna, "text": long, "class": "notice"}), 422, "text_too_long"),
        (json!({"to": anna, "text": "hi", "class": "notice", "sender": "Rialto"}), 422, "sender_not_registered"),
        (json!({"to": anna, "text": "hi", "class": "notice", "sender": "+18675550100"}), 422, "sender_not_registered"),
        (json!({"to": anna, "template": "none"}), 400, "invalid_field"),
        (json!({"to": "tok_zzz", "text": "hi", "class": "notice"}), 400, "token_malformed"),
        (json!({"to": {"number": "911"}, "text": "hi", "class": "notice"}), 422, "number_too_short"),
    ] {
        let answer = shop.send(body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body} {}", answer.text);
    }
    assert!(shop.handset(&anna, 0).await.is_empty(), "nothing was sent");
}

#[actix_web::test]
async fn a_text_names_nobodys_number_but_the_tenants_own() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let own = "+16045550110".to_owned();
    shop.pool("own", std::slice::from_ref(&own)).await;
    let say = |text: &str| json!({"to": anna, "text": text, "class": "notice"});
    for text in [
        format!("call {}", BEN.0),
        "ring me: (312) 555-0178".to_owned(),
        "3125550178".to_owned(),
        "13125550178".to_owned(),
        "%2B13125550178".to_owned(),
        "+44 7700 900 123 tonight".to_owned(),
        "３１２ ５５５ ０１７８".to_owned(),
    ] {
        let answer = shop.send(say(&text)).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "number_in_text"), "{text}");
        assert!(!answer.text.contains("555"), "{}", answer.text);
    }
    for text in ["order 000471230981 costs 19.99", "code 481 205", "at 10.30 on 2026-01-31", &format!("write to {own}")]
    {
        let answer = shop.send(say(text)).await;
        assert_eq!(answer.status, 201, "{text}: {}", answer.text);
    }
    shop.arrange(json!({"contacts": [CAM.0]})).await.expect(200);
    shop.send(say(&format!("questions: {}", CAM.0))).await.expect(201);
    shop.send(say("questions: (415) 555-0129")).await.expect(201);
    let seen = shop.get("/v1/tenant", &shop.admin).await.expect(200);
    assert!(seen.text_at("/contacts/0").ends_with("29"), "masked: {}", seen.text);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_template_is_filled_strictly_and_speaks_the_persons_language() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let texts = json!({"en": "{brand}: {item} is ready", "vi": "{brand}: {item} đã sẵn sàng"});
    let wish = json!({"name": "ready", "class": "notice", "texts": texts});
    let made = shop.post("/v1/templates", &shop.business, wish.clone()).await.expect(201);
    let id = made.text_at("/id");
    assert_eq!(shop.post("/v1/templates", &shop.business, wish).await.expect(409).code(), "already_exists");
    let fill = |template: &str, locale: &str, variables: Value| json!({"to": anna, "template": template, "locale": locale, "variables": variables});
    shop.send(fill("ready", "vi-VN", json!({"item": "{brand}"}))).await.expect(201);
    let second = shop.send(fill(&id, "fr", json!({"item": "box"}))).await.expect(201);
    assert_eq!(second.text_at("/class"), "notice");
    let texts: Vec<_> = shop.handset(&anna, 2).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["Rialto: {brand} đã sẵn sàng", "Rialto: box is ready"]);
    for (variables, code) in [
        (json!({}), "template_mismatch"),
        (json!({"item": "box", "more": "x"}), "template_mismatch"),
        (json!({"item": BEN.0}), "number_in_text"),
    ] {
        let refused = shop.send(fill("ready", "en", variables.clone())).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, code), "{variables}");
    }
    let other = json!({"to": anna, "template": "ready", "class": "marketing", "variables": {"item": "box"}});
    assert_eq!(shop.send(other).await.expect(422).code(), "template_mismatch");
    for texts in [json!({}), json!({"en": "{"}), json!({"en": "{Item}"}), json!({"english": "x"}), json!({"en": " "})] {
        let wish = json!({"name": "bad", "class": "notice", "texts": texts});
        assert_eq!(
            shop.post("/v1/templates", &shop.business, wish).await.expect(400).code(),
            "invalid_field",
            "{texts}"
        );
    }
    let uneven = json!({"name": "bad", "class": "notice", "texts": {"en": "{a}", "vi": "{b}"}});
    assert_eq!(shop.post("/v1/templates", &shop.business, uneven).await.expect(422).code(), "template_mismatch");
    let numbered = json!({"name": BEN.0, "class": "notice", "texts": {"en": "x"}});
    assert_eq!(shop.post("/v1/templates", &shop.business, numbered).await.expect(422).code(), "number_in_text");
    let path = format!("/v1/templates/{id}");
    assert_eq!(shop.get(&path, &shop.partner).await.expect(200).text_at("/name"), "ready");
    assert_eq!(shop.get("/v1/templates?limit=1", &shop.auditor).await.expect(200).text_at("/data/0/id"), id);
    assert_eq!(shop.call("DELETE", &path, &shop.partner, None).await.status, 403);
    shop.call("DELETE", &path, &shop.business, None).await.expect(204);
    assert_eq!(shop.get(&path, &shop.business).await.expect(404).code(), "not_found");
}

#[actix_web::test]
async fn a_registered_sender_is_shown_where_it_is_registered_and_nowhere_else() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let numbers = ["+16045550111".to_owned()];
    shop.pool("own", &numbers).await;
    let senders = json!([
        {"sender": "RIALTO", "countries": ["US"], "registration": {"campaign_id": "C7Q2ABC"}},
        {"sender": "OFFERS", "countries": ["GB"], "classes": ["marketing"]}
    ]);
    let arranged = shop.arrange(json!({"senders": senders})).await.expect(200);
    assert_eq!(arranged.text_at("/senders/0/registration/campaign_id"), "C7Q2ABC");
    let say = |class: &str, sender: Option<&str>| json!({"to": anna, "text": "hi", "class": class, "sender": sender});
    assert_eq!(shop.send(say("notice", None)).await.expect(201).text_at("/sender"), "RIALTO");
    assert_eq!(shop.send(say("notice", Some("OFFERS"))).await.expect(422).code(), "sender_not_registered");
    shop.send(say("notice", Some(&numbers[0]))).await.expect(201);
    let senders: Vec<_> = shop.handset(&anna, 2).await.into_iter().map(|(from, _)| from).collect();
    assert_eq!(senders.iter().filter(|from| **from == "RIALTO").count(), 1, "{senders:?}");
    assert!(senders.contains(&numbers[0]), "{senders:?}");
    for senders in
        [json!([{"sender": BEN.0}]), json!([{"sender": "TwelveLetter"}]), json!([{"sender": "A", "countries": ["gb"]}])]
    {
        let refused = shop.arrange(json!({"senders": senders})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
}

#[actix_web::test]
async fn a_partner_writes_to_those_of_its_audience_and_sees_its_own_messages() {
    let shop = Shop::open().await;
    let (anna, courier) = (shop.token(ANNA.0).await, shop.token_for(ANNA.0, "courier").await);
    let say = |to: &str| json!({"to": to, "text": "at the door", "class": "notice"});
    assert_eq!(shop.post("/v1/messages", &shop.partner, say(&anna)).await.expect(404).code(), "not_found");
    let theirs = shop.post("/v1/messages", &shop.partner, say(&courier)).await.expect(201).text_at("/id");
    let ours = shop.send(say(&anna)).await.expect(201).text_at("/id");
    let seen = shop.get(&format!("/v1/messages/{theirs}"), &shop.partner).await.expect(200);
    assert_eq!(seen.text_at("/to"), courier, "in the partner's own tokens");
    assert_eq!(shop.get(&format!("/v1/messages/{ours}"), &shop.partner).await.expect(404).code(), "not_found");
    assert_eq!(shop.get(&format!("/v1/messages/{theirs}"), &shop.business).await.expect(200).text_at("/to"), anna);
    for key in [&shop.operator, &shop.auditor, &shop.custodian, &shop.admin] {
        assert_eq!(shop.post("/v1/messages", key, say(&anna)).await.expect(403).code(), "forbidden");
    }
    assert_eq!(shop.get(&format!("/v1/messages/{ours}"), &shop.operator).await.status, 403);
}

#[actix_web::test]
async fn nobody_is_reached_by_a_foreign_erased_or_frozen_hand() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let other = shop.service.tenant("Murano", "test");
    let stranger = shop.service.credential(&other, "business", "murano one", &[]);
    let say = |to: &str| json!({"to": to, "text": "hi", "class": "notice"});
    assert_eq!(shop.post("/v1/messages", &stranger, say(&anna)).await.expect(404).code(), "not_found");
    let id = shop.send(say(&anna)).await.expect(201).text_at("/id");
    assert_eq!(shop.get(&format!("/v1/messages/{id}"), &stranger).await.expect(404).code(), "not_found");
    let complaint = json!({"message": id});
    assert_eq!(shop.post("/v1/complaints", &stranger, complaint).await.expect(404).code(), "not_found");
    let spare = json!({"token": anna, "scope": "all"});
    assert_eq!(shop.post("/v1/suppressions", &stranger, spare).await.expect(404).code(), "not_found");
    shop.outcome(&id).await;
    shop.call("DELETE", &format!("/v1/tokens/{anna}"), &shop.business, None).await.expect(204);
    assert_eq!(shop.send(say(&anna)).await.expect(404).code(), "not_found");
    let seen = shop.get(&format!("/v1/messages/{id}"), &shop.business).await.expect(200);
    assert_eq!(seen.json()["to"], json!(null), "the token is gone");
    let ben = shop.token(BEN.0).await;
    let frozen = json!({"target": shop.tenant});
    shop.post("/v1/freeze", &shop.operator, frozen.clone()).await.expect(200);
    assert_eq!(shop.send(say(&ben)).await.expect(403).code(), "frozen");
    shop.post("/v1/thaw", &shop.operator, frozen).await.expect(200);
    shop.send(say(&ben)).await.expect(201);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_batch_answers_each_item_in_order_and_is_one_commit() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    shop.post("/v1/suppressions", &shop.business, json!({"token": ben, "scope": "marketing"})).await.expect(201);
    let item = |to: &str, text: &str, class: &str| json!({"to": to, "text": text, "class": class});
    let items = json!([
        item(&anna, "one", "marketing"),
        item(&ben, "two", "marketing"),
        item(&ben, "three", "notice"),
        item("tok_nonsense", "four", "notice"),
        item(&anna, &format!("call {}", CAM.0), "notice"),
        {"to": anna, "class": "notice"},
    ]);
    let answer = shop.post("/v1/messages/batch", &shop.business, json!({"items": items})).await.expect(200);
    let told: Vec<_> = (0..6)
        .map(|n| {
            let item = &answer.json()["items"][n];
            item["id"].as_str().map_or_else(|| item["error"]["code"].as_str().unwrap().to_owned(), |_| "sent".into())
        })
        .collect();
    assert_eq!(told, ["sent", "suppressed", "sent", "token_malformed", "number_in_text", "missing_field"]);
    assert_eq!((shop.handset(&anna, 1).await.len(), shop.handset(&ben, 1).await.len()), (1, 1));
    let entries = shop.log_of("message.batch_accepted").await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["count"], &entries[0]["refused"]), (&json!(2), &json!(4)));
    assert_eq!(entries[0]["subjects"].as_array().unwrap().len(), 2, "whom it reached can be told");
    let huge: Vec<_> = (0..10_001).map(|_| json!({})).collect();
    let refused = shop.post("/v1/messages/batch", &shop.business, json!({"items": huge})).await.expect(400);
    assert_eq!(refused.code(), "batch_too_large");
    let unknown = shop.post("/v1/messages/batch", &shop.business, json!({"items": [{"to": anna, "x": 1}]})).await;
    assert_eq!((unknown.status, unknown.code()), (400, "unknown_field".into()));
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn marketing_waits_for_quiet_hours_to_end_and_nothing_else_does() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    // All day but one hour, which is not this one.
    let hour = shop.send(json!({"to": anna, "text": "x", "class": "notice"})).await.expect(201).text_at("/created_at");
    let hour: u64 = hour[11..13].parse().unwrap();
    let quiet = json!({"from": (hour + 23) % 24, "to": (hour + 22) % 24, "utc_offset_min": 0});
    shop.arrange(json!({"settings": {"quiet_hours": quiet}})).await.expect(200);
    let say = |class: &str| json!({"to": anna, "text": class, "class": class});
    let later = shop.send(say("marketing")).await.expect(201);
    assert!(later.text_at("/due_at") > later.text_at("/created_at"));
    assert!(later.text_at("/expires_at") > later.text_at("/due_at"));
    let now = shop.send(say("notice")).await.expect(201);
    assert!(now.json().get("due_at").is_none());
    shop.outcome(&now.text_at("/id")).await;
    let waits = shop.get(&format!("/v1/messages/{}", later.text_at("/id")), &shop.business).await.expect(200);
    assert_eq!(waits.text_at("/status"), "queued");
    shop.arrange(json!({"settings": {"quiet_hours": null}})).await.expect(200);
    let ben = shop.token(BEN.0).await;
    let at_once = shop.send(json!({"to": ben, "text": "x", "class": "marketing"})).await.expect(201);
    shop.outcome(&at_once.text_at("/id")).await;
}

#[actix_web::test]
async fn a_repeated_request_sends_once() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let body = json!({"to": anna, "text": "once", "class": "notice"});
    let post = || {
        let request = shop.service.request("POST", "/v1/messages").bearer_auth(&shop.business);
        answer(request.header("idempotency-key", "key-1").json(&body))
    };
    let (first, second) = (post().await.expect(201), post().await.expect(201));
    assert_eq!(first.text_at("/id"), second.text_at("/id"));
    shop.outcome(&first.text_at("/id")).await;
    assert_eq!(shop.handset(&anna, 1).await.len(), 1);
}
