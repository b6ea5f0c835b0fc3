//! Requests of few bytes and many values: they fail before any value is made of them.

use ferry_types::contract::ProblemKind;
use serde_json::Value;

use super::abuse::Victim;
use super::encoding::gzip;
use super::harness::Answer;
use crate::cli::harness::Ferry;

/// Bytes of a body of values: a form of so many is accepted, and JSON of twice as many.
const BODY: usize = 4 << 20;

/// A request whose field holds so many values as fit.
fn full_of(before: &str, value: &str, after: &str) -> Vec<u8> {
    let values = value.repeat(BODY / value.len());
    format!("{before}{}{after}", values.trim_end_matches(',')).into_bytes()
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_of_many_values_fails_in_the_memory_of_its_text() {
    let mut victim = Victim::start(Ferry::new());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        victim.is_well().await;
        let before = victim.status("VmHWM");
        let json = [
            full_of(r#"{"name":"a","data":"x","result_keys":["#, r#""","#, "]}"),
            full_of(r#"{"name":"a","data":"x","labels":{"#, r#""a":"","#, "}}"),
            full_of(r#"{"name":"a","data":["#, "[],", "]}"),
            full_of(r#"{"name":"a","data":"x","labels":"#, "[", ""),
        ];
        for body in json {
            let bodies = [
                ("/v1/submissions", "application/json", 400),
                ("/v1/submissions/bulk", "application/x-ndjson", 200),
            ];
            for (path, content_type, status) in bodies {
                let post = victim.client.post(format!("http://{}{path}", victim.address));
                let post = post.header("content-type", content_type);
                let post = post.header("content-encoding", "gzip").body(gzip(&body).await);
                let response = Answer::of(post).await;
                assert_eq!(response.status, status, "{}", response.text());
                assert!(response.text().contains("more than 1000 values"), "{}", response.text());
            }
        }
        let part = "--b\r\ncontent-disposition: form-data; name=\"label\"\r\n\r\na=b\r\n";
        let form = full_of("", part, "--b--\r\n");
        let post = victim.client.post(format!("http://{}/v1/submissions", victim.address));
        let post = post.header("content-type", "multipart/form-data; boundary=b").body(form);
        Answer::of(post).await.is(ProblemKind::InvalidRequest);
        let peak = victim.status("VmHWM");
        // A body twice: as it arrived, and on its way through the program.
        let most = before + 4 * (BODY as u64 >> 10);
        assert!(peak < most, "{before} KiB before, then {peak} KiB");
        victim.is_well().await;
    });
    victim.server.signal("TERM");
    assert_eq!(victim.server.end().code(), Some(0), "{}", victim.server.stderr());
}

#[test]
fn a_parameter_that_is_repeated_very_often_is_invalid_or_counts_once() {
    let victim = Victim::start(Ferry::new());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for (parameter, most) in [("state=held", 200), ("label=a=b", 200)] {
            let query = |count| vec![parameter; count].join("&");
            let fits = victim.get(&format!("/v1/submissions?{}", query(most))).await;
            assert_eq!(fits.json()["submissions"], Value::Array(Vec::new()));
            let many = victim.get(&format!("/v1/submissions?{}", query(3500))).await;
            many.is(ProblemKind::InvalidRequest);
        }
        let labels: Vec<String> = (0..33).map(|n| format!("label=k{n}=v")).collect();
        let many = victim.get(&format!("/v1/submissions?{}", labels.join("&"))).await;
        let problem = many.is(ProblemKind::InvalidRequest);
        assert!(problem.detail.contains("at most 32 are allowed"), "{}", problem.detail);
    });
}
