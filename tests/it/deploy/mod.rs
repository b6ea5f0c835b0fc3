//! What is deployed: the compose file, the manifests for Kubernetes and the pages beside them, held
//! against what `ferry` is.

mod compose;
mod files;
mod kubernetes;
mod schemas;
