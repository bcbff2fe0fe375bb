//! Who is spared messages, who complained, what may be said and spent, and what it all came to.

use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};
use crate::service::eventually;

impl Shop {
    async fn spare(&self, token: &str, scope: &str) {
        let wish = json!({"token": token, "scope": scope});
        self.post("/v1/suppressions", &self.business, wish).await.expect(201);
    }

    /// Tries a message of a class; tells `sent` or the code of the refusal.
    async fn tries(&self, token: &str, class: &str) -> String {
        let answer = self.send(json!({"to": token, "text": "hello", "class": class})).await;
        if answer.status == 201 { "sent".to_owned() } else { answer.code() }
    }

    /// A service whose policies hold these files besides the roles.
    async fn with_policies(files: &[(&str, &str)]) -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let roles = ("roles.cedar", include_str!("../../../policies/roles.cedar"));
        for (name, text) in files.iter().chain([&roles]) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let settings = format!("[policies]\ndir = \"{}\"\n", folder.path().display());
        (Self::open_with(&settings).await, folder)
    }
}

#[actix_web::test]
async fn whoever_asked_to_be_spared_gets_codes_and_nothing_of_that_kind() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    shop.spare(&anna, "marketing").await;
    shop.spare(&anna, "marketing").await;
    let tried =
        [shop.tries(&anna, "marketing").await, shop.tries(&anna, "notice").await, shop.tries(&ben, "marketing").await];
    assert_eq!(tried, ["suppressed", "sent", "sent"]);
    // What still waited would be stopped too.
    shop.handset(&anna, 1).await;
    shop.spare(&anna, "all").await;
    assert_eq!([shop.tries(&anna, "notice").await, shop.tries(&anna, "code").await], ["suppressed", "sent"]);
    shop.start(json!({"to": anna})).await.expect(201);
    let texts = shop.handset(&anna, 3).await;
    assert!(texts.iter().any(|(_, text)| text.contains("code is")), "a code that was asked for: {texts:?}");
    let path = format!("/v1/suppressions/{anna}");
    let scopes = shop.get(&path, &shop.auditor).await.expect(200).json()["scopes"].clone();
    assert_eq!(scopes.as_array().unwrap().len(), 2);
    let listed = shop.get("/v1/suppressions?limit=1", &shop.business).await.expect(200);
    assert_eq!((listed.text_at("/data/0/token"), listed.text_at("/data/0/scope")), (anna.clone(), "all".into()));
    let next = format!("/v1/suppressions?after={}", listed.text_at("/next"));
    assert_eq!(shop.get(&next, &shop.business).await.expect(200).text_at("/data/0/scope"), "marketing");
    shop.call("DELETE", &format!("{path}?scope=all"), &shop.business, None).await.expect(204);
    assert_eq!([shop.tries(&anna, "notice").await, shop.tries(&anna, "marketing").await], ["sent", "suppressed"]);
    shop.call("DELETE", &path, &shop.business, None).await.expect(204);
    assert_eq!(shop.tries(&anna, "marketing").await, "sent");
    assert_eq!(shop.call("DELETE", &path, &shop.business, None).await.expect(404).code(), "not_found");
    let refused = &shop.log_of("message.refused").await[0];
    assert_eq!((&refused["reason"], &refused["class"]), (&json!("suppressed"), &json!("marketing")));
    assert_eq!(shop.log_of("suppression.lifted").await.len(), 2);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn being_forgotten_does_not_begin_the_messages_again() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    shop.spare(&anna, "all").await;
    let sent = shop.send(json!({"to": anna, "text": "123456", "class": "code"})).await.expect(201).text_at("/id");
    shop.outcome(&sent).await;
    let erased = shop.post("/v1/subjects/erase", &shop.business, json!({"token": anna})).await.expect(200);
    assert_eq!(erased.text_at("/messages"), "1", "{}", erased.text);
    assert_eq!(shop.get(&format!("/v1/messages/{sent}"), &shop.business).await.status, 404, "it went with the person");
    let listed = shop.get("/v1/suppressions", &shop.business).await.expect(200).json();
    assert_eq!((&listed["data"][0]["token"], &listed["data"][0]["scope"]), (&json!(null), &json!("all")));
    let again = shop.token(ANNA.0).await;
    assert_ne!(again, anna);
    assert_eq!(shop.tries(&again, "notice").await, "suppressed");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn many_are_spared_at_once_and_each_has_its_answer() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let numbers = ["+16045550120".to_owned()];
    shop.pool("own", &numbers).await;
    let items = json!([
        {"token": anna, "scope": "marketing"},
        {"token": ben, "scope": numbers[0]},
        {"token": ben, "scope": CAM.0},
        {"token": ben, "scope": "everything"},
        {"token": "tok_x", "scope": "all"},
    ]);
    let answer = shop.post("/v1/suppressions/batch", &shop.business, json!({"items": items})).await.expect(200).json();
    let codes: Vec<_> = (0..5).map(|n| answer["items"][n]["error"]["code"].clone()).collect();
    let invalid = json!("invalid_field");
    assert_eq!(codes, [json!(null), json!(null), invalid.clone(), invalid, json!("token_malformed")]);
    let entry = &shop.log_of("suppression.batch_added").await[0];
    assert_eq!((&entry["count"], &entry["refused"]), (&json!(2), &json!(3)));
    let from_there = json!({"to": ben, "text": "hi", "class": "notice", "sender": numbers[0]});
    assert_eq!(shop.send(from_there).await.expect(422).code(), "suppressed");
    assert_eq!(shop.tries(&ben, "notice").await, "sent", "from elsewhere");
    for (key, status) in [(&shop.partner, 403), (&shop.admin, 403), (&shop.operator, 403)] {
        let wish = json!({"token": anna, "scope": "all"});
        assert_eq!(shop.post("/v1/suppressions", key, wish).await.status, status);
    }
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn a_complaint_counts_once_for_each_message_and_ends_marketing() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let id = shop.send(json!({"to": anna, "text": "buy", "class": "marketing"})).await.expect(201).text_at("/id");
    shop.outcome(&id).await;
    let of = json!({"message": id});
    let filed = shop.post("/v1/complaints", &shop.operator, of.clone()).await.expect(201);
    assert!(filed.text_at("/id").starts_with("cmp_"));
    assert_eq!(shop.post("/v1/complaints", &shop.business, of).await.expect(409).code(), "already_exists");
    assert_eq!(shop.tries(&anna, "marketing").await, "suppressed");
    assert_eq!(shop.tries(&anna, "notice").await, "sent");
    shop.post("/v1/complaints", &shop.business, json!({"token": anna})).await.expect(201);
    for (body, status, code) in [
        (json!({}), 400, "missing_field"),
        (json!({"message": id, "token": anna}), 400, "invalid_field"),
        (json!({"message": "msg_00000000000000000000000000"}), 404, "not_found"),
        (json!({"message": "msg_x"}), 404, "not_found"),
    ] {
        let answer = shop.post("/v1/complaints", &shop.business, body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    let told = shop.log_of("complaint.filed").await;
    assert_eq!((told.len(), &told[0]["carrier"]), (2, &json!("sandbox")));
    let source = shop.get("/v1/suppressions", &shop.business).await.expect(200).text_at("/data/0/source");
    assert_eq!(source, "complaint");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn what_policies_forbid_is_not_said() {
    let content = "messages = \"house\"\n[policy.house]\nkeywords = [\"free money\"]\n\
                   [policy.quiet]\nlinks = [\"rialto.example\"]\nrepeats = 2\nmax_length = 40\n";
    let (shop, _folder) = Shop::with_policies(&[("content.toml", content)]).await;
    let anna = shop.token(ANNA.0).await;
    let say = async |text: &str| {
        let answer = shop.send(json!({"to": anna, "text": text, "class": "notice"})).await;
        if answer.status == 201 { "sent".to_owned() } else { answer.code() }
    };
    assert_eq!(say("Get FREE-money now").await, "content_refused");
    assert_eq!(say("see https://elsewhere.example").await, "sent");
    assert_eq!(shop.arrange(json!({"settings": {"content": "none"}})).await.expect(400).code(), "invalid_field");
    shop.arrange(json!({"settings": {"content": "quiet"}})).await.expect(200);
    for (text, outcome) in [
        ("see https://elsewhere.example", "content_refused"),
        ("see rialto.example/door", "sent"),
        ("see rialto.example/door", "sent"),
        ("see rialto.example/door", "content_refused"),
        ("Get free money", "content_refused"),
        ("a text of more than forty characters is here", "content_refused"),
    ] {
        assert_eq!(say(text).await, outcome, "{text}");
    }
    let reasons: Vec<_> = shop.log_of("message.refused").await.iter().map(|entry| entry["reason"].clone()).collect();
    let expected = ["content_keyword", "content_link", "content_repeat", "content_keyword", "content_length"];
    assert_eq!(reasons, expected.map(|reason| json!(reason)));
}

#[actix_web::test]
async fn a_cap_of_the_day_is_never_passed_and_tells_before_it_is_reached() {
    let spend = "[tenant]\nparts = 10\n";
    let prices =
        "currency = \"EUR\"\n[[price]]\npart = 0.04\n[[price]]\nprefix = \"1312\"\nclass = \"notice\"\npart = 0.05\n";
    let (shop, _folder) = Shop::with_policies(&[("spend.toml", spend), ("prices.toml", prices)]).await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let two_parts = "x".repeat(200);
    let item = |to: &str| json!({"to": to, "text": two_parts, "class": "notice"});
    let batch = json!({"items": [item(&anna), item(&ben), item(&anna)]});
    shop.post("/v1/messages/batch", &shop.business, batch.clone()).await.expect(200);
    assert!(shop.log_of("alert.spend").await.is_empty(), "six of ten");
    let capped = shop.post("/v1/messages/batch", &shop.business, batch).await.expect(429);
    assert_eq!(capped.code(), "spend_cap_reached");
    assert!(capped.headers.contains_key("retry-after"));
    shop.send(item(&anna)).await.expect(201);
    shop.start(json!({"to": anna})).await.expect(201);
    assert_eq!(shop.send(item(&anna)).await.expect(429).code(), "spend_cap_reached", "codes count too");
    shop.start(json!({"to": ben})).await.expect(201);
    assert_eq!(shop.start(json!({"to": ben})).await.expect(429).code(), "spend_cap_reached");
    let shares: Vec<_> = shop.log_of("alert.spend").await.iter().map(|entry| entry["share"].clone()).collect();
    assert!(shares.contains(&json!(100)), "{shares:?}");
    assert_eq!(shares.iter().filter(|share| **share == json!(100)).count(), 1, "told once a day");
    let usage = eventually("everything is counted", 15, async || {
        let usage = shop.get("/v1/usage?by=class", &shop.business).await.expect(200).json();
        let parts: u64 = usage["data"].as_array().unwrap().iter().map(|line| line["parts"].as_u64().unwrap()).sum();
        (parts == 10).then_some(usage)
    })
    .await;
    assert_eq!(usage["currency"], "EUR");
    let cost = |class: &str| {
        let lines = usage["data"].as_array().unwrap();
        lines.iter().find(|line| line["class"] == class).map(|line| line["cost"].clone())
    };
    assert_eq!((cost("notice"), cost("code")), (Some(json!("0.340000")), Some(json!("0.080000"))));
}

#[actix_web::test]
async fn usage_and_stats_tell_what_it_came_to_without_a_number() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token("+44 7700 900123").await);
    for (to, class) in [(&anna, "notice"), (&anna, "marketing"), (&ben, "notice")] {
        let id = shop.send(json!({"to": to, "text": "hi", "class": class})).await.expect(201).text_at("/id");
        shop.outcome(&id).await;
    }
    let verification = shop.start(json!({"to": anna})).await.expect(201).text_at("/id");
    let texts = shop.handset(&anna, 3).await;
    let text = &texts.iter().find(|(_, text)| text.contains("code is")).unwrap().1;
    let code: String = text.split("code is ").nth(1).unwrap().chars().take(6).collect();
    shop.check(&verification, &code).await.expect(200);
    let lines = async |by: &str| {
        let usage = shop.get(&format!("/v1/usage?by={by}"), &shop.auditor).await.expect(200).json();
        usage["data"].as_array().unwrap().clone()
    };
    let count = |lines: &[Value], key: &str, value: Value| {
        lines.iter().filter(|line| line[key] == value).map(|line| line["messages"].as_u64().unwrap()).sum::<u64>()
    };
    let by = lines("country,class,channel,carrier,day").await;
    assert_eq!((count(&by, "country", json!("US")), count(&by, "country", json!("GB"))), (3, 1));
    assert_eq!((count(&by, "class", json!("notice")), count(&by, "class", json!("code"))), (2, 1));
    assert_eq!((count(&by, "carrier", json!("sandbox")), count(&by, "channel", json!("sms"))), (4, 4));
    let whole = lines("").await;
    assert_eq!((whole.len(), &whole[0]["messages"], &whole[0]["cost"]), (1, &json!(4), &json!("0.000000")));
    let stats = eventually("the word on every message", 15, async || {
        let stats = shop.get("/v1/stats", &shop.operator).await.expect(200).json();
        (stats["messages"]["delivered"] == 4).then_some(stats)
    })
    .await;
    assert_eq!((&stats["messages"]["messages"], &stats["messages"]["delivered"]), (&json!(4), &json!(4)));
    assert_eq!(
        (&stats["messages"]["delivered_share"], &stats["by_class"]["code"]["delivered"]),
        (&json!(1.0), &json!(1))
    );
    assert_eq!((&stats["verifications"]["started"], &stats["verifications"]["conversion"]), (&json!(1), &json!(1.0)));
    for query in ["by=number", "from=2026-13-01", "from=2030-01-01&to=2029-01-01", "from=2020-01-01&to=2026-01-01"] {
        assert_eq!(
            shop.get(&format!("/v1/usage?{query}"), &shop.admin).await.expect(400).code(),
            "invalid_field",
            "{query}"
        );
    }
    for key in [&shop.partner, &shop.custodian] {
        assert_eq!(shop.get("/v1/usage", key).await.expect(403).code(), "forbidden");
    }
    let before = shop.get("/v1/usage?from=2020-01-01&to=2020-01-31", &shop.admin).await.expect(200);
    assert!(before.json()["data"].as_array().unwrap().iter().all(|line| line["messages"] == 0));
    shop.leaves_no_trace_of(&[ANNA, ("+447700900123", 2)]);
}

#[actix_web::test]
async fn what_a_tenant_says_about_itself_shapes_what_people_read() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let wish = json!({"brand": "Ponte Market", "locales": ["de", "en"], "purposes": ["login"]});
    for key in [&shop.business, &shop.partner, &shop.operator, &shop.auditor] {
        assert_eq!(shop.call("PATCH", "/v1/tenant", key, Some(wish.clone())).await.expect(403).code(), "forbidden");
    }
    assert_eq!(shop.arrange(wish).await.expect(200).text_at("/brand"), "Ponte Market");
    assert_eq!(shop.start(json!({"to": anna, "purpose": "payment"})).await.expect(400).code(), "invalid_field");
    shop.start(json!({"to": anna, "purpose": "login"})).await.expect(201);
    let text = &shop.handset(&anna, 1).await[0].1;
    assert!(text.starts_with("Ponte Market: Ihr Code"), "{text}");
    let seen = shop.get("/v1/tenant", &shop.business).await.expect(200);
    assert_eq!((seen.text_at("/brand"), seen.text_at("/locales/0")), ("Ponte Market".into(), "de".into()));
    let partner = shop.get("/v1/tenant", &shop.partner).await.expect(200).json();
    assert_eq!((&partner["brand"], partner.get("locales")), (&json!("Ponte Market"), None));
    for wish in [
        json!({"brand": ""}),
        json!({"brand": "x".repeat(33)}),
        json!({"locales": ["english"]}),
        json!({"settings": {"quiet_hours": {"from": 8, "to": 8}}}),
        json!({"settings": {"quiet_hours": {"from": 24, "to": 8}}}),
    ] {
        assert_eq!(shop.arrange(wish.clone()).await.expect(400).code(), "invalid_field", "{wish}");
    }
    assert_eq!(shop.arrange(json!({"brand": BEN.0})).await.expect(422).code(), "number_in_text");
    assert_eq!(shop.arrange(json!({"owner": "x"})).await.expect(400).code(), "unknown_field");
    assert_eq!(shop.arrange(json!({"brand": null})).await.expect(200).text_at("/brand"), "Rialto");
    let told: Vec<_> = shop.log_of("tenant.changed").await.iter().map(|entry| entry["fields"].clone()).collect();
    assert_eq!(told, ["brand locales purposes", "brand"]);
    let kept = shop.get("/v1/tenant", &shop.admin).await.expect(200);
    assert_eq!(kept.text_at("/purposes/0"), "login", "what is left out stays");
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}
