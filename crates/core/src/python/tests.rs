use alloc::format;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::name::NodeId;

const TYPES: [Type; 10] = [
    Type::Text,
    Type::Int,
    Type::Float,
    Type::Time,
    Type::Email,
    Type::Phone,
    Type::List,
    Type::Set,
    Type::Map,
    Type::Body,
];

fn stamp() -> Stamp {
    let instant = Instant::read("2026-11-22T07:38:23+00:00").unwrap();
    Stamp { instant, node: NodeId::read("pi1").unwrap() }
}

fn told(field: &str, ty: Type, value: &Value) -> Result<String, Withheld> {
    let (target, field) = (Target::read("companies/acme").unwrap(), Field::read(field).unwrap());
    write((&target, &field), ty, &stamp(), value).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn value_told(field: &str, ty: Type, value: &str) -> Result<String, Withheld> {
    let text = told(field, ty, &Value::read(value))?;
    Ok(text.split('\u{1f}').nth(4).unwrap().into())
}

#[test]
fn a_packet_is_a_record_as_the_python_program_writes_it() {
    assert_eq!(
        told("name", Type::Text, &Value::text("S\u{f6}hne")).unwrap(),
        "2026-11-22T07:38:23.000000+00:00\u{1f}pi1\u{1f}companies/acme\u{1f}name\u{1f}S\u{f6}hne\u{1f}\u{1e}"
    );
    let list = value_told("tags", Type::Set, "[\"a\",\"\u{e9}\",\"\u{1f600}\"]");
    assert_eq!(list.unwrap(), "[\"a\", \"\\u00e9\", \"\\ud83d\\ude00\"]");
    let map = value_told("email_contexts", Type::Map, "{\"a@x.org\":\"Bob\",\"b\":1}");
    assert_eq!(map.unwrap(), "{\"a@x.org\": \"Bob\", \"b\": \"1\"}");
    assert_eq!(value_told("hours", Type::Text, "\"Mon\\r\\nTue\"").unwrap(), "Mon\nTue");
    assert_eq!(value_told("tags", Type::Set, "null").unwrap(), "[]");
    assert_eq!(value_told("services", Type::List, "one").unwrap(), "[\"one\"]");
}

#[test]
fn what_would_hide_a_company_there_or_come_back_as_another_value_is_withheld() {
    for (field, ty, value) in [
        ("reviews_count", Type::Int, "abc"),
        ("reviews_count", Type::Int, "5.5"),
        ("reviews_count", Type::Int, ""),
        ("average_rating", Type::Float, "True"),
        ("average_rating", Type::Float, "nan"),
        ("last_enriched", Type::Time, "yesterday"),
        ("phone_1", Type::Phone, "none"),
        ("place_id", Type::Text, "short"),
        ("email_contexts", Type::Map, "Bob"),
        ("city", Type::Text, "[\"a\"]"),
        ("name", Type::Text, "\"{\\\"a\\\":1}\""),
        ("name", Type::Text, "\"a\\u001eb\""),
        // Two quotation marks: what comes back would be an empty text.
        ("name", Type::Text, r#""\"\"""#),
    ] {
        assert_eq!(value_told(field, ty, value), Err(Withheld::Value), "{field}={value}");
    }
    assert_eq!(value_told("city", Type::Text, "null"), Err(Withheld::Removal));
    let long = "x".repeat(PYTHON_PACKET_BYTES_MAX);
    assert_eq!(value_told("city", Type::Text, &long), Err(Withheld::TooLong));
    for (field, ty, value) in [
        ("reviews_count", Type::Int, "5.0"),
        ("average_rating", Type::Float, "4.5"),
        ("last_enriched", Type::Time, "2026-02-18T17:04:05Z"),
        ("phone_1", Type::Phone, "12145550134"),
        ("place_id", Type::Text, "ChIJ5X0j7DHDwogRvQgaGw0y4FM"),
        ("name", Type::Text, "[draft"),
    ] {
        assert!(value_told(field, ty, value).is_ok(), "{field}={value}");
    }
}

#[test]
fn notices_are_known_by_letter_and_number_of_fields() {
    let kinds = [("H", 7..=9, Notice::Heartbeat), ("Q", 6..=8, Notice::Queue)];
    for (letter, known, notice) in kinds.into_iter().chain([("C", 4..=6, Notice::Config)]) {
        for fields in 2..12 {
            let packet = format!("{}\u{1e}", vec![letter; fields].join("\u{1f}"));
            let items: Vec<Item<'_>> = read(packet.as_bytes()).collect();
            match known.contains(&fields) {
                true => assert_eq!(items, [Item::Notice(notice)], "{letter} {fields}"),
                false => assert!(matches!(items[..], [Item::Strange(..)]), "{letter} {fields}"),
            }
        }
    }
}

#[test]
fn only_whole_fields_of_companies_and_people_are_theirs() {
    let ty = |target: &str, field: &str| {
        type_of(&Target::read(target).unwrap(), &Field::read(field).unwrap())
    };
    assert_eq!(ty("companies/acme", "tags"), Some(Type::Set));
    assert_eq!(ty("people/jane", "role"), Some(Type::Text));
    for (target, field) in [
        ("companies/acme", "tags.lead"),
        ("companies/acme", "_deleted"),
        ("companies/acme", "mood"),
        ("companies/acme/notes/a-x1y2", "title"),
        ("nodes/pi1", "key"),
        ("campaigns/road", "name"),
    ] {
        assert_eq!(ty(target, field), None, "{target} {field}");
    }
}

#[test]
fn the_document_says_the_ceilings() {
    use crate::limits::{
        PYTHON_FIELDS_MAX, PYTHON_LISTS_BYTES_MAX, PYTHON_MEMORY_BYTES_MAX, PYTHON_TOLD_MAX,
    };
    let text = include_str!("../../../../docs/gossip.md");
    assert_eq!((PYTHON_PACKET_BYTES_MAX, PYTHON_FIELDS_MAX, PYTHON_TOLD_MAX), (65_507, 200_000, 8));
    let mebibytes = |bytes: usize| bytes / (1024 * 1024);
    assert_eq!((mebibytes(PYTHON_LISTS_BYTES_MAX), mebibytes(PYTHON_MEMORY_BYTES_MAX)), (8, 32));
    let ceilings = ["65,507 bytes", "200,000 fields", "8 MiB of lists", "32 MiB in all"];
    for says in ceilings.into_iter().chain(["the last eight values"]) {
        assert!(text.contains(says), "docs/gossip.md does not say: {says}");
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![&b"\x1f"[..], b"\x1e", b"H", b"Q", b"C", b"\n"])
            .prop_map(<[u8]>::to_vec),
        3 => prop::sample::select(vec![
            "2026-11-22T07:38:23.020015+00:00", "pi1", "companies/acme", "tags", "[\"a\", \"b\"]",
            "road", "prod", "name",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_bytes_are_taken_apart_and_what_counts_as_a_record_reads_alone_in_a_journal(
        packet in bytes()
    ) {
        for item in read(&packet) {
            match item {
                Item::Record(bytes, datagram) => {
                    prop_assert_eq!(bytes.last(), Some(&RS));
                    prop_assert_eq!(usv::records(bytes).count(), 1);
                    prop_assert_eq!(usv::read(bytes), Ok(datagram));
                }
                Item::Strange(bytes, why) => {
                    prop_assert!(start(bytes).len() <= 3 * 80 + 3);
                    prop_assert!(!why.to_string().is_empty());
                }
                Item::Notice(_) => {}
            }
        }
    }

    #[test]
    fn what_is_told_is_one_record_that_reads_back_with_the_same_value(
        text in any::<String>(), items in prop::collection::vec(any::<String>(), 0..4),
        list in any::<bool>(), at in 0..TYPES.len(),
    ) {
        let value = match list {
            true => Value::json(&Json::from(items.clone())),
            false => Value::text(&text),
        };
        if let Ok(packet) = told("name", TYPES[at], &value) {
            let read: Vec<Item<'_>> = read(packet.as_bytes()).collect();
            let [Item::Record(_, datagram)] = &read[..] else { panic!("{packet:?}") };
            prop_assert_eq!(&datagram.entry.stamp, &stamp());
            let shown = datagram.entry.value.to_json();
            match (list, TYPES[at]) {
                (true, _) => prop_assert_eq!(shown, Json::from(items)),
                (false, Type::List | Type::Set) if text.is_empty() => {
                    prop_assert_eq!(shown, Json::from(Vec::<Json>::new()));
                }
                (false, Type::List | Type::Set) => {
                    prop_assert_eq!(shown, Json::from(vec![text]));
                }
                (false, _) => {
                    let text = text.replace("\r\n", "\n").replace('\r', "\n");
                    let told = datagram.entry.value.as_str();
                    prop_assert!(told == text || shown == text);
                }
            }
        }
    }
}
