//! What was put is what is read: any entities, by the library's own reader.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::BTreeSet;

use cocli_core::schema::{POOL, Type};
use cocli_core::value::Plain;
use cocli_core::{
    Causality, Datagram, Entity, Field, Instant, Kind, Moment, Stamp, State, Target, Value,
};
use cocli_table::{DATAGRAMS, Limits};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use support::{datagram, state_of, write};

fn target() -> impl Strategy<Value = String> {
    let slug = prop::sample::select(vec!["a", "a-b", "a.b", "a0", "b", "zz+1", "c@d"]);
    let below =
        prop::sample::select(vec!["", "", "", "/notes/1", "/notes/2", "/meetings/m.1", "/x/y/z"]);
    let collection = prop::sample::select(vec!["companies", "people", "campaigns"]);
    (collection, slug, below)
        .prop_map(|(collection, slug, below)| format!("{collection}/{slug}{below}"))
}

fn field() -> impl Strategy<Value = String> {
    let all = Kind::ALL.into_iter().flat_map(Kind::fields).map(|spec| spec.name);
    let all: Vec<&str> = all.collect::<BTreeSet<_>>().into_iter().collect();
    let more = ["tags.a", "tags.b%2Ec", "email_contexts.x", "employees", "odd%20key", "own.y"];
    let hidden = ["_file", "_deleted", "slug", "timestamp", "tags", "services"];
    prop_oneof![
        4 => prop::sample::select(all).prop_map(str::to_owned),
        2 => prop::sample::select(more.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(hidden.to_vec()).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let known = [
        "null",
        "true",
        "5",
        "-9223372036854775808",
        "9223372036854775808",
        "5.0",
        " 7 ",
        "4.25",
        "1e3",
        "1e999",
        "nan",
        "inf",
        "",
        "a",
        "b",
        "2026-02-18T17:04:05Z",
        "[]",
        "{}",
        "[x",
        "2026-02-18T17:04:05.123456+02:00",
        "2026-02-18 17:04",
        "[\"a\",null,3,[1]]",
        "[[]]",
        "{\"k\":null,\"l\":\"m\",\"n\":{\"o\":1}}",
        "{\"\":\"\"}",
        "{\"k\":1,\"k\":2}",
        "\"null\"",
    ];
    prop_oneof![
        3 => prop::sample::select(known.to_vec()).prop_map(Value::read),
        1 => any::<String>().prop_map(|text| Value::text(&text)),
        1 => prop::collection::vec(any::<String>(), 0..4).prop_map(|all| Value::json(&json!(all))),
    ]
}

fn record() -> impl Strategy<Value = Datagram> {
    let stamp = (0..=Instant::MAX.micros(), prop::sample::select(vec!["n", "m.2"]));
    (target(), field(), value(), stamp, 0..3).prop_map(|(target, field, value, stamp, saw)| {
        let mut datagram = datagram(&target, &field, value, stamp.0, stamp.1);
        let node = datagram.entry.stamp.node.clone();
        let seen = Stamp { instant: Instant::MIN, node };
        datagram.entry.causality = match saw {
            0 => Causality::unsaid(),
            1 => Causality::nothing(),
            _ => Causality::saw([&seen]),
        };
        datagram
    })
}

/// A member of a list, as text.
fn member(json: &Json) -> Json {
    match json {
        Json::Null | Json::String(_) => json.clone(),
        other => json!(other.to_string()),
    }
}

/// What a column of this type holds; `None` when the value does not read so.
fn cell(ty: Type, value: &Value) -> Option<Json> {
    let plain = value.plain();
    let text = match &plain {
        Plain::Text(text) => Some(text.to_string()),
        _ => None,
    };
    match ty {
        Type::Text | Type::Email | Type::Phone | Type::Body => text.map(Json::String),
        Type::Int => {
            let text = text?;
            let float = || text.trim().parse::<f64>().ok().filter(|f| *f == f.trunc());
            let small = || float().filter(|f| f.abs() < 9.0e15).map(|f| format!("{f:.0}"));
            let whole = text.trim().parse::<i64>().ok();
            whole.or_else(|| small()?.parse().ok()).map(|number| json!(number))
        }
        Type::Float => text?.trim().parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| json!(f)),
        Type::Time => Moment::read(&text?).map(|moment| json!(moment.utc().micros())),
        Type::Set | Type::List => match plain {
            Plain::Text(text) if text.is_empty() => Some(json!([])),
            Plain::Text(text) => Some(json!([text])),
            Plain::Tree(Json::Array(items)) => Some(items.iter().map(member).collect()),
            _ => None,
        },
        Type::Map => match plain {
            Plain::Tree(Json::Object(map)) => {
                Some(Json::Object(map.iter().map(|(k, v)| (k.clone(), member(v))).collect()))
            }
            _ => None,
        },
    }
}

/// The row that is to be read, worked out field by field.
fn row(kind: Kind, target: &Target, entity: &Entity) -> Map<String, Json> {
    let mut row = Map::new();
    let (mut odd, mut other) = (Map::new(), Map::new());
    row.insert("target".into(), json!(target.as_str()));
    let pooled = POOL.contains(&kind.plural());
    if pooled {
        row.insert("slug".into(), json!(target.slug()));
    } else {
        row.insert("parent".into(), json!(target.entity()));
        row.insert("id".into(), json!(target.as_str().split('/').nth(3).unwrap()));
    }
    for spec in kind.fields().iter().filter(|spec| !(pooled && spec.name == "slug")) {
        let value = entity.value(Some(kind), &Field::read(spec.name).unwrap());
        let value = value.filter(|value| !value.is_null());
        let cell = value.as_ref().map(|value| cell(spec.ty, value));
        if let (Some(value), Some(None)) = (&value, &cell) {
            odd.insert(spec.name.into(), json!(value.shown()));
        }
        row.insert(spec.name.into(), cell.flatten().unwrap_or(Json::Null));
    }
    for (field, value) in entity.shown(Some(kind)) {
        if pooled && field.as_str() == "slug" {
            if value.shown() != target.slug() {
                odd.insert("slug".into(), json!(value.shown()));
            }
        } else if kind.type_of(field.as_str()).is_none() {
            other.insert(field.key(), json!(value.shown()));
        }
    }
    let map = |map: Map<String, Json>| if map.is_empty() { Json::Null } else { map.into() };
    row.insert("_odd".into(), map(odd));
    row.insert("other".into(), map(other));
    let greatest = entity.fields.values().max_by_key(|entry| entry.stamp.clone()).unwrap();
    row.insert("updated_at".into(), json!(greatest.stamp.instant.micros()));
    row.insert("updated_by".into(), json!(greatest.stamp.node.as_str()));
    row
}

fn winners(state: &State) -> Vec<Map<String, Json>> {
    let rows = state.entries().map(|(target, field, entry)| {
        let value = (!entry.value.is_null()).then(|| entry.value.as_str());
        let causality = Some(entry.causality.as_str()).filter(|text| !text.is_empty());
        let row = json!({
            "target": target.as_str(), "field": field.as_str(), "value": value,
            "at": entry.stamp.instant.micros(), "node": entry.stamp.node.as_str(),
            "causality": causality,
        });
        row.as_object().unwrap().clone()
    });
    rows.collect()
}

/// Compares every table with what the state says.
fn check(state: &State, limits: Limits) {
    let (folder, _) = write(state, limits);
    for kind in Kind::ALL {
        let of_kind = state.entities().filter(|(target, _)| Kind::of(target) == Some(kind));
        let expected: Vec<_> = of_kind.map(|(target, entity)| row(kind, target, entity)).collect();
        let rows = folder.rows(kind.plural());
        assert_eq!(rows.len(), expected.len(), "{kind:?}");
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(row, expected, "{kind:?}");
        }
    }
    assert_eq!(folder.rows(DATAGRAMS), winners(state));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn any_entities_read_back_as_what_they_are(
        records in prop::collection::vec(record(), 0..60),
        rows_of_part in 1..20_usize,
        rows_of_group in 1..10_usize,
        buffered_bytes in 1..4000_usize,
    ) {
        check(&state_of(records), Limits { rows_of_part, rows_of_group, buffered_bytes });
    }
}

#[test]
fn rows_that_are_more_than_are_handed_on_together_read_back() {
    let record = |n: i64| {
        let target = format!("companies/c{n:05}");
        let many: Vec<String> = (0..n % 7).map(|m| format!("m{m}")).collect();
        let tags = datagram(&target, "tags", Value::json(&json!(many)), n, "n");
        let count = datagram(&target, "reviews_count", Value::text(&n.to_string()), n, "n");
        let long = (0..1500).map(|m| m.to_string()).collect::<Vec<_>>();
        let long = datagram(&target, "services", Value::json(&json!(long)), n, "n");
        if n % 1000 == 999 { vec![tags, count, long] } else { vec![tags, count] }
    };
    check(&state_of((0..2500).flat_map(record)), Limits::default());
}

#[test]
fn every_character_reads_back() {
    let all: String = ('\0'..=char::MAX).collect();
    let texts: Vec<String> = all.chars().step_by(7).map(|c| format!("{c}x{c}")).collect();
    let state = state_of([
        datagram("companies/a", "name", Value::text(&all), 1, "n"),
        datagram("companies/a", "services", Value::json(&json!(texts)), 1, "n"),
        datagram("companies/a", "own", Value::text(&all), 1, "n"),
    ]);
    check(&state, Limits::default());
    let (folder, _) = write(&state, Limits::default());
    assert_eq!(folder.rows("companies")[0]["name"], json!(all));
}

#[test]
fn the_longest_values_read_back() {
    let long = "\u{e9}".repeat(cocli_core::limits::VALUE_BYTES_MAX / 2);
    let values = (0..5).flat_map(|n| {
        let of = |field| {
            let value = Value::text(&long).bounded().unwrap();
            datagram(&format!("companies/c{n}"), field, value, n, "n")
        };
        [of("description"), of("own")]
    });
    check(&state_of(values), Limits::default());
}

#[test]
fn members_read_back_whatever_they_are() {
    let values = [
        "[\"a\",null,3,[1],{\"b\":null},\"\",true]",
        "[null]",
        "[]",
        "{\"k\":null,\"\":\"\",\"n\":{\"o\":1},\"z\":[]}",
        "{}",
        "alone",
        "",
        "null",
    ];
    let fields = ["tags", "services", "email_contexts", "name", "own"];
    let all = values.iter().enumerate().flat_map(|(n, value)| {
        let target = format!("companies/c{n}");
        fields.map(|field| datagram(&target, field, Value::read(value), 1, "n"))
    });
    let state = state_of(all);
    check(&state, Limits::default());
    let (folder, _) = write(&state, Limits::default());
    let services = folder.rows("companies")[0]["services"].clone();
    assert_eq!(services, json!(["a", null, "3", "[1]", "{\"b\":null}", "", "true"]));
}
