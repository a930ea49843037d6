//! Rows of a table turned into wanted changes: which column is which field, which row is which
//! entity.

use std::collections::{BTreeMap, HashMap};

use cocli_core::schema::Type;
use cocli_core::{Entity, Field, Kind, NameError, State, Target, Value};
use serde_json::Value as Json;

use crate::change::{Change, Intent};
use crate::slug::{slug, variants};

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

/// Which field each column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// One per column; `None` leaves the column out.
    pub fields: Vec<Option<Field>>,
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
        for (column, field) in given {
            let Some(at) = columns.iter().position(|c| c.trim() == column.trim()) else {
                return Err(MappingError::NoColumn { column: column.clone(), columns: all() });
            };
            fields[at] = if field.is_empty() { None } else { Some(Field::read(field)?) };
            settled[at] = true;
        }
        for (at, column) in columns.iter().enumerate().filter(|(at, _)| !settled[*at]) {
            let field = by_name(kind, column);
            if !field.as_ref().is_some_and(|field| fields.contains(&Some(field.clone()))) {
                fields[at] = field;
            }
        }
        for (at, field) in fields.iter().enumerate() {
            let Some(field) = field else { continue };
            if let Some(other) = fields[..at].iter().position(|f| f.as_ref() == Some(field)) {
                let (first, second) = (columns[other].clone(), columns[at].clone());
                return Err(MappingError::Twice { first, second, field: field.clone() });
            }
        }
        if !fields.iter().flatten().any(|field| field.as_str() == "name") {
            return Err(MappingError::NoName { columns: all() });
        }
        Ok(Self { fields })
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

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A new entity.
    Added(Target),
    /// An entity that was there got these changes.
    Changed(Target),
    /// Nothing to do: all that the row says is there.
    Same(Target),
    /// Left out, and why.
    Skipped(String),
}

/// Takes rows one by one and remembers which entity bears which slug.
#[derive(Debug)]
pub struct Importer<'a> {
    kind: Kind,
    mapping: Mapping,
    overwrite: bool,
    state: &'a State,
    /// Slugs that this import gave out, with their domain or e-mail.
    given: HashMap<String, BTreeMap<Field, Value>>,
}

impl<'a> Importer<'a> {
    /// An import over the state as it is.
    #[must_use]
    pub fn new(kind: Kind, mapping: Mapping, overwrite: bool, state: &'a State) -> Self {
        Self { kind, mapping, overwrite, state, given: HashMap::new() }
    }

    /// What a row is, and the changes that it asks for.
    #[must_use]
    pub fn row<'r>(&mut self, cells: impl IntoIterator<Item = &'r str>) -> (Row, Vec<Change>) {
        let values = self.values(cells);
        let Some(name) = values.iter().find(|(f, _)| f.as_str() == "name").map(|(_, v)| v.shown())
        else {
            return (Row::Skipped("the row has no name".into()), Vec::new());
        };
        if let Some(error) = values.iter().find_map(|(_, value)| value.clone().bounded().err()) {
            return (Row::Skipped(error.to_string()), Vec::new());
        }
        let values: BTreeMap<Field, Value> = values.iter().cloned().collect();
        let target = match self.target(&slug(&name), &values) {
            Ok(target) => target,
            Err(error) => return (Row::Skipped(error.to_string()), Vec::new()),
        };
        if self.state.removed(&target).is_some() {
            return (Row::Skipped(format!("{target} was removed")), Vec::new());
        }
        let known = self.state.entity(&target);
        let earlier = self.given.get(target.slug()).cloned().unwrap_or_default();
        let mut changes = Vec::new();
        for (field, value) in &values {
            if let Some(intents) = self.intents(field, value, known, &earlier) {
                changes.extend(
                    intents.into_iter().map(|i| Change::new(target.clone(), field.clone(), i)),
                );
            }
        }
        let new = known.is_none() && earlier.is_empty();
        self.given.entry(target.slug().to_string()).or_default().extend(values);
        let row = match (new, changes.is_empty()) {
            (true, _) => Row::Added(target),
            (false, false) => Row::Changed(target),
            (false, true) => Row::Same(target),
        };
        (row, changes)
    }

    fn values<'r>(&self, cells: impl IntoIterator<Item = &'r str>) -> Vec<(Field, Value)> {
        let mut values = Vec::new();
        for (field, cell) in self.mapping.fields.iter().zip(cells) {
            let (Some(field), cell) = (field, cell.trim()) else { continue };
            if cell.is_empty() {
                continue;
            }
            let value = match self.kind.type_of(field.as_str()) {
                Some(Type::Set | Type::List) => {
                    let items = cell.split(';').map(str::trim).filter(|item| !item.is_empty());
                    Value::json(&Json::from(items.collect::<Vec<_>>()))
                }
                _ => Value::text(cell),
            };
            values.push((field.clone(), value));
        }
        self.with_domain(values)
    }

    /// A company's domain from its website, when no column says it.
    fn with_domain(&self, mut values: Vec<(Field, Value)>) -> Vec<(Field, Value)> {
        let find = |name: &str| values.iter().find(|(f, _)| f.as_str() == name);
        if self.kind == Kind::Company && find("domain").is_none() {
            let site = find("website_url").map(|(_, value)| value.shown().to_lowercase());
            if let (Some(site), Ok(field)) = (site, Field::read("domain")) {
                let host = site.split("://").last().unwrap_or_default();
                let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
                let host = host.strip_prefix("www.").unwrap_or(host);
                if host.contains('.') && !host.contains(char::is_whitespace) {
                    values.push((field, Value::text(host)));
                }
            }
        }
        values
    }

    /// The first of `slug`, `slug-2`, … that is free or bears the same domain or e-mail.
    fn target(&self, slug: &str, values: &BTreeMap<Field, Value>) -> Result<Target, NameError> {
        let collection = if self.kind == Kind::Person { "people" } else { "companies" };
        let mut last = Target::read(&format!("{collection}/{slug}"))?;
        for variant in variants(slug) {
            last = Target::read(&format!("{collection}/{variant}"))?;
            let there = self.state.entity(&last).map(|entity| entity.shown(Some(self.kind)));
            let given = self.given.get(&variant);
            if [there.as_ref(), given].into_iter().flatten().all(|held| same_one(held, values)) {
                break;
            }
        }
        Ok(last)
    }

    /// What to do at a field: nothing when it is filled already, unless it is a set (members are
    /// added) or values shall be replaced.
    fn intents(
        &self,
        field: &Field,
        value: &Value,
        known: Option<&Entity>,
        earlier: &BTreeMap<Field, Value>,
    ) -> Option<Vec<Intent>> {
        let there = known.and_then(|entity| entity.value(Some(self.kind), field));
        let there = there.filter(|value| !value.is_null());
        if self.kind.type_of(field.as_str()) == Some(Type::Set) {
            let Json::Array(items) = value.to_json() else { return None };
            let held = [there.as_ref(), earlier.get(field)].map(|v| v.map(Value::to_json));
            let holds = |item: &Json| {
                held.iter().flatten().any(|v| v.as_array().is_some_and(|a| a.contains(item)))
            };
            let new = items.iter().filter(|item| !holds(item)).filter_map(Json::as_str);
            let new: Vec<Intent> = new.map(|text| Intent::Add(text.to_string())).collect();
            return (!new.is_empty()).then_some(new);
        }
        let put = Some(vec![Intent::Put(value.clone())]);
        match earlier.get(field).or(there.as_ref()) {
            None => put,
            Some(held) if held == value => None,
            Some(_) if self.overwrite => put,
            Some(_) => None,
        }
    }
}

/// Whether two rows of one slug are one entity: no domain or e-mail says otherwise.
fn same_one(held: &BTreeMap<Field, Value>, row: &BTreeMap<Field, Value>) -> bool {
    ["domain", "email"].iter().filter_map(|name| Field::read(name).ok()).all(|field| {
        match (held.get(&field), row.get(&field)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    })
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

    #[test]
    fn two_rows_for_one_company_are_one_and_another_domain_is_another_company() {
        let mapping =
            Mapping::new(Kind::Company, &columns(&["name", "website", "tags", "city"]), &[])
                .unwrap();
        let state = State::default();
        let mut import = Importer::new(Kind::Company, mapping, false, &state);
        let (row, changes) = import.row(["Acme", "https://www.acme.com/x", "a;b", ""]);
        assert_eq!(row, Row::Added(Target::read("companies/acme").unwrap()));
        assert_eq!(changes.len(), 5); // name, website, domain, two tags
        let (row, changes) = import.row(["Acme", "acme.com", "b;c", "Dallas"]);
        assert_eq!(row, Row::Changed(Target::read("companies/acme").unwrap()));
        let fields: Vec<&str> = changes.iter().map(|c| c.field.as_str()).collect();
        assert_eq!(fields, ["city", "tags"]); // the website is filled already
        let (row, _) = import.row(["ACME", "acme.org", "", ""]);
        assert_eq!(row, Row::Added(Target::read("companies/acme-2").unwrap()));
        assert!(matches!(import.row(["", "x.org", "", ""]).0, Row::Skipped(_)));
    }
}
