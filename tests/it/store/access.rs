//! Tenants, credentials, freezes, audiences, keys.

use std::time::Duration;

use bauta::event::Role;
use bauta::ids::{TenantId, fresh};
use bauta::store::{Conflict, CredentialRow, Proof, Proofs, SigningKey, With, WrappedKey, Write};

use super::World;

fn credential(world: &World, tenant: TenantId) -> CredentialRow {
    let id = fresh();
    let mut secret = [1; 32];
    secret[..16].copy_from_slice(&bauta::ids::bytes(&id));
    CredentialRow {
        id,
        tenant,
        secret,
        person: "Lan".into(),
        role: Role::Partner,
        audience: Some("courier".into()),
        networks: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        created_at: world.now(),
        ends_at: None,
        proofs: Proofs {
            keyless: true,
            certificate: Some([7; 32]),
            signing: Some(SigningKey::Hmac([9; 16])),
            requires: With::NONE.and(Proof::ClientCert).and(Proof::Signature),
        },
    }
}

pub async fn the_directory_moves_with_whatever_decides_who_a_caller_is(world: World) {
    let tenant = world.tenant_row();
    let key = credential(&world, tenant.id);
    let (id, owner) = (key.id, tenant.id);
    let mut version = world.store.directory_version().await.unwrap();
    for write in [
        Write::Tenant(tenant.clone()),
        Write::Credential(key.clone()),
        Write::EndCredential { tenant: owner, id, at: world.now() },
        Write::Freeze { target: owner.to_string(), on: true },
        Write::Audience { tenant: owner, audience: "courier".into() },
    ] {
        let told = format!("{write:?}");
        world.write(write).await.unwrap();
        let moved = world.another().directory_version().await.unwrap();
        assert!(moved > version, "{told}");
        version = moved;
    }
    let rows = world.store.directory().await.unwrap();
    assert_eq!(rows.version, version);
    assert_eq!(rows.tenants, [tenant]);
    assert_eq!(rows.credentials, [CredentialRow { ends_at: Some(world.now()), ..key }]);
    assert_eq!(rows.frozen, [owner.to_string()]);
    assert_eq!(rows.audiences, [(owner, "courier".to_owned())]);

    world.write(Write::Audience { tenant: owner, audience: "courier".into() }).await.unwrap();
    assert_eq!(world.store.directory_version().await.unwrap(), version, "nothing new, nothing moved");
    world.write(Write::Freeze { target: owner.to_string(), on: false }).await.unwrap();
    assert!(world.store.directory().await.unwrap().frozen.is_empty());
}

pub async fn names_and_ids_are_given_once(world: World) {
    let tenant = world.tenant_row();
    world.write(Write::Tenant(tenant.clone())).await.unwrap();
    let namesake = bauta::store::TenantRow { id: fresh(), ..tenant.clone() };
    World::refused(world.write(Write::Tenant(namesake)).await, Conflict::Exists);
    let key = credential(&world, tenant.id);
    world.write(Write::Credential(key.clone())).await.unwrap();
    World::refused(world.write(Write::Credential(key)).await, Conflict::Exists);
    World::refused(world.write(Write::Credential(credential(&world, fresh()))).await, Conflict::Missing);
}

pub async fn an_ended_credential_keeps_the_earlier_end(world: World) {
    let tenant = world.tenant().await;
    let key = credential(&world, tenant);
    let id = key.id;
    world.write(Write::Credential(key)).await.unwrap();
    let soon = world.now().plus(Duration::from_secs(60));
    for at in [soon, soon.plus(Duration::from_secs(3_600))] {
        world.write(Write::EndCredential { tenant, id, at }).await.unwrap();
        assert_eq!(world.store.directory().await.unwrap().credentials[0].ends_at, Some(soon));
    }
    let end = |tenant, id| Write::EndCredential { tenant, id, at: soon };
    World::refused(world.write(end(tenant, fresh())).await, Conflict::Missing);
    World::refused(world.write(end(fresh(), id)).await, Conflict::Missing);
}

pub async fn a_key_version_is_made_once(world: World) {
    let key = WrappedKey {
        owner: "system".into(),
        purpose: "seal".into(),
        version: 1,
        wrapped: vec![1, 2, 3],
        created_at: world.now(),
    };
    world.write(Write::Key(key.clone())).await.unwrap();
    let rival = WrappedKey { wrapped: vec![9], ..key.clone() };
    World::refused(world.write(Write::Key(rival)).await, Conflict::Exists);
    assert_eq!(world.another().wrapped_keys().await.unwrap(), [key]);
}
