//! A key of several accounts sees what all of them have, over the API and in the console.

use std::collections::BTreeSet;
use std::time::Duration;

use ferry::api::{Role, create_key};
use ferry_store::{Deadline, NewSubmission, Payload};
use ferry_testing::{make_old, until};
use ferry_types::domain::{SubmissionId, timestamp};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use super::harness::Tab;
use crate::api::harness::GOOD;
use crate::api::keys::Keyed;

#[tokio::test]
async fn a_key_of_several_accounts_sees_what_all_of_them_have() {
    let mut keyed = Keyed::start().await;
    let own = BTreeSet::from(["north".to_owned(), "south".to_owned()]);
    let key = create_key(&keyed.file, "both".into(), Role::Operate, own, timestamp(0)).unwrap();
    keyed.keys.insert("both", key.expose_secret().to_owned());
    make_old(&keyed.file);
    let get = async |path: &str| keyed.of("both", Method::GET, path, &json!({})).await;
    until("the key is known", async || get("/v1/whoami").await.status == 200).await;
    let new = |account: &str| {
        let id = SubmissionId::new(timestamp(1_770_000_000_000), fastrand::u128(..));
        let payload = Payload { data: GOOD.to_owned(), event_data: None };
        let deadline = Deadline::After(Duration::from_hours(1));
        NewSubmission::new(id, account, format!("of {account}"), payload, deadline)
    };
    let accepted = ["north", "south", "west"].map(new).into();
    keyed.served.world.app.store.accept(accepted).await.unwrap();
    for (query, expected) in [
        ("", &["north", "south"][..]),
        ("?state=queued", &["north", "south"]),
        ("?account=south", &["south"]),
        ("?account=west,south&account=unknown", &["south"]),
        ("?account=west", &[]),
    ] {
        let list = get(&format!("/v1/submissions{query}")).await.json();
        let accounts = list["submissions"].as_array().unwrap().iter();
        let accounts: BTreeSet<&str> =
            accounts.map(|view| view["account"].as_str().unwrap()).collect();
        assert_eq!(accounts, expected.iter().copied().collect(), "{query}");
        let count = get(&format!("/v1/submissions/count{query}")).await.json();
        assert_eq!(count["count"], expected.len(), "{query}");
    }
    let cancel = json!({ "action": "cancel" });
    let plan = keyed.of("both", Method::POST, "/v1/bulk-actions", &cancel).await.json();
    assert_eq!(plan["changed"], 2);
    let many: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
    assert_eq!(get(&format!("/v1/submissions?account={}", many.join(","))).await.status, 400);
    let tab = Tab::of(&keyed, "both").await;
    let list = tab.get("/console/submissions").await;
    assert!(list.says("of north") && list.says("of south") && !list.says("of west"));
    assert!(!tab.get("/console/submissions?account=west").await.says("of west"));
    assert_eq!(tab.get("/console/webhooks").await.status, 200);
}
