#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod away;

use std::path::Path;

use tempfile::TempDir;

use super::double::MemoryStore;
use super::*;
use crate::crypto::Key;
use crate::ids::{self, RecordId};
use crate::phone::{Door, PhoneNumber};
use crate::store::Sealed;
use crate::token::Token;

struct House {
    dir: TempDir,
    store: Arc<MemoryStore>,
    kms: Arc<FileKms>,
    keyring: Keyring,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let kms = Arc::new(FileKms::open(dir.path(), true).unwrap());
    let keyring = open(&store, &kms).await.unwrap();
    House { dir, store, kms, keyring }
}

async fn open(store: &Arc<MemoryStore>, kms: &Arc<FileKms>) -> Result<Keyring, KeyError> {
    Keyring::open(Arc::clone(store) as Arc<dyn Store>, Arc::clone(kms) as Arc<dyn Kms>).await
}

impl House {
    async fn tenant(&self) -> (TenantId, Arc<TenantKeys>) {
        let id = ids::fresh();
        for (key, _) in self.keyring.provision(Owner::Tenant(id), self.store.now()).await.unwrap() {
            self.store.with(|state| state.keys.push(key));
        }
        (id, self.keyring.tenant(id).await.unwrap())
    }
}

fn number(last: u64) -> PhoneNumber {
    PhoneNumber::from_digits(447_700_900_000 + last).unwrap()
}

fn shown(number: &PhoneNumber) -> String {
    number.expose(Door::Reveal).to_string()
}

fn is_unopened<T>(opened: Result<T, KeyError>) -> bool {
    matches!(opened, Err(KeyError::Unopened))
}

#[tokio::test]
async fn an_empty_store_gets_system_keys_with_their_events_and_later_starts_get_the_same() {
    let house = house().await;
    let House { store, kms, keyring, .. } = &house;
    assert_eq!(store.told("key.created").len(), 5);
    assert_eq!(store.with(|state| state.keys.len()), 5);
    let again = open(store, kms).await.unwrap();
    assert_eq!(again.system().credential("bk"), keyring.system().credential("bk"));
    assert_eq!(again.system().proof().kid(), keyring.system().proof().kid());
    assert_eq!(store.with(|state| state.keys.len()), 5);
}

#[tokio::test]
async fn two_processes_that_start_at_once_end_with_one_set_of_system_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let kms = Arc::new(FileKms::open(dir.path(), true).unwrap());
    let (one, other) = tokio::join!(open(&store, &kms), open(&store, &kms));
    assert_eq!(one.unwrap().system().credential("bk"), other.unwrap().system().credential("bk"));
    assert_eq!(store.with(|state| state.keys.len()), 5);
}

#[tokio::test]
async fn a_store_that_lost_a_system_key_stops_the_start_instead_of_making_another() {
    let house = house().await;
    let House { store, kms, .. } = &house;
    store.with(|state| state.keys.retain(|key| key.purpose != "pool"));
    assert!(matches!(open(store, kms).await, Err(KeyError::Missing { purpose: "pool", .. })));
    assert_eq!(store.with(|state| state.keys.len()), 4);
}

#[tokio::test]
async fn a_wrapped_key_moved_to_another_purpose_or_changed_stops_the_start() {
    let house = house().await;
    let House { store, kms, .. } = &house;
    let before = store.with(|state| state.keys.clone());
    store.with(|state| {
        let (a, b) = (state.keys[0].wrapped.clone(), state.keys[1].wrapped.clone());
        (state.keys[0].wrapped, state.keys[1].wrapped) = (b, a);
    });
    assert!(matches!(open(store, kms).await, Err(KeyError::Kms(KmsError::Unopened(_)))));
    store.with(|state| state.keys = before);
    store.with(|state| state.keys[0].wrapped[30] ^= 1);
    assert!(matches!(open(store, kms).await, Err(KeyError::Kms(KmsError::Unopened(_)))));
}

#[tokio::test]
async fn a_kms_of_another_folder_does_not_serve_this_store() {
    let house = house().await;
    let House { store, .. } = &house;
    let other = tempfile::tempdir().unwrap();
    let kms = &Arc::new(FileKms::open(other.path(), true).unwrap());
    assert!(matches!(open(store, kms).await, Err(KeyError::Kms(KmsError::NoSuchKek(_)))));
    kms.create("system").await.unwrap();
    assert!(matches!(open(store, kms).await, Err(KeyError::Kms(KmsError::Unopened(_)))));
}

#[tokio::test]
async fn a_tenant_made_by_another_process_is_found_and_an_unknown_or_destroyed_one_is_not() {
    let house = house().await;
    let House { store, kms, keyring, .. } = &house;
    let other = open(store, kms).await.unwrap();
    let id = ids::fresh();
    assert!(matches!(keyring.tenant(id).await, Err(KeyError::Missing { .. })));
    for (key, _) in other.provision(Owner::Tenant(id), store.now()).await.unwrap() {
        store.with(|state| state.keys.push(key));
    }
    let (here, there) = (keyring.tenant(id).await.unwrap(), other.tenant(id).await.unwrap());
    assert_eq!(here.index(&number(1)), there.index(&number(1)));
    kms.destroy(&id.to_string()).await.unwrap();
    let late = open(store, kms).await.unwrap();
    assert!(matches!(late.tenant(id).await, Err(KeyError::Kms(KmsError::NoSuchKek(_)))));
}

#[tokio::test]
async fn a_number_opens_for_its_record_tenant_and_purpose_only() {
    let house = house().await;
    let ((_, keys), (_, foreign)) = (house.tenant().await, house.tenant().await);
    let sealed = keys.seal_number(RecordId(7), &number(1));
    assert_eq!(shown(&keys.open_number(RecordId(7), &sealed).unwrap()), "+447700900001");
    assert!(is_unopened(keys.open_number(RecordId(8), &sealed)));
    assert!(is_unopened(foreign.open_number(RecordId(7), &sealed)));
    assert!(is_unopened(keys.open_stranger(&7_u64.to_be_bytes(), &sealed)));
    assert!(is_unopened(keys.open_text("number of another sort", &7_u64.to_be_bytes(), &sealed)));
}

#[tokio::test]
async fn a_ciphertext_of_another_version_cut_short_or_changed_does_not_open() {
    let (_, keys) = house().await.tenant().await;
    let sealed = keys.seal_number(RecordId(7), &number(1));
    assert_eq!(sealed.0[..2], [0, 1]);
    let mut other = sealed.clone();
    other.0[1] = 2;
    assert!(matches!(keys.open_number(RecordId(7), &other), Err(KeyError::NoSuchVersion(2))));
    for length in 0..sealed.0.len() {
        assert!(keys.open_number(RecordId(7), &Sealed(sealed.0[..length].to_vec())).is_err());
    }
    for at in 2..sealed.0.len() {
        let mut changed = sealed.clone();
        changed.0[at] ^= 1;
        assert!(is_unopened(keys.open_number(RecordId(7), &changed)));
    }
}

#[tokio::test]
async fn every_version_opens_and_the_newest_seals() {
    let house = house().await;
    let (id, keys) = house.tenant().await;
    let old = keys.seal_text("body", b"msg", "text");
    let old_token = keys.sealed(&number(1), None, None, 0);
    for purpose in ["seal", "siv", "code"] {
        let mut key = house.store.with(|state| {
            state.keys.iter().find(|key| key.owner == id.to_string() && key.purpose == purpose).unwrap().clone()
        });
        key.version = 2;
        key.wrapped = house.kms.wrap(&key.owner, &purpose::wrapping_aad(&key), &Key::fresh()).await.unwrap();
        house.store.with(|state| state.keys.insert(0, key));
    }
    house.store.advance(Duration::from_secs(2));
    let rotated = open(&house.store, &house.kms).await.unwrap().tenant(id).await.unwrap();
    assert_eq!(&**rotated.open_text("body", b"msg", &old).unwrap(), "text");
    assert_eq!(rotated.seal_text("body", b"msg", "text").0[..2], [0, 2]);
    assert!(rotated.open_sealed(&old_token, None).is_some());
    assert_ne!(rotated.sealed(&number(1), None, None, 0), old_token);
    assert_eq!((keys.code_version(), rotated.code_version()), (1, 2));
    let code = |keys: &TenantKeys, version| keys.code(ids::from_bytes([1; 16]), &[2; 16], version, 10, false).unwrap();
    assert_eq!(*code(&keys, 1), *code(&rotated, 1));
    assert_ne!(*code(&rotated, 1), *code(&rotated, 2));
    // The older process does not know the new version and says so.
    assert!(keys.open_sealed(&rotated.sealed(&number(1), None, None, 0), None).is_none());
    let unknown = keys.code(ids::from_bytes([1; 16]), &[2; 16], 2, 6, false);
    assert!(matches!(unknown, Err(KeyError::NoSuchVersion(2))));
}

#[tokio::test]
async fn a_vaulted_token_reads_back_for_its_tenant_and_tells_audiences_apart() {
    let house = house().await;
    let ((_, keys), (_, foreign)) = (house.tenant().await, house.tenant().await);
    let own = keys.vaulted(RecordId(7), None);
    let partner = keys.vaulted(RecordId(7), Some("shop"));
    assert_ne!(own, partner);
    assert_ne!(partner, keys.vaulted(RecordId(7), Some("")));
    assert_ne!(own, keys.vaulted(RecordId(7), Some("")));
    let (record, tag) = keys.read_vaulted(&Token::parse(partner.as_str()).unwrap()).unwrap();
    assert_eq!((record, tag), (RecordId(7), keys.audience_tag(Some("shop"))));
    assert_ne!(keys.audience_tag(Some("shop")), foreign.audience_tag(Some("shop")));
    let (_, tag) = foreign.read_vaulted(&partner).unwrap();
    assert!([None, Some("shop")].iter().all(|audience| foreign.audience_tag(*audience) != tag));
    assert!(keys.read_vaulted(&Token::vaulted(2, [0; 16])).is_none());
    assert!(keys.read_vaulted(&keys.sealed(&number(1), None, None, 0)).is_none());
}

#[tokio::test]
async fn a_sealed_token_repeats_and_opens_for_its_tenant_and_audience_only() {
    let house = house().await;
    let ((_, keys), (_, foreign)) = (house.tenant().await, house.tenant().await);
    let until = Some(Timestamp::from_millis(1_795_000_000_000));
    let token = keys.sealed(&number(1), Some("shop"), until, 0);
    assert_eq!(token, keys.sealed(&number(1), Some("shop"), until, 0));
    let opened = keys.open_sealed(&token, Some("shop")).unwrap();
    assert_eq!((shown(&opened.number).as_str(), opened.expiry, opened.epoch), ("+447700900001", until, 0));
    assert!(keys.open_sealed(&token, None).is_none());
    assert!(keys.open_sealed(&token, Some("shop2")).is_none());
    assert!(foreign.open_sealed(&token, Some("shop")).is_none());
    let others = [keys.sealed(&number(2), Some("shop"), until, 0), keys.sealed(&number(1), Some("shop"), None, 0)];
    assert!(others.iter().all(|other| *other != token));
    let (version, siv) = token.sealed_parts().unwrap();
    for at in 0..siv.len() {
        let mut changed = siv;
        changed[at] ^= 1;
        assert!(keys.open_sealed(&Token::sealed(version, &changed), Some("shop")).is_none());
    }
    assert!(keys.open_sealed(&Token::sealed(version + 1, &siv), Some("shop")).is_none());
}

#[tokio::test]
async fn the_longest_number_and_the_last_expiry_fit_into_a_sealed_token() {
    let (_, keys) = house().await.tenant().await;
    let longest = PhoneNumber::from_digits(999_999_999_999_999).unwrap();
    for epoch in 0..64 {
        let sealed = keys.sealed(&longest, None, Some(Timestamp::from_millis(i64::MAX)), epoch);
        let opened = keys.open_sealed(&sealed, None).unwrap();
        assert_eq!((shown(&opened.number).as_str(), opened.epoch), ("+999999999999999", epoch));
        assert!(opened.expiry.unwrap() > Timestamp::from_millis(0));
    }
    assert_ne!(keys.sealed(&longest, None, None, 0), keys.sealed(&longest, None, None, 1));
    // An expiry before 1970 is one that has passed, not none.
    let early = keys.sealed(&longest, None, Some(Timestamp::from_millis(-5)), 0);
    assert_eq!(keys.open_sealed(&early, None).unwrap().expiry, Some(Timestamp::from_millis(1_000)));
}

#[tokio::test]
async fn keyed_ids_do_not_join_tenants_purposes_or_pools() {
    let house = house().await;
    let ((_, keys), (_, foreign)) = (house.tenant().await, house.tenant().await);
    let system = house.keyring.system();
    let (pool, other) = (ids::fresh(), ids::fresh());
    let indexes = [
        keys.index(&number(1)),
        keys.index(&number(2)),
        foreign.index(&number(1)),
        system.pool_index(pool, &number(1)),
        system.pool_index(other, &number(1)),
        system.pool_sender(pool, "short_code", "9292"),
        system.pool_sender(pool, "name", "9292"),
        system.conversation(&[b"short_code", b"9292"]),
    ];
    for (at, index) in indexes.iter().enumerate() {
        assert!(indexes.iter().skip(at + 1).all(|later| later != index), "{at}");
    }
    assert_ne!(ids::bytes(&keys.subject(indexes[0])), indexes[0].0);
    assert_ne!(keys.record_ref(RecordId(1)), keys.record_ref(RecordId(2)));
}

#[tokio::test]
async fn a_part_opens_in_its_place_only() {
    let system = house().await.keyring.system();
    let sealed = system.seal_part(b"smsc|1", b"octets");
    assert_eq!(**system.open_part(b"smsc|1", &sealed).unwrap(), *b"octets");
    assert!(is_unopened(system.open_part(b"smsc|2", &sealed)));
    assert!(is_unopened(system.open_part(b"", &sealed)));
}

#[tokio::test]
async fn no_secret_is_in_the_store_or_in_the_file_of_keks() {
    let house = house().await;
    let (id, keys) = house.tenant().await;
    let secret = Key::new([0xAB; 32]);
    let wrapped = house.kms.wrap(&id.to_string(), b"", &secret).await.unwrap();
    assert!(!wrapped.windows(8).any(|window| window == [0xAB; 8]));
    let sealed = keys.seal_number(RecordId(1), &number(1));
    let plain = number(1).secret_bytes().to_vec();
    assert!(!sealed.0.windows(6).any(|window| window == &plain[2..]));
    let root = std::fs::read_to_string(Path::new(house.dir.path()).join("root.key")).unwrap();
    let keks = std::fs::read_to_string(Path::new(house.dir.path()).join("keks.json")).unwrap();
    assert!(!keks.contains(root.trim()));
}
