//! A transit engine that is slow, sealed, foreign, or refuses.

use std::time::Duration;

use bauta::config::{Hidden, Token, Transit};
use bauta::crypto::Key;
use bauta::keyring::{Kms, KmsError, TransitKms};
use serde_json::json;

use super::conformance::transit_settings;
use super::peers::Bao;

/// Away, with a text that says what to look at.
fn is_away(error: &KmsError, hint: &str) -> bool {
    error.is_away() && error.to_string().contains(hint)
}

#[tokio::test]
async fn a_server_that_hangs_is_away_within_its_deadlines_and_serves_when_it_is_back() {
    let Some(bao) = Bao::start().await else { return };
    let kms = TransitKms::new(Transit { timeout: Duration::from_millis(300), ..transit_settings(&bao) }).unwrap();
    kms.create("system").await.unwrap();
    bao.hang();
    let error = kms.exists("system").await.err().unwrap();
    bao.wake();
    assert!(is_away(&error, "in time"), "{error}");
    let patient = TransitKms::new(transit_settings(&bao)).unwrap();
    assert!(patient.exists("system").await.unwrap());
}

#[tokio::test]
async fn a_sealed_server_is_away_and_keeps_its_keys() {
    let Some(bao) = Bao::start().await else { return };
    let kms = TransitKms::new(transit_settings(&bao)).unwrap();
    kms.create("system").await.unwrap();
    let wrapped = kms.wrap("system", b"a", &Key::new([5; 32])).await.unwrap();
    assert_eq!(bao.status("PUT", "sys/seal", None).await, 204);
    assert!(is_away(&kms.exists("system").await.err().unwrap(), "503"));
    assert!(is_away(&kms.unwrap("system", b"a", &wrapped).await.err().unwrap(), "503"));
    assert_eq!(bao.status("PUT", "sys/unseal", Some(json!({"key": bao.unseal_key()}))).await, 200);
    assert_eq!(*kms.unwrap("system", b"a", &wrapped).await.unwrap().bytes(), [5; 32]);
}

#[tokio::test]
async fn nobody_listening_and_nothing_mounted_are_away_with_a_hint() {
    let Some(bao) = Bao::start().await else { return };
    let settings = transit_settings(&bao);
    let nowhere = format!("http://127.0.0.1:{}", crate::service::free_port());
    let kms = TransitKms::new(Transit { address: nowhere, ..settings.clone() }).unwrap();
    assert!(is_away(&kms.exists("system").await.err().unwrap(), "cannot be reached"));
    let kms = TransitKms::new(Transit { mount: "elsewhere".into(), ..settings }).unwrap();
    assert!(is_away(&kms.create("system").await.err().unwrap(), "mounted"));
}

#[tokio::test]
async fn a_refused_token_is_away_says_so_and_is_read_again_from_its_file() {
    let Some(bao) = Bao::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s.not-a-token\n").unwrap();
    let kms = TransitKms::new(Transit { token: Token::File(file.clone()), ..transit_settings(&bao) }).unwrap();
    let error = kms.create("system").await.err().unwrap();
    assert!(is_away(&error, "token"), "{error}");
    assert!(!error.to_string().contains("s.not-a-token"));
    std::fs::write(&file, super::peers::TOKEN).unwrap();
    kms.create("system").await.unwrap();
}

#[tokio::test]
async fn the_least_policy_is_enough_and_lets_nothing_be_exported() {
    let Some(bao) = Bao::start().await else { return };
    let policy = include_str!("../../../docs/examples/transit-policy.hcl");
    assert_eq!(bao.status("PUT", "sys/policies/acl/bauta", Some(json!({"policy": policy}))).await, 204);
    let made = bao.json("POST", "auth/token/create", Some(json!({"policies": ["bauta"], "no_default_policy": true})));
    let token = made.await["auth"]["client_token"].as_str().unwrap().to_owned();
    let settings = Transit { token: Token::Fixed(Hidden(token.into())), ..transit_settings(&bao) };
    super::conformance::conforms(&TransitKms::new(settings).unwrap()).await;
    let described = bao.json("GET", "transit/keys/bauta-system", None).await;
    assert_eq!(described["data"]["exportable"], false);
    assert_eq!(described["data"]["allow_plaintext_backup"], false);
}

#[tokio::test]
async fn deployments_with_prefixes_of_their_own_do_not_meet() {
    let Some(bao) = Bao::start().await else { return };
    let (one, other) = (transit_settings(&bao), Transit { prefix: "other-".into(), ..transit_settings(&bao) });
    let (one, other) = (TransitKms::new(one).unwrap(), TransitKms::new(other).unwrap());
    one.create("system").await.unwrap();
    assert!(!other.exists("system").await.unwrap());
    assert!(other.names().await.unwrap().is_empty());
    other.destroy("system").await.unwrap();
    assert!(one.exists("system").await.unwrap());
}

#[tokio::test]
async fn a_server_with_a_certificate_is_spoken_to_if_the_named_one_signed_it_and_else_not() {
    let (Some(bao), Some(other)) = (Bao::start_tls().await, Bao::start_tls().await) else { return };
    let kms = TransitKms::new(Transit { ca_file: Some(bao.ca()), ..transit_settings(&bao) }).unwrap();
    kms.create("system").await.unwrap();
    let wrapped = kms.wrap("system", b"a", &Key::new([5; 32])).await.unwrap();
    assert_eq!(*kms.unwrap("system", b"a", &wrapped).await.unwrap().bytes(), [5; 32]);
    for ca_file in [Some(other.ca()), None] {
        let kms = TransitKms::new(Transit { ca_file, ..transit_settings(&bao) }).unwrap();
        assert!(is_away(&kms.exists("system").await.err().unwrap(), "certificate"));
    }
    let refused = TransitKms::new(Transit { ca_file: Some("/nowhere.pem".into()), ..transit_settings(&bao) });
    assert!(matches!(refused.err().unwrap(), KmsError::Setting { key: "kms.ca_file", .. }));
}
