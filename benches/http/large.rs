//! What tokens take on disk, and how a store of many million of them serves.

use crate::load::{Slice, drive, quantile_ms};
use crate::plan::Plan;
use crate::rows::{House, Row};
use crate::service::Service;
use crate::table::{Line, grouped};

/// Named so that a filter can ask for it.
pub const DISK: &str = "disk for each vaulted token, entry included";
/// The store that the large one is compared with.
const SMALL: u64 = 100_000;

/// Tokens made one by one, each with its entry, and what the file grew by.
pub async fn disk(plan: &Plan) -> Line {
    let mut service = Service::start_to_measure("");
    let mut house = House::furnish(&service).await;
    let before = service.disk();
    let mut load = house.load(&service, Row::VaultedNew).await;
    let made = drive(service.port, plan.connections, plan.long(), load.as_mut()).await.requests;
    let each = (service.disk() - before) as f64 / made as f64;
    Line::plain(DISK, format!("{each:.0} bytes"), "≤ 400", Some(each <= 400.0))
}

/// Builds a store of `tokens` tokens through the service, and serves from it what it served when it was small.
pub async fn rows(plan: &Plan, tokens: u64) -> Vec<Line> {
    let mut service = Service::start_to_measure("");
    let mut house = House::furnish(&service).await;
    let mut sample = house.fill(&service, SMALL).await;
    let small = [reading(plan, &service, &house, &sample).await, making(plan, &service, &mut house).await];
    let before = service.disk();
    sample.extend(house.fill(&service, tokens.saturating_sub(SMALL)).await);
    let each = (service.disk() - before) as f64 / tokens.saturating_sub(SMALL) as f64;
    let large = [reading(plan, &service, &house, &sample).await, making(plan, &service, &mut house).await];

    let name = format!("{} tokens", grouped(tokens as f64));
    let mut lines = Vec::new();
    for ((what, aim), [small, large]) in [("reading at random", 0.95), ("vaulted tokenize, new numbers", 0.7)]
        .into_iter()
        .zip([[&small[0], &large[0]], [&small[1], &large[1]]])
    {
        lines.push(line(format!("{what}, 100,000 tokens"), small, String::new(), None));
        let ratio = large.per_second() / small.per_second();
        let aim_text = format!("≥ {aim:.2} × of 100,000");
        lines.push(line(format!("{what}, {name}: {ratio:.2} ×"), large, aim_text, Some(ratio >= aim)));
    }
    let figure = format!("{each:.0} bytes");
    lines.push(Line::plain(format!("disk for each token of batches, {name}"), figure, "≤ 400", Some(each <= 400.0)));
    let resident = service.resident_mb();
    lines.push(Line::plain(
        format!("resident memory, {name}"),
        format!("{resident:.0} MB"),
        "≤ 64 MB",
        Some(resident <= 64.0),
    ));
    lines
}

async fn reading(plan: &Plan, service: &Service, house: &House, sample: &[String]) -> Slice {
    service.settle().await;
    drive(service.port, plan.connections, plan.long(), &mut house.reading(sample)).await
}

async fn making(plan: &Plan, service: &Service, house: &mut House) -> Slice {
    service.settle().await;
    let mut load = house.load(service, Row::VaultedNew).await;
    drive(service.port, plan.connections, plan.long(), load.as_mut()).await
}

fn line(what: String, slice: &Slice, aim: String, met: Option<bool>) -> Line {
    let mut latencies = slice.latencies.clone();
    let latency = (quantile_ms(&mut latencies, 0.5), quantile_ms(&mut latencies, 0.99));
    let figure = format!("{} requests/s", grouped(slice.per_second()));
    Line { latency: Some(latency), ..Line::plain(what, figure, &aim, met) }
}
