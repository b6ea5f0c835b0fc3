//! Responses as old servers, proxies and gateways send them: written by raw sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::time::Duration;

use async_compression::tokio::write as pack;
use ferry::platform::Unguarded;
use ferry_sim::Credentials;
use ferry_types::domain::outcome::{Content, Status};
use tokio::io::AsyncWriteExt;

use super::*;

pub(super) const TOKEN: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/// A Platform that answers tokens well and everything else with these bytes.
fn raw(encoded: impl Into<Vec<u8>>) -> Client {
    let listener = TcpListener::bind(localhost()).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let encoded = encoded.into();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let head = read_request(&mut connection);
            let token = r#"{"access_token":"abc","expires_in":3600}"#;
            let plain =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}", token.len());
            let is_token = head.starts_with("POST /connect/token");
            let encoded = if is_token { plain.as_bytes() } else { encoded.as_slice() };
            // A client that reads no further than it must may be gone.
            let _ = connection.write_all(encoded);
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = connection.read(&mut [0; 1]);
        }
    });
    let account = account_of(&Credentials::default());
    let token_url = format!("{url}/connect/token");
    client(AccountConfig { token_url, api_url: format!("{url}/upload"), ..account }, limits(), 0)
}

/// A Platform that answers once on each connection, and closes it when another request comes.
fn closing() -> Client {
    let listener = TcpListener::bind(localhost()).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            std::thread::spawn(move || {
                let body = if read_request(&mut connection).starts_with("POST /connect/token") {
                    r#"{"access_token":"abc","expires_in":3600}"#.to_owned()
                } else {
                    format!("\"{TOKEN}\"")
                };
                let _ = connection.write_all(&with_headers("", body.as_bytes()));
                let _ = connection.read(&mut [0; 1]);
            });
        }
    });
    let account = account_of(&Credentials::default());
    let token_url = format!("{url}/connect/token");
    client(AccountConfig { token_url, api_url: format!("{url}/upload"), ..account }, limits(), 0)
}

#[tokio::test]
async fn an_upload_that_must_not_overwrite_is_sent_on_no_connection_that_was_idle() {
    let platform = closing();
    for name in ["a", "b", "c"] {
        // Its connection stays open and is idle then.
        platform.status(TOKEN).await.expect("a word");
        assert_eq!(platform.upload(upload(name)).await.as_deref(), Ok(TOKEN));
        let lost = platform.status(TOKEN).await;
        assert!(is_transient(&lost), "{lost:?}");
    }
    platform.status(TOKEN).await.expect("a word");
    let overwriting = Upload { overwrite: true, ..upload("d") };
    let lost = platform.upload(overwriting).await;
    assert!(is_ambiguous(&lost), "{lost:?}");
}

pub(super) fn read_request(connection: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") && connection.read(&mut byte).expect("a request") > 0 {
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).expect("a head");
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length: ").and_then(|length| length.parse().ok())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).expect("a body");
    head
}

fn with_headers(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn header_lines_that_curl_takes_cost_no_upload() {
    let many: String =
        (0..3000).map(|n| format!("X-Filter-{n}: seen\r\n")).collect::<Vec<String>>().concat();
    let large = format!("Set-Cookie: a={}\r\n", "x".repeat(200_000));
    for headers in [
        "X-Folded: one\r\n two\r\n\tthree\r\n",
        "X-Spaced : one\r\n",
        "no header at all\r\n",
        "X Invalid Name: one\r\n",
        "X-Binary: \u{fc}\r\n",
        ": nameless\r\n",
        many.as_str(),
        large.as_str(),
    ] {
        let response = raw(with_headers(headers, TOKEN.as_bytes())).upload(upload("n")).await;
        let shown = headers.get(..20).unwrap_or(headers);
        assert_eq!(response.as_deref(), Ok(TOKEN), "{shown}");
    }
    let http_1_0 = format!("HTTP/1.0 200\r\nContent-Type: text/plain\r\n\r\n{TOKEN}");
    assert_eq!(raw(http_1_0).upload(upload("n")).await.as_deref(), Ok(TOKEN));
}

#[tokio::test]
async fn a_time_to_ask_again_is_read_of_any_success() {
    for (headers, expected) in [
        ("Retry-After: 90\r\n", Some(Duration::from_secs(90))),
        ("Retry-After: soon\r\n", None),
        ("", None),
        ("Retry-After: 100000\r\n", Some(Duration::from_secs(100_000))),
    ] {
        let response = raw(with_headers(headers, b"running")).status("t").await;
        let status = "running".to_owned();
        let pending = Status::Pending { status, known: true, retry_after: expected };
        assert_eq!(response, Ok(pending), "{headers}");
        let platform = raw(with_headers(headers, TOKEN.as_bytes()));
        let accepted = platform.deref().upload(upload("n"), &Unguarded).await;
        assert_eq!(accepted.expect("it is accepted").retry_after, expected, "{headers}");
    }
}

#[tokio::test]
async fn headers_beyond_all_measure_are_ambiguous_and_end_nothing() {
    let lines: String = (0..60_000).map(|n| format!("{n}:\r\n")).collect::<Vec<String>>().concat();
    let endless = format!("X: {}\r\n", "x".repeat(8 << 20));
    for headers in [lines, endless] {
        let response = raw(with_headers(&headers, TOKEN.as_bytes())).upload(upload("n")).await;
        assert!(is_ambiguous(&response), "{response:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_cannot_be_read() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "\0\u{1}\u{2}garbage\r\n\r\n".to_owned(),
        "HTTP/9.9 OK\r\n\r\n".to_owned(),
        TOKEN.to_owned() + "\r\n\r\n",
    ] {
        let response = raw(answer.clone()).upload(upload("n")).await;
        assert!(matches!(response, Err(PlatformError::Unreadable(_))), "{answer:?}: {response:?}");
        let response = raw(answer.clone()).status(TOKEN).await;
        assert!(is_transient(&response) || matches!(response, Err(PlatformError::Unreadable(_))));
    }
}

macro_rules! packed {
    ($encoder:ident, $bytes:expr) => {{
        let mut encoder = pack::$encoder::new(Vec::new());
        encoder.write_all($bytes).await.expect("it is packed");
        encoder.shutdown().await.expect("it is packed");
        encoder.into_inner()
    }};
}

fn without_end(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - length);
    bytes
}

/// A gzip member with an extra field, a name, a comment and a checksum in its header.
fn named(member: &[u8]) -> Vec<u8> {
    let mut header = member[..10].to_vec();
    header[3] |= 2 | 4 | 8 | 16;
    [&header, &b"\x02\x00xyname\0comment\0cc"[..], &member[10..]].concat()
}

/// The same bytes in every coding, with the header that says so.
async fn in_every_coding(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let gzip = packed!(GzipEncoder, bytes);
    let twice = packed!(GzipEncoder, &packed!(BrotliEncoder, bytes));
    vec![
        ("gzip", gzip.clone()),
        ("x-gzip", gzip.clone()),
        ("GZIP, identity", gzip.clone()),
        ("deflate", packed!(ZlibEncoder, bytes)),
        ("deflate", packed!(DeflateEncoder, bytes)),
        ("br", packed!(BrotliEncoder, bytes)),
        ("zstd", packed!(ZstdEncoder, bytes)),
        ("br, gzip", twice),
        // Some servers confuse the names, code twice, or do not say so.
        ("gzip", packed!(ZlibEncoder, bytes)),
        ("gzip", packed!(DeflateEncoder, bytes)),
        ("deflate", packed!(GzipEncoder, bytes)),
        ("br", packed!(GzipEncoder, bytes)),
        ("zstd", packed!(GzipEncoder, bytes)),
        ("gzip", packed!(GzipEncoder, &packed!(GzipEncoder, bytes))),
        ("gzip", [packed!(GzipEncoder, bytes), b"\r\n".to_vec()].concat()),
        ("gzip", without_end(gzip.clone(), 8)),
        ("gzip", without_end(gzip.clone(), 3)),
        ("gzip", named(&without_end(gzip.clone(), 8))),
        ("gzip", [packed!(GzipEncoder, bytes), vec![0; 20], b"rest".to_vec()].concat()),
        ("gzip", [packed!(GzipEncoder, &bytes[..3]), packed!(GzipEncoder, &bytes[3..])].concat()),
        ("zstd", [packed!(ZstdEncoder, bytes), vec![0; 20]].concat()),
        ("deflate", [packed!(ZlibEncoder, bytes), b"\n".to_vec()].concat()),
        ("utf-8", packed!(GzipEncoder, bytes)),
        ("", packed!(GzipEncoder, bytes)),
        ("", packed!(ZlibEncoder, bytes)),
        ("", packed!(ZstdEncoder, bytes)),
        ("deflate", bytes.to_vec()),
        ("br", bytes.to_vec()),
        ("zstd", bytes.to_vec()),
        ("utf-8", bytes.to_vec()),
        ("", bytes.to_vec()),
    ]
}

#[tokio::test]
async fn responses_in_any_content_coding_are_decoded() {
    let results = b"Id\r\n1\r\n2\r\n".repeat(500);
    for (coding, body) in in_every_coding(&results).await {
        let headers = format!("Content-Encoding: {coding}\r\nContent-Type: text/csv\r\n");
        let response = raw(with_headers(&headers, &body)).result("t", "k").await;
        let expected = Content { content_type: Some("text/csv".into()), bytes: results.clone() };
        assert_eq!(response, Ok(expected), "{coding}");
    }
    for (coding, body) in in_every_coding(b"\"CompletedSuccessfully\"").await {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let response = raw(with_headers(&headers, &body)).status("t").await;
        assert_eq!(response, Ok(Status::Done), "{coding}");
    }
    for (coding, body) in in_every_coding(TOKEN.as_bytes()).await {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let response = raw(with_headers(&headers, &body)).upload(upload("n")).await;
        assert_eq!(response.as_deref(), Ok(TOKEN), "{coding}");
    }
}

#[tokio::test]
async fn a_decoded_body_is_as_limited_as_any_other() {
    let limit = limits().max_response_bytes;
    let bytes = vec![b'x'; 1 + limit as usize];
    for (coding, body) in in_every_coding(&bytes).await {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let response = raw(with_headers(&headers, &body)).feedback("t").await;
        let endpoint = "GetResults (feedback)";
        assert_eq!(response, Err(PlatformError::TooLarge { endpoint, limit }), "{coding}");
    }
    let bomb = packed!(GzipEncoder, &vec![0; 110 << 20]);
    assert!(bomb.len() > limit as usize);
    let bomb = packed!(GzipEncoder, &bomb);
    let response = raw(with_headers("Content-Encoding: gzip, gzip\r\n", &bomb)).feedback("t").await;
    assert!(matches!(response, Err(PlatformError::TooLarge { .. })), "{response:?}");
}

#[tokio::test]
async fn a_broken_coding_is_unreadable() {
    let mut gzip = packed!(GzipEncoder, &b"Id\r\n1\r\n2\r\n".repeat(500));
    gzip.truncate(gzip.len() / 2);
    for coding in ["gzip", "br", "zstd", "deflate"] {
        let body =
            if coding == "zstd" { b"\x28\xb5\x2f\xfd\xff\xff".to_vec() } else { gzip.clone() };
        let encoded = with_headers(&format!("Content-Encoding: {coding}\r\n"), &body);
        let response = raw(encoded.clone()).result("t", "k").await;
        assert!(is_unreadable(&response), "{coding}: {response:?}");
        let response = raw(encoded).upload(upload("n")).await;
        assert!(is_unreadable(&response), "{coding}: {response:?}");
    }
}

#[tokio::test]
async fn a_result_that_declares_itself_an_archive_is_stored_as_it_is() {
    let gzip = packed!(GzipEncoder, b"Id\r\n1\r\n");
    let encoded = with_headers("Content-Type: application/gzip\r\n", &gzip);
    let content = raw(encoded).result("t", "k").await.expect("a result");
    assert_eq!(content.bytes, gzip);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_counted_and_not_shown() {
    let mut gzip = packed!(GzipEncoder, &b"Id\r\n1\r\n2\r\n".repeat(500));
    gzip.truncate(gzip.len() / 2);
    let expected = format!("{} bytes that are no text", gzip.len());
    let polled = raw(with_headers("", &gzip)).status("t").await;
    let is_counted = matches!(&polled, Err(PlatformError::Unreadable(s)) if s.contains(&expected));
    assert!(is_counted, "{polled:?}");
    let failed = [b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\n".as_slice(), b"\x01\x02\x03\x04"];
    let failed = raw(failed.concat()).upload(upload("n")).await;
    let words = "4 bytes that are no text".to_owned();
    assert_eq!(failed, Err(PlatformError::Rejected { status: 400, words }));
}

#[tokio::test]
async fn texts_are_read_in_their_charset() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (content_type, body) in [
        ("text/plain; charset=utf-16", utf16("\u{feff}\"CompletedSuccessfully\"")),
        ("text/plain", utf16("CompletedSuccessfully")),
        ("application/json", b"\xef\xbb\xbf\"CompletedSuccessfully\"".to_vec()),
        ("text/plain; charset=ebcdic", b"CompletedSuccessfully".to_vec()),
    ] {
        let headers = format!("Content-Type: {content_type}\r\n");
        let response = raw(with_headers(&headers, &body)).status("t").await;
        assert_eq!(response, Ok(Status::Done), "{content_type}");
    }
    let headers = "Content-Type: text/plain; charset=windows-1252\r\n";
    let response = raw(with_headers(headers, b"Gepr\xfcft")).status("t").await;
    let status = "gepr\u{fc}ft".into();
    assert_eq!(response, Ok(Status::Pending { status, known: false, retry_after: None }));
    let feedback = raw(with_headers("", b"2|M\xfcller|unknown")).feedback("t").await;
    let Content { content_type, bytes } = feedback.expect("feedback");
    assert_eq!(bytes, b"2|M\xfcller|unknown", "the Platform's own bytes");
    let text = ferry::charset::text(content_type.as_deref(), &bytes);
    assert_eq!(text, "2|M\u{fc}ller|unknown");
}

#[tokio::test]
async fn whole_json_is_read_whatever_was_announced_to_follow() {
    let lost = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n";
    for encoded in [format!("{lost}\"{TOKEN}\""), format!("{chunked}\"{TOKEN}\"\r\n")] {
        assert_eq!(raw(encoded).upload(upload("n")).await.as_deref(), Ok(TOKEN));
    }
    let cut = raw(format!("{lost}{TOKEN}")).upload(upload("n")).await;
    assert!(is_unreadable(&cut), "{cut:?}");
}

#[tokio::test]
async fn an_upload_whose_answer_breaks_off_was_accepted_with_an_unreadable_token() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n\"3f25",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n3f250",
    ] {
        let response = raw(answer).upload(upload("n")).await;
        let is_unreadable = matches!(
            &response,
            Err(PlatformError::Unreadable(what)) if what.contains("cut short")
        );
        assert!(is_unreadable, "{response:?}");
        let polled = raw(answer).status(TOKEN).await;
        assert!(matches!(polled, Err(PlatformError::Transient(_))), "{polled:?}");
    }
}
