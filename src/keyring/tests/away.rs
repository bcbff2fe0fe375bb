//! A KMS that goes away or loses keys, and other processes that change them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::config::{KeyCache, Rotation};
use crate::event::{Actor, Event, What};
use crate::keyring::turn::KeyState;
use crate::keyring::uses::CHUNK;
use crate::store::{Change, WrappedKey, Write};

/// A KMS behind a wire that can be cut.
struct Wire {
    kms: Arc<FileKms>,
    is_cut: AtomicBool,
    asked: AtomicU64,
}

impl Wire {
    fn pass(&self) -> Result<&FileKms, KmsError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.is_cut.load(Ordering::SeqCst) {
            true => Err(KmsError::Away { place: "wire".into(), fault: "cut".into() }),
            false => Ok(&self.kms),
        }
    }

    fn cut(&self, is: bool) {
        self.is_cut.store(is, Ordering::SeqCst);
    }
}

#[async_trait]
impl Kms for Wire {
    fn place(&self) -> String {
        "wire".into()
    }
    async fn create(&self, kek: &str) -> Result<(), KmsError> {
        self.pass()?.create(kek).await
    }
    async fn exists(&self, kek: &str) -> Result<bool, KmsError> {
        self.pass()?.exists(kek).await
    }
    async fn names(&self) -> Result<Vec<String>, KmsError> {
        self.pass()?.names().await
    }
    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError> {
        self.pass()?.wrap(kek, aad, key).await
    }
    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
        self.pass()?.unwrap(kek, aad, wrapped).await
    }
    async fn rotate(&self, kek: &str) -> Result<(), KmsError> {
        self.pass()?.rotate(kek).await
    }
    async fn prune(&self, kek: &str) -> Result<(), KmsError> {
        self.pass()?.prune(kek).await
    }
    async fn destroy(&self, kek: &str) -> Result<(), KmsError> {
        self.pass()?.destroy(kek).await
    }
}

struct Far {
    store: Arc<MemoryStore>,
    wire: Arc<Wire>,
    keyring: Keyring,
    _dir: TempDir,
}

impl Far {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kms = Arc::new(FileKms::open(dir.path(), true).unwrap());
        let wire = Arc::new(Wire { kms, is_cut: AtomicBool::new(false), asked: AtomicU64::new(0) });
        let store = Arc::new(MemoryStore::new());
        let keyring = another(&store, &wire).await;
        Self { store, wire, keyring, _dir: dir }
    }

    async fn tenant(&self) -> TenantId {
        let id = ids::fresh();
        for (key, what) in self.keyring.provision(Owner::Tenant(id), self.store.now()).await.unwrap() {
            self.commit(what, Write::Key(key)).await;
        }
        id
    }

    async fn commit(&self, what: What, write: Write) {
        let event = Event { at: self.store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
        self.store.commit(Change::telling(event).with(write)).await.unwrap();
    }

    async fn turn(&self, owner: Owner, purpose: &str) -> WrappedKey {
        let (key, what) = self.keyring.next_version(owner, purpose).await.unwrap();
        self.commit(what, Write::Key(key.clone())).await;
        key
    }
}

/// Another process on the same store and KMS.
async fn another(store: &Arc<MemoryStore>, wire: &Arc<Wire>) -> Keyring {
    let cache = KeyCache { life: Duration::from_secs(60), check: Duration::from_secs(5) };
    Keyring::open(Arc::clone(store) as _, Arc::clone(wire) as _).await.unwrap().with_cache(cache)
}

fn is_away<T>(keys: &Result<T, KeyError>) -> bool {
    keys.as_ref().is_err_and(KeyError::is_away)
}

#[tokio::test]
async fn unwrapped_keys_serve_for_a_bounded_time_while_the_kms_is_away_and_again_when_it_is_back() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.keyring.tenant(id).await.unwrap();
    far.wire.cut(true);
    far.store.advance(Duration::from_secs(59));
    assert!(far.keyring.tenant(id).await.is_ok());
    far.keyring.confirm().await;
    far.store.advance(Duration::from_secs(1));
    assert!(is_away(&far.keyring.tenant(id).await), "nobody confirmed them for a minute");
    far.wire.cut(false);
    far.store.advance(Duration::from_secs(1));
    assert!(far.keyring.tenant(id).await.is_ok());
}

#[tokio::test]
async fn a_kms_that_answers_now_and_then_keeps_keys_in_use() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.keyring.tenant(id).await.unwrap();
    for _ in 0..5 {
        far.store.advance(Duration::from_secs(50));
        far.keyring.confirm().await;
    }
    far.wire.cut(true);
    assert!(far.keyring.tenant(id).await.is_ok());
}

#[tokio::test]
async fn a_kms_that_is_away_is_not_asked_by_every_caller() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.wire.cut(true);
    let before = far.wire.asked.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert!(is_away(&far.keyring.tenant(id).await));
    }
    assert_eq!(far.wire.asked.load(Ordering::SeqCst), before + 1);
    far.wire.cut(false);
    assert!(is_away(&far.keyring.tenant(id).await), "within the same second");
    far.store.advance(Duration::from_secs(1));
    assert!(far.keyring.tenant(id).await.is_ok());
}

#[tokio::test]
async fn a_kms_away_at_the_start_stops_it_with_a_word_that_says_so() {
    let far = Far::new().await;
    far.wire.cut(true);
    let error = Keyring::open(far.store.clone() as _, far.wire.clone() as _).await.err().unwrap();
    assert!(error.is_away() && error.to_string().contains("the KMS (wire) does not serve: cut"));
}

#[tokio::test]
async fn a_kek_that_is_gone_takes_its_owners_keys_along_once_it_is_noticed_and_no_others() {
    let far = Far::new().await;
    let (id, other) = (far.tenant().await, far.tenant().await);
    far.keyring.tenant(id).await.unwrap();
    far.keyring.tenant(other).await.unwrap();
    far.wire.kms.destroy(&id.to_string()).await.unwrap();
    assert!(far.keyring.tenant(id).await.is_ok(), "not noticed yet");
    far.keyring.confirm().await;
    assert!(matches!(far.keyring.tenant(id).await, Err(KeyError::Kms(KmsError::NoSuchKek(_)))));
    assert!(far.keyring.tenant(other).await.is_ok());
}

#[tokio::test]
async fn keys_that_another_process_destroys_are_dropped_when_the_store_is_next_asked() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let other = another(&far.store, &far.wire).await;
    far.keyring.tenant(id).await.unwrap();
    let owner = id.to_string();
    far.commit(What::KeyDestructionOrdered { owner: owner.clone() }, Write::DoomKeys { owner }).await;
    // The KMS is away just now: the order stands.
    far.wire.cut(true);
    assert!(other.destroy(Owner::Tenant(id)).await.is_err());
    assert_eq!(far.store.with(|state| state.doomed.len()), 1);
    far.keyring.follow().await;
    assert!(matches!(far.keyring.tenant(id).await, Err(KeyError::Missing { .. })));
    far.wire.cut(false);
    assert_eq!(other.destroy_doomed().await.unwrap(), 1);
    assert!(!far.wire.kms.exists(&id.to_string()).await.unwrap());
    assert_eq!(far.store.told("key.destroyed").len(), 1);
    assert_eq!(other.destroy_doomed().await.unwrap(), 0);
    other.destroy(Owner::Tenant(id)).await.unwrap();
    assert_eq!(far.store.told("key.destroyed").len(), 1, "told once");
}

#[tokio::test]
async fn a_new_version_opens_at_once_and_seals_when_everyone_has_it() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let here = far.keyring.tenant(id).await.unwrap();
    let other = another(&far.store, &far.wire).await;
    far.turn(Owner::Tenant(id), "seal").await;
    far.keyring.follow().await;
    let here_now = far.keyring.tenant(id).await.unwrap();
    assert_eq!((here.seal_version(), here_now.seal_version()), (1, 1), "two seconds are not over");
    far.store.advance(Duration::from_secs(2));
    far.keyring.follow().await;
    assert_eq!(here_now.seal_version(), 2, "keys in use follow");
    let sealed = here_now.seal_text("body", b"m", "text");
    let there = other.tenant(id).await.unwrap();
    assert_eq!(&**there.open_text("body", b"m", &sealed).unwrap(), "text");
}

#[tokio::test]
async fn without_a_watch_a_process_asks_for_new_keys_by_itself() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.keyring.tenant(id).await.unwrap();
    far.turn(Owner::Tenant(id), "seal").await;
    far.store.advance(Duration::from_secs(2));
    assert_eq!(far.keyring.tenant(id).await.unwrap().seal_version(), 2);
}

#[tokio::test]
async fn a_changed_key_is_loaded_later_if_the_kms_is_away_and_older_ones_serve_on() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.keyring.tenant(id).await.unwrap();
    far.turn(Owner::Tenant(id), "seal").await;
    far.wire.cut(true);
    far.store.advance(Duration::from_secs(2));
    far.keyring.follow().await;
    assert_eq!(far.keyring.tenant(id).await.unwrap().seal_version(), 1);
    far.wire.cut(false);
    far.keyring.follow().await;
    assert_eq!(far.keyring.tenant(id).await.unwrap().seal_version(), 2);
}

#[tokio::test]
async fn uses_are_set_aside_before_they_are_made_and_a_crash_counts_too_many() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let uses = |far: &Far| {
        far.store.with(|state| {
            let of = |it: &&crate::store::KeyUse| it.owner == id.to_string() && it.purpose == "seal";
            state.uses.iter().find(of).map_or(0, |it| it.uses)
        })
    };
    assert_eq!(uses(&far), 0);
    let keys = far.keyring.tenant(id).await.unwrap();
    assert_eq!(uses(&far), CHUNK, "before the first");
    for _ in 0..1_000 {
        keys.seal_text("body", b"m", "text");
    }
    far.keyring.tenant(id).await.unwrap();
    assert_eq!(uses(&far), CHUNK, "while half of it is left");
    // The process dies with most of its chunk unused.
    another(&far.store, &far.wire).await.tenant(id).await.unwrap();
    assert_eq!(uses(&far), 2 * CHUNK);
}

#[tokio::test]
async fn keys_that_seal_and_derive_codes_turn_by_age_and_by_uses_and_no_others() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let rotation = Rotation { rotate_days: 30, rotate_uses: 1 << 21, settle_s: 60 };
    assert_eq!(far.keyring.turn_due(&rotation).await.unwrap(), 0);
    let (owner, day) = (id.to_string(), Duration::from_secs(86_400));
    far.store.reserve_key_uses(&owner, "seal", 1, 1 << 21).await.unwrap();
    far.store.reserve_key_uses(&owner, "siv", 1, 1 << 40).await.unwrap();
    assert_eq!(far.keyring.turn_due(&rotation).await.unwrap(), 1);
    assert_eq!(far.keyring.turn_due(&rotation).await.unwrap(), 0, "the new version is unused");
    far.store.advance(day * 31);
    // The tenant's two, and the deployment's seal.
    assert_eq!(far.keyring.turn_due(&rotation).await.unwrap(), 3);
    let turned = far.store.told("key.rotated").into_iter().map(|what| match what {
        What::KeyRotated { owner, purpose, version } => (owner == "system", purpose, version),
        _ => unreachable!(),
    });
    let mut turned: Vec<_> = turned.collect();
    turned.sort();
    let of = |system, purpose: &str, version| (system, purpose.to_owned(), version);
    assert_eq!(turned, [of(false, "code", 2), of(false, "seal", 2), of(false, "seal", 3), of(true, "seal", 2)]);
    let never = Rotation { rotate_days: 0, ..rotation };
    far.store.advance(day * 3_650);
    assert_eq!(far.keyring.turn_due(&never).await.unwrap(), 0);
}

#[tokio::test]
async fn keys_that_tokens_hang_on_are_never_replaced() {
    let far = Far::new().await;
    let id = far.tenant().await;
    for purpose in ["token", "index", "subject", "fpe", "credential", "nothing"] {
        let refused = far.keyring.next_version(Owner::Tenant(id), purpose).await;
        assert!(matches!(refused, Err(KeyError::NeverReplaced(_))), "{purpose}");
    }
    for purpose in ["credential", "pool", "scratch"] {
        assert!(far.keyring.next_version(Owner::System, purpose).await.is_err(), "{purpose}");
    }
}

#[tokio::test]
async fn a_new_siv_version_starts_new_tokens_and_the_old_ones_open() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let old = far.keyring.tenant(id).await.unwrap().sealed(&number(1), None, None, 0);
    far.turn(Owner::Tenant(id), "siv").await;
    far.store.advance(Duration::from_secs(2));
    let keys = far.keyring.tenant(id).await.unwrap();
    let new = keys.sealed(&number(1), None, None, 0);
    assert_ne!(old, new);
    assert!(keys.open_sealed(&old, None).is_some() && keys.open_sealed(&new, None).is_some());
    far.store.advance(Duration::from_secs(86_400 * 400));
    assert_eq!(far.keyring.retire_outlived(Duration::ZERO).await.unwrap(), 0, "as long as tokens may be about");
}

#[tokio::test]
async fn a_new_proof_key_is_published_before_it_signs_and_the_old_one_until_its_proofs_lapsed() {
    let far = Far::new().await;
    let old = far.keyring.system().proof().kid().to_owned();
    far.turn(Owner::System, "proof").await;
    far.keyring.follow().await;
    let published = |far: &Far| far.keyring.system().proof_keys().len();
    assert_eq!((published(&far), far.keyring.system().proof().kid()), (2, old.as_str()));
    far.store.advance(Duration::from_secs(300));
    far.keyring.follow().await;
    let new = far.keyring.system().proof().kid().to_owned();
    assert_ne!(new, old);
    far.store.advance(Duration::from_secs(7_199));
    assert_eq!((far.keyring.retire_outlived(Duration::ZERO).await.unwrap(), published(&far)), (0, 2));
    far.store.advance(Duration::from_secs(1));
    assert_eq!((far.keyring.retire_outlived(Duration::ZERO).await.unwrap(), published(&far)), (1, 1));
    assert_eq!(far.keyring.system().proof().kid(), new);
}

#[tokio::test]
async fn wrapping_anew_changes_no_key_and_ends_what_an_old_kek_opens() {
    let far = Far::new().await;
    let id = far.tenant().await;
    let owner = Owner::Tenant(id);
    let token = far.keyring.tenant(id).await.unwrap().vaulted(RecordId(7), None);
    let old = far.store.with(|state| state.keys.clone());
    far.keyring.rotate_kek(owner).await.unwrap();
    let rewrapped = far.keyring.rewrapped(owner).await.unwrap();
    assert_eq!(rewrapped.len(), 7);
    let keys: Vec<_> = rewrapped.iter().map(|(key, _)| key.clone()).collect();
    assert!(!far.keyring.are_all(owner, &keys).await.unwrap(), "not committed yet");
    for (key, from) in rewrapped {
        let what = What::KeysRewrapped { owner: owner.to_string(), keys: 1 };
        far.commit(what, Write::RewrapKey { key, from }).await;
    }
    assert!(far.keyring.are_all(owner, &keys).await.unwrap());
    far.keyring.prune_kek(owner).await.unwrap();
    far.keyring.follow().await;
    assert_eq!(far.keyring.tenant(id).await.unwrap().vaulted(RecordId(7), None), token);
    assert_eq!(another(&far.store, &far.wire).await.tenant(id).await.unwrap().vaulted(RecordId(7), None), token);
    // Whoever kept the old wrapping has nothing.
    far.store.with(|state| state.keys = old);
    let late = another(&far.store, &far.wire).await;
    assert!(matches!(late.tenant(id).await, Err(KeyError::Kms(KmsError::Unopened(_)))));
}

#[tokio::test]
async fn an_owner_of_an_older_program_gets_the_key_it_lacks_and_a_lost_one_stays_lost() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.store.with(|state| state.keys.retain(|key| key.purpose != "fpe"));
    let (here, there) = (another(&far.store, &far.wire).await, another(&far.store, &far.wire).await);
    let (here, there) = tokio::join!(here.tenant(id), there.tenant(id));
    let fpe = |keys: &TenantKeys| keys.fpe(&number(1), None, true).unwrap().unwrap();
    assert_eq!(fpe(&here.unwrap()), fpe(&there.unwrap()), "two processes make one key");
    assert_eq!(far.store.with(|state| state.keys.iter().filter(|key| key.purpose == "fpe").count()), 1);
    far.store.with(|state| state.keys.retain(|key| key.purpose != "index"));
    let late = another(&far.store, &far.wire).await;
    assert!(matches!(late.tenant(id).await, Err(KeyError::Missing { purpose: "index", .. })));
}

#[tokio::test]
async fn the_overview_says_which_version_waits_seals_and_is_old() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.turn(Owner::Tenant(id), "seal").await;
    let states = |views: Vec<KeyView>| -> Vec<_> {
        let seals = views.into_iter().filter(|view| view.owner == id.to_string() && view.purpose == "seal");
        seals.map(|view| (view.version, view.state)).collect()
    };
    let now = states(far.keyring.overview().await.unwrap());
    assert_eq!(now, [(1, KeyState::Active), (2, KeyState::Waiting)]);
    far.store.advance(Duration::from_secs(2));
    let later = states(far.keyring.overview().await.unwrap());
    assert_eq!(later, [(1, KeyState::Old), (2, KeyState::Active)]);
}

#[tokio::test]
async fn a_watch_sees_what_others_change_within_a_second_and_ends_when_told() {
    let far = Far::new().await;
    let id = far.tenant().await;
    far.keyring.tenant(id).await.unwrap();
    let keyring = Arc::new(another(&far.store, &far.wire).await);
    keyring.tenant(id).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watched = Arc::clone(&keyring);
    let watch = tokio::spawn(async move { watched.watch(stopped).await });
    let owner = id.to_string();
    far.commit(What::KeyDestructionOrdered { owner: owner.clone() }, Write::DoomKeys { owner }).await;
    let gone = async {
        while keyring.tenants.load().contains_key(&id) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    stop.send(true).unwrap();
    watch.await.unwrap();
}
