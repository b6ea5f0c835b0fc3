//! `ferry stats` lists the processes that use the store.

use super::harness::{Ferry, Platform, eventually};

#[test]
fn a_worker_is_listed_until_it_ends() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let mut worker = ferry.start(&["worker"]);
    // The worker makes the store.
    eventually("the store", || ferry.run(&["stats"]).code == 0);
    let listed = || ferry.run(&["stats", "--json"]).ok().objects();
    eventually("its heartbeat", || !listed().is_empty());
    let process = &listed()[0];
    assert_eq!((&process["roles"], &process["pid"]), (&["worker"][..].into(), &worker.id().into()));
    assert_eq!(process["slots"]["upload"]["running"], 0, "{process}");
    let text = ferry.run(&["stats"]).ok().stdout;
    let expected =
        format!(", process {}, version {}, since 20", worker.id(), env!("CARGO_PKG_VERSION"));
    let line = text.lines().find(|line| line.starts_with("worker on `")).unwrap_or_default();
    assert!(line.contains(&expected) && line.ends_with(" slots in use"), "{text}");
    worker.signal("TERM");
    assert_eq!(worker.end().code(), Some(0), "{}", worker.stderr());
    assert!(listed().is_empty(), "it ended by itself");
}
