//! A worker that is stopped under load, as those see it who watch.

use std::time::{Duration, Instant};

use ferry_sim::{Processing, SimConfig};
use ferry_types::domain::submission::State;

use super::scraped::{Scraped, until};
use crate::support::{World, overwriting};

/// The metric, and the label, of what workers hold.
const LEASED: (&str, &str) = ("ferry_queue_steps", "state=\"running\"");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stopped_under_load_drains_in_time_and_the_next_scrape_shows_nothing_leased() {
    let sim = SimConfig {
        latency: Duration::from_millis(300),
        processing: Processing::Fixed(Duration::from_millis(50)),
        ..SimConfig::default()
    };
    let world = World::idle(sim, &[("DRAIN", "5s"), ("CONCURRENCY", "32")]).await;
    let total = 400;
    world.submit_all((0..total).map(|n| overwriting(&format!("d{n:03}")))).await;
    // Nothing is due to others before the leases of a worker end that gives nothing back.
    let worker = Scraped::start(&world, "worker", &["worker"], &[("LEASE", "10m")]).await;
    let server = Scraped::start(&world, "server", &["serve", "--no-workers"], &[]).await;
    let scrape = || server.scrape();
    until(scrape, || server.sum("ferry_queue_submissions", "state=\"completed\"") >= 20.0).await;
    until(scrape, || server.sum(LEASED.0, LEASED.1) >= 20.0).await;

    let requested = Instant::now();
    assert!(worker.terminate().success());
    println!("stopped {:?} after SIGTERM under load", requested.elapsed());
    assert!(requested.elapsed() < Duration::from_secs(5), "its grace time");
    let last_look = || server.sum("ferry_queue_metrics_timestamp_seconds", "");
    // The first may have begun before the worker had ended.
    for _ in 0..2 {
        let before = last_look();
        until(scrape, || last_look() > before).await;
    }
    assert!(server.sum(LEASED.0, LEASED.1) < 1.0, "{}", server.scrape());
    assert!(server.sum("ferry_queue_steps", "state=\"ready\"") > 100.0, "it was under load");

    let worker = Scraped::start(&world, "next", &["worker"], &[]).await;
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), total, "{stats:#?}");
    assert!(worker.terminate().success() && server.terminate().success());
    let ledger = world.sim.ledger();
    assert_eq!(ledger.names.len() as u64, total);
    assert_eq!(ledger.doubled().len(), 0, "no upload was left in doubt");
    world.finish().await;
}
