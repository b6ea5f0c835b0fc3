//! Reads the parameters of a URL, or the fields of a form, into a type. A name that the type does not
//! have is an error, and so is a second value where the type has one.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserializer;
use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};

use super::error::ApiError;
use super::openapi::{Input, Operation};
use ferry_types::contract::ProblemKind;

/// The parameters of a URL, as `T`.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

/// Names and values in their order.
pub(super) type Pairs = Vec<(String, String)>;

/// The most parameters of a URL, and the most fields of a form: several times what a type has room for.
pub(super) const MAX_PAIRS: usize = 200;

/// The parameters of a URL.
pub(super) fn pairs(uri: &Uri) -> Result<Pairs, ApiError> {
    let mut pairs = Pairs::new();
    let query = uri.query().unwrap_or_default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        add(&mut pairs, name.into_owned(), value.into_owned(), MAX_PAIRS)?;
    }
    Ok(pairs)
}

/// The pairs of a form that came as a query; empty fields do not count.
pub(super) fn filled(uri: &Uri) -> Result<Pairs, ApiError> {
    Ok(pairs(uri)?.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

/// Adds a pair while there are fewer than `most`.
pub(super) fn add(
    pairs: &mut Pairs,
    name: String,
    value: String,
    most: usize,
) -> Result<(), ApiError> {
    if pairs.len() == most {
        return Err(ApiError::invalid(format!("more than {most} parameters or fields")));
    }
    pairs.push((name, value));
    Ok(())
}

/// Reads pairs as `T`.
pub(super) fn read<T: DeserializeOwned>(pairs: Pairs) -> Result<T, PairError> {
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => fields.push((name, vec![value])),
        }
    }
    T::deserialize(Fields { left: fields.into_iter(), value: None })
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        read(pairs(&parts.uri)?).map(Self).map_err(PairError::of_query)
    }
}

impl<T: schemars::JsonSchema> Input for Query<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.parameters::<T>("query", "").problems(&[ProblemKind::InvalidRequest])
    }
}

/// Pairs that are not of a type.
#[derive(Debug)]
pub(super) enum PairError {
    Unknown { name: String, known: &'static [&'static str] },
    Missing(&'static str),
    Invalid { name: String, what: String },
}

impl PairError {
    /// As an error of the URL.
    pub(super) fn of_query(self) -> ApiError {
        ApiError::invalid(match self {
            Self::Unknown { name, .. } => {
                format!("there is no parameter `{}` here", excerpt(&name))
            }
            Self::Missing(name) => format!("the parameter `{name}` is needed"),
            Self::Invalid { name, what } => format!("the parameter `{name}`: {what}"),
        })
    }

    /// As an error of a field of a submission.
    pub(super) fn of_field(self) -> ApiError {
        match self {
            Self::Unknown { name, known } => {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                let what = format!("there is no field `{}`: expected ", excerpt(&name));
                ApiError::invalid(what + &known.join(", "))
            }
            Self::Missing(name) => ApiError::field(name, "it is needed"),
            Self::Invalid { name, what } => ApiError::field(&name, what),
        }
    }

    fn of(self, field: &str) -> Self {
        match self {
            Self::Invalid { name, what } if name.is_empty() => {
                Self::Invalid { name: field.to_owned(), what }
            }
            other => other,
        }
    }
}

/// The beginning of what a client sent, fit for being repeated.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for PairError {}

impl de::Error for PairError {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::Invalid { name: String::new(), what: what.to_string() }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown { name: name.to_owned(), known }
    }

    fn missing_field(name: &'static str) -> Self {
        Self::Missing(name)
    }
}

struct Fields {
    left: std::vec::IntoIter<(String, Vec<String>)>,
    value: Option<(String, Vec<String>)>,
}

impl<'de> Deserializer<'de> for Fields {
    type Error = PairError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairError> {
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = PairError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, PairError> {
        self.value = self.left.next();
        let Some((name, _)) = &self.value else { return Ok(None) };
        let name: StringDeserializer<PairError> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, PairError> {
        let (name, values) = self.value.take().unwrap_or_default();
        seed.deserialize(Values(values)).map_err(|error| error.of(&name))
    }
}

/// All values of one name.
struct Values(Vec<String>);

impl Values {
    fn one(mut self) -> Result<String, PairError> {
        match (self.0.pop(), self.0.is_empty()) {
            (value, true) => Ok(value.unwrap_or_default()),
            (_, false) => Err(de::Error::custom("it is given twice")),
        }
    }
}

impl<'de> Deserializer<'de> for Values {
    type Error = PairError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairError> {
        visitor.visit_string(self.one()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairError> {
        // Generated clients write the words of their own language, such as `True`.
        match self.one()?.to_ascii_lowercase().as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(de::Error::custom("expected `true` or `false`")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairError> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairError> {
        let value: StringDeserializer<PairError> = self.one()?.into_deserializer();
        visitor.visit_enum(value)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi::{Describe, Described, Documents};
    use axum::http::Method;
    use axum::response::Response;
    use serde_json::{Value, json};

    #[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        /// The first.
        one: Option<String>,
        #[serde(default)]
        several: Vec<String>,
        flag: bool,
    }

    async fn handler(_: Query<Sample>) -> Response {
        Response::default()
    }

    fn described<D: 'static, H: Described<D> + 'static>(_: &H) -> Value {
        fn of<D, H: Described<D>>(operation: Operation<'_>) -> Operation<'_> {
            H::describe(operation)
        }
        let describe: &Describe = &of::<D, H>;
        let documents = Documents::of([(&Method::GET, "/x", None, describe)].into_iter());
        let document: Value = serde_json::from_str(&documents.json).expect("it is JSON");
        document["paths"]["/x"]["get"]["parameters"].clone()
    }

    #[test]
    fn the_parameters_of_a_handlers_type_are_those_of_the_document() {
        let text = || json!({ "type": "string" });
        let expected = json!([
            { "name": "flag", "in": "query", "required": true, "description": "",
              "schema": { "type": "boolean" } },
            { "name": "one", "in": "query", "required": false, "description": "The first.",
              "schema": text() },
            { "name": "several", "in": "query", "required": false, "description": "",
              "schema": { "type": "array", "items": text() } },
        ]);
        let mut found = described(&handler);
        let found_list = found.as_array_mut().expect("a list");
        found_list.sort_by_key(|parameter| parameter["name"].to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn pairs_are_read_as_their_type_and_nothing_else_is() {
        let read = |query: &str| -> Result<Sample, String> {
            let uri = format!("/x?{query}").parse().expect("a URI");
            let pairs = pairs(&uri).map_err(|error| error.problem.detail)?;
            super::read(pairs).map_err(|error: PairError| error.of_query().problem.detail)
        };
        let several = vec!["a".to_owned(), "b c".to_owned()];
        let sample = Sample { one: Some(String::new()), several, flag: true };
        assert_eq!(read("several=a&one=&flag=true&several=b+c"), Ok(sample));
        for (query, expected) in [
            ("", "the parameter `flag` is needed"),
            ("flag=yes", "the parameter `flag`: expected `true` or `false`"),
            ("flag=true&flag=true", "the parameter `flag`: it is given twice"),
            ("flag=true&other=1", "there is no parameter `other` here"),
        ] {
            assert_eq!(read(query), Err(expected.to_owned()), "{query}");
        }
        let many = ["several=a"; MAX_PAIRS + 1].join("&");
        assert_eq!(read(&many), Err("more than 200 parameters or fields".to_owned()));
    }
}
