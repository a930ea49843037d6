//! Contacts: vCard 2.1, 3.0 and 4.0 as people. docs/import.md, "Contacts".

use std::collections::BTreeMap;

use calcard::common::PartialDateTime;
use calcard::vcard::{
    VCard, VCardEntry, VCardKind, VCardParameterName, VCardParameterValue, VCardProperty,
    VCardType, VCardValue,
};
use calcard::{Entry, Parser};
use cocli_core::digest::hash;
use cocli_core::{Field, Kind, Value};
use serde_json::Value as Json;

use super::Item;

/// What stands between `BEGIN:VCARD` and `END:VCARD`.
#[derive(Debug, Default)]
pub struct Cards {
    /// Who is in it, each with the notes below.
    pub items: Vec<Item>,
    /// Photos, logos and sounds that were left out.
    pub left_out: usize,
    /// What could not be read.
    pub odd: Vec<String>,
}

/// Reads contacts; `items` of them count from `first` on in their batch. The organisation of a person is its `company`,
/// to be looked up when all are known.
#[must_use]
pub fn cards(text: &str, first: usize) -> Cards {
    let (mut cards, mut parser) = (Cards::default(), Parser::new(text));
    loop {
        match parser.entry() {
            Entry::VCard(card) => contact(&card, first, &mut cards),
            Entry::Eof => return cards,
            Entry::InvalidLine(line) => {
                if !line.trim().is_empty() {
                    cards.odd.push(format!("{:?} is no line of a vCard", start(&line)));
                }
            }
            other => {
                cards.odd.push(format!("expected a vCard, got {:?}", start(&format!("{other:?}"))));
                return cards;
            }
        }
    }
}

fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

/// What address books of one maker say of a company.
const SHOWN_AS: &str = "X-ABShowAs";

fn is_word(text: &str, word: &str) -> bool {
    text.trim().eq_ignore_ascii_case(word)
}

/// The values of a contact on their way.
struct Contact<'c> {
    card: &'c VCard,
    values: BTreeMap<Field, Value>,
}

fn contact(card: &VCard, first: usize, cards: &mut Cards) {
    let of =
        |property: VCardProperty| card.entries.iter().filter(move |entry| entry.name == property);
    for picture in
        [VCardProperty::Photo, VCardProperty::Logo, VCardProperty::Sound, VCardProperty::Key]
    {
        cards.left_out += of(picture).count();
    }
    let mut contact = Contact { card, values: BTreeMap::new() };
    let is = |wanted: &VCardKind| {
        of(VCardProperty::Kind).flat_map(|entry| &entry.values).any(|value| match value {
            VCardValue::Kind(kind) => kind == wanted,
            VCardValue::Text(text) => *wanted == VCardKind::Org && text.eq_ignore_ascii_case("org"),
            _ => false,
        })
    };
    if is(&VCardKind::Group) {
        cards.odd.push("a list of contacts, and none itself: left out".into());
        return;
    }
    let org = of(VCardProperty::Org).flat_map(parts).find(|part| !part.is_empty());
    let name = contact.name();
    let shown_as = |entry: &&VCardEntry| {
        let name = entry.name.as_str();
        name.eq_ignore_ascii_case(SHOWN_AS)
            && texts(entry).iter().any(|text| is_word(text, "company"))
    };
    let is_company = is(&VCardKind::Org)
        || card.entries.iter().any(|entry| shown_as(&entry))
        || (name.is_none() && org.is_some());
    let Some(name) = name.or_else(|| org.clone()) else {
        cards.odd.push("a contact without a name: left out".into());
        return;
    };
    contact.put("name", &name);
    let kind = if is_company { Kind::Company } else { Kind::Person };
    if let Some(org) = org.filter(|_| !is_company) {
        contact.put("company", &org);
    }
    contact.fields(kind);
    let at = first + cards.items.len();
    cards.items.push(Item::new(kind, contact.values));
    let when = of(VCardProperty::Rev).flat_map(texts).find_map(|text| moment(&text));
    for text in of(VCardProperty::Note).flat_map(texts).filter(|text| !text.trim().is_empty()) {
        let id = format!("vcard-{:08x}", hash(text.as_bytes()) as u32);
        let mut note = Contact { card, values: BTreeMap::new() };
        note.put("title", "Note of the contact");
        note.put("content", text.trim());
        when.iter().for_each(|when| note.put("timestamp", when));
        cards.items.push(Item { below: Some((at, id)), ..Item::new(Kind::Note, note.values) });
    }
}

impl Contact<'_> {
    fn of(&self, property: VCardProperty) -> impl Iterator<Item = &VCardEntry> {
        self.card.entries.iter().filter(move |entry| entry.name == property)
    }

    fn put(&mut self, field: &str, text: &str) {
        let text = text.trim();
        if let Ok(field) = Field::read(field)
            && !text.is_empty()
        {
            self.values.entry(field).or_insert_with(|| Value::text(text));
        }
    }

    fn put_all(&mut self, field: &str, texts: Vec<String>) {
        if let Ok(field) = Field::read(field)
            && !texts.is_empty()
        {
            self.values.insert(field, Value::json(&Json::from(texts)));
        }
    }

    /// The name as it is shown, else put together.
    fn name(&self) -> Option<String> {
        let shown = self.of(VCardProperty::Fn).flat_map(texts).find(|text| !text.trim().is_empty());
        let parted = || {
            let parts: Vec<String> =
                self.of(VCardProperty::N).next().map(parts).unwrap_or_default();
            let part =
                |at: usize| parts.get(at).map(|part| part.trim()).filter(|part| !part.is_empty());
            let words: Vec<&str> = [3, 1, 2, 0, 4].into_iter().filter_map(part).collect();
            (!words.is_empty()).then(|| words.join(" "))
        };
        shown.map(|text| text.trim().to_owned()).or_else(parted)
    }

    fn fields(&mut self, kind: Kind) {
        let mut emails = self.preferred(VCardProperty::Email);
        let mut phones = self.preferred(VCardProperty::Tel);
        if !emails.is_empty() {
            self.put("email", &emails.remove(0));
            self.put_all("all_emails", emails);
        }
        if !phones.is_empty() {
            self.put(
                if kind == Kind::Person { "phone" } else { "phone_number" },
                &phones.remove(0),
            );
            self.put_all("all_phones", phones);
        }
        let first =
            |property| self.of(property).flat_map(texts).find(|text| !text.trim().is_empty());
        let plain = [
            ("role", first(VCardProperty::Title).or_else(|| first(VCardProperty::Role))),
            ("website_url", first(VCardProperty::Url)),
            ("nickname", first(VCardProperty::Nickname)),
        ];
        for (field, text) in plain {
            text.iter().for_each(|text| self.put(field, text));
        }
        let tags: Vec<String> = self
            .of(VCardProperty::Categories)
            .flat_map(texts)
            .flat_map(|text| text.split(',').map(|tag| tag.trim().to_owned()).collect::<Vec<_>>())
            .filter(|tag| !tag.is_empty())
            .collect();
        self.put_all("tags", tags);
        let address: Vec<String> =
            self.of(VCardProperty::Adr).next().map(parts).unwrap_or_default();
        // The number of a flat or suite stands beside the street, a post box before it.
        let part =
            |at: usize| address.get(at).map(|part| part.trim()).filter(|part| !part.is_empty());
        let street: Vec<&str> = [2, 1, 0].into_iter().filter_map(part).collect();
        self.put("street_address", &street.join(", "));
        let names = [(3, "city"), (4, "state"), (5, "zip_code"), (6, "country")];
        for (at, field) in names {
            address.get(at).iter().for_each(|text| self.put(field, text));
        }
    }

    /// The texts of a property, the preferred ones first; a fax is no telephone.
    fn preferred(&self, property: VCardProperty) -> Vec<String> {
        let mut found: Vec<(u32, String)> = Vec::new();
        for entry in self.of(property).filter(|entry| !has_type(entry, "fax")) {
            let preference =
                entry.params.iter().find_map(|param| match (&param.name, &param.value) {
                    (VCardParameterName::Pref, VCardParameterValue::Integer(n)) => Some(*n),
                    (VCardParameterName::Pref, _) => Some(1),
                    _ => None,
                });
            let preference = preference.unwrap_or(if has_type(entry, "pref") { 1 } else { 101 });
            for text in texts(entry) {
                let text = text.trim();
                let text = text
                    .strip_prefix("tel:")
                    .or_else(|| text.strip_prefix("mailto:"))
                    .unwrap_or(text);
                if !text.is_empty() && found.iter().all(|(_, held)| held != text) {
                    found.push((preference, text.to_owned()));
                }
            }
        }
        found.sort_by_key(|(preference, _)| *preference);
        found.into_iter().map(|(_, text)| text).collect()
    }
}

/// Whether an entry is of a type: in 2.1 types stand without their name.
fn has_type(entry: &VCardEntry, wanted: &str) -> bool {
    entry.params.iter().any(|param| {
        let named = match &param.name {
            VCardParameterName::Other(name) => name.eq_ignore_ascii_case(wanted),
            VCardParameterName::Pref => wanted == "pref",
            _ => false,
        };
        let valued = match &param.value {
            VCardParameterValue::Type(VCardType::Fax) => wanted == "fax",
            VCardParameterValue::Text(text) => {
                text.split(',').any(|text| text.trim().eq_ignore_ascii_case(wanted))
            }
            _ => false,
        };
        named || (valued && param.name == VCardParameterName::Type)
    })
}

/// The texts of an entry.
fn texts(entry: &VCardEntry) -> Vec<String> {
    let text = |value: &VCardValue| match value {
        VCardValue::Text(text) => Some(text.clone()),
        VCardValue::Integer(n) => Some(n.to_string()),
        VCardValue::Component(parts) => Some(parts.join(",")),
        VCardValue::PartialDateTime(at) => date(at),
        _ => None,
    };
    entry.values.iter().filter_map(text).collect()
}

/// A time as ISO 8601; one without a zone is in UTC.
fn date(at: &PartialDateTime) -> Option<String> {
    let mut text = format!("{:04}-{:02}-{:02}", at.year?, at.month?, at.day?);
    if let (Some(hour), Some(minute)) = (at.hour, at.minute) {
        text.push_str(&format!("T{hour:02}:{minute:02}:{:02}", at.second.unwrap_or(0)));
        let sign = if at.tz_minus { '-' } else { '+' };
        let (hours, minutes) = (at.tz_hour.unwrap_or(0), at.tz_minute.unwrap_or(0));
        text.push_str(&format!("{sign}{hours:02}:{minutes:02}"));
    }
    Some(text)
}

/// The parts of a name, an address or an organisation.
fn parts(entry: &VCardEntry) -> Vec<String> {
    let part = |value: &VCardValue| match value {
        VCardValue::Text(text) => vec![text.clone()],
        VCardValue::Component(parts) => vec![parts.join(", ")],
        VCardValue::Integer(n) => vec![n.to_string()],
        _ => vec![String::new()],
    };
    entry.values.iter().flat_map(part).collect()
}

fn moment(text: &str) -> Option<String> {
    cocli_core::Moment::read(text.trim()).map(|moment| moment.to_string())
}
