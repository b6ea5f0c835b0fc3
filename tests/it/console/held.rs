//! Decisions about held submissions: the evidence comes first, and nothing is proposed.

use data_encoding::HEXLOWER;
use ferry_sim::{Endpoint, Fault};
use ferry_types::domain::submission::State;
use ring::digest::{SHA256, digest};

use super::harness::Tab;
use crate::api::harness::Served;
use crate::support::{dataset, plain};

#[tokio::test]
async fn a_held_submission_is_decided_about_beside_what_was_sent_and_what_came_back() {
    let served = Served::with(plain(), &[]).await;
    served.world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let id = served.world.submit(dataset("ours")).await;
    let held = served.world.settled(id).await;
    assert_eq!(held.state, State::Held);
    let tab = Tab::at(format!("http://{}", served.address));
    let path = format!("/console/submissions/{id}/resolve");
    let one = tab.get(&format!("/console/submissions/{id}")).await;
    assert!(one.text.contains(&format!("href=\"{path}\"")), "{}", one.text);
    let page = tab.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let sha256 = HEXLOWER.encode(digest(&SHA256, dataset("ours").data.as_bytes()).as_ref());
    assert!(page.says(&sha256) && page.says("data 1 "), "{}", page.text);
    // What befell the first upload, and the response to the next one.
    let timeline = served.world.app.store.timeline(id).await.unwrap();
    assert!(timeline.len() > 2, "{timeline:?}");
    for entry in timeline {
        assert!(page.says(&entry.message.replace('`', "")), "{entry:?}: {}", page.text);
    }
    for resolution in ["overwrite", "retry", "fail"] {
        assert_eq!(page.text.matches(&format!("value=\"{resolution}\"")).count(), 1);
    }
    assert_eq!(page.text.matches("class=\"danger\"").count(), 3, "none is proposed");
    assert!(page.says("it is lost there") && !page.text.contains("autofocus"), "{}", page.text);
    let decided = tab.post(&path, &[("resolution", "fail")]).await;
    assert_eq!((decided.status, served.world.look(id).await.state), (303, State::Failed));
    assert_eq!(tab.get(&path).await.status, 303, "nothing is left to decide");
}
