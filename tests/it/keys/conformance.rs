//! What every KMS keeps to, whoever holds the keys.

use std::process::Command;
use std::time::Duration;

use bauta::config::{Hidden, Pkcs11, Token, Transit};
use bauta::crypto::Key;
use bauta::keyring::{FileKms, Kms, KmsError, Pkcs11Kms, TransitKms};

use super::peers::{Bao, LABEL, PIN, SoftHsm, TOKEN, module};

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn is_unopened(opened: Result<Key, KmsError>) -> bool {
    matches!(opened, Err(KmsError::Unopened(_)))
}

fn is_no_such<T>(settled: Result<T, KmsError>) -> bool {
    matches!(settled, Err(KmsError::NoSuchKek(_)))
}

/// The whole suite, on a KMS without KEKs.
pub async fn conforms(kms: &dyn Kms) {
    opens_under_its_own_name_and_data_only(kms).await;
    notices_what_was_changed_or_cut_short(kms).await;
    makes_no_kek_by_being_asked_to_wrap(kms).await;
    keeps_old_versions_until_they_are_pruned(kms).await;
    destroys_for_good(kms).await;
}

async fn opens_under_its_own_name_and_data_only(kms: &dyn Kms) {
    for name in ["system", "ten_a", "ten_a"] {
        kms.create(name).await.unwrap();
    }
    assert_eq!(kms.names().await.unwrap(), ["system", "ten_a"]);
    let wrapped = kms.wrap("system", b"seal|1", &key(5)).await.unwrap();
    assert_ne!(wrapped, kms.wrap("system", b"seal|1", &key(5)).await.unwrap(), "wrapping is randomised");
    assert!(!wrapped.windows(8).any(|window| window == [5; 8]));
    assert_eq!(*kms.unwrap("system", b"seal|1", &wrapped).await.unwrap().bytes(), [5; 32]);
    for aad in [&b"seal|2"[..], b"", b"seal|"] {
        assert!(is_unopened(kms.unwrap("system", aad, &wrapped).await), "{aad:?}");
    }
    assert!(is_unopened(kms.unwrap("ten_a", b"seal|1", &wrapped).await), "another KEK");
    let long = vec![b'x'; 200];
    let wrapped = kms.wrap("system", &long, &key(6)).await.unwrap();
    assert_eq!(*kms.unwrap("system", &long, &wrapped).await.unwrap().bytes(), [6; 32]);
}

async fn notices_what_was_changed_or_cut_short(kms: &dyn Kms) {
    let wrapped = kms.wrap("system", b"a", &key(5)).await.unwrap();
    let tried = (0..wrapped.len()).step_by(5);
    for at in tried.clone() {
        let opened = kms.unwrap("system", b"a", &wrapped[..at]).await;
        assert!(is_unopened(opened), "cut to {at}");
    }
    for at in tried.chain([wrapped.len() - 1]) {
        let mut changed = wrapped.clone();
        changed[at] = if changed[at] == b'B' { b'C' } else { b'B' };
        let opened = kms.unwrap("system", b"a", &changed).await;
        assert!(is_unopened(opened), "changed at {at}");
    }
    let error = kms.unwrap("system", b"b", &wrapped).await.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("5, 5"), "an error shows no key");
}

async fn makes_no_kek_by_being_asked_to_wrap(kms: &dyn Kms) {
    assert!(is_no_such(kms.wrap("ten_none", b"", &key(5)).await));
    assert!(is_no_such(kms.rotate("ten_none").await));
    let wrapped = kms.wrap("system", b"", &key(5)).await.unwrap();
    assert!(is_no_such(kms.unwrap("ten_none", b"", &wrapped).await));
    assert!(!kms.exists("ten_none").await.unwrap());
}

async fn keeps_old_versions_until_they_are_pruned(kms: &dyn Kms) {
    kms.create("ten_r").await.unwrap();
    let first = kms.wrap("ten_r", b"a", &key(1)).await.unwrap();
    kms.rotate("ten_r").await.unwrap();
    let second = kms.wrap("ten_r", b"a", &key(2)).await.unwrap();
    kms.rotate("ten_r").await.unwrap();
    let third = kms.wrap("ten_r", b"a", &key(3)).await.unwrap();
    for (wrapped, byte) in [(&first, 1), (&second, 2), (&third, 3)] {
        assert_eq!(*kms.unwrap("ten_r", b"a", wrapped).await.unwrap().bytes(), [byte; 32]);
    }
    for _ in 0..2 {
        kms.prune("ten_r").await.unwrap();
        assert!(is_unopened(kms.unwrap("ten_r", b"a", &first).await));
        assert!(is_unopened(kms.unwrap("ten_r", b"a", &second).await));
        assert_eq!(*kms.unwrap("ten_r", b"a", &third).await.unwrap().bytes(), [3; 32]);
    }
}

async fn destroys_for_good(kms: &dyn Kms) {
    kms.create("ten_d").await.unwrap();
    let wrapped = kms.wrap("ten_d", b"a", &key(1)).await.unwrap();
    kms.rotate("ten_d").await.unwrap();
    for _ in 0..2 {
        kms.destroy("ten_d").await.unwrap();
        assert!(!kms.exists("ten_d").await.unwrap());
        assert!(is_no_such(kms.unwrap("ten_d", b"a", &wrapped).await));
    }
    kms.create("ten_d").await.unwrap();
    assert!(is_unopened(kms.unwrap("ten_d", b"a", &wrapped).await), "a new KEK of the name is another KEK");
    assert!(!kms.place().is_empty());
}

#[tokio::test]
async fn a_folder_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conforms(&FileKms::open(&dir.path().join("keys"), true).unwrap()).await;
}

pub fn transit_settings(bao: &Bao) -> Transit {
    Transit {
        address: bao.address.clone(),
        mount: "transit".into(),
        namespace: None,
        prefix: "bauta-".into(),
        token: Token::Fixed(Hidden(TOKEN.to_owned().into())),
        ca_file: None,
        timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn an_openbao_server_conforms() {
    let Some(bao) = Bao::start().await else { return };
    conforms(&TransitKms::new(transit_settings(&bao)).unwrap()).await;
}

/// A PKCS#11 library takes its settings from the environment of its process, so the suite runs in one of its own.
#[test]
fn a_softhsm_token_conforms() {
    let Some(hsm) = SoftHsm::start() else { return };
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keys::conformance::within_the_environment_of_a_softhsm_token", "--ignored", "--nocapture"])
        .envs(hsm.environment())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "a_softhsm_token_conforms runs it in a process whose environment names the token"]
async fn within_the_environment_of_a_softhsm_token() {
    let settings = |token: &str, pin: &str| Pkcs11 {
        module: module(),
        token: token.into(),
        pin: Hidden(pin.to_owned().into()),
        prefix: "bauta-".into(),
        timeout: Duration::from_secs(30),
    };
    let refused = Pkcs11Kms::open(settings(LABEL, "999999")).await.err().unwrap();
    assert!(matches!(refused, KmsError::Setting { key: "kms.pin", .. }), "{refused}");
    let refused = Pkcs11Kms::open(settings("nobody's", PIN)).await.err().unwrap();
    assert!(refused.is_away() && refused.to_string().contains("kms.token"), "{refused}");
    let kms = Pkcs11Kms::open(settings(LABEL, PIN)).await.unwrap();
    conforms(&kms).await;
    // Another process, and the same one later, find the same KEKs.
    let wrapped = kms.wrap("system", b"a", &key(9)).await.unwrap();
    let again = Pkcs11Kms::open(settings(LABEL, PIN)).await.unwrap();
    assert_eq!(*again.unwrap("system", b"a", &wrapped).await.unwrap().bytes(), [9; 32]);
    let refused = Pkcs11Kms::open(Pkcs11 { module: "/usr/lib/os-release".into(), ..settings(LABEL, PIN) }).await;
    assert!(matches!(refused.err().unwrap(), KmsError::Setting { key: "kms.module", .. }));
}
