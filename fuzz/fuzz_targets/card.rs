//! Any bytes are read as a card or refused; other fields put into a card are what is read from it.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use cocli_core::{Field, Kind, Value};
use cocli_store::card::{CardText, parse, render, rev, same, shown, splice};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    kind: u8,
    changes: Vec<(u8, Change<'a>)>,
    text: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Change<'a> {
    Keep,
    Gone,
    Text(&'a str),
    Wire(&'a str),
}

const KEYS: [&str; 8] =
    ["name", "tags", "email_contexts", "description", "content", "reviews_count", "my key", "zz"];

fuzz_target!(|input: Input<'_>| {
    let kinds = [Kind::Company, Kind::Person, Kind::Note, Kind::Meeting];
    let kind = kinds[usize::from(input.kind) % kinds.len()];
    let fenced = [b"---\n", input.text, b"\n---\n\nbody\n"].concat();
    for bytes in [input.text, &fenced] {
        if let Ok(card) = parse(bytes) {
            assert_eq!(card.as_bytes(), bytes);
            check(kind, &card, &input.changes);
        }
    }
});

fn check(kind: Kind, card: &CardText, changes: &[(u8, Change<'_>)]) {
    let read = card.fields(kind);
    assert_eq!(shown(kind, &read), read);
    assert_eq!(parse(render(kind, &read).as_bytes()).expect("rendered").fields(kind), read);
    let same_rev = card.rev() == Some(rev(kind, &read));
    match splice(kind, card, &read) {
        Ok(bytes) if same_rev => assert_eq!(bytes, card.as_bytes()),
        _ => {}
    }
    let mut fields = read;
    for (key, change) in changes {
        let Ok(field) = Field::of_key(KEYS[usize::from(*key) % KEYS.len()]) else { continue };
        match change {
            Change::Keep => {}
            Change::Gone => drop(fields.remove(&field)),
            Change::Text(text) => drop(fields.insert(field, Value::text(text))),
            Change::Wire(wire) => drop(fields.insert(field, Value::read(wire))),
        }
    }
    let fields = shown(kind, &fields);
    let Ok(bytes) = splice(kind, card, &fields) else { return };
    let new = parse(&bytes).expect("spliced");
    let got: BTreeMap<Field, Value> = new.fields(kind);
    assert_eq!(got.len(), fields.len());
    for (field, value) in &fields {
        assert!(same(kind, field, got.get(field), Some(value)), "{field}");
    }
    assert_eq!(new.rev(), Some(rev(kind, &fields)));
    assert_eq!(splice(kind, &new, &fields).expect("spliced again"), bytes);
}
