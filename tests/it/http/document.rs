//! The OpenAPI document: the same from the command, the service and the checked-in file, and true of the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::Shop;
use crate::service::BAUTA;

/// As it was checked in.
const CHECKED_IN: &str = include_str!("../../../docs/openapi.json");
/// Where the routes are told to the server.
const ROUTES: &str = include_str!("../../../src/api/mod.rs");
/// What serves the document itself, and what only the admin port has.
const NOT_LISTED: [&str; 2] = ["/openapi.json", "/metrics"];

/// Methods by path, as the document lists them.
fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    document["paths"].as_object().unwrap().iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

/// Methods by path, as the server's table of routes spells them.
fn served() -> BTreeMap<String, BTreeSet<String>> {
    let resource = regex::Regex::new(r#"resource\("([^"]+)"\)((?:\s*\.route\(\w+\(\)\.to\([\w:]+\)\))+)"#).unwrap();
    let route = regex::Regex::new(r"\.route\((\w+)\(\)").unwrap();
    let methods = |text: &str| route.captures_iter(text).map(|found| found[1].to_uppercase()).collect();
    resource.captures_iter(ROUTES).map(|found| (found[1].to_owned(), methods(&found[2]))).collect()
}

#[actix_web::test]
async fn command_service_and_checked_in_file_give_one_document() {
    let shop = Shop::open().await;
    let printed = Command::new(BAUTA).arg("openapi").output().unwrap();
    assert!(printed.status.success());
    assert!(
        printed.stdout == CHECKED_IN.as_bytes(),
        "docs/openapi.json is not what the code says; run: cargo run --release -- openapi > docs/openapi.json"
    );
    let served = shop.get("/openapi.json", "").await.expect(200);
    assert_eq!(served.text, CHECKED_IN);
    assert!(served.json()["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[test]
fn every_route_is_listed_and_every_listed_one_is_routed() {
    let mut served = served();
    assert!(served.len() > 20, "{served:?}");
    served.retain(|path, _| !NOT_LISTED.contains(&path.as_str()));
    assert_eq!(served, listed());
}

#[actix_web::test]
async fn the_server_answers_what_is_listed_and_says_what_it_has_instead() {
    let shop = Shop::open().await;
    let variable = regex::Regex::new(r"\{\w+\}").unwrap();
    for (path, methods) in listed() {
        let path = variable.replace_all(&path, "x").into_owned();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let got = shop.call(method, &path, "", None).await;
            if methods.contains(method) {
                // RFC 6749 §5.2: without parameters there is no client yet that could be unknown.
                // And nobody is told which carriers there are.
                let expected: &[u16] = match path.as_str() {
                    "/oauth/token" => &[400],
                    path if path.starts_with("/carriers/") => &[404],
                    _ => &[200, 401],
                };
                assert!(expected.contains(&got.status), "{method} {path}: {} {}", got.status, got.text);
                continue;
            }
            assert_eq!((got.status, got.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
            let allowed = got.headers["allow"].to_str().unwrap().split(", ").map(str::to_owned).collect();
            assert_eq!(methods, allowed, "{path}");
        }
    }
    for path in ["/v1", "/v1/", "/v1/nowhere", "/v1/tokens/", "/v2/tokens", "/.env", "/%2e%2e/etc/passwd", "/metrics"] {
        assert_eq!(shop.get(path, &shop.admin).await.expect(404).code(), "not_found", "{path}");
    }
}

#[test]
fn every_code_has_a_place_in_the_document_and_no_schema_is_missing() {
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    let table = include_str!("../../../src/api/code.rs");
    let rows = regex::Regex::new(r#"(?m)^    [A-Z]\w+ "([a-z_]+)" [A-Z_]+ ""#).unwrap();
    let told: Vec<&str> = rows.captures_iter(table).map(|row| row.get(1).unwrap().as_str()).collect();
    assert_eq!(codes.iter().filter_map(Value::as_str).collect::<Vec<_>>(), told);
    for reference in CHECKED_IN.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
