//! Which column of a table is which field. docs/import.md, "Tables".

use std::collections::{BTreeMap, HashMap};

use cocli_core::schema::Type;
use cocli_core::{Field, Kind, NameError, Target, Value};
use serde_json::Value as Json;

use super::hosts::{host, telling};
use super::identity::is_many;
use super::there::{ALL_EMAILS, ALL_PHONES};
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
    ("telephone", "phone"),
    ("phone_number", "phone"),
    ("mobile", "phone"),
    ("job_title", "role"),
    ("title", "role"),
    ("position", "role"),
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

/// Columns that are a name together.
const FIRST_NAMES: &[&str] = &["first_name", "firstname", "given_name", "forename"];
const LAST_NAMES: &[&str] = &["last_name", "lastname", "surname", "family_name"];

/// Columns that a message names; more are counted.
const COLUMNS_TOLD_MAX: usize = 20;

/// Which field each column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// One per column; `None` leaves the column out.
    pub fields: Vec<Option<Field>>,
    /// What every row says besides.
    pub fixed: Vec<(Field, Value)>,
    /// The columns of a first and a last name, where no column is the name.
    pub joined: Option<(usize, usize)>,
    /// Columns that are left out though nobody said so.
    pub notes: Vec<String>,
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
    /// A field that the program keeps for itself.
    #[error("`{field}` begins with `_`, which nobody sets: expected another name")]
    Own {
        /// The field.
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
        let mut settling = Settling::new(kind, columns);
        for (column, field) in given {
            let Some(at) = columns.iter().position(|c| c.trim() == column.trim()) else {
                let (column, columns) = (column.clone(), columns_told(columns));
                return Err(MappingError::NoColumn { column, columns });
            };
            if field.is_empty() {
                settling.fields[at] = Some(None);
                continue;
            }
            let field = Field::read(field)?;
            if field.as_str().starts_with('_') {
                return Err(MappingError::Own { field });
            }
            if let Some(other) = settling.other(&field, at) {
                let (first, second) = (columns[other].clone(), columns[at].clone());
                return Err(MappingError::Twice { first, second, field });
            }
            settling.take(at, field);
        }
        settling.all(Vec::new())
    }

    /// The columns that the Python program reads of a Google Maps table; what else stands there is brought in by its
    /// name.
    ///
    /// # Errors
    /// When no column is the name.
    pub fn google_maps(columns: &[String]) -> Result<Self, MappingError> {
        let mut settling = Settling::new(Kind::Company, columns);
        for (at, column) in columns.iter().enumerate() {
            let plain = plain(column);
            let meant = GOOGLE_MAPS.iter().find(|(name, _)| *name == plain);
            if let Some((_, field)) = meant {
                let field = Field::read(field)?;
                if settling.other(&field, at).is_none() {
                    settling.take(at, field);
                }
            }
        }
        let fixed = [("type", "Lead"), ("tags", "[\"google-maps-import\"]")];
        let fixed =
            fixed.into_iter().map(|(name, text)| Ok((Field::read(name)?, Value::read(text))));
        settling.all(fixed.collect::<Result<_, NameError>>()?)
    }

    /// What the cells of a row say.
    #[must_use]
    pub fn values<'r>(
        &self,
        kind: Kind,
        cells: impl IntoIterator<Item = &'r str>,
    ) -> BTreeMap<Field, Value> {
        let mut values: BTreeMap<Field, Value> = self.fixed.iter().cloned().collect();
        let cells: Vec<&str> = cells.into_iter().collect();
        let exported = self.is_exported(kind, &cells);
        let (mut first, mut last) = ("", "");
        for (at, (field, cell)) in self.fields.iter().zip(cells).enumerate() {
            match self.joined {
                Some((of, _)) if of == at => first = cell,
                Some((_, of)) if of == at => last = cell,
                _ => {}
            }
            let (Some(field), cell) = (field, cell.trim()) else { continue };
            let cell = if exported { unguarded(cell) } else { cell };
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
        if self.joined.is_some()
            && let Ok(field) = Field::read(NAME)
        {
            let name = [first, last].map(str::trim).join(" ");
            if !name.trim().is_empty() {
                values.insert(field, Value::text(name.trim()));
            }
        }
        if exported {
            without_what_is_told(&mut values);
        }
        with_domain(kind, &mut values);
        values
    }

    /// Whether an export of this program made a row: it says which target it is.
    fn is_exported(&self, kind: Kind, cells: &[&str]) -> bool {
        let is_target =
            |field: &Option<Field>| field.as_ref().is_some_and(|f| f.as_str() == TARGET);
        let cell = self.fields.iter().position(is_target).and_then(|at| cells.get(at));
        let target = cell.and_then(|cell| Target::read(cell.trim()).ok());
        target.is_some_and(|target| target.is_entity() && Kind::of(&target) == Some(kind))
    }
}

/// The column of an export that tells whose a row is.
const TARGET: &str = "target";
/// The column of those fields that have none.
const OTHER: &str = "other";

/// A cell without what keeps a spreadsheet from running it.
fn unguarded(cell: &str) -> &str {
    let rest = cell.strip_prefix('\'');
    rest.filter(|rest| rest.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']))
        .unwrap_or(cell)
}

/// What an export tells of everybody is nothing that anybody said; fields of one's own are.
fn without_what_is_told(values: &mut BTreeMap<Field, Value>) {
    let mut other = None;
    for name in cocli_table::beside_fields() {
        // A header is read without what it begins with.
        let Ok(field) = Field::read(name.trim_start_matches('_')) else { continue };
        let told = values.remove(&field);
        other = other.or(told.filter(|_| name == OTHER));
    }
    let other = other.map(|other| other.shown().into_owned()).unwrap_or_default();
    let fields = serde_json::from_str::<BTreeMap<String, String>>(&other).unwrap_or_default();
    for (field, text) in fields {
        if let Ok(field) = Field::read(&field)
            && !field.as_str().starts_with('_')
        {
            values.entry(field).or_insert_with(|| Value::read(&text));
        }
    }
}

const NAME: &str = "name";

/// Columns on their way to fields.
struct Settling<'c> {
    kind: Kind,
    columns: &'c [String],
    /// `Some(None)` is a column that somebody left out.
    fields: Vec<Option<Option<Field>>>,
    taken: HashMap<Field, usize>,
}

impl<'c> Settling<'c> {
    fn new(kind: Kind, columns: &'c [String]) -> Self {
        Self { kind, columns, fields: vec![None; columns.len()], taken: HashMap::new() }
    }

    /// The other column that has a field already; a set takes all.
    fn other(&self, field: &Field, at: usize) -> Option<usize> {
        let other = self.taken.get(field).copied();
        other.filter(|other| *other != at && !is_many(Some(self.kind), field))
    }

    fn take(&mut self, at: usize, field: Field) {
        self.taken.insert(field.clone(), at);
        self.fields[at] = Some(Some(field));
    }

    /// Settles what is open, from the surest on: columns that are called as a field, then those that mean one.
    fn all(mut self, fixed: Vec<(Field, Value)>) -> Result<Mapping, MappingError> {
        let open = |fields: &[Option<Option<Field>>]| -> Vec<usize> {
            (0..fields.len()).filter(|at| fields[*at].is_none()).collect()
        };
        for at in open(&self.fields) {
            let name = plain(&self.columns[at]);
            let known = self.kind.type_of(&name).and_then(|_| Field::read(&name).ok());
            if let Some(field) = known.filter(|field| self.other(field, at).is_none()) {
                self.take(at, field);
            }
        }
        let mut notes = Vec::new();
        for at in open(&self.fields) {
            let column = &self.columns[at];
            let Some(fitting) = self.fitting(column) else { continue };
            match fitting.iter().find(|field| self.other(field, at).is_none()) {
                Some(field) => self.take(at, field.clone()),
                None => {
                    let other = fitting.first().and_then(|field| self.taken.get(field));
                    let other = other.map(|at| self.columns[*at].as_str()).unwrap_or_default();
                    notes.push(format!(
                        "the column {column:?} is left out: {other:?} is its field already"
                    ));
                }
            }
        }
        let joined = self.joined();
        if joined.is_none() && !self.taken.keys().any(|field| field.as_str() == NAME) {
            return Err(MappingError::NoName { columns: columns_told(self.columns) });
        }
        Ok(Mapping {
            fields: self.fields.into_iter().map(Option::flatten).collect(),
            fixed,
            joined,
            notes,
        })
    }

    /// The fields that a column may become, the best first; nothing where it has no name.
    fn fitting(&self, column: &str) -> Option<Vec<Field>> {
        if column.trim().is_empty() {
            return None;
        }
        let name = plain(column);
        let meant = match self.kind.type_of(&name) {
            Some(_) => Some(name.as_str()),
            None => ALIASES
                .iter()
                .find(|(alias, field)| *alias == name && self.kind.type_of(field).is_some())
                .map(|(_, field)| *field),
        };
        let beside = match meant.and_then(|field| self.kind.type_of(field)) {
            Some(Type::Email) => Some(ALL_EMAILS),
            Some(Type::Phone) => Some(ALL_PHONES),
            _ => None,
        };
        let of = [meant, beside].into_iter().flatten().map(Field::read);
        Some(of.chain([Field::of_key(&name)]).filter_map(Result::ok).collect())
    }

    /// The columns that are the name of a person together.
    fn joined(&self) -> Option<(usize, usize)> {
        if self.kind != Kind::Person || self.taken.keys().any(|field| field.as_str() == NAME) {
            return None;
        }
        let of = |names: &[&str]| {
            self.columns.iter().position(|column| names.contains(&plain(column).as_str()))
        };
        Some((of(FIRST_NAMES)?, of(LAST_NAMES)?))
    }
}

/// The name of a column as names of fields are written.
fn plain(column: &str) -> String {
    slug(column).replace('-', "_")
}

/// Some columns, for a message.
#[must_use]
pub fn columns_told(columns: &[String]) -> String {
    let told = columns.iter().take(COLUMNS_TOLD_MAX).map(|column| format!("{column:?}"));
    let told = told.collect::<Vec<_>>().join(", ");
    match columns.len().saturating_sub(COLUMNS_TOLD_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
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
        && let Some(host) = telling(&host)
    {
        values.insert(domain, Value::text(host));
    }
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
    fn no_column_vanishes() {
        let fields = |kind: Kind, names: &[&str]| {
            let mapping = Mapping::new(kind, &columns(names), &[]).unwrap();
            let shown = |field: &Option<Field>| field.as_ref().map_or("", Field::as_str).to_owned();
            (mapping.fields.iter().map(shown).collect::<Vec<_>>(), mapping.notes)
        };
        let (found, notes) = fields(
            Kind::Company,
            &[
                "name",
                "Phone",
                "Telephone",
                "Email",
                "E-Mail",
                "Mail",
                "Address",
                "Headquarters",
                "Tag",
                "Tags",
            ],
        );
        let expected = [
            "name",
            "phone_number",
            "all_phones",
            "email",
            "all_emails",
            "all_emails",
            "full_address",
            "headquarters",
            "tags",
            "tags",
        ];
        assert_eq!((found.as_slice(), notes.len()), (&expected.map(str::to_owned)[..], 0));
        assert_eq!(fields(Kind::Company, &["Company", "Name"]).0, ["company", "name"]);
        let (found, notes) = fields(Kind::Company, &["name", "city", "City"]);
        assert_eq!(found, ["name", "city", ""]);
        assert_eq!(notes, ["the column \"City\" is left out: \"city\" is its field already"]);
    }

    #[test]
    fn a_name_in_two_columns_is_one_name() {
        let names = columns(&["First Name", "Surname", "Company"]);
        let mapping = Mapping::new(Kind::Person, &names, &[]).unwrap();
        let values = mapping.values(Kind::Person, ["Jane", " Doe", "Acme"]);
        assert_eq!(values[&Field::read("name").unwrap()].as_str(), "Jane Doe");
        assert_eq!(values[&Field::read("company").unwrap()].as_str(), "Acme");
        // A company is not called as a person.
        let mapping = Mapping::new(Kind::Company, &names, &[]).unwrap();
        assert_eq!(mapping.joined, None);
    }

    #[test]
    fn sets_take_several_columns_and_fields_of_the_program_none() {
        let names = columns(&["name", "a", "b"]);
        let map = |column: &str, field: &str| (column.to_string(), field.to_string());
        let given = [map("a", "tags"), map("b", "tags")];
        let mapping = Mapping::new(Kind::Company, &names, &given).unwrap();
        let values = mapping.values(Kind::Company, ["Acme", "x", "y"]);
        assert_eq!(values[&Field::read("tags").unwrap()].as_str(), "[\"x\",\"y\"]");
        let error = Mapping::new(Kind::Company, &names, &[map("a", "_deleted")]).unwrap_err();
        assert!(error.to_string().contains("begins with `_`"), "{error}");
    }

    #[test]
    fn a_page_among_those_of_others_is_no_domain() {
        let names = columns(&["name", "website"]);
        let mapping = Mapping::new(Kind::Company, &names, &[]).unwrap();
        let domain = Field::read("domain").unwrap();
        let of = |site: &str| {
            mapping.values(Kind::Company, ["A", site]).get(&domain).map(|v| v.as_str().to_owned())
        };
        assert_eq!(of("https://www.facebook.com/shop"), None);
        assert_eq!(of("https://acme.org/shop").as_deref(), Some("acme.org"));
    }

    #[test]
    fn a_message_names_some_of_many_columns() {
        let names: Vec<String> = (0..10_000).map(|n| format!("c{n}")).collect();
        let error = Mapping::new(Kind::Company, &names, &[]).unwrap_err().to_string();
        assert!(error.contains("\"c19\" and 9980 more") && error.len() < 400, "{error}");
    }
}
