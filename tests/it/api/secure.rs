//! Access to the server: TLS, proxies, and names that lead to it.

use std::time::{Duration, Instant};

use ferry_types::contract::ProblemKind;
use insta::assert_snapshot;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use reqwest::{Certificate, Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::harness::{Answer, Served};
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, eventually};

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

#[test]
fn the_end_of_the_certificate_is_exported() {
    let until = |year| {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let signing_key = KeyPair::generate().unwrap();
        CertifiedKey { cert: params.self_signed(&signing_key).unwrap(), signing_key }
    };
    let ferry = with_tls();
    let certified = until(2100);
    write(&ferry, &certified);
    let server = serve(&ferry, &["--no-workers"]);
    let (url, client) = (url(&server), trusting(&certified));
    let runtime = Runtime::new().unwrap();
    let exported = || {
        let scraped = async { client.get(format!("{url}/metrics")).send().await?.text().await };
        let scraped = runtime.block_on(scraped).unwrap_or_default();
        let name = "ferry_certificate_expires_timestamp_seconds ";
        scraped.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok())
    };
    eventually("the end of 2099", || exported() == Some(4_102_444_800.0));
}

/// A client that trusts this certificate and no other.
fn trusting(certificate: &CertifiedKey<KeyPair>) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = Certificate::from_pem(certificate.cert.pem().as_bytes()).unwrap();
    Client::builder().no_proxy().tls_certs_only([root]).build().unwrap()
}

/// Writes files that are as old as those before them.
fn write(ferry: &Ferry, certificate: &CertifiedKey<KeyPair>) {
    ferry.write("server.pem", certificate.cert.pem());
    ferry.write("server.key", certificate.signing_key.serialize_pem());
    for name in ["server.pem", "server.key"] {
        ferry_testing::make_old(&ferry.path(name));
    }
}

fn with_tls() -> Ferry {
    let ferry = Ferry::new().set("FERRY_CLIENT_TIMEOUT", "700ms");
    ferry.set("FERRY_TLS_CERTIFICATE", "server.pem").set("FERRY_TLS_KEY", "server.key")
}

#[test]
fn a_server_with_a_certificate_speaks_tls_and_notices_a_new_one() {
    let (old, new) = (certificate(), certificate());
    let ferry = with_tls();
    write(&ferry, &old);
    let mut server = serve(&ferry, &["--no-workers"]);
    let url = url(&server);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let runtime = Runtime::new().unwrap();
    let works = |client: &Client| {
        let response = runtime.block_on(client.get(format!("{url}/v1/stats")).send());
        response.is_ok_and(|response| response.status() == 200)
    };
    assert!(works(&trusting(&old)));
    assert!(!works(&trusting(&new)));
    // Files that cannot be used change nothing.
    ferry.write("server.key", "nonsense");
    eventually("that is noticed", || {
        assert!(works(&trusting(&old)));
        server.stderr().contains("the old certificate stays in use")
    });
    write(&ferry, &new);
    eventually("the new certificate", || works(&trusting(&new)));
    assert!(!works(&trusting(&old)));
    // A client that does not speak TLS gets no response, and a silent client is cut off.
    runtime.block_on(async {
        let address = url.trim_start_matches("https://");
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut response = Vec::new();
        let _ = plain.read_to_end(&mut response).await;
        assert!(!response.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&response));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let started = Instant::now();
        let _ = silent.read_to_end(&mut response).await;
        assert!(started.elapsed() < Duration::from_secs(20));
    });
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0), "{}", server.stderr());
    assert!(!server.stderr().contains("PRIVATE"), "{}", server.stderr());
}

#[test]
fn certificates_that_cannot_be_used_are_named_before_anything_listens() {
    let ferry = with_tls();
    let errors = |ferry: &Ferry| ferry.run(&["serve", "--no-workers"]).exits(2).stderr;
    let mut all = errors(&ferry);
    let (one, other) = (certificate(), certificate());
    ferry.write("server.pem", "nonsense");
    all += &errors(&ferry);
    ferry.write("server.pem", one.cert.pem());
    ferry.write("server.key", one.cert.pem());
    all += &errors(&ferry);
    ferry.write("server.key", other.signing_key.serialize_pem());
    all += &errors(&ferry);
    all += &errors(&ferry.unset("FERRY_TLS_KEY"));
    assert_snapshot!(all, @"
    error: cannot read the certificate in `server.pem`: No such file or directory (os error 2)
    error: cannot read the certificate in `server.pem`: there is none
    error: cannot read the private key in `server.key`: there is none
    error: certificate `server.pem` and key `server.key` cannot be used: keys may not be consistent: KeyMismatch
    error: 1 configuration error: `tls_certificate` and `tls_key`: give both of them, or none
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_not_answered_where_there_are_no_keys() {
    let served = Served::idle(&[]).await;
    let port = served.address.port();
    let requested =
        |host: String| Answer::of(served.request(Method::GET, "/v1/stats").header("host", host));
    for own in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
        assert_eq!(requested(format!("{own}:{port}")).await.status, 200, "{own}");
        assert_eq!(requested(own.to_owned()).await.status, 200, "{own}");
    }
    for foreign in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"]
    {
        let problem = requested(format!("{foreign}:{port}")).await.is(ProblemKind::NotLocal);
        assert_eq!(problem.title, "Remote access requires API keys");
        assert!(problem.detail.contains("`Host`"), "{}", problem.detail);
        assert!(
            problem.detail.contains("`ferry keys create --name NAME --role ROLE`"),
            "{}",
            problem.detail
        );
    }
    // Probes and documents hold no secret.
    let probe = served.request(Method::GET, "/healthz").header("host", "evil.example");
    assert_eq!(Answer::of(probe).await.status, 200);
}

#[test]
fn the_audit_names_where_a_call_came_from() {
    let audit_line = |proxies: &str, forwarded: &str| {
        let ferry = Ferry::new().set("FERRY_TRUSTED_PROXIES", proxies);
        let ferry = ferry.set("FERRY_API_KEYS", "keys.jsonl");
        let create = ["keys", "create", "--name", "ops", "--role", "operate"];
        let key = ferry.run(&create).ok().stdout;
        let mut server = serve(&ferry, &["--no-workers"]);
        let resume = format!("{}/v1/accounts/none/resume", url(&server));
        let request = super::harness::client().post(resume).header("x-forwarded-for", forwarded);
        let request = request.bearer_auth(key.trim());
        Runtime::new().unwrap().block_on(Answer::of(request)).is(ProblemKind::NotFound);
        server.signal("TERM");
        server.end();
        let log = server.stderr();
        log.lines().find(|line| line.contains("audit.action")).unwrap().to_owned()
    };
    assert!(audit_line("127.0.0.0/8", "1.1.1.1, 192.0.2.7").contains("audit.client=\"192.0.2.7\""));
    assert!(audit_line("10.0.0.0/8", "1.1.1.1").contains("audit.client=\"127.0.0.1\""));
    let wrong = Ferry::new().set("FERRY_TRUSTED_PROXIES", "nginx").run(&["serve"]).exits(2);
    assert!(wrong.stderr.contains("FERRY_TRUSTED_PROXIES"), "{}", wrong.stderr);
}
