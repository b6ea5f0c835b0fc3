//! Submissions with as much text beside their dataset as they may have: lists of them stay small.

use std::collections::BTreeSet;

use ferry_testing::Wait;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::abuse::Victim;
use super::harness::{Answer, GOOD};
use crate::cli::harness::Ferry;

/// A line of NDJSON with about 100 KiB of labels and result keys.
fn large(number: usize) -> String {
    let long = |begin: usize| format!("{begin:02}{}", "😀".repeat(250));
    let labels: Map<String, Value> = (0..32).map(|n| (long(n), long(n).into())).collect();
    let keys: Vec<String> = (0..32).map(long).collect();
    json!({ "name": format!("large {number}"), "data": GOOD, "labels": labels, "result_keys": keys })
        .to_string()
}

impl Victim {
    async fn submit_large(&self, count: usize) {
        let lines: Vec<String> = (0..count).map(large).collect();
        let post = self.client.post(format!("http://{}/v1/submissions/bulk", self.address));
        let post = post.header("content-type", "application/x-ndjson").body(lines.join("\n"));
        let responses = Answer::of(post).await;
        assert_eq!(responses.text().matches("\"id\"").count(), count, "{}", responses.text());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_bulk_of_lines_full_of_errors_takes_bounded_memory_and_counts_all_errors() {
    let victim = Victim::start(Ferry::new());
    let rows = 1000;
    let line = json!({ "name": "bad", "data": "a,,,,\n".repeat(rows) }).to_string();
    Runtime::new().unwrap().block_on(async {
        victim.submit_large(1).await;
        let before = victim.status("VmHWM");
        let post = victim.client.post(format!("http://{}/v1/submissions/bulk", victim.address));
        let post = post.header("content-type", "application/x-ndjson");
        let responses = Answer::of(post.body(vec![line; 300].join("\n"))).await.text();
        let peak = victim.status("VmHWM");
        assert_eq!(responses.lines().count(), 300);
        for response in responses.lines() {
            let error = &serde_json::from_str::<Value>(response).unwrap()["error"];
            let listed = error["problems"].as_array().unwrap();
            let counts = listed.iter().map(|problem| problem["count"].as_u64().unwrap_or(1));
            assert!((1..=20).contains(&listed.len()), "{response}");
            let counted = counts.sum::<u64>() + error["omitted"].as_u64().unwrap();
            assert!(counted >= 4 * rows as u64, "{counted} errors");
        }
        println!("{before} KiB before, {peak} KiB at most");
        assert!(peak < before + (64 << 10), "{before} KiB, then {peak} KiB");
    });
}

#[test]
fn a_page_of_large_submissions_has_fewer_and_leads_to_the_others() {
    let victim = Victim::start(Ferry::new());
    Runtime::new().unwrap().block_on(async {
        victim.submit_large(80).await;
        let (mut found, mut pages, mut path) =
            (Vec::new(), 0, "/v1/submissions?limit=80".to_owned());
        let wait = Wait::begin("the last page");
        loop {
            wait.check();
            let page = victim.get(&path).await;
            assert!(page.text().len() < 6 << 20, "{} bytes", page.text().len());
            let page: Value = serde_json::from_str(&page.text()).unwrap();
            let ids = page["submissions"].as_array().unwrap().iter().map(|one| one["id"].clone());
            found.extend(ids.map(|id| id.as_str().unwrap().to_owned()));
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/submissions?limit=80&cursor={next}");
        }
        assert_eq!((found.len(), pages), (80, 3));
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 80);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn lists_of_large_submissions_take_bounded_memory_however_many_there_are() {
    let victim = Victim::start(Ferry::new().set("FERRY_RESPONSE_MEMORY_BYTES", "33554432"));
    Runtime::new().unwrap().block_on(async {
        victim.submit_large(160).await;
        let before = victim.status("VmHWM");
        let list = || victim.get("/v1/submissions?limit=500");
        let responses = join_all((0..120).map(|_| list())).await;
        let peak = victim.status("VmHWM");
        for response in &responses {
            assert!(matches!(response.status, 200 | 503), "{}", response.text());
        }
        // Half of the memory for responses, as much again for their compression and the way through the program.
        println!("{before} KiB with the submissions, {peak} KiB at most");
        assert!(peak < before + (96 << 10), "{before} KiB, then {peak} KiB");
        assert_eq!(list().await.status, 200, "one at a time always has memory");
    });
}
