//! Access of accounts to the Platform: whose client it is, where its secrets come from, its limits and their use.

use ferry_sim::Credentials;
use ferry_types::domain::submission::State;

use super::harness::Tab;
use crate::api::keys::Keyed;
use crate::support::dataset;

#[tokio::test]
async fn configured_accounts_are_listed_before_their_first_submission() {
    let keyed = Keyed::start().await;
    let tab = Tab::of(&keyed, "operator").await;
    let accounts = tab.get("/console/accounts").await;
    assert!(accounts.text.contains("href=\"/console/accounts/default\""), "{}", accounts.text);
    let client_id = Credentials::default().client_id;
    assert!(accounts.says(&format!("client id {client_id}")), "{}", accounts.text);
    let host = keyed.served.world.env["FERRY_API_URL"].clone();
    let host = host.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    assert!(accounts.says(&format!("hosts {host}")), "{}", accounts.text);
    // A key of other accounts does not learn of it, and one that may not see settings sees none.
    assert!(!Tab::of(&keyed, "bound").await.get("/console/accounts").await.says("default"));
    let reader = Tab::of(&keyed, "reader").await.get("/console/accounts").await;
    assert!(reader.says("default") && !reader.says(&client_id), "{}", reader.text);
}

#[tokio::test]
async fn an_account_shows_its_limits_with_their_use_and_its_last_token_and_denial() {
    let limits = [("MAX_CONCURRENT_UPLOADS", "7"), ("UPLOADS_PER_SECOND", "0.001")];
    let keyed = Keyed::start_running(&limits).await;
    let world = &keyed.served.world;
    let (tab, path) = (Tab::of(&keyed, "operator").await, "/console/accounts/default");
    let before = tab.get(path).await;
    assert!(before.says("last token none seen by this server"), "{}", before.text);
    assert!(before.says("last denial none seen by this server"), "{}", before.text);
    assert!(before.says("client secret from FERRY_CLIENT_SECRET"), "{}", before.text);
    assert!(before.says("uploads at once 0 of 7"), "{}", before.text);
    assert!(
        before.says("uploads a second 0.001") && before.says("rates not used up"),
        "{}",
        before.text
    );
    let first = world.submit(dataset("march")).await;
    assert_eq!(world.settled(first).await.state, State::Completed);
    world.submit(dataset("april")).await;
    let after = tab.get(path).await;
    assert!(after.says("rates used up until "), "{}", after.text);
    assert!(after.says(", valid until ") && after.says("last denial none"), "{}", after.text);
    let secret = Credentials::default().client_secret;
    assert!(!after.text.contains(&secret), "{}", after.text);
}

#[tokio::test]
async fn a_denial_is_shown_with_the_response() {
    let keyed = Keyed::start_running(&[("CLIENT_SECRET", "wrong")]).await;
    keyed.served.world.submit(dataset("march")).await;
    let tab = Tab::of(&keyed, "operator").await;
    ferry_testing::until("the denial", async || {
        let page = tab.get("/console/accounts/default").await;
        page.says("no token for this account (401)") && page.says("last denial 2")
    })
    .await;
}
