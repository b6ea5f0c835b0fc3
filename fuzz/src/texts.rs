//! Parsers of texts: datasets, feedback, requests, settings, identifiers, keys, addresses.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ferry::api::parse_keys;
use ferry::config::{Config, Sources};
use ferry::webhook::{Allowed, Rules, SigningKey};
use ferry_types::contract::{EventId, SubmissionRequest};
use ferry_types::domain::dataset::{
    Edits, Table, Window, canonical, check, check_pair, derived, edited, fix, sheet, window,
};
use ferry_types::domain::feedback;
use ferry_types::domain::{SubmissionId, TraceParent};

/// A dataset: it is as valid in its canonical form, and what `fix` writes is valid.
pub fn dataset(data: &[u8]) {
    let Some((table, bytes)) = data.split_first() else { return };
    let table = if table % 2 == 0 { Table::Data } else { Table::Events };
    let (mut report, text) = check(table, "dataset", bytes);
    assert!(report.is_valid() || !report.problems.is_empty());
    for problem in &report.problems {
        assert!(!problem.to_string().contains(char::is_control), "{problem}");
    }
    let (fixable, fixed) = fix(table, "dataset", bytes);
    assert_eq!(fixed.is_some(), fixable.is_fixable(), "{fixable:?}");
    if let Some(fixed) = fixed {
        assert!(is_valid(table, &fixed.text), "{:?}", fixed.text);
        assert_eq!(canonical(table, &fixed.text), fixed.text);
    }
    let text = text.map_or_else(|| String::from_utf8_lossy(bytes), Into::into);
    let once = canonical(table, &text);
    assert_eq!(is_valid(table, &text), is_valid(table, &once), "{once:?}");
    assert_eq!(canonical(table, &once), once);
    let (data, events) = text.split_at(text.floor_char_boundary(text.len() / 2));
    check_pair(data, events, &mut report);
}

/// A dataset and, after two NUL bytes, a corrected copy of it: the edits that make the one from the other
/// can be put into the dataset, and each row of both is shown once.
pub fn copy(data: &[u8]) {
    let Some((table, bytes)) = data.split_first() else { return };
    let table = if table % 2 == 0 { Table::Data } else { Table::Events };
    let bytes = String::from_utf8_lossy(bytes);
    let (text, copy) = bytes.split_once("\0\0").unwrap_or((&bytes, ""));
    if let Ok(derived) = derived(table, text, copy) {
        let edits = Edits::of(derived.edits).expect("the edits of a copy contradict none");
        let edited = edited(table, text, edits.of_text(table)).expect("it has these rows").text;
        pages(|from| window(table, &edited, from, 3, None));
    }
    pages(|from| sheet(copy, from, 3));
}

/// Reads all pages; each begins behind the last row of the one before.
fn pages(page: impl Fn(u64) -> Window) {
    let (mut from, mut last) = (1, 0);
    loop {
        let Window { rows, next, .. } = page(from);
        assert!(next.is_none() || !rows.is_empty(), "page {from} is empty, and not the last");
        for row in rows {
            assert!(row.row > last, "row {} stands behind row {last}", row.row);
            last = row.row;
        }
        let Some(next) = next else { return };
        assert!(next > from && next > last, "page {next} stands behind page {from}");
        from = next;
    }
}

fn is_valid(table: Table, text: &str) -> bool {
    check(table, "text", text.as_bytes()).0.is_valid()
}

/// Feedback, up to an empty line, to the dataset that follows it.
pub fn feedback(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (said, dataset) = text.split_once("\n\n").unwrap_or((&text, ""));
    let items = feedback::read(said);
    let located = feedback::locate(&items, Some(dataset), Some(said));
    assert_eq!(items.len(), located.len());
    // The row stands on a line of its own.
    let controls = |char: char| char.is_control() && char != '\n';
    assert!(located.iter().all(|item| !item.to_string().contains(controls)));
}

/// A submission as JSON: what was read can be written, and is read alike again.
pub fn submission(data: &[u8]) {
    match SubmissionRequest::from_json(&String::from_utf8_lossy(data)) {
        Ok(request) => {
            let written = to_json(&request);
            let again =
                SubmissionRequest::from_json(&written).expect("what is written can be read");
            assert_eq!(to_json(&again), written);
        }
        Err(error) => assert!(!error.is_empty()),
    }
}

fn to_json(request: &SubmissionRequest) -> String {
    serde_json::to_string(request).expect("a request has a JSON form")
}

/// A settings file, variables and flags, with empty lines between them. Settings that name files are
/// left out: what is in this machine's files is no part of the input.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if ["_file", "_FILE", "_ca", "_CA"].iter().any(|name| text.contains(name)) {
        return;
    }
    let mut parts = text.splitn(3, "\n\n\n");
    let file = parts.next().map(|text| (PathBuf::from("ferry.toml"), text.to_owned()));
    let pairs = parts.next().unwrap_or_default().lines().filter_map(|line| line.split_once('='));
    let env: BTreeMap<String, String> =
        pairs.map(|(name, value)| (format!("FERRY_{name}"), value.to_owned())).collect();
    let flags = parts.next().unwrap_or_default().lines().map(str::to_owned).collect();
    if let Err(errors) = Config::load(&Sources { file, env, flags }) {
        assert!(!errors.to_string().is_empty());
    }
}

/// Identifiers: what was read is written as one that is read alike.
pub fn identifiers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    round_trip::<EventId>(&text);
    round_trip::<SubmissionId>(&text);
    round_trip::<TraceParent>(&text);
}

fn round_trip<T: FromStr<Err: Debug> + ToString + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("what is written can be read"), read);
    }
}

/// A file of API keys.
pub fn keys(data: &[u8]) {
    let _ = parse_keys(Path::new("keys"), &String::from_utf8_lossy(data));
}

/// Addresses and secrets of webhooks: what may be called has a public address, or was allowed.
pub fn webhook(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = SigningKey::read(&text.as_ref().into());
    let (allowed, url) = text.split_once('\n').unwrap_or(("", &text));
    let allowed: Vec<Allowed> = allowed.split(',').filter_map(|one| one.parse().ok()).collect();
    let is_open = !allowed.is_empty();
    if let Ok(url) = (Rules { allowed, plain_http: true }).check(url) {
        assert!(matches!(url.scheme(), "http" | "https") && url.password().is_none(), "{url}");
        let local = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "169.254.169.254"));
        assert!(is_open || !local, "{url}");
    }
}
