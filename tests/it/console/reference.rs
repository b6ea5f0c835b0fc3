//! The page about the API: its programs run, its links lead somewhere, and its forms send requests.

use std::process::Command;

use thirtyfour::prelude::*;

use super::browser::Browser;
use crate::api::harness::Served;
use crate::api::keys::Keyed;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, Platform};

/// A program of the page.
fn program(page: &str, language: &str) -> String {
    let (_, rest) = page.split_once(&format!("<pre id=first-{language}>")).expect("it is there");
    let program = rest.split("</pre>").next().unwrap();
    let program = program.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    program.replace("&amp;", "&")
}

#[test]
fn the_programs_of_the_page_submit_a_dataset_and_show_what_became_of_it() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_API_KEYS", "keys.jsonl");
    let key = ferry.run(&["keys", "create", "--name", "first", "--role", "submit"]).ok().stdout;
    let server = serve(&ferry, &[]);
    let url = url(&server);
    let page = Command::new("curl").args(["--silent", &format!("{url}/docs")]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    for (language, interpreter, arguments) in [
        ("curl", "sh", &["-ec"][..]),
        ("python", "python3", &["-c"]),
        ("node", "node", &["--input-type=module", "-e"]),
    ] {
        let mut command = Command::new(interpreter);
        command.args(arguments).arg(program(&page, language)).current_dir(ferry.path("."));
        command.env("FERRY_URL", &url).env("FERRY_KEY", key.trim());
        let ran = command.output().unwrap_or_else(|error| panic!("{interpreter}: {error}"));
        let shown = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && shown.contains("completed"), "{language}: {ran:?}");
    }
}

#[tokio::test]
async fn every_link_of_the_page_leads_to_a_part_of_it() {
    let served = Served::idle(&[]).await;
    let page = served.get("/docs").await.text();
    let ids: Vec<&str> = page.split(" id=").skip(1).map(first_word).collect();
    let targets = page.split("href=").skip(1).map(first_word);
    let targets: Vec<&str> = targets.filter_map(|target| Some(target.split_once('#')?.1)).collect();
    assert!(targets.len() > 200, "{targets:?}");
    for target in targets {
        assert!(ids.contains(&target), "{target}");
    }
    for kind in ferry_types::contract::ProblemKind::ALL {
        let (path, part) = kind.as_str().split_once('#').unwrap();
        assert!(path == "/docs" && ids.contains(&part), "{part}");
    }
}

/// The value of an attribute, with or without quotes.
fn first_word(text: &str) -> &str {
    text.trim_start_matches('"').split(['"', ' ', '>']).next().unwrap_or_default()
}

#[tokio::test]
async fn a_request_is_tried_on_the_page_with_a_key_and_without_one() {
    let (keyed, browser) = tokio::join!(Keyed::start(), Browser::start());
    browser.open(&format!("http://{}/docs#get_whoami", keyed.served.address)).await;
    browser.until("document.getElementById('get_whoami').open").await;
    let send = By::Css("#get_whoami form button");
    browser.click(send.clone()).await;
    let says = |text: &str| {
        format!("document.querySelector('#get_whoami output').textContent.includes('{text}')")
    };
    browser.until(&says("401 application/problem+json")).await;
    browser.see(By::Id("key")).await.send_keys(&keyed.keys["reader"]).await.unwrap();
    browser.click(send).await;
    browser.until(&says("200 application/json")).await;
    browser.until(&says("\"role\":\"read\"")).await;
    browser.open(&format!("http://{}/docs#get_submission", keyed.served.address)).await;
    browser.driver.refresh().await.unwrap();
    browser.see(By::Id("key")).await.send_keys(&keyed.keys["producer"]).await.unwrap();
    let unknown = "01KDXB8W4S9ZT2M3Q5R7V1C6HY";
    let id = browser.see(By::Css("#get_submission input[name=id]")).await;
    id.send_keys(unknown).await.unwrap();
    browser.click(By::Css("#get_submission form button")).await;
    let found = "document.querySelector('#get_submission output').textContent";
    browser.until(&format!("{found}.includes('/docs#not-found')")).await;
}

#[tokio::test]
async fn the_page_can_be_read_by_all_in_light_and_dark() {
    let (served, browser) = tokio::join!(Served::idle(&[]), Browser::start());
    browser.open(&format!("http://{}/docs", served.address)).await;
    let messages = browser.messages().await;
    assert!(messages.is_empty(), "{messages:#?}");
    // One of each kind: all of them would take axe minutes.
    let open = "for (const id of ['submit_dataset', 'list_submissions', 'revoke_key', 'WaitingFor', 'State'])
        document.getElementById(id).open = true;";
    browser.driver.execute(open, Vec::new()).await.unwrap();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let findings = browser.findings().await;
        assert!(findings.is_empty(), "{scheme}: {findings:#?}");
    }
}
