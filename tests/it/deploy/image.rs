//! The Dockerfile: its build is followed without Docker, up to what cargo would compile.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::files::root;

/// The instructions of the Dockerfile, each on a line.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string(root("Dockerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// As `COPY` does: of a folder, what is in it.
fn copied(from: &Path, to: &Path) {
    let from = if from.is_dir() { from.join(".") } else { from.to_owned() };
    let done = Command::new("cp").arg("-r").args([&*from, to]).output().expect("there is `cp`");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_image_can_be_built_of_what_docker_is_given() {
    let context = fs::read_to_string(root(".dockerignore")).unwrap();
    let context: Vec<&str> = context.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut builds = 0;
    let of_build = |line: &String| !line.starts_with("FROM") || line.ends_with("AS build");
    for line in instructions().iter().take_while(|line| of_build(line)) {
        if let Some(files) = line.strip_prefix("COPY ") {
            let mut files: Vec<&str> = files.split_whitespace().collect();
            let to = folder.path().join(files.pop().unwrap());
            // As Docker does, of a name that ends like a folder.
            if files.len() == 1 && to.as_os_str().as_encoded_bytes().ends_with(b"/") {
                fs::create_dir_all(&to).unwrap();
            }
            for file in files {
                let is_given = context.iter().any(|given| Path::new(file).starts_with(given));
                assert!(is_given, ".dockerignore keeps `{file}` from Docker");
                copied(&root(file), &to);
            }
        } else if line.starts_with("RUN ") && line.contains("cargo build") {
            // Finds every declared target and compiles nothing. Crates of other platforms are left out,
            // and what a machine has not cached is fetched, as `cargo build` fetches it. The state's
            // folder is for the image alone.
            let (steps, _) = line[4..].split_once("cargo build").unwrap();
            let fetch = "cargo fetch --quiet --locked --target \"$(rustc --print host-tuple)\"";
            let steps = format!("{steps} {fetch}");
            let mut shell = Command::new("sh");
            shell.args(["-c", &steps]).current_dir(folder.path());
            let done = shell.env_remove("CARGO_MANIFEST_DIR").output().unwrap();
            assert!(done.status.success(), "{line}\n{}", String::from_utf8_lossy(&done.stderr));
            builds += 1;
        }
    }
    assert_eq!(builds, 2, "the dependencies, and all");
    let mut included = included(&folder.path().join("src"));
    included.extend(self::included(&folder.path().join("crates")));
    assert!(included.len() > 10, "{included:?}");
    for (path, name) in &included {
        assert!(path.parent().unwrap().join(name).exists(), "{}: {name}", path.display());
    }
}

/// The files outside their folders that sources include, as far as their names are written out.
fn included(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(included(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for include in ["include_str!(", "include_bytes!("] {
            for rest in text.split(include).skip(1) {
                let name = rest.trim_start().trim_start_matches("concat!(");
                let name = name.strip_prefix('"').and_then(|name| name.split('"').next());
                found.extend(name.map(|name| (path.clone(), name.to_owned())));
            }
        }
    }
    found
}

#[test]
fn the_image_is_made_with_the_rust_that_is_wanted_and_is_not_root() {
    let instructions = instructions();
    let rust = concat!("FROM rust:", env!("CARGO_PKG_RUST_VERSION"), ".");
    assert!(instructions[0].starts_with(rust), "{} instead of {rust}", instructions[0]);
    let run = instructions.iter().rposition(|line| line.starts_with("FROM")).unwrap();
    let run = &instructions[run..];
    assert!(run.iter().any(|line| line == "USER 65532:65532"), "{run:#?}");
    assert!(!run.iter().any(|line| line.starts_with("RUN")), "it has no shell: {run:#?}");
    let entrypoint = run.iter().find_map(|line| line.strip_prefix("ENTRYPOINT "));
    assert_eq!(entrypoint, Some("[\"/usr/local/bin/ferry\"]"), "one image for every role");
}
