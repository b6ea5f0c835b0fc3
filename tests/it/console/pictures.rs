//! Pictures of the console for the documentation, with the story of `ferry demo` and fixed data.
//!
//! `UPDATE_PICTURES=1 cargo test --test it console::pictures` writes them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ferry_sim::{Fault, Processing, SimConfig};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;
use serde_json::json;

use super::browser::Browser;
use crate::api::harness::Served;
use crate::support::{dataset, plain};
use ferry_testing::until;

const SCHEMES: [&str; 2] = ["light", "dark"];

/// Larger pictures would make a clone slow.
const LARGEST: usize = 100_000;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn name(page: &str, scheme: &str) -> String {
    format!("docs/images/console-{page}-{scheme}.png")
}

/// Thirty rows, of which fifteen have one of two unknown references.
fn rejected() -> SubmissionRequest {
    let mut data = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
    for row in 1..=30_u32 {
        let reference = match row % 10 {
            2 | 4 | 7 | 8 => "UNKNOWN-7".to_owned(),
            5 => "UNKNOWN-9".to_owned(),
            _ => format!("SITE-{row:03}"),
        };
        let (day, hour) = (1 + row % 28, row % 24);
        writeln!(data, "{reference},{day:02}/03/2026,{hour:02}:00,{day:02}/03/2026,{hour:02}:45")
            .unwrap();
    }
    SubmissionRequest { data, ..dataset("to-correct-0001") }
}

/// A server on which datasets flowed, one is rejected, one is held, and an outage stops the rest.
async fn story() -> (Served, SubmissionId) {
    let processing = Processing::Fixed(Duration::from_millis(400));
    let sim = SimConfig { processing, ..plain() };
    let served = Served::with(sim, &[("BREAKER_OPEN_MAX", "1m"), ("RETRY_MAX", "30s")]).await;
    let world = &served.world;
    let made_up = |number: u64| dataset(&format!("made-up-{number:04}"));
    let completed = world.submit_all((1..=9).map(made_up)).await;
    let rejected = world.submit(rejected()).await;
    world.sim.script_name("to-decide-0001", Fault::ResetAfter);
    let held = world.submit(dataset("to-decide-0001")).await;
    for (id, state) in
        [(completed[8], State::Completed), (rejected, State::Rejected), (held, State::Held)]
    {
        assert_eq!(world.settled(id).await.state, state);
    }
    world.sim.set_outage(true);
    world.submit_all((10..=13).map(made_up)).await;
    until("an outage", async || served.get("/v1/stats").await.text().contains("breaker_open"))
        .await;
    (served, rejected)
}

/// The pages as they are in both schemes: name, scheme and PNG.
async fn taken() -> Vec<(String, Vec<u8>)> {
    let ((served, rejected), browser) = tokio::join!(story(), Browser::start());
    browser.tool("Emulation.setTimezoneOverride", json!({ "timezoneId": "UTC" })).await;
    browser.tool("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    let one = format!("/console/submissions/{rejected}");
    let mut taken = Vec::new();
    for (page, path) in [
        ("overview", "/console".to_owned()),
        ("submission", one.clone()),
        ("correction", format!("{one}/correct")),
    ] {
        browser.sized(1000, 500).await;
        browser.open(&format!("http://{}{path}", served.address)).await;
        browser.until("document.readyState === 'complete'").await;
        let height = browser.value("document.documentElement.scrollHeight").await;
        let height = height.as_u64().unwrap_or_default().clamp(500, 590);
        browser.sized(1000, u32::try_from(height).unwrap()).await;
        for scheme in SCHEMES {
            browser.prefer(scheme).await;
            let png = browser.driver.screenshot_as_png().await.expect("a picture");
            taken.push((name(page, scheme), png));
        }
    }
    taken
}

#[tokio::test]
async fn pages_show_pictures_of_the_console_in_light_and_dark_that_this_test_takes() {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    let is_updating = std::env::var_os("UPDATE_PICTURES").is_some();
    let guide = std::fs::read_to_string(root("docs/how-to/use-the-console.md")).unwrap();
    let readme = std::fs::read_to_string(root("README.md")).unwrap();
    for (name, png) in taken().await {
        assert!(png.len() <= LARGEST, "{name}: {} bytes", png.len());
        if is_updating {
            std::fs::write(root(&name), &png).unwrap();
        }
        let stored = std::fs::read(root(&name)).unwrap_or_default();
        assert!(stored.starts_with(b"\x89PNG"), "{name}: write it with UPDATE_PICTURES=1");
        assert!(guide.contains(&name.replace("docs/", "../")), "{name} is not in the guide");
        assert!(!name.contains("overview") || readme.contains(&name), "{name} is not in README.md");
    }
}
