//! Proxies on the way to the Platform, as the environment names them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::harness::Ferry;

/// Starts a proxy that denies every request, and sends the first line of each to the test.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, requested) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection: TcpStream = connection.expect("a connection");
            let mut lines = BufReader::new(connection.try_clone().expect("a socket")).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            // The test may have seen enough.
            let _ = sender.send(first);
            let _ = connection.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    (url, requested)
}

fn behind(proxy: &str) -> Ferry {
    Ferry::new()
        .set("FERRY_TOKEN_URL", "https://identity.platform.invalid/connect/token")
        .set("FERRY_API_URL", "https://api.platform.invalid/upload")
        .set("FERRY_CLIENT_ID", "demo")
        .set("FERRY_CLIENT_SECRET", "demo-secret")
        .set("FERRY_API_KEY", "demo-key")
        .set("HTTPS_PROXY", proxy)
}

#[test]
fn the_platform_is_reached_through_the_proxy_of_the_environment() {
    let (url, requested) = proxy();
    let ran = behind(&url).run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("cannot get an access token"), "{}", ran.stdout);
    let named = format!("the proxy `{url}` (`HTTPS_PROXY`)");
    assert!(ran.stdout.contains(&named), "{named}: {}", ran.stdout);
    assert!(ran.stdout.contains("407") || ran.stdout.contains("authorization"), "{}", ran.stdout);
    let first = requested.try_recv().expect("the proxy was asked");
    assert_eq!(first, "CONNECT identity.platform.invalid:443 HTTP/1.1");
}

#[test]
fn hosts_that_need_no_proxy_are_reached_without() {
    let (url, requested) = proxy();
    let ran = behind(&url).set("NO_PROXY", ".platform.invalid").run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("cannot get an access token"), "{}", ran.stdout);
    assert!(requested.try_recv().is_err(), "the proxy was asked");
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_with_its_variable() {
    // Nothing listens at the port of a socket that only connects.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    let with_credentials = format!("http://me:s3cret@{address}");
    let ran = behind(&with_credentials).run(&["doctor"]).exits(1);
    let named = format!("no connection through the proxy `http://{address}` (`HTTPS_PROXY`)");
    assert!(ran.stdout.contains(&named), "{named}: {}", ran.stdout);
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
}

#[test]
fn a_proxy_of_plain_http_that_wants_credentials_is_named() {
    let (url, requested) = proxy();
    let ferry = behind(&url)
        .set("FERRY_TOKEN_URL", "http://identity.platform.invalid/connect/token")
        .set("HTTP_PROXY", &url);
    let ran = ferry.run(&["doctor"]).exits(1);
    let named = format!("the proxy `{url}` (`HTTP_PROXY`) requires credentials (407)");
    assert!(ran.stdout.contains(&named), "{named}: {}", ran.stdout);
    let first = requested.try_recv().expect("the proxy was asked");
    assert!(first.starts_with("POST http://identity.platform.invalid/"), "{first}");
}
