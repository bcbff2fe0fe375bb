#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Config, Flags};

fn load(toml: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bauta.toml");
    std::fs::write(&file, toml).unwrap();
    std::fs::write(dir.path().join("token"), "s.secret\n").unwrap();
    Config::load(&Flags { config: Some(file), data: Some(dir.path().join("data")), listen: None })
}

#[test]
fn without_a_word_keys_are_in_a_file_and_unwrapped_ones_live_five_minutes() {
    let config = load("").unwrap();
    assert!(matches!(config.kms, KmsKind::File));
    assert_eq!(config.key_cache.life, Duration::from_secs(300));
    assert_eq!(config.rotation.rotate_days, 365);
}

#[test]
fn a_transit_engine_is_read_with_its_defaults_and_its_token_is_not_shown() {
    let config =
        load("[kms]\nkind=\"transit\"\naddress=\"https://vault:8200/\"\ntoken=\"s.hush\"\ncache_s=60").unwrap();
    let KmsKind::Transit(transit) = &config.kms else { unreachable!() };
    assert_eq!((transit.address.as_str(), transit.mount.as_str()), ("https://vault:8200", "transit"));
    assert_eq!(transit.prefix, "bauta-");
    assert_eq!(config.key_cache.life, Duration::from_secs(60));
    assert!(!format!("{config:?}").contains("hush"));
    assert!(!config.keys_beside_data());
}

#[test]
fn a_token_in_a_file_is_left_there_to_be_read_again() {
    let config = load("[kms]\nkind=\"transit\"\naddress=\"http://127.0.0.1:8200\"\ntoken=\"file:token\"").unwrap();
    let KmsKind::Transit(Transit { token: Token::File(path), .. }) = &config.kms else { unreachable!() };
    assert!(path.is_absolute() && path.ends_with("token"));
}

#[test]
fn every_refusal_names_its_key() {
    let transit = "[kms]\nkind=\"transit\"\n";
    let pkcs11 = "[kms]\nkind=\"pkcs11\"\n";
    let reachable = "address=\"https://v:8200\"\ntoken=\"t\"\n";
    for (toml, key) in [
        ("[kms]\nkind=\"cloud\"".to_owned(), "kms.kind"),
        ("[kms]\ntoken=\"x\"".to_owned(), "kms.token"),
        ("[kms]\ncache_s=1".to_owned(), "kms.cache_s"),
        ("[kms]\ncheck_s=0".to_owned(), "kms.check_s"),
        ("[kms]\ncolour=\"red\"".to_owned(), "kms.colour"),
        (transit.to_owned(), "kms.address"),
        (format!("{transit}address=\"http://vault:8200\"\ntoken=\"t\""), "kms.address"),
        (format!("{transit}address=\"https://v:8200\""), "kms.token"),
        (format!("{transit}{reachable}path=\"keys\""), "kms.path"),
        (format!("{transit}{reachable}pin=\"1\""), "kms.pin"),
        (format!("{transit}{reachable}mount=\"a/../b\""), "kms.mount"),
        (format!("{transit}{reachable}namespace=\"a b\""), "kms.namespace"),
        (format!("{transit}{reachable}prefix=\"a/\""), "kms.prefix"),
        (format!("{transit}{reachable}timeout_ms=1"), "kms.timeout_ms"),
        (format!("{transit}address=\"https://v:8200\"\ntoken=\"env:BAUTA_NOT_SET\""), "kms.token"),
        (pkcs11.to_owned(), "kms.module"),
        (format!("{pkcs11}module=\"/nowhere.so\""), "kms.module"),
        (format!("{pkcs11}module=\"token\""), "kms.token"),
        (format!("{pkcs11}module=\"token\"\ntoken=\"bauta\""), "kms.pin"),
        ("[keys]\nrotate_uses=7".to_owned(), "keys.rotate_uses"),
        ("[keys]\nrotate_uses=4294967296".to_owned(), "keys.rotate_uses"),
    ] {
        let error = load(&toml).err().unwrap_or_else(|| unreachable!("{toml} was taken"));
        assert_eq!(error.key, key, "{error}");
        assert!(error.mend.len() > 10, "{error}");
    }
}
