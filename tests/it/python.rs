//! Python packages that tests ask about what they see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// The folder with the programs of a package and its `python`, installed once in one version.
pub(crate) fn installed(package: &str, version: &str) -> PathBuf {
    let folder = programs(&format!("{package}-{version}"), |folder| {
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", &format!("{package}=={version}")]);
        vec![pip]
    });
    folder.join("bin")
}

/// A folder with a Python of its own, in which these commands ran once.
pub(crate) fn programs(name: &str, commands: impl Fn(&Path) -> Vec<Command>) -> PathBuf {
    static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());
    let _held = ONE_AFTER_THE_OTHER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let is_whole = folder.join("whole");
    if !is_whole.exists() {
        let _ = fs::remove_dir_all(&folder);
        let hint = "Python 3 with venv, and a way to PyPI, are needed; on Debian: apt-get install \
                    python3 python3-venv";
        let run = |command: &mut Command| {
            let output = command.output().unwrap_or_else(|error| panic!("{hint}: {error}"));
            assert!(output.status.success(), "{hint}: {}", all_output(&output));
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        for mut command in commands(&folder) {
            run(&mut command);
        }
        fs::write(is_whole, "").expect("the folder can be written");
    }
    folder
}

/// All that a program wrote.
pub(crate) fn all_output(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    [text(&output.stdout), text(&output.stderr)].concat()
}
