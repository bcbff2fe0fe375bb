//! What a credential is bound to, and what it and policies can demand.

use data_encoding::BASE64URL_NOPAD;

use super::*;
use crate::store::{Proof, SigningKey, With};

const OWN: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

fn bound(proofs: NewProofs) -> NewCredential {
    NewCredential { proofs, ..a_credential(Role::Business) }
}

fn with(proofs: &[Proof]) -> With {
    proofs.iter().copied().collect()
}

fn shown<'a>(bearer: Option<&'a str>, certificate: Option<[u8; 32]>) -> Presented<'a> {
    Presented { bearer, from: HERE, tls: true, certificate, signature: None }
}

impl World {
    async fn hire(&self, proofs: NewProofs) -> Result<Issued, AccessError> {
        self.access.issue(&self.admin().await, bound(proofs)).await
    }

    async fn token(&self, issued: &Issued, certificate: Option<[u8; 32]>) -> Zeroizing<String> {
        let key = Some(issued.key.as_str()).filter(|key| !key.is_empty());
        let client = self.access.client(issued.row.id, &shown(key, certificate)).await.unwrap();
        self.access.access_token(&client, "https://bauta.example").await.unwrap().text
    }
}

#[tokio::test]
async fn a_bound_key_needs_its_certificate_and_a_wrong_one_tells_nothing() {
    let world = World::new().await;
    let issued = world.hire(NewProofs { certificate: Some(OWN), ..NewProofs::default() }).await.unwrap();
    let ask = async |certificate| world.access.admit(&shown(Some(&issued.key), certificate)).await;
    let own = ask(Some(OWN)).await.unwrap();
    assert_eq!(own.with(), with(&[Proof::Key, Proof::Tls, Proof::ClientCert]));
    assert!(matches!(ask(None).await, Err(Denied::Lacking(Proof::ClientCert))));
    let other = ask(Some(OTHER)).await.err().unwrap();
    assert_eq!(other.code(), Denied::Unauthenticated.code());
    assert!(world.access.admit(&shown(None, Some(OWN))).await.is_err(), "it has a key, and the key is needed");
}

#[tokio::test]
async fn one_certificate_is_one_credential_over_all_tenants_as_long_as_it_lives() {
    let world = World::new().await;
    let alone = NewProofs { keyless: true, certificate: Some(OWN), ..NewProofs::default() };
    let issued = world.hire(alone.clone()).await.unwrap();
    assert!(issued.key.is_empty());
    let who = world.access.admit(&shown(None, Some(OWN))).await.unwrap();
    assert_eq!((who.credential, who.with()), (issued.row.id, with(&[Proof::Tls, Proof::ClientCert])));
    let field = |refused: Result<Issued, AccessError>| match refused.err().unwrap() {
        AccessError::Invalid { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(world.hire(alone.clone()).await), "client_cert");
    assert_eq!(field(world.issue_as(world.other, bound(alone.clone())).await), "client_cert");
    let admin = world.admin().await;
    assert_eq!(field(world.access.rotate(&admin, issued.row.id, None).await), "client_cert");
    world.access.revoke(&admin, issued.row.id).await.unwrap();
    assert!(world.access.admit(&shown(None, Some(OWN))).await.is_err());
    world.issue_as(world.other, bound(alone)).await.unwrap();
}

#[tokio::test]
async fn an_access_token_lives_five_minutes_and_no_longer_than_its_credential() {
    let world = World::new().await;
    let issued = world.hire(NewProofs::default()).await.unwrap();
    let token = world.token(&issued, None).await;
    let who = world.access.identify(&token, HERE).await.unwrap();
    assert_eq!((who.credential, who.with()), (issued.row.id, with(&[Proof::OAuth])));
    world.pass(Duration::from_secs(299));
    assert!(world.access.identify(&token, HERE).await.is_ok());
    world.pass(Duration::from_secs(1));
    assert!(world.access.identify(&token, HERE).await.is_err());

    let token = world.token(&issued, None).await;
    let renewal = world.access.client(issued.row.id, &shown(Some(&token), None)).await;
    assert!(renewal.is_err(), "a token does not renew itself");
    world.access.revoke(&world.admin().await, issued.row.id).await.unwrap();
    assert!(world.access.identify(&token, HERE).await.is_err());
}

#[tokio::test]
async fn an_access_token_works_only_from_where_its_credential_does() {
    let world = World::new().await;
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let new = NewCredential { networks, ..bound(NewProofs { certificate: Some(OWN), ..NewProofs::default() }) };
    let issued = world.access.issue(&world.admin().await, new).await.unwrap();
    let token = world.token(&issued, Some(OWN)).await;
    let ask = async |presented: Presented<'_>| world.access.admit(&presented).await;
    assert!(ask(shown(Some(&token), Some(OWN))).await.is_ok());
    assert!(ask(shown(Some(&token), Some(OTHER))).await.is_err());
    assert!(ask(shown(Some(&token), None)).await.is_err());
    let elsewhere = Presented { from: "198.51.100.1".parse().unwrap(), ..shown(Some(&token), Some(OWN)) };
    assert!(matches!(ask(elsewhere).await, Err(Denied::AddressNotAllowed)));
}

#[tokio::test]
async fn a_token_of_another_making_is_none() {
    let (world, neighbour) = (World::new().await, World::new().await);
    let issued = world.hire(NewProofs::default()).await.unwrap();
    let token = world.token(&issued, None).await;
    assert!(neighbour.access.identify(&token, HERE).await.is_err(), "another deployment's key");
    let (_, rest) = token.split_once('.').unwrap();
    let (body, tag) = rest.split_once('.').unwrap();
    for header in
        [r#"{"alg":"none","typ":"at+jwt"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"HS512","typ":"at+jwt"}"#]
    {
        let header = BASE64URL_NOPAD.encode(header.as_bytes());
        for forged in [format!("{header}.{body}.{tag}"), format!("{header}.{body}."), format!("{header}.{body}")] {
            assert!(world.access.identify(&forged, HERE).await.is_err(), "{forged}");
        }
    }
    for odd in [".", "..", "a.b.c", &"x.".repeat(2_000), &format!("{}.", *token), &format!("{}A", *token)] {
        assert!(world.access.identify(odd, HERE).await.is_err());
    }
}

#[tokio::test]
async fn what_a_credential_demands_is_asked_before_any_policy() {
    let world = World::new().await;
    let signing = Some(NewSigning::Hmac);
    let requires = with(&[Proof::Tls, Proof::OAuth, Proof::Signature]);
    let issued = world.hire(NewProofs { signing, requires, ..NewProofs::default() }).await.unwrap();
    let lacks = async |presented: Presented<'_>| match world.access.admit(&presented).await {
        Err(Denied::Lacking(proof)) => proof,
        other => panic!("{other:?}"),
    };
    let plain = Presented { tls: false, ..shown(Some(&issued.key), None) };
    assert_eq!(lacks(plain).await, Proof::Tls);
    assert_eq!(lacks(shown(Some(&issued.key), None)).await, Proof::OAuth);
    let token = world.token(&issued, None).await;
    assert_eq!(lacks(shown(Some(&token), None)).await, Proof::Signature);
    world.pass(Duration::from_secs(2));
    world.told();
    world.access.follow().await;
    assert_eq!(denials(&world.told()), [("*".to_owned(), "proof, 3 within the second".to_owned())]);
}

#[tokio::test]
async fn policies_may_ask_by_what_a_caller_proved_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("roles.cedar"), include_str!("../../../policies/roles.cedar")).unwrap();
    let strict = "forbid (principal, action == Bauta::Action::\"AliasBind\", resource)\n\
        unless { context.with.containsAll([\"client_cert\", \"tls\"]) };\n";
    std::fs::write(folder.path().join("strict.cedar"), strict).unwrap();
    let world = World::with(Policies::load(Some(folder.path())).unwrap()).await;
    let issued = world.hire(NewProofs { certificate: Some(OWN), ..NewProofs::default() }).await.unwrap();
    let binds = async |presented: Presented<'_>| {
        let who = world.access.admit(&presented).await.unwrap();
        world.access.authorize(&who, Action::AliasBind, NewAlias {}).await.is_ok()
    };
    assert!(binds(shown(Some(&issued.key), Some(OWN))).await);
    let plain = Presented { tls: false, ..shown(Some(&issued.key), Some(OWN)) };
    assert!(!binds(plain).await, "the remembered decision of another connection does not count");
    assert!(!binds(shown(Some(world.key(Role::Business)), None)).await);
}

#[tokio::test]
async fn a_successor_keeps_what_it_was_bound_to_and_signs_with_a_new_secret() {
    let world = World::new().await;
    let requires = with(&[Proof::ClientCert, Proof::Signature]);
    let proofs =
        NewProofs { certificate: Some(OWN), signing: Some(NewSigning::Hmac), requires, ..NewProofs::default() };
    let old = world.hire(proofs).await.unwrap();
    let admin = world.admin().await;
    let new = world.access.rotate(&admin, old.row.id, None).await.unwrap();
    assert_eq!((new.row.proofs.certificate, new.row.proofs.requires), (Some(OWN), requires));
    assert_ne!(new.signing_secret, old.signing_secret);
    let renewal = Renewal { certificate: Some(OTHER), signing_key: Some([9; 32]), ..Renewal::default() };
    let other = world.access.renew(&admin, new.row.id, renewal).await.unwrap();
    assert_eq!(other.row.proofs.certificate, Some(OTHER));
    assert_eq!(other.row.proofs.signing, Some(SigningKey::Ed25519([9; 32])));
    assert!(other.signing_secret.is_none());
}
