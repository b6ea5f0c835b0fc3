//! TLS to the Redis of the compose file, with the authority that the script makes.

use std::fs;

use super::compose::Machine;
use crate::cli::running::Running;

const SECRETS: &str = "deploy/compose/secrets";

fn stats(machine: &Machine) -> (bool, String) {
    let output = machine.ferry("server", "watch", Some(&["stats"])).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn redis_speaks_tls_alone_and_a_server_trusts_its_authority_alone() {
    let machine = Machine::prepare();
    let redis = machine.redis();
    let (is_served, text) = stats(&machine);
    assert!(is_served, "{text}");
    let ping = "REDISCLI_AUTH=$(cat /run/secrets/store-password) redis-cli --user ferry ping";
    let plain = machine.shell(ping);
    let said = String::from_utf8_lossy(&plain.stdout);
    assert!(!said.contains("PONG"), "Redis answers in clear text: {said}");
    let port = "REDISCLI_AUTH=$(cat /run/secrets/admin-password) redis-cli --tls \
                --cacert /run/secrets/redis-authority --user admin config get port";
    let port = machine.shell(port);
    assert_eq!(String::from_utf8_lossy(&port.stdout), "port\n0\n", "no port without TLS");
    // Another Redis, with the users and passwords of this one, and another authority.
    drop(redis);
    let authority = machine.path(&format!("{SECRETS}/redis-authority"));
    let trusted = fs::read(&authority).unwrap();
    fs::remove_file(&authority).unwrap();
    let made = machine.prepare_again();
    assert_eq!(made.lines().count(), 3, "authority, certificate and key: {made}");
    let _impostor: Running = machine.redis();
    fs::write(&authority, trusted).unwrap();
    let (is_served, text) = stats(&machine);
    assert!(!is_served && text.contains("certificate"), "{text}");
}

#[test]
fn no_key_of_the_authority_is_kept() {
    let machine = Machine::prepare();
    let folder = fs::read_dir(machine.path(SECRETS)).unwrap();
    let with_key = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY")));
    let with_key: Vec<_> = with_key.collect();
    assert_eq!(
        with_key,
        [std::path::PathBuf::from(machine.path("deploy/compose/secrets/redis-key"))]
    );
}
