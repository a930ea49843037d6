//! The laws of card texts: what is rendered is read back, and a splice touches nothing but what
//! changed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Field, Kind, Value};
use cocli_store::card::{CardFault, parse, render, rev, shown, splice};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

type Fields = BTreeMap<Field, Value>;

const CASES: u32 = 1000;

#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "", " ", "---", "----", "a --- b", "no", "Null", "~", "null", "1.0", "01234", "9:30", "2026-02-18", "a: b",
    "a #b", "#", "- a", "? a", "'", "\"", "\\", "\n", "a\nb\n", "\r\n", "\t", "\u{85}", "\u{2028}", "\u{feff}x",
    "\u{0}", "\u{1f}", "\u{7f}", "\u{fffe}", "\u{1f600}", "Ünïcode & Söhne", "*x", "&x", "!x", "%x", "@x", "`x",
    "[a]", "{a", "| x", "> x", "<<", "=", "...", ":", "x:", " x", "x ", "é", "\u{a0}", "\u{3000}x", ",", "''",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(HOSTILE).prop_map(str::to_owned),
        2 => vec(select(HOSTILE), 0..5).prop_map(|parts| parts.concat()),
        2 => "[ -~]{0,30}",
        2 => any::<String>(),
        1 => "[a-z]{60,260}",
    ]
}

fn tree() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => select(&["null", "1", "1.50", "true", "-0"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = text().prop_map(|text| serde_json::to_string(&text).unwrap());
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key, inner), 0..4).prop_map(|items| {
                let items: Vec<String> = items.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                format!("{{{}}}", items.join(","))
            }),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => text().prop_map(|text| Value::text(&text)),
        2 => select(&["42", "-7", "4.5", "1e3", "007", "true"][..]).prop_map(Value::text),
        2 => vec(text(), 0..4).prop_map(|list| Value::read(&serde_json::to_string(&list).unwrap())),
        2 => tree().prop_map(|tree| Value::read(&tree)),
        1 => Just(Value::null()),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(&[Kind::Company, Kind::Person, Kind::Note, Kind::Meeting][..])
}

fn field(kind: Kind) -> impl Strategy<Value = Field> {
    let known: Vec<&str> = kind.fields().iter().map(|spec| spec.name).collect();
    prop_oneof![
        5 => select(known).prop_map(|name| Field::read(name).unwrap()),
        2 => text().prop_filter_map("no field", |key| Field::of_key(&key).ok()),
        1 => select(&["_own", "tags.lead", "zz", "a b"][..])
            .prop_filter_map("no field", |name| Field::read(name).or_else(|_| Field::of_key(name)).ok()),
    ]
}

fn fields(kind: Kind) -> impl Strategy<Value = Fields> {
    btree_map(field(kind), value(), 0..8)
}

fn entity() -> impl Strategy<Value = (Kind, Fields)> {
    kind().prop_flat_map(|kind| (Just(kind), fields(kind)))
}

fn two() -> impl Strategy<Value = (Kind, Fields, Fields)> {
    kind().prop_flat_map(|kind| (Just(kind), fields(kind), fields(kind)))
}

/// Bodies without white space around them: about that a splice leaves the file's own.
fn trimmed(kind: Kind, mut fields: Fields) -> Fields {
    let body = Field::read(kind.body()).unwrap();
    if let Some(value) = fields.get_mut(&body) {
        *value = Value::text(value.shown().trim().replace("\r\n", "\n").trim());
    }
    fields
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn what_is_rendered_is_read_back((kind, fields) in entity()) {
        let text = render(kind, &fields);
        let card = parse(text.as_bytes()).unwrap();
        prop_assert_eq!(card.fields(kind), shown(kind, &fields), "{}", text);
        prop_assert_eq!(card.rev(), Some(rev(kind, &fields)));
        let again = render(kind, &card.fields(kind));
        prop_assert_eq!(again, text);
    }

    #[test]
    fn no_value_brings_a_fence_into_the_front_matter((kind, fields) in entity()) {
        let text = render(kind, &fields);
        let end = text[3..].find("---").unwrap() + 3;
        prop_assert!(text[..end].ends_with('\n') && text[end..].starts_with("---\n"), "{}", text);
    }

    #[test]
    fn a_splice_of_the_same_fields_is_the_same_file((kind, fields) in entity()) {
        let text = render(kind, &fields);
        let card = parse(text.as_bytes()).unwrap();
        prop_assert_eq!(splice(kind, &card, &fields).unwrap(), text.into_bytes());
    }

    #[test]
    fn a_spliced_card_that_nobody_wrote_in_is_the_rendered_one((kind, old, new) in two()) {
        let (old, new) = (trimmed(kind, old), trimmed(kind, new));
        let card = render(kind, &old);
        let spliced = splice(kind, &parse(card.as_bytes()).unwrap(), &new).unwrap();
        prop_assert_eq!(String::from_utf8(spliced).unwrap(), render(kind, &new), "{}", card);
    }
}

/// A card as people write them: each key with its lines, and what they put around it.
#[derive(Debug, Clone)]
struct Piece {
    key: &'static str,
    lines: String,
    around: String,
}

fn piece(key: &'static str) -> impl Strategy<Value = Piece> {
    let scalar = select(
        &[
            "Dallas",
            "'it''s'",
            "\"a\\tb\"",
            "01234",
            "NO",
            "",
            "~",
            "  spaced",
            "|\n    block\n\n    more",
            ">-\n    folded\n    text",
            "'two\n    lines'",
            "plain\n    over lines",
            "\"c \\\n    d\"",
            "|+\n    kept\n\n",
            "!!str 5",
            "[a, b]",
            "{a: b}",
            "\n  - x\n  -   y",
            "\n  a: 1\n  b: 'x'",
            "|-2\n      y",
        ][..],
    );
    let behind = select(&["", "  ", " # why", "   # a --- b", "\t# tab"][..]);
    let around = select(&["", "\n", "# a comment\n", "\n # two\n\n", "#\n# x: y\n"][..]);
    (scalar, behind, around).prop_map(move |(scalar, behind, around)| {
        let one = !scalar.contains('\n');
        let behind = if one { behind } else { "" };
        Piece { key, lines: format!("{key}: {scalar}{behind}\n"), around: around.to_owned() }
    })
}

const KEYS: [&str; 7] =
    ["name", "city", "zip_code", "services", "my own", "hours", "email_contexts"];

fn card() -> impl Strategy<Value = (Vec<Piece>, String, bool, bool, usize)> {
    let pieces = Vec::from(KEYS.map(piece));
    let body = select(&["", "\n\n", "\nBody\n", "Body --- x\n---\nmore", "\n\n  Body \n\n"][..]);
    (pieces.prop_shuffle(), 0..=KEYS.len(), body, any::<bool>(), any::<bool>(), 0..3_usize)
        .prop_map(|(mut pieces, count, body, bom, crlf, indent)| {
            pieces.truncate(count);
            (pieces, body.to_owned(), bom, crlf, indent)
        })
}

fn written(card: &(Vec<Piece>, String, bool, bool, usize)) -> String {
    let (pieces, body, bom, crlf, indent) = card;
    let indent = " ".repeat(*indent);
    let mut front = String::new();
    for piece in pieces {
        for line in piece.around.lines() {
            front.push_str(&format!("{line}\n"));
        }
        for line in piece.lines.lines() {
            front.push_str(&format!("{indent}{line}\n"));
        }
    }
    let text = format!("---\n{front}---\n{body}");
    let text = if *crlf { text.replace('\n', "\r\n") } else { text };
    if *bom { format!("\u{feff}{text}") } else { text }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn a_splice_replaces_the_lines_of_changed_keys_only(
        card in card(),
        changes in btree_map(select(&KEYS[..]), value(), 0..4),
        added in btree_map(select(&["country", "zz", "tags", "description"][..]), value(), 0..3),
    ) {
        let text = written(&card);
        let kind = Kind::Company;
        let Ok(old) = parse(text.as_bytes()) else { panic!("{text}") };
        let mut fields = old.fields(kind);
        for (key, value) in changes.into_iter().chain(added) {
            fields.insert(Field::of_key(key).unwrap(), value);
        }
        let fields = shown(kind, &fields);
        let new = String::from_utf8(splice(kind, &old, &fields).unwrap()).unwrap();
        let read = parse(new.as_bytes()).unwrap();
        let (got, body) = (read.fields(kind), Field::read(kind.body()).unwrap());
        for (field, value) in &fields {
            if *field == body {
                let trim = |value: &Value| value.shown().replace("\r\n", "\n").trim().to_owned();
                prop_assert_eq!(trim(&got[field]), trim(value));
            } else {
                prop_assert_eq!(got.get(field), Some(value), "{}\n{}", text, new);
            }
        }
        prop_assert_eq!(got.len(), fields.len());
        for piece in &card.0 {
            let field = Field::of_key(piece.key).unwrap();
            let same = old.fields(kind).get(&field) == fields.get(&field);
            for line in piece.lines.lines().chain(piece.around.lines()).filter(|line| same || line.trim_start().starts_with('#')) {
                prop_assert!(new.contains(line), "lost {:?}\n{}\n{}", line, text, new);
            }
        }
        prop_assert_eq!(new.starts_with('\u{feff}'), text.starts_with('\u{feff}'));
        if card.3 {
            prop_assert!(!new.replace("\r\n", "").contains('\n'), "{:?}", new);
        } else {
            prop_assert!(!new.contains('\r'));
        }
        let twice = splice(kind, &read, &fields).unwrap();
        prop_assert_eq!(twice, new.into_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_text_with_fences_is_read_or_refused(front in "[a-c:\\-\\[\\]{}&*!|>'\"#?, \n\t%@]{0,60}") {
        if let Ok(card) = parse(format!("---\n{front}\n---\nbody\n").as_bytes()) {
            let fields = card.fields(Kind::Company);
            if let Ok(new) = splice(Kind::Company, &card, &fields) {
                prop_assert_eq!(parse(&new).unwrap().fields(Kind::Company), fields);
            }
        }
    }
}

fn card_of(text: &str) -> Fields {
    parse(text.as_bytes()).unwrap().fields(Kind::Company)
}

fn value_of(text: &str, key: &str) -> Option<String> {
    card_of(text).get(&Field::of_key(key).unwrap()).map(|value| value.as_str().to_owned())
}

#[test]
fn types_are_never_guessed() {
    let text = "---\nzip_code: 01234\nstate: NO\ncity: 2026-02-18\nname: 1e3\nhours: 9:30\ntype: null\nemail: ~\n\
                country:\ntimezone: \"null\"\nreviews_count: 042\nservices: [1, yes, null, 1.50]\n---\n";
    for (key, value) in [
        ("zip_code", Some("01234")),
        ("state", Some("NO")),
        ("city", Some("2026-02-18")),
        ("name", Some("1e3")),
        ("hours", Some("9:30")),
        ("type", None),
        ("email", None),
        ("country", None),
        ("timezone", Some("\"null\"")),
        ("reviews_count", Some("042")),
        ("services", Some("[\"1\",\"yes\",null,\"1.50\"]")),
    ] {
        assert_eq!(value_of(text, key).as_deref(), value, "{key}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_line_and_column() {
    let fault = |text: &str| {
        let error = parse(text.as_bytes()).unwrap_err();
        (error.line, error.column, error.fault)
    };
    assert_eq!(fault("name: A\n"), (1, 1, CardFault::NoFrontMatter));
    assert_eq!(fault(""), (1, 1, CardFault::NoFrontMatter));
    assert_eq!(fault("\n---\na: b\n---\n"), (1, 1, CardFault::NoFrontMatter));
    assert_eq!(fault("---\na: b\n"), (2, 1, CardFault::Unterminated));
    assert_eq!(fault("---\n- a\n---\n"), (2, 1, CardFault::NotAMap));
    assert_eq!(fault("---\nhello\n---\n"), (2, 1, CardFault::NotAMap));
    assert_eq!(fault("---\na: &x 1\nb: 2\n---\n"), (2, 7, CardFault::Anchor));
    assert_eq!(fault("---\na: 1\n...\nb: 2\n---\n"), (4, 1, CardFault::SecondDocument));
    assert_eq!(fault("---\n[a]: 1\n---\n"), (2, 1, CardFault::KeyNotText));
    let twice = CardFault::DuplicateKey { key: "a".into(), first: 2 };
    assert_eq!(fault("---\na: 1\nb: 2\n\"a\": 3\n---\n"), (4, 1, twice));
    let (line, column, yaml) = fault("---\nname: A\ntitle: Kick off: budget\n---\n");
    assert!(
        matches!(yaml, CardFault::Yaml(_)) && (line, column) == (3, 16),
        "{line} {column} {yaml}"
    );
    let error = parse(b"---\nname: A\ncity: M\xfcnchen\n---\n").unwrap_err();
    assert_eq!((error.line, error.column, error.fault), (3, 8, CardFault::NotUtf8(19)));
    let deep = format!("---\na: {}\n---\n", "[".repeat(100_000));
    assert!(matches!(fault(&deep).2, CardFault::TooDeep | CardFault::Yaml(_)));
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    assert!(matches!(parse(&large).unwrap_err().fault, CardFault::TooLarge(_)));
    let bomb = "---\na: &a [x, x]\nb: &b [*a, *a]\n---\n";
    assert_eq!(fault(bomb).2, CardFault::Anchor);
    assert!(fault("---\nt: *x*\n---\n").2.to_string().contains("quotes"));
}

#[test]
fn only_the_first_two_fences_count() {
    let text = "---\nname: A\n---\n\nabove\n\n---\n\n--- below\n";
    assert_eq!(value_of(text, "description").unwrap(), "\"above\\n\\n---\\n\\n--- below\"");
    assert_eq!(value_of("---\nname: A\n---", "description"), None);
    assert_eq!(value_of("---\n---\nx", "description").unwrap(), "x");
}

#[test]
fn the_front_matter_beats_the_body_and_the_next_change_moves_it_there() {
    let text = "---\nname: A\ndescription: old\n---\n";
    let card = parse(text.as_bytes()).unwrap();
    let mut fields = card.fields(Kind::Company);
    let key = Field::read("description").unwrap();
    assert_eq!(fields[&key], Value::text("old"));
    fields.insert(key.clone(), Value::text("new"));
    let new = splice(Kind::Company, &card, &fields).unwrap();
    let rev = rev(Kind::Company, &fields);
    assert_eq!(
        String::from_utf8(new).unwrap(),
        format!("---\nname: A\n_rev: '{rev}'\n---\n\nnew\n")
    );

    let text = "---\nname: A\ndescription: old\n---\nunread\n";
    let card = parse(text.as_bytes()).unwrap();
    assert_eq!(card.fields(Kind::Company)[&key], Value::text("old"));
    assert_eq!(card.shadowed(Kind::Company), Some(Value::text("unread")));
    let new = String::from_utf8(splice(Kind::Company, &card, &fields).unwrap()).unwrap();
    assert!(new.contains("description: new\n") && new.ends_with("---\nunread\n"), "{new}");
}

#[test]
fn a_comment_behind_a_changed_value_stays() {
    let text =
        "---\r\n# who\r\nname: A\r\ncity:   Dallas   # hq\r\nhours: # soon\r\n---\r\nBody\r\n";
    let card = parse(text.as_bytes()).unwrap();
    let mut fields = card.fields(Kind::Company);
    fields.insert(Field::read("city").unwrap(), Value::text("no"));
    fields.insert(Field::read("hours").unwrap(), Value::text("9-5"));
    fields.insert(Field::read("domain").unwrap(), Value::text("a.org"));
    let rev = rev(Kind::Company, &fields);
    let new = String::from_utf8(splice(Kind::Company, &card, &fields).unwrap()).unwrap();
    assert_eq!(
        new,
        format!(
            "---\r\n# who\r\nname: A\r\ndomain: a.org\r\ncity:   'no'   # hq\r\nhours: '9-5' # soon\r\n\
             _rev: '{rev}'\r\n---\r\nBody\r\n"
        )
    );
}

#[test]
fn keys_that_no_field_can_have_stay_and_hide_nothing() {
    let long = "x".repeat(300);
    let text = format!("---\n'': a\n{long}: b\nname: A\n_file: evil\n_rev: zz\n---\n");
    let card = parse(text.as_bytes()).unwrap();
    assert_eq!(card.fields(Kind::Company).len(), 1);
    let over: BTreeSet<usize> = card.passed_over().iter().map(|over| over.line).collect();
    assert_eq!(over, BTreeSet::from([2, 3, 5]));
    let new = splice(Kind::Company, &card, &card.fields(Kind::Company)).unwrap();
    let new = String::from_utf8(new).unwrap();
    assert!(new.contains(&long) && new.contains("_file: evil"), "{new}");
}

#[test]
fn a_card_in_flow_form_is_left_alone() {
    let card = parse(b"---\n{name: A, city: B}\n---\n").unwrap();
    let mut fields = card.fields(Kind::Company);
    assert_eq!(fields.len(), 2);
    fields.insert(Field::read("city").unwrap(), Value::text("C"));
    fields.insert(Field::read("tags").unwrap(), Value::read("[\"x\"]"));
    let error = splice(Kind::Company, &card, &fields).unwrap_err();
    assert_eq!(error.keys, ["city", "tags"]);
    assert!(error.to_string().contains("a line of its own"));
}

#[test]
fn the_rev_is_the_same_on_every_node_and_of_the_values_only() {
    let fields = card_of("---\nname: A\ntags: [b, a, a]\nkeywords: []\n---\n");
    let other = card_of("---\n# x\ntags:\n- a\n- b\nname: 'A'\n---\n\n");
    assert_eq!(rev(Kind::Company, &fields), rev(Kind::Company, &other));
    assert_eq!(rev(Kind::Company, &fields).to_string(), "53ed7a0dd0");
}

#[test]
fn the_deepest_value_that_a_record_may_hold_is_read_back() {
    let deep = format!("{}\"x\"{}", "[".repeat(64), "]".repeat(64));
    let maps = format!("{}\"x\"{}", "{\"a\":".repeat(64), "}".repeat(64));
    for json in [deep, maps] {
        let fields = Fields::from([(Field::read("zz").unwrap(), Value::read(&json))]);
        let card = parse(render(Kind::Company, &fields).as_bytes()).unwrap();
        assert_eq!(card.fields(Kind::Company), fields);
        assert_eq!(fields.values().next().unwrap().as_str(), json);
    }
}

#[test]
fn hostile_files_cost_time_by_their_size_only() {
    let size = 128 * 1024;
    let keys: String = (0..20_000).map(|n| format!("k{n}: v\n")).collect();
    let flow: Vec<String> = (0..20_000).map(|n| format!("k{n}: v")).collect();
    let fronts = [
        keys,
        format!("{{{}}}\n", flow.join(", ")),
        format!("a: [{}]\n", "x, ".repeat(size / 3)),
        format!("a:\n{}", "- x\n".repeat(size / 4)),
        format!("a: \"{}\"\n", "\\n".repeat(size / 2)),
        format!("a: |\n{}", "  x\n\n".repeat(size / 6)),
        format!("a: {}\n", "[".repeat(size)),
        "- ".repeat(size / 2),
        "? ".repeat(size / 2),
        "# x\n".repeat(size / 4),
        format!("a: '{}", "x\n ".repeat(size / 3)),
        format!("a: b{}\n", " ".repeat(size)),
        "a: &a [*a]\n".repeat(size / 11),
    ];
    for front in fronts {
        let text = format!("---\n{front}---\n{}", "---\n".repeat(size / 8));
        let Ok(card) = parse(text.as_bytes()) else { continue };
        let mut fields = card.fields(Kind::Company);
        fields.retain(|field, _| !field.as_str().ends_with('7'));
        for n in 0..2000 {
            fields.insert(Field::read(&format!("new{n}")).unwrap(), Value::text("x"));
        }
        let _ = splice(Kind::Company, &card, &fields);
    }
}

#[test]
fn the_cards_in_the_document_are_what_we_write() {
    let document = include_str!("../../../docs/cards.md");
    let mut shown = document.split("```card\n").skip(1);
    for kind in [Kind::Company, Kind::Note] {
        let (text, _) = shown.next().unwrap().split_once("```").unwrap();
        let card = parse(text.as_bytes()).unwrap();
        assert_eq!(render(kind, &card.fields(kind)), text);
    }
}
