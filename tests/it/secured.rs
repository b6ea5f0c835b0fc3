//! A Redis server with users of few rights, over TLS with a certificate of a private authority.

use std::path::{Path, PathBuf};

use ferry_store::StoreError;
use ferry_types::domain::submission::State;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::{World, overwriting, prompt};
use ferry_testing::{RedisServer, free_port};

const PASSWORD: &str = "s3cret-of-the-server";

/// Permissions that the documentation gives to the user of the store.
fn rights() -> Vec<&'static str> {
    let line = include_str!("../../docs/tutorials/production-on-redis.md").lines();
    let line = line.filter_map(|line| line.trim().strip_prefix("ACL SETUSER ferry on >PASSWORD "));
    line.flat_map(str::split_whitespace).collect()
}

struct Secured {
    server: RedisServer,
    port: u16,
    folder: TempDir,
}

impl Secured {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let (port, path) =
            (free_port(), |name: &str| folder.path().join(name).display().to_string());
        let server = RedisServer::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &path("server.pem"),
            "--tls-key-file",
            &path("server.key"),
            "--tls-ca-cert-file",
            &path("authority.pem"),
            "--tls-auth-clients",
            "no",
        ])
        .await;
        let password = format!(">{PASSWORD}");
        let words: Vec<_> =
            ["ACL", "SETUSER", "ferry", "on", &password].into_iter().chain(rights()).collect();
        server.ask_with::<()>(&words).await;
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        Self { server, port, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("rediss://ferry@localhost:{}/0", self.port)
    }

    async fn world(&self, more: &[(&str, &str)]) -> World {
        let url = self.url();
        World::idle(prompt(), &[&[("STORE", url.as_str())], more].concat()).await
    }
}

/// An authority, and a server with its certificate.
pub(crate) fn certify(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    let write = |name, text| std::fs::write(folder.join(name), text).unwrap();
    write("authority.pem", authority.pem());
    write("server.pem", server.pem());
    write("server.key", key.serialize_pem());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_few_rights_is_enough_over_tls_of_a_private_authority() {
    let secured = Secured::start().await;
    let (password, authority) = (secured.file("password"), secured.file("authority.pem"));
    let mut world = secured
        .world(&[
            ("STORE_PASSWORD_FILE", password.to_str().unwrap()),
            ("STORE_CA", authority.to_str().unwrap()),
        ])
        .await;
    world.start_workers();
    let id = world.submit(overwriting("a")).await;
    let submission = world.settled(id).await;
    assert_eq!(submission.state, State::Completed);
    for finding in world.app.store.check().await.unwrap() {
        assert!(finding.ok || finding.text.contains("memory"), "{finding:?}");
    }
    world.app.store.pause("default", "for a while").await.unwrap();
    world.app.store.resume("default").await.unwrap();
    // How often the file is synced is not the user's to ask, and `check` copes with that.
    let denied = format!("{:?}", secured.server.ask::<redis::Value>("ACL LOG").await);
    let count = |what: &str| denied.matches(what).count();
    assert_eq!(count("client-info"), count("cmd=config|get"), "{denied}");
}

#[tokio::test]
async fn a_server_with_an_untrusted_certificate_gets_no_command() {
    let secured = Secured::start().await;
    let password = secured.file("password");
    let world = secured.world(&[("STORE_PASSWORD_FILE", password.to_str().unwrap())]).await;
    let error = world.app.store.stats().await.unwrap_err();
    let StoreError::Unavailable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("certificate") && !cause.contains("does not respond"), "{error}");
    assert!(!format!("{error} {error:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_wrong_password_is_reported_without_it() {
    let secured = Secured::start().await;
    let authority = secured.file("authority.pem");
    let wrong =
        [("STORE_PASSWORD", "s3cret-that-is-wrong"), ("STORE_CA", authority.to_str().unwrap())];
    let error = secured.world(&wrong).await.app.store.stats().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.to_lowercase().contains("password"), "{text}");
    assert!(
        !text.contains("does not respond"),
        "the server answered, and the user would look elsewhere: {text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
}
