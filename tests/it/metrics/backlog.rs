//! A scrape waits for nothing, however long the backlog.

use std::time::{Duration, Instant};

use ferry::pipeline::SourceLabels;
use ferry_store::NewSubmission;

use super::scraped::{Scraped, until};
use crate::support::{World, dataset, of_environment, prompt};
use ferry_testing::{own_namespace, shared_server};

/// Submissions that are accepted at once.
const BATCH: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_is_fast_whatever_the_backlog_on_sqlite() {
    scrapes_are_fast(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_is_fast_whatever_the_backlog_on_redis() {
    let (redis, namespace) = (shared_server().await, own_namespace());
    scrapes_are_fast(&[("STORE", &redis.url()), ("NAMESPACE", &namespace)]).await;
}

/// `SCRAPE_BACKLOG=1000000 cargo test --test it scrape_is_fast -- --nocapture` takes some minutes.
async fn scrapes_are_fast(store: &[(&str, &str)]) {
    let world = World::idle(prompt(), store).await;
    let total = of_environment("SCRAPE_BACKLOG", 5000);
    let intake = world.app.intake();
    for batch in 0..total / BATCH {
        let prepare = |n: u64| -> NewSubmission {
            let name = format!("b{:07}", batch * BATCH + n);
            intake.prepare(dataset(&name), &SourceLabels::default()).unwrap().new
        };
        intake.accept((0..BATCH).map(prepare).collect()).await.unwrap();
    }
    let server = Scraped::start(&world, "server", &["serve", "--no-workers"], &[]).await;
    let ready = || server.sum("ferry_queue_steps", "state=\"ready\"");
    until(|| server.scrape(), || (ready() - total as f64).abs() < 0.5).await;
    let scrapes = (0..20).map(|_| {
        let started = Instant::now();
        server.scrape();
        started.elapsed()
    });
    let slowest = scrapes.max().unwrap();
    let requested = Instant::now();
    world.app.store.stats().await.unwrap();
    println!(
        "{total} queued: a scrape {slowest:?}, the question behind it {:?}",
        requested.elapsed()
    );
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
    assert!(server.terminate().success());
}
