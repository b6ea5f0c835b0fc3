//! Logins, sessions and their cookies.

use ferry::api::revoke_key;
use ferry_testing::{Wait, make_old, until, within};
use reqwest::Method;

use super::harness::{Page, Tab, pages, pages_of_operators};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::dataset;

const SECRET: (&str, &str) = ("SESSION_SECRET", "a secret of thirty-two characters.");

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_login_and_back() {
    let keyed = Keyed::start().await;
    let tab = Tab::at(format!("http://{}", keyed.served.address));
    let page = tab.get("/console/submissions?state=held").await;
    let login = "/console/login?next=%2Fconsole%2Fsubmissions%3Fstate%3Dheld";
    assert_eq!((page.status, page.header("location")), (303, login));
    assert_eq!(tab.get("/console/nowhere").await.status, 303);
    assert_eq!(tab.get(login).await.status, 200);
    let fields = [("key", &*keyed.keys["reader"]), ("next", "/console/submissions?state=held")];
    let page = tab.post("/console/login", &fields).await;
    assert_eq!((page.status, page.header("location")), (303, "/console/submissions?state=held"));
    let mut own = tab.clone();
    own.cookie = page.cookie();
    assert_eq!(own.get("/console/nowhere").await.status, 404);
    // It ends here, and nowhere else.
    let left = own.post("/console/logout", &[]).await;
    assert_eq!((left.status, left.header("location")), (303, "/console/login"));
    assert!(left.header("set-cookie").starts_with("ferry=; Path=/; Max-Age=0; HttpOnly;"));
}

#[tokio::test]
async fn a_cookie_counts_in_the_console_alone_and_a_key_over_the_api_alone() {
    let keyed = Keyed::start().await;
    let tab = Tab::of(&keyed, "operator").await;
    assert_eq!(tab.get("/console").await.status, 200);
    assert_eq!(tab.get("/v1/stats").await.status, 401);
    let stranger = Tab::at(format!("http://{}", keyed.served.address));
    let request = stranger.request(Method::GET, "/console").bearer_auth(&keyed.keys["operator"]);
    assert_eq!(Page::of(request).await.status, 303);
}

#[tokio::test]
async fn a_revoked_key_and_one_that_was_made_again_end_their_sessions() {
    let keyed = Keyed::start().await;
    let tab = Tab::of(&keyed, "reader").await;
    let other = Tab::of(&keyed, "operator").await;
    let mut news = tab.request(Method::GET, "/console/news").send().await.unwrap();
    assert_eq!(news.status(), 200);
    assert!(revoke_key(&keyed.file, "reader").unwrap());
    let again = ferry::api::create_key(
        &keyed.file,
        "reader".to_owned(),
        ferry::api::Role::Operate,
        [].into(),
        ferry_types::domain::timestamp(0),
    );
    assert!(again.is_ok());
    make_old(&keyed.file);
    until("the end of the session", async || tab.get("/console").await.status == 303).await;
    assert_eq!(other.get("/console").await.status, 200);
    // An open stream ends, too.
    let wait = Wait::begin("the end of the news");
    while within("news, or their end", news.chunk()).await.unwrap().is_some() {
        wait.check();
    }
}

#[tokio::test]
async fn a_session_is_valid_on_every_server_with_its_secret() {
    let keyed = Keyed::start_with(&[SECRET]).await;
    let tab = Tab::of(&keyed, "reader").await;
    let file = keyed.file.display().to_string();
    let secret = keyed.file.with_file_name("session_secret");
    std::fs::write(&secret, SECRET.1).unwrap();
    let secret = secret.display().to_string();
    let with = Served::idle(&[("API_KEYS", &file), ("SESSION_SECRET_FILE", &secret)]).await;
    let without = Served::idle(&[("API_KEYS", &file)]).await;
    for (served, status) in [(&with, 200), (&without, 303)] {
        let mut there = Tab::at(format!("http://{}", served.address));
        there.cookie.clone_from(&tab.cookie);
        assert_eq!(there.get("/console").await.status, status);
    }
}

#[tokio::test]
async fn the_eleventh_login_that_fails_waits_and_a_valid_key_does_not() {
    let keyed = Keyed::start_with(&[("AUDIT_LOG", "")]).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let file = keyed.file.display().to_string();
    let changes = [("API_KEYS", &*file), ("AUDIT_LOG", log.to_str().unwrap())];
    let served = Served::idle(&changes).await;
    let tab = Tab::at(format!("http://{}", served.address));
    for _ in 0..10 {
        let page = tab.log_in("a-wrong-key").await;
        assert_eq!(page.status, 401);
        assert!(page.says("this key is not known, or was revoked"), "{}", page.text);
        assert!(page.cookie().is_empty());
    }
    let page = tab.log_in("a-wrong-key").await;
    assert_eq!(page.status, 429);
    assert!(page.header("retry-after").parse::<u64>().unwrap() <= 60);
    assert_eq!(tab.log_in(&keyed.keys["reader"]).await.status, 303);
    let log = std::fs::read_to_string(&log).unwrap();
    let failures = log.matches("POST /console/login").count();
    assert_eq!(failures, 10 + 2, "{log}");
    assert!(log.contains(r#""via":"console""#) && !log.contains("a-wrong-key"), "{log}");
}

#[tokio::test]
async fn a_login_is_recorded_with_the_name_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    Tab::of(&keyed, "reader").await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains(r#""actor":"reader""#), "{log}");
    assert!(log.contains(r#""outcome":"303""#), "{log}");
    assert!(!log.contains(&keyed.keys["reader"]), "{log}");
}

#[tokio::test]
async fn the_cookie_is_for_tls_alone_where_there_is_tls_and_plain_http_is_for_this_machine() {
    let keyed = Keyed::start_with(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let tab = Tab::at(format!("http://{}", keyed.served.address));
    let fields = [("key", &*keyed.keys["reader"])];
    let login = |name: &str, value: &str| {
        let form = tab.form("/console/login", &fields).header("sec-fetch-site", "same-origin");
        Page::of(form.header(name, value))
    };
    let secure = login("x-forwarded-proto", "https").await;
    let cookie = secure.header("set-cookie");
    assert!(cookie.starts_with("__Host-ferry="), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let forwarded = login("forwarded", "for=192.0.2.1;proto=https").await;
    assert!(forwarded.header("set-cookie").starts_with("__Host-ferry="));
    let plain = login("x-forwarded-proto", "http").await;
    assert!(plain.header("set-cookie").starts_with("ferry="), "{plain:?}");
    // A name that others reach, without TLS: the key could be read on its way.
    let remote = login("host", "ferry.example:8600").await;
    assert_eq!((remote.status, remote.cookie()), (403, String::new()), "{}", remote.text);
    assert!(remote.says("plain HTTP"));
    // A proxy names this machine, and its client is on another.
    let through = login("x-forwarded-for", "192.0.2.7").await;
    assert_eq!((through.status, through.cookie()), (403, String::new()), "{}", through.text);
    // The cookie of the one is not that of the other.
    let value = secure.cookie().split_once('=').unwrap().1.to_owned();
    let mut swapped = tab.clone();
    swapped.cookie = format!("__Host-ferry={value}");
    assert_eq!(swapped.get("/console").await.status, 303);
}

#[tokio::test]
async fn no_proxy_and_no_rebound_name_gets_a_page_where_there_are_no_keys() {
    let served = Served::idle(&[]).await;
    let id = served.world.submit(dataset("march")).await.to_string();
    let tab = Tab::at(format!("http://{}", served.address));
    for path in pages(&id).into_iter().chain(pages_of_operators(&id)) {
        let page = tab.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(page.says("everything on this machine has full access"), "{path}");
        for (name, value) in [("host", "evil.example"), ("x-forwarded-for", "127.0.0.1")] {
            let page = Page::of(tab.request(Method::GET, &path).header(name, value)).await;
            assert_eq!(page.status, 403, "{path}");
            assert!(!page.text.contains("march"), "{path}");
        }
    }
    assert_eq!(tab.get("/console/login").await.header("location"), "/console");
}
