//! Filters of lists: several states and accounts, shown as such and lost nowhere; and the time zone.

use std::collections::BTreeSet;
use std::time::Duration;

use ferry::api::{Role, create_key};
use ferry_store::{Deadline, NewSubmission, Payload};
use ferry_testing::{make_old, until};
use ferry_types::domain::{SubmissionId, timestamp};
use secrecy::ExposeSecret;
use serde_json::json;
use thirtyfour::prelude::*;

use super::browser::Browser;
use super::harness::{Page, Tab};
use crate::api::harness::{GOOD, Served};
use crate::api::keys::Keyed;

const BOTH: &str = "account=north&account=south";

/// A submission of each account.
async fn accepted(served: &Served, accounts: &[&str]) {
    let new = |&account: &&str| {
        let id = SubmissionId::new(timestamp(1_770_000_000_000), fastrand::u128(..));
        let payload = Payload { data: GOOD.to_owned(), event_data: None };
        let deadline = Deadline::After(Duration::from_hours(1));
        NewSubmission::new(id, account, format!("of {account}"), payload, deadline)
    };
    let new = accounts.iter().map(new).collect();
    served.world.app.store.accept(new).await.unwrap();
}

fn shows_both(page: &Page, path: &str) {
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    assert!(page.says("of north") && page.says("of south"), "{path}: {}", page.text);
    assert!(!page.says("of west"), "{path}: {}", page.text);
}

#[tokio::test]
async fn lists_have_several_accounts_and_states_and_forms_lose_none() {
    let served = Served::idle(&[]).await;
    accepted(&served, &["north", "south", "west"]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    for path in ["/console/submissions", "/console/events"] {
        for query in [BOTH, "account=north,south", "account=north%2C+south"] {
            let path = format!("{path}?{query}&state=queued&state=failed");
            let page = tab.get(&path).await;
            shows_both(&page, &path);
            let field = "name=\"account\" value=\"north, south\"";
            assert!(page.text.contains(field), "{path}: {}", page.text);
            assert_eq!(page.text.matches(" checked>").count(), 2, "{path}: {}", page.text);
        }
    }
    let webhooks = tab.get(&format!("/console/webhooks?state=pending&{BOTH}")).await;
    assert!(webhooks.text.contains("name=\"account\" value=\"north, south\""), "{}", webhooks.text);
    // The programs' way to the same events.
    let events = tab.get(&format!("/console/events?{BOTH}")).await;
    assert!(events.says(&format!("GET /v1/events?{BOTH}")), "{}", events.text);
    let stream = served.get(&format!("/v1/events?{BOTH}&after=0&wait=1s")).await.text();
    assert!(stream.contains("of north") && stream.contains("of south"), "{stream}");
    assert!(!stream.contains("of west"), "{stream}");
    // What has no field of its own stays in the form, in sight.
    let id = SubmissionId::new(timestamp(0), 7);
    let more = format!("/console/submissions?label=a%3D1&label=b%3D2&revision_of={id}");
    let page = tab.get(&more).await;
    for value in ["a=1", "b=2", &id.to_string()] {
        let (_, form) = page.text.split_once("role=\"search\"").unwrap();
        let (form, _) = form.split_once("</form>").unwrap();
        let shown = form.contains(&format!("value=\"{value}\""));
        assert!(shown && !form.contains("type=\"hidden\""), "{value}: {form}");
    }
}

#[tokio::test]
async fn an_action_on_all_that_match_is_about_all_accounts_of_the_list() {
    let served = Served::idle(&[]).await;
    accepted(&served, &["north", "south", "west"]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let list = tab.get(&format!("/console/submissions?{BOTH}")).await;
    for account in ["north", "south"] {
        let hidden = format!("<input type=\"hidden\" name=\"account\" value=\"{account}\">");
        assert!(list.text.contains(&hidden), "{}", list.text);
    }
    let plan = tab.get(&format!("/console/bulk?action=cancel&of=all&{BOTH}")).await;
    assert!(plan.says("Would change 2 submissions"), "{}", plan.text);
    assert!(plan.says("account north, account south"), "{}", plan.text);
    let request = json!({ "action": "cancel", "accounts": ["north", "south"] });
    let planned = served.post("/v1/bulk-actions", &request).await.json();
    assert_eq!(planned["changed"], 2, "{planned}");
}

#[tokio::test]
async fn a_key_of_several_accounts_ticks_those_that_it_wants() {
    let keyed = Keyed::start().await;
    let own: BTreeSet<String> = ["east", "north", "south"].map(str::to_owned).into();
    let key = create_key(&keyed.file, "three".into(), Role::Operate, own, timestamp(0)).unwrap();
    make_old(&keyed.file);
    accepted(&keyed.served, &["north", "south", "west"]).await;
    let mut tab = Tab::at(format!("http://{}", keyed.served.address));
    until("the key is known", async || tab.log_in(key.expose_secret()).await.status == 303).await;
    tab.cookie = tab.log_in(key.expose_secret()).await.cookie();
    for path in ["/console/submissions", "/console/events"] {
        let path = format!("{path}?{BOTH}");
        let page = tab.get(&path).await;
        shows_both(&page, &path);
        for (account, checked) in [("north", " checked"), ("south", " checked"), ("east", "")] {
            let field = format!("type=\"checkbox\" name=\"account\" value=\"{account}\"{checked}>");
            assert!(page.text.contains(&field), "{path}: {field}: {}", page.text);
        }
    }
}

#[tokio::test]
async fn a_time_zone_that_there_is_not_is_no_preference() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    let url = format!("http://{}", served.address);
    let tab = Tab::at(url.clone());
    let wrong = tab.post("/console/preferences", &[("zone", "Europe Berlin!")]).await;
    assert!(wrong.status == 422 && wrong.says("a time zone"), "{}", wrong.text);
    assert_eq!(wrong.header("set-cookie"), "");
    browser.open(&format!("{url}/console/preferences")).await;
    let field = browser.see(By::Name("zone")).await;
    field.clear().await.unwrap();
    field.send_keys("Europe/Atlantis").await.unwrap();
    browser.click(By::Css("main button")).await;
    browser
        .until("document.querySelector('[name=zone]').validationMessage.includes('There is no time zone')")
        .await;
    field.clear().await.unwrap();
    field.send_keys("Europe/Berlin").await.unwrap();
    browser.follow(By::Css("main button")).await;
    browser.until("document.documentElement.dataset.zone === 'Europe/Berlin'").await;
}
