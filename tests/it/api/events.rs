//! The stream of what changes.

use std::time::Duration;

use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry_testing::Wait;
use ferry_types::contract::{ProblemKind, StateEvent, SubmissionRequest};
use ferry_types::domain::submission::State;
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;

use super::harness::{Answer, GOOD, Served, client};
use super::keys::Keyed;
use crate::support::{World, dataset, prompt};

/// Longer than a stream ever needs.
const CLIENT_TIMEOUT: Duration = Duration::from_mins(1);

/// A stream as its client reads it.
pub(crate) struct Listening {
    response: Response,
    text: String,
    /// The last event id that arrived.
    pub(crate) last: String,
}

impl Listening {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("it is answered");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listening = Self { response, text: String::new(), last: String::new() };
        let (kind, _) = listening.message().await.expect("it is greeted");
        assert_eq!(kind, "ready");
        listening
    }

    /// The next message: its event and its data; none at the end.
    async fn message(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (mut kind, mut data) = ("message".to_owned(), String::new());
                for line in message.lines() {
                    match line.split_once(": ") {
                        Some(("event", event)) => event.clone_into(&mut kind),
                        Some(("id", id)) => id.clone_into(&mut self.last),
                        Some(("data", text)) => text.clone_into(&mut data),
                        Some(("retry", _)) => {}
                        _ => panic!("no field: {line}"),
                    }
                }
                let rest = rest.to_owned();
                self.text = rest;
                return Some((kind, data));
            }
            let chunk = tokio::time::timeout(CLIENT_TIMEOUT, self.response.chunk()).await;
            let chunk = chunk.expect("the stream sends something").unwrap_or_default()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next event; none at the end.
    pub(crate) async fn next(&mut self) -> Option<StateEvent> {
        // Heartbeats come for ever.
        let wait = Wait::begin("an event");
        loop {
            wait.check();
            let (kind, data) = self.message().await?;
            if kind == "message" {
                return Some(serde_json::from_str(&data).unwrap());
            }
        }
    }

    /// The states up to and with this one, by Name.
    async fn until(&mut self, state: State) -> Vec<(String, State)> {
        let mut states = Vec::new();
        let wait = Wait::begin(format!("the state {state}"));
        loop {
            wait.check();
            let event = self.next().await.expect("the stream continues");
            assert_eq!(event.kind, format!("submission.{}", event.data.state));
            states.push((event.data.name, event.data.state));
            if event.data.state == state {
                return states;
            }
        }
    }
}

fn states(events: &[(String, State)]) -> Vec<State> {
    events.iter().map(|(_, state)| *state).collect()
}

#[tokio::test]
async fn each_change_is_an_event_and_a_reader_continues_where_it_stopped() {
    let served = Served::start(&[]).await;
    let listen = |after: Option<String>| {
        let request = served.request(Method::GET, "/v1/events");
        Listening::to(after.iter().fold(request, |r, id| r.header("last-event-id", id)))
    };
    let mut first = listen(None).await;
    served.submit(&json!({ "name": "march", "data": GOOD })).await;
    assert_eq!(first.next().await.unwrap().data.state, State::Queued);
    let stopped_at = first.last.clone();
    let events = first.until(State::Completed).await;
    let way = [State::Uploading, State::Processing, State::Collecting, State::Completed];
    assert_eq!(states(&events), way);
    let mut second = listen(Some(stopped_at)).await;
    assert_eq!(second.until(State::Completed).await, events);
    assert_eq!(second.last, first.last);
    // A client without any event knows its position, too.
    let third = listen(None).await;
    assert_eq!(third.last, first.last);
}

#[tokio::test]
async fn every_server_of_a_store_sends_all_events() {
    let served = Served::idle(&[]).await;
    let sources = Sources { file: None, env: served.world.env.clone(), flags: Vec::new() };
    let other = App::open(Config::load(&sources).unwrap()).unwrap();
    let server = ferry::api::Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(other.api().unwrap()));
    let mut stream = Listening::to(client().get(format!("http://{address}/v1/events"))).await;
    let id = served.world.submit(dataset("march")).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.data.id, event.data.state), (id, State::Queued));
    assert_eq!(event.timestamp, served.world.look(id).await.created_at);
}

#[tokio::test]
async fn a_client_gets_the_events_that_its_filter_selects() {
    let served = Served::idle(&[]).await;
    let [one, two] = ["one", "two"].map(dataset);
    let [one, two] = [served.world.submit(one).await, served.world.submit(two).await];
    for id in [two, one] {
        served.world.app.store.cancel(id).await.unwrap();
    }
    for (query, expected) in [
        ("", vec!["one queued", "two queued", "two cancelled", "one cancelled"]),
        ("&state=cancelled", vec!["two cancelled", "one cancelled"]),
        ("&state=queued,held&name=two", vec!["two queued"]),
        (&format!("&id={one}"), vec!["one queued", "one cancelled"]),
        ("&account=other", vec![]),
    ] {
        let listen = served.request(Method::GET, &format!("/v1/events?after=0{query}"));
        let mut stream = Listening::to(listen).await;
        for expected in expected {
            let event = stream.next().await.unwrap();
            assert_eq!(format!("{} {}", event.data.name, event.data.state), expected, "{query}");
        }
    }
    for wrong in [
        "?state=gone",
        "?id=x",
        "?after=x",
        "?after=7",
        "?since=1",
        "?label=x",
        "?label=a=1&label=a=2",
    ] {
        served.get(&format!("/v1/events{wrong}")).await.is(ProblemKind::InvalidRequest);
    }
}

#[tokio::test]
async fn a_client_gets_events_of_submissions_with_its_labels() {
    let served = Served::idle(&[]).await;
    let store = &served.world.app.store;
    for (name, labels) in [
        ("none", vec![]),
        ("north", vec![("team", "north")]),
        ("urgent", vec![("team", "north"), ("urgent", "yes")]),
        ("south", vec![("team", "south")]),
    ] {
        let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let request = SubmissionRequest { labels: labels.collect(), ..dataset(name) };
        store.cancel(served.world.submit(request).await).await.unwrap();
    }
    // More than a stream remembers, and than it reads at once.
    served.world.submit_all((0..1100).map(|n| dataset(&format!("filler {n}")))).await;
    let labels = [("team".to_owned(), "north".to_owned())].into();
    let last = SubmissionRequest { labels, ..dataset("last") };
    served.world.submit(last).await;
    for (query, expected) in [
        (
            "label=team=north",
            vec![
                "north queued",
                "north cancelled",
                "urgent queued",
                "urgent cancelled",
                "last queued",
            ],
        ),
        ("label=team=north&label=urgent=yes&state=cancelled", vec!["urgent cancelled"]),
        ("label=team=south&name=south&state=queued", vec!["south queued"]),
    ] {
        let listen = served.request(Method::GET, &format!("/v1/events?after=0&{query}"));
        let mut stream = Listening::to(listen).await;
        for expected in expected {
            let event = stream.next().await.unwrap();
            assert_eq!(format!("{} {}", event.data.name, event.data.state), expected, "{query}");
        }
    }
}

/// Number of submissions, lists and pages of events that were read from the store.
async fn reads(served: &Served) -> u64 {
    let scrape = served.get("/metrics").await.text();
    let name = "ferry_store_operation_duration_seconds_count{operation=\"read\"} ";
    let line = scrape.lines().find_map(|line| line.strip_prefix(name));
    line.expect("it is counted").parse().unwrap()
}

#[tokio::test]
async fn streams_of_many_labels_look_each_submission_up_once() {
    const STREAMS: u64 = 32;
    const SUBMISSIONS: u64 = 400;
    let served = Served::idle(&[]).await;
    let fillers = (0..SUBMISSIONS).map(|n| dataset(&format!("filler {n}")));
    served.world.submit_all(fillers).await;
    let labels = (0..STREAMS).map(|n| (format!("q{n}"), "yes".to_owned())).collect();
    served.world.submit(SubmissionRequest { labels, ..dataset("last") }).await;
    let before = reads(&served).await;
    let listen = |n| {
        let path = format!("/v1/events?after=0&label=q{n}%3Dyes");
        Listening::to(served.request(Method::GET, &path))
    };
    let streams = join_all((0..STREAMS).map(listen)).await;
    for mut stream in streams {
        assert_eq!(stream.next().await.unwrap().data.name, "last");
    }
    let read = reads(&served).await - before;
    // Beside the submissions, each stream reads a few pages.
    assert!(read > SUBMISSIONS && read < 4 * SUBMISSIONS, "{read}");
}

#[tokio::test]
async fn a_reader_that_cannot_continue_gets_a_problem() {
    let served = Served::idle(&[]).await;
    served.world.submit(dataset("a")).await;
    let last = |id: &str| {
        Answer::of(served.request(Method::GET, "/v1/events").header("last-event-id", id))
    };
    let store = &served.world.app.store;
    let epoch = store.look().await.unwrap().newest.epoch;
    let beyond = format!("{epoch}-7");
    let problem = last(&beyond).await.is(ProblemKind::Gone);
    let expected = format!("the newest event is `{epoch}-1`");
    assert!(problem.detail.contains(&expected) && problem.detail.contains(&beyond), "{problem:?}");
    last("00ff00ff00ff00ff-1").await.is(ProblemKind::Gone);
    let problem = last("7").await.is(ProblemKind::InvalidRequest);
    assert!(problem.detail.contains("expected the `id` of an event"), "{problem:?}");
    served.world.submit(dataset("b")).await;
    ferry_testing::until("the removal of an event", async || {
        store.sweep(Duration::ZERO).await.unwrap();
        store.events(0, 1).await.unwrap().oldest > 0
    })
    .await;
    let problem = last(&format!("{epoch}-0")).await.is(ProblemKind::Gone);
    assert!(problem.detail.contains("list the submissions"), "{problem:?}");
    // All that is retained is still there.
    let mut stream = Listening::to(served.request(Method::GET, "/v1/events?after=0")).await;
    assert_eq!(stream.next().await.unwrap().data.name, "b");
}

#[tokio::test]
async fn a_key_gets_events_of_its_accounts_and_only_while_it_is_valid() {
    let keyed = Keyed::start().await;
    let listen = |name: &str| {
        let request = keyed.served.request(Method::GET, "/v1/events?after=0");
        Listening::to(request.bearer_auth(&keyed.keys[name]))
    };
    keyed.served.world.submit(dataset("march")).await;
    let mut bound = listen("bound").await;
    let mut reader = listen("reader").await;
    assert_eq!(reader.next().await.unwrap().data.name, "march");
    assert!(ferry::api::revoke_key(&keyed.file, "bound").unwrap());
    assert_eq!(bound.next().await, None, "an event of a foreign account");
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_server() {
    let world = World::idle(prompt(), &[("MAX_CONCURRENT_REQUESTS", "4")]).await;
    let served = Served::over(world).await;
    let request = || served.request(Method::GET, "/v1/events");
    let first = Listening::to(request()).await;
    let busy = Answer::of(request()).await;
    busy.is(ProblemKind::Busy);
    assert_eq!(busy.header("retry-after"), "5");
    drop(first);
    let wait = Wait::begin("a free place for a stream");
    let mut stream = loop {
        let response = request().send().await.unwrap();
        if response.status() == 200 {
            break Listening { response, text: String::new(), last: String::new() };
        }
        wait.pause().await;
    };
    served.world.app.shutdown.drain();
    assert_eq!(stream.next().await, None);
    served.serving.await.unwrap();
}
