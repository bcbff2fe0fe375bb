//! Who does not want to be written to, and messages that no alias brings about.

use bauta::ids::{RecordId, SuppressionId, TenantId, fresh};
use bauta::store::{
    Asked, BlindIndex, Class, MessageRow, Recipient, Registration, Scope, Sealed, Shown, Spared, Suppression, TokenRow,
    Write,
};

use super::aliases::x;
use super::messages::message;
use super::{World, person};

async fn suppress(world: &World, tenant: TenantId, index: BlindIndex, scope: Scope) {
    let row = Suppression { tenant, index, scope, source: "api".into(), at: world.now() };
    world.write(Write::Suppress(row)).await.unwrap();
}

async fn lift(world: &World, tenant: TenantId, index: BlindIndex, scopes: &[Scope]) {
    world.write(Write::Unsuppress { tenant, index, scopes: scopes.to_vec() }).await.unwrap();
}

pub async fn a_suppression_stands_until_it_is_lifted_and_for_its_tenant_alone(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let scopes = [Scope::Number(x(0)), Scope::Marketing, Scope::Notice, Scope::All];
    for scope in scopes {
        suppress(&world, tenant, person(1), scope).await;
        suppress(&world, tenant, person(1), scope).await;
    }
    let sorted = |mut scopes: Vec<Scope>| {
        scopes.sort();
        scopes
    };
    assert_eq!(sorted(world.store.suppressed(tenant, person(1)).await.unwrap()), scopes);
    assert!(world.store.suppressed(other, person(1)).await.unwrap().is_empty());
    assert!(world.store.suppressed(tenant, person(2)).await.unwrap().is_empty());
    lift(&world, tenant, person(1), &[Scope::Number(x(0)), Scope::All]).await;
    assert_eq!(sorted(world.store.suppressed(tenant, person(1)).await.unwrap()), [Scope::Marketing, Scope::Notice]);
    lift(&world, other, person(1), &[]).await;
    assert_eq!(world.store.suppressed(tenant, person(1)).await.unwrap().len(), 2, "another tenant lifts nothing");
    lift(&world, tenant, person(1), &[]).await;
    assert!(world.store.suppressed(tenant, person(1)).await.unwrap().is_empty());
}

pub async fn suppressions_are_listed_newest_first_and_the_first_is_told_to_every_process(world: World) {
    let tenant = world.tenant().await;
    let before = world.store.directory_version().await.unwrap();
    assert!(world.store.directory().await.unwrap().suppressions.is_empty());
    suppress(&world, tenant, person(1), Scope::Marketing).await;
    let after = world.store.directory_version().await.unwrap();
    assert!(after > before, "processes learn to look");
    assert_eq!(world.store.directory().await.unwrap().suppressions, [tenant]);
    suppress(&world, tenant, person(2), Scope::All).await;
    assert_eq!(world.store.directory_version().await.unwrap(), after, "a second one costs them nothing");
    let page = |after: Option<SuppressionId>| world.store.suppressions(tenant, after, 1);
    let first = page(None).await.unwrap();
    assert_eq!(first[0].1.index, person(2));
    let second = page(Some(first[0].0)).await.unwrap();
    assert_eq!((second[0].1.index, second[0].1.scope), (person(1), Scope::Marketing));
    assert!(page(Some(second[0].0)).await.unwrap().is_empty());
}

fn registration() -> Registration {
    Registration { campaign_id: Some("C7Q2".into()), ..Registration::default() }
}

fn asked(world: &World, tenant: TenantId, record: RecordId) -> MessageRow {
    let asked = Asked {
        credential: fresh(),
        audience: Some("courier".into()),
        party: person(7),
        registration: Some(registration()),
    };
    MessageRow {
        alias: None,
        from: Shown::Sender("Rialto".into()),
        class: Class::Marketing,
        to: Recipient::Person(record),
        disclosed: Some(Sealed(vec![2; 30])),
        asked: Some(asked),
        ..message(world, tenant, fresh())
    }
}

pub async fn a_message_that_no_alias_brings_about_is_kept_whole(world: World) {
    let tenant = world.tenant().await;
    let row = asked(&world, tenant, RecordId(4));
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    let stored = world.store.message(tenant, row.id).await.unwrap().unwrap();
    assert_eq!((stored.alias, &stored.from, stored.class), (None, &row.from, Class::Marketing));
    assert_eq!((stored.asked, stored.disclosed, stored.progress), (row.asked, row.disclosed, row.progress));
    let house = MessageRow { from: Shown::House, ..asked(&world, tenant, RecordId(4)) };
    world.write(Write::Message(Box::new(house.clone()))).await.unwrap();
    assert_eq!(world.store.message(tenant, house.id).await.unwrap().unwrap().from, Shown::House);
    world.pass(86_400);
    world.write(Write::Sweep).await.unwrap();
    let swept = world.store.message(tenant, row.id).await.unwrap().unwrap();
    assert_eq!((swept.body, swept.disclosed), (None, None), "what a tenant may learn of a text goes with its time");
}

pub async fn a_message_is_found_with_what_its_person_is_spared(world: World) {
    let tenant = world.tenant().await;
    let record = world.store.reserve_records(1).await.unwrap();
    let token = TokenRow {
        id: record,
        tenant,
        index: person(7),
        canonical: true,
        number: Sealed(vec![3; 40]),
        created_at: world.now(),
        expires_at: None,
        metadata: None,
    };
    world.write(Write::Token(token)).await.unwrap();
    let row = asked(&world, tenant, record);
    world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
    assert_eq!(world.store.spared(tenant, row.id).await.unwrap(), None);
    suppress(&world, tenant, person(7), Scope::Marketing).await;
    let spared = Spared { class: Class::Marketing, from: None, scopes: vec![Scope::Marketing] };
    assert_eq!(world.store.spared(tenant, row.id).await.unwrap(), Some(spared));
    assert_eq!(world.store.spared(world.tenant().await, row.id).await.unwrap(), None);
    let relayed = MessageRow { to: Recipient::Person(record), ..message(&world, tenant, fresh()) };
    world.write(Write::Message(Box::new(relayed.clone()))).await.unwrap();
    assert_eq!(world.store.spared(tenant, relayed.id).await.unwrap().unwrap().from, Some(x(0)));
}
