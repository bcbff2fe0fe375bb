#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// A folder with a root and one KEK.
async fn used() -> (TempDir, FileKms) {
    let dir = tempfile::tempdir().unwrap();
    let kms = FileKms::open(&dir.path().join("keys"), true).unwrap();
    kms.create("system").await.unwrap();
    (dir, kms)
}

fn keys(dir: &TempDir) -> PathBuf {
    dir.path().join("keys")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn refusal(dir: &TempDir, store_is_empty: bool) -> KmsError {
    FileKms::open(&keys(dir), store_is_empty).err().unwrap()
}

#[tokio::test]
async fn what_is_wrapped_opens_after_a_restart_under_its_own_name_and_data_only() {
    let (dir, kms) = used().await;
    kms.create("ten_b").await.unwrap();
    let wrapped = kms.wrap("system", b"seal|1", &Key::new([5; 32])).await.unwrap();
    let kms = FileKms::open(&keys(&dir), false).unwrap();
    assert_eq!(*kms.unwrap("system", b"seal|1", &wrapped).await.unwrap().bytes(), [5; 32]);
    assert!(matches!(kms.unwrap("system", b"seal|2", &wrapped).await, Err(KmsError::Unopened(_))));
    assert!(matches!(kms.unwrap("ten_b", b"seal|1", &wrapped).await, Err(KmsError::Unopened(_))));
    assert!(matches!(kms.unwrap("system", b"seal|1", &wrapped[..40]).await, Err(KmsError::Unopened(_))));
    assert!(matches!(kms.unwrap("ten_c", b"seal|1", &wrapped).await, Err(KmsError::NoSuchKek(_))));
}

#[tokio::test]
async fn files_and_folder_are_the_owners_alone() {
    let (dir, _) = used().await;
    assert_eq!(mode(&keys(&dir)), 0o700);
    for file in ["root.key", "keks.json"] {
        assert_eq!(mode(&keys(&dir).join(file)), 0o600, "{file}");
    }
    let left: Vec<_> = fs::read_dir(keys(&dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("new")), "{left:?}");
}

#[tokio::test]
async fn a_file_that_others_may_read_stops_the_start_and_says_the_mend() {
    for file in ["root.key", "keks.json"] {
        for loose in [0o640, 0o604, 0o660, 0o610] {
            let (dir, _) = used().await;
            let path = keys(&dir).join(file);
            set_mode(&path, loose);
            let error = refusal(&dir, false);
            assert!(matches!(error, KmsError::LooseFile { mode, .. } if mode == loose), "{error}");
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
            set_mode(&path, 0o600);
            assert!(FileKms::open(&keys(&dir), false).is_ok());
        }
    }
}

#[tokio::test]
async fn a_folder_that_others_may_write_stops_the_start() {
    for loose in [0o770, 0o707, 0o722] {
        let (dir, _) = used().await;
        set_mode(&keys(&dir), loose);
        let error = refusal(&dir, false);
        assert!(matches!(error, KmsError::LooseFolder { .. }), "{error}");
        assert!(error.to_string().contains("chmod go-w"), "{error}");
        set_mode(&keys(&dir), 0o755);
        assert!(FileKms::open(&keys(&dir), false).is_ok());
    }
}

#[tokio::test]
async fn a_missing_root_is_never_replaced_while_anything_depends_on_it() {
    let (dir, _) = used().await;
    fs::remove_file(keys(&dir).join("root.key")).unwrap();
    // The KEKs beside it still depend on it, whatever the store holds.
    assert!(matches!(refusal(&dir, true), KmsError::RootMissing { .. }));
    assert!(matches!(refusal(&dir, false), KmsError::RootMissing { .. }));
    fs::remove_file(keys(&dir).join("keks.json")).unwrap();
    assert!(matches!(refusal(&dir, false), KmsError::RootMissing { .. }));
    assert!(!keys(&dir).join("root.key").exists());
    assert!(FileKms::open(&keys(&dir), true).is_ok());
}

#[tokio::test]
async fn a_used_store_without_keks_stops_the_start() {
    let (dir, _) = used().await;
    fs::remove_file(keys(&dir).join("keks.json")).unwrap();
    assert!(matches!(refusal(&dir, false), KmsError::KeksMissing { .. }));
}

#[tokio::test]
async fn another_root_stops_the_start() {
    let (dir, _) = used().await;
    fs::write(keys(&dir).join("root.key"), "00".repeat(32)).unwrap();
    for store_is_empty in [true, false] {
        assert!(matches!(refusal(&dir, store_is_empty), KmsError::WrongRoot { .. }));
    }
}

#[tokio::test]
async fn files_that_hold_something_else_stop_the_start() {
    for (file, text) in
        [("root.key", "00ff"), ("root.key", ""), ("keks.json", "[1]"), ("keks.json", r#"{"system":"zz"}"#)]
    {
        let (dir, _) = used().await;
        fs::write(keys(&dir).join(file), text).unwrap();
        assert!(matches!(refusal(&dir, false), KmsError::Malformed { .. }), "{file} {text}");
    }
}

#[tokio::test]
async fn a_destroyed_kek_is_gone_for_every_process_and_a_made_one_stays_as_it_is() {
    let (dir, one) = used().await;
    let other = FileKms::open(&keys(&dir), false).unwrap();
    let wrapped = one.wrap("system", b"", &Key::new([5; 32])).await.unwrap();
    other.create("system").await.unwrap();
    assert!(one.unwrap("system", b"", &wrapped).await.is_ok());
    other.destroy("system").await.unwrap();
    assert!(!one.exists("system").await.unwrap());
    assert!(matches!(one.unwrap("system", b"", &wrapped).await, Err(KmsError::NoSuchKek(_))));
    assert!(!fs::read_to_string(keys(&dir).join("keks.json")).unwrap().contains("system"));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_make_keks_at_once_lose_none() {
    let (dir, _) = used().await;
    let mut makers = Vec::new();
    for process in 0..4 {
        let kms = FileKms::open(&keys(&dir), false).unwrap();
        makers.push(tokio::spawn(async move {
            for n in 0..10 {
                kms.create(&format!("ten_{process}_{n}")).await.unwrap();
            }
        }));
    }
    for maker in makers {
        maker.await.unwrap();
    }
    let kms = FileKms::open(&keys(&dir), false).unwrap();
    for (process, n) in (0..4).flat_map(|process| (0..10).map(move |n| (process, n))) {
        assert!(kms.wrap(&format!("ten_{process}_{n}"), b"", &Key::fresh()).await.is_ok());
    }
}

#[test]
fn processes_that_start_at_once_share_one_root() {
    let dir = tempfile::tempdir().unwrap();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let path = keys(&dir);
            std::thread::spawn(move || *FileKms::open(&path, true).unwrap().folder.root().bytes())
        })
        .collect();
    let roots: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_new_root_takes_over_for_every_process_and_the_old_one_opens_nothing() {
    let (dir, one) = used().await;
    let other = FileKms::open(&keys(&dir), false).unwrap();
    let wrapped = one.wrap("system", b"", &Key::new([5; 32])).await.unwrap();
    let old = fs::read(keys(&dir).join("root.key")).unwrap();
    one.rotate_root().await.unwrap();
    assert_eq!(mode(&keys(&dir).join("root.key")), 0o600);
    for kms in [&one, &other, &FileKms::open(&keys(&dir), false).unwrap()] {
        assert_eq!(*kms.unwrap("system", b"", &wrapped).await.unwrap().bytes(), [5; 32]);
    }
    // Whoever did not know of it still makes KEKs under the new root.
    other.create("ten_late").await.unwrap();
    FileKms::open(&keys(&dir), false).unwrap().wrap("ten_late", b"", &Key::fresh()).await.unwrap();
    fs::write(keys(&dir).join("root.key"), old).unwrap();
    assert!(matches!(refusal(&dir, false), KmsError::WrongRoot { .. }));
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_new_root_leaves_one_that_opens_and_the_next_change_ends_it() {
    let (dir, kms) = used().await;
    let wrapped = kms.wrap("system", b"", &Key::new([5; 32])).await.unwrap();
    let path = |name: &str| keys(&dir).join(name);
    let check = async || {
        let kms = FileKms::open(&keys(&dir), false).unwrap();
        assert_eq!(*kms.unwrap("system", b"", &wrapped).await.unwrap().bytes(), [5; 32]);
        assert!(path("root.key.next").exists(), "only a change ends it");
        kms.create("ten_new").await.unwrap();
        assert!(!path("root.key.next").exists());
        let kms = FileKms::open(&keys(&dir), false).unwrap();
        assert_eq!(*kms.unwrap("system", b"", &wrapped).await.unwrap().bytes(), [5; 32]);
        kms.destroy("ten_new").await.unwrap();
    };
    // The next root is written, and nothing is under it yet.
    fs::write(path("root.key.next"), "ab".repeat(32)).unwrap();
    set_mode(&path("root.key.next"), 0o600);
    check().await;
    // Everything is under the next root, which has not taken its place yet.
    let old = fs::read(path("root.key")).unwrap();
    kms.rotate_root().await.unwrap();
    fs::rename(path("root.key"), path("root.key.next")).unwrap();
    fs::write(path("root.key"), old).unwrap();
    set_mode(&path("root.key"), 0o600);
    check().await;
}

#[tokio::test]
async fn a_restored_folder_opens_what_the_lost_one_wrapped_and_never_replaces_keys() {
    let (dir, kms) = used().await;
    let wrapped = kms.wrap("system", b"", &Key::new([5; 32])).await.unwrap();
    let files = kms.files().unwrap();
    assert!(matches!(FileKms::restore(&keys(&dir), &files), Err(KmsError::Setting { key: "kms.path", .. })));
    let restored = FileKms::restore(&dir.path().join("restored"), &files).unwrap();
    assert_eq!(*restored.unwrap("system", b"", &wrapped).await.unwrap().bytes(), [5; 32]);
    assert_eq!(mode(&dir.path().join("restored/root.key")), 0o600);
}
