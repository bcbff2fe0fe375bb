//! Calls: each begins, is answered and ends once.

use std::time::Duration;

use bauta::ids::fresh;
use bauta::store::{BlindIndex, CallRow, CallWrite, Conflict, Write};

use super::{World, person};

fn call(world: &World, reference: BlindIndex) -> CallRow {
    CallRow {
        id: fresh(),
        reference,
        tenant: fresh(),
        alias: fresh(),
        screened: true,
        started_at: world.now(),
        answered_at: None,
        ended_at: None,
        until: world.now().plus(Duration::from_secs(3_600)),
    }
}

pub async fn a_call_begins_is_answered_and_ends_once_each(world: World) {
    let row = call(&world, person(1));
    let start = |row: &CallRow| Write::Call(CallWrite::Start(row.clone()));
    world.write(start(&row)).await.unwrap();
    World::refused(world.write(start(&call(&world, person(1)))).await, Conflict::Exists);
    assert_eq!(world.another().call(person(1)).await.unwrap(), Some(row.clone()), "as another process sees it");
    assert_eq!(world.store.call(person(2)).await.unwrap(), None);

    world.pass(5);
    world.write(Write::Call(CallWrite::Answer { id: row.id })).await.unwrap();
    World::refused(world.write(Write::Call(CallWrite::Answer { id: row.id })).await, Conflict::Taken);
    world.pass(5);
    world.write(Write::Call(CallWrite::End { id: row.id })).await.unwrap();
    for late in [CallWrite::End { id: row.id }, CallWrite::Answer { id: row.id }, CallWrite::End { id: fresh() }] {
        World::refused(world.write(Write::Call(late)).await, Conflict::Taken);
    }
    let kept = world.store.call(person(1)).await.unwrap().unwrap();
    assert_eq!(
        (kept.answered_at, kept.ended_at),
        (Some(row.started_at.plus(Duration::from_secs(5))), Some(world.now()))
    );
}

pub async fn a_call_is_forgotten_when_its_time_is_over(world: World) {
    world.write(Write::Call(CallWrite::Start(call(&world, person(1))))).await.unwrap();
    world.pass(3_599);
    world.write(Write::Sweep).await.unwrap();
    assert!(world.store.call(person(1)).await.unwrap().is_some());
    world.pass(1);
    world.write(Write::Sweep).await.unwrap();
    assert!(world.store.call(person(1)).await.unwrap().is_none());
}
