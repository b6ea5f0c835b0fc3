//! Lists, single submissions and how they came to be.

use ferry_testing::Wait;
use reqwest::Method;
use serde_json::json;

use super::harness::{Answer, GOOD, Served};

#[tokio::test]
async fn lists_are_filtered_and_continue_at_a_cursor() {
    let served = Served::idle(&[]).await;
    for n in 0..5 {
        let labels = json!({ "half": if n < 3 { "first" } else { "second" } });
        let body = json!({ "name": format!("n{n}"), "data": GOOD, "labels": labels });
        served.submit(&body).await;
    }
    let mut names = Vec::new();
    let mut path = "/v1/submissions?limit=2".to_owned();
    let wait = Wait::begin("the last page");
    loop {
        wait.check();
        let page = served.get(&path).await.json();
        let shown = page["submissions"].as_array().unwrap().clone();
        names.extend(shown.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/submissions?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["n4", "n3", "n2", "n1", "n0"]);
    let count = async |query: &str| {
        let page = served.get(&format!("/v1/submissions?{query}")).await.json();
        page["submissions"].as_array().unwrap().len()
    };
    assert_eq!(count("label=half=first").await, 3);
    assert_eq!(count("name=n3").await, 1);
    assert_eq!(count("state=queued").await, 5);
    assert_eq!(count("state=completed,held&state=failed").await, 0);
    assert_eq!(count("account=default").await, 5);
    assert_eq!(count("account=other").await, 0);
    let third = served.get("/v1/submissions?name=n2").await.json()["submissions"][0].clone();
    let time = third["created_at"].as_str().unwrap();
    let (since, before) = (
        count(&format!("created_after={time}")).await,
        count(&format!("created_before={time}")).await,
    );
    assert!((3..=5).contains(&since) && since + before == 5, "{since} {before}");
    assert_eq!(count("created_after=2100-01-01T00:00:00Z").await, 0);
    assert_eq!(count("created_before=2100-01-01T00:00:00%2B02:00&name=n1").await, 1);
}

#[tokio::test]
async fn a_submission_that_did_not_change_is_not_sent_again() {
    let served = Served::idle(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let path = format!("/v1/submissions/{id}");
    let first = served.get(&path).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
    let known =
        |tag: &str| Answer::of(served.request(Method::GET, &path).header("if-none-match", tag));
    let same = known(&format!("\"x\", W/{tag}")).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, tag.as_str()));
    served.post(&format!("{path}/cancel"), &json!({})).await;
    let changed = known(&tag).await;
    assert_eq!((changed.status, &changed.json()["state"]), (200, &"cancelled".into()));
    let head = Answer::of(served.request(Method::HEAD, &path)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_timeline_says_how_it_came_to_be() {
    let served = Served::start(&[]).await;
    let body = json!({ "name": "march", "data": GOOD });
    let response = served.post("/v1/submissions?wait=60s", &body).await;
    let timeline = served.get(&format!("/v1/submissions/{}/timeline", response.id())).await.json();
    let states: Vec<&str> =
        timeline.as_array().unwrap().iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states.first(), Some(&"queued"));
    assert_eq!(states.last(), Some(&"completed"), "{timeline}");
}

#[tokio::test]
async fn stats_say_what_there_is_to_do() {
    let served = Served::idle(&[]).await;
    let empty = served.get("/v1/stats").await.json();
    assert_eq!((&empty["unfinished"], &empty["drain_seconds"]), (&0.into(), &0.0.into()));
    served.submit(&json!({ "name": "a", "data": GOOD })).await;
    let later = json!({ "name": "b", "data": GOOD, "not_before": "2100-01-01T00:00:00Z" });
    served.submit(&later).await;
    let stats = served.get("/v1/stats").await.json();
    assert_eq!(stats["unfinished"], 2);
    assert_eq!((&stats["total"]["ready"], &stats["total"]["scheduled"]), (&1.into(), &1.into()));
    assert!(stats["total"]["oldest_ready_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(stats["drain_seconds"], json!(null));
    assert_eq!(stats["accounts"][0]["states"]["queued"], 2);
    assert_eq!(stats["accounts"][0]["steps"]["upload"]["ready"], 1);
}
