//! One key leaves the server to the others, however it behaves.

use std::time::{Duration, Instant};

use ferry_testing::until;
use ferry_types::contract::ProblemKind;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::harness::{Answer, GOOD};
use super::keys::Keyed;
use crate::support::pause;

/// Longer than any of these takes.
const LIMIT: Duration = Duration::from_mins(1);

impl Keyed {
    /// A connection on which a request of `name` was begun; its client reads little of the response.
    async fn begun(&self, name: &str, request: &str, body: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(self.served.address).await.unwrap();
        let key = &self.keys[name];
        let head = format!("{request}\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self, name: &str, path: &str) -> Answer {
        Answer::of(self.served.request(Method::GET, path).bearer_auth(&self.keys[name])).await
    }

    async fn send(&self, name: &str, body: String) -> Answer {
        let request = self.served.request(Method::POST, "/v1/submissions");
        let request = request.bearer_auth(&self.keys[name]);
        Answer::of(request.header("content-type", "application/json").body(body)).await
    }

    /// Number of results and feedback that were read from the store.
    async fn reads(&self) -> u64 {
        let scrape = self.get("reader", "/metrics").await.text();
        let name = "ferry_store_operation_duration_seconds_count{operation=\"content\"} ";
        let line = scrape.lines().find_map(|line| line.strip_prefix(name));
        line.expect("it is counted").parse().unwrap()
    }

    /// Others are served although the producer does what it does.
    async fn others_are_well(&self) {
        let small = json!({ "name": "small", "data": GOOD }).to_string();
        assert_eq!(self.send("operator", small).await.status, 201);
        let pause = "/v1/accounts/default/pause";
        let paused = self.of("operator", Method::POST, pause, &json!({ "reason": "test" })).await;
        assert_eq!(paused.status, 200, "{}", paused.text());
    }
}

const POST: &str = "POST /v1/submissions HTTP/1.1\r\ncontent-type: application/json";

/// A large body that is no dataset: 400 where there is memory for it.
fn large() -> String {
    "x".repeat(300_000)
}

#[tokio::test]
async fn large_bodies_of_one_key_take_half_of_the_memory_when_they_arrive_and_none_before() {
    let changes = [
        ("BODY_MEMORY_BYTES", "800000"),
        ("MAX_DATASET_BYTES", "150000"),
        ("CLIENT_TIMEOUT", "120s"),
    ];
    let keyed = Keyed::start_with(&changes).await;
    // So much as all of them announce there is not.
    let mut begun = Vec::new();
    for _ in 0..10 {
        begun.push(keyed.begun("producer", POST, "content-length: 365000\r\n\r\n{").await);
    }
    assert_eq!(keyed.send("producer", large()).await.status, 400);
    keyed.others_are_well().await;
    // What has arrived counts, and the rest of it may never come.
    let mut next = 0;
    until("a key that has its half", async || {
        // One that arrives together with the other request may be the one that fails.
        if next < begun.len() {
            let _ = begun[next].write_all(large().as_bytes()).await;
            next += 1;
            pause().await;
        }
        keyed.send("producer", large()).await.status == 503
    })
    .await;
    let failed = keyed.send("producer", large()).await;
    let problem = failed.is(ProblemKind::Busy);
    assert!(problem.detail.contains("half of `body_memory_bytes`"), "{}", problem.detail);
    assert_eq!(failed.header("retry-after"), "2");
    assert_eq!(keyed.send("operator", large()).await.status, 400);
    let small = json!({ "name": "small", "data": GOOD }).to_string();
    assert_eq!(keyed.send("producer", small).await.status, 201);
    keyed.others_are_well().await;
    drop(begun);
    until("memory that is given back", async || {
        keyed.send("producer", large()).await.status == 400
    })
    .await;
}

#[tokio::test]
async fn bodies_that_trickle_take_a_quarter_of_the_slots_and_end() {
    let changes = [("MAX_CONCURRENT_REQUESTS", "32"), ("CLIENT_TIMEOUT", "2s")];
    let keyed = Keyed::start_with(&changes).await;
    let started = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..14 {
        slow.push(keyed.begun("producer", POST, "content-length: 1000\r\n\r\n{").await);
    }
    keyed.others_are_well().await;
    let ends = slow.into_iter().map(|mut stream| async move {
        let mut response = String::new();
        // A byte now and then is no pace.
        loop {
            let mut buffer = [0; 1024];
            match tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await {
                Ok(Ok(read)) if read > 0 => {
                    response += &String::from_utf8_lossy(&buffer[..read]);
                }
                Ok(_) => return response,
                Err(_) => _ = stream.write_all(b" ").await,
            }
            assert!(started.elapsed() < LIMIT, "a body that trickles is not cut off");
        }
    });
    let responses = futures_util::future::join_all(ends).await;
    let of = |status: &str| responses.iter().filter(|response| response.contains(status)).count();
    // Eight at once may take their time, and the others cannot even begin to.
    let (busy, ended) = (of(" 503 "), of(" 408 "));
    assert!(busy > 0 && ended >= 8 && busy + ended == 14, "{responses:?}");
}

#[tokio::test]
async fn one_key_has_an_eighth_of_the_slots_for_event_streams_and_leaves_as_many() {
    let keyed = Keyed::start_with(&[("MAX_CONCURRENT_REQUESTS", "32")]).await;
    let open = async |name: &str| {
        let request = keyed.served.request(Method::GET, "/v1/events");
        request.bearer_auth(&keyed.keys[name]).send().await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..4 {
        let stream = open("reader").await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let failed = keyed.get("reader", "/v1/events").await;
    let problem = failed.is(ProblemKind::Busy);
    assert!(problem.detail.contains("event streams of this API key"), "{}", problem.detail);
    assert_eq!((failed.status, failed.header("retry-after")), (503, "5"));
    assert_eq!(open("producer").await.status(), 200);
    streams.pop();
    until("a stream that has ended", async || open("reader").await.status() == 200).await;
}

#[tokio::test]
async fn slow_readers_of_large_results_have_a_share_of_memory_and_a_least_pace() {
    let changes = [("RESPONSE_MEMORY_BYTES", "8000000"), ("CLIENT_TIMEOUT", "15s")];
    let keyed = Keyed::start_running(&changes).await;
    let reference = "R".repeat(500);
    let mut data = String::new();
    for n in 0..4000 {
        data += &format!("{reference}{n},01/01/2025,08:00,01/01/2025,09:00\n");
    }
    let data_bytes = data.len();
    let body = json!({ "name": "large", "data": data });
    let path = "/v1/submissions?wait=120s";
    let done = keyed.of("producer", Method::POST, path, &body).await;
    assert_eq!(done.json()["state"], "completed", "{}", done.text());
    let path = format!("/v1/submissions/{}/results/tableofresultids", done.id());
    let whole = keyed.get("reader", &path).await;
    assert!(whole.status == 200 && whole.body.len() > 2_000_000, "{}", whole.body.len());
    // It takes what it is given until the kernel's buffers are full, and then nothing.
    let get = format!("GET {path} HTTP/1.1");
    let mut slow = keyed.begun("reader", &get, "\r\n").await;
    let mut begin = [0; 12];
    slow.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let reads = keyed.reads().await;
    let failed = keyed.get("reader", &path).await;
    assert_eq!(keyed.reads().await, reads, "what there is no memory for is not read");
    let problem = failed.is(ProblemKind::Busy);
    assert!(problem.detail.contains("half of `response_memory_bytes`"), "{}", problem.detail);
    assert_eq!((failed.status, failed.header("retry-after")), (503, "2"));
    let data = format!("/v1/submissions/{}/data", done.id());
    keyed.get("reader", &data).await.is(ProblemKind::Busy);
    let other = keyed.get("operator", &data).await;
    assert!(other.status == 200 && other.body.len() == data_bytes, "{}", other.body.len());
    let other = keyed.get("operator", &path).await;
    assert_eq!((other.status, other.body.len()), (200, whole.body.len()));
    until("the end of a slow reader", async || keyed.get("reader", &path).await.status == 200)
        .await;
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
    assert!(rest.len() < whole.body.len(), "it was not cut off");
}
