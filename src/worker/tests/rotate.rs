//! Keys that turn while everything goes on.

use super::*;
use crate::access::Keys;
use crate::config::Rotation;
use crate::event::{Actor, Event, What};
use crate::ids::RecordId;
use crate::keyring::Owner;
use crate::store::TokenRow;
use crate::worker::rotate::{Rotate, Step};

fn rotate(house: &House, settle_s: u32) -> Rotate {
    let mut rooms = rooms(house);
    rooms.rotation = Rotation { settle_s, ..Rotation::default() };
    Rotate { rooms }
}

/// Makes and begins the next version of the tenant's `seal` key.
async fn turn(house: &House) {
    let permit = house.operate(Action::KeyManage, Keys {}).await;
    house.access.rotate_key(&permit, "seal").await.unwrap();
    house.clock.advance(Duration::from_secs(2));
    house.keyring.follow().await;
}

impl Rotate {
    /// One batch of what is to be done now.
    async fn next(&self) -> Result<Step, crate::keyring::KeyError> {
        self.step(&self.wanted().await?).await
    }
}

/// Works until a pass ends. Gives how many versions it retired.
async fn pass(rotate: &Rotate) -> usize {
    loop {
        match rotate.next().await.unwrap() {
            Step::Ended(retired) => return retired,
            Step::Worked => {}
            Step::Idle => panic!("nothing to do"),
        }
    }
}

async fn versions(house: &House) -> Vec<u16> {
    let keys = house.store.wrapped_keys().await.unwrap();
    let ours = keys.iter().filter(|key| key.purpose == "seal" && key.owner == house.tenant.to_string());
    ours.map(|key| key.version).collect()
}

/// `count` token records, sealed as the vault seals them.
async fn tokens(house: &House, count: u64) -> Vec<RecordId> {
    let keys = house.keyring.tenant(house.tenant).await.unwrap();
    let first = house.store.reserve_records(count).await.unwrap();
    let records: Vec<_> = (0..count).map(|n| RecordId(first.0 + n)).collect();
    let number = |n: u64| crate::phone::PhoneNumber::from_digits(447_700_900_000 + n % 1_000).unwrap();
    let writes = records.iter().enumerate().map(|(n, id)| {
        let number = number(n as u64);
        Write::Token(TokenRow {
            id: *id,
            tenant: house.tenant,
            index: keys.index(&number),
            canonical: false,
            number: keys.seal_number(*id, &number),
            created_at: house.store.now(),
            expires_at: None,
            metadata: None,
        })
    });
    let event = Event {
        at: house.store.now(),
        tenant: Some(house.tenant),
        actor: Actor::Worker,
        policy: None,
        what: What::Swept {},
    };
    house.store.commit(Change { events: vec![event], writes: writes.collect() }).await.unwrap();
    records
}

async fn opens(house: &House, records: &[RecordId]) {
    let keys = house.keyring.tenant(house.tenant).await.unwrap();
    for id in records {
        let row = house.store.token(house.tenant, *id).await.unwrap().unwrap();
        keys.open_number(*id, &row.number).unwrap();
    }
}

#[tokio::test]
async fn everything_that_an_old_version_sealed_is_sealed_anew_and_then_the_version_goes() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let x = house.bound("ax", ANN, None).await.number;
    house.write(BEN, x, "one").await;
    let records = tokens(&house, 1_234).await;
    turn(&house).await;
    let rotate = rotate(&house, 0);
    assert_eq!(pass(&rotate).await, 0, "the first pass finds something");
    assert_eq!(versions(&house).await, [1, 2]);
    assert_eq!(pass(&rotate).await, 1, "the second finds nothing");
    assert_eq!(versions(&house).await, [2]);
    assert_eq!(rotate.next().await.unwrap(), Step::Idle);
    house.keyring.follow().await;
    opens(&house, &records).await;
    // The message of the time before goes out with its body, and can be answered.
    assert_eq!(house.outbox().await.len(), 1);
    house.write(ANN, x, "hello").await;
    assert_eq!(house.outbox().await.len(), 1);
    let told = house.entries("key.resealed").await;
    let count: u64 = told.iter().map(|entry| entry["ciphertexts"].as_u64().unwrap()).sum();
    assert!(count >= 1_234 + 3, "tokens, the stranger and the body: {count}");
    assert_eq!(house.entries("key.retired").await.len(), 1);
}

#[tokio::test]
async fn a_pass_goes_on_where_a_crash_left_it() {
    let house = House::new().await;
    let records = tokens(&house, 2_000).await;
    turn(&house).await;
    let first = rotate(&house, 0);
    first.next().await.unwrap();
    first.next().await.unwrap();
    let left = house.store.reseal_pass().await.unwrap().unwrap();
    assert!(left.resealed > 0 && left.resealed < 2_000);
    drop(first);
    // A later process finds the pass, and does the last batch of the earlier one twice without harm.
    house.store.save_reseal_pass(Some(&crate::store::ResealPass { after: Vec::new(), ..left.clone() })).await.unwrap();
    let later = rotate(&house, 0);
    while later.next().await.unwrap() == Step::Worked {}
    assert_eq!(pass(&later).await, 1);
    house.keyring.follow().await;
    opens(&house, &records).await;
}

#[tokio::test]
async fn a_version_that_somebody_may_still_use_is_not_looked_for_nor_retired() {
    let house = House::new().await;
    tokens(&house, 3).await;
    turn(&house).await;
    let rotate = rotate(&house, 60);
    assert_eq!(rotate.next().await.unwrap(), Step::Idle);
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(pass(&rotate).await, 0);
    assert_eq!(pass(&rotate).await, 1);
}

#[tokio::test]
async fn what_does_not_open_keeps_its_version_alive() {
    let house = House::new().await;
    let records = tokens(&house, 3).await;
    let spoilt = house.store.token(house.tenant, records[1]).await.unwrap().unwrap().number;
    let mut changed = spoilt.clone();
    changed.0[20] ^= 1;
    let (tenant, at) = (house.tenant, crate::store::CellAt::Number(records[1]));
    let write = Write::Reseal { tenant, at, from: spoilt, to: changed };
    let event = Event { at: house.store.now(), tenant: None, actor: Actor::Worker, policy: None, what: What::Swept {} };
    house.store.commit(Change::telling(event).with(write)).await.unwrap();
    turn(&house).await;
    let rotate = rotate(&house, 0);
    for _ in 0..3 {
        assert_eq!(pass(&rotate).await, 0);
    }
    assert_eq!(versions(&house).await, [1, 2]);
}

#[tokio::test]
async fn an_erased_tenants_order_is_carried_out_after_a_crash() {
    let house = House::new().await;
    let owner = house.tenant.to_string();
    let what = What::KeyDestructionOrdered { owner: owner.clone() };
    let event = Event { at: house.store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
    house.store.commit(Change::telling(event).with(Write::DoomKeys { owner })).await.unwrap();
    work_until(&house, || async { house.entries("key.destroyed").await.len() == 1 }).await;
    assert!(house.keyring.tenant(house.tenant).await.is_err());
    assert_eq!(house.keyring.keks().await.unwrap().1, [Owner::System.to_string()]);
}

/// How many rows a second are re-encrypted beside writers: `cargo test --release rotation_pace -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn rotation_pace() {
    let house = House::new().await;
    for _ in 0..50 {
        tokens(&house, 2_000).await;
    }
    turn(&house).await;
    let rotate = rotate(&house, 0);
    let began = tokio::time::Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        let step = tokio::time::Instant::now();
        let done = matches!(rotate.next().await.unwrap(), Step::Ended(_));
        let rest = step.elapsed();
        let write = tokio::time::Instant::now();
        tokens(&house, 1).await;
        slowest = slowest.max(write.elapsed());
        sleep(rest).await;
        if done {
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    println!("100,000 rows in {took:.1} s: {:.0} rows/s with rests; slowest write beside it {slowest:?}", 1e5 / took);
}
