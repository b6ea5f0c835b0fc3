//! One operation of the document: what a method of a path takes, and every answer that it may give.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::api::keys::Role;
use ferry_types::contract::{Problem, ProblemKind};

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// An operation that is being described.
#[derive(Debug)]
pub(in crate::api) struct Operation<'a> {
    schemas: &'a mut Schemas,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Value>,
    bodies: Map<String, Value>,
    needs_body: bool,
    responses: BTreeMap<u16, Value>,
    problems: BTreeMap<u16, Vec<ProblemKind>>,
}

/// A body of a request or an answer.
pub(super) struct Media {
    kind: &'static str,
    schema: Value,
    example: Option<Value>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(schemas: &'a mut Schemas) -> Self {
        Self {
            schemas,
            id: "",
            tag: "",
            summary: "",
            description: String::new(),
            parameters: Vec::new(),
            bodies: Map::new(),
            needs_body: true,
            responses: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    pub(super) fn summary(
        mut self,
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        (self.tag, self.id, self.summary) = (tag, id, summary);
        self
    }

    pub(super) fn description(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }

    /// A part of the path.
    pub(super) fn path(self, name: &str, schema: Value, what: &str) -> Self {
        self.parameter("path", name, schema, what)
    }

    /// A parameter that may be left out.
    pub(super) fn query(self, name: &str, schema: Value, what: &str) -> Self {
        self.parameter("query", name, schema, what)
    }

    /// A header that may be left out.
    pub(super) fn header(self, name: &str, schema: Value, what: &str) -> Self {
        self.parameter("header", name, schema, what)
    }

    fn parameter(mut self, place: &str, name: &str, schema: Value, what: &str) -> Self {
        let mut parameter = json!({
            "name": name, "in": place, "required": place == "path", "description": what,
        });
        parameter["schema"] = schema;
        self.parameters.push(parameter);
        self
    }

    /// One of the bodies that it takes.
    pub(super) fn body<T: schemars::JsonSchema>(self, example: &impl Serialize) -> Self {
        let schema = self.schemas.taken::<T>();
        self.body_as(JSON, schema, json!(example))
    }

    pub(super) fn body_as(mut self, kind: &str, schema: Value, example: Value) -> Self {
        let media = Map::from_iter([("schema".into(), schema), ("example".into(), example)]);
        self.bodies.insert(kind.to_owned(), media.into());
        self
    }

    /// It can be called without a body, too.
    pub(super) fn or_nothing(mut self) -> Self {
        self.needs_body = false;
        self
    }

    /// JSON that it answers.
    pub(super) fn json<T: schemars::JsonSchema>(&mut self, example: &impl Serialize) -> Media {
        let schema = self.schemas.given::<T>();
        Media { kind: JSON, schema, example: Some(json!(example)) }
    }

    pub(super) fn response<T: schemars::JsonSchema>(
        mut self,
        status: u16,
        what: &str,
        example: &impl Serialize,
    ) -> Self {
        let media = self.json::<T>(example);
        self.response_with(status, what, Some(media), &[])
    }

    pub(super) fn response_with(
        mut self,
        status: u16,
        what: &str,
        media: Option<Media>,
        headers: &[&str],
    ) -> Self {
        let refer = |name: &&str| {
            ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
        };
        let headers: Map<String, Value> =
            ["X-Request-Id"].iter().chain(headers).map(refer).collect();
        let mut response = json!({ "description": what, "headers": headers });
        if let Some(Media { kind, schema, example }) = media {
            let mut content = json!({ "schema": schema });
            if let Some(example) = example {
                content["example"] = example;
            }
            response["content"] = json!({ kind: content });
        }
        self.responses.insert(status, response);
        self
    }

    /// Another type that an answer may have.
    pub(super) fn alternative(mut self, status: u16, media: Media) -> Self {
        if let Some(response) = self.responses.get_mut(&status) {
            response["content"][media.kind]["schema"] = media.schema;
        }
        self
    }

    /// The schema of a type, for a parameter.
    pub(super) fn schema<T: schemars::JsonSchema>(&mut self) -> Value {
        self.schemas.taken::<T>()
    }

    /// What the id in an answer is good for.
    pub(super) fn links(mut self, status: u16, operations: &[&str]) -> Self {
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

    /// The problems that it may answer, beside those that all may.
    pub(super) fn problems(mut self, kinds: &[ProblemKind]) -> Self {
        for kind in kinds {
            let of_status = self.problems.entry(kind.status()).or_default();
            if !of_status.contains(kind) {
                of_status.push(*kind);
            }
        }
        self
    }

    /// It, as it stands in the document.
    pub(super) fn finish(mut self, role: Option<Role>) -> Value {
        if role.is_some() {
            use ProblemKind::{Busy, Forbidden, Internal, NotLocal, Unauthenticated};
            self = self.problems(&[Unauthenticated, Forbidden, NotLocal, Internal, Busy]);
        }
        let problem = self.schemas.given::<Problem>();
        let (mut responses, problems) = (self.responses, self.problems);
        for (status, kinds) in problems {
            responses.insert(status, problems_of(&kinds, &problem));
        }
        let responses: Map<String, Value> = responses
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

impl Media {
    /// A body that is no JSON.
    pub(super) fn of(kind: &'static str, example: Option<&str>) -> Self {
        let schema = json!({ "type": "string" });
        Self { kind, schema, example: example.map(Into::into) }
    }

    pub(super) fn with_schema(self, schema: Value) -> Self {
        Self { schema, ..self }
    }

    /// A body of any type.
    pub(super) fn any() -> Self {
        Self { kind: "*/*", schema: json!({}), example: None }
    }
}

/// The answer with a status that is of these kinds.
fn problems_of(kinds: &[ProblemKind], schema: &Value) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
    let examples = kinds.iter().map(|kind| {
        let name = kind.urn().rsplit(':').next().unwrap_or_default();
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
