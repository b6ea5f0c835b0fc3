//! The schemas of the document, made from the types of the contract, in forms that generators of
//! clients understand.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

/// Collects the schemas that are referred to.
#[derive(Debug)]
pub(in crate::api) struct Schemas {
    /// Bodies of requests: a field with a default may be left out.
    requests: SchemaGenerator,
    responses: SchemaGenerator,
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
            requests: settings().for_deserialize().into_generator(),
            responses: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// A reference to the schema of a type in requests.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of a type in responses.
    pub(super) fn response<T: JsonSchema>(&mut self) -> Value {
        self.responses.subschema_for::<T>().to_value()
    }

    /// The schema of a type in requests itself: its properties become parameters, or parts of a form.
    pub(super) fn inline<T: JsonSchema>(&mut self) -> Value {
        let mut schema = T::json_schema(&mut self.requests).to_value();
        simplify(&mut schema);
        schema
    }

    /// All that were referred to, by name.
    pub(super) fn all(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.append(&mut self.responses.take_definitions(true));
        all.values_mut().for_each(simplify);
        let expanded: Vec<_> =
            all.keys().filter_map(|name| Some((name.clone(), expanded(name, &all)?))).collect();
        for (name, alternatives) in expanded {
            all[&name]["oneOf"] = alternatives.into();
        }
        all
    }
}

/// The alternatives of a tagged union, each as one object with a title: generators drop what stands
/// beside a reference, and name types by titles.
fn expanded(name: &str, all: &Map<String, Value>) -> Option<Vec<Value>> {
    let mut alternatives = Vec::new();
    for one in all[name]["oneOf"].as_array()? {
        let target = one["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let target =
            target.filter(|_| one["properties"].is_object()).and_then(|name| all.get(name));
        match target.and_then(|target| target["oneOf"].as_array()) {
            Some(inner) => alternatives.extend(inner.iter().map(|inner| merged(inner, one))),
            None => alternatives.push(one.clone()),
        }
    }
    for one in &mut alternatives {
        one["title"] = title(name, one).into();
    }
    Some(alternatives)
}

/// An object with the properties of both.
fn merged(inner: &Value, outer: &Value) -> Value {
    let mut merged = inner.clone();
    for (name, property) in outer["properties"].as_object().into_iter().flatten() {
        merged["properties"][name] = property.clone();
        if let Some(required) = merged["required"].as_array_mut() {
            required.push(name.as_str().into());
        }
    }
    merged
}

/// The name of a union and the tags of an alternative, such as `WaitingForWorker`.
fn title(name: &str, alternative: &Value) -> String {
    let properties = alternative["properties"].as_object().into_iter().flatten();
    let mut tags: Vec<_> =
        properties.filter_map(|(name, of)| Some((name, of["const"].as_str()?))).collect();
    tags.sort_unstable();
    let words = tags.into_iter().flat_map(|(_, tag)| tag.split('_'));
    words.fold(name.to_owned(), |title, word| {
        let (first, rest) = word.split_at(word.len().min(1));
        title + &first.to_uppercase() + rest
    })
}

/// Writes closed sets as `enum`: few generators take `oneOf` of `const` for one.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(members) => {
            if let Some((values, meanings)) = members.get("oneOf").and_then(words) {
                members.remove("oneOf");
                members.insert("type".into(), "string".into());
                members.insert("enum".into(), values.into());
                members.insert("x-enumDescriptions".into(), meanings.into());
            }
            // Some generators take a property with a default for required, or always send it.
            let required = members.get("required").and_then(Value::as_array).cloned();
            for (name, property) in
                members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
            {
                let is_required = required.iter().flatten().any(|other| other == name.as_str());
                if let Some(property) = property.as_object_mut().filter(|_| !is_required) {
                    property.remove("default");
                }
            }
            members.values_mut().for_each(simplify);
        }
        _ => {}
    }
}

/// The words of a closed set, and the meaning of each; none if the alternatives are something else.
fn words(alternatives: &Value) -> Option<(Vec<Value>, Map<String, Value>)> {
    let (mut values, mut meanings) = (Vec::new(), Map::new());
    for one in alternatives.as_array()? {
        // Words without a doc comment stand together.
        let several = one["enum"].as_array().cloned();
        for value in several.or_else(|| Some(vec![one["const"].clone()]))? {
            let meaning = one["description"].as_str().unwrap_or_default();
            meanings.insert(value.as_str()?.to_owned(), json!(meaning));
            values.push(value);
        }
    }
    Some((values, meanings))
}
