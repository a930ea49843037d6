//! What a hand edit is: only what a person changed, whatever the state did meanwhile.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Causality, Entity, Entry, Field, Instant, Kind, NodeId, Stamp, Value};
use cocli_store::card::{
    Basis, Edit, Projection, Taken, edits, parse, render, shown, splice, tag_edits,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

const PLAIN: [&str; 8] =
    ["name", "city", "zip_code", "services", "description", "reviews_count", "own%20key", "type"];
const SETS: [&str; 2] = ["tags", "email_contexts"];

fn field(name: &str) -> Field {
    Field::read(name).unwrap()
}

/// Writes at a field at a time of its own.
fn write(entity: &mut Entity, at: i64, name: &Field, value: Value) {
    let node = NodeId::read("pi1").unwrap();
    let stamp = Stamp { instant: Instant::from_micros(at).unwrap(), node };
    entity.merge(name.clone(), Entry { stamp, value, causality: Causality::nothing() });
}

fn value() -> impl Strategy<Value = Value> {
    let texts = &["Dallas", "Austin", "no", "01234", "a\nb", "x: y", "---", "Ü", "42", " "][..];
    prop_oneof![
        6 => select(texts).prop_map(Value::text),
        2 => vec(select(texts), 1..3).prop_map(|list| Value::read(&serde_json::to_string(&list).unwrap())),
    ]
}

fn write_any() -> impl Strategy<Value = (Field, Value)> {
    let member = select(&["a", "b", "c@x.org", "d"][..]);
    prop_oneof![
        4 => (select(&PLAIN[..]).prop_map(field), value()),
        1 => select(&PLAIN[..]).prop_map(|name| (field(name), Value::null())),
        3 => (select(&SETS[..]), member, any::<bool>()).prop_map(|(set, member, there)| {
            let value = if there { Value::truth() } else { Value::null() };
            (field(set).element_of(member).0, value)
        }),
    ]
}

/// A change by hand: a plain field to a value or gone, or a tag in or out.
#[derive(Debug, Clone)]
enum Hand {
    Put(Field, Option<Value>),
    Tag(&'static str, bool),
}

fn hand() -> impl Strategy<Value = Hand> {
    let hand = &["Paris", "'", "- q", "null", "7"][..];
    prop_oneof![
        3 => (select(&PLAIN[..]), select(hand)).prop_map(|(name, text)| {
            Hand::Put(field(name), Some(Value::text(text)))
        }),
        1 => select(&PLAIN[..]).prop_map(|name| Hand::Put(field(name), None)),
        2 => (select(&["a", "b", "new"][..]), any::<bool>()).prop_map(|(tag, there)| Hand::Tag(tag, there)),
    ]
}

fn entity(writes: &[(Field, Value)], from: i64) -> Entity {
    let mut entity = Entity::default();
    go_on(&mut entity, writes, from);
    entity
}

fn go_on(entity: &mut Entity, writes: &[(Field, Value)], from: i64) {
    for (at, (name, value)) in (from..).zip(writes) {
        write(entity, at, name, value.clone());
    }
}

fn tags_of(values: &BTreeMap<Field, Value>) -> BTreeSet<String> {
    cocli_store::card::tags::of(values.get(&field("tags")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_stale_buffer_changes_exactly_what_a_person_changed_in_it(
        before in vec(write_any(), 0..12),
        meanwhile in vec(write_any(), 0..12),
        hands in vec(hand(), 0..4),
        in_list in any::<bool>(),
        commented in any::<bool>(),
    ) {
        let kind = Kind::Company;
        let mut state = entity(&before, 1);
        let projection = Projection::of(kind, &state);
        let mut text = render(kind, &projection.values);
        if commented {
            text = text.replacen("---\n", "---\n# mine\n\n", 1);
        }
        go_on(&mut state, &meanwhile, 100);
        let now = Projection::of(kind, &state).values;

        let mut put: BTreeMap<Field, Option<Value>> = BTreeMap::new();
        let mut tags = tags_of(&projection.values);
        for hand in hands {
            match hand {
                Hand::Put(field, value) => drop(put.insert(field, value)),
                Hand::Tag(tag, true) => drop(tags.insert(tag.to_owned())),
                Hand::Tag(tag, false) => drop(tags.remove(tag)),
            }
        }
        let mut fields = projection.values.clone();
        for (field, value) in &put {
            match value {
                Some(value) => drop(fields.insert(field.clone(), value.clone())),
                None => drop(fields.remove(field)),
            }
        }
        if !in_list {
            let list = Value::read(&serde_json::to_string(&tags).unwrap());
            fields.insert(field("tags"), list);
        }
        // A person keeps the line `_rev` that the editor shows.
        let edited = splice(kind, &parse(text.as_bytes()).unwrap(), &fields).unwrap();
        let rev = format!("_rev: '{}'", projection.rev());
        let edited = String::from_utf8(edited).unwrap();
        let edited: Vec<&str> = edited.lines().map(|l| if l.starts_with("_rev:") { &rev } else { l }).collect();
        let file = parse((edited.join("\n") + "\n").as_bytes()).unwrap();
        prop_assert_eq!(file.rev(), Some(projection.rev()));

        let listed = if in_list { tags.clone() } else { tags_of(&projection.values) };
        let taken = edits(kind, Basis::Known(&projection), &file, Some(&listed), Some(&state));
        let Taken::Edits(taken) = taken else { panic!("held") };

        let mut expected: BTreeMap<Field, Value> = BTreeMap::new();
        for (field, value) in &put {
            if value.as_ref() != projection.values.get(field) && value.as_ref() != now.get(field) {
                expected.insert(field.clone(), value.clone().unwrap_or_else(Value::null));
            }
        }
        let (was, is) = (tags_of(&projection.values), tags_of(&now));
        for tag in tags.difference(&was).filter(|tag| !is.contains(*tag)) {
            expected.insert(field("tags").element_of(tag).0, Value::truth());
        }
        for tag in was.difference(&tags).filter(|tag| is.contains(*tag)) {
            expected.insert(field("tags").element_of(tag).0, Value::null());
        }
        for edit in &taken {
            prop_assert_eq!(&edit.seen, &projection.seen_at(&edit.field));
        }
        let taken: BTreeMap<Field, Value> = taken.into_iter().map(|e| (e.field, e.value)).collect();
        prop_assert_eq!(taken, expected, "{}", file_text(&file));
    }

    #[test]
    fn a_card_that_nobody_touched_is_no_edit(writes in vec(write_any(), 0..12), later in vec(write_any(), 0..9)) {
        let kind = Kind::Company;
        let mut state = entity(&writes, 1);
        let projection = Projection::of(kind, &state);
        let text = render(kind, &projection.values);
        go_on(&mut state, &later, 100);
        for text in [text.clone(), text.replace('\n', "\r\n"), text.trim_end().to_owned() + "\n\n\n"] {
            let file = parse(text.as_bytes()).unwrap();
            let taken = edits(kind, Basis::Known(&projection), &file, None, Some(&state));
            prop_assert_eq!(taken, Taken::Edits(vec![]));
        }
    }

    #[test]
    fn a_file_for_a_new_target_creates_it(fields in btree_map(select(&PLAIN[..]).prop_map(field), value(), 0..8)) {
        let kind = Kind::Company;
        let fields = shown(kind, &fields);
        let file = parse(render(kind, &fields).as_bytes()).unwrap();
        let tags = BTreeSet::from(["x".to_owned()]);
        let Taken::Edits(taken) = edits(kind, Basis::Nothing, &file, Some(&tags), None) else { panic!("held") };
        let taken: BTreeMap<Field, Value> = taken.into_iter().map(|e| (e.field, e.value)).collect();
        let mut expected = fields;
        expected.insert(field("tags.x"), Value::truth());
        // The only text among the values with white space around it is a blank.
        let body = expected.get(&field("description")).cloned();
        prop_assert_eq!(taken.get(&field("description")).cloned(), body);
        prop_assert_eq!(taken, expected);
    }
}

fn file_text(file: &cocli_store::card::CardText) -> String {
    String::from_utf8_lossy(file.as_bytes()).into_owned()
}

fn of(edits: Taken) -> Vec<(String, String)> {
    let Taken::Edits(edits) = edits else { panic!("held: {edits:?}") };
    let pair = |edit: Edit| (edit.field.to_string(), edit.value.as_str().to_owned());
    edits.into_iter().map(pair).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn acme() -> Entity {
    let mut acme = Entity::default();
    for (at, (name, value)) in
        [("name", "Acme"), ("city", "Dallas"), ("tags.a", "true"), ("tags.b", "true")]
            .into_iter()
            .enumerate()
    {
        write(&mut acme, i64::try_from(at).unwrap(), &field(name), Value::text(value));
    }
    acme
}

#[test]
fn without_a_known_rev_what_is_missing_removes_nothing() {
    let state = acme();
    let projection = Projection::of(Kind::Company, &state);
    let file = parse(b"---\nname: Acme\ntags: [a, c]\ncountry: US\n---\n").unwrap();
    let nearest = edits(Kind::Company, Basis::Nearest(&projection), &file, None, Some(&state));
    assert_eq!(of(nearest), pairs(&[("country", "US"), ("tags.c", "true")]));
    let known = edits(Kind::Company, Basis::Known(&projection), &file, None, Some(&state));
    assert_eq!(
        of(known),
        pairs(&[("city", "null"), ("country", "US"), ("tags.b", "null"), ("tags.c", "true")])
    );
    let nothing = edits(Kind::Company, Basis::Nothing, &file, None, Some(&state));
    assert_eq!(of(nothing), pairs(&[("country", "US"), ("tags.c", "true")]));
    let emptied = parse(b"---\nname: Acme\ncity:\n---\n").unwrap();
    let taken = edits(Kind::Company, Basis::Nearest(&projection), &emptied, None, Some(&state));
    assert_eq!(of(taken), pairs(&[("city", "null")]));
}

#[test]
fn a_file_of_unknown_origin_that_would_change_much_waits_for_a_person() {
    let state = acme();
    let projection = Projection::of(Kind::Company, &state);
    let text =
        "---\nname: B\ncity: B\nstate: B\nemail: B\nhours: B\ntype: B\n_rev: '0123456789'\n---\n";
    let file = parse(text.as_bytes()).unwrap();
    let taken = edits(Kind::Company, Basis::Nearest(&projection), &file, None, Some(&state));
    let Taken::Held(held) = taken else { panic!("taken") };
    assert_eq!(held.changes.len(), 6);
    assert!(
        held.reason.contains("0123456789") && held.reason.contains("6 fields"),
        "{}",
        held.reason
    );
    let known = edits(Kind::Company, Basis::Known(&projection), &file, None, Some(&state));
    assert!(matches!(known, Taken::Edits(edits) if edits.len() == 8));
    assert!(matches!(edits(Kind::Company, Basis::Nothing, &file, None, None), Taken::Edits(_)));
}

#[test]
fn tags_in_both_files_are_joined() {
    let state = acme();
    let projection = Projection::of(Kind::Company, &state);
    let text =
        format!("---\nname: Acme\ncity: Dallas\ntags: [b, y]\n_rev: '{}'\n---\n", projection.rev());
    let file = parse(text.as_bytes()).unwrap();
    let list = BTreeSet::from(["a".to_owned(), "t".to_owned()]);
    let taken = edits(Kind::Company, Basis::Known(&projection), &file, Some(&list), Some(&state));
    assert_eq!(
        of(taken),
        pairs(&[("tags.a", "null"), ("tags.b", "null"), ("tags.t", "true"), ("tags.y", "true")])
    );
}

#[test]
fn a_list_saved_while_another_took_its_place_undoes_nothing_of_that_one() {
    let mut state = acme();
    let read = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    write(&mut state, 60, &field("tags.remote"), Value::truth());
    let put = Projection::of(Kind::Company, &state);
    let saved = BTreeSet::from(["a".to_owned(), "mine".to_owned()]);
    let taken = tag_edits(&put.with_tags(&read), &saved, Some(&state));
    assert_eq!(of(Taken::Edits(taken)), pairs(&[("tags.mine", "true"), ("tags.b", "null")]));
}

#[test]
fn adding_again_what_was_removed_says_that_the_removal_was_seen() {
    let mut state = acme();
    write(&mut state, 50, &field("tags.a"), Value::null());
    write(&mut state, 51, &field("city"), Value::null());
    let projection = Projection::of(Kind::Company, &state);
    let text =
        format!("---\nname: Acme\ncity: Rome\ntags: [a, b]\n_rev: '{}'\n---\n", projection.rev());
    let file = parse(text.as_bytes()).unwrap();
    let taken = edits(Kind::Company, Basis::Known(&projection), &file, None, Some(&state));
    let Taken::Edits(taken) = taken else { panic!("held") };
    let seen: Vec<i64> = taken.iter().flat_map(|e| &e.seen).map(|s| s.instant.micros()).collect();
    assert_eq!(seen, [51, 50]);
}
