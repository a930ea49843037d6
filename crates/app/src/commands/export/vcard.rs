//! Companies and people as vCards (RFC 6350). Plain, since escaping and folding are few lines, and the crates
//! that write vCards bring a parser with them.

use std::collections::BTreeSet;

use cocli_core::{Entity, Field, Kind, Target, Value};
use serde_json::Value as Json;

/// Octets of a line, without its end.
const LINE_MAX: usize = 75;

/// Adds the card of a company or person.
pub(super) fn put(out: &mut String, target: &Target, entity: &Entity) {
    let known = Known { kind: Kind::of(target), entity };
    let is_person = known.kind == Some(Kind::Person);
    let name = known.first(&["name"]).unwrap_or_else(|| target.slug().to_owned());
    line(out, "BEGIN", "VCARD");
    line(out, "VERSION", "4.0");
    line(out, "UID;VALUE=text", &escaped(target.as_str()));
    line(out, "KIND", if is_person { "individual" } else { "org" });
    line(out, "FN", &escaped(&name));
    if is_person {
        let (given, family) = name.trim().rsplit_once(' ').unwrap_or(("", name.trim()));
        line(out, "N", &format!("{};{};;;", escaped(family), escaped(given.trim())));
    }
    let company = if is_person { known.first(&["company_name", "company"]) } else { Some(name) };
    for (property, value) in [
        ("ORG", company),
        ("TITLE", known.first(&["role"]).filter(|_| is_person)),
        ("URL;VALUE=text", known.first(&["website_url", "domain"])),
    ] {
        value.into_iter().for_each(|value| line(out, property, &escaped(&value)));
    }
    for email in known.all(&["email", "all_emails"]) {
        line(out, "EMAIL", &escaped(&email));
    }
    let phones = ["phone", "phone_1", "phone_number", "phone_from_website", "all_phones"];
    for phone in known.all(&phones) {
        line(out, "TEL", &escaped(&phone));
    }
    let address = [
        &["street_address", "full_address"][..],
        &["city"],
        &["state"],
        &["zip_code"],
        &["country"],
    ];
    let address = address.map(|fields| escaped(&known.first(fields).unwrap_or_default()));
    if address.iter().any(|part| !part.is_empty()) {
        line(out, "ADR", &format!(";;{}", address.join(";")));
    }
    let tags: Vec<String> = known.all(&["tags"]).iter().map(|tag| escaped(tag)).collect();
    if !tags.is_empty() {
        line(out, "CATEGORIES", &tags.join(","));
    }
    if let Some(at) = entity.fields.values().map(|entry| entry.stamp.instant).max() {
        let second: String = at.to_string().chars().take(19).collect();
        line(out, "REV", &format!("{}Z", second.replace(['-', ':'], "")));
    }
    line(out, "END", "VCARD");
}

struct Known<'e> {
    kind: Option<Kind>,
    entity: &'e Entity,
}

impl Known<'_> {
    /// The texts of these fields, each once, in their order.
    fn all(&self, fields: &[&str]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for field in fields.iter().filter_map(|field| Field::read(field).ok()) {
            let value = self.entity.value(self.kind, &field).filter(|value| !value.is_null());
            match value.map(|value| value.to_json()) {
                Some(Json::Array(items)) => {
                    all.extend(items.iter().map(|item| Value::json(item).shown().into_owned()));
                }
                Some(Json::String(text)) => all.push(text),
                _ => {}
            }
        }
        all.retain(|text| !text.trim().is_empty() && seen.insert(text.to_lowercase()));
        all
    }

    fn first(&self, fields: &[&str]) -> Option<String> {
        self.all(fields).into_iter().next()
    }
}

/// A text as a value, or as one of several.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ',' | ';' => out.extend(['\\', c]),
            '\n' | '\r' => out.push_str("\\n"),
            '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A line, folded where it is long, and never within a character.
fn line(out: &mut String, property: &str, value: &str) {
    let mut octets = 0;
    for c in property.chars().chain([':']).chain(value.chars()) {
        if octets + c.len_utf8() > LINE_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_folded_within_75_octets_and_unfolds_to_itself() {
        let long = escaped(&"Müller, Söhne; Co\\KG\n".repeat(12));
        let mut out = String::new();
        line(&mut out, "FN", &long);
        assert!(out.split("\r\n").all(|line| line.len() <= LINE_MAX));
        assert_eq!(out.replace("\r\n ", ""), format!("FN:{long}\r\n"));
        assert!(long.starts_with("Müller\\, Söhne\\; Co\\\\KG\\n"));
    }
}
