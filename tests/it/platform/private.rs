//! Secrets that are rotated, authorities that only a company knows, and proxies.

use std::net::TcpListener;
use std::path::Path;

use ferry::secret::Secret;
use ferry_client::http::Authorities;
use ferry_sim::Credentials;
use ferry_types::domain::outcome::Status;
use tempfile::TempDir;

use super::*;

fn in_file(folder: &TempDir, name: &str, text: &str) -> (Secret, std::path::PathBuf) {
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("a file");
    (Secret::text(name, text.trim().into(), Some(file.clone())), file)
}

fn replace(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a file");
}

#[tokio::test]
async fn a_client_secret_is_read_again_when_it_is_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    let (client_secret, file) = in_file(&folder, "secret", "outdated\n");
    let (sim, _) = start(quick()).await;
    let account = AccountConfig { client_secret, ..account_of(&Credentials::default()) };
    let platform = client_of(&sim, account);
    assert!(is_of_credentials(&platform.check_credentials().await));
    replace(&file, &format!("\u{feff}{}\r\n", Credentials::default().client_secret));
    assert_eq!(platform.check_credentials().await, Ok(()));
    // A file that is away for a moment, or empty while it is written, changes nothing.
    replace(&file, "");
    assert_eq!(platform.check_credentials().await, Ok(()));
    std::fs::remove_file(&file).expect("it is there");
    platform.upload(upload("n")).await.expect("it is accepted");
}

#[tokio::test]
async fn an_api_key_is_read_again_when_it_is_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    let (api_key, file) = in_file(&folder, "key", "outdated");
    let (sim, _) = start(quick()).await;
    let account = AccountConfig { api_key, ..account_of(&Credentials::default()) };
    let platform = client_of(&sim, account);
    let denied = platform.status("t").await;
    assert!(is_transient(&denied), "{denied:?}");
    replace(&file, &Credentials::default().api_key);
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    assert_eq!(platform.status(&token).await, Ok(Status::Done));
}

#[tokio::test]
async fn a_replaced_secret_is_not_shown_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let (api_key, file) = in_file(&folder, "key", "first-key");
    let (sim, _) = start(quick()).await;
    let account = AccountConfig { api_key, ..account_of(&Credentials::default()) };
    let platform = client_of(&sim, account);
    replace(&file, "second-key");
    assert!(is_transient(&platform.status("t").await));
    let echo = says(400, "not first-key nor second-key");
    sim.script(ferry_sim::Endpoint::Status, echo);
    let error = platform.status("t").await.expect_err("a 400").to_string();
    assert!(error.contains("not [redacted] nor [redacted]"), "{error}");
}

/// Answers one request over TLS with a token.
fn over_tls(listener: TcpListener, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) {
    use std::io::{Read, Write};
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.expect("a key"))
        .expect("a certificate");
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut tcp = connection.expect("a connection");
            let mut tls = rustls::ServerConnection::new(config.clone()).expect("a configuration");
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            // A client without trust ends here.
            if stream.read(&mut [0; 4096]).is_err() {
                continue;
            }
            let token = r#"{"access_token":"abc","expires_in":3600}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", token.len());
            let _ = stream.write_all(format!("{head}{token}").as_bytes());
        }
    });
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let certificate = certificate.expect("a certificate");
    let listener = TcpListener::bind(localhost()).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    over_tls(listener, &certificate);
    let url = format!("https://localhost:{port}/connect/token");
    let account = AccountConfig {
        token_url: url.clone(),
        api_url: url,
        ..account_of(&Credentials::default())
    };
    let alone = client(account.clone(), limits(), 0).check_credentials().await;
    assert!(is_transient(&alone), "{alone:?}");
    let authorities = Authorities::read(certificate.cert.pem().as_bytes()).expect("one");
    let platform = client(account, Limits { authorities, ..limits() }, 0);
    assert_eq!(platform.check_credentials().await, Ok(()));
    let none = b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----";
    let error = Authorities::read(none).expect_err("no certificate");
    assert_eq!(error, "it holds what is no certificate");
}
