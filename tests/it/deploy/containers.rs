//! The script that runs the compose file in containers, where there are none.

use std::process::Command;

use super::files::root;

#[test]
fn the_test_of_containers_reports_that_there_is_no_engine() {
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = String::from_utf8(python.expect("there is Python").stdout).unwrap();
    let mut script = Command::new(python.trim());
    script.arg(root("scripts/test-containers")).env_clear().env("PATH", "/nowhere");
    let ran = script.output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.starts_with("skipped: neither Docker with Compose nor podman"), "{said}");
    assert!(said.contains("hint: "), "{said}");
}
