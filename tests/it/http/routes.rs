//! Routes: set, approved, followed by every process, explained; refused with rule and field.

use serde_json::{Value, json};

use super::{ANNA, Shop};
use crate::service::{Answer, eventually};

fn to(prefix: &str) -> Value {
    json!({"name": format!("to {prefix}"), "prefix": prefix, "class": "code", "carriers": [{"carrier": "sandbox"}]})
}

async fn put(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.call("PUT", "/v1/routes", key, Some(body)).await
}

async fn version(shop: &Shop) -> Value {
    shop.get("/v1/routes", &shop.operator).await.expect(200).json()["version"].clone()
}

fn faults(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let fields = json["errors"].as_array().unwrap().iter();
    fields.map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn routes_are_set_over_the_version_that_was_read_and_followed_by_every_process() {
    let shop = Shop::open().await;
    let none = shop.get("/v1/routes", &shop.admin).await.expect(200).json();
    assert_eq!((&none["version"], &none["rules"], &none["closed"]), (&Value::Null, &json!([]), &json!([])));
    let set = put(&shop, &shop.admin, json!({"rules": [to("1202"), to("44")], "base": 0})).await.expect(200).json();
    assert_eq!((&set["version"], &set["author"]), (&json!(1), &json!("admin one")));
    assert_eq!(set["rules"][1]["carriers"], json!([{"carrier": "sandbox", "weight": 1}]));
    let stale = put(&shop, &shop.admin, json!({"rules": [], "base": 0})).await.expect(409);
    assert_eq!(stale.code(), "routes_conflict");
    assert_eq!(put(&shop, &shop.business, json!({"rules": []})).await.expect(403).code(), "forbidden");

    let file = shop.service.folder().join("routes.json");
    std::fs::write(&file, json!({"rules": [to("84")]}).to_string()).unwrap();
    let cli = |arguments: &[&str]| {
        let mut command = shop.service.command(arguments);
        let output = command.args(["--tenant", &shop.tenant]).env("BAUTA_CREDENTIAL", &shop.admin).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let file = file.to_str().unwrap();
    assert!(cli(&["route", "check", file]).contains("1 rules can come into force"));
    assert!(cli(&["route", "set", file, "--base", "1"]).contains("in force: version 2"));
    eventually("the service follows", 10, async || (version(&shop).await == json!(2)).then_some(())).await;
    assert!(cli(&["route", "list"]).contains("\"to 84\" prefix 84 class code → sandbox×1"));
    let told = cli(&["route", "explain", "--prefix", "8490", "--class", "code"]);
    assert!(told.contains("rules[0] \"to 84\" counts") && told.contains("operator vn-mobifone"), "{told}");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn once_there_is_a_second_person_routes_wait_for_it() {
    let shop = Shop::open().await;
    let hired = json!({"role": "approver", "person": "approver one"});
    let approver = shop.post("/v1/credentials", &shop.admin, hired).await.expect(201).text_at("/key");
    let wish = json!({"rules": [to("1202")]});
    let pending = put(&shop, &shop.admin, wish.clone()).await.expect(202);
    let approval = pending.text_at("/approval/id");
    assert_eq!(version(&shop).await, Value::Null);
    let seen = shop.get(&format!("/v1/approvals/{approval}"), &approver).await.expect(200).json();
    assert_eq!((&seen["action"], &seen["summary"]["rules"][0]["prefix"]), (&json!("RouteManage"), &json!("1202")));
    shop.post(&format!("/v1/approvals/{approval}/approve"), &approver, json!({})).await.expect(200);
    let with = |mut wish: Value| {
        wish["approval"] = json!(approval);
        wish
    };
    let other = put(&shop, &shop.admin, with(json!({"rules": [to("44")]}))).await.expect(409);
    assert_eq!(other.code(), "approval_mismatch", "other rules than those that were approved");
    let set = put(&shop, &shop.admin, with(wish.clone())).await.expect(200).json();
    assert_eq!((&set["version"], &set["approver"]), (&json!(1), &json!("approver one")));
    let again = put(&shop, &shop.admin, with(wish)).await.expect(409);
    assert_eq!(again.code(), "approval_mismatch", "over other routes it is another thing");
    let entries = shop.get("/v1/audit/entries?action=routes.set", &shop.auditor).await.expect(200).json();
    assert_eq!(entries["data"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn what_is_wrong_is_told_by_rule_and_field_and_nothing_changes() {
    let shop = Shop::open().await;
    let wrong = json!({"rules": [
        to("44"),
        {"prefix": ANNA.0, "carriers": [{"carrier": "sandbox"}]},
        {"prefix": "44", "class": "code", "carriers": [{"carrier": "nowhere", "weight": 5000}]},
        {"prefix": "44", "region": "FR", "residency": true, "carriers": [{"carrier": "sandbox"}]},
    ]});
    let refused = put(&shop, &shop.admin, wrong).await.expect(422);
    assert_eq!(refused.code(), "routes_invalid");
    assert_eq!(
        faults(&refused),
        [
            "rules[1].prefix",
            "rules[2].carriers[0].weight",
            "rules[2].carriers[0].carrier",
            "rules[2]",
            "rules[3].region",
            "rules[3].residency",
        ]
    );
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"rules": [{"carriers": [], "colour": "red"}]}), "unknown_field"),
        (json!({"rules": [{"carriers": ["sandbox"]}]}), "invalid_field"),
        (json!({"rules": "all"}), "invalid_field"),
        (json!({"rules": [], "base": "one"}), "invalid_field"),
    ] {
        assert_eq!(put(&shop, &shop.admin, body.clone()).await.expect(400).code(), code, "{body}");
    }
    assert_eq!(version(&shop).await, Value::Null);
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn an_explanation_names_every_carrier_and_no_number() {
    let shop = Shop::open().await;
    put(&shop, &shop.admin, json!({"rules": [to("1202")]})).await.expect(200);
    let token = shop.token(ANNA.0).await;
    let ask = async |key: &str, body: Value| shop.post("/v1/routes/explain", key, body).await;
    let explained = ask(&shop.business, json!({"to": token, "class": "code"})).await.expect(200).json();
    assert_eq!((&explained["carrier"], &explained["rule"]["name"]), (&json!("sandbox"), &json!("to 1202")));
    assert_eq!((&explained["country_code"], &explained["region"]), (&json!(1), &json!("US")));
    assert_eq!(explained["operator"], json!({"name": "example-us", "by": "table"}));
    let sandbox = &explained["candidates"][0];
    assert_eq!(
        (&sandbox["verdict"], &sandbox["breaker"], &sandbox["turn"]),
        (&json!("eligible"), &json!("closed"), &json!(1))
    );
    let other = ask(&shop.business, json!({"to": token, "class": "notice"})).await.expect(200).json();
    assert_eq!(other["rule"], Value::Null);

    let by_prefix = json!({"prefix": "8490", "class": "code"});
    let explained = ask(&shop.operator, by_prefix.clone()).await.expect(200).json();
    assert_eq!((&explained["region"], &explained["operator"]["name"]), (&json!("VN"), &json!("vn-mobifone")));
    assert_eq!(ask(&shop.operator, json!({"to": token, "class": "code"})).await.expect(403).code(), "forbidden");
    assert_eq!(ask(&shop.partner, by_prefix).await.expect(403).code(), "forbidden");
    for (body, code) in [
        (json!({"class": "code"}), "missing_field"),
        (json!({"to": token, "prefix": "1", "class": "code"}), "invalid_field"),
        (json!({"to": token, "class": "spam"}), "invalid_field"),
        (json!({"to": ANNA.0, "class": "code"}), "token_malformed"),
        (json!({"prefix": ANNA.0, "class": "code"}), "invalid_field"),
    ] {
        assert_eq!(ask(&shop.business, body.clone()).await.expect(400).code(), code, "{body}");
    }
    let told = shop.get("/v1/audit/entries?action=route.explained", &shop.auditor).await.expect(200).json();
    assert_eq!(told["data"].as_array().unwrap().len(), 2, "those about a person");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn codes_leave_by_the_routes_in_force_under_their_sender() {
    let shop = Shop::open().await;
    let mut rule = to("1202");
    rule["sender"] = json!("Gondola");
    put(&shop, &shop.admin, json!({"rules": [rule]})).await.expect(200);
    shop.start(json!({"to": {"number": ANNA.0}})).await.expect(201);
    let messages = shop.handset(ANNA.0, 1).await;
    assert_eq!(messages[0].0, "Gondola");
}
