//! Binding and pools over the real store.

use std::time::Duration;

use super::X;
use super::house::*;
use crate::access::{Action, AliasList, AliasRef, NewAlias, Pools};
use crate::alias::{AliasError, AliasQuery, Alter};
use crate::carrier::Accepted;
use crate::event::{Mode, What};
use crate::ids::fresh;
use crate::phone::VirtualNumber;
use crate::store::{AliasStatus, Change, NumberRow, PoolRow, Traits, Write};

fn code<T>(result: Result<T, AliasError>) -> &'static str {
    result.err().and_then(|error| error.code()).unwrap_or("done")
}

fn lasting(ttl: Option<Duration>) -> Alter {
    Alter { ttl: Some(ttl), ..Alter::default() }
}

#[tokio::test]
async fn a_number_carries_one_star_or_many_pairs_that_share_nobody() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    house.bound("axb", ANN, Some(BEN)).await;
    assert_eq!(code(house.bind(house.wish("axb", ANN, Some(CAT)).await).await), "pool_exhausted");
    assert_eq!(code(house.bind(house.wish("ax", CAT, None).await).await), "pool_exhausted");
    assert_eq!(code(house.bind(house.wish("axb", CAT, Some(DAN)).await).await), "done");
}

#[tokio::test]
async fn racing_binds_of_one_person_never_share_a_number() {
    let house = House::new().await;
    house.pool("p", &(X..X + 4).collect::<Vec<_>>()).await;
    let mut wishes = Vec::new();
    for n in 10..18 {
        wishes.push(house.wish("axb", ANN, Some(&format!("+44 7700 9000{n}"))).await);
    }
    let done = futures::future::join_all(wishes.into_iter().map(|wish| house.bind(wish))).await;
    let mut numbers: Vec<_> = done.into_iter().filter_map(Result::ok).map(|alias| alias.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "each number once, and every number");
}

#[tokio::test]
async fn a_chosen_number_tells_what_stands_in_the_way() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let number = VirtualNumber::from_digits(X);
    let chosen = |wish| crate::alias::Bind { number, ..wish };
    assert_eq!(code(house.bind(chosen(house.wish("axb", ANN, Some(BEN)).await)).await), "done");
    assert_eq!(code(house.bind(chosen(house.wish("axb", BEN, Some(CAT)).await)).await), "alias_conflict");
    assert_eq!(code(house.bind(chosen(house.wish("ax", CAT, None).await)).await), "number_occupied");
    let mut elsewhere = house.wish("ax", CAT, None).await;
    elsewhere.number = VirtualNumber::from_digits(15_550_000_999);
    assert_eq!(code(house.bind(elsewhere).await), "unroutable");
}

#[tokio::test]
async fn a_pool_number_is_nobodys_and_in_one_pool_only() {
    let house = House::new().await;
    let pool = house.pool("p", &[X, 447_700_900_001]).await;
    assert_eq!(code(house.bind(house.wish("ax", ANN, None).await).await), "number_in_pool");
    assert_eq!(code(house.import(pool, &[X + 1, X]).await), "number_in_pool");
    assert_eq!(code(house.import(pool, &[]).await), "size_invalid");
    let permit = house.operate(Action::PoolManage, Pools {}).await;
    assert_eq!(house.alias.counts(&permit, pool).await.unwrap().counts.free, 2, "all of an import or none");
}

#[tokio::test]
async fn what_the_other_mode_calls_its_pool_takes_nobodys_number_away() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let now = house.store.now();
    let (name, carrier) = ("theirs".to_owned(), "main".to_owned());
    let pool = PoolRow {
        id: fresh(),
        tenant: fresh(),
        name,
        carrier,
        shared: false,
        mode: Mode::Live,
        low_water: None,
        created_at: now,
    };
    let people = [447_700_900_001, 447_700_900_002].map(|digits| {
        let number = VirtualNumber::from_digits(digits).unwrap();
        let traits = Traits { capabilities: vec!["sms".to_owned()], ..Traits::default() };
        Write::Number(NumberRow { number, pool: pool.id, traits, draining: false, aside: None, created_at: now })
    });
    let permit = house.operate(Action::PoolManage, Pools {}).await;
    let mut change = Change::telling(permit.event(now, What::Swept {})).with(Write::Pool(pool));
    change.writes.extend(people);
    house.store.commit(change).await.unwrap();

    let alias = house.bind(house.wish("ax", ANN, None).await).await.unwrap();
    assert_eq!(house.write(BEN, alias.number, "hello").await, Accepted::Carried);
}

#[tokio::test]
async fn released_numbers_cool_and_drained_ones_are_not_given_out() {
    let house = House::new().await;
    let pool = house.pool("p", &[X]).await;
    let alias = house.bound("axb", ANN, Some(BEN)).await;
    let permit = house.may(&house.business, Action::AliasRelease, AliasRef { id: alias.id }).await;
    house.alias.release(&permit).await.unwrap();
    assert_eq!(code(house.alias.release(&permit).await), "alias_expired");
    assert_eq!(code(house.bind(house.wish("axb", ANN, Some(CAT)).await).await), "pool_exhausted");
    assert_eq!(code(house.bind(house.wish("axb", ANN, Some(BEN)).await).await), "done", "the same counterpart");

    let permit = house.operate(Action::NumberDrain, Pools {}).await;
    house.alias.drain(&permit, pool, VirtualNumber::from_digits(X).unwrap()).await.unwrap();
    assert_eq!(code(house.bind(house.wish("axb", CAT, Some(DAN)).await).await), "pool_exhausted");
}

#[tokio::test]
async fn an_alias_is_extended_from_now_and_not_after_its_end() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let mut wish = house.wish("ax", ANN, None).await;
    wish.ttl = Some(Duration::from_secs(60));
    let alias = house.bind(wish).await.unwrap();
    house.clock.advance(Duration::from_secs(30));
    let permit = house.may(&house.business, Action::AliasChange, AliasRef { id: alias.id }).await;
    let extended = house.alias.change(&permit, lasting(Some(Duration::from_secs(90)))).await.unwrap();
    assert_eq!(extended.expires_at, Some(house.store.now().plus(Duration::from_secs(90))));
    house.clock.advance(Duration::from_secs(90));
    assert_eq!(house.alias.get(&permit).await.unwrap().status, AliasStatus::Expired);
    assert_eq!(code(house.alias.change(&permit, lasting(None)).await), "alias_expired");
}

#[tokio::test]
async fn a_partner_sees_only_what_its_audience_bound_in_tokens_of_its_own() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let partner = house.partner("courier").await;
    let own = house.bound("ax", ANN, None).await;
    let permit = house.may(&partner, Action::AliasBind, NewAlias {}).await;
    let theirs = house.alias.bind(&permit, house.wish("ax", BEN, None).await).await.unwrap();

    let list = |who| house.may(who, Action::AliasRead, AliasList {});
    let seen = house.alias.list(&list(&partner).await, AliasQuery { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!(seen.iter().map(|alias| alias.id).collect::<Vec<_>>(), [theirs.id]);
    let all =
        house.alias.list(&list(&house.business).await, AliasQuery { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!(all.len(), 2);
    let for_tenant = all.iter().find(|alias| alias.id == theirs.id).unwrap();
    assert_ne!(for_tenant.a.as_str(), theirs.a.as_str(), "another audience, another token");

    let foreign = house.may(&partner, Action::AliasRead, AliasRef { id: own.id }).await;
    assert_eq!(code(house.alias.get(&foreign).await), "not_found");
    assert_eq!(code(house.alias.history(&foreign, None, 10).await), "not_found");
}
