//! JSON of the values that this program makes.

use serde::Serialize;

/// A value as JSON. `serde_json` fails for maps whose keys are no texts, and for values that fail to serialize
/// themselves; the types of this program have neither, so that no caller has to handle it.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("no key of a map is anything but a text")
}
