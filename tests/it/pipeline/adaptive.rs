//! Polls that are scheduled by the estimated processing time.

use std::time::Duration;

use ferry_sim::{Processing, SimConfig};

use crate::support::{World, dataset, prompt};

/// Submits datasets until one is seen while its next poll is due; returns its reason and the number of its
/// polls.
async fn next_poll(world: &World) -> (Option<String>, u32) {
    // A busy machine may look too late.
    for number in 0..20 {
        let id = world.submit(dataset(&format!("next-{number}"))).await;
        let view = world.until(id, |view| view.processing_token.is_some()).await;
        if !view.state.is_final() {
            return (view.poll_reason, world.settled(id).await.polls);
        }
    }
    panic!("no submission was seen while the Platform processed it");
}

async fn slow_world(schedule: &str) -> World {
    let slow = SimConfig { processing: Processing::Fixed(Duration::from_secs(2)), ..prompt() };
    let world = World::start(slow, &[("POLL_MAX", "5s"), ("POLL_SCHEDULE", schedule)]).await;
    for id in world.submit_all((0..12).map(|number| dataset(&format!("first-{number}")))).await {
        world.settled(id).await;
    }
    world
}

#[tokio::test]
async fn after_a_few_submissions_polls_are_due_by_the_processing_time() {
    let world = slow_world("adaptive").await;
    let (reason, polls) = next_poll(&world).await;
    let reason = reason.unwrap_or_default();
    assert!(reason.starts_with("usually ready after "), "{reason:?}");
    // From 10 ms on, delays that double need eight polls for 2 s.
    assert!(polls < 8, "{polls} polls");
    world.finish().await;
}

#[tokio::test]
async fn the_schedule_may_be_backoff_alone() {
    let world = slow_world("backoff").await;
    assert_eq!(next_poll(&world).await.0, None);
    world.finish().await;
}
