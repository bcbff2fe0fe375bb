#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn load(toml: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bauta.toml");
    std::fs::write(&file, toml).unwrap();
    Config::load(&Flags { config: Some(file), data: Some(dir.path().join("data")), listen: None })
}

#[test]
fn an_empty_file_gives_working_defaults() {
    let config = load("").unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert!(config.keys_beside_data());
    assert!(config.database.ends_with("data/bauta.db"));
}

#[test]
fn keys_beside_the_data_are_seen_whatever_the_path_to_them_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let (data, keys, elsewhere) = (dir.path().join("data"), dir.path().join("data/keys"), dir.path().join("far"));
    for folder in [&keys, &elsewhere] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::os::unix::fs::symlink(&keys, dir.path().join("link")).unwrap();
    let beside = |keys: PathBuf, database: &Path| {
        let defaults = load("").unwrap();
        Config { data: data.clone(), keys, database: database.join("bauta.db"), ..defaults }.keys_beside_data()
    };
    assert!(beside(keys.clone(), &data));
    assert!(beside(dir.path().join("link"), &data), "a link");
    assert!(beside(dir.path().join("far/../data/keys"), &data), "a way round");
    assert!(beside(elsewhere.join("keys"), &elsewhere), "beside the database, which lies apart");
    assert!(!beside(elsewhere.clone(), &data));
    assert!(!beside(elsewhere.join("not/made/yet"), &data));
}

#[test]
fn an_smpp_link_is_read_with_its_defaults_and_its_password_is_not_shown() {
    let config =
        load("[[carriers]]\nname=\"main\"\nkind=\"smpp\"\nhost=\"127.0.0.1\"\npassword=\"hush\"\nsender=\"bauta\"\n")
            .unwrap();
    let Some(CarrierSettings::Smpp(link)) = config.carriers.first() else { unreachable!("no SMPP link") };
    assert_eq!((link.port, link.window, link.enquire_link_s), (2775, 64, 30));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn every_refusal_names_its_key_and_a_mend() {
    for (toml, key) in [
        ("[server]\nlisten = \"nowhere\"", "server.listen"),
        ("[server]\nlisen = \"127.0.0.1:1\"", "server.lisen"),
        ("[server]\nlisten = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:1\"", "server.admin"),
        ("[server]\ntls = { cert = \"c\" }", "server.tls"),
        ("[server]\ntls = { cert = \"c\", key = \"k\", pass = \"p\" }", "server.tls.pass"),
        ("[server]\nclient_ca = \"ca.pem\"", "server.client_ca"),
        ("[store]\ndurable = \"mysql:x\"", "store.durable"),
        ("[store]\nscratch = \"tape\"", "store.scratch"),
        ("[kms]\nkind = \"cloud\"", "kms.kind"),
        ("[policies]\ndir = \"nowhere\"", "policies.dir"),
        ("[webhooks]\nallow_private = [\"10.0.0.0\"]", "webhooks.allow_private[0]"),
        ("[webhooks]\nallow_private = [\"10.0.0.0/8\", \"10.0.0.1/8\"]", "webhooks.allow_private[1]"),
        ("[webhooks]\nallow = []", "webhooks.allow"),
        ("[limits]\nburst = 0", "limits"),
        ("[limits]\nburst = \"many\"", "limits.burst"),
        ("[[carriers]]\nname=\"x\"\nkind=\"pigeon\"", "carriers[0].kind"),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"", "carriers[0].host"),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\npassword=\"env:BAUTA_NO_SUCH\"",
            "carriers[0].password",
        ),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\ntls_ca=\"ca.pem\"", "carriers[0].tls_ca"),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nbind=\"both\"", "carriers[0].bind"),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nbinds=70", "carriers[0].binds"),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nwindow=2\nbinds=3", "carriers[0].window"),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nid_format=\"odd\"",
            "carriers[0].id_format",
        ),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nconcat=\"udh\"", "carriers[0].concat"),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nvalidity_s=900000",
            "carriers[0].validity_s",
        ),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nhosts=\"h\"", "carriers[0].hosts"),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\naddressing={ device=\"one\" }",
            "carriers[0].addressing.device",
        ),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\n\
             outbind={ listen=\"127.0.0.1:1\", system_id=\"smsc\", password=\"\" }",
            "carriers[0].outbind",
        ),
        (
            "[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\n\
             outbind={ listen=\"here\", system_id=\"smsc\", password=\"p\" }",
            "carriers[0].outbind.listen",
        ),
        ("[[carriers]]\nname=\"x\"\nkind=\"smpp\"\nhost=\"h\"\nsender=\"s\"\nversion=\"3.3\"", "carriers[0].version"),
    ] {
        let error = load(toml).err().unwrap_or_else(|| unreachable!("{toml} was taken"));
        assert_eq!(error.key, key, "{error}");
        assert!(error.to_string().contains("bauta.toml"), "{error}");
        assert!(!error.mend.is_empty());
        assert!(!error.to_string().contains('\n'));
    }
}
