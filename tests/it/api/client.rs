//! The typed client, against a server.

use std::time::Duration;

use ferry::api::{Server, Tls, TlsFiles};
use ferry_client::{Client, ClientError, EventQuery, EventStream, ListQuery};
use ferry_sim::{Endpoint, Fault, SimConfig};
use ferry_testing::within;
use ferry_types::contract::{
    KeyRequest, ProblemKind, ResubmitRequest, StateEvent, SubmissionRequest,
};
use ferry_types::domain::submission::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::harness::{GOOD, Served};
use super::keys::Keyed;
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, Platform};
use crate::support::{dataset, overwriting, prompt};

fn client(served: &Served) -> Client {
    Client::new(&format!("http://{}", served.address)).unwrap()
}

#[tokio::test]
async fn a_dataset_travels_from_submit_to_its_results() {
    let served = Served::start(&[]).await;
    let client = client(&served);
    let request = SubmissionRequest { name: "a/b".into(), data: GOOD.into(), ..dataset("x") };
    let response = client.submit(&request).await.unwrap();
    let view = client.wait(response.submission.id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(view.state, State::Completed);
    let result = client.result(view.id, "tableofresultids").await.unwrap();
    assert!(result.bytes.starts_with(b"Reference,ResultId"), "{result:?}");
    assert_eq!(client.feedback(view.id).await.unwrap(), []);
    assert_eq!(client.get(view.id).await.unwrap(), view);
    assert_eq!(client.whoami().await.unwrap().name, "local");
    assert!(client.checks().await.unwrap().checks.iter().any(|check| check.ok));
    assert!(client.processes().await.unwrap().processes.is_empty(), "none reports itself");
    assert!(client.settings().await.unwrap().settings.len() > 20);
    let query = ListQuery {
        states: vec![State::Completed],
        name: Some("a/b".into()),
        limit: Some(10),
        ..ListQuery::default()
    };
    let page = client.list(&query).await.unwrap();
    assert_eq!(page.submissions, [view]);
}

#[tokio::test]
async fn a_rejected_dataset_has_findings_and_is_corrected() {
    let served = Served::with(SimConfig::default(), &[]).await;
    let client = client(&served);
    let data = include_str!("../../../examples/rejected.csv").to_owned();
    let response = client.submit(&SubmissionRequest { data, ..dataset("march") }).await.unwrap();
    let view = client.wait(response.submission.id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(view.state, State::Rejected);
    let findings = client.feedback(view.id).await.unwrap();
    assert_eq!(findings[0].locations[0].row, 2, "{findings:?}");
    let csv = client.feedback_csv(view.id).await.unwrap();
    assert_eq!(csv.content_type.as_deref(), Some("text/csv; charset=utf-8"));
    assert!(csv.bytes.starts_with(b"Table,Row,Line,Column,Value,Message\ndata,2,3,Reference,"));
    let data = include_str!("../../../examples/rejected.corrected.csv").to_owned();
    let corrected = ResubmitRequest { data, ..ResubmitRequest::default() };
    let response = client.resubmit(view.id, &corrected).await.unwrap();
    assert_eq!(response.submission.revision_of, Some(view.id));
    let of = |id| ListQuery { revision_of: Some(id), ..ListQuery::default() };
    let view = client.wait(response.submission.id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(view.state, State::Completed);
    let earlier = view.revision_of.unwrap();
    assert_eq!(client.count(&of(earlier)).await.unwrap().count, 1);
    assert_eq!(client.list(&of(view.id)).await.unwrap().submissions, []);
    assert_eq!(client.list(&of(earlier)).await.unwrap().submissions, [view]);
}

#[tokio::test]
async fn an_error_of_the_server_is_a_problem_with_its_kind() {
    let served = Served::idle(&[]).await;
    let client = client(&served);
    let request = SubmissionRequest { data: "a,b\n".into(), ..dataset("march") };
    match client.submit(&request).await {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(problem.kind(), Some(ProblemKind::InvalidDataset));
            assert!(!problem.problems.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_result_with_a_wrong_body_is_fetched_again() {
    let served = Served::start(&[]).await;
    let client = client(&served);
    let wrong = || Fault::Respond {
        status: 200,
        headers: vec![("content-type".into(), "text/csv".into())],
        body: "wrong".into(),
    };
    served.world.sim.script(Endpoint::Results, wrong());
    let id = client.submit(&dataset("march")).await.unwrap().submission.id;
    client.wait(id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(client.result(id, "tableofresultids").await.unwrap().bytes, b"wrong");
    // A worker may have ended it before the response.
    assert_eq!(client.refetch(id).await.unwrap().state, State::Completed);
    let view = client.wait(id, Duration::from_mins(1)).await.unwrap();
    assert_eq!((view.state, view.refetching, view.reason), (State::Completed, false, None));
    let result = client.result(id, "tableofresultids").await.unwrap();
    assert!(result.bytes.starts_with(b"Reference,ResultId"), "{result:?}");
    let uploads = served.world.sim.ledger().names["march"].accepted.len();
    assert_eq!(uploads, 1, "a refetch uploads nothing");
}

/// A way to the server on which the first response is lost.
async fn losing_the_first_answer(served: &Served) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, target) = (listener.local_addr().unwrap(), served.address);
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        let mut request = vec![0; 65_536];
        // A small request comes in one or two pieces, and ends with its JSON.
        let mut length = 0;
        while !request[..length].ends_with(b"}") {
            let more = within("a request", first.read(&mut request[length..])).await.unwrap();
            assert!(more > 0, "the request breaks off after {length} bytes");
            length += more;
        }
        server.write_all(&request[..length]).await.unwrap();
        server.read_exact(&mut [0; 12]).await.unwrap();
        drop(first);
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_lost_response_doubles_nothing() {
    let served = Served::over(crate::support::World::idle(prompt(), &[]).await).await;
    let client = Client::new(&losing_the_first_answer(&served).await).unwrap();
    let response = client.submit(&dataset("march")).await.unwrap();
    let page = client.list(&ListQuery::default()).await.unwrap();
    let ids: Vec<_> = page.submissions.iter().map(|view| view.id).collect();
    assert_eq!(ids, [response.submission.id]);
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let world = crate::support::World::idle(prompt(), &[]).await;
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let server = server.with_tls(Some(Tls::open(TlsFiles { certificate, key }).unwrap()));
    let url = server.url();
    tokio::spawn(server.serve(world.app.api().unwrap()));
    let client = Client::new(&url).unwrap().with_max_attempts(1);
    let error = client.submit(&dataset("march")).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    for nonsense in ["", "nonsense"] {
        let error = Client::new(&url).unwrap().with_authority(nonsense.as_bytes()).unwrap_err();
        assert!(matches!(error, ClientError::Invalid(_)), "{error:?}");
    }
    let client = client.with_authority(own.cert.pem().as_bytes()).unwrap();
    let response = client.submit(&dataset("march")).await.unwrap();
    assert_eq!(client.get(response.submission.id).await.unwrap().state, State::Queued);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_without_its_url() {
    let client = Client::new("http://127.0.0.1:1/secret").unwrap().with_max_attempts(2);
    let error = client.list(&ListQuery::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Listens until so many are completed.
async fn until_completed(stream: &mut EventStream, count: usize, events: &mut Vec<StateEvent>) {
    let completed = |event: &&StateEvent| event.data.state == State::Completed;
    while events.iter().filter(completed).count() < count {
        let event = timeout(Duration::from_mins(1), stream.next()).await.expect("an event in time");
        events.push(event.expect("the server comes back"));
    }
}

#[test]
fn a_killed_server_costs_a_listener_no_event_and_sends_none_twice() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_LEASE", "1s");
    let mut server = serve(&ferry, &[]);
    let (at, runtime) = (url(&server), Runtime::new().unwrap());
    let client = Client::new(&at).unwrap().with_max_attempts(20);
    let mut events = Vec::new();
    let mut stream = runtime.block_on(async {
        let mut stream = client.events(&EventQuery::default()).await.unwrap();
        for n in 0..40 {
            client.submit(&overwriting(&format!("d{n}"))).await.unwrap();
        }
        until_completed(&mut stream, 5, &mut events).await;
        stream
    });
    server.signal("KILL");
    server.end();
    let listen = format!("listen={}", at.trim_start_matches("http://"));
    let _second = ferry.start(&["serve", "--set", &listen]);
    runtime.block_on(async {
        until_completed(&mut stream, 40, &mut events).await;
        let query =
            EventQuery { after: Some(EventQuery::START.to_owned()), ..EventQuery::default() };
        let mut all = client.events(&query).await.unwrap();
        for (n, event) in events.iter().enumerate() {
            assert_eq!(all.next().await.unwrap(), *event, "event {n}");
        }
        assert_eq!(all.last(), stream.last());
    });
}

#[tokio::test]
async fn a_listener_gets_the_events_of_its_filter_and_those_it_missed() {
    let served = Served::idle(&[]).await;
    let client = client(&served);
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let labels = [("is".to_owned(), name.to_owned())].into();
        ids.push(served.world.submit(SubmissionRequest { labels, ..dataset(name) }).await);
        served.world.app.store.cancel(ids[ids.len() - 1]).await.unwrap();
    }
    let epoch = served.world.app.store.look().await.unwrap().newest.epoch;
    let all = || EventQuery { after: Some(EventQuery::START.to_owned()), ..EventQuery::default() };
    for query in [
        EventQuery {
            states: vec![State::Held, State::Cancelled],
            name: Some("two".into()),
            ..all()
        },
        EventQuery {
            states: vec![State::Cancelled],
            labels: vec![("is".into(), "two".into())],
            ..all()
        },
        EventQuery { submission: Some(ids[1]), after: Some(format!("{epoch}-3")), ..all() },
        EventQuery { accounts: vec!["default".into()], after: Some(format!("{epoch}-3")), ..all() },
    ] {
        let event = client.events(&query).await.unwrap().next().await.unwrap();
        assert_eq!((event.data.id, event.data.state), (ids[1], State::Cancelled), "{query:?}");
    }
    match client.events(&EventQuery { after: Some(format!("{epoch}-99")), ..all() }).await {
        Err(ClientError::Problem(problem)) => assert_eq!(problem.kind(), Some(ProblemKind::Gone)),
        other => panic!("{other:?}"),
    }
}

/// Answers every connection with this, and hangs up.
async fn always(response: String) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let response = response.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(response.as_bytes()).await;
            });
        }
    });
    client.with_max_attempts(2)
}

#[tokio::test]
async fn a_stream_that_is_none_of_ferrys_ends_in_an_error() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let ready = format!("{head}event: ready\nid: 00ff00ff00ff00ff-7\ndata: {{}}\n\n");
    for (response, expected) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\nhello".to_owned(),
            "no stream of events",
        ),
        (format!("{head}id: 7\ndata: {{}}\n\n"), "without a greeting"),
        (head.to_owned(), "not reached: the stream ended"),
    ] {
        let error = always(response).await.events(&EventQuery::default()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let long = "x".repeat(100_000);
    for (response, expected) in [
        (format!("{ready}data: {long}\n\n"), "longer than any event"),
        (format!("{ready}id: 00ff00ff00ff00ff-8\ndata: {{}}\n\n"), "an event: missing field"),
        (format!("{ready}event: gone\ndata: {{\"detail\": \"too late\"}}\n\n"), "(410): too late"),
    ] {
        let client = always(response).await;
        let mut stream = client.events(&EventQuery::default()).await.unwrap();
        let error = stream.next().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_operator_creates_and_revokes_keys_and_reads_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", log.to_str().unwrap())]).await;
    let client = client(&keyed.served).with_key(&keyed.keys["operator"]);
    let request = KeyRequest {
        name: "billing".into(),
        role: "submit".into(),
        accounts: vec!["other".into()],
    };
    let created = client.create_key(&request).await.unwrap();
    assert!(created.key.starts_with("ferry_") && !format!("{created:?}").contains(&created.key));
    let keys = client.keys().await.unwrap().keys;
    let billing = keys.iter().find(|key| key.name == "billing").expect("it was created");
    assert_eq!((&*billing.role, &billing.accounts), ("submit", &Some(vec!["other".to_owned()])));
    assert_eq!(client.revoke_key("billing").await.unwrap().name, "billing");
    assert!(client.revoke_key("billing").await.is_err());
    let records = client.audit(None).await.unwrap().records;
    assert_eq!(records[0].action, "DELETE /v1/keys/billing");
    assert!(records.iter().all(|record| !format!("{record:?}").contains(&created.key)));
    assert!(records.iter().any(|r| r.details.as_deref() == Some("billing: submit: other")));
}
