//! Bodies that arrive compressed, and answers that leave so.

use async_compression::tokio::write::GzipEncoder;
use ferry_types::contract::{BulkResponse, ProblemKind};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::harness::{Answer, GOOD, Served};

pub(crate) async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

async fn both(bytes: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    [("gzip", gzip(bytes).await), ("zstd", zstd(bytes))]
}

fn encoded(request: RequestBuilder, kind: &str, encoding: &str, body: Vec<u8>) -> RequestBuilder {
    request.header("content-type", kind).header("content-encoding", encoding).body(body)
}

#[tokio::test]
async fn a_compressed_body_is_taken_in_every_form() {
    let served = Served::idle(&[]).await;
    let (csv, json) = ("text/csv", "application/json");
    let form = "--X\r\ncontent-disposition: form-data; name=\"data\"; filename=\"f.csv\"\r\n\r\n";
    let form = format!("{form}{GOOD}\r\n--X--\r\n");
    for (kind, body) in [
        (csv, GOOD.to_owned()),
        (json, json!({ "name": "j", "data": GOOD }).to_string()),
        ("multipart/form-data; boundary=X", form),
    ] {
        for (encoding, body) in both(body.as_bytes()).await {
            let path = if kind == csv { "/v1/submissions?name=c" } else { "/v1/submissions" };
            let request = encoded(served.request(Method::POST, path), kind, encoding, body);
            let response = Answer::of(request).await;
            assert_eq!(response.status, 201, "{kind} {encoding}: {}", response.text());
            let id = response.id().parse().unwrap();
            let payload = served.world.app.store.payload(id).await.unwrap();
            assert_eq!(payload.data, GOOD, "{kind} {encoding}");
        }
    }
    let lines: String = (0..50)
        .map(|n| json!({ "name": format!("b{n}"), "data": GOOD }).to_string() + "\n")
        .collect();
    for (encoding, body) in both(lines.as_bytes()).await {
        let request = served.request(Method::POST, "/v1/submissions/bulk");
        let response = Answer::of(encoded(request, "application/x-ndjson", encoding, body)).await;
        let responses = response.text().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let responses: Vec<BulkResponse> = responses;
        assert_eq!(
            responses.iter().filter(|response| response.id.is_some()).count(),
            50,
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn a_body_that_grows_beyond_the_limit_is_too_large_whatever_its_size_was() {
    let served = Served::idle(&[("MAX_DATASET_BYTES", "100000")]).await;
    for (encoding, body) in both(&vec![b'x'; 50_000_000]).await {
        assert!(body.len() < 60_000, "{encoding}: {}", body.len());
        let request = served.request(Method::POST, "/v1/submissions?name=a");
        let response = Answer::of(encoded(request, "text/csv", encoding, body.clone())).await;
        assert!(response.is(ProblemKind::TooLarge).detail.contains("max_dataset_bytes"));
        // A line of a bulk is no larger either, and what follows it is taken.
        let good = json!({ "name": encoding, "data": GOOD }).to_string();
        let after = both(format!("\n{good}\n").as_bytes()).await;
        let after = &after.iter().find(|(other, _)| *other == encoding).unwrap().1;
        let bomb = [body.as_slice(), after].concat();
        let request = served.request(Method::POST, "/v1/submissions/bulk");
        let response = Answer::of(encoded(request, "application/x-ndjson", encoding, bomb)).await;
        let text = response.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("too-large") && lines[1].contains("\"id\""), "{text}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_invalid() {
    let served = Served::idle(&[]).await;
    let send = |encoding: &str, body: &[u8]| {
        let request = served.request(Method::POST, "/v1/submissions?name=a");
        Answer::of(encoded(request, "text/csv", encoding, body.to_vec()))
    };
    for (encoding, body) in both(GOOD.as_bytes()).await {
        for broken in [GOOD.as_bytes(), &body[..body.len() - 3], &[body[0]]] {
            let problem = send(encoding, broken).await.is(ProblemKind::InvalidRequest);
            assert!(problem.detail.contains(encoding), "{}", problem.detail);
        }
    }
    for unknown in ["br", "deflate", "gzip, zstd", "\u{1}"] {
        let Ok(unknown) = reqwest::header::HeaderValue::from_str(unknown) else { continue };
        let response = send(unknown.to_str().unwrap(), GOOD.as_bytes()).await;
        response.is(ProblemKind::UnsupportedMediaType);
        assert_eq!(response.header("accept-encoding"), "gzip, zstd");
    }
    // A window that is larger than what HTTP allows would cost memory that no limit counts.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(27)).unwrap();
    std::io::copy(&mut GOOD.as_bytes(), &mut encoder).unwrap();
    let wide = encoder.finish().unwrap();
    let problem = send("zstd", &wide).await.is(ProblemKind::InvalidRequest);
    assert!(problem.detail.contains("8 MiB"), "{}", problem.detail);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask_for_that() {
    let served = Served::idle(&[]).await;
    for n in 0..10 {
        served.submit(&json!({ "name": format!("n{n}"), "data": GOOD })).await;
    }
    let plain = served.get("/v1/submissions").await;
    assert_eq!(plain.header("content-encoding"), "");
    let request = served.request(Method::GET, "/v1/submissions").header("accept-encoding", "zstd");
    let small = Answer::of(request).await;
    assert_eq!(small.header("content-encoding"), "zstd");
    assert!(small.body.len() * 3 < plain.body.len(), "{} {}", small.body.len(), plain.body.len());
    assert_eq!(zstd::decode_all(small.body.as_slice()).unwrap(), plain.body);
}
