//! A company as a lead. Most values are taken from the state lines as they stand there; what is folded from
//! several lines, or quoted, is read as everywhere.

use std::borrow::Cow;

use cocli_core::entity::DELETED;
use cocli_core::schema::Type;
use cocli_core::usv::{Line, US};
use cocli_core::value::Plain;
use cocli_core::{Field, Kind, Value};
use cocli_store::reader::Span;
use cocli_table::{Cell, ColumnSpec, Form};
use serde_json::Value as Json;

use super::addresses::address;
use super::text_of;
use crate::campaigns::Campaign;

const fn text(name: &'static str) -> ColumnSpec {
    ColumnSpec::own(name, Form::Text)
}

/// Its columns.
pub(super) const COLUMNS: [ColumnSpec; 14] = [
    text("company"),
    text("domain"),
    text("emails"),
    text("phone"),
    text("website"),
    text("city"),
    text("state"),
    text("categories"),
    text("services"),
    text("products"),
    text("tags"),
    text("gmb_url"),
    ColumnSpec::own("rating", Form::Real),
    ColumnSpec::own("reviews", Form::Whole),
];

/// The fields that it is made of, sorted.
const FIELDS: [&str; 20] = [
    "all_emails",
    "all_phones",
    "average_rating",
    "categories",
    "city",
    "domain",
    "email",
    "gmb_url",
    "name",
    "phone",
    "phone_1",
    "phone_from_website",
    "phone_number",
    "place_id",
    "products",
    "reviews_count",
    "services",
    "state",
    "tags",
    "website_url",
];
/// In the order in which they count.
const PHONES: [&str; 4] = ["phone", "phone_1", "phone_number", "phone_from_website"];
const PLACE: &str = "https://www.google.com/maps/search/?api=1&query=google&query_place_id=";
const BETWEEN: &str = "; ";

/// The lines of a field and its elements.
type Lines<'l, 'a> = &'l [Line<'a>];

/// What is known of a company.
pub(super) struct Known<'l, 'a> {
    fields: [Lines<'l, 'a>; FIELDS.len()],
    removed: bool,
    /// Lines of a field that a person is shown, if it has a value.
    shown: Vec<Lines<'l, 'a>>,
    named: bool,
}

impl<'l, 'a> Known<'l, 'a> {
    pub(super) fn of(lines: Lines<'l, 'a>) -> Self {
        let mut known =
            Self { fields: [&[]; FIELDS.len()], removed: false, shown: Vec::new(), named: false };
        let mut at = 0;
        for lines in lines.chunk_by(|a, b| base(a) == base(b)) {
            let Some(first) = lines.first() else { continue };
            let name = base(first);
            while FIELDS.get(at).is_some_and(|field| field.as_bytes() < name) {
                at += 1;
            }
            if FIELDS.get(at).is_some_and(|field| field.as_bytes() == name) {
                known.fields[at] = lines;
            }
            match name.first() {
                Some(b'_') => {
                    known.removed |= first.field() == DELETED.as_bytes() && value(first) == "true";
                }
                _ if plain(lines).is_some_and(is_plain_text) => known.named = true,
                _ => known.shown.push(lines),
            }
        }
        known
    }

    /// Whether it is not removed, and something is known of it.
    pub(super) fn lives(&self) -> cocli_store::Result<bool> {
        if self.removed || self.named {
            return Ok(!self.removed);
        }
        // As a list has it, a name counts that has elements beside it.
        let is_name = |line: &Line<'_>| line.field() == b"name" && value(line) != "null";
        if self.lines("name").iter().any(is_name) {
            return Ok(true);
        }
        for lines in &self.shown {
            if !folded(lines)?.is_null() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lines(&self, field: &str) -> Lines<'l, 'a> {
        FIELDS.binary_search(&field).map_or(&[], |at| self.fields[at])
    }

    fn text(&self, field: &str) -> cocli_store::Result<Cow<'a, str>> {
        let lines = self.lines(field);
        match plain(lines) {
            _ if lines.is_empty() => Ok(Cow::Borrowed("")),
            Some("null") => Ok(Cow::Borrowed("")),
            Some(value) if !value.starts_with('"') => Ok(Cow::Borrowed(value)),
            _ => Ok(Cow::Owned(folded(lines)?.shown().into_owned())),
        }
    }

    /// The members of a set or list that are not empty.
    fn members(&self, field: &str) -> cocli_store::Result<Vec<Cow<'a, str>>> {
        let lines = self.lines(field);
        match plain(lines) {
            _ if lines.is_empty() => return Ok(Vec::new()),
            Some("null" | "") => return Ok(Vec::new()),
            Some(value) if is_plain_text(value) => return Ok(vec![value.into()]),
            _ => {}
        }
        let is_set = Kind::Company.type_of(field) == Some(Type::Set);
        let element = |line: &Line<'a>| line.field().get(field.len() + 1..).map(text_of);
        let is_plain = |line| element(line).is_some_and(|text| !text.contains(['%', '~']));
        if is_set && lines.iter().all(is_plain) {
            let there = lines.iter().filter(|line| value(line) != "null");
            let members = there.filter_map(element).filter(|text| !text.is_empty());
            return Ok(members.map(Cow::Borrowed).collect());
        }
        let members = members_of(&folded(lines)?);
        Ok(members.into_iter().filter(|text| !text.is_empty()).map(Cow::Owned).collect())
    }

    fn joined(&self, field: &str) -> cocli_store::Result<Cell<'a>> {
        Ok(cell(join(self.members(field)?)))
    }

    fn number(&self, field: &str, form: Form) -> cocli_store::Result<Cell<'a>> {
        let lines = self.lines(field);
        if lines.is_empty() {
            return Ok(Cell::Null);
        }
        let value = match plain(lines) {
            Some(value) => Value::read(value),
            None => folded(lines)?,
        };
        Ok(Cell::read(form, &value).map_or(Cell::Null, Cell::into_owned))
    }

    pub(super) fn domain(&self) -> cocli_store::Result<Cow<'a, str>> {
        self.text("domain")
    }

    /// Its own addresses and those of its people, but for what the campaign leaves out; joined.
    pub(super) fn emails<'p>(
        &self,
        people: impl Iterator<Item = &'p str>,
        campaign: Option<&Campaign>,
    ) -> cocli_store::Result<Cow<'a, str>> {
        let mut all: Vec<Cow<'_, str>> = people.map(Cow::Borrowed).collect();
        let own = self.text("email")?;
        // Most companies have one address, as it is to be written.
        if all.is_empty() && self.lines("all_emails").is_empty() && campaign.is_none() {
            return Ok(match (address(&own), &own) {
                (None, _) => Cow::Borrowed(""),
                (Some(Cow::Borrowed(one)), Cow::Borrowed(own)) if one.len() == own.len() => {
                    Cow::Borrowed(*own)
                }
                (Some(one), _) => Cow::Owned(one.into_owned()),
            });
        }
        let members = self.members("all_emails")?;
        let more = members.iter().chain([&own]).filter_map(|text| address(text));
        all.extend(more);
        if let Some(campaign) = campaign {
            let domain = |email: &str| email.rsplit('@').next().map(str::to_owned);
            let is_out = |d: String| campaign.excludes(&d).is_some();
            all.retain(|email| !domain(email).is_some_and(is_out));
        }
        all.sort_unstable();
        all.dedup();
        Ok(Cow::Owned(join(all).into_owned()))
    }

    pub(super) fn cells(
        &self,
        target: &'a str,
        emails: Cow<'a, str>,
    ) -> cocli_store::Result<[Cell<'a>; COLUMNS.len()]> {
        let slug = target.rsplit('/').next().unwrap_or_default();
        let or = |first: Cow<'a, str>, second: Cow<'a, str>| match first.is_empty() {
            true => second,
            false => first,
        };
        let mut phone = Cow::Borrowed("");
        for field in PHONES {
            phone = or(phone, self.text(field)?);
        }
        if phone.is_empty() {
            phone = self.members("all_phones")?.into_iter().next().unwrap_or_default();
        }
        let place = self.text("place_id")?;
        let place = if place.is_empty() { place } else { Cow::Owned(format!("{PLACE}{place}")) };
        let domain = self.domain()?;
        Ok([
            cell(or(self.text("name")?, Cow::Borrowed(slug))),
            cell(domain.clone()),
            cell(emails),
            cell(phone),
            cell(or(self.text("website_url")?, domain)),
            cell(self.text("city")?),
            cell(self.text("state")?),
            self.joined("categories")?,
            self.joined("services")?,
            self.joined("products")?,
            self.joined("tags")?,
            cell(or(self.text("gmb_url")?, place)),
            self.number("average_rating", Form::Real)?,
            self.number("reviews_count", Form::Whole)?,
        ])
    }
}

/// The name of a field without its element.
fn base<'a>(line: &Line<'a>) -> &'a [u8] {
    let field = line.field();
    &field[..memchr::memchr(b'.', field).unwrap_or(field.len())]
}

/// The value of a line as it stands there.
fn value<'a>(line: &Line<'a>) -> &'a str {
    let value = line.bytes.get(usize::from(line.field_end) + 1..).unwrap_or_default();
    text_of(&value[..memchr::memchr(US, value).unwrap_or(value.len())])
}

/// Whether a value is one in a field of any type: not nothing, nor a list that may be empty.
fn is_plain_text(value: &str) -> bool {
    !value.is_empty() && value != "null" && !value.starts_with(['[', '{', '"'])
}

/// The value of a field that has no elements.
fn plain<'a>(lines: &[Line<'a>]) -> Option<&'a str> {
    match lines {
        [line] if !line.field().contains(&b'.') => Some(value(line)),
        _ => None,
    }
}

/// The value of a field as it is read.
fn folded(lines: &[Line<'_>]) -> cocli_store::Result<Value> {
    let (_, entity) = Span::entity(lines)?;
    let field = entity.fields.keys().next().map(Field::base_field);
    let value = field.and_then(|field| entity.value(Some(Kind::Company), &field));
    Ok(value.unwrap_or_else(Value::null))
}

fn members_of(value: &Value) -> Vec<String> {
    match value.plain() {
        Plain::Text(text) => vec![text.into_owned()],
        Plain::Tree(Json::Array(items)) => {
            items.iter().map(|item| Value::json(item).shown().into_owned()).collect()
        }
        Plain::Null | Plain::Tree(_) => Vec::new(),
    }
}

fn join<'a>(mut texts: Vec<Cow<'a, str>>) -> Cow<'a, str> {
    match texts.len() {
        0 => Cow::Borrowed(""),
        1 => texts.swap_remove(0),
        _ => Cow::Owned(texts.join(BETWEEN)),
    }
}

fn cell(text: Cow<'_, str>) -> Cell<'_> {
    if text.is_empty() { Cell::Null } else { Cell::Text(text) }
}
