#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;

/// By a rename, as certificate managers do: a file written in place within one tick of the clock can look the same.
fn write(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&new, path).unwrap();
}

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem"), client_ca: None }
}

fn lay(folder: &Path) -> TlsFiles {
    let (cert, key) = pair();
    let files = files(folder);
    write(&files.cert, &cert, 0o644);
    write(&files.key, &key, 0o600);
    files
}

fn refusal(files: &TlsFiles) -> (&'static str, String) {
    let error = Tls::open(files.clone()).err().unwrap();
    assert!(!error.to_string().contains('\n'));
    (error.key, error.mend)
}

#[test]
fn each_file_that_cannot_be_used_is_named_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refusal(&files(folder.path())).0, "server.tls.cert");
    let files = lay(folder.path());
    assert!(Tls::open(files.clone()).is_ok());

    for mode in [0o640, 0o604, 0o644, 0o660] {
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(refusal(&files), ("server.tls.key", "can be read by others than its owner; chmod 600 it".into()));
    }
    write(&files.key, &pair().1, 0o600);
    assert!(refusal(&files).1.starts_with("is not the key of the certificate"));
    write(&files.key, "nothing", 0o600);
    assert!(refusal(&files).1.starts_with("holds no private key"));

    let files = lay(folder.path());
    for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        write(&files.cert, text, 0o644);
        assert_eq!(refusal(&files).0, "server.tls.cert", "{text}");
    }
    let mut files = lay(folder.path());
    files.client_ca = Some(folder.path().join("ca.pem"));
    assert_eq!(refusal(&files).0, "server.client_ca");
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = lay(folder.path());
    let mut tls = Tls::open(files.clone()).unwrap();
    let before = tls.current.0.load().fingerprint();
    assert_eq!(tls.look(), Look::Same);

    write(&files.cert, "half of a certif", 0o644);
    assert!(matches!(tls.look(), Look::Refused(error) if error.key == "server.tls.cert"));
    assert_eq!(tls.look(), Look::Same);
    assert_eq!(tls.current.0.load().fingerprint(), before);
}

#[test]
fn a_new_certificate_is_taken_once_its_key_is_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let files = lay(folder.path());
    let mut tls = Tls::open(files.clone()).unwrap();
    let before = tls.current.0.load().fingerprint();
    let (cert, key) = pair();

    write(&files.cert, &cert, 0o644);
    assert!(matches!(tls.look(), Look::Refused(error) if error.key == "server.tls.key"), "the halves do not match yet");
    write(&files.key, &key, 0o600);
    let Look::Taken(after) = tls.look() else { unreachable!("not taken") };
    assert_ne!(after, before);
    assert_eq!(tls.current.0.load().fingerprint(), after);
    assert_eq!(tls.look(), Look::Same);
}

#[test]
fn a_link_that_leads_elsewhere_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for place in [&one, &two] {
        fs::create_dir(place).unwrap();
        lay(place);
    }
    let link = folder.path().join("now");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let mut tls = Tls::open(self::files(&link)).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&two, &link).unwrap();
    assert!(matches!(tls.look(), Look::Taken(_)));
}
