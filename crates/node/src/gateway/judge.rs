//! What a record of a Python peer changes, if anything. It writes every field at each save, so most of
//! what comes says nothing (docs/gossip.md, "Python peers").

use std::borrow::Cow;
use std::collections::BTreeMap;

use cocli_core::entity::Member;
use cocli_core::schema::Type;
use cocli_core::value::Plain;
use cocli_core::{Causality, Datagram, Entity, Entry, Field, Instant, Kind, Value, python, usv};
use serde_json::Value as Json;

use super::memory::{Hash, Members, Memory, key, short};

/// Sets and maps of e-mail addresses: the Python program writes these in lower case.
const OF_ADDRESSES: [&str; 2] = ["all_emails", "email_contexts"];

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The current value.
    Same,
    /// The last value that the peer sent, or a record that is not later than its last.
    Repeated,
    /// A value that the peer was told.
    Echo,
    /// Not of the field's type.
    Unfit,
    /// To be appended: what it says, and the bytes.
    News(Vec<(Datagram, Vec<u8>)>),
}

/// A record that comes from so far in the future counts as one of then: its clock may be set right.
const AHEAD_MAX_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Judges a record of a field of this type over what is known of its target; afterwards its value is
/// the peer's last one, unless it sends again what it sent before: it does so at each start.
pub(super) fn judge(
    (bytes, datagram): (&[u8], &Datagram),
    ty: Type,
    entity: &Entity,
    memory: &mut Memory,
    now: Instant,
) -> Verdict {
    let latest = now.micros().saturating_add(AHEAD_MAX_MICROS);
    let at = datagram.entry.stamp.instant.micros().min(latest);
    if at < latest && memory.is_past(key(&datagram.target, &datagram.field), at) {
        return Verdict::Repeated;
    }
    match ty {
        Type::Set | Type::Map => list(datagram, ty, entity, memory, at),
        _ => plain((bytes, datagram), ty, entity, memory, at),
    }
}

/// Whether the peer never spoke of a field that has another value now: then what the field had before
/// is more likely the peer's old copy than its news. It had nothing before a value whose writer saw none.
pub(super) fn is_first(datagram: &Datagram, ty: Type, entity: &Entity, memory: &Memory) -> bool {
    let hash = |value: &Value| hash_of(ty, value);
    let Some(current) = entity.fields.get(&datagram.field) else { return false };
    !matches!(ty, Type::Set | Type::Map)
        && current.causality != Causality::nothing()
        && hash(&current.value) != hash(&datagram.entry.value)
        && memory.said(key(&datagram.target, &datagram.field)).is_none()
}

fn plain(
    (bytes, datagram): (&[u8], &Datagram),
    ty: Type,
    entity: &Entity,
    memory: &mut Memory,
    at: i64,
) -> Verdict {
    let (place, value) = (key(&datagram.target, &datagram.field), &datagram.entry.value);
    let (normed, current) = (hash_of(ty, value), entity.value(None, &datagram.field));
    let verdict = if current.map_or(hash_of(ty, &Value::null()), |c| hash_of(ty, &c)) == normed {
        Verdict::Same
    } else if memory.said(place) == Some(normed) {
        Verdict::Repeated
    } else if memory.was_told(place, normed) || (is_nothing(value) && memory.said(place).is_none())
    {
        // What it never spoke of it did not have.
        Verdict::Echo
    } else {
        Verdict::News(vec![(datagram.clone(), bytes.to_vec())])
    };
    memory.says(place, normed, at);
    verdict
}

/// The hash of a value, the same for all that the Python program turns into one another: it writes
/// numbers, times, telephone numbers and addresses in a form of its own.
pub(super) fn hash_of(ty: Type, value: &Value) -> Hash {
    let Plain::Text(text) = value.plain() else {
        return short(if is_nothing(value) { b"" } else { value.as_str().as_bytes() });
    };
    let normal: Cow<'_, str> = match ty {
        Type::Int | Type::Float => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.map_or(text.clone(), |number| number.to_string().into())
        }
        Type::Time => {
            Instant::read(&text).map_or(text.clone(), |instant| instant.to_string().into())
        }
        Type::Email => text.trim().to_lowercase().into(),
        Type::Phone => {
            // A 1 in front grows with each save of a number that is not American.
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let number = digits.trim_start_matches('1');
            if number.is_empty() { text } else { number.to_string().into() }
        }
        _ => text.replace("\r\n", "\n").replace('\r', "\n").into(),
    };
    short(normal.as_bytes())
}

fn is_nothing(value: &Value) -> bool {
    matches!(value.as_str(), "null" | "" | "[]" | "{}")
}

/// A member of a list that came: the text to write, and its value.
type Wanted = BTreeMap<String, (String, Value)>;

fn list(datagram: &Datagram, ty: Type, entity: &Entity, memory: &mut Memory, at: i64) -> Verdict {
    let (target, base) = (&datagram.target, &datagram.field);
    let Some(wanted) = wanted(base, ty, &datagram.entry.value) else { return Verdict::Unfit };
    let place = key(target, base);
    let before = memory.list(place);
    let there = standing(base, entity);
    let wants = |name: &str, value: &Value| wanted.get(name).is_some_and(|(_, v)| v == value);
    let same = there.len() == wanted.len()
        && there.iter().all(|(name, member)| wants(name, &member.value));
    let came: Members = wanted
        .iter()
        .map(|(name, (_, value))| (name.clone(), hash_of(Type::Text, value)))
        .collect();
    let element = |name: &str| key(target, &named(base, name));
    let mut news = Vec::new();
    for (name, (text, value)) in &wanted {
        let hash = came.get(name);
        let known = before.as_ref().and_then(|before| before.get(name)) == hash
            || there.get(name).is_some_and(|member| member.value == *value)
            || hash.is_some_and(|hash| memory.was_told(element(name), *hash))
            || (before.is_none() && was_removed(&named(base, name), entity));
        if !known {
            let (field, hashed) = base.element_of(text);
            news.push((field, if hashed { Value::text(text) } else { value.clone() }));
        }
    }
    let gone = before.iter().flatten().filter(|(name, _)| !wanted.contains_key(*name));
    let removal = hash_of(Type::Text, &Value::null());
    for (name, _) in gone {
        // A list that it was told may have lacked what came back since.
        if let Some(member) = there.get(name).filter(|_| !memory.was_told(element(name), removal)) {
            news.push((base.element_of(&member.text).0, Value::null()));
        }
    }
    let repeated = before.as_ref() == Some(&came);
    let settled: Vec<Hash> = came.keys().map(|name| element(name)).collect();
    memory.lists(place, &came, &settled, at);
    match (news.is_empty(), same, repeated) {
        (false, ..) => {
            Verdict::News(news.into_iter().map(|(f, v)| written(datagram, f, v)).collect())
        }
        (true, true, _) => Verdict::Same,
        (true, false, true) => Verdict::Repeated,
        (true, false, false) => Verdict::Echo,
    }
}

/// Whether somebody took this element away.
fn was_removed(element: &Field, entity: &Entity) -> bool {
    entity.fields.get(element).is_some_and(|entry| entry.value.is_null())
}

/// An element, as the peer's own change.
fn written(of: &Datagram, field: Field, value: Value) -> (Datagram, Vec<u8>) {
    let stamp = of.entry.stamp.clone();
    let entry = Entry { stamp, value, causality: Causality::unsaid() };
    let datagram = Datagram { target: of.target.clone(), field, entry };
    let mut bytes = Vec::new();
    usv::write(&datagram, &mut bytes);
    (datagram, bytes)
}

/// The members that stand now, under the names by which they are compared.
fn standing(base: &Field, entity: &Entity) -> BTreeMap<String, Member> {
    let members = entity.members(base).into_iter();
    members.map(|member| (name_of(base, &member.text), member)).collect()
}

/// The members of a whole list or map; `None` for what is neither.
fn wanted(base: &Field, ty: Type, value: &Value) -> Option<Wanted> {
    let pairs: Vec<(String, Value)> = match (ty, value.plain()) {
        (_, Plain::Null) => Vec::new(),
        (Type::Map, Plain::Tree(Json::Object(map))) => {
            map.iter().map(|(key, value)| (key.clone(), Value::json(value))).collect()
        }
        (Type::Set, Plain::Tree(Json::Array(items))) => {
            let texts = items.iter().map(|item| Value::json(item).shown().into_owned());
            texts.flat_map(|text| members(base, &text)).collect()
        }
        (Type::Set, Plain::Text(text)) => members(base, &text),
        _ => return None,
    };
    let pairs = pairs.into_iter().filter(|(text, value)| !text.is_empty() && !value.is_null());
    Some(pairs.map(|(text, value)| (name_of(base, &text), (text, value))).collect())
}

/// The members that a text of a list stands for: the Python program parts categories at `;`.
fn members(base: &Field, text: &str) -> Vec<(String, Value)> {
    let member = |text: &str| (text.trim().to_string(), Value::truth());
    match base.as_str() {
        "categories" => text.split(';').map(member).collect(),
        _ => vec![member(text)],
    }
}

/// The name by which a member is compared: that of its element.
fn name_of(base: &Field, text: &str) -> String {
    let text = match OF_ADDRESSES.contains(&base.as_str()) {
        true => Cow::Owned(text.trim().to_lowercase()),
        false => Cow::Borrowed(text.trim()),
    };
    base.element_of(&text).0.element().unwrap_or_default().to_string()
}

/// The element of this name.
fn named(base: &Field, name: &str) -> Field {
    Field::read(&format!("{base}.{name}")).unwrap_or_else(|_| base.clone())
}

/// What a peer that is told a value knows from then on.
pub(super) fn remember_told(datagram: &Datagram, ty: Type, value: &Value, memory: &mut Memory) {
    let (target, base) = (&datagram.target, datagram.field.base_field());
    if !matches!(ty, Type::Set | Type::Map) {
        memory.tell(key(target, &base), hash_of(ty, value));
        return;
    }
    let last = memory.list(key(target, &base)).unwrap_or_default();
    let told = wanted(&base, ty, value).unwrap_or_default();
    let element = |name: &str| key(target, &named(&base, name));
    for (name, (_, value)) in &told {
        let hash = hash_of(Type::Text, value);
        if last.get(name) != Some(&hash) {
            memory.tell(element(name), hash);
        }
    }
    for name in last.keys().filter(|name| !told.contains_key(*name)) {
        memory.tell(element(name), hash_of(Type::Text, &Value::null()));
    }
}

/// What the fields of a target had before counts as told, where the peer never spoke of a field.
pub(super) fn learn(history: impl Iterator<Item = Datagram>, memory: &mut Memory) {
    for datagram in history {
        let ty = python::type_of(&datagram.target, &datagram.field);
        let Some(ty) = ty.filter(|ty| !matches!(ty, Type::Set | Type::Map)) else { continue };
        let place = key(&datagram.target, &datagram.field);
        if memory.said(place).is_none() {
            memory.tell(place, hash_of(ty, &datagram.entry.value));
        }
    }
}

/// The value that tells a field whole, as it is now.
pub(super) fn whole(datagram: &Datagram, ty: Type, entity: Option<&Entity>) -> Value {
    if !matches!(ty, Type::Set | Type::Map) {
        return datagram.entry.value.clone();
    }
    let (kind, base) = (Kind::of(&datagram.target), datagram.field.base_field());
    entity.and_then(|entity| entity.value(kind, &base)).unwrap_or_else(Value::null)
}

#[cfg(test)]
mod tests;
