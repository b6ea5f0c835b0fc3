//! The body of `UploadData`.

use serde::Serialize;

use super::account::{AccountConfig, OverwriteFormat};
use crate::to_json::to_json;

/// A dataset as the Platform takes it.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its `Name`.
    pub name: &'a str,
    /// Its `Data`.
    pub data: &'a str,
    /// Its `EventData`.
    pub event_data: Option<&'a str>,
    /// Its `Overwrite`.
    pub overwrite: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UploadBody<'a> {
    name: &'a str,
    data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_data: Option<&'a str>,
    username: &'a str,
    key: &'a str,
    overwrite: Overwrite,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Overwrite {
    Text(&'static str),
    Boolean(bool),
}

impl Upload<'_> {
    pub(super) fn body(&self, account: &AccountConfig, key: &str) -> Vec<u8> {
        let overwrite = match (account.overwrite_format, self.overwrite) {
            (OverwriteFormat::Booleans, overwrite) => Overwrite::Boolean(overwrite),
            (OverwriteFormat::Strings, true) => Overwrite::Text("true"),
            (OverwriteFormat::Strings, false) => Overwrite::Text("false"),
        };
        let body = UploadBody {
            name: self.name,
            data: self.data,
            event_data: self.event_data,
            username: &account.client_id,
            key,
            overwrite,
        };
        to_json(&body).into_bytes()
    }
}
