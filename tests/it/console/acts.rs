//! Acts: who may, and from where.

use ferry_types::domain::submission::State;
use reqwest::Method;

use super::harness::{Page, Tab, acts, pages, pages_of_operators};
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::support::dataset;

#[tokio::test]
async fn no_form_is_drawn_that_would_fail_and_every_act_is_denied_below_its_role() {
    let keyed = Keyed::start().await;
    let world = &keyed.served.world;
    let id = world.submit(dataset("march")).await;
    let of_one = acts(&id.to_string());
    for name in ["reader", "producer"] {
        let tab = Tab::of(&keyed, name).await;
        for path in pages(&id.to_string()) {
            let page = tab.get(&path).await;
            assert_eq!(page.status, 200, "{name}: {path}");
            let drawn = of_one.iter().find(|(act, _)| page.text.contains(act.as_str()));
            assert!(drawn.is_none(), "{name}: {path}: {drawn:?}");
        }
        for path in pages_of_operators(&id.to_string()) {
            assert_eq!(tab.get(&path).await.status, 403, "{name}: {path}");
        }
        let bulk = [("at", "0")];
        for (path, fields) in of_one.iter().chain([&("/console/bulk".to_owned(), bulk)]) {
            let page = tab.post(path, fields).await;
            assert_eq!(page.status, 403, "{name}: {path}");
            assert!(page.says("this needs `operate`") || page.says("this needs operate"));
        }
    }
    assert_eq!(world.look(id).await.state, State::Queued);
    // A bound key learns of nothing that is not its own.
    let bound = Tab::of(&keyed, "bound").await;
    for (path, fields) in &of_one {
        assert_eq!(bound.post(path, fields).await.status, 404, "{path}");
    }
    let one = format!("/console/submissions/{id}");
    let of_one = ["", "/rows", "/rows?result=x", "/data", "/event-data", "/results/x", "/feedback"];
    let of_one = of_one.map(|page| format!("{one}{page}"));
    for path in of_one.into_iter().chain(["/console/accounts/default".to_owned()]) {
        let page = bound.get(&path).await;
        assert!(page.status == 404 && !page.text.contains("march"), "{path}: {}", page.text);
    }
    let other = "/console/webhooks?state=pending&account=default".to_owned();
    let mut own = pages(&id.to_string());
    own.retain(|path| !path.contains(&id.to_string()));
    let operator = pages_of_operators(&id.to_string()).into_iter();
    own.extend(operator.filter(|path| path.contains("/bulk")));
    let foreign = bound.get(&other).await;
    assert!(foreign.status == 200 && !foreign.text.contains("march"), "{}", foreign.text);
    for path in own {
        let page = bound.get(&path).await;
        assert!(page.status == 200 && !page.text.contains("march"), "{path}: {}", page.text);
        assert!(!page.text.contains("default"), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn an_operator_acts_where_an_act_is_drawn_and_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let world = &keyed.served.world;
    let id = world.submit(dataset("march")).await;
    let (tab, one) = (Tab::of(&keyed, "operator").await, format!("/console/submissions/{id}"));
    assert!(tab.get(&one).await.text.contains(&format!("{one}/cancel")));
    let paused = tab.post("/console/accounts/default/pause", &[("reason", "moving house")]).await;
    assert_eq!((paused.status, paused.header("location")), (303, "/console/accounts"));
    let overview = tab.get("/console").await;
    assert!(overview.says("account default is paused: moving house"), "{}", overview.text);
    assert!(overview.says("1 unfinished submission waits."), "{}", overview.text);
    assert!(overview.text.contains("/console/accounts/default/resume"));
    let resumed = tab.post("/console/accounts/default/resume", &[]).await;
    assert_eq!(resumed.status, 303, "{}", resumed.text);
    assert!(!tab.get("/console").await.says("is paused"));
    let cancelled = tab.post(&format!("{one}/cancel"), &[]).await;
    assert_eq!((cancelled.status, cancelled.header("location")), (303, &*one));
    assert_eq!(world.look(id).await.state, State::Cancelled);
    assert!(!tab.get(&one).await.text.contains(&format!("{one}/cancel")));
    let again = tab.post(&format!("{one}/cancel"), &[]).await;
    assert_eq!(again.status, 409);
    assert!(again.text.contains(&format!("href=\"{one}\"")), "{}", again.text);
    let log = std::fs::read_to_string(&log).unwrap();
    let action = format!("POST {one}/cancel");
    let records: Vec<&str> = log.lines().filter(|line| line.contains(&action)).collect();
    assert_eq!(records.len(), 4, "{log}");
    assert!(
        records[0].contains(r#""actor":"operator""#) && records[0].contains(r#""via":"console""#)
    );
}

#[tokio::test]
async fn a_foreign_page_can_do_nothing() {
    for keyless in [false, true] {
        let keyed = Keyed::start().await;
        let bare = Served::idle(&[]).await;
        let (world, tab) = if keyless {
            (&bare.world, Tab::at(format!("http://{}", bare.address)))
        } else {
            (&keyed.served.world, Tab::of(&keyed, "operator").await)
        };
        let id = world.submit(dataset("march")).await;
        let mut targets = acts(&id.to_string());
        targets.push(("/console/logout".to_owned(), [("a", "b")]));
        targets.push(("/console/preferences".to_owned(), [("theme", "dark")]));
        targets.push(("/console/login".to_owned(), [("key", "a-key")]));
        for (path, fields) in &targets {
            for headers in [
                &[][..],
                &[("sec-fetch-site", "cross-site")],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "none")],
                &[("origin", "https://evil.example")],
                &[("origin", "null")],
            ] {
                let form = headers
                    .iter()
                    .fold(tab.form(path, fields), |form, (name, value)| form.header(*name, *value));
                let page = Page::of(form).await;
                assert_eq!(page.status, 403, "{path} {headers:?}: {}", page.text);
                assert!(page.header("set-cookie").is_empty(), "{path} {headers:?}");
            }
        }
        assert_eq!(world.look(id).await.state, State::Queued);
        let stats = world.stats().await;
        assert!(stats.accounts.iter().all(|account| account.health.pause_reason.is_none()));
    }
}

#[tokio::test]
async fn a_console_that_is_read_only_or_off_has_no_acts() {
    let read_only = Served::idle(&[("CONSOLE", "read_only")]).await;
    let id = read_only.world.submit(dataset("march")).await.to_string();
    let tab = Tab::at(format!("http://{}", read_only.address));
    for (path, fields) in acts(&id) {
        assert_eq!(tab.post(&path, &fields).await.status, 404, "{path}");
        let one = tab.get(&format!("/console/submissions/{id}")).await;
        assert!(one.status == 200 && !one.text.contains(&path), "{path}");
    }
    for path in pages_of_operators(&id) {
        assert_eq!(tab.get(&path).await.status, 404, "{path}");
    }
    let off = Served::idle(&[("CONSOLE", "no")]).await;
    let tab = Tab::at(format!("http://{}", off.address));
    for path in pages(&id) {
        assert_eq!(tab.get(&path).await.status, 404, "{path}");
    }
    let browser = tab.request(Method::GET, "/").header("accept", "text/html");
    let page = Page::of(browser).await;
    assert_eq!((page.status, page.header("location")), (303, "/docs"));
}

#[tokio::test]
async fn a_browser_that_only_looks_is_offered_no_acts() {
    let served = Served::idle(&[]).await;
    let id = served.world.submit(dataset("march")).await.to_string();
    let mut tab = Tab::at(format!("http://{}", served.address));
    let saved = tab.post("/console/preferences", &[("looking", "on"), ("theme", "dark")]).await;
    assert_eq!(saved.status, 303);
    tab.cookie = saved.cookie();
    let page = tab.get(&format!("/console/submissions/{id}")).await;
    assert!(page.text.contains("data-theme=\"dark\"") && !page.text.contains("/cancel"));
    let page = tab.post(&format!("/console/submissions/{id}/cancel"), &[]).await;
    assert_eq!(page.status, 403);
}
