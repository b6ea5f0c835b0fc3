//! The submission changed meanwhile: an act says the state now and the way on.

use ferry_sim::{Endpoint, Fault};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;

use super::harness::Tab;
use crate::api::harness::Served;
use crate::support::{dataset, plain};

const REJECTED: &str = include_str!("../../../examples/rejected.csv");

#[tokio::test]
async fn an_act_that_comes_too_late_shows_the_state_now_and_what_can_be_done() {
    let served = Served::with(plain(), &[]).await;
    let world = &served.world;
    world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let id = world.submit(dataset("march")).await;
    assert_eq!(world.settled(id).await.state, State::Held);
    let (tab, one) =
        (Tab::at(format!("http://{}", served.address)), format!("/console/submissions/{id}"));
    let decided = tab.post(&format!("{one}/resolve"), &[("resolution", "fail")]).await;
    assert_eq!(decided.status, 303, "{}", decided.text);
    for (verb, field) in [("resolve", ("resolution", "overwrite")), ("cancel", ("a", "b"))] {
        let late = tab.post(&format!("{one}/{verb}"), &[field]).await;
        assert_eq!(late.status, 409, "{verb}: {}", late.text);
        assert!(
            late.says("Not done")
                && late.says("The submission has changed since the act was offered"),
            "{}",
            late.text
        );
        // It is the page of the submission, with the state now and the acts that it allows.
        assert!(late.text.contains("class=\"state failed\""), "{verb}: {}", late.text);
        assert!(late.text.contains(&format!("action=\"{one}/retry\"")), "{verb}: {}", late.text);
        assert!(late.text.contains(&format!("href=\"{one}\"")), "{verb}: {}", late.text);
        // Its address is that of the act: it does not ask for itself again.
        assert!(late.text.contains("data-still"), "{verb}: {}", late.text);
    }
    assert_eq!(world.look(id).await.state, State::Failed);
}

#[tokio::test]
async fn a_correction_that_comes_too_late_is_a_conflict_with_the_difference() {
    let served = Served::with(plain(), &[]).await;
    let world = &served.world;
    let request = SubmissionRequest { data: REJECTED.to_owned(), ..dataset("march") };
    let id = world.submit(request).await;
    assert_eq!(world.settled(id).await.state, State::Rejected);
    let tab = Tab::at(format!("http://{}", served.address));
    let path = format!("/console/submissions/{id}/correct");
    let edited = |value: &str| {
        format!(r#"[{{"edit":"set","table":"data","row":2,"cell":0,"value":"{value}"}}]"#)
    };
    let send = async |edits: &str| {
        tab.post(&path, &[("edits", edits), ("act", "submit"), ("checked", "yes")]).await
    };
    assert_eq!(send(&edited("SITE-7")).await.status, 303);
    let late = send(&edited("SITE-8")).await;
    assert_eq!(late.status, 409, "{}", late.text);
    assert!(late.says("1 cell in 1 row changed."), "{}", late.text);
    assert!(late.text.contains("<ins><bdi>SITE-7</bdi></ins>"), "{}", late.text);
    assert!(late.text.contains("/compare/") && late.says("Check again to replace it."));
    // The edits are still there.
    assert!(late.text.contains("SITE-8"), "{}", late.text);
}
