//! The files beside the pages. Their paths have their hash, so that a browser never asks for one twice.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// A file that a page loads.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) content_type: &'static str,
    /// Its content.
    pub(crate) bytes: &'static [u8],
    /// The beginning of its SHA-256.
    hash: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        file("console.css", "text/css; charset=utf-8", include_bytes!("console.css")),
        file("console.js", "text/javascript; charset=utf-8", include_bytes!("console.js")),
        file("ferry.svg", "image/svg+xml", include_bytes!("ferry.svg")),
    ]
});

fn file(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = HEXLOWER.encode(&digest(&SHA256, bytes).as_ref()[..8]);
    Asset { name, content_type, bytes, hash }
}

/// The file with this hash and name.
pub(crate) fn asset(hash: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash)
}

/// The path of the file with this name.
pub(super) fn path(name: &str) -> String {
    let hash = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.hash);
    format!("/console/assets/{hash}/{name}")
}
