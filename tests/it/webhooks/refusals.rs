//! What is refused: URLs that lead inside, fields that mean nothing, endpoints of others.

use serde_json::json;

use super::{Manner, OPEN, Receiver};
use crate::http::Shop;

#[actix_web::test]
async fn no_url_leads_inside_unless_settings_say_so_and_none_to_ourselves() {
    let shop = Shop::open().await;
    let hook = |url: &str| json!({"url": url, "events": ["*"]});
    let receiver = Receiver::open(Manner::Status(204)).await;
    for url in [
        receiver.url().as_str(),
        "https://127.0.0.1:8443/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://10.0.0.8/",
        "https://100.64.0.1/",
        "http://hooks.example/",
        "https://user:word@hooks.example/",
        "https://hooks.example:22/",
        "ftp://hooks.example/",
        "hooks.example",
        "",
    ] {
        let refused = shop.post("/v1/webhooks", &shop.business, hook(url)).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "url_refused"), "{url}");
    }
    let number = shop.post("/v1/webhooks", &shop.business, hook("https://hooks.example/+447700900123")).await;
    assert_eq!((number.status, number.code().as_str()), (422, "number_in_text"));
    let list = shop.get("/v1/webhooks", &shop.business).await.expect(200);
    assert_eq!(list.json(), json!({"data": [], "next": null}));

    let open = Shop::open_with(OPEN).await;
    let own = open.service.base.replace("127.0.0.1", "localhost");
    for url in [open.service.base.as_str(), own.as_str(), &open.service.base.replace("127.0.0.1", "[::ffff:127.0.0.1]")]
    {
        let refused = open.post("/v1/webhooks", &open.business, hook(url)).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "url_refused"), "{url}");
    }
    open.post("/v1/webhooks", &open.business, hook(&receiver.url())).await.expect(201);
}

#[actix_web::test]
async fn what_means_nothing_is_refused_by_its_name() {
    let shop = Shop::open_with(OPEN).await;
    let receiver = Receiver::open(Manner::Status(204)).await;
    let url = receiver.url();
    for (body, code, field) in [
        (json!({"events": ["*"]}), "missing_field", "url"),
        (json!({"url": url}), "missing_field", "events"),
        (json!({"url": url, "events": []}), "invalid_field", "events"),
        (json!({"url": url, "events": "*"}), "invalid_field", "events"),
        (json!({"url": url, "events": ["*", "token.created"]}), "invalid_field", "events[1]"),
        (json!({"url": url, "events": ["alias"]}), "invalid_field", "events[0]"),
        (json!({"url": url, "events": vec!["*"; 33]}), "invalid_field", "events"),
        (json!({"url": url, "events": ["*"], "audience": ""}), "invalid_field", "audience"),
        (json!({"url": url, "events": ["*"], "audience": "+447700900123"}), "number_in_text", "audience"),
    ] {
        let refused = shop.post("/v1/webhooks", &shop.business, body.clone()).await;
        assert_eq!(refused.code(), code, "{body}");
        assert_eq!(refused.text_at("/errors/0/field"), field, "{body}");
    }
    let own =
        shop.post("/v1/webhooks", &shop.business, json!({"url": url, "events": ["*"], "secret": "whsec_mine"})).await;
    assert_eq!(own.code(), "unknown_field");
    let (hook, _) = shop.hook(&shop.business, &url, &["alias.*"]).await;
    for (path, body, code) in [
        ("rotate", json!({"overlap_s": 700_000}), "invalid_field"),
        ("redeliver", json!({}), "missing_field"),
        ("redeliver", json!({"delivery": "evt_x"}), "not_found"),
        ("redeliver", json!({"delivery": "evt_01k8q3v6r5e9x8wz7m4n2b1c0d"}), "not_found"),
        ("redeliver", json!({"since": "yesterday"}), "invalid_field"),
        ("redeliver", json!({"since": "2026-01-01T00:00:00Z", "delivery": "evt_x"}), "invalid_field"),
        ("ping", json!({"x": 1}), "unknown_field"),
        ("rotate", json!({"secret": "whsec_mine"}), "unknown_field"),
    ] {
        let refused = shop.post(&format!("/v1/webhooks/{hook}/{path}"), &shop.business, body.clone()).await;
        assert_eq!(refused.code(), code, "{path} {body}");
    }
    for path in ["deliveries?limit=0", "deliveries?after=evt_x", "deliveries?since=x"] {
        let refused = shop.get(&format!("/v1/webhooks/{hook}/{path}"), &shop.business).await;
        assert_eq!(refused.status, 400, "{path}");
    }
    assert_eq!(shop.change_hook(&hook, json!({"status": "paused"})).await.code(), "invalid_field");
    assert_eq!(shop.change_hook(&hook, json!({"url": "https://127.1.1.1:22/"})).await.code(), "url_refused");
}

#[actix_web::test]
async fn a_partner_sees_and_makes_endpoints_of_its_audience_only() {
    let shop = Shop::open_with(OPEN).await;
    let receiver = Receiver::open(Manner::Status(204)).await;
    let url = receiver.url();
    let (own, _) = shop.hook(&shop.business, &url, &["*"]).await;
    let (theirs, _) = shop.hook(&shop.partner, &url, &["alias.*"]).await;
    let view = shop.get(&format!("/v1/webhooks/{theirs}"), &shop.business).await.expect(200);
    assert_eq!(view.json()["audience"], json!("courier"), "from its credential");
    let named = json!({"url": url, "events": ["*"], "audience": "insurer"});
    assert_eq!(shop.post("/v1/webhooks", &shop.partner, named.clone()).await.code(), "forbidden");
    shop.post("/v1/webhooks", &shop.business, named).await.expect(201);

    let list = shop.get("/v1/webhooks", &shop.partner).await.expect(200).json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["id"], json!(theirs));
    assert_eq!(shop.get("/v1/webhooks", &shop.business).await.json()["data"].as_array().unwrap().len(), 3);
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/rotate"), ("POST", "/ping")]
    {
        let refused = shop.call(method, &format!("/v1/webhooks/{own}{path}"), &shop.partner, None).await;
        assert_eq!((refused.status, refused.code().as_str()), (404, "not_found"), "{method} {path}");
    }
    for key in [&shop.operator, &shop.custodian] {
        assert_eq!(shop.get("/v1/webhooks", key).await.code(), "forbidden");
    }
    shop.get("/v1/webhooks", &shop.auditor).await.expect(200);
    let elsewhere = shop.service.tenant("Elsewhere", "test");
    let stranger = shop.service.credential(&elsewhere, "business", "other", &[]);
    assert_eq!(shop.get(&format!("/v1/webhooks/{own}"), &stranger).await.code(), "not_found");
    shop.call("DELETE", &format!("/v1/webhooks/{own}"), &shop.business, None).await.expect(204);
    assert_eq!(shop.get(&format!("/v1/webhooks/{own}"), &shop.business).await.code(), "not_found");
}

#[actix_web::test]
async fn a_repeated_creation_answers_without_the_secret_and_nothing_keeps_it() {
    let shop = Shop::open_with(OPEN).await;
    let receiver = Receiver::open(Manner::Status(204)).await;
    let body = json!({"url": receiver.url(), "events": ["*"]});
    let send = || async {
        let request = shop.service.request("POST", "/v1/webhooks").bearer_auth(&shop.business);
        crate::service::answer(request.header("idempotency-key", "once").json(&body)).await.expect(201)
    };
    let (first, again) = (send().await, send().await);
    let secret = first.text_at("/secret");
    assert_eq!(first.headers["cache-control"], "no-store");
    assert_eq!(first.text_at("/id"), again.text_at("/id"));
    assert_eq!(again.json().get("secret"), None);
    let plain = secret.strip_prefix("whsec_").unwrap();
    let bytes = data_encoding::BASE64.decode(plain.as_bytes()).unwrap();
    for entry in walk(shop.service.folder()) {
        let file = std::fs::read(&entry).unwrap();
        let holds = |what: &[u8]| file.windows(what.len()).any(|window| window == what);
        assert!(!holds(plain.as_bytes()) && !holds(&bytes), "{}", entry.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
