//! The Redis of the compose file: what it has after a restart, a new password or a restored backup.

use std::fs;
use std::net::TcpStream;

use serde_json::json;

use super::compose::Machine;
use super::files::root;
use crate::cli::harness::{GOOD, eventually};
use crate::cli::running::Running;

/// Users file of the script, relative to the machine.
const USERS: &str = "deploy/compose/secrets/redis-users";

/// Permissions of a user without a password in the users files of earlier versions.
const OLD_DEFAULT: &str = "user default on nopass -@all +ping";

/// Ends the server as the container runtime does, and starts it again.
fn restart(machine: &Machine, mut redis: Running) -> Running {
    redis.signal("TERM");
    redis.end();
    assert!(!machine.redis_is_healthy());
    machine.redis()
}

/// Runs `ferry` as a worker's container does.
fn ferry(machine: &Machine, args: &[&str]) -> (bool, String) {
    let output = machine.ferry("worker", "watch", Some(args)).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn submit(machine: &Machine, count: usize) -> Vec<String> {
    let line = |number| json!({ "name": format!("march {number}"), "data": GOOD }).to_string();
    let lines: Vec<String> = (0..count).map(line).collect();
    let file = machine.path("lines.ndjson");
    fs::write(&file, lines.join("\n")).unwrap();
    let (accepted, text) = ferry(machine, &["submit", "--ndjson", &file]);
    assert!(accepted, "{text}");
    let found = stored(machine);
    assert_eq!(found.len(), count, "{text}");
    found
}

/// Ids of all submissions of the store.
fn stored(machine: &Machine) -> Vec<String> {
    let (listed, text) = ferry(machine, &["list", "--all", "--json"]);
    assert!(listed, "{text}");
    let objects = text.lines().filter(|line| line.starts_with('{'));
    let objects = objects.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    // Notes are objects too, without an id.
    let mut ids: Vec<String> =
        objects.filter_map(|object| Some(object["id"].as_str()?.to_owned())).collect();
    ids.sort();
    ids
}

/// Changes the users file, which Redis reads when it starts.
fn change_users(machine: &Machine, change: impl FnOnce(String) -> String) {
    let users = fs::read_to_string(machine.path(USERS)).unwrap();
    fs::write(machine.path(USERS), change(users)).unwrap();
}

/// Replaces the line of `default`.
fn with_default(users: &str, line: &str) -> String {
    let others = users.lines().filter(|line| !line.starts_with("user default "));
    [line].into_iter().chain(others).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn every_accepted_submission_survives_a_restart() {
    let machine = Machine::prepare();
    let redis = machine.redis();
    let accepted = submit(&machine, 300);
    let redis = restart(&machine, redis);
    assert_eq!(stored(&machine), accepted);
    drop(redis);
    let _redis = machine.redis();
    assert_eq!(stored(&machine), accepted, "after SIGKILL");
}

#[test]
fn doctor_says_whether_a_restart_loses_submissions_with_a_users_file() {
    let hash = "5".repeat(64);
    let closed = format!("user default on #{hash} ~* &* +@all");
    let elsewhere = format!("user default on #{hash} ~other:* &* +@all");
    let files =
        ["", &closed, "user default off ~* &* +@all", "user default off", OLD_DEFAULT, &elsewhere];
    for default in files {
        let machine = Machine::prepare();
        change_users(&machine, |users| with_default(&users, default));
        let redis = machine.redis();
        let accepted = submit(&machine, 3);
        let (is_durable, findings) = ferry(&machine, &["doctor", "--offline"]);
        assert_eq!(findings.contains("user `default` may not run"), !is_durable, "{findings}");
        if !is_durable {
            let worker = Running::start(machine.ferry("worker", "watch", None));
            worker.await_stderr("the store is not durable: user `default` may not run");
        }
        let _redis = restart(&machine, redis);
        assert_eq!(stored(&machine).len() == accepted.len(), is_durable, "`{default}`: {findings}");
    }
}

#[test]
fn the_user_of_ferry_may_load_no_functions() {
    let machine = Machine::prepare();
    let _redis = machine.redis();
    // They are of the whole server, and it stores them.
    for command in ["load x", "delete x", "flush", "restore x", "dump", "list"] {
        let line = "REDISCLI_AUTH=$(cat /run/secrets/store-password) redis-cli --tls \
                    --cacert /run/secrets/redis-authority --user ferry function ";
        let answer = machine.shell(&format!("{line}{command}")).stdout;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("NOPERM"), "{command}: {answer}");
    }
}

#[test]
fn doctor_notes_what_it_may_not_check() {
    let machine = Machine::prepare();
    change_users(&machine, |users| users.replace(" +acl|dryrun", ""));
    let _redis = machine.redis();
    let (is_durable, findings) = ferry(&machine, &["doctor", "--offline"]);
    assert!(is_durable, "{findings}");
    let note = findings.contains("note  could not check that user `default`")
        && findings.contains("`ACL DRYRUN default SET {ferry}:check value` must respond OK");
    assert!(note || findings.contains("without checking permissions"), "{findings}");
    let worker = Running::start(machine.ferry("worker", "watch", None));
    if note {
        worker.await_stderr("could not check that user `default`");
    }
}

#[test]
fn a_worker_that_may_not_read_the_state_of_the_server_says_so_once_and_works() {
    let machine = Machine::prepare();
    change_users(&machine, |users| users.replace(" +info", ""));
    let _redis = machine.redis();
    submit(&machine, 1);
    let worker = Running::start(machine.ferry("worker", "watch", None));
    let cause = "cannot read the state of the Redis server, its metrics stand still";
    worker.await_stderr(cause);
    let age = || {
        let page = machine
            .get(machine.ports["watch"], "/metrics")
            .map_or_else(String::new, |(_, page)| page);
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("ferry_queue_metrics_timestamp_seconds "));
        line.and_then(|line| line.parse::<f64>().ok()).unwrap_or_default()
    };
    let before = age();
    eventually("two more reads", || age() > before + 4.0);
    let log = worker.stderr();
    assert_eq!(log.matches(cause).count(), 1, "{log}");
    assert!(!log.contains("the store fails"), "{log}");
}

#[test]
fn a_worker_checks_durability_as_soon_as_redis_answers() {
    let machine = Machine::prepare();
    let worker = Running::start(machine.ferry("worker", "watch", None));
    let safe = |value: u8| {
        let page = machine.get(machine.ports["watch"], "/metrics").map(|(_, page)| page);
        page.is_some_and(|page| page.contains(&format!("\nferry_store_durable {value}\n")))
    };
    worker.await_stderr("the store fails, retrying");
    eventually("durability is unknown", || safe(0));
    let _redis = machine.redis();
    eventually("durability was checked", || safe(1));
}

#[test]
fn an_upgrade_replaces_the_users_file_that_loses_submissions() {
    let machine = Machine::prepare();
    assert_eq!(machine.prepare_again(), "", "nothing changed");
    let users = fs::read_to_string(machine.path(USERS)).unwrap();
    change_users(&machine, |users| with_default(&users, OLD_DEFAULT));
    let redis = machine.redis();
    let accepted = submit(&machine, 3);
    assert_eq!(machine.prepare_again(), format!("made {USERS}\n"));
    let new = fs::read_to_string(machine.path(USERS)).unwrap();
    assert_ne!(new.lines().next(), users.lines().next(), "a password for each");
    assert_eq!(new.lines().skip(1).collect::<Vec<_>>(), users.lines().skip(1).collect::<Vec<_>>());
    let _redis = restart(&machine, redis);
    assert_eq!(stored(&machine), accepted);
}

#[test]
fn a_deleted_password_is_replaced_everywhere() {
    let machine = Machine::prepare();
    let redis = machine.redis();
    let accepted = submit(&machine, 3);
    let password = "deploy/compose/secrets/store-password";
    fs::remove_file(machine.path(password)).unwrap();
    assert_eq!(machine.prepare_again(), format!("made {password}\nmade {USERS}\n"));
    let (listed, _) = ferry(&machine, &["list"]);
    assert!(!listed, "Redis still has the old users");
    let _redis = restart(&machine, redis);
    assert_eq!(stored(&machine), accepted);
}

/// Shell commands of a page for the container of Redis, from a mark on.
fn commands_of_page(page: &str, mark: &str) -> Vec<String> {
    let page = fs::read_to_string(root(page)).unwrap();
    let (_, page) = page.split_once(mark).unwrap();
    let commands = page.split("redis sh -c '").skip(1);
    commands.map(|rest| rest.split_once('\'').unwrap().0.to_owned()).collect()
}

#[test]
fn admin_may_raise_the_memory_of_a_full_store_and_ferry_may_not() {
    let commands = commands_of_page("docs/operations/runbook.md", "**A full store.**");
    let [raise] = &commands[..] else { panic!("{commands:#?}") };
    let machine = Machine::prepare();
    let _redis = machine.redis();
    let ask = |line: &str| String::from_utf8(machine.shell(line).stdout).unwrap();
    for (user, secret) in [("ferry", "store"), ("backup", "backup")] {
        let line = raise.replace("user admin", &format!("user {user}"));
        let answer = ask(&line.replace("admin-password", &format!("{secret}-password")));
        assert!(answer.starts_with("NOPERM"), "{user}: {answer}");
    }
    let read = raise.replace("config set maxmemory 2gb", "config get maxmemory");
    assert_eq!(ask(&read), "maxmemory\n1073741824\n");
    assert_eq!(ask(raise), "OK\n");
    assert_eq!(ask(&read), "maxmemory\n2147483648\n");
}

#[test]
fn the_backup_page_backs_up_and_restores() {
    let commands = commands_of_page("docs/operations/backup.md", "### With docker-compose.yml");
    let [backup, replace, load] = &commands[..] else { panic!("{commands:#?}") };
    let machine = Machine::prepare();
    let redis = machine.redis();
    let accepted = submit(&machine, 3);
    let run = |line: &str| {
        let output = machine.shell(line);
        assert!(output.status.success(), "{line}\n{output:?}");
    };
    run(backup);
    fs::rename(machine.path("redis/backup.rdb"), machine.path("ferry.rdb")).unwrap();
    let file = fs::read_to_string(machine.path("lines.ndjson")).unwrap();
    fs::write(machine.path("lines.ndjson"), file.replace("march", "april")).unwrap();
    let (later, text) = ferry(&machine, &["submit", "--ndjson", &machine.path("lines.ndjson")]);
    assert!(later && stored(&machine).len() == 6, "{text}");
    drop(redis);
    run(&format!("exec <{}\n{replace}", machine.path("ferry.rdb")));
    run(load);
    let address = ("127.0.0.1", machine.ports["redis"]);
    eventually("the server of the page ended", || TcpStream::connect(address).is_err());
    let redis = machine.redis();
    assert_eq!(stored(&machine), accepted);
    let _redis = restart(&machine, redis);
    assert_eq!(stored(&machine), accepted);
}
