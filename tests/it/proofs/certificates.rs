//! Client certificates (RFC 8705): right, wrong, none, expired, foreign, told of by headers.

use serde_json::Value;

use super::{Authority, Secure};

#[actix_web::test]
async fn a_bound_key_works_only_over_a_connection_with_its_own_certificate() {
    let secure = Secure::start().await;
    let folder = secure.folder.path();
    for name in ["own", "other"] {
        secure.clients.issue(folder, name);
    }
    let tenant = secure.tenant("Rialto");
    let key = secure.credential(&tenant, "till", &["--client-cert", "own.pem"]).pop().unwrap();
    let loose = secure.credential(&tenant, "kiosk", &[]).pop().unwrap();

    assert_eq!(secure.ask(&key, "own").status, 200);
    let without = secure.ask(&key, "");
    assert_eq!((without.status, without.code().as_str()), (403, "client_cert_required"));
    let other = secure.ask(&key, "other");
    let unknown = secure.ask("bk_test_nobody", "other");
    assert_eq!((other.status, other.code()), (401, unknown.code()), "a thief with a certificate learns nothing");
    assert_eq!(secure.ask("", "own").status, 401, "the certificate alone is not the credential");
    assert_eq!(secure.ask(&loose, "own").status, 200, "a certificate does no harm where none is asked for");
    assert_eq!(secure.ask(&loose, "").status, 200);

    let certificate = std::fs::read_to_string(folder.join("own.pem")).unwrap().replace('\n', " ");
    for header in ["X-SSL-Client-Cert", "X-Client-Cert", "Client-Cert", "X-Forwarded-Client-Cert"] {
        let claim = format!("{header}: {certificate}");
        let bearer = format!("Authorization: Bearer {key}");
        assert_eq!(secure.curl("/v1/tenant", &["-H", &claim, "-H", &bearer]).status, 403, "{header}");
    }
}

#[actix_web::test]
async fn an_expired_or_foreign_certificate_does_not_get_past_the_handshake() {
    let secure = Secure::start().await;
    let folder = secure.folder.path();
    secure.clients.issue_until(folder, "expired", 2021);
    Authority::new("strangers").issue(folder, "foreign");
    let tenant = secure.tenant("Rialto");
    for name in ["expired", "foreign"] {
        let key = secure.credential(&tenant, name, &["--client-cert", &format!("{name}.pem")]).pop().unwrap();
        let got = secure.ask(&key, name);
        assert_ne!(got.exit, 0, "{name}: {got:?}");
        assert_eq!(got.status, 0, "{name}: {got:?}");
    }
}

#[actix_web::test]
async fn a_certificate_alone_can_be_the_credential_and_its_successor_has_its_own() {
    let secure = Secure::start().await;
    let folder = secure.folder.path();
    for name in ["own", "next", "other"] {
        secure.clients.issue(folder, name);
    }
    let tenant = secure.tenant("Rialto");
    let id = secure.credential(&tenant, "robot", &["--client-cert", "own.pem", "--certificate-only"]).pop().unwrap();
    assert!(id.starts_with("crd_"), "there is no key to print: {id}");
    let own = secure.ask("", "own");
    assert_eq!(own.status, 200);
    let seen: Value = serde_json::from_str(&own.body).unwrap();
    assert_eq!(seen["credential"]["id"].as_str(), Some(id.as_str()));
    assert_eq!(secure.ask("", "other").status, 401);
    assert_eq!(secure.ask("", "").status, 401);
    assert_eq!(secure.ask("bk_test_nobody", "own").status, 401, "a wrong key is not made good by a certificate");

    let again = super::bauta(folder, &["credential", "create", "--tenant", &tenant, "--role", "business"])
        .args(["--person", "twin", "--client-cert", "own.pem", "--certificate-only"])
        .output()
        .unwrap();
    assert!(!again.status.success(), "one certificate, one credential");

    // A token for it, by the certificate alone (RFC 8705 §2.1), works with the certificate alone.
    let (cert, private) = (secure.path("own.pem"), secure.path("own.key"));
    let form = format!("grant_type=client_credentials&client_id={id}");
    let token = secure.curl("/oauth/token", &["--cert", &cert, "--key", &private, "-d", &form]);
    assert_eq!(token.status, 200, "{token:?}");
    let token: Value = serde_json::from_str(&token.body).unwrap();
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(secure.ask(token, "own").status, 200);
    assert_eq!(secure.ask(token, "other").status, 401);
    assert_eq!(secure.ask(token, "").status, 401);
    let unbound = secure.curl("/oauth/token", &["-d", &form]);
    assert_eq!(unbound.status, 401, "{unbound:?}");

    secure.cli(&["credential", "rotate", &id, "--tenant", &tenant, "--client-cert", "next.pem"]);
    assert_eq!(secure.ask("", "next").status, 200);
    assert_eq!(secure.ask("", "own").status, 200, "the old one goes on for a while");
    secure.cli(&["credential", "revoke", &id, "--tenant", &tenant]);
    crate::service::eventually("revoked", 5, async || (secure.ask("", "own").status == 401).then_some(())).await;
    assert_eq!(secure.ask("", "next").status, 200);
}

#[actix_web::test]
async fn tls_can_be_demanded_and_is_there() {
    let secure = Secure::start().await;
    let tenant = secure.tenant("Rialto");
    let key = secure.credential(&tenant, "till", &["--require", "tls"]).pop().unwrap();
    assert_eq!(secure.ask(&key, "").status, 200);
}
