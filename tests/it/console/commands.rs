//! Commands that pages show: they work on the machine of the server as they stand.

use super::harness::{Tab, plain};
use crate::api::keys::Keyed;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform};

/// The commands of a page.
fn commands(html: &str) -> Vec<String> {
    let codes = html.split("<code").skip(1).filter_map(|rest| rest.split_once('>'));
    let texts = codes.map(|(_, rest)| plain(rest.split("</code>").next().unwrap_or_default()));
    texts.filter(|text| text.starts_with("ferry ")).collect()
}

#[tokio::test]
async fn the_command_for_a_key_has_its_accounts_and_the_file() {
    let keyed = Keyed::start().await;
    let tab = Tab::of(&keyed, "operator").await;
    let lock = keyed.file.with_file_name("keys.jsonl.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let fields = [("name", "billing"), ("role", "submit"), ("accounts", "north, south")];
    let page = tab.post("/console/keys", &fields).await;
    let file = keyed.file.display();
    let expected = format!(
        "ferry keys create --name billing --role submit --account north --account south --set api_keys={file}"
    );
    assert_eq!(page.status, 409);
    assert!(commands(&page.text).contains(&expected), "{}", page.text);
    let page = tab.post("/console/keys/reader/revoke", &[]).await;
    let expected = format!("ferry keys revoke reader --set api_keys={file}");
    assert!(commands(&page.text).contains(&expected), "{}", page.text);
    let page = tab.get("/console/keys").await;
    let expected = format!("ferry keys create --name NAME --role submit --set api_keys={file}");
    assert!(commands(&page.text).contains(&expected), "{}", page.text);
}

#[test]
fn commands_of_a_page_name_a_store_that_is_not_the_default() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD);
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("else where.db").display());
    let server = serve(&ferry, &["--store", &store]);
    let tab = Tab::at(url(&server));
    let id = ferry.run(&["submit", "good.csv", "--name", "a", "--store", &store]).ok().id();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = runtime.block_on(tab.get(&format!("/console/submissions/{id}")));
    let expected = format!("ferry status {id} --store '{store}'");
    assert!(commands(&page.text).contains(&expected), "{}", page.text);
    let hint = format!("Commands in sentences find this store with --store '{store}'.");
    assert!(page.says(&hint), "{}", page.text);
    let shown = runtime.block_on(tab.get("/console/webhooks"));
    let expected = format!("ferry webhooks list ID --store '{store}'");
    assert!(commands(&shown.text).contains(&expected), "{}", shown.text);
    ferry.shell(&format!("cd / && ferry status {id} --store '{store}'")).ok();
}
