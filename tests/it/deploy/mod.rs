//! Files for a deployment, checked against `ferry` itself: the image, the compose file, the manifests
//! for Kubernetes, the units of systemd and the pages beside them.

mod compose;
mod containers;
mod files;
mod hardened;
mod image;
mod kubectl;
mod kubernetes;
mod redis;
mod release;
mod schemas;
mod systemd;
mod transport;
