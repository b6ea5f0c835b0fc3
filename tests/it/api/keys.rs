//! Roles and accounts of API keys: which calls each key may make, and which submissions it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ferry::api::{Role, create_key, revoke_key};
use ferry::rehearsal::Rehearsal;
use ferry_sim::SimConfig;
use ferry_testing::{make_old, until};
use ferry_types::contract::ProblemKind;
use ferry_types::domain::timestamp;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Answer, GOOD, Served};
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, Platform};
use crate::support::{World, dataset, plain, prompt};

/// A server with a key for each role, and one bound to the account `other`.
pub(crate) struct Keyed {
    pub(crate) served: Served,
    pub(crate) keys: BTreeMap<&'static str, String>,
    pub(crate) file: PathBuf,
    _folder: TempDir,
}

impl Keyed {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(changes: &[(&str, &str)]) -> Self {
        Self::over(prompt(), changes, |_| ()).await
    }

    /// Submissions are carried.
    pub(crate) async fn start_running(changes: &[(&str, &str)]) -> Self {
        Self::over(prompt(), changes, World::start_workers).await
    }

    /// The same, with drills.
    pub(crate) async fn rehearsing(changes: &[(&str, &str)]) -> Self {
        let prepare = |world: &mut World| {
            world.app.rehearsal = Some(Rehearsal::new(world.sim.clone()));
            world.start_workers();
        };
        Self::over(plain(), changes, prepare).await
    }

    async fn over(
        sim: SimConfig,
        changes: &[(&str, &str)],
        prepare: impl FnOnce(&mut World),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.jsonl");
        let mut keys = BTreeMap::new();
        for (name, role, account) in [
            ("reader", Role::Read, None),
            ("producer", Role::Submit, None),
            ("operator", Role::Operate, None),
            ("bound", Role::Operate, Some("other".to_owned())),
        ] {
            let accounts: BTreeSet<String> = account.into_iter().collect();
            let key = create_key(&file, name.into(), role, accounts, timestamp(0)).unwrap();
            keys.insert(name, key.expose_secret().to_owned());
        }
        let keys_file = file.display().to_string();
        let changes = [&[("API_KEYS", &*keys_file)], changes].concat();
        let mut world = World::idle(sim, &changes).await;
        prepare(&mut world);
        Self { served: Served::over(world).await, keys, file, _folder: folder }
    }

    pub(crate) async fn call(&self, key: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.served.request(method, path).bearer_auth(key);
        let request = request.header("content-type", "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    pub(crate) async fn of(&self, name: &str, method: Method, path: &str, body: &Value) -> Answer {
        self.call(&self.keys[name], method, path, body).await
    }
}

/// Every route, and the weakest role that may.
pub(super) fn routes(id: &str) -> Vec<(Method, String, Role)> {
    let one = format!("/v1/submissions/{id}");
    vec![
        (Method::GET, "/v1/submissions".to_owned(), Role::Read),
        (Method::GET, one.clone(), Role::Read),
        (Method::GET, format!("{one}/timeline"), Role::Read),
        (Method::GET, format!("{one}/deliveries"), Role::Read),
        (Method::GET, format!("{one}/results/x"), Role::Read),
        (Method::GET, format!("{one}/feedback"), Role::Read),
        (Method::GET, format!("{one}/data"), Role::Read),
        (Method::GET, format!("{one}/event-data"), Role::Read),
        (Method::GET, format!("{one}/rows"), Role::Read),
        (Method::GET, format!("{one}/compare/{id}"), Role::Read),
        (Method::GET, "/v1/submissions/count".to_owned(), Role::Read),
        (Method::GET, "/v1/accounts".to_owned(), Role::Read),
        (Method::GET, "/v1/accounts/default".to_owned(), Role::Read),
        (Method::GET, "/v1/stats".to_owned(), Role::Read),
        (Method::GET, "/v1/whoami".to_owned(), Role::Read),
        (Method::GET, "/v1/checks".to_owned(), Role::Read),
        (Method::GET, "/v1/processes".to_owned(), Role::Read),
        (Method::GET, "/v1/keys".to_owned(), Role::Operate),
        (Method::POST, "/v1/keys".to_owned(), Role::Operate),
        (Method::DELETE, "/v1/keys/x".to_owned(), Role::Operate),
        (Method::GET, "/v1/audit".to_owned(), Role::Operate),
        (Method::GET, "/v1/settings".to_owned(), Role::Operate),
        (Method::GET, "/v1/rehearsal".to_owned(), Role::Operate),
        (Method::POST, "/v1/rehearsal".to_owned(), Role::Operate),
        (Method::GET, "/v1/events?after=00ff00ff00ff00ff-1".to_owned(), Role::Read),
        (Method::GET, "/metrics".to_owned(), Role::Read),
        (Method::POST, "/v1/submissions".to_owned(), Role::Submit),
        (Method::POST, "/v1/submissions/bulk".to_owned(), Role::Submit),
        (Method::POST, format!("{one}/resubmit"), Role::Submit),
        (Method::POST, format!("{one}/correct"), Role::Submit),
        (Method::POST, "/v1/validate".to_owned(), Role::Submit),
        (Method::POST, format!("{one}/retry"), Role::Operate),
        (Method::POST, format!("{one}/refetch"), Role::Operate),
        (Method::POST, format!("{one}/resolve"), Role::Operate),
        (Method::POST, format!("{one}/cancel"), Role::Operate),
        (Method::POST, format!("{one}/redeliver"), Role::Operate),
        (Method::POST, "/v1/bulk-actions".to_owned(), Role::Operate),
        (Method::POST, "/v1/accounts/default/pause".to_owned(), Role::Operate),
        (Method::POST, "/v1/accounts/default/resume".to_owned(), Role::Operate),
    ]
}

#[tokio::test]
async fn each_role_may_do_what_it_says_and_no_more() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await.to_string();
    let roles = [("reader", Role::Read), ("producer", Role::Submit), ("operator", Role::Operate)];
    for (method, path, needed) in routes(&id) {
        for (name, role) in roles {
            let response = keyed.of(name, method.clone(), &path, &json!({})).await;
            let what = format!("{name}: {method} {path}: {}", response.text());
            assert_eq!(response.status == 403, role < needed, "{what}");
            assert_ne!(response.status, 401, "{what}");
            assert!(response.status < 500, "{what}");
        }
    }
}

#[tokio::test]
async fn without_a_key_that_is_known_there_is_nothing_but_probes_and_documents() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await.to_string();
    for (method, path, _) in routes(&id) {
        let none = Answer::of(keyed.served.request(method.clone(), &path)).await;
        none.is(ProblemKind::Unauthenticated);
        assert!(none.header("www-authenticate").starts_with("Bearer"), "{none:?}");
        for wrong in ["", "ferry_", &format!("ferry_{}", "A".repeat(43))] {
            let response = keyed.call(wrong, method.clone(), &path, &json!({})).await;
            response.is(ProblemKind::Unauthenticated);
        }
    }
    let nowhere = Answer::of(keyed.served.request(Method::GET, "/nowhere")).await;
    nowhere.is(ProblemKind::Unauthenticated);
    for probe in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
        assert_eq!(keyed.served.get(probe).await.status, 200);
    }
}

#[tokio::test]
async fn a_bound_key_neither_sees_nor_touches_what_is_not_of_its_account() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await.to_string();
    for (method, path, _) in routes(&id) {
        let body = json!({ "name": "n", "data": GOOD, "account": "default" });
        let response = keyed.of("bound", method.clone(), &path, &body).await;
        let what = format!("{method} {path}: {}", response.text());
        match path.as_str() {
            // Nothing of it is shown.
            "/v1/submissions" if method == Method::GET => {
                assert_eq!(response.json()["submissions"], json!([]), "{what}");
            }
            "/v1/events?after=00ff00ff00ff00ff-1" => assert_eq!(response.status, 410, "{what}"),
            "/v1/submissions/count" => assert_eq!(response.json()["count"], 0, "{what}"),
            "/v1/stats" | "/v1/accounts" => {
                assert_eq!(response.json()["accounts"], json!([]), "{what}");
            }
            "/v1/whoami" => {
                let own = json!({ "name": "bound", "role": "operate", "accounts": ["other"] });
                assert_eq!(response.json(), own);
            }
            "/v1/checks" => assert_eq!(response.status, 200, "{what}"),
            "/v1/processes" => assert_eq!(response.json()["processes"], json!([]), "{what}"),
            // The body of the new key has the fields of a dataset.
            "/v1/keys" | "/v1/rehearsal" if method == Method::POST => {
                assert_eq!(response.status, 400, "{what}");
            }
            "/v1/keys" | "/v1/keys/x" | "/v1/audit" | "/v1/settings" | "/v1/rehearsal" => {
                assert_eq!(response.status, 403, "{what}");
            }
            "/metrics" | "/v1/submissions" => assert_eq!(response.status, 403, "{what}"),
            "/v1/bulk-actions" | "/v1/validate" => assert_eq!(response.status, 400, "{what}"),
            "/v1/submissions/bulk" => assert_eq!(response.status, 415, "{what}"),
            _ => assert_eq!(response.status, 404, "{what}"),
        }
    }
    let requested =
        keyed.of("bound", Method::GET, "/v1/submissions?account=default", &json!({})).await;
    assert_eq!(requested.json()["submissions"], json!([]));
    let request = keyed.served.request(Method::POST, "/v1/submissions/bulk");
    let request = request.bearer_auth(&keyed.keys["bound"]);
    let line = json!({ "name": "n", "data": GOOD, "account": "default" });
    let request = request.header("content-type", "application/x-ndjson").body(line.to_string());
    let response = Answer::of(request).await.json();
    assert_eq!(response["error"]["status"], 403, "{response}");
    assert_eq!(keyed.served.world.app.store.stats().await.unwrap().unfinished(), 1);
}

#[tokio::test]
async fn a_revoked_key_and_a_broken_file_admit_no_client() {
    let keyed = Keyed::start().await;
    let status = async |name| keyed.of(name, Method::GET, "/v1/stats", &json!({})).await.status;
    assert_eq!(status("reader").await, 200);
    assert!(revoke_key(&keyed.file, "reader").unwrap());
    make_old(&keyed.file);
    until("the end of a revoked key", async || status("reader").await == 401).await;
    assert_eq!(status("operator").await, 200);
    std::fs::write(&keyed.file, "nonsense\n").unwrap();
    make_old(&keyed.file);
    until("a look at the broken file", async || status("operator").await == 401).await;
}

#[tokio::test]
async fn a_header_that_decides_is_invalid_if_it_is_given_twice() {
    let keyed = Keyed::start().await;
    let [reader, operator] = ["reader", "operator"].map(|name| keyed.keys[name].clone());
    for (name, values) in [
        ("authorization", [format!("Bearer {reader}"), format!("Bearer {operator}")]),
        ("authorization", ["Basic eDp5".to_owned(), format!("Bearer {operator}")]),
        ("content-type", ["text/csv", "application/json"].map(str::to_owned)),
        ("idempotency-key", ["a", "b"].map(str::to_owned)),
        ("last-event-id", ["0", "1"].map(str::to_owned)),
        ("origin", ["null", "null"].map(str::to_owned)),
        ("sec-fetch-site", ["same-origin", "cross-site"].map(str::to_owned)),
    ] {
        let [one, other] = values;
        let mut request = keyed.served.request(Method::GET, "/v1/whoami");
        if name != "authorization" {
            request = request.bearer_auth(&operator);
        }
        let answer = Answer::of(request.header(name, one).header(name, other)).await;
        let problem = answer.is(ProblemKind::InvalidRequest);
        assert_eq!(problem.detail, format!("the header `{name}` is given twice"));
    }
    let mut stream = TcpStream::connect(keyed.served.address).await.unwrap();
    let head = format!("GET /v1/whoami HTTP/1.1\r\nauthorization: Bearer {reader}\r\n");
    let head = head + "host: localhost\r\nhost: other\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.contains("the header `host` is given twice"), "{response}");
}

#[tokio::test]
async fn pages_of_other_sites_get_no_answer_where_there_are_no_keys() {
    let served = Served::idle(&[]).await;
    let from = |name: &str, value: &str| {
        Answer::of(served.request(Method::GET, "/v1/stats").header(name, value))
    };
    from("origin", "https://example.com").await.is(ProblemKind::NotLocal);
    from("origin", "null").await.is(ProblemKind::NotLocal);
    from("sec-fetch-site", "cross-site").await.is(ProblemKind::NotLocal);
    from("sec-fetch-site", "same-site").await.is(ProblemKind::NotLocal);
    let own = format!("http://{}", served.address);
    assert_eq!(from("origin", &own).await.status, 200);
    assert_eq!(from("sec-fetch-site", "same-origin").await.status, 200);
    assert_eq!(from("sec-fetch-site", "none").await.status, 200);
}

#[tokio::test]
async fn what_came_through_a_proxy_gets_no_answer_where_there_are_no_keys() {
    let served = Served::idle(&[]).await;
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Anything", ""),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("X-Real-IP", "127.0.0.1"),
        ("CF-Connecting-IP", "127.0.0.1"),
        ("True-Client-IP", "127.0.0.1"),
        ("X-Azure-ClientIP", "127.0.0.1"),
        ("X-Appengine-User-Ip", "127.0.0.1"),
        ("X-Original-Forwarded-For", "127.0.0.1"),
        ("X-Original-Host", "localhost"),
        ("CDN-Loop", "cdn"),
    ] {
        let request = served.request(Method::GET, "/v1/stats").header(name, value);
        let problem = Answer::of(request).await.is(ProblemKind::NotLocal);
        let header = format!("`{}`", name.to_lowercase());
        assert!(problem.detail.contains(&header), "{}", problem.detail);
        let probe = served.request(Method::GET, "/healthz").header(name, value);
        assert_eq!(Answer::of(probe).await.status, 200);
    }
    // Old clients name no host.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /v1/stats HTTP/1.0\r\n\r\n").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.contains(" 403 "), "{response}");
}

#[test]
fn a_key_is_made_shown_once_and_used() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_API_KEYS", "keys.jsonl").set("FERRY_LOG", "warn");
    let hint = ferry.run(&["serve", "--set", "listen=127.0.0.1:0"]).exits(2);
    assert!(hint.stderr.contains("create the first key: `ferry keys create`"), "{}", hint.stderr);
    let create = ["keys", "create", "--name", "ops", "--role", "operate", "--account", "default"];
    let elsewhere = [&create[..], &["--set", "api_keys=missing/keys.jsonl"]].concat();
    let hint = ferry.run(&elsewhere).exits(2);
    assert!(hint.stderr.contains("mkdir -p -m 700 'missing'"), "{}", hint.stderr);
    let made = ferry.run(&create).ok();
    let key = made.stdout.trim().to_owned();
    assert!(key.starts_with("ferry_") && key.len() == 49, "{key}");
    assert!(!ferry.read("keys.jsonl").contains(&key));
    let again = ferry.run(&create).exits(2);
    assert!(again.stderr.contains("there is a key `ops` already"), "{}", again.stderr);
    let listed = ferry.object(&["keys", "list", "--json"]);
    assert_eq!((&listed["name"], &listed["role"]), (&"ops".into(), &"operate".into()));
    // An address that others reach is fine with keys.
    let mut server = serve(&ferry, &["--set", "listen=0.0.0.0:0"]);
    let url = url(&server).replace("0.0.0.0", "127.0.0.1");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let delay = super::harness::client().post(format!("{url}/v1/accounts/default/pause"));
    let response = runtime.block_on(Answer::of(delay.bearer_auth(&key)));
    assert_eq!(response.status, 200);
    let paused = response.json()["pause_reason"].to_string();
    assert!(paused.contains("(paused by `ops` over the API at 20"), "{paused}");
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
    let log = server.stderr();
    // Whatever is logged, the audit is.
    assert!(log.contains("`ops` called `POST /v1/accounts/default/pause`: 200"), "{log}");
    assert!(!log.contains("answered"), "{log}");
    assert!(!log.contains(&key), "{log}");
    ferry.run(&["keys", "revoke", "ops"]).ok();
    assert_eq!(ferry.run(&["keys", "list"]).ok().stdout, "");
    ferry.run(&["keys", "revoke", "ops"]).exits(2);
}

#[test]
fn keys_that_are_created_at_once_are_all_stored() {
    let ferry = Ferry::new().set("FERRY_API_KEYS", "keys.jsonl");
    std::thread::scope(|scope| {
        for n in 0..12 {
            let ferry = &ferry;
            scope.spawn(move || {
                let name = format!("k{n}");
                ferry.run(&["keys", "create", "--name", &name, "--role", "read"]).ok();
                if n % 4 == 0 {
                    ferry.run(&["keys", "revoke", &name]).ok();
                }
            });
        }
    });
    let listed = ferry.run(&["keys", "list", "--json"]).ok().objects();
    let names: BTreeSet<&str> = listed.iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 9, "{names:?}");
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_not_accepted() {
    use std::os::unix::fs::PermissionsExt;
    let ferry = Ferry::new().set("FERRY_API_KEYS", "keys.jsonl");
    ferry.run(&["keys", "create", "--name", "a", "--role", "read"]).ok();
    let mode = || std::fs::metadata(ferry.path("keys.jsonl")).unwrap().permissions();
    assert_eq!(mode().mode() & 0o777, 0o600);
    let mut open = mode();
    open.set_mode(0o644);
    std::fs::set_permissions(ferry.path("keys.jsonl"), open).unwrap();
    let ran = ferry.run(&["serve", "--no-workers"]).exits(2);
    assert!(ran.stderr.contains("can be read by others"), "{}", ran.stderr);
    assert!(ran.stderr.contains("chmod 600"), "{}", ran.stderr);
}
