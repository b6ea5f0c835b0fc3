//! Packages for Node that tests ask about what they see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::python::told;

/// A folder with packages and their programs in `node_modules`, installed once in these versions.
pub(crate) fn installed(name: &str, packages: &[&str]) -> PathBuf {
    static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());
    let _held = ONE_AFTER_THE_OTHER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let is_whole = folder.join("whole");
    let wanted = packages.join("\n");
    if fs::read_to_string(&is_whole).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the folder can be made");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        let output = npm.arg(&folder).args(packages).output();
        let hint = "npm, and a way to its registry, are needed; on Debian: apt-get install npm";
        let output = output.unwrap_or_else(|error| panic!("{hint}: {error}"));
        assert!(output.status.success(), "{hint}: {}", told(&output));
        fs::write(is_whole, wanted).expect("the folder can be written");
    }
    folder.join("node_modules/.bin")
}
