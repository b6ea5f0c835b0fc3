//! Redis behind Sentinels, and as a Cluster.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ferry_store::Filter;
use ferry_types::domain::submission::State;

use crate::support::{World, overwriting, pause, prompt};
use crate::worker::Worker;
use ferry_testing::{GUARD, RedisServer, free_port, program};

/// Waits until `reached` answers yes.
async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !reached().await {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}");
        pause().await;
    }
}

/// A Sentinel, which ends with this.
struct Sentinel {
    guard: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Sentinel {
    fn start(master: u16) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = dir.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            dir.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, &program()]).arg(config).arg("--sentinel");
        let guard = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Self { guard, port, _dir: dir }
    }

    /// Port of the master that it names.
    async fn master(&self) -> Option<u16> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut cmd = redis::cmd("SENTINEL");
        cmd.arg("GET-MASTER-ADDR-BY-NAME").arg("main");
        let (_, port): (String, u16) = cmd.query_async(&mut connection).await.ok()?;
        Some(port)
    }

    /// Number of other Sentinels and of replicas that it knows.
    async fn knows(&self) -> Option<(u64, u64)> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let info: String =
            redis::cmd("INFO").arg("sentinel").query_async(&mut connection).await.ok()?;
        let value = |name: &str| {
            let rest = info.split(name).nth(1)?;
            rest.split([',', '\r']).next()?.parse().ok()
        };
        Some((value("sentinels=")?, value("slaves=")?))
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_the_master_that_the_sentinels_name_loses_nothing() {
    let master = RedisServer::start(&["--appendfsync", "always"]).await;
    let follow = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start(&["--appendfsync", "always", "--replicaof", &follow]).await;
    let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(master.port())).collect();
    until("the Sentinels do not find each other and the replica", async || {
        let mut all = true;
        for sentinel in &sentinels {
            all &= sentinel.knows().await == Some((3, 1));
        }
        all
    })
    .await;
    until("the replica does not follow", async || master.ask::<u64>("WAIT 1 100").await == 1).await;
    let hosts: Vec<String> = sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port)).collect();
    let url = format!("redis+sentinel://{}/main/0", hosts.join(","));
    let settings = [("STORE", url.as_str()), ("DURABILITY", "replicated")];
    let world = World::idle(prompt(), &settings).await;
    let workers: Vec<Worker> = (0..2).map(|_| Worker::start(&world, &[("LEASE", "2s")])).collect();
    world.submit_all((0..200).map(|n| overwriting(&format!("s{n:03}")))).await;
    until("nothing is completed", async || world.stats().await.count(State::Completed) > 20).await;
    master.kill();
    until("no replica takes over", async || sentinels[0].master().await == Some(replica.port()))
        .await;
    // It comes back as the replica of the other.
    master.resume().await;
    let stats = world.all_settled().await;
    let held = Filter { states: vec![State::Held], ..Filter::default() };
    let held = world.app.store.list(&held, None, 10).await.unwrap().found;
    assert_eq!(stats.count(State::Completed), 200, "{stats:#?}\n{held:#?}");
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_a_namespace_on_the_node_that_its_tag_belongs_to() {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let bus = free_port();
        let bus_text = bus.to_string();
        let settings = ["--cluster-enabled", "yes", "--cluster-port", &bus_text];
        nodes.push((RedisServer::start(&settings).await, bus));
    }
    for (n, (node, _)) in nodes.iter().enumerate() {
        let (first, last) = (n * 5462, (n * 5462 + 5461).min(16383));
        node.ask::<()>(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await;
        for (other, bus) in &nodes {
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port());
            node.ask::<()>(&meet).await;
        }
    }
    until("the nodes do not find each other", async || {
        let mut all = true;
        for (node, _) in &nodes {
            let info: String = node.ask("CLUSTER INFO").await;
            all &= info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
        }
        all
    })
    .await;
    let hosts: Vec<String> =
        nodes.iter().map(|(node, _)| format!("127.0.0.1:{}", node.port())).collect();
    let url = format!("redis://{}", hosts.join(","));
    // Some of these belong to other nodes than the first, which says so.
    for namespace in ["a", "b", "c", "d"] {
        let world = World::idle(prompt(), &[("STORE", &url), ("NAMESPACE", namespace)]).await;
        let worker = Worker::start(&world, &[]);
        world.submit_all((0..20).map(|n| overwriting(&format!("{namespace}{n}")))).await;
        let stats = world.all_settled().await;
        assert_eq!(stats.count(State::Completed), 20, "{stats:#?}");
        assert!(worker.terminate().success(), "{}", world.log());
        world.finish().await;
    }
    let mut holders = 0;
    for (node, _) in &nodes {
        let keys: u64 = node.ask("DBSIZE").await;
        holders += u64::from(keys > 0);
    }
    assert!(holders > 1, "the namespaces are spread");
}
