//! What a freeze stops, and that it does so at once.

use std::sync::atomic::Ordering;

use super::*;
use crate::ids::{self, AliasId, CredentialId, RecordId};
use crate::phone::VirtualNumber;
use crate::store::*;

async fn switch(world: &World, target: String, on: bool) -> Result<(), AccessError> {
    let operator = world.who(Role::Operator).await;
    let permit = world.access.authorize(&operator, Action::Freeze, FreezeSwitch { target }).await?;
    world.access.freeze(permit, on).await
}

async fn bind(world: &World) -> Result<Permit<NewAlias>, Denied> {
    world.access.authorize(&world.who(Role::Business).await, Action::AliasBind, NewAlias {}).await
}

async fn an_alias(world: &World, tenant: crate::ids::TenantId) -> AliasRow {
    AliasRow {
        id: ids::fresh(),
        tenant,
        mode: AliasMode::Ax,
        number: VirtualNumber::from_digits(12_125_550_123).unwrap(),
        number_y: None,
        extension: None,
        pool: ids::fresh(),
        a: Party { record: RecordId(1), index: BlindIndex([1; 16]) },
        b: None,
        members: Vec::new(),
        disclose: Disclose::None,
        unknown: Unknown::Reply,
        content: None,
        capabilities: vec!["sms".into()],
        audience: None,
        credential: world.who(Role::Business).await.credential,
        status: AliasStatus::Active,
        metadata: None,
        created_at: world.now(),
        expires_at: None,
    }
}

fn a_row(world: &World, task: Task, credential: Option<CredentialId>) -> OutboxRow {
    OutboxRow {
        id: ids::fresh(),
        tenant: world.tenant,
        task,
        lane: Lane::Code,
        conversation: BlindIndex([2; 16]),
        credential,
        policy: "0123456789abcdef".into(),
        due: world.now(),
        attempts: 0,
    }
}

async fn a_code(world: &World) -> OutboxRow {
    a_row(world, Task::Code(ids::fresh(), 0), Some(world.who(Role::Business).await.credential))
}

/// A message through `alias`, stored, and its outbox row.
fn a_message(world: &World, alias: &AliasRow) -> OutboxRow {
    let id = ids::fresh();
    world.store.state().messages.push(MessageRow {
        id,
        tenant: alias.tenant,
        alias: Some(alias.id),
        sender: "number".into(),
        from: Shown::Number(alias.number),
        class: Class::Relay,
        to: Recipient::Person(RecordId(1)),
        body: None,
        disclosed: None,
        status: DeliveryStatus::Queued,
        parts: 1,
        created_at: world.now(),
        expires_at: world.now(),
        asked: None,
        progress: Progress::default(),
    });
    a_row(world, Task::Message(id), None)
}

#[tokio::test]
async fn a_frozen_credential_does_nothing_from_the_next_call_on() {
    let world = World::new().await;
    let business = world.who(Role::Business).await;
    bind(&world).await.unwrap();
    switch(&world, business.credential.to_string(), true).await.unwrap();
    assert!(matches!(bind(&world).await, Err(Denied::Frozen)), "though the decision is remembered");
    let own = world.access.authorize(&business, Action::AuditRead, AuditLog { own: true }).await;
    assert!(matches!(own, Err(Denied::Frozen)));
    let successor = world.access.rotate(&world.admin().await, business.credential, None).await;
    assert!(matches!(successor, Err(AccessError::Denied(Denied::Frozen))), "no way around by a new key");
    switch(&world, business.credential.to_string(), false).await.unwrap();
    bind(&world).await.unwrap();
}

#[tokio::test]
async fn a_freeze_holds_here_though_the_directory_cannot_be_read_after_it() {
    let world = World::new().await;
    world.store.unreadable.store(true, Ordering::SeqCst);
    switch(&world, world.tenant.to_string(), true).await.unwrap();
    assert!(matches!(bind(&world).await, Err(Denied::Frozen)));
}

#[tokio::test]
async fn a_frozen_tenant_can_still_be_understood_and_thawed() {
    let world = World::new().await;
    let target = world.tenant.to_string();
    switch(&world, target.clone(), true).await.unwrap();
    assert!(matches!(bind(&world).await, Err(Denied::Frozen)));
    let reveal =
        world.access.authorize(&world.who(Role::Custodian).await, Action::TokenReveal, a_token(Some("legal"))).await;
    assert!(matches!(reveal, Err(Denied::Frozen)));
    let keys = world
        .access
        .authorize(&world.who(Role::Admin).await, Action::CredentialManage, Credentials { grants: None })
        .await;
    assert!(matches!(keys, Err(Denied::Frozen)));
    let log = world.access.authorize(&world.who(Role::Auditor).await, Action::AuditRead, AuditLog { own: false }).await;
    assert!(log.is_ok());
    switch(&world, target, false).await.unwrap();
    bind(&world).await.unwrap();
}

#[tokio::test]
async fn a_freeze_and_its_thaw_are_told() {
    let world = World::new().await;
    world.told();
    switch(&world, world.tenant.to_string(), true).await.unwrap();
    switch(&world, world.tenant.to_string(), false).await.unwrap();
    let told = world.told();
    assert!(matches!(&told[0].what, What::Frozen { target } if *target == world.tenant.to_string()));
    assert!(matches!(&told[1].what, What::Thawed { target } if *target == world.tenant.to_string()));
}

#[tokio::test]
async fn an_alias_of_another_tenant_or_of_nobody_is_not_found() {
    let world = World::new().await;
    let foreign = an_alias(&world, world.other).await;
    world.store.state().aliases.push(foreign.clone());
    let nobody: AliasId = ids::fresh();
    for id in [foreign.id, nobody] {
        assert!(matches!(switch(&world, id.to_string(), true).await, Err(AccessError::NotFound)));
    }
    assert!(world.access.for_crossing(&foreign).is_ok());
}

#[tokio::test]
async fn a_delivery_is_void_when_tenant_or_credential_is_frozen_or_the_credential_ended() {
    let world = World::new().await;
    let row = a_code(&world).await;
    let credential = row.credential.unwrap();
    let permit = world.access.for_delivery(row.clone()).await.unwrap();
    assert_eq!((permit.tenant(), permit.credential()), (world.tenant, Some(credential)));
    assert_eq!(permit.policy(), "0123456789abcdef", "the version that decided then");
    for target in [world.tenant.to_string(), credential.to_string()] {
        switch(&world, target.clone(), true).await.unwrap();
        assert!(matches!(world.access.for_delivery(row.clone()).await, Err(Denied::Frozen)));
        switch(&world, target, false).await.unwrap();
        assert!(world.access.for_delivery(row.clone()).await.is_ok());
    }
    world.access.revoke(&world.admin().await, credential).await.unwrap();
    assert!(matches!(world.access.for_delivery(row).await, Err(Denied::Forbidden)));
}

#[tokio::test]
async fn a_frozen_alias_neither_takes_nor_delivers() {
    let world = World::new().await;
    let (frozen, free) = (an_alias(&world, world.tenant).await, an_alias(&world, world.tenant).await);
    world.store.state().aliases.extend([frozen.clone(), free.clone()]);
    let (stopped, carried) = (a_message(&world, &frozen), a_message(&world, &free));
    assert!(world.access.for_delivery(stopped.clone()).await.is_ok());
    switch(&world, frozen.id.to_string(), true).await.unwrap();
    assert!(matches!(world.access.for_crossing(&frozen), Err(Denied::Frozen)));
    assert!(matches!(world.access.for_delivery(stopped).await, Err(Denied::Frozen)));
    assert!(world.access.for_crossing(&free).is_ok());
    assert!(world.access.for_delivery(carried).await.is_ok());
}

#[tokio::test]
async fn freezing_the_credential_or_tenant_behind_an_alias_stops_its_relay() {
    let world = World::new().await;
    let alias = an_alias(&world, world.tenant).await;
    world.store.state().aliases.push(alias.clone());
    let row = a_message(&world, &alias);
    for target in [alias.credential.to_string(), world.tenant.to_string()] {
        switch(&world, target.clone(), true).await.unwrap();
        assert!(matches!(world.access.for_crossing(&alias), Err(Denied::Frozen)));
        assert!(matches!(world.access.for_delivery(row.clone()).await, Err(Denied::Frozen)));
        switch(&world, target, false).await.unwrap();
    }
    world.access.revoke(&world.admin().await, alias.credential).await.unwrap();
    assert!(world.access.for_crossing(&alias).is_ok(), "people keep their alias when a key is retired");
}

#[tokio::test]
async fn upkeep_goes_on_through_a_freeze() {
    let world = World::new().await;
    switch(&world, world.tenant.to_string(), true).await.unwrap();
    let permit = world.access.upkeep(world.tenant);
    assert_eq!((permit.tenant(), permit.brand(), permit.sees_all()), (world.tenant, "Market", false));
}
