#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use data_encoding::BASE64;

use super::*;

/// The request of RFC 9421 appendix B.2.
const BODY: &[u8] = b"{\"hello\": \"world\"}";
const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

fn fields(name: &str) -> Vec<String> {
    let value = match name {
        "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type" => "application/json",
        "content-digest" => DIGEST,
        "content-length" => "18",
        _ => return vec![],
    };
    vec![value.to_owned()]
}

fn parts(fields: &dyn Fn(&str) -> Vec<String>) -> Parts<'_> {
    Parts { method: "POST", authority: "Example.com", tls: true, path: "/foo", query: "param=Value&Pet=dog", fields }
}

fn input(text: &str) -> InnerList {
    let dictionary: Dictionary = Parser::new(text).parse().unwrap();
    match dictionary.into_iter().next().unwrap().1 {
        ListEntry::InnerList(list) => list,
        ListEntry::Item(_) => unreachable!("no inner list"),
    }
}

/// RFC 9421 appendix B.2.5, key `test-shared-secret` of B.1.5.
#[test]
fn agrees_with_the_rfc_on_hmac_sha256() {
    let list = input(r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#);
    let base = base(&parts(&fields), &list).unwrap();
    assert_eq!(
        base,
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n\
         \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
    );
    let secret = BASE64
        .decode(b"uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
        .unwrap();
    let signature = BASE64.decode(b"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=").unwrap();
    assert!(Key::hmac(&secret).verify(base.as_bytes(), &signature));
    assert!(!Key::hmac(&secret).verify(base.replace("json", "text").as_bytes(), &signature));
}

/// RFC 9421 appendix B.2.6, key `test-key-ed25519` of B.1.4.
#[test]
fn agrees_with_the_rfc_on_ed25519() {
    let list = input(
        r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    );
    let base = base(&parts(&fields), &list).unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
    let public = public_key(pem).unwrap();
    let signature = BASE64
        .decode(b"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
        .unwrap();
    assert!(Key::Ed25519(public).verify(base.as_bytes(), &signature));
    assert!(!Key::Ed25519(public).verify(base.to_uppercase().as_bytes(), &signature));
}

/// RFC 9530 appendix D and the request of RFC 9421 appendix B.2.
#[test]
fn a_digest_is_that_of_the_body_and_of_no_other() {
    assert!(Digests::read(DIGEST).unwrap().of(BODY));
    assert!(!Digests::read(DIGEST).unwrap().of(b"{\"hello\": \"World\"}"));
    let both = format!("{DIGEST}, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, md5=:AAAA:");
    assert!(Digests::read(&both).unwrap().of(BODY), "every known one counts, unknown ones do not");
    let torn = format!("{DIGEST}, sha-256=:AAAA:");
    assert!(!Digests::read(&torn).unwrap().of(BODY), "one that is wrong spoils the rest");
    for unusable in ["", "md5=:AAAA:", "sha-256=1", "sha-256=(:AAAA:)", "sha-256", &"x".repeat(2_000)] {
        assert!(Digests::read(unusable).is_none(), "{unusable}");
    }
}

/// A signature by `key` over these components, as a client would make it.
fn signed<S: Fn(&[u8]) -> Vec<u8>>(components: &str, params: &str, sign: S) -> impl Fn(&str) -> Vec<String> + use<S> {
    let input_text = format!("sig=({components}){params}");
    let signature = base(&parts(&fields), &input(&input_text)).map(|base| sign(base.as_bytes())).unwrap_or_default();
    let signature_text = format!("sig=:{}:", BASE64.encode(&signature));
    move |name| match name {
        "signature-input" => vec![input_text.clone()],
        "signature" => vec![signature_text.clone()],
        other => fields(other),
    }
}

const ALL: &str = r#""@method" "@authority" "@path" "@query" "content-digest""#;
const PARAMS: &str = r#";created=1618884473;nonce="a-nonce-of-ours";keyid="crd_x""#;

fn by_hmac(message: &[u8]) -> Vec<u8> {
    ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret"), message).as_ref().to_vec()
}

#[test]
fn a_whole_signature_verifies_and_any_change_of_the_request_breaks_it() {
    let made = signed(ALL, PARAMS, by_hmac);
    let key = Key::hmac(b"secret");
    let whole = Signed::read(&parts(&made)).unwrap().unwrap();
    assert!(whole.verify(&key) && whole.covers(BODY) && !whole.covers(b""));
    assert!(!whole.verify(&Key::hmac(b"secrets")));
    let changed = |change: fn(&mut Parts<'_>)| {
        let mut parts = parts(&made);
        change(&mut parts);
        Signed::read(&parts).unwrap().unwrap().verify(&key)
    };
    assert!(!changed(|parts| parts.method = "GET"));
    assert!(!changed(|parts| parts.authority = "example.org"));
    assert!(!changed(|parts| parts.path = "/Foo"));
    assert!(!changed(|parts| parts.query = ""));
    assert!(changed(|parts| parts.authority = "EXAMPLE.COM:443"), "the same place, written otherwise");
}

#[test]
fn the_key_decides_about_the_algorithm() {
    let public = [7; 32];
    // The oldest confusion: a public key, which everybody has, used as a shared secret.
    let forge = |message: &[u8]| {
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public), message).as_ref().to_vec()
    };
    for alg in ["", r#";alg="hmac-sha256""#, r#";alg="ed25519""#] {
        let made = signed(ALL, &format!("{PARAMS}{alg}"), forge);
        assert!(!Signed::read(&parts(&made)).unwrap().unwrap().verify(&Key::Ed25519(public)), "{alg}");
    }
    let named = |alg: &str| {
        let made = signed(ALL, &format!("{PARAMS};alg=\"{alg}\""), by_hmac);
        Signed::read(&parts(&made)).unwrap().unwrap().verify(&Key::hmac(b"secret"))
    };
    assert!(named("hmac-sha256"));
    assert!(!named("ed25519") && !named("none") && !named("rsa-v1_5-sha256"));
}

#[test]
fn a_signature_that_covers_or_says_too_little_is_none() {
    let read = |components: &str, params: &str| Signed::read(&parts(&signed(components, params, by_hmac))).is_ok();
    assert!(read(ALL, PARAMS));
    assert!(read(&format!("{ALL} \"content-type\""), PARAMS), "more is welcome");
    for missing in ["@method", "@authority", "@path", "@query"] {
        assert!(!read(&ALL.replace(&format!("\"{missing}\""), ""), PARAMS), "{missing}");
    }
    for params in [
        r#";nonce="a-nonce-of-ours";keyid="crd_x""#,
        r#";created=1618884473;keyid="crd_x""#,
        r#";created=1618884473;nonce="short";keyid="crd_x""#,
        r#";created=1618884473;nonce="a-nonce-of-ours""#,
        r#";created="1618884473";nonce="a-nonce-of-ours";keyid="crd_x""#,
        r#";created=1618884473;nonce=a-nonce-of-ours;keyid="crd_x""#,
        r#";created=1618884473;nonce="a-nonce-of-ours";keyid="crd_x";alg=1"#,
        r#";created=1618884473;nonce="a-nonce-of-ours";keyid="crd_x";expires="never""#,
    ] {
        assert!(!read(ALL, params), "{params}");
    }
    for odd in ["\"@target-uri\"", "\"x-absent\"", "\"content-type\";bs", "\"@method\"", "\"Date\"", "\"\"", "date"] {
        assert!(!read(&format!("{ALL} {odd}"), PARAMS), "{odd}");
    }
}

#[test]
fn one_signature_is_read_and_no_more() {
    let with = |input: Option<&str>, signature: Option<&str>| {
        let give = |name: &str| match name {
            "signature-input" => input.map(str::to_owned).into_iter().collect(),
            "signature" => signature.map(str::to_owned).into_iter().collect(),
            other => fields(other),
        };
        Signed::read(&parts(&give)).map(|signed| signed.is_some())
    };
    let input = format!("a=({ALL}){PARAMS}");
    assert_eq!(with(None, None), Ok(false));
    assert_eq!(with(Some(&input), Some("a=:AAAA:")), Ok(true));
    for (input, signature) in [
        (Some(input.as_str()), None),
        (None, Some("a=:AAAA:")),
        (Some(&input), Some("b=:AAAA:")),
        (Some(&input), Some("a=:AAAA:, b=:AAAA:")),
        (Some(&format!("{input}, b=({ALL}){PARAMS}")), Some("a=:AAAA:")),
        (Some(&input), Some("a=\"AAAA\"")),
        (Some(&input), Some("a=:AA")),
        (Some("a=1"), Some("a=:AAAA:")),
        (Some(""), Some("")),
        (Some(&format!("{input};x=\"{}\"", "y".repeat(5_000))), Some("a=:AAAA:")),
    ] {
        assert_eq!(with(input, signature), Err(Incomplete));
    }
}

#[test]
fn a_signature_is_fresh_for_five_minutes_either_way_and_not_past_its_own_end() {
    let at =
        |params: &str, now: i64| Signed::read(&parts(&signed(ALL, params, by_hmac))).unwrap().unwrap().is_fresh(now);
    let made = 1_618_884_473;
    assert!(at(PARAMS, made - 300) && at(PARAMS, made) && at(PARAMS, made + 300));
    assert!(!at(PARAMS, made - 301) && !at(PARAMS, made + 301));
    let ends = format!("{PARAMS};expires={}", made + 10);
    assert!(at(&ends, made + 9) && !at(&ends, made + 10));
}

#[test]
fn a_value_cannot_hold_what_looks_like_another_component() {
    let given = |name: &str| match name {
        "content-type" => vec!["x\n\"@path\": /other".to_owned()],
        other => fields(other),
    };
    assert!(base(&parts(&given), &input(r#"a=("content-type")"#)).is_none());
}

#[test]
fn a_public_key_is_read_as_people_have_it_and_nothing_else() {
    let raw = [9; 32];
    assert_eq!(public_key(&BASE64.encode(&raw)), Some(raw));
    assert_eq!(public_key(&data_encoding::BASE64URL_NOPAD.encode(&raw)), Some(raw));
    for wrong in
        ["", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----"]
    {
        assert_eq!(public_key(wrong), None);
    }
}
