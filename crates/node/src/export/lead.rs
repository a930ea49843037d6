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

use super::text_of;
use crate::address::addresses;
use crate::campaigns::Left;

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

/// The fields that it is made of.
#[derive(Debug, Clone, Copy)]
enum Part {
    AllEmails,
    AllPhones,
    AverageRating,
    Categories,
    City,
    Domain,
    Email,
    GmbUrl,
    Name,
    Phone,
    Phone1,
    PhoneFromWebsite,
    PhoneNumber,
    PlaceId,
    Products,
    ReviewsCount,
    Services,
    State,
    Tags,
    WebsiteUrl,
}

/// How many there are.
const PARTS: usize = Part::WebsiteUrl as usize + 1;

impl Part {
    fn read(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"all_emails" => Self::AllEmails,
            b"all_phones" => Self::AllPhones,
            b"average_rating" => Self::AverageRating,
            b"categories" => Self::Categories,
            b"city" => Self::City,
            b"domain" => Self::Domain,
            b"email" => Self::Email,
            b"gmb_url" => Self::GmbUrl,
            b"name" => Self::Name,
            b"phone" => Self::Phone,
            b"phone_1" => Self::Phone1,
            b"phone_from_website" => Self::PhoneFromWebsite,
            b"phone_number" => Self::PhoneNumber,
            b"place_id" => Self::PlaceId,
            b"products" => Self::Products,
            b"reviews_count" => Self::ReviewsCount,
            b"services" => Self::Services,
            b"state" => Self::State,
            b"tags" => Self::Tags,
            b"website_url" => Self::WebsiteUrl,
            _ => return None,
        })
    }
}
/// In the order in which they count.
const PHONES: [Part; 4] = [Part::Phone, Part::Phone1, Part::PhoneNumber, Part::PhoneFromWebsite];
/// What stands before the id of a place in the address of its map.
pub(crate) const PLACE: &str =
    "https://www.google.com/maps/search/?api=1&query=google&query_place_id=";
const BETWEEN: &str = "; ";

/// The lines of a field and its elements.
type Lines<'l, 'a> = &'l [Line<'a>];

/// What is known of a company.
pub(super) struct Known<'l, 'a> {
    parts: [Lines<'l, 'a>; PARTS],
    removed: bool,
    /// Lines of a field that a person is shown, if it has a value.
    shown: Vec<Lines<'l, 'a>>,
    named: bool,
}

impl<'l, 'a> Known<'l, 'a> {
    /// Of a company's lines as the state has them. `together` is room for them in another order, which is wanted
    /// where a name of a field goes on behind that of another by a byte before `.`, as `tags-old` does.
    pub(super) fn of(lines: Lines<'l, 'a>, together: &'l mut Vec<Line<'a>>) -> Self {
        Self::sorted(lines).unwrap_or_else(|| {
            together.extend_from_slice(lines);
            together.sort_by(|a, b| (base(a), a.field()).cmp(&(base(b), b.field())));
            Self::sorted(together).unwrap_or_else(Self::empty)
        })
    }

    fn empty() -> Self {
        Self { parts: [&[]; PARTS], removed: false, shown: Vec::new(), named: false }
    }

    /// Nothing when the lines of a field do not stand together.
    fn sorted(lines: Lines<'l, 'a>) -> Option<Self> {
        let mut known = Self::empty();
        let (mut rest, mut before) = (lines, &b""[..]);
        while let Some(first) = rest.first() {
            let name = base(first);
            if name < before {
                return None;
            }
            before = name;
            let of_name = |line: &&Line<'_>| is_of(line, name);
            let (lines, others) = rest.split_at(rest.iter().take_while(of_name).count());
            rest = others;
            if let Some(part) = Part::read(name) {
                known.parts[part as usize] = lines;
            }
            match name.first() {
                Some(b'_') => {
                    known.removed |= first.field() == DELETED.as_bytes() && value(first) == "true";
                }
                _ if plain(lines).is_some_and(is_plain_text) => known.named = true,
                _ => known.shown.push(lines),
            }
        }
        Some(known)
    }

    /// Whether it is not removed, and something is known of it.
    pub(super) fn lives(&self) -> cocli_store::Result<bool> {
        if self.removed || self.named {
            return Ok(!self.removed);
        }
        // As a list has it, a name counts that has elements beside it.
        let is_name = |line: &Line<'_>| line.field() == b"name" && value(line) != "null";
        if self.lines(Part::Name).iter().any(is_name) {
            return Ok(true);
        }
        for lines in &self.shown {
            if !folded(lines)?.is_null() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lines(&self, part: Part) -> Lines<'l, 'a> {
        self.parts[part as usize]
    }

    fn text(&self, part: Part) -> cocli_store::Result<Cow<'a, str>> {
        let lines = self.lines(part);
        match plain(lines) {
            _ if lines.is_empty() => Ok(Cow::Borrowed("")),
            Some("null") => Ok(Cow::Borrowed("")),
            Some(value) if !value.starts_with('"') => Ok(Cow::Borrowed(value)),
            _ => Ok(Cow::Owned(folded(lines)?.shown().into_owned())),
        }
    }

    /// The members of a set or list that are not empty.
    fn members(&self, part: Part) -> cocli_store::Result<Vec<Cow<'a, str>>> {
        let lines = self.lines(part);
        match plain(lines) {
            _ if lines.is_empty() => return Ok(Vec::new()),
            Some("null" | "") => return Ok(Vec::new()),
            Some(value) if is_plain_text(value) => return Ok(vec![value.into()]),
            _ => {}
        }
        let field = lines.first().map_or("", |line| text_of(base(line)));
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

    fn joined(&self, part: Part) -> cocli_store::Result<Cell<'a>> {
        Ok(cell(join(self.members(part)?)))
    }

    fn number(&self, part: Part, form: Form) -> cocli_store::Result<Cell<'a>> {
        let lines = self.lines(part);
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
        self.text(Part::Domain)
    }

    /// Its own addresses and those of its people, but for what a campaign leaves out; joined.
    pub(super) fn emails<'p>(
        &self,
        people: impl Iterator<Item = &'p str>,
        left: Option<&Left<'_>>,
    ) -> cocli_store::Result<Cow<'a, str>> {
        let mut all: Vec<Cow<'_, str>> = people.map(Cow::Borrowed).collect();
        let own = self.text(Part::Email)?;
        // Most companies have one address, as it is to be written.
        if all.is_empty() && self.lines(Part::AllEmails).is_empty() && left.is_none() {
            let mut one = addresses(&own);
            return Ok(match (one.next(), one.next(), &own) {
                (None, ..) => Cow::Borrowed(""),
                (Some(Cow::Borrowed(one)), None, Cow::Borrowed(own)) if one.len() == own.len() => {
                    Cow::Borrowed(*own)
                }
                _ => Cow::Owned(distinct(addresses(&own).collect())),
            });
        }
        let members = self.members(Part::AllEmails)?;
        all.extend(members.iter().chain([&own]).flat_map(|text| addresses(text)));
        if let Some(left) = left.filter(|left| !left.is_empty()) {
            all.retain(|email| !left.has_address(email));
        }
        Ok(Cow::Owned(distinct(all)))
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
        for part in PHONES {
            phone = or(phone, self.text(part)?);
        }
        if phone.is_empty() {
            phone = self.members(Part::AllPhones)?.into_iter().next().unwrap_or_default();
        }
        let place = self.text(Part::PlaceId)?;
        let place = if place.is_empty() { place } else { Cow::Owned(format!("{PLACE}{place}")) };
        let domain = self.domain()?;
        Ok([
            cell(or(self.text(Part::Name)?, Cow::Borrowed(slug))),
            cell(domain.clone()),
            cell(emails),
            cell(phone),
            cell(or(self.text(Part::WebsiteUrl)?, domain)),
            cell(self.text(Part::City)?),
            cell(self.text(Part::State)?),
            self.joined(Part::Categories)?,
            self.joined(Part::Services)?,
            self.joined(Part::Products)?,
            self.joined(Part::Tags)?,
            cell(or(self.text(Part::GmbUrl)?, place)),
            self.number(Part::AverageRating, Form::Real)?,
            self.number(Part::ReviewsCount, Form::Whole)?,
        ])
    }
}

/// The name of a field without its element.
fn base<'a>(line: &Line<'a>) -> &'a [u8] {
    let field = line.field();
    &field[..memchr::memchr(b'.', field).unwrap_or(field.len())]
}

/// Whether a line is of a field, or an element of it.
fn is_of(line: &Line<'_>, name: &[u8]) -> bool {
    let behind = line.field().strip_prefix(name);
    behind.is_some_and(|behind| behind.first().is_none_or(|b| *b == b'.'))
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

fn distinct(mut all: Vec<Cow<'_, str>>) -> String {
    all.sort_unstable();
    all.dedup();
    join(all).into_owned()
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
