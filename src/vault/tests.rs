#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::access::{Delivery, NewTokens, Permit, TokenRef};
use crate::event::{Leaf, Mode, What};
use crate::ids::{self, CredentialId};
use crate::keyring::double::MemoryStore;
use crate::keyring::{FileKms, Kms, Owner};
use crate::phone::Door;

mod bulk;
mod kinds;
mod reveals;

struct House {
    _keys: TempDir,
    store: Arc<MemoryStore>,
    keyring: Arc<Keyring>,
    vault: Vault,
    tenant: TenantId,
    credential: CredentialId,
}

async fn house() -> House {
    let keys = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let kms: Arc<dyn Kms> = Arc::new(FileKms::open(keys.path(), true).unwrap());
    let keyring = Arc::new(Keyring::open(Arc::clone(&store) as Arc<dyn Store>, kms).await.unwrap());
    let vault = Vault::new(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&keyring));
    let mut house = House { _keys: keys, store, keyring, vault, tenant: ids::fresh(), credential: ids::fresh() };
    house.tenant = house.new_tenant().await;
    house
}

impl House {
    /// The key holder, as another process would open it.
    fn kms(&self) -> Arc<dyn Kms> {
        Arc::new(FileKms::open(self._keys.path(), false).unwrap())
    }

    async fn new_tenant(&self) -> TenantId {
        let id = ids::fresh();
        for (key, _) in self.keyring.provision(Owner::Tenant(id), self.store.now()).await.unwrap() {
            self.store.with(|state| state.keys.push(key));
        }
        id
    }

    /// Another process over the same store.
    fn other_process(&self) -> Vault {
        Vault::new(Arc::clone(&self.store) as Arc<dyn Store>, Arc::clone(&self.keyring))
    }

    fn making(&self, audience: Option<&str>) -> Permit<NewTokens> {
        Permit::for_test(self.tenant, self.credential, None, NewTokens { audience: audience.map(str::to_owned) })
    }

    fn partner_making(&self, audience: &str) -> Permit<NewTokens> {
        Permit::for_test(self.tenant, self.credential, Some(audience), NewTokens { audience: None })
    }

    fn about(&self, token: &Token) -> Permit<TokenRef> {
        self.permit(None, token, Some("support"))
    }

    fn partner_about(&self, audience: &str, token: &Token) -> Permit<TokenRef> {
        self.permit(Some(audience), token, Some("support"))
    }

    fn permit(&self, partner: Option<&str>, token: &Token, purpose: Option<&str>) -> Permit<TokenRef> {
        let resource = TokenRef { token: token.clone(), purpose: purpose.map(str::to_owned) };
        Permit::for_test(self.tenant, self.credential, partner, resource)
    }

    async fn token(&self, audience: Option<&str>, last: u64) -> Token {
        self.vault.tokenize(&self.making(audience), vaulted(last)).await.unwrap().token
    }

    async fn sealed(&self, audience: Option<&str>, last: u64) -> Token {
        self.vault.tokenize(&self.making(audience), sealed(last)).await.unwrap().token
    }
}

fn number(last: u64) -> PhoneNumber {
    PhoneNumber::from_digits(447_700_900_000 + last).unwrap()
}

fn vaulted(last: u64) -> NewToken {
    NewToken {
        number: number(last),
        country: "GB".into(),
        line_type: LineType::Mobile,
        kind: Kind::Vaulted,
        ttl: None,
        ends_at: None,
        fresh: false,
        metadata: None,
        keep_country: true,
    }
}

fn sealed(last: u64) -> NewToken {
    NewToken { kind: Kind::Sealed, ..vaulted(last) }
}

fn is_not_found<T>(answer: Result<T, VaultError>) -> bool {
    matches!(answer, Err(VaultError::NotFound))
}

fn refusal<T>(answer: Result<T, VaultError>) -> &'static str {
    match answer {
        Err(VaultError::Refused(code)) => code,
        _ => "not refused",
    }
}

#[tokio::test]
async fn one_number_and_audience_has_one_token_and_another_audience_another() {
    let house = house().await;
    let own = house.token(None, 1).await;
    assert_eq!(own, house.token(None, 1).await);
    assert_eq!(own, house.other_process().tokenize(&house.making(None), vaulted(1)).await.unwrap().token);
    let shop = house.token(Some("shop"), 1).await;
    assert_eq!(shop, house.token(Some("shop"), 1).await);
    let all = [own, shop, house.token(Some("cars"), 1).await, house.token(None, 2).await];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(house.store.with(|state| state.tokens.len()), 2);
}

#[tokio::test]
async fn a_partner_gets_tokens_of_its_own_audience() {
    let house = house().await;
    let partner = house.vault.tokenize(&house.partner_making("shop"), vaulted(1)).await.unwrap();
    assert_eq!(partner.token, house.token(Some("shop"), 1).await);
    assert!(partner.masked.is_some());
}

#[tokio::test]
async fn no_answer_tells_a_known_number_from_a_new_one() {
    let house = house().await;
    let mut commits = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let before = house.store.with(|state| state.commits);
        answers.push(house.vault.tokenize(&house.making(None), vaulted(1)).await.unwrap());
        commits.push(house.store.with(|state| state.commits) - before);
        house.store.advance(Duration::from_secs(3_600));
    }
    assert_eq!(commits, [1, 1]);
    let ages: Vec<_> = answers.iter().map(|answer| answer.created_at.unwrap()).collect();
    assert_eq!(ages[1], ages[0].plus(Duration::from_secs(3_600)));
    assert_eq!(house.store.told("token.created").len(), 2);
}

#[tokio::test]
async fn fresh_tokens_and_those_with_life_or_metadata_are_joined_with_no_other() {
    let house = house().await;
    let plain = house.token(None, 1).await;
    let mut tokens = HashSet::from([plain.clone()]);
    for _ in 0..2 {
        for new in [
            NewToken { fresh: true, ..vaulted(1) },
            NewToken { ttl: Some(Duration::from_secs(60)), ..vaulted(1) },
            NewToken { metadata: Some(r#"{"order":"A7"}"#.into()), ..vaulted(1) },
        ] {
            let view = house.vault.tokenize(&house.making(None), new).await.unwrap();
            assert!(tokens.insert(view.token.clone()));
            let described = house.vault.describe(&house.about(&view.token)).await.unwrap();
            assert_eq!((described.metadata, described.expires_at), (view.metadata, view.expires_at));
        }
    }
    assert_eq!(plain, house.token(None, 1).await);
}

#[tokio::test]
async fn racing_callers_make_one_record() {
    let house = Arc::new(house().await);
    let other = Arc::new(house.other_process());
    let mut racers = Vec::new();
    for n in 0..20 {
        let (house, other) = (Arc::clone(&house), Arc::clone(&other));
        racers.push(tokio::spawn(async move {
            let vault = if n % 2 == 0 { &house.vault } else { &*other };
            vault.tokenize(&house.making(None), vaulted(1)).await.unwrap().token
        }));
    }
    let mut tokens = HashSet::new();
    for racer in racers {
        tokens.insert(racer.await.unwrap());
    }
    assert_eq!((tokens.len(), house.store.with(|state| state.tokens.len())), (1, 1));
}

#[tokio::test]
async fn every_token_that_is_not_the_callers_is_not_found() {
    let mut house = house().await;
    let shop = house.token(Some("shop"), 1).await;
    let own = house.token(None, 1).await;
    let (sealed_own, sealed_shop) = (house.sealed(None, 1).await, house.sealed(Some("shop"), 1).await);
    for token in [&shop, &sealed_shop] {
        assert!(house.vault.describe(&house.partner_about("shop", token)).await.is_ok());
        assert!(house.vault.resolve(&house.partner_about("shop", token), token).await.is_ok());
        assert!(is_not_found(house.vault.describe(&house.partner_about("cars", token)).await));
        assert!(is_not_found(house.vault.resolve(&house.partner_about("cars", token), token).await));
        assert!(is_not_found(house.vault.reveal(&house.partner_about("cars", token), None).await));
    }
    for token in [&own, &sealed_own] {
        assert!(is_not_found(house.vault.describe(&house.partner_about("shop", token)).await));
    }
    let garbage = [
        Token::vaulted(1, [7; 16]),
        Token::vaulted(9, [7; 16]),
        Token::sealed(1, &[7; 28]),
        Token::sealed(9, &[7; 28]),
    ];
    for token in &garbage {
        assert!(is_not_found(house.vault.describe(&house.about(token)).await));
        assert!(is_not_found(house.vault.reveal(&house.about(token), None).await));
        assert!(is_not_found(house.vault.resolve(&house.about(token), token).await));
    }
    house.tenant = house.new_tenant().await;
    for token in [&own, &shop, &sealed_own, &sealed_shop] {
        assert!(is_not_found(house.vault.describe(&house.about(token)).await));
        assert!(is_not_found(house.vault.resolve(&house.about(token), token).await));
    }
    // A token whose record is gone, or was never made, reads the same.
    let keys = house.keyring.tenant(house.tenant).await.unwrap();
    let never = keys.vaulted(RecordId(77), None);
    assert!(is_not_found(house.vault.describe(&house.about(&never)).await));
    assert!(house.store.told("token.revealed").is_empty());
}

#[tokio::test]
async fn one_who_sees_all_reads_tokens_of_every_audience_also_of_another_process() {
    let house = house().await;
    let other = house.other_process();
    let shop = house.token(Some("shop"), 1).await;
    assert!(other.describe(&house.about(&shop)).await.is_ok());
    let cars = house.sealed(Some("cars"), 1).await;
    let boats = house.token(Some("boats"), 1).await;
    // The directory was read a moment ago and is not read again within the second.
    for token in [&cars, &boats] {
        assert!(is_not_found(other.describe(&house.about(token)).await));
    }
    house.store.advance(Duration::from_secs(1));
    for token in [&cars, &boats] {
        assert_eq!(other.describe(&house.about(token)).await.unwrap().masked.unwrap(), Masked::of(&number(1)));
    }
    assert_eq!(house.store.with(|state| state.audiences.len()), 3);
}

#[tokio::test]
async fn partners_see_no_mask_beginning_or_metadata() {
    let house = house().await;
    for new in [vaulted(1), NewToken { metadata: Some(r#"{"vip":true}"#.into()), ..vaulted(1) }, sealed(1)] {
        let token = house.vault.tokenize(&house.making(Some("shop")), new).await.unwrap().token;
        let view = house.vault.describe(&house.partner_about("shop", &token)).await.unwrap();
        assert_eq!((view.masked, view.created_at, view.metadata), (None, None, None));
    }
}

#[tokio::test]
async fn expired_tokens_are_not_found() {
    let house = house().await;
    for kind in [Kind::Vaulted, Kind::Sealed] {
        let new = NewToken { kind, ttl: Some(Duration::from_secs(60)), ..vaulted(1) };
        let token = house.vault.tokenize(&house.making(None), new).await.unwrap().token;
        assert!(house.vault.describe(&house.about(&token)).await.unwrap().expires_at.is_some());
        house.store.advance(Duration::from_secs(61));
        assert!(is_not_found(house.vault.describe(&house.about(&token)).await));
        assert!(is_not_found(house.vault.reveal(&house.about(&token), None).await));
        assert!(is_not_found(house.vault.resolve(&house.about(&token), &token).await));
    }
}

#[tokio::test]
async fn a_reveal_is_in_the_log_before_the_number_is_out_and_does_not_happen_otherwise() {
    let house = house().await;
    let token = house.token(None, 1).await;
    let sealed = house.sealed(None, 1).await;
    house.store.refuses.store(true, Ordering::SeqCst);
    for token in [&token, &sealed] {
        let refused = house.vault.reveal(&house.about(token), None).await;
        assert!(matches!(refused, Err(VaultError::Store(StoreError::Unavailable(_)))));
    }
    house.store.refuses.store(false, Ordering::SeqCst);
    for token in [&token, &sealed] {
        let revealed = house.vault.reveal(&house.about(token), Some("case A".into())).await.unwrap();
        assert_eq!(&**revealed.number, "+447700900001");
        let last: Leaf = house.store.with(|state| state.events.last().unwrap().entry([1; 16]).leaf);
        assert_eq!(revealed.leaf, last);
    }
    let told = house.store.told("token.revealed");
    let holder = house.vault.resolve(&house.about(&token), &token).await.unwrap();
    assert_eq!(told.len(), 2);
    for what in told {
        let What::Revealed { subject, purpose, reference, .. } = what else { continue };
        assert_eq!((subject, purpose.as_str(), reference.as_deref()), (holder.subject, "support", Some("case A")));
    }
}

#[tokio::test]
async fn a_reveal_wants_a_purpose_and_texts_without_numbers() {
    let house = house().await;
    let token = house.token(None, 1).await;
    for purpose in [None, Some(""), Some("  ")] {
        let permit = house.permit(None, &token, purpose);
        assert_eq!(refusal(house.vault.reveal(&permit, None).await), "purpose_required");
    }
    let typed = "call +44 7700 900123".to_owned();
    let permit = house.permit(None, &token, Some(&typed));
    assert_eq!(refusal(house.vault.reveal(&permit, None).await), "number_in_text");
    assert_eq!(refusal(house.vault.reveal(&house.about(&token), Some(typed.clone())).await), "number_in_text");
    let new = NewToken { metadata: Some(format!(r#"{{"note":"{typed}"}}"#)), ..vaulted(1) };
    assert_eq!(refusal(house.vault.tokenize(&house.making(None), new).await), "number_in_text");
}

#[tokio::test]
async fn a_token_whose_record_was_swapped_for_anothers_reveals_nothing() {
    let house = house().await;
    let (one, two) = (house.token(None, 1).await, house.token(None, 2).await);
    house.store.with(|state| {
        let mut rows: Vec<_> = state.tokens.values_mut().collect();
        let taken = rows[0].number.clone();
        rows[0].number = std::mem::replace(&mut rows[1].number, taken);
    });
    for token in [&one, &two] {
        let refused = house.vault.reveal(&house.about(token), None).await;
        assert!(matches!(refused, Err(VaultError::Key(KeyError::Unopened))));
    }
    assert!(house.store.told("token.revealed").is_empty());
}

#[tokio::test]
async fn a_person_is_one_subject_over_tokens_kinds_and_audiences() {
    let house = house().await;
    let shop = house.vault.tokenize(&house.making(Some("shop")), NewToken { fresh: true, ..vaulted(1) }).await.unwrap();
    let tokens = [house.token(None, 1).await, shop.token, house.sealed(None, 1).await];
    let mut subjects = HashSet::new();
    for token in &tokens {
        let holder = house.vault.resolve(&house.about(token), token).await.unwrap();
        subjects.insert(holder.subject);
    }
    let typed = house.vault.hold(&house.making(None), &number(1)).await.unwrap();
    subjects.insert(typed.subject);
    assert_eq!(subjects.len(), 1);
    let sealed = house.vault.resolve(&house.about(&tokens[2]), &tokens[2]).await.unwrap();
    assert_eq!(sealed, typed);
    assert_eq!(house.vault.token_of(house.tenant, typed.record, None).await.unwrap(), tokens[0]);
    assert_eq!(house.vault.masked(house.tenant, typed.record).await.unwrap(), Masked::of(&number(1)));
}

#[tokio::test]
async fn a_delivery_opens_the_number_of_its_own_tenant_only() {
    let mut house = house().await;
    let record = house.vault.hold(&house.making(None), &number(1)).await.unwrap().record;
    let permit = delivery(&house);
    let opened = house.vault.open(&permit, record).await.unwrap();
    assert_eq!(&**opened.expose(Door::Carrier), "+447700900001");
    house.tenant = house.new_tenant().await;
    assert!(is_not_found(house.vault.open(&delivery(&house), record).await));
}

fn delivery(house: &House) -> Permit<Delivery> {
    let row = crate::store::OutboxRow {
        id: ids::fresh(),
        tenant: house.tenant,
        task: crate::store::Task::Message(ids::fresh()),
        lane: crate::store::Lane::Notice,
        conversation: BlindIndex([0; 16]),
        credential: None,
        policy: "test".into(),
        due: house.store.now(),
        attempts: 0,
    };
    Permit::for_test(house.tenant, house.credential, None, Delivery { row })
}

#[tokio::test]
async fn audiences_of_a_tenant_are_bounded() {
    let house = house().await;
    house.store.with(|state| {
        state.audiences.extend((0..4_096).map(|n| (house.tenant, format!("audience {n}"))));
    });
    assert_eq!(refusal(house.vault.tokenize(&house.making(Some("one more")), vaulted(1)).await), "too_many_audiences");
    assert!(house.vault.tokenize(&house.making(Some("audience 7")), vaulted(1)).await.is_ok());
}

#[tokio::test]
async fn no_event_holds_a_number_or_a_token() {
    let house = house().await;
    let token = house.token(Some("shop"), 1).await;
    let sealed = house.sealed(None, 1).await;
    house.vault.reveal(&house.about(&token), Some("case".into())).await.unwrap();
    house.vault.reveal(&house.about(&sealed), None).await.unwrap();
    house.vault.settle().await.unwrap();
    let texts = house
        .store
        .with(|state| state.events.iter().map(|event| event.entry([0; 16]).text).collect::<Vec<_>>().join("\n"));
    assert!(texts.contains("token.revealed"));
    for secret in ["7700900001", token.as_str(), sealed.as_str()] {
        assert!(!texts.contains(secret));
    }
}
