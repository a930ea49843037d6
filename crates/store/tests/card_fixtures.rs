//! Cards as other programs and people wrote them.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::Path;

use cocli_core::{Field, Kind, Value};
use cocli_store::card::{CardFault, CardText, parse, splice};

fn card(text: &str) -> CardText {
    parse(text.as_bytes()).unwrap()
}

fn get(card: &CardText, kind: Kind, key: &str) -> String {
    let value = card.fields(kind).get(&Field::of_key(key).unwrap()).cloned();
    value.map(|value| value.as_str().to_owned()).unwrap_or_default()
}

#[test]
fn a_card_of_the_python_program_reads_as_it_meant_it() {
    let card = card(include_str!("cards/python.md"));
    let get = |key| get(&card, Kind::Company, key);
    assert_eq!(get("name"), "Ünïcode & Söhne 'Quoted\" GmbH");
    assert_eq!(get("tech_stack"), "[\"WordPress\",\"yes\",\"1.0\"]");
    assert_eq!(
        get("email_contexts"),
        "{\"a.b@x.org\":\"Owner: Bob\",\"info@soehne.example\":\"General “quotes”\"}"
    );
    assert_eq!((get("zip_code").as_str(), get("state").as_str()), ("75094", "NO"));
    assert_eq!(get("hours"), "Mon: 8–5");
    let words = "word ".repeat(30);
    assert_eq!(get("meta_description"), Value::text(&format!("line1\nline2 {words}")).as_str());
    assert!(get("meta_keywords").ends_with("it is wider than eighty characters"));
    assert_eq!((get("keywords"), get("services")), (String::new(), String::new()));
    assert_eq!(get("description"), "\"# Ünïcode\\n\\nBody line with --- inside\"");
}

#[test]
fn a_card_of_windows_keeps_every_byte_that_did_not_change() {
    let text = include_str!("cards/windows.md");
    let card = card(text);
    assert_eq!(get(&card, Kind::Company, "my own key"), "01234");
    assert_eq!(get(&card, Kind::Company, "description"), "\"One\\n\\n---\\n\\nTwo\"");
    let mut fields = card.fields(Kind::Company);
    fields.insert(Field::read("name").unwrap(), Value::text("Acme: West"));
    let new = String::from_utf8(splice(Kind::Company, &card, &fields).unwrap()).unwrap();
    let rev = cocli_store::card::rev(Kind::Company, &fields);
    let expected = text
        .replace("'Acme'   #", "'Acme: West'   #")
        .replace("empty:\r\n", &format!("empty:\r\n_rev: '{rev}'\r\n"));
    assert_eq!(new, expected);
}

#[test]
fn a_time_that_is_none_is_text_and_a_colon_is_told_where_it_stands() {
    let note = card(include_str!("cards/note.md"));
    assert_eq!(get(&note, Kind::Note, "timestamp"), "2026-02-18T17:04:05+00:00Z");
    assert_eq!(get(&note, Kind::Note, "content"), "\"Spoke to Zoë.\\n- item\"");
    let error = parse(include_bytes!("cards/broken.md")).unwrap_err();
    assert_eq!((error.line, error.column), (4, 16));
    assert!(matches!(error.fault, CardFault::Yaml(_)));
}

/// Every card below a folder: all but the one with broken YAML are read.
fn read_all(folder: &Path, read: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, read);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            let bytes = std::fs::read(&path).unwrap();
            if !bytes.starts_with(b"---") || path.ends_with("2026-03-01T1430Z-kick-off-budget.md") {
                assert!(parse(&bytes).is_err());
                continue;
            }
            let card = parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let fields = card.fields(Kind::Company);
            assert!(!fields.is_empty());
            let new = splice(Kind::Company, &card, &fields).unwrap();
            assert_eq!(parse(&new).unwrap().fields(Kind::Company), fields);
            *read += 1;
        }
    }
}

#[test]
fn the_homes_of_the_python_program_are_read() {
    let mut read = 0;
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards");
    for home in ["seed_home", "head_home", "seed_cli_home"] {
        let shared = Path::new("/work/shared/fixtures").join(home);
        if shared.is_dir() {
            read_all(&shared, &mut read);
        } else {
            println!("{} is not here: passed over", shared.display());
        }
    }
    assert!(own.is_dir());
}
