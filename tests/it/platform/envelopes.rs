//! Responses in every form of HTTP/1 that curl 7.88 takes, compared with it one by one: Ferry takes them,
//! too. The bytes are written by raw sockets.

use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;

use ferry_sim::Credentials;

use super::lenient::{TOKEN, read_request};
use super::*;

/// Puts a body in bytes of HTTP/1.
type Envelope = Box<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A Platform that sends everything in this envelope, and closes the connection after it unless it `stays`.
fn platform(envelope: Envelope, stays: bool) -> Client {
    let listener = TcpListener::bind(localhost()).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let envelope = Arc::new(envelope);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let envelope = envelope.clone();
            std::thread::spawn(move || {
                loop {
                    let request = read_request(&mut connection);
                    let body = if request.is_empty() {
                        return;
                    } else if request.starts_with("POST /connect/token") {
                        r#"{"access_token":"abc","expires_in":3600}"#.to_owned()
                    } else if request.contains("/UploadData") {
                        format!("\"{TOKEN}\"")
                    } else {
                        "CompletedSuccessfully".to_owned()
                    };
                    // A client that reads no further than it must may be gone.
                    let _ = connection.write_all(&envelope(&body));
                    if !stays {
                        let _ = connection.shutdown(Shutdown::Write);
                    }
                }
            });
        }
    });
    let account = account_of(&Credentials::default());
    let token_url = format!("{url}/connect/token");
    client(AccountConfig { token_url, api_url: format!("{url}/upload"), ..account }, limits(), 0)
}

/// With this status line and these header lines, in which `%` is the length of the body.
fn head(status: &str, lines: &str, end: &str) -> Envelope {
    let lines = lines.replace('|', end) + end;
    let (status, end) = (status.to_owned(), end.to_owned());
    Box::new(move |body| {
        let lines = lines.replace('%', &body.len().to_string());
        format!("{status}{end}{lines}{end}{body}").into_bytes()
    })
}

/// In two chunks: `size` stands for each size, `end` ends each line but those of the data.
fn chunks(lines: &str, size: &str, end: [&str; 2], last: &str) -> Envelope {
    let [size, last, lines] = [size, last, lines].map(str::to_owned);
    let [end, data_end] = end.map(str::to_owned);
    Box::new(move |body| {
        let (first, second) = body.split_at(body.len() / 2);
        let chunk = |data: &str| {
            let length = data.len();
            let size = size.replace("%X", &format!("{length:X}"));
            let size = size.replace("%0", &format!("{length:020x}"));
            format!("{}{end}{data}{data_end}", size.replace('%', &format!("{length:x}")))
        };
        let head = format!("HTTP/1.1 200 OK{end}{}{end}{end}", lines.replace('|', &end));
        format!("{head}{}{}{last}", chunk(first), chunk(second)).into_bytes()
    })
}

fn chunked_forms() -> Vec<Envelope> {
    const CHUNKED: &str = "Transfer-Encoding: chunked";
    let (crlf, lf) = (["\r\n", "\r\n"], ["\n", "\n"]);
    let mut forms = Vec::new();
    for (size, end, last) in [
        ("%", crlf, "0\r\n\r\n"),
        ("%", lf, "0\n\n"),
        ("%", ["\r\n", "\n"], "0\r\n\r\n"),
        ("%", ["\n", "\r\n"], "0\n\n"),
        ("%X;name=\"value\"", lf, "0;done\nX-A: b\n\n"),
        ("%  \t", lf, "0 \nX-A : b\nX-B: c\n d\nnonsense\n\n"),
        ("%0", crlf, "000\r\n\r\n"),
        ("% hello", crlf, "0\r\n\r\n"),
        ("%zz", crlf, "0\r\n\r\n"),
        ("%", crlf, "0\r\n"),
        ("%", crlf, "0\r\n\r\nrest"),
        ("%", ["\r\r\n", "\r\r\n"], "0\r\n\r\n"),
    ] {
        forms.push(chunks(CHUNKED, size, end, last));
    }
    let extension = format!("%;{}", "x".repeat(20_000));
    let trailers = format!("0\r\n{}\r\n", "X-A: b\r\n".repeat(300));
    forms.push(chunks(CHUNKED, &extension, crlf, &trailers));
    for lines in [
        "transfer-encoding:CHUNKED",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:| chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: identity|Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked|Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked;q=1",
        "Content-Length: 5|Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked|Content-Length: 5",
    ] {
        forms.push(chunks(lines, "%", lf, "0\n\n"));
    }
    let old = chunks(CHUNKED, "%", crlf, "0\r\n\r\n");
    forms.push(Box::new(move |body| {
        let response = String::from_utf8(old(body)).expect("a text");
        response.replace("HTTP/1.1", "HTTP/1.0").into_bytes()
    }));
    forms
}

fn heads() -> Vec<Envelope> {
    let mut forms = Vec::new();
    for status in [
        "HTTP/1.1 200",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200\tOK",
        "HTTP/1.0 200 OK",
        "HTTP/2 200 OK",
        "HTTP/2.0 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 200.0 OK",
        "HTTP/1.1 200 O\u{1}K",
        "HTTP/1.1 200 d\u{e9}j\u{e0}",
        "HTTP/1.1 200 OK\r",
        "HTTP/1.1 299 Odd",
        "\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK",
    ] {
        forms.push(head(status, "Content-Length: %", "\r\n"));
    }
    for end in ["\n", "\r\r\n"] {
        forms.push(head("HTTP/1.1 200 OK", "Content-Length: %", end));
    }
    for lines in [
        "Content-Length: %, %",
        "Content-Length: %|Content-Length: %",
        "Content-Length: 3|Content-Length: %",
        "Content-Length: %,",
        "Content-Length: +%",
        "Content-Length: 0%",
        "Content-Length:\t%  ",
        "Content-Length : %",
        "Content-Length:| %",
        "Content-Length: % bytes",
        "Content-Length: %;x",
        "Content-Length: %.0",
        "Content-Length: %|Transfer-Encoding: identity",
        "X: a\rb|Content-Length: %",
        "X: a\u{1}b|(comment): a|no colon|: nameless|=: a|Content-Length: %",
        " folded|X: a| b|Content-Length: %",
    ] {
        forms.push(head("HTTP/1.1 200 OK", lines, "\r\n"));
    }
    forms
}

async fn is_read(envelope: Envelope, stays: bool) {
    let shown = String::from_utf8_lossy(&envelope("BODY")).into_owned();
    let shown: String = shown.chars().take(200).collect();
    let platform = platform(envelope, stays);
    let uploaded = platform.upload(upload("n")).await;
    assert_eq!(uploaded.as_deref(), Ok(TOKEN), "{shown:?}");
    // On the same connection, if it stays.
    for _ in 0..if stays { 2 } else { 1 } {
        let status = platform.status(TOKEN).await;
        assert_eq!(status, Ok(ferry_types::domain::outcome::Status::Done), "{shown:?}");
    }
}

#[tokio::test]
async fn responses_that_curl_takes_are_read() {
    for (forms, others) in [(chunked_forms(), chunked_forms()), (heads(), heads())] {
        assert!(forms.len() > 20);
        for envelope in forms {
            is_read(envelope, false).await;
        }
        for envelope in others {
            // The end of the last chunk is missing there, or further bytes follow it.
            let last = envelope("BODY");
            if !last.ends_with(b"0\r\n") && !last.ends_with(b"rest") {
                is_read(envelope, true).await;
            }
        }
    }
}

#[tokio::test]
async fn a_body_without_a_usable_length_ends_with_its_connection() {
    for lines in [
        "X: y",
        "Connection: keep-alive",
        "Content-Length: 99999999999999999999",
        "Content-Length: none",
        "Transfer-Encoding: gzip",
    ] {
        for status in ["HTTP/1.1 200 OK", "HTTP/1.0 200"] {
            is_read(head(status, lines, "\r\n"), false).await;
        }
    }
}

#[tokio::test]
async fn bytes_behind_a_body_are_no_response_to_the_next_request() {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfailed";
    let platform = platform(
        Box::new(move |body| {
            format!("HTTP/1.1 200 OK\nContent-Length: {}\n\n{body}{smuggled}", body.len()).into()
        }),
        true,
    );
    for _ in 0..5 {
        let status = platform.status(TOKEN).await;
        assert_eq!(status, Ok(ferry_types::domain::outcome::Status::Done));
    }
}
