//! Delivery attempts until one is acknowledged.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use ferry_sim::Sim;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;
use ring::hmac;
use serde_json::json;

use super::receiver::Received;
use super::{HERE, OLD_SECRET, Receiver, SECRET, deliveries, words, world};
use crate::api::harness::{Answer, Served};
use crate::support::{World, dataset, prompt};
use reqwest::Method;

fn with_webhook(name: &str, url: &str) -> SubmissionRequest {
    SubmissionRequest { webhook_url: Some(url.to_owned()), ..dataset(name) }
}

#[tokio::test]
async fn a_failed_delivery_is_retried_with_the_same_webhook_id() {
    let receiver = Receiver::start(&[500, 429, 302]).await;
    let world = world(&[]).await;
    let id = world.submit(with_webhook("march", &receiver.url)).await;
    let deliveries = deliveries(&world, id).await;
    assert_eq!(words(&deliveries), ["server_error", "client_error", "redirected", "delivered"]);
    assert_eq!(deliveries.iter().map(|d| d.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(deliveries[0].status, Some(500));
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    for one in &received {
        assert_eq!(one.path, "/hook?token=in-the-query", "a redirect was followed");
        assert_eq!(one.header("webhook-id"), received[0].header("webhook-id"));
        assert_eq!(one.body, received[0].body);
        assert_eq!(one.header("content-type"), "application/json");
    }
    let view = world.look(id).await;
    let body = &received[0].body;
    assert_eq!(body["type"], "submission.completed");
    assert_eq!(body["timestamp"], json!(view.finished_at));
    for field in ["id", "name", "account", "state", "labels", "results", "finished_at", "polls"] {
        assert_eq!(body["data"][field], json!(view)[field], "{field}");
    }
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 1));
    let metrics = world.app.metrics.render();
    assert!(
        metrics.contains("ferry_webhook_deliveries_total{result=\"delivered\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("ferry_submissions_finished_total{outcome=\"completed\"} 1"));
    world.finish().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_left_alone_for_it() {
    let receiver = Receiver::asking(&[
        (429, Some("3")),
        (503, Some("soon")),
        (500, Some("3600")),
        (503, Some("99999999999")),
    ])
    .await;
    let world = world(&[("WEBHOOK_BACKOFF_MAX", "5s")]).await;
    let id = world.submit(with_webhook("march", &receiver.url)).await;
    assert_eq!(deliveries(&world, id).await.len(), 5);
    let at: Vec<Instant> = receiver.received().iter().map(|received| received.at).collect();
    let waited: Vec<Duration> = at.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(waited[0] >= Duration::from_secs(3), "{waited:?}");
    assert!(waited[1] < Duration::from_secs(3), "neither a number nor a date: {waited:?}");
    assert!(waited[2] < Duration::from_secs(3), "500 asks for nothing: {waited:?}");
    assert!(waited[3] >= Duration::from_secs(5), "{waited:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_secret_that_is_replaced_in_its_file_signs_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, OLD_SECRET).unwrap();
    let changes: Vec<(&str, &str)> =
        HERE.into_iter().filter(|(name, _)| *name != "WEBHOOK_SECRET").collect();
    let changes = [&changes[..], &[("WEBHOOK_SECRET_FILE", file.to_str().unwrap())]].concat();
    let world = World::start(prompt(), &changes).await;
    let receiver = Receiver::asking(&[(204, None), (401, None)]).await;
    let first = world.submit(with_webhook("march", &receiver.url)).await;
    assert_eq!(words(&deliveries(&world, first).await), ["delivered"]);
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    // A 401 has the file read at once; without one it is read a second later.
    let second = world.submit(with_webhook("april", &receiver.url)).await;
    assert_eq!(words(&deliveries(&world, second).await).last(), Some(&"delivered"));
    let received = receiver.received();
    assert!(is_signed_by(OLD_SECRET, &received[0]));
    assert!(is_signed_by(SECRET, received.last().unwrap()));
    world.finish().await;
}

fn is_signed_by(secret: &str, received: &Received) -> bool {
    let key = BASE64.decode(secret.trim_start_matches("whsec_").as_bytes()).unwrap();
    let [id, at] = ["webhook-id", "webhook-timestamp"].map(|name| received.header(name));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &received.bytes].concat();
    let signature = BASE64.decode(&received.header("webhook-signature").as_bytes()[3..]).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, &signed, &signature).is_ok()
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_no_webhook_until_an_operator_redelivers() {
    let receiver = Receiver::start(&[410]).await;
    let served = Served::over(world(&[]).await).await;
    let id = served.world.submit(with_webhook("march", &receiver.url)).await;
    assert_eq!(words(&deliveries(&served.world, id).await), ["gone"]);
    let path = format!("/v1/submissions/{id}/deliveries");
    let shown = served.get(&path).await.json();
    let url = receiver.url.split('?').next().unwrap();
    assert_eq!(shown["webhook_url"], url, "without the query: {shown}");
    let timeline = served.get(&format!("/v1/submissions/{id}/timeline")).await.text();
    assert!(timeline.contains("responded 410") && !timeline.contains("/hook"), "{timeline}");
    assert_eq!(shown["deliveries"][0]["status"], 410);
    assert_eq!(shown["next_at"], json!(null));
    let again =
        Answer::of(served.request(Method::POST, &format!("/v1/submissions/{id}/redeliver")));
    assert_eq!(again.await.status, 200);
    ferry_testing::until("a second delivery", async || {
        served.get(&path).await.json()["deliveries"].as_array().unwrap().len() == 2
    })
    .await;
    assert_eq!(words(&deliveries(&served.world, id).await), ["gone", "delivered"]);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_never_acknowledges_is_given_up_and_changes_nothing() {
    let receiver = Receiver::start(&[503; 9]).await;
    let world = world(&[("WEBHOOK_MAX_ATTEMPTS", "3")]).await;
    let id = world.submit(with_webhook("march", &receiver.url)).await;
    assert_eq!(words(&deliveries(&world, id).await), ["server_error"; 3]);
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(world.look(id).await.state, State::Completed);
    let line = world.app.store.timeline(id).await.unwrap().pop().unwrap();
    assert!(line.message.ends_with("` abandoned after 3 attempts: server_error"), "{line:?}");
    world.finish().await;
}

#[tokio::test]
async fn an_account_has_a_default_webhook_url() {
    let receiver = Receiver::start(&[]).await;
    let other = Receiver::start(&[]).await;
    let world = world(&[("WEBHOOK_URL", &receiver.url)]).await;
    let id = world.submit(dataset("march")).await;
    assert_eq!(words(&deliveries(&world, id).await), ["delivered"]);
    assert_eq!(receiver.received()[0].body["data"]["id"], json!(id));
    let id = world.submit(with_webhook("april", &other.url)).await;
    assert_eq!(words(&deliveries(&world, id).await), ["delivered"]);
    assert_eq!((receiver.received().len(), other.received().len()), (1, 1));
    // A revision has the same webhook URL.
    let earlier = world.app.store.get(id).await.unwrap().unwrap().submission;
    let corrected = ferry::pipeline::revision(earlier, dataset("april").data, None);
    assert_eq!(corrected.webhook_url, Some(other.url));
    let _: &Sim = &world.sim;
    world.finish().await;
}
