//! The schemas of the document, made from the types of the contract.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// Collects the schemas that are referred to.
#[derive(Debug)]
pub(in crate::api) struct Schemas {
    /// What clients send: what has a default may be left out.
    taken: SchemaGenerator,
    /// What clients get.
    given: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            taken: settings().for_deserialize().into_generator(),
            given: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    pub(super) fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }

    pub(super) fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }

    /// All that were referred to, by name.
    pub(super) fn all(mut self) -> Map<String, Value> {
        let mut all = self.taken.take_definitions(true);
        all.append(&mut self.given.take_definitions(true));
        all
    }
}
