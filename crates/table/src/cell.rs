//! A value as it stands in a column: read by the type that the schema gives its field.

use std::borrow::Cow;

use cocli_core::schema::Type;
use cocli_core::value::Plain;
use cocli_core::{Moment, Value};
use serde_json::Value as Json;

use crate::shape::Form;

/// One value of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number, or microseconds since 1970.
    Whole(i64),
    /// A number.
    Real(f64),
    /// Texts, some of which may be missing.
    List(Vec<Option<String>>),
    /// Texts by their keys.
    Map(Vec<(String, Option<String>)>),
}

/// Whole numbers up to here are the same as a float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Form {
    /// The form of a field's column.
    #[must_use]
    pub fn of(ty: Type) -> Self {
        match ty {
            Type::Text | Type::Email | Type::Phone | Type::Body => Self::Text,
            Type::Int => Self::Whole,
            Type::Float => Self::Real,
            Type::Time => Self::Time,
            Type::Set | Type::List => Self::List,
            Type::Map => Self::Map,
        }
    }
}

impl<'a> Cell<'a> {
    /// The value in a column of this form; `None` when it does not read so.
    #[must_use]
    pub fn read(form: Form, value: &'a Value) -> Option<Self> {
        match (form, value.plain()) {
            (_, Plain::Null) => Some(Self::Null),
            (Form::Text, Plain::Text(text)) => Some(Self::Text(text)),
            (Form::Whole, Plain::Text(text)) => whole(text.trim()).map(Self::Whole),
            (Form::Real, Plain::Text(text)) => real(text.trim()).map(Self::Real),
            (Form::Time, Plain::Text(text)) => {
                Some(Self::Whole(Moment::read(&text)?.utc().micros()))
            }
            // A lone text is a list of one, as it is where lists are merged.
            (Form::List, Plain::Text(text)) if text.is_empty() => Some(Self::List(Vec::new())),
            (Form::List, Plain::Text(text)) => Some(Self::List(vec![Some(text.into_owned())])),
            (Form::List, Plain::Tree(Json::Array(items))) => {
                Some(Self::List(items.into_iter().map(text_of).collect()))
            }
            (Form::Map, Plain::Tree(Json::Object(map))) => {
                Some(Self::Map(map.into_iter().map(|(key, value)| (key, text_of(value))).collect()))
            }
            _ => None,
        }
    }

    /// A text.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The same, of its own.
    #[must_use]
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Whole(number) => Cell::Whole(number),
            Self::Real(number) => Cell::Real(number),
            Self::List(items) => Cell::List(items),
            Self::Map(map) => Cell::Map(map),
        }
    }

    /// A map, or nothing of an empty one.
    pub(crate) fn map(all: Vec<(String, String)>) -> Self {
        match all.is_empty() {
            true => Self::Null,
            false => Self::Map(all.into_iter().map(|(key, text)| (key, Some(text))).collect()),
        }
    }
}

/// A whole number; `5.0` is one, as the Python program writes it.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number = real(text)?;
        let fits = number.fract() == 0.0 && number.abs() < EXACT_MAX;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        fits.then_some(number as i64)
    })
}

/// A number with digits: neither `inf` nor `NaN`, and none too great to be told from these.
fn real(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(number)
}

fn text_of(json: Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
