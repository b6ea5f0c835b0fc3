//! One operation of the document: what a method of a path takes, and every response that it may give.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::examples::Example;
use super::schemas::Schemas;
use crate::api::role::Role;
use ferry_types::contract::{Problem, ProblemKind};

pub(in crate::api) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The type of a dataset.
pub(in crate::api) const CSV: &str = "text/csv; charset=utf-8";

/// The type of bytes that may be anything. Generators of clients know it, and few others.
pub(in crate::api) const BYTES: &str = "application/octet-stream";

/// An operation that is being described.
#[derive(Debug)]
pub(in crate::api) struct Operation<'a> {
    schemas: &'a mut Schemas,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Value>,
    bodies: Map<String, Value>,
    needs_body: bool,
    responses: BTreeMap<u16, Value>,
    problems: BTreeMap<u16, Vec<ProblemKind>>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(schemas: &'a mut Schemas) -> Self {
        Self {
            schemas,
            id: "",
            tag: "",
            summary: "",
            description: "",
            parameters: Vec::new(),
            bodies: Map::new(),
            needs_body: true,
            responses: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    /// With its group, its id, which names it in generated clients, and its purpose.
    pub(super) fn named(self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self { id, tag, summary, ..self }
    }

    pub(super) fn description(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// The properties of a type, each as a parameter; `context` stands before the meaning of each.
    pub(in crate::api) fn parameters<T: JsonSchema>(mut self, place: &str, context: &str) -> Self {
        let schema = self.schemas.inline::<T>();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut property = optional(property.clone());
            let meaning = property.as_object_mut().and_then(|one| one.remove("description"));
            let meaning = meaning.as_ref().and_then(Value::as_str).unwrap_or_default();
            let is_required = place == "path" || required.contains(&name.as_str().into());
            self.parameters.push(json!({
                "name": name, "in": place, "required": is_required,
                "description": format!("{context}{}", meaning.replace('\n', " ")), "schema": property,
            }));
        }
        self
    }

    /// A header or a part of the path.
    pub(in crate::api) fn parameter(
        mut self,
        place: &str,
        name: &str,
        schema: &Value,
        meaning: &str,
    ) -> Self {
        self.parameters.push(json!({
            "name": name, "in": place, "required": place == "path", "description": meaning,
            "schema": schema,
        }));
        self
    }

    /// A part of the path with the schema of a type.
    pub(in crate::api) fn path<T: JsonSchema>(self, name: &str, meaning: &str) -> Self {
        let schema = self.schemas.request::<T>();
        self.parameter("path", name, &schema, meaning)
    }

    /// A JSON body.
    pub(in crate::api) fn json_body<T: JsonSchema + Example + Serialize>(self) -> Self {
        let schema = self.schemas.request::<T>();
        self.body(JSON, schema, json!(T::example()))
    }

    /// A form: the properties of `T` and some of files.
    pub(in crate::api) fn form_body<T: JsonSchema>(self, files: &[&str], example: Value) -> Self {
        let mut schema = self.schemas.inline::<T>();
        for property in schema["properties"].as_object_mut().into_iter().flatten() {
            *property.1 = optional(property.1.take());
        }
        for name in files {
            schema["properties"][name] =
                json!({ "type": "string", "format": "binary", "contentMediaType": "text/csv" });
        }
        schema["required"] = json!(files.first());
        schema["required"] = json!([schema["required"].take()]);
        if let Some(members) = schema.as_object_mut() {
            members.remove("description");
            members.remove("title");
        }
        self.body("multipart/form-data", schema, example)
    }

    pub(in crate::api) fn body(mut self, kind: &str, schema: Value, example: Value) -> Self {
        let media = Map::from_iter([("schema".into(), schema), ("example".into(), example)]);
        self.bodies.insert(kind.to_owned(), media.into());
        self
    }

    /// Its body may be left out.
    pub(in crate::api) fn optional_body(self) -> Self {
        Self { needs_body: false, ..self }
    }

    /// A JSON response.
    pub(in crate::api) fn json<T: JsonSchema + Example + Serialize>(
        self,
        status: u16,
        description: &str,
        headers: &[&str],
    ) -> Self {
        let schema = self.schemas.response::<T>();
        let example = Some(json!(T::example()));
        self.empty(status, description, headers).media(status, JSON, schema, example)
    }

    /// A response without a body, unless [`Operation::media`] adds one.
    pub(in crate::api) fn empty(
        mut self,
        status: u16,
        description: &str,
        headers: &[&str],
    ) -> Self {
        let refer = |name: &&str| {
            ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
        };
        let headers: Map<String, Value> =
            ["X-Request-Id"].iter().chain(headers).map(refer).collect();
        self.responses.insert(status, json!({ "description": description, "headers": headers }));
        self
    }

    /// One of the types that a response may have.
    pub(in crate::api) fn media(
        mut self,
        status: u16,
        kind: &str,
        schema: Value,
        example: Option<Value>,
    ) -> Self {
        if let Some(response) = self.responses.get_mut(&status) {
            response["content"][kind]["schema"] = schema;
            if let Some(example) = example {
                response["content"][kind]["example"] = example;
            }
        }
        self
    }

    /// A body of lines, each of them JSON.
    pub(in crate::api) fn lines_body<T: JsonSchema>(self, kind: &str, example: Value) -> Self {
        let line = self.schemas.request::<T>();
        let schema = json!({ "type": "string", "contentMediaType": kind, "contentSchema": line });
        self.body(kind, schema, example)
    }

    /// A response of lines, each of them JSON.
    pub(in crate::api) fn lines<T: JsonSchema>(
        self,
        status: u16,
        kind: &str,
        example: Value,
    ) -> Self {
        let line = self.schemas.response::<T>();
        let schema = json!({ "type": "string", "contentMediaType": kind, "contentSchema": line });
        self.media(status, kind, schema, Some(example))
    }

    /// A response of text.
    pub(super) fn text(self, status: u16, description: &str, kind: &str, example: &str) -> Self {
        let example = Some(example.into());
        self.empty(status, description, &[]).media(
            status,
            kind,
            json!({ "type": "string" }),
            example,
        )
    }

    /// Operations that take the id in a response.
    pub(in crate::api) fn links(mut self, status: u16, operations: &[&str]) -> Self {
        let link = |id: &&str| {
            let parameters = json!({ "id": "$response.body#/id" });
            ((*id).to_owned(), json!({ "operationId": id, "parameters": parameters }))
        };
        let links: Map<String, Value> = operations.iter().map(link).collect();
        if let Some(response) = self.responses.get_mut(&status) {
            response["links"] = links.into();
        }
        self
    }

    /// The problems that it may respond with, beside those that all may.
    pub(in crate::api) fn problems(mut self, kinds: &[ProblemKind]) -> Self {
        for kind in kinds {
            let of_status = self.problems.entry(kind.status()).or_default();
            if !of_status.contains(kind) {
                of_status.push(*kind);
            }
        }
        self
    }

    /// The operation, as it stands in the document.
    pub(super) fn finish(mut self, role: Option<Role>) -> Value {
        use ProblemKind::{Busy, Forbidden, Internal, NotLocal, Unauthenticated};
        if role.is_some() {
            self = self.problems(&[Unauthenticated, Forbidden, NotLocal, Internal, Busy]);
        }
        let problem = self.schemas.response::<Problem>();
        for (status, kinds) in self.problems {
            self.responses.insert(status, problems_of(&kinds, &problem));
        }
        let responses: Map<String, Value> = self
            .responses
            .into_iter()
            .map(|(status, response)| (status.to_string(), response))
            .collect();
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary,
            "responses": responses,
        });
        if !self.description.is_empty() {
            operation["description"] = self.description.into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if !self.bodies.is_empty() {
            operation["requestBody"] =
                json!({ "required": self.needs_body, "content": self.bodies });
        }
        operation["security"] = match role {
            Some(role) => json!([{ "key": [role.as_str()] }]),
            None => json!([]),
        };
        operation
    }
}

/// The schema of a property that may be left out: there is no null in a URL or a form.
fn optional(mut schema: Value) -> Value {
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default();
        schema["type"] = kind;
    }
    if let Some(of) = schema["anyOf"].as_array() {
        let of = of.iter().find(|one| one["type"] != "null").cloned().unwrap_or_default();
        let description = schema["description"].take();
        schema = of;
        if description.is_string() {
            schema["description"] = description;
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.retain(|name, value| {
            (name != "default" && name != "description" && name != "type" && name != "anyOf")
                || !value.is_null()
        });
    }
    schema
}

/// The response with a status that has these kinds of problems.
fn problems_of(kinds: &[ProblemKind], schema: &Value) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
    let examples = kinds.iter().map(|kind| {
        let name = kind.anchor();
        let mut problem = Problem::new(*kind, kind.title());
        problem.instance = Some("01KDXB8W4S9ZT2M3Q5R7V1C6HY".to_owned());
        (name.to_owned(), json!({ "value": problem }))
    });
    let examples: Map<String, Value> = examples.collect();
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
    let status = kinds.first().map(|kind| kind.status());
    for (of, name) in [
        (429, "Retry-After"),
        (503, "Retry-After"),
        (507, "Retry-After"),
        (401, "WWW-Authenticate"),
        (415, "Accept-Encoding"),
    ] {
        if status == Some(of) {
            headers[name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
    json!({
        "description": titles.join(". Or: "), "headers": headers,
        "content": { "application/problem+json": { "schema": schema, "examples": examples } },
    })
}
