//! Which column of a table is which field. docs/import.md, "Tables".

use std::collections::{BTreeMap, HashMap};

use cocli_core::schema::Type;
use cocli_core::{Field, Kind, NameError, Value};
use serde_json::Value as Json;

use super::identity::{host, is_many};
use crate::slug::slug;

/// Other names that people give to columns, and the field that is meant.
const ALIASES: &[(&str, &str)] = &[
    ("company", "name"),
    ("company_name", "name"),
    ("full_name", "name"),
    ("website", "website_url"),
    ("url", "website_url"),
    ("homepage", "website_url"),
    ("web", "website_url"),
    ("headquarters", "full_address"),
    ("address", "full_address"),
    ("street", "street_address"),
    ("zip", "zip_code"),
    ("postcode", "zip_code"),
    ("postal_code", "zip_code"),
    ("phone", "phone_number"),
    ("telephone", "phone_number"),
    ("e_mail", "email"),
    ("mail", "email"),
    ("category", "categories"),
    ("tag", "tags"),
    ("linkedin", "linkedin_url"),
    ("facebook", "facebook_url"),
    ("twitter", "twitter_url"),
    ("instagram", "instagram_url"),
];

/// Columns of a table of Google Maps as the Python program knows them, as they compare, and the field that is meant.
const GOOGLE_MAPS: &[(&str, &str)] = &[
    ("keyword", "tags"),
    ("zip", "zip_code"),
    ("phone_standard_format", "phone_number"),
    ("email_from_website", "email"),
    ("website", "website_url"),
    ("first_category", "categories"),
    ("second_category", "categories"),
];

/// Which field each column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// One per column; `None` leaves the column out.
    pub fields: Vec<Option<Field>>,
    /// What every row says besides.
    pub fixed: Vec<(Field, Value)>,
}

/// A table that cannot be brought in; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A `--map` that names no column.
    #[error("no column {column:?}: the table has {columns}")]
    NoColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        columns: String,
    },
    /// No column becomes the name.
    #[error("no column is the name: the table has {columns}; say which with `--map COLUMN=name`")]
    NoName {
        /// The names there are.
        columns: String,
    },
    /// Two columns become one field.
    #[error(
        "the columns {first:?} and {second:?} both become `{field}`: leave one out with `--map {second}=`"
    )]
    Twice {
        /// A column.
        first: String,
        /// Another.
        second: String,
        /// Their field.
        field: Field,
    },
    /// A field outside the grammar.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Mapping {
    /// Maps columns by name; `given` (`COLUMN`, `FIELD` or empty) goes before the defaults.
    ///
    /// # Errors
    /// When a given column does not exist, two become one field, or none is the name.
    pub fn new(
        kind: Kind,
        columns: &[String],
        given: &[(String, String)],
    ) -> Result<Self, MappingError> {
        let all = || columns.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>().join(", ");
        let mut fields = vec![None; columns.len()];
        let mut settled = vec![false; columns.len()];
        let mut taken: HashMap<Field, usize> = HashMap::new();
        for (column, field) in given {
            let Some(at) = columns.iter().position(|c| c.trim() == column.trim()) else {
                return Err(MappingError::NoColumn { column: column.clone(), columns: all() });
            };
            fields[at] = if field.is_empty() { None } else { Some(Field::read(field)?) };
            settled[at] = true;
            if let Some(field) = &fields[at]
                && let Some(other) = taken.insert(field.clone(), at).filter(|other| *other != at)
            {
                let (first, second) = (columns[other].clone(), columns[at].clone());
                return Err(MappingError::Twice { first, second, field: field.clone() });
            }
        }
        for (at, column) in columns.iter().enumerate().filter(|(at, _)| !settled[*at]) {
            // Of two columns of one name the first counts.
            let field = by_name(kind, column).filter(|field| !taken.contains_key(field));
            if let Some(field) = &field {
                taken.insert(field.clone(), at);
            }
            fields[at] = field;
        }
        if !fields.iter().flatten().any(|field| field.as_str() == "name") {
            return Err(MappingError::NoName { columns: all() });
        }
        Ok(Self { fields, fixed: Vec::new() })
    }

    /// The columns that the Python program reads of a Google Maps table; what else stands there is brought in by its
    /// name.
    ///
    /// # Errors
    /// When no column is the name.
    pub fn google_maps(columns: &[String]) -> Result<Self, MappingError> {
        let plain = |column: &String| slug(column).replace('-', "_");
        let of = |column: &String| {
            let plain = plain(column);
            GOOGLE_MAPS.iter().find(|(name, _)| *name == plain).map(|(_, field)| *field)
        };
        let mut fields = Vec::new();
        for column in columns {
            let field = match of(column) {
                Some(field) => Some(Field::read(field)?),
                None => by_name(Kind::Company, column),
            };
            // Several columns may be categories or tags: sets take all.
            let many = |field: &Field| is_many(Some(Kind::Company), field);
            let free = |field: &Field| many(field) || !fields.contains(&Some(field.clone()));
            fields.push(field.filter(free));
        }
        if !fields.iter().flatten().any(|field| field.as_str() == "name") {
            let columns = columns.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>().join(", ");
            return Err(MappingError::NoName { columns });
        }
        let fixed = [("type", "Lead"), ("tags", "[\"google-maps-import\"]")];
        let fixed =
            fixed.into_iter().map(|(name, text)| Ok((Field::read(name)?, Value::read(text))));
        Ok(Self { fields, fixed: fixed.collect::<Result<_, NameError>>()? })
    }

    /// What the cells of a row say.
    #[must_use]
    pub fn values<'r>(
        &self,
        kind: Kind,
        cells: impl IntoIterator<Item = &'r str>,
    ) -> BTreeMap<Field, Value> {
        let mut values: BTreeMap<Field, Value> = self.fixed.iter().cloned().collect();
        for (field, cell) in self.fields.iter().zip(cells) {
            let (Some(field), cell) = (field, cell.trim()) else { continue };
            if cell.is_empty() {
                continue;
            }
            let value = match kind.type_of(field.as_str()) {
                Some(Type::Set | Type::List) => {
                    let items = cell.split(';').map(str::trim).filter(|item| !item.is_empty());
                    let before = values.get(field).map(Value::to_json);
                    let mut all = before.and_then(|v| v.as_array().cloned()).unwrap_or_default();
                    all.extend(items.map(Json::from));
                    Value::json(&Json::from(all))
                }
                _ => Value::text(cell),
            };
            values.insert(field.clone(), value);
        }
        with_domain(kind, &mut values);
        values
    }
}

/// A company's domain from its website, when no column says it.
fn with_domain(kind: Kind, values: &mut BTreeMap<Field, Value>) {
    let (Ok(domain), Ok(site)) = (Field::read("domain"), Field::read("website_url")) else {
        return;
    };
    if kind == Kind::Company
        && !values.contains_key(&domain)
        && let Some(host) = values.get(&site).and_then(|site| host(&site.shown()))
    {
        values.insert(domain, Value::text(&host));
    }
}

/// The field that a column's name means: a field of the schema, an alias, else its own.
fn by_name(kind: Kind, column: &str) -> Option<Field> {
    let name = slug(column).replace('-', "_");
    if column.trim().is_empty() {
        return None;
    }
    if kind.type_of(&name).is_none() {
        let alias =
            ALIASES.iter().find(|(alias, field)| *alias == name && kind.type_of(field).is_some());
        if let Some((_, field)) = alias {
            return Field::read(field).ok();
        }
    }
    Field::of_key(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn columns_are_known_by_their_names_and_their_aliases() {
        let names = columns(&["Company", "Website", "Zip", "Head Count", ""]);
        let mapping = Mapping::new(Kind::Company, &names, &[]).unwrap();
        let fields: Vec<_> = mapping.fields.iter().map(|f| f.as_ref().map(Field::as_str)).collect();
        let expected =
            [Some("name"), Some("website_url"), Some("zip_code"), Some("head_count"), None];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_mapping_says_what_is_wrong_with_it() {
        let names = columns(&["a", "b"]);
        let map = |column: &str, field: &str| (column.to_string(), field.to_string());
        for (given, why) in [
            (vec![map("c", "name")], "no column \"c\""),
            (vec![], "no column is the name"),
            (vec![map("a", "name"), map("b", "name")], "both become `name`"),
            (vec![map("a", "my name")], "is not a name"),
        ] {
            let error = Mapping::new(Kind::Company, &names, &given).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
