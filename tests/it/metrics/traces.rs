//! Traces, exported to the test's own collector, which decodes them with the protocol's own types.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use ferry_types::contract::SubmissionRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

use super::prometheus::{Prometheus, ask};
use super::scraped::{Scraped, until};
use crate::python::{all_output, installed};
use crate::support::{World, dataset, prompt};
use crate::webhooks::receiver::Receiver;
use crate::webhooks::{HERE, SECRET};
use ferry_testing::{free_port, own_namespace, shared_server};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

type Bodies = Arc<Mutex<Vec<Bytes>>>;

/// Takes traces in.
struct Collector {
    bodies: Bodies,
    url: String,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Bodies::default();
        let keep = async |State(bodies): State<Bodies>, body: Bytes| {
            bodies.lock().unwrap().push(body);
        };
        let app = Router::new().route("/v1/traces", post(keep)).with_state(bodies.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { bodies, url }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap().clone();
        let requests = bodies.into_iter().map(|b| ExportTraceServiceRequest::decode(b).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
    }

    /// The steps of a submission, by the outcome of each.
    fn steps(&self, id: &str) -> BTreeMap<String, Span> {
        let spans = self.spans().into_iter();
        let own = spans.filter(|span| text(span, "ferry.submission").is_some_and(|of| of == id));
        let steps = own.filter_map(|span| Some((text(&span, "ferry.outcome")?, span)));
        steps.collect()
    }
}

fn text(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<String>>().concat()
}

/// Submits a dataset by HTTP, as a part of a trace. Returns its id.
fn submit(server: &Scraped, name: &str, traceparent: &str) -> String {
    let csv = dataset(name).data;
    let head = format!(
        "POST /v1/submissions?name={name} HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/csv\r\n\
         traceparent: {traceparent}\r\nContent-Length: {}\r\n\r\n",
        csv.len()
    );
    let (status, body) = ask(&server.address, &format!("{head}{csv}")).unwrap();
    assert_eq!(status, 201, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_is_a_trace_that_is_linked_to_its_producer_on_sqlite() {
    steps_are_linked(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_is_a_trace_that_is_linked_to_its_producer_on_redis() {
    let (redis, namespace) = (shared_server().await, own_namespace());
    steps_are_linked(&[("STORE", &redis.url()), ("NAMESPACE", &namespace)]).await;
}

async fn steps_are_linked(store: &[(&str, &str)]) {
    let collector = Collector::start().await;
    let world = World::idle(prompt(), store).await;
    let settings = [("OTLP_ENDPOINT", collector.url.as_str())];
    let server = Scraped::start(&world, "server", &["serve"], &settings).await;
    let known = submit(&server, "known", PARENT);
    let unknown = submit(&server, "unknown", "nonsense");
    let unkept = SubmissionRequest { traceparent: NOT_KEPT.parse().ok(), ..dataset("unkept") };
    let unkept = world.submit(unkept).await.to_string();
    world.all_settled().await;
    assert!(server.terminate().success(), "it exports the last traces before it ends");

    let steps = collector.steps(&known);
    let of_kind = |kind: &str| steps.values().filter(|span| span.name == kind).count();
    assert!(["upload", "poll", "collect"].iter().all(|kind| of_kind(kind) == 1), "{steps:#?}");
    let traces: BTreeSet<_> = steps.values().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traces.len(), steps.len(), "each is a trace of its own");
    let spans = collector.spans();
    for step in steps.values() {
        let links: Vec<_> =
            step.links.iter().map(|to| (hex(&to.trace_id), hex(&to.span_id))).collect();
        assert_eq!(links.len(), 1, "{step:#?}");
        assert!(PARENT.contains(&links[0].0) && PARENT.contains(&links[0].1), "{links:?}");
        assert_eq!(step.parent_span_id, b"");
        assert_eq!(text(step, "ferry.account").as_deref(), Some("default"));
        let inner = spans.iter().filter(|span| span.trace_id == step.trace_id);
        let calls: Vec<_> = inner.filter(|span| span.parent_span_id == step.span_id).collect();
        assert!(!calls.is_empty(), "it called the Platform");
        assert!(calls.iter().all(|call| text(call, "ferry.class").as_deref() == Some("ok")));
    }
    assert!(steps.contains_key("processing") && steps.contains_key("completed"), "{steps:#?}");
    let accepted: Vec<_> = spans.iter().filter(|span| span.name == "accept").collect();
    assert_eq!(accepted.len(), 1, "{accepted:#?}");
    assert!(PARENT.contains(&hex(&accepted[0].trace_id)), "it is in the producer's own trace");
    assert!(PARENT.contains(&hex(&accepted[0].parent_span_id)), "{accepted:#?}");
    assert_eq!(text(accepted[0], "ferry.submission"), Some(known));
    let others = collector.steps(&unknown);
    assert_eq!(others.len(), 3);
    assert!(others.values().all(|step| step.links.is_empty()), "{others:#?}");
    assert_eq!(collector.steps(&unkept).len(), 0, "its producer does not keep the trace");
    assert_no_secret_is_exported(&collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_delivery_attempt_is_a_trace_with_the_request_to_the_receiver() {
    let (collector, receiver) = (Collector::start().await, Receiver::start(&[503]).await);
    let world = World::idle(prompt(), &HERE).await;
    let settings = [("OTLP_ENDPOINT", collector.url.as_str())];
    let worker = Scraped::start(&world, "worker", &["worker"], &settings).await;
    let id = world
        .submit(SubmissionRequest {
            webhook_url: Some(receiver.url.clone()),
            traceparent: PARENT.parse().ok(),
            ..dataset("delivered")
        })
        .await;
    assert_eq!(crate::webhooks::deliveries(&world, id).await.len(), 2);
    assert!(worker.terminate().success());

    let spans = collector.spans();
    let of_webhooks: Vec<&Span> = spans.iter().filter(|span| span.name == "webhook").collect();
    let class = |call: &&Span| text(call, "ferry.class");
    let classes: BTreeSet<_> = of_webhooks.iter().filter_map(class).collect();
    assert_eq!(of_webhooks.len(), 2, "{of_webhooks:#?}");
    assert_eq!(classes, ["delivered", "server_error"].map(str::to_owned).into());
    let mut traces = BTreeSet::new();
    for call in of_webhooks {
        let step = spans.iter().find(|step| step.span_id == call.parent_span_id).expect("a step");
        assert_eq!((step.name.as_str(), &step.trace_id), ("deliver", &call.trace_id));
        assert_eq!(text(step, "ferry.submission"), Some(id.to_string()));
        assert!(step.links.iter().all(|to| PARENT.contains(&hex(&to.trace_id))), "{step:#?}");
        assert_eq!(step.links.len(), 1, "{step:#?}");
        traces.insert(hex(&step.trace_id));
    }
    assert_eq!(traces.len(), 2, "each is a trace of its own");
    assert_no_secret_is_exported(&collector);
}

fn assert_no_secret_is_exported(collector: &Collector) {
    let spans = format!("{:?}", collector.spans());
    for secret in [
        "demo-secret",
        "demo-key",
        "127.0.0.1",
        "\"known\"",
        "dataKey",
        "Bearer",
        "in-the-query",
        SECRET,
    ] {
        assert!(!spans.contains(secret), "`{secret}` was exported");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_disturbs_nothing() {
    let world = World::idle(prompt(), &[]).await;
    let url = format!("http://127.0.0.1:{}", free_port());
    let worker =
        Scraped::start(&world, "worker", &["worker"], &[("OTLP_ENDPOINT", url.as_str())]).await;
    let id = world.submit(dataset("alone")).await;
    assert_eq!(world.settled(id).await.state.as_str(), "completed");
    assert!(worker.terminate().success());
    let log = std::fs::read_to_string(world.folder.path().join("worker.log")).unwrap();
    let line = log.lines().find(|line| line.contains("traces do not reach the collector"));
    assert!(line.is_some_and(|line| line.contains("Connection refused")), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_leads_from_a_measurement_to_its_trace() {
    let collector = Collector::start().await;
    let world = World::idle(prompt(), &[]).await;
    let settings = [("OTLP_ENDPOINT", collector.url.as_str())];
    let worker = Scraped::start(&world, "worker", &["worker"], &settings).await;
    let id = world.submit(dataset("measured")).await;
    world.settled(id).await;
    let prometheus = Prometheus::start(world.folder.path(), std::slice::from_ref(&worker.address));
    until(|| "Prometheus is ready".into(), || prometheus.is_ready()).await;
    let mut found = BTreeSet::new();
    for metric in ["ferry_step_duration_seconds", "ferry_platform_request_duration_seconds"] {
        until(
            || metric.to_owned(),
            || {
                let traces = prometheus.exemplars(metric);
                found.extend(traces.iter().cloned());
                !traces.is_empty()
            },
        )
        .await;
    }
    is_open_metrics(&worker);
    assert!(worker.terminate().success());
    let traces: BTreeSet<_> = collector.spans().iter().map(|span| hex(&span.trace_id)).collect();
    assert!(found.is_subset(&traces), "{found:?}\n{traces:?}");
}

/// The newest that these tests were seen to pass with.
const PROMETHEUS_CLIENT: &str = "0.26.0";

/// Prints how many samples of each type have an example.
const PARSE: &str = "
import collections, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
found = collections.Counter()
for family in parse(sys.stdin.read()):
    for sample in family.samples:
        found[family.type] += 1 if sample.exemplar or family.type != 'histogram' else 0
print(*sorted(kind for kind in found if found[kind]))
";

/// A strict reader understands what is shown to those who ask for the format.
fn is_open_metrics(worker: &Scraped) {
    let request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\
                   Accept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    let (status, scrape) = ask(&worker.address, request).unwrap();
    assert_eq!(status, 200);
    let python = installed("prometheus_client", PROMETHEUS_CLIENT).join("python");
    let mut parser = Command::new(python);
    parser.args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut parser = parser.spawn().unwrap();
    parser.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let read = all_output(&parser.wait_with_output().unwrap());
    assert_eq!(read.trim(), "counter gauge histogram", "{scrape}");
}
