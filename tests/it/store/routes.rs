//! Routes: versions of a tenant's set, ways that are closed, and lanes with bounds.

use std::time::Duration;

use bauta::ids::{TenantId, fresh};
use bauta::store::{Class, ClosedRoute, Conflict, Lane, OutboxRow, Room, RouteSetRow, Task, Write};

use super::{World, person};

fn set(world: &World, tenant: TenantId, version: u32) -> Write {
    Write::SetRoutes(RouteSetRow {
        tenant,
        version,
        rules: format!("[{version}]"),
        author: "Lan".into(),
        approver: None,
        at: world.now(),
    })
}

fn closed(world: &World, tenant: TenantId, class: Class) -> ClosedRoute {
    let (carrier, country) = ("main".to_owned(), "GB".to_owned());
    ClosedRoute { tenant, carrier, country, class, complaints: 3, sent: 1_000, since: world.now() }
}

pub async fn a_set_comes_into_force_over_the_version_before_and_is_each_tenants_own(world: World) {
    let (one, two) = (world.tenant().await, world.tenant().await);
    let before = world.store.routes_version().await.unwrap();
    World::refused(world.write(set(&world, one, 2)).await, Conflict::RoutesMoved);
    world.write(set(&world, one, 1)).await.unwrap();
    World::refused(world.write(set(&world, one, 1)).await, Conflict::RoutesMoved);
    world.write(set(&world, one, 2)).await.unwrap();
    world.write(set(&world, two, 1)).await.unwrap();
    let rows = world.another().routes().await.unwrap();
    assert!(rows.version > before, "every process learns that they moved");
    let mut found: Vec<_> = rows.sets.into_iter().map(|row| (row.tenant, row.version, row.rules)).collect();
    found.sort_by_key(|row| row.0);
    let mut wanted = vec![(one, 2, "[2]".to_owned()), (two, 1, "[1]".to_owned())];
    wanted.sort_by_key(|row| row.0);
    assert_eq!(found, wanted);
}

pub async fn of_several_who_close_or_open_a_way_one_does(world: World) {
    let (one, two) = (fresh(), fresh());
    let row = closed(&world, one, Class::Marketing);
    world.write(Write::CloseRoute(row.clone())).await.unwrap();
    World::refused(world.write(Write::CloseRoute(row.clone())).await, Conflict::Exists);
    for other in [closed(&world, one, Class::Notice), closed(&world, two, Class::Marketing)] {
        world.write(Write::CloseRoute(other)).await.unwrap();
    }
    assert_eq!(world.another().routes().await.unwrap().closed.len(), 3);
    let (carrier, country) = (row.carrier, row.country);
    let open = || Write::OpenRoute {
        tenant: one,
        carrier: carrier.clone(),
        country: country.clone(),
        class: Class::Marketing,
    };
    world.write(open()).await.unwrap();
    World::refused(world.write(open()).await, Conflict::Missing);
    let left = world.store.routes().await.unwrap().closed;
    assert!(left.len() == 2 && left.contains(&closed(&world, two, Class::Marketing)), "{left:?}");
}

pub async fn a_claim_takes_no_more_of_a_lane_than_there_is_room_for(world: World) {
    for n in 0..30 {
        let lane = Lane::ALL[n % 3];
        let row = OutboxRow {
            id: fresh(),
            tenant: fresh(),
            task: Task::Message(fresh()),
            lane,
            conversation: person(n as u64),
            credential: None,
            policy: "p1".into(),
            due: world.now(),
            attempts: 0,
        };
        world.write(Write::Enqueue(row)).await.unwrap();
    }
    let counts = async |room: Room| {
        let until = world.now().plus(Duration::from_secs(60));
        let rows = world.store.claim_within("w", until, room).await.unwrap();
        Lane::ALL.map(|lane| rows.iter().filter(|row| row.lane == lane).count())
    };
    assert_eq!(counts(Room::bounded(10, 6, 2)).await, [10, 0, 0], "codes take what there is");
    assert_eq!(counts(Room::bounded(10, 6, 2)).await, [0, 6, 0], "notices leave places to codes");
    let left = Room::bounded(10, 6, 2).less(Lane::Notice, 3);
    assert_eq!(counts(left).await, [0, 3, 0], "and fill what marketing would");
    assert_eq!(counts(Room::bounded(10, 6, 2)).await, [0, 1, 2]);
    let full = Room::bounded(10, 6, 2).less(Lane::Marketing, 2);
    assert_eq!(world.store.next_due_within(full).await.unwrap(), Some(world.now().plus(Duration::from_secs(60))));
    assert_eq!(world.store.next_due_within(Room::of(1)).await.unwrap(), Some(world.now()), "marketing waits");
    assert_eq!(counts(full).await, [0, 0, 0]);
}
