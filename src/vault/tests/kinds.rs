//! Lookalikes and fpe texts, exchange and lookup.

use std::sync::atomic::Ordering;

use super::*;
use crate::access::{Exchange, Holdings, NewFpe};
use crate::store::LookalikeRow;

fn of_kind(kind: Kind, last: u64) -> NewToken {
    NewToken { kind, ..vaulted(last) }
}

fn fpe(last: u64) -> NewToken {
    of_kind(Kind::Fpe, last)
}

impl House {
    async fn lookalike(&self, audience: Option<&str>, last: u64) -> Token {
        let new = of_kind(Kind::Lookalike, last);
        self.vault.tokenize(&self.making(audience), new).await.unwrap().token
    }

    fn making_fpe(&self, audience: Option<&str>) -> Permit<NewFpe> {
        let audience = audience.map(str::to_owned);
        Permit::for_test(self.tenant, self.credential, None, NewFpe { audience })
    }

    fn exchanging(&self, partner: Option<&str>, token: &Token, audience: Option<&str>) -> Permit<Exchange> {
        let resource = Exchange { token: token.clone(), audience: audience.map(str::to_owned) };
        Permit::for_test(self.tenant, self.credential, partner, resource)
    }

    fn asking(&self) -> Permit<Holdings> {
        Permit::for_test(self.tenant, self.credential, None, Holdings {})
    }

    fn commits(&self) -> u64 {
        self.store.with(|state| state.commits)
    }

    async fn fpe(&self, audience: Option<&str>, new: NewToken) -> String {
        self.vault.fpe(&self.making_fpe(audience), new).await.unwrap().token.as_str().to_owned()
    }
}

#[tokio::test]
async fn a_lookalike_is_one_for_a_number_and_audience_and_works_like_any_token() {
    let house = house().await;
    let own = house.lookalike(None, 1).await;
    assert_eq!(own.kind(), Kind::Lookalike);
    assert_eq!(own, house.lookalike(None, 1).await);
    let again = house.other_process().tokenize(&house.making(None), of_kind(Kind::Lookalike, 1)).await.unwrap();
    assert_eq!(own, again.token);
    let shop = house.lookalike(Some("shop"), 1).await;
    assert_eq!([&own, &shop, &house.lookalike(None, 2).await].into_iter().collect::<HashSet<_>>().len(), 3);
    let plain = house.token(None, 1).await;
    assert_eq!(house.store.with(|state| state.tokens.len()), 2, "kinds of one number share its record");
    let meant = house.vault.resolve(&house.about(&plain), &plain).await.unwrap();
    for token in [&own, &shop] {
        assert_eq!(house.vault.resolve(&house.about(token), token).await.unwrap(), meant);
        let view = house.vault.describe(&house.about(token)).await.unwrap();
        assert_eq!((view.kind, view.masked), (Kind::Lookalike, Some(Masked::of(&number(1)))));
        let revealed = house.vault.reveal(&house.about(token), None).await.unwrap();
        assert_eq!(&**revealed.number, "+447700900001");
    }
}

#[tokio::test]
async fn a_lookalike_of_another_audience_tenant_or_nobody_is_not_found() {
    let mut house = house().await;
    let (own, shop) = (house.lookalike(None, 1).await, house.lookalike(Some("shop"), 1).await);
    assert!(house.vault.describe(&house.partner_about("shop", &shop)).await.is_ok());
    for (partner, token) in [("cars", &shop), ("shop", &own), ("shop", &Token::lookalike(7))] {
        assert!(is_not_found(house.vault.describe(&house.partner_about(partner, token)).await));
        assert!(is_not_found(house.vault.resolve(&house.partner_about(partner, token), token).await));
        assert!(is_not_found(house.vault.reveal(&house.partner_about(partner, token), None).await));
    }
    house.tenant = house.new_tenant().await;
    for token in [&own, &shop, &Token::lookalike(7)] {
        assert!(is_not_found(house.vault.describe(&house.about(token)).await));
        assert!(is_not_found(house.vault.exchange(&house.exchanging(None, token, Some("shop"))).await));
    }
}

#[tokio::test]
async fn the_store_holds_nothing_from_which_a_lookalike_could_be_told() {
    let house = house().await;
    let token = house.lookalike(None, 1).await;
    let keys = house.keyring.tenant(house.tenant).await.unwrap();
    let row: LookalikeRow = house.store.with(|state| *state.lookalikes.values().next().unwrap());
    assert_eq!(Some(row.mark), keys.lookalike_mark(&token));
    let body = token.lookalike_body().unwrap();
    let held = [row.mark.0.as_slice(), &row.tag, &row.record.0.to_be_bytes()].concat();
    for spelled in [body.to_be_bytes()[3..].to_vec(), body.to_le_bytes()[..5].to_vec(), body.to_string().into_bytes()] {
        assert!(!held.windows(spelled.len()).any(|window| window == spelled));
    }
    let other = house.new_tenant().await;
    let foreign = house.keyring.tenant(other).await.unwrap();
    assert_ne!(foreign.lookalike_mark(&token), Some(row.mark), "another tenant's keys join nothing");
    assert_ne!(foreign.lookalike(row.record, row.tag, 0), token);
}

#[tokio::test]
async fn digits_that_are_taken_are_given_to_nobody_else_even_after_their_record_is_gone() {
    let house = house().await;
    let keys = house.keyring.tenant(house.tenant).await.unwrap();
    let record = house.vault.hold(&house.making(None), &number(1)).await.unwrap().record;
    let tag = keys.audience_tag(None);
    // Somebody who is no more has the first three choices.
    for turn in 0..3 {
        let mark = keys.lookalike_mark(&keys.lookalike(record, tag, turn)).unwrap();
        let row = LookalikeRow { mark, tenant: house.tenant, record: RecordId(u64::MAX), tag };
        house.store.with(|state| state.lookalikes.insert(mark, row));
    }
    let token = house.lookalike(None, 1).await;
    assert_eq!(token, keys.lookalike(record, tag, 3));
    assert_eq!(token, house.lookalike(None, 1).await);
    assert!(is_not_found(house.vault.describe(&house.about(&keys.lookalike(record, tag, 0))).await));
    // The record erased: its lookalike is not found, and its digits stay taken.
    house.store.with(|state| state.tokens.clear());
    assert!(is_not_found(house.vault.describe(&house.about(&token)).await));
    assert_ne!(token, house.lookalike(None, 1).await);
}

#[tokio::test]
async fn lookalikes_of_their_own_have_their_life_and_metadata() {
    let house = house().await;
    let plain = house.lookalike(None, 1).await;
    let base = || of_kind(Kind::Lookalike, 1);
    let mut tokens = HashSet::from([plain.clone()]);
    for new in [
        NewToken { fresh: true, ..base() },
        NewToken { ttl: Some(Duration::from_secs(60)), ..base() },
        NewToken { metadata: Some(r#"{"order":"A7"}"#.into()), ..base() },
    ] {
        let view = house.vault.tokenize(&house.making(None), new).await.unwrap();
        let described = house.vault.describe(&house.about(&view.token)).await.unwrap();
        assert_eq!((described.metadata, described.expires_at), (view.metadata, view.expires_at));
        assert!(tokens.insert(view.token));
    }
    house.store.advance(Duration::from_secs(61));
    let mut gone = 0;
    for token in &tokens {
        gone += usize::from(is_not_found(house.vault.describe(&house.about(token)).await));
    }
    assert_eq!(gone, 1);
    assert_eq!(plain, house.lookalike(None, 1).await);
}

#[tokio::test]
async fn racing_callers_make_one_lookalike() {
    let house = Arc::new(house().await);
    let other = Arc::new(house.other_process());
    let mut racers = Vec::new();
    for n in 0..20 {
        let (house, other) = (Arc::clone(&house), Arc::clone(&other));
        racers.push(tokio::spawn(async move {
            let vault = if n % 2 == 0 { &house.vault } else { &*other };
            vault.tokenize(&house.making(None), of_kind(Kind::Lookalike, 1)).await.unwrap().token
        }));
    }
    let mut tokens = HashSet::new();
    for racer in racers {
        tokens.insert(racer.await.unwrap());
    }
    assert_eq!((tokens.len(), house.store.with(|state| (state.tokens.len(), state.lookalikes.len()))), (1, (1, 1)));
}

#[tokio::test]
async fn an_fpe_text_has_the_form_of_its_number_and_is_no_token_of_the_vault() {
    let house = house().await;
    let own = house.fpe(None, fpe(1)).await;
    assert_eq!(own, house.fpe(None, fpe(1)).await);
    assert!(own.starts_with("+44") && own.len() == "+447700900001".len() && own != "+447700900001");
    let whole = house.fpe(None, NewToken { keep_country: false, ..fpe(1) }).await;
    assert!(whole.len() == own.len() && !whole.starts_with("+0"));
    let texts = [own.clone(), whole, house.fpe(Some("shop"), fpe(1)).await, house.fpe(None, fpe(2)).await];
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 4);
    assert!(house.store.with(|state| state.tokens.is_empty() && state.lookalikes.is_empty()));
    assert_eq!(house.store.told("token.fpe_created").len(), 5);
    assert!(Token::parse(&own).is_err());
    let made = house.vault.fpe(&house.making_fpe(None), fpe(1)).await.unwrap().token;
    assert!(is_not_found(house.vault.describe(&house.about(&made)).await));
    assert!(is_not_found(house.vault.resolve(&house.about(&made), &made).await));
    assert!(is_not_found(house.vault.exchange(&house.exchanging(None, &made, Some("shop"))).await));
    let other = house.new_tenant().await;
    let theirs = Permit::for_test(other, house.credential, None, NewFpe { audience: None });
    assert_ne!(house.vault.fpe(&theirs, fpe(1)).await.unwrap().token.as_str(), own);
}

#[tokio::test]
async fn fpe_texts_want_their_permit_room_and_nothing_to_keep() {
    let house = house().await;
    let permit = house.making_fpe(None);
    assert_eq!(refusal(house.vault.tokenize(&house.making(None), fpe(1)).await), "fpe_not_allowed");
    let live = Permit::for_test(house.tenant, house.credential, None, NewFpe { audience: None }).in_mode(Mode::Live);
    assert_eq!(refusal(house.vault.fpe(&live, fpe(1)).await), "fpe_not_allowed");
    let short = || NewToken { number: PhoneNumber::from_digits(29_022_345).unwrap(), ..fpe(1) };
    assert_eq!(refusal(house.vault.fpe(&permit, short()).await), "fpe_domain_too_small");
    assert_eq!(house.fpe(None, NewToken { keep_country: false, ..short() }).await.len(), "+29022345".len());
    for (new, code) in [
        (NewToken { fresh: true, ..fpe(1) }, "fresh_not_supported_for_fpe"),
        (NewToken { metadata: Some("{}".into()), ..fpe(1) }, "metadata_not_supported_for_fpe"),
        (NewToken { ttl: Some(Duration::from_secs(1)), ..fpe(1) }, "ttl_not_supported_for_fpe"),
    ] {
        assert_eq!(refusal(house.vault.fpe(&permit, new).await), code);
    }
}

#[tokio::test]
async fn a_tenant_from_before_there_were_fpe_texts_gets_its_key() {
    let house = house().await;
    let before = house.fpe(None, fpe(1)).await;
    house.store.with(|state| state.keys.retain(|key| key.purpose != "fpe"));
    let keyring = Keyring::open(Arc::clone(&house.store) as Arc<dyn Store>, house.kms()).await.unwrap();
    let vault = Vault::new(Arc::clone(&house.store) as Arc<dyn Store>, Arc::new(keyring));
    let after = vault.fpe(&house.making_fpe(None), fpe(1)).await.unwrap().token;
    assert!(after.as_str() != before && after.as_str().starts_with("+44"), "a key of its own, for good");
    assert_eq!(vault.fpe(&house.making_fpe(None), fpe(1)).await.unwrap().token, after);
}

/// Tokens that say something else than `token` by one bit, digit or version, under checksums that are right.
fn forged(token: &Token) -> Vec<Token> {
    let mut forged = Vec::new();
    if let Some((version, block)) = token.vaulted_parts() {
        for bit in 0..128 {
            let mut block = block;
            block[bit / 8] ^= 1 << (bit % 8);
            forged.push(Token::vaulted(version, block));
        }
        forged.extend((0..=u8::MAX).filter(|other| *other != version).map(|other| Token::vaulted(other, block)));
    }
    if let Some((version, siv)) = token.sealed_parts() {
        for bit in 0..224 {
            let mut siv = siv;
            siv[bit / 8] ^= 1 << (bit % 8);
            forged.push(Token::sealed(version, &siv));
        }
        forged.extend((0..16).map(|bit| Token::sealed(version ^ (1 << bit), &siv)));
    }
    if let Some(body) = token.lookalike_body() {
        for place in 0..11 {
            let step = 10_u64.pow(place);
            let others = (1..10).map(|add| (body / step + add) % 10 + body / step / 10 * 10);
            forged.extend(others.map(|head| Token::lookalike(head * step + body % step)));
        }
    }
    forged
}

#[tokio::test]
async fn every_bit_digit_and_version_that_is_another_is_not_found() {
    let house = house().await;
    for audience in [None, Some("shop")] {
        for kind in [Kind::Vaulted, Kind::Sealed, Kind::Lookalike] {
            let token = house.vault.tokenize(&house.making(audience), of_kind(kind, 1)).await.unwrap().token;
            let forged = forged(&token);
            assert!(forged.len() >= 99 && !forged.contains(&token));
            for other in &forged {
                assert!(Token::parse(other.as_str()).is_ok(), "well formed: it is the vault that refuses");
                assert!(is_not_found(house.vault.describe(&house.about(other)).await));
                assert!(is_not_found(house.vault.describe(&house.partner_about("shop", other)).await));
                assert!(is_not_found(house.vault.resolve(&house.about(other), other).await));
                assert!(is_not_found(house.vault.exchange(&house.exchanging(None, other, Some("cars"))).await));
            }
        }
    }
    assert!(house.store.told("token.exchanged").is_empty());
}

#[tokio::test]
async fn an_exchange_gives_the_same_person_for_another_audience_and_writes_its_entry_alone() {
    let house = house().await;
    let plain = house.token(None, 1).await;
    let own_life = NewToken { ttl: Some(Duration::from_secs(60)), ..sealed(1) };
    let sealed = house.vault.tokenize(&house.making(None), own_life).await.unwrap();
    let lookalike = house.lookalike(None, 1).await;
    house.token(Some("shop"), 2).await;
    let expected = [house.token(Some("shop"), 1).await, sealed.token.clone(), house.lookalike(Some("shop"), 1).await];
    let (records, before) = (house.store.with(|state| state.tokens.len()), house.commits());
    for (token, expected) in [&plain, &sealed.token, &lookalike].into_iter().zip(&expected) {
        let view = house.vault.exchange(&house.exchanging(None, token, Some("shop"))).await.unwrap();
        assert_eq!((view.kind, view.masked), (token.kind(), Some(Masked::of(&number(1)))));
        if token.kind() == Kind::Sealed {
            assert_ne!(view.token, *expected);
            assert_eq!(view.expires_at, sealed.expires_at, "the life goes along");
        } else {
            assert_eq!(view.token, *expected);
        }
        assert!(house.vault.describe(&house.partner_about("shop", &view.token)).await.is_ok());
        assert!(is_not_found(house.vault.describe(&house.partner_about("shop", token)).await));
    }
    assert_eq!((house.store.with(|state| state.tokens.len()), house.commits()), (records, before + 3));
    let told = house.store.told("token.exchanged");
    assert_eq!(told.len(), 3);
    for what in told {
        let What::TokenExchanged { audience, .. } = what else { continue };
        assert_eq!(audience.as_deref(), Some("shop"));
    }
    let back = house.vault.exchange(&house.exchanging(None, &expected[0], None)).await.unwrap();
    assert_eq!(back.token, plain, "no audience is the tenant's own");
}

#[tokio::test]
async fn an_exchange_is_of_tokens_that_the_caller_sees_and_not_without_its_entry() {
    let house = house().await;
    let own = house.token(None, 1).await;
    assert!(is_not_found(house.vault.exchange(&house.exchanging(Some("shop"), &own, Some("shop"))).await));
    for garbage in [Token::vaulted(1, [7; 16]), Token::sealed(1, &[7; 28]), Token::lookalike(7)] {
        assert!(is_not_found(house.vault.exchange(&house.exchanging(None, &garbage, Some("shop"))).await));
    }
    house.store.refuses.store(true, Ordering::SeqCst);
    let refused = house.vault.exchange(&house.exchanging(None, &own, Some("shop"))).await;
    assert!(matches!(refused, Err(VaultError::Store(_))));
}

#[tokio::test]
async fn a_lookup_does_and_writes_the_same_for_known_and_unknown_numbers() {
    let house = house().await;
    let known = house.token(None, 1).await;
    house.sealed(None, 2).await;
    house.vault.tokenize(&house.making(None), NewToken { fresh: true, ..vaulted(3) }).await.unwrap();
    let records = house.store.with(|state| state.tokens.len());
    for (last, expected) in [(1, Some(&known)), (2, None), (3, None), (4, None)] {
        let before = house.commits();
        assert_eq!(house.vault.lookup(&house.asking(), &number(last)).await.unwrap().as_ref(), expected);
        assert_eq!(house.commits() - before, 1);
    }
    assert_eq!(house.store.with(|state| state.tokens.len()), records, "asking makes nothing");
    let told = house.store.told("token.looked_up").into_iter();
    let found: Vec<bool> = told.map(|what| matches!(what, What::TokenLookedUp { found: true, .. })).collect();
    assert_eq!(found, [true, false, false, false]);
    house.store.refuses.store(true, Ordering::SeqCst);
    for last in [1, 4] {
        assert!(house.vault.lookup(&house.asking(), &number(last)).await.is_err());
    }
}

#[tokio::test]
async fn a_walk_through_numbers_is_told_once_and_does_not_stand_in_the_way() {
    let house = house().await;
    let run = |from: u64| (from..from + 150).map(|n| Ok::<_, ()>(vaulted(n))).collect();
    house.vault.tokenize_batch(&house.making(None), run(0)).await.unwrap();
    assert!(house.store.told("alert.enumeration").is_empty());
    house.vault.tokenize_batch(&house.making(None), run(150)).await.unwrap();
    for last in 300..310 {
        house.vault.lookup(&house.asking(), &number(last)).await.unwrap();
    }
    let told = house.store.told("alert.enumeration");
    assert!(matches!(&told[..], [What::EnumerationAlert { pattern, .. }] if pattern == "sequential"), "{told:?}");
    // Somebody who makes fresh tokens learns nothing of what is known.
    let fresh = |n| Ok::<_, ()>(NewToken { fresh: true, ..vaulted(n) });
    let other = Permit::for_test(house.tenant, ids::fresh(), None, NewTokens { audience: None });
    house.vault.tokenize_batch(&other, (0..300).map(fresh).collect()).await.unwrap();
    assert_eq!(house.store.told("alert.enumeration").len(), 1);
}

#[tokio::test]
async fn a_batch_mixes_kinds_and_audiences_in_one_commit_and_one_event() {
    let house = house().await;
    let known = house.lookalike(None, 1).await;
    house.sealed(None, 9).await;
    let (own, shop, own_fpe) = (house.making(None), house.making(Some("shop")), house.making_fpe(None));
    let before = house.commits();
    let short = NewToken { number: PhoneNumber::from_digits(29_022_345).unwrap(), ..fpe(1) };
    let lookalike = |last| of_kind(Kind::Lookalike, last);
    let first = Group {
        permit: &own,
        fpe: Some(&own_fpe),
        items: vec![
            Ok(lookalike(1)),
            Ok(vaulted(1)),
            Ok(lookalike(2)),
            Ok(sealed(1)),
            Ok(fpe(1)),
            Ok(lookalike(2)),
            Ok(short),
            Err("given"),
        ],
    };
    let second = Group { permit: &shop, fpe: None, items: vec![Ok(lookalike(1)), Ok(fpe(1)), Ok(vaulted(2))] };
    let answers = house.vault.tokenize_groups(vec![first, second]).await.unwrap();
    assert_eq!(house.commits() - before, 1);
    let told = house.store.told("token.batch_created");
    assert!(matches!(told[..], [What::TokenBatchCreated { created: 1, known: 5, fpe: 1, refused: 3 }]), "{told:?}");
    let token = |group: usize, place: usize| answers[group][place].as_ref().map(|view| view.token.clone());
    assert_eq!(token(0, 0), Ok(known));
    assert_eq!(token(0, 1), Ok(house.token(None, 1).await));
    assert_eq!((token(0, 2), token(0, 5)), (Ok(house.lookalike(None, 2).await), Ok(house.lookalike(None, 2).await)));
    assert_eq!(token(0, 3), Ok(house.sealed(None, 1).await));
    assert_eq!(token(0, 4).unwrap().as_str(), house.fpe(None, fpe(1)).await);
    assert_eq!(token(0, 6), Err(&ItemError::Refused("fpe_domain_too_small")));
    assert_eq!(token(0, 7), Err(&ItemError::Given("given")));
    assert_eq!(token(1, 0), Ok(house.lookalike(Some("shop"), 1).await));
    assert_eq!(token(1, 1), Err(&ItemError::Refused("fpe_not_allowed")));
    assert_eq!(token(1, 2), Ok(house.token(Some("shop"), 2).await));
}

#[tokio::test]
async fn no_event_of_these_kinds_holds_a_number_or_a_token() {
    let house = house().await;
    let lookalike = house.lookalike(None, 1).await;
    let fpe = house.fpe(None, fpe(1)).await;
    let other = house.vault.exchange(&house.exchanging(None, &lookalike, Some("shop"))).await.unwrap().token;
    house.vault.lookup(&house.asking(), &number(1)).await.unwrap();
    let texts = house
        .store
        .with(|state| state.events.iter().map(|event| event.entry([0; 16]).text).collect::<Vec<_>>().join("\n"));
    for secret in ["7700900001", lookalike.as_str(), other.as_str(), &fpe, &lookalike.as_str()[1..], &fpe[1..]] {
        assert!(!texts.contains(secret));
    }
}
