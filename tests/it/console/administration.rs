//! Keys, audit log and system: for operators whose key sees all accounts.

use ferry_testing::{RedisServer, make_old, until};
use reqwest::Method;

use super::harness::{Page, Tab};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::dataset;

/// The key that a page shows.
fn secret(page: &Page) -> String {
    let (_, rest) = page.text.split_once("<code class=\"secret\">").expect("a key");
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_uncompressed_and_its_sessions_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let tab = Tab::of(&keyed, "operator").await;
    let list = tab.get("/console/keys").await;
    for name in ["reader", "producer", "operator", "bound"] {
        assert!(list.says(name), "{}", list.text);
    }
    let fields = [("name", "billing"), ("role", "submit"), ("accounts", "default, other")];
    let form = tab.form("/console/keys", &fields).header("sec-fetch-site", "same-origin");
    let created = Page::of(form.header("accept-encoding", "gzip")).await;
    assert_eq!(created.status, 200, "{}", created.text);
    assert_eq!(created.header("content-encoding"), "", "with other text its length would show it");
    assert_eq!(created.header("cache-control"), "no-store");
    let key = secret(&created);
    assert!(key.starts_with("ferry_") && !tab.get("/console/keys").await.text.contains(&key));
    make_old(&keyed.file);
    let stranger = Tab::at(format!("http://{}", keyed.served.address));
    until("the new key", async || stranger.log_in(&key).await.status == 303).await;
    let mut own = stranger.clone();
    own.cookie = stranger.log_in(&key).await.cookie();
    assert!(own.get("/console").await.says("2 accounts"));
    let again = tab.post("/console/keys", &fields).await;
    assert!(again.status == 409 && again.says("there is a key billing already"), "{again:?}");
    assert!(again.says("Not done") && again.text.contains("/console/keys/billing/revoke"));
    assert!(again.text.contains("action=\"/console/keys\""), "another name can be tried");
    let revoked = tab.post("/console/keys/billing/revoke", &[]).await;
    assert_eq!((revoked.status, revoked.header("location")), (303, "/console/keys"));
    make_old(&keyed.file);
    until("the end of its session", async || own.get("/console").await.status == 303).await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("billing: submit: default, other") && !log.contains(&key), "{log}");
}

#[tokio::test]
async fn keys_audit_and_settings_are_for_operators_of_all_accounts_alone() {
    let keyed = Keyed::start().await;
    for (name, status) in [("reader", 403), ("producer", 403), ("bound", 403)] {
        let tab = Tab::of(&keyed, name).await;
        for path in ["/console/keys", "/console/audit"] {
            let page = tab.get(path).await;
            assert_eq!(page.status, status, "{name}: {path}");
            assert!(!page.text.contains(&format!("href=\"{path}\"")), "{name}: {path} is drawn");
        }
        let fields = [("name", "mine"), ("role", "operate")];
        assert_eq!(tab.post("/console/keys", &fields).await.status, 403, "{name}");
        assert_eq!(tab.post("/console/keys/reader/revoke", &[]).await.status, 403, "{name}");
        let system = tab.get("/console/system").await;
        assert!(system.status == 200 && !system.says("ferry config show"), "{}", system.text);
    }
    assert_eq!(Tab::of(&keyed, "reader").await.get("/console").await.status, 200);
}

#[tokio::test]
async fn a_key_file_that_cannot_be_written_is_said_with_the_command() {
    let keyed = Keyed::start().await;
    let tab = Tab::of(&keyed, "operator").await;
    // Root may write what is read-only, but no folder can be locked.
    let lock = keyed.file.with_file_name("keys.jsonl.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let page = tab.post("/console/keys", &[("name", "billing"), ("role", "submit")]).await;
    assert_eq!(page.status, 409, "{}", page.text);
    assert!(page.says("ferry keys create --name billing --role submit"), "{}", page.text);
    let bare = Served::idle(&[]).await;
    let page = Tab::at(format!("http://{}", bare.address)).get("/console/keys").await;
    assert!(page.says("ferry keys create --name ops --role operate"), "{}", page.text);
}

#[tokio::test]
async fn the_audit_log_is_shown_newest_first_by_actor_action_and_request() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let tab = Tab::of(&keyed, "operator").await;
    let ids = keyed.served.world.submit_all(["a", "b"].map(dataset)).await;
    for id in &ids {
        assert_eq!(tab.post(&format!("/console/submissions/{id}/cancel"), &[]).await.status, 303);
    }
    let before = std::fs::read_to_string(&log).unwrap();
    let all = tab.get("/console/audit").await;
    let at = |id: &str| all.text.find(id).unwrap_or_else(|| panic!("{id}: {}", all.text));
    assert!(at(&ids[1].to_string()) < at(&ids[0].to_string()), "{}", all.text);
    let some = tab.get(&format!("/console/audit?actor=operator&action={}", ids[0])).await;
    assert_eq!(some.text.matches("class=\"when\"").count(), 2, "{}", some.text);
    let request = some.text.rsplit_once("<code class=\"id\">").unwrap().1[..26].to_owned();
    let one = tab.get(&format!("/console/audit?request={request}")).await;
    assert_eq!(one.text.matches("class=\"when\"").count(), 2, "{}", one.text);
    assert!(tab.get("/console/audit?actor=stranger").await.says("No record matches."));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), before, "looking is no action");
    let bare = Served::idle(&[]).await;
    let page = Tab::at(format!("http://{}", bare.address)).get("/console/audit").await;
    assert!(page.status == 200 && page.says("the setting audit_log names its file"));
}

#[tokio::test]
async fn the_system_page_shows_checks_and_settings_without_secrets() {
    let keyed = Keyed::start_with(&[("DEADLINE", "2h")]).await;
    let tab = Tab::of(&keyed, "operator").await;
    let page = tab.get("/console/system").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.says("the server is ready") && page.says(env!("CARGO_PKG_VERSION")));
    assert!(page.says("The store was checked at"), "{}", page.text);
    let bound = keyed.of("bound", Method::GET, "/v1/checks", &serde_json::json!({})).await.json();
    assert!(bound["ok"] == true && bound["store_checked_at"].is_null(), "{bound}");
    assert!(page.says("deadline 2h FERRY_DEADLINE"), "{}", page.text);
    assert!(page.says("accounts.default.client_secret (hidden)"), "{}", page.text);
    let secret = ferry_sim::Credentials::default().client_secret;
    assert!(!page.text.contains(&secret), "{}", page.text);
    let settings = keyed.of("operator", Method::GET, "/v1/settings", &serde_json::json!({})).await;
    assert!(settings.text().contains("FERRY_DEADLINE") && !settings.text().contains(&secret));
    let account = tab.get("/console/accounts/default").await;
    assert!(account.says("accounts.default.client_id"), "{}", account.text);
    assert!(!account.text.contains(&secret) && account.says("(hidden)"), "{}", account.text);
}

#[tokio::test]
async fn checks_of_a_slow_store_are_made_once_for_several_requests() {
    let redis = RedisServer::start(&[]).await;
    let served = Served::idle(&[("STORE", &redis.url())]).await;
    let checked_at = async || served.get("/v1/checks").await.json()["store_checked_at"].clone();
    until("results that two requests share", async || {
        redis.ask::<()>("CLIENT PAUSE 500 ALL").await;
        let first = checked_at().await;
        first.is_string() && first == checked_at().await
    })
    .await;
}
