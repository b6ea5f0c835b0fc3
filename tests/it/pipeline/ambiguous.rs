//! Uploads that may have arrived: never a second dataset, never one overwritten that must not be.

use std::collections::BTreeSet;
use std::time::Duration;

use ferry_sim::{Endpoint, Fault};
use ferry_types::domain::submission::{ReasonCode, Resolution, State};

use crate::support::{World, dataset, overwriting, prompt};

#[tokio::test]
async fn a_lost_response_with_overwrite_is_uploaded_again() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let id = world.submit(overwriting("ours")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
    let ledger = world.sim.ledger();
    let uploads = &ledger.names["ours"].accepted;
    assert_eq!(uploads.iter().map(|upload| upload.overwrite).collect::<Vec<_>>(), [true, true]);
    assert_eq!(ledger.doubled(), Vec::<&str>::new());
    world.finish().await;
}

#[tokio::test]
async fn a_lost_request_without_overwrite_is_uploaded_once_more_unchanged() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Upload, Fault::ResetBefore);
    let id = world.submit(dataset("ours")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
    let ledger = world.sim.ledger();
    let uploads = &ledger.names["ours"].accepted;
    assert!(uploads.len() == 1 && !uploads[0].overwrite, "{uploads:?}");
    world.finish().await;
}

#[tokio::test]
async fn lost_responses_without_overwrite_are_held_and_resolved_by_a_person() {
    let world = World::start(prompt(), &[]).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        world.sim.script(Endpoint::Upload, Fault::ResetAfter);
        let id = world.submit(dataset(&format!("ours-{n}"))).await;
        let view = world.settled(id).await;
        assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::AlreadyExists)));
        assert!(
            view.reason.unwrap().contains("it may have this dataset, or another one of its name")
        );
        ids.push(id);
    }
    let ledger = world.sim.ledger();
    assert!(ledger.names.values().all(|name| name.accepted.len() == 1), "{ledger:#?}");
    assert!(ledger.names.values().all(|name| !name.accepted[0].overwrite), "{ledger:#?}");

    let deadline = Duration::from_mins(1);
    world.app.store.resolve(ids[0], Resolution::Overwrite, deadline).await.unwrap();
    assert_eq!(world.settled(ids[0]).await.state, State::Completed);
    world.app.store.resolve(ids[1], Resolution::Fail, deadline).await.unwrap();
    assert_eq!(world.look(ids[1]).await.state, State::Failed);
    world.app.store.resolve(ids[2], Resolution::Retry, deadline).await.unwrap();
    let view = world.settled(ids[2]).await;
    // The dataset is still there, and it may still be ours or another.
    assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::AlreadyExists)));
    let uploads = world.sim.ledger().names["ours-0"].accepted.len();
    assert_eq!(uploads, 2, "the one that was allowed to overwrite");
    world.app.store.resolve(ids[2], Resolution::Fail, deadline).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_dataset_that_was_there_before_is_rejected_and_not_held() {
    let world = World::start(prompt(), &[]).await;
    let first = world.submit(dataset("taken")).await;
    assert_eq!(world.settled(first).await.state, State::Completed);
    let second = world.submit(dataset("taken")).await;
    let view = world.settled(second).await;
    assert_eq!((view.state, view.reason_code), (State::Rejected, Some(ReasonCode::UploadRejected)));
    assert_eq!(world.sim.ledger().names["taken"].accepted.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn by_configuration_a_lost_response_is_overwritten() {
    let world = World::start(prompt(), &[("AMBIGUOUS_UPLOAD", "overwrite")]).await;
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let id = world.submit(dataset("ours")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.overwrite), (State::Completed, false));
    let ledger = world.sim.ledger();
    let overwrites: Vec<bool> =
        ledger.names["ours"].accepted.iter().map(|upload| upload.overwrite).collect();
    assert_eq!(overwrites, [false, true]);
    assert_eq!(ledger.names["ours"].rejected_exists, 1, "it was tried unchanged first");
    world.finish().await;
}

#[tokio::test]
async fn an_upload_whose_response_comes_too_late_is_ambiguous() {
    let world = World::start(prompt(), &[("REQUEST_TIMEOUT", "300ms")]).await;
    world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_secs(5)));
    let id = world.submit(dataset("late")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::AlreadyExists)));
    assert_eq!(world.sim.ledger().names["late"].accepted.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_second_upload_without_a_response_in_time_is_held_unless_it_may_overwrite() {
    let world = World::start(prompt(), &[("REQUEST_TIMEOUT", "300ms")]).await;
    for _ in 0..2 {
        world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_secs(5)));
    }
    let id = world.submit(dataset("late")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Held, 2), "{view:?}");
    assert_eq!(view.reason_code, Some(ReasonCode::Ambiguous));
    let reason = view.reason.unwrap();
    assert!(reason.starts_with("an earlier upload may have arrived, and so may this one: "));
    assert!(reason.ends_with("no response in time"), "{reason}");
    assert_eq!(world.ambiguous_names().await, BTreeSet::from(["late".to_owned()]));
    for _ in 0..2 {
        world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_secs(5)));
    }
    let id = world.submit(overwriting("later")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 3), "{view:?}");
    world.finish().await;
}

#[tokio::test]
async fn later_submissions_of_an_ambiguous_name_are_held_until_one_is_accepted() {
    let world = World::start(prompt(), &[]).await;
    let deadline = Duration::from_mins(1);
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let first = world.submit(dataset("ours")).await;
    let waiting = world.submit(dataset("ours")).await;
    assert_eq!(world.settled(first).await.state, State::Held);
    world.app.store.resolve(first, Resolution::Fail, deadline).await.unwrap();
    let text =
        format!("an earlier submission of this name may have left its dataset there (`{first}`)");
    let view = world.settled(waiting).await;
    assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::AlreadyExists)));
    assert!(view.reason.clone().unwrap().contains(&text), "{view:?}");
    world.app.store.resolve(waiting, Resolution::Fail, deadline).await.unwrap();
    let later = world.submit(dataset("ours")).await;
    let view = world.settled(later).await;
    assert_eq!(view.state, State::Held);
    assert!(view.reason.clone().unwrap().contains(&text), "{view:?}");
    world.app.store.resolve(later, Resolution::Overwrite, deadline).await.unwrap();
    assert_eq!(world.settled(later).await.state, State::Completed);
    let last = world.submit(dataset("ours")).await;
    let view = world.settled(last).await;
    assert_eq!(view.state, State::Rejected, "what is there is known: {view:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_rejection_after_a_503_that_throttled_is_held() {
    let world = World::start(prompt(), &[]).await;
    let says = |status, headers, body: &str| Fault::Respond { status, headers, body: body.into() };
    let retry_after = vec![("retry-after".to_owned(), "0.05".to_owned())];
    world.sim.script(Endpoint::Upload, says(503, retry_after, ""));
    world.sim.script(Endpoint::Upload, says(422, Vec::new(), "Der Name ist belegt"));
    let id = world.submit(dataset("ours")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Held, 2), "{view:?}");
    assert!(view.reason.unwrap().contains("Der Name ist belegt"));
    world.app.store.resolve(id, Resolution::Fail, Duration::from_mins(1)).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_rejection_of_an_attempt_that_could_overwrite_is_held_and_not_repeated() {
    let world = World::start(prompt(), &[("AMBIGUOUS_UPLOAD", "overwrite")]).await;
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    for _ in 0..2 {
        let fault = Fault::Respond { status: 409, headers: Vec::new(), body: "taken".into() };
        world.sim.script(Endpoint::Upload, fault);
    }
    let id = world.submit(dataset("ours")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Held, 3), "{view:?}");
    world.app.store.resolve(id, Resolution::Fail, Duration::from_mins(1)).await.unwrap();
    world.finish().await;
}
