//! URLs and settings with which no webhook is sent.

use ferry_types::contract::{ProblemKind, SubmissionRequest};
use ferry_types::domain::submission::State;
use serde_json::json;

use super::{Receiver, SECRET, deliveries, words, world};
use crate::api::harness::{GOOD, Served};
use crate::cli::harness::{Ferry, Platform};
use crate::support::{World, dataset, prompt};

#[tokio::test]
async fn a_url_that_cannot_be_used_is_invalid_at_submission() {
    let served = Served::idle(&[("WEBHOOK_SECRET", SECRET)]).await;
    for (url, why) in [
        ("http://example.com/", "must begin with https://"),
        ("https://user:secret@example.com/", "must not hold credentials"),
        ("https://127.0.0.1/", "is not a public address"),
        ("https://[fd00:ec2::254]/latest", "is not a public address"),
        ("nonsense", "not a URL"),
        (&format!("https://example.com/{}", "x".repeat(2100)), "longer than 2048 bytes"),
    ] {
        let body = json!({ "name": "march", "data": GOOD, "webhook_url": url });
        let problem = served.post("/v1/submissions", &body).await.is(ProblemKind::InvalidField);
        assert_eq!(problem.field.as_deref(), Some("webhook_url"));
        assert!(problem.detail.contains(why), "{problem:?}");
        assert!(!problem.detail.contains("secret"), "{problem:?}");
    }
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 0);
    let unsigned = Served::idle(&[]).await;
    let body = json!({ "name": "march", "data": GOOD, "webhook_url": "https://example.com/" });
    let problem = unsigned.post("/v1/submissions", &body).await.is(ProblemKind::InvalidField);
    assert!(problem.detail.contains("account `default` has no `webhook_secret`"), "{problem:?}");
}

#[tokio::test]
async fn a_name_that_leads_into_the_own_network_is_not_called() {
    let receiver = Receiver::start(&[]).await;
    let settings = [("WEBHOOK_ALLOW", "10.0.0.0/8"), ("WEBHOOK_MAX_ATTEMPTS", "2")];
    let world = world(&settings).await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let request = SubmissionRequest { webhook_url: Some(url), ..dataset("march") };
    let id = world.submit(request).await;
    assert_eq!(words(&deliveries(&world, id).await), ["not_allowed", "not_allowed"]);
    assert!(receiver.received().is_empty());
    assert_eq!(world.look(id).await.state, State::Completed);
    world.finish().await;
}

#[tokio::test]
async fn a_receiver_is_trusted_by_a_configured_authority() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::secured(folder.path()).await;
    let authority = folder.path().join("authority.pem");
    let authority = [("WEBHOOK_CA", authority.to_str().unwrap())];
    for (settings, expected) in [(&[][..], "no_connection"), (&authority, "delivered")] {
        let once = [("WEBHOOK_MAX_ATTEMPTS", "1"), ("WEBHOOK_ALLOW_HTTP", "no")];
        let world = world(&[&once, settings].concat()).await;
        let request =
            SubmissionRequest { webhook_url: Some(receiver.url.clone()), ..dataset("march") };
        let id = world.submit(request).await;
        assert_eq!(words(&deliveries(&world, id).await), [expected]);
        world.finish().await;
    }
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn an_invalid_authority_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
    let ferry = Ferry::new().file("broken.pem", broken).file("other.txt", "nonsense");
    for (file, why) in [
        ("broken.pem", "it holds what is no certificate"),
        ("other.txt", "expected a file with certificates in PEM"),
        ("none.pem", "it cannot be read"),
    ] {
        let ran = ferry.run(&["stats", "--set", &format!("webhook_ca={file}")]).exits(2);
        assert!(ran.stderr.contains("webhook_ca") && ran.stderr.contains(why), "{}", ran.stderr);
    }
}

#[test]
fn without_authorities_no_worker_that_has_to_send_webhooks_starts() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("none.pem", "")
        .set("SSL_CERT_FILE", "none.pem")
        .set("SSL_CERT_DIR", "no-such-folder");
    ferry.run(&["worker", "--until-idle"]).ok();
    let ferry = ferry.set("FERRY_WEBHOOK_SECRET", SECRET);
    let failed = ferry.run(&["worker", "--until-idle"]).exits(1).stderr;
    for part in [
        "error: cannot send webhooks\n",
        "caused by: cannot set up an HTTPS client\n",
        "No CA certificates were loaded from the system\n",
        "hint: install the CA certificates of the machine, or set `webhook_ca`\n",
    ] {
        assert!(failed.contains(part), "{part} is missing in {failed}");
    }
}

#[tokio::test]
async fn a_host_that_is_allowed_is_called_wherever_it_leads() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&[("WEBHOOK_ALLOW", "localhost")]).await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let request = SubmissionRequest { webhook_url: Some(url), ..dataset("march") };
    let id = world.submit(request).await;
    assert_eq!(words(&deliveries(&world, id).await), ["delivered"]);
    world.finish().await;
}

#[tokio::test]
async fn what_was_accepted_under_other_rules_is_not_sent() {
    let receiver = Receiver::start(&[]).await;
    let accepting = World::idle(prompt(), &super::HERE).await;
    let request = SubmissionRequest { webhook_url: Some(receiver.url.clone()), ..dataset("march") };
    let id = accepting.submit(request).await;
    let mut env = accepting.env.clone();
    env.insert("FERRY_WEBHOOK_ALLOW".into(), String::new());
    env.insert("FERRY_WEBHOOK_MAX_ATTEMPTS".into(), "1".into());
    let sources = ferry::config::Sources { file: None, env, flags: Vec::new() };
    let config = ferry::config::Config::load(&sources).unwrap();
    let strict = ferry::app::App::open(config).unwrap();
    let workers = tokio::spawn(strict.workers().unwrap().run());
    assert_eq!(words(&deliveries(&accepting, id).await), ["not_allowed"]);
    strict.shutdown.drain();
    workers.await.unwrap().unwrap();
    assert!(receiver.received().is_empty());
}

#[test]
fn wrong_webhook_settings_are_reported_together() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .set("FERRY_WEBHOOK_URL", "http://10.0.0.1/hook")
        .set("FERRY_WEBHOOK_SECRET", "whsec_very-secret")
        .set("FERRY_WEBHOOK_ALLOW", "10.0.0.0/99")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "perhaps");
    let stderr = ferry.run(&["submit", "good.csv"]).exits(2).stderr;
    for part in [
        "FERRY_WEBHOOK_URL: it must begin with https://",
        "`webhook_secret` of account `default`: expected `whsec_`",
        "FERRY_WEBHOOK_URL: it needs a `webhook_secret` to sign with",
        "FERRY_WEBHOOK_ALLOW: expected hosts, addresses and networks",
        "FERRY_WEBHOOK_ALLOW_HTTP: expected `yes` or `no`",
    ] {
        assert!(stderr.contains(part), "{part} is missing in: {stderr}");
    }
    assert!(!stderr.contains("very-secret"), "{stderr}");
}
