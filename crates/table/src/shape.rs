//! Which columns a table has: the key of its rows, the fields of the schema, what all entities have.

use std::sync::Arc;

use cocli_core::Kind;
use cocli_core::schema::POOL;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};

/// The table of all winners.
pub const DATAGRAMS: &str = "datagrams";

/// The tables that there are.
pub fn names() -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().map(Kind::plural).chain([DATAGRAMS])
}

/// What tells the columns of all tables from those of other versions.
#[must_use]
pub fn shapes() -> String {
    let kinds = Kind::ALL.map(|kind| (kind.plural(), of_kind(kind)));
    format!("{kinds:?} {:?}", of_winners())
}

/// How the values of a column are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// UTF-8.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Real,
    /// Microseconds since 1970, UTC.
    Time,
    /// Texts.
    List,
    /// Texts by their keys.
    Map,
}

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: &'static str,
    /// How its values are stored.
    pub form: Form,
    /// Whether it holds the field of its name.
    pub(crate) is_field: bool,
}

impl ColumnSpec {
    /// One that holds what is worked out.
    #[must_use]
    pub const fn own(name: &'static str, form: Form) -> Self {
        Self { name, form, is_field: false }
    }
}

const fn own(name: &'static str, form: Form) -> ColumnSpec {
    ColumnSpec::own(name, form)
}

const TARGET: ColumnSpec = own("target", Form::Text);
/// The slug of a target, in the place of a field of that name.
pub(crate) const SLUG: ColumnSpec = own("slug", Form::Text);
/// The key of what stands in a collection, and of what stands below such.
const KEY: [ColumnSpec; 2] = [TARGET, SLUG];
const KEY_BELOW: [ColumnSpec; 3] = [TARGET, own("parent", Form::Text), own("id", Form::Text)];
/// What every entity has behind the fields of its schema.
pub(crate) const BEHIND: [ColumnSpec; 4] = [
    own("_odd", Form::Map),
    own("other", Form::Map),
    own("updated_at", Form::Time),
    own("updated_by", Form::Text),
];

/// The columns that everything in a collection has beside its fields.
pub fn beside_fields() -> impl Iterator<Item = &'static str> {
    KEY.iter().chain(&BEHIND).map(|column| column.name)
}

/// Whether an entity of this kind stands in a collection, and not below something that does.
pub(crate) fn is_pooled(kind: Kind) -> bool {
    POOL.contains(&kind.plural())
}

/// The columns of a table of entities.
pub(crate) fn of_kind(kind: Kind) -> Vec<ColumnSpec> {
    let key = if is_pooled(kind) { &KEY[..] } else { &KEY_BELOW[..] };
    let is_key = |name: &str| key.iter().any(|column| column.name == name);
    let fields = kind.fields().iter().filter(|spec| !is_key(spec.name));
    let fields =
        fields.map(|spec| ColumnSpec { name: spec.name, form: Form::of(spec.ty), is_field: true });
    key.iter().copied().chain(fields).chain(BEHIND).collect()
}

/// The columns of the table of winners.
#[must_use]
pub fn of_winners() -> Vec<ColumnSpec> {
    let text = |name| own(name, Form::Text);
    let at = own("at", Form::Time);
    vec![TARGET, text("field"), text("value"), at, text("node"), text("causality")]
}

/// The columns as the format tells them.
pub(crate) fn schema(table: &'static str, columns: &[ColumnSpec]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(type_of).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder(table).with_fields(fields).build()?))
}

fn type_of(column: &ColumnSpec) -> Result<TypePtr, ParquetError> {
    let name = column.name;
    let time = LogicalType::timestamp(true, TimeUnit::MICROS);
    match column.form {
        Form::Text => text(name, Repetition::OPTIONAL),
        Form::Whole => single(name, Physical::INT64, None, Repetition::OPTIONAL),
        Form::Real => single(name, Physical::DOUBLE, None, Repetition::OPTIONAL),
        Form::Time => single(name, Physical::INT64, Some(time), Repetition::OPTIONAL),
        Form::List => {
            let fields = vec![text("element", Repetition::OPTIONAL)?];
            repeated(name, LogicalType::List, "list", fields)
        }
        Form::Map => {
            let key = text("key", Repetition::REQUIRED)?;
            let fields = vec![key, text("value", Repetition::OPTIONAL)?];
            repeated(name, LogicalType::Map, "key_value", fields)
        }
    }
}

fn text(name: &str, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    single(name, Physical::BYTE_ARRAY, Some(LogicalType::String), repetition)
}

fn single(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
    repetition: Repetition,
) -> Result<TypePtr, ParquetError> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

/// The three levels of a list or map: there or not, its members, what each is.
fn repeated(
    name: &str,
    logical: LogicalType,
    members: &str,
    fields: Vec<TypePtr>,
) -> Result<TypePtr, ParquetError> {
    let inner = Type::group_type_builder(members).with_repetition(Repetition::REPEATED);
    let inner = Arc::new(inner.with_fields(fields).build()?);
    let outer = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL);
    let outer = outer.with_logical_type(Some(logical)).with_fields(vec![inner]);
    Ok(Arc::new(outer.build()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_columns_of_a_table_differ_by_case_only() {
        let tables = Kind::ALL.into_iter().map(of_kind).chain([of_winners()]);
        for columns in tables {
            let names: BTreeSet<String> = columns.iter().map(|c| c.name.to_lowercase()).collect();
            assert_eq!(names.len(), columns.len());
        }
    }

    #[test]
    fn every_field_of_the_schema_has_a_column_in_its_order() {
        for kind in Kind::ALL {
            let columns = of_kind(kind);
            let fields = columns.iter().filter(|c| c.is_field).map(|c| c.name);
            let wanted = kind.fields().iter().map(|spec| spec.name).filter(|name| *name != "slug");
            assert!(fields.eq(wanted), "{kind:?}");
            assert!(kind.fields().iter().all(|f| columns.iter().any(|c| c.name == f.name)));
        }
    }
}
