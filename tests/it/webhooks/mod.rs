//! Webhooks to receivers over HTTP.

mod delivering;
mod four_ways;
mod listening;
mod python;
pub(crate) mod receiver;
mod unusable;

use ferry_sim::SimConfig;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::Delivery;

use crate::support::{World, prompt};
use receiver::Receiver;

/// Of 32 bytes each.
pub(crate) const SECRET: &str = "whsec_bmV3ZXN0bmV3ZXN0bmV3ZXN0bmV3ZXN0bmV3ZXN0bmU=";
const OLD_SECRET: &str = "whsec_b2xkZXN0b2xkZXN0b2xkZXN0b2xkZXN0b2xkZXN0b2w=";

/// Settings that allow webhooks to receivers on this machine, without delay.
pub(crate) const HERE: [(&str, &str); 6] = [
    ("WEBHOOK_SECRET", SECRET),
    ("WEBHOOK_ALLOW", "127.0.0.1"),
    ("WEBHOOK_ALLOW_HTTP", "yes"),
    ("WEBHOOK_BACKOFF_INITIAL", "1ms"),
    ("WEBHOOK_BACKOFF_MAX", "5ms"),
    ("WEBHOOK_TIMEOUT", "10s"),
];

/// Workers that may call this machine, with further settings.
async fn world(changes: &[(&str, &str)]) -> World {
    of(prompt(), changes).await
}

async fn of(sim: SimConfig, changes: &[(&str, &str)]) -> World {
    World::start(sim, &[&HERE, changes].concat()).await
}

/// Returns the delivery attempts of a submission once none is due.
pub(crate) async fn deliveries(world: &World, id: SubmissionId) -> Vec<Delivery> {
    world.settled(id).await;
    let wait = ferry_testing::Wait::begin("the last delivery");
    loop {
        let submission = world.app.store.get(id).await.unwrap().unwrap().submission;
        if submission.due_at.is_none() {
            return submission.webhook.clone().expect("it has a webhook").deliveries;
        }
        wait.pause().await;
    }
}

fn words(deliveries: &[Delivery]) -> Vec<&'static str> {
    deliveries.iter().map(|delivery| delivery.result.as_str()).collect()
}
