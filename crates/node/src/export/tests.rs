#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeSet;

use cocli_core::{Instant, State};
use cocli_table::Form;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::followup::{companies_of, text};
use crate::support::{compact, home};

fn now() -> Instant {
    Instant::from_micros(1_795_435_200_000_000).unwrap()
}

/// A row as text.
type Shown = Vec<String>;

fn shown(cells: &[Cell<'_>]) -> Shown {
    cells.iter().map(|cell| format!("{cell:?}")).collect()
}

fn rows(home: &Home, export: &Export, span_bytes: u64) -> (Vec<Shown>, Counts) {
    let mut all = Vec::new();
    let add = |batch: &mut Vec<Shown>, row: &Row<'_>| batch.push(shown(row.cells));
    let take = |mut batch: Vec<Shown>| {
        all.append(&mut batch);
        Ok::<(), ()>(())
    };
    let counts = home.export_by(export, span_bytes, &add, take).unwrap().unwrap();
    assert_eq!(counts.rows, all.len() as u64);
    (all, counts)
}

fn leads(all: bool, campaign: Option<&Campaign>, conditions: &[Condition]) -> Export {
    let campaign = campaign.cloned();
    Export { of: Of::Leads { all }, campaign, conditions: conditions.to_vec() }
}

/// The members of a set or list, read as slowly as can be.
fn members(target: &Target, entity: &Entity, field: &str) -> Vec<String> {
    let field = Field::read(field).unwrap();
    let Some(value) = entity.value(Kind::of(target), &field) else { return Vec::new() };
    let all = match value.to_json() {
        Json::String(text) => vec![text],
        Json::Array(items) => {
            items.iter().map(|i| cocli_core::Value::json(i).shown().into_owned()).collect()
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

fn own_emails(target: &Target, entity: &Entity) -> Vec<String> {
    let mut all = members(target, entity, "all_emails");
    all.push(text(entity, target, "email"));
    all.iter().flat_map(|text| emails_in(text)).collect()
}

fn emails_in(text: &str) -> Vec<String> {
    let words = text.to_lowercase().replace([',', ';', '<', '>', '"', '\n', '\t'], " ");
    words.split_whitespace().map(str::to_owned).filter(|word| word.contains('@')).collect()
}

fn lead_row(target: &Target, entity: &Entity, emails: BTreeSet<String>) -> Shown {
    let get = |field: &str| text(entity, target, field);
    let joined = |field: &str| members(target, entity, field).join("; ");
    let or = |all: &[String]| all.iter().find(|t| !t.is_empty()).cloned().unwrap_or_default();
    let place = match get("place_id") {
        id if id.is_empty() => id,
        id => format!("https://www.google.com/maps/search/?api=1&query=google&query_place_id={id}"),
    };
    let phones = ["phone", "phone_1", "phone_number", "phone_from_website"].map(get);
    let phone = [&phones[..], &members(target, entity, "all_phones")].concat();
    let number = |field: &str, form: Form| {
        let value = entity.value(Some(Kind::Company), &Field::read(field).unwrap());
        let value = value.unwrap_or_else(cocli_core::Value::null);
        Cell::read(form, &value).map_or(Cell::Null, Cell::into_owned)
    };
    let texts = [
        or(&[get("name"), target.slug().to_owned()]),
        get("domain"),
        emails.into_iter().collect::<Vec<_>>().join("; "),
        or(&phone),
        or(&[get("website_url"), get("domain")]),
        get("city"),
        get("state"),
        joined("categories"),
        joined("services"),
        joined("products"),
        joined("tags"),
        or(&[get("gmb_url"), place]),
    ];
    let mut row: Vec<Cell<'_>> =
        (texts.iter()).map(|t| if t.is_empty() { Cell::Null } else { Cell::text(t) }).collect();
    row.push(number("average_rating", Form::Real));
    row.push(number("reviews_count", Form::Whole));
    shown(&row)
}

/// The leads by what `list` gives, one after the other.
fn oracle(
    home: &Home,
    all: bool,
    campaign: Option<&Campaign>,
    conditions: &[Condition],
) -> (Vec<Shown>, Counts) {
    let (mut rows, mut counts) = (Vec::new(), Counts::default());
    let people = home.list("people", &[], |_, entity| entity.clone()).unwrap();
    let out = |who: &str| campaign.is_some_and(|c| c.excluded.contains_key(who));
    let no_domain = |domain: &str| {
        let domain = domain.trim().to_lowercase();
        let above = domain.match_indices('.').map(|(at, _)| domain[at + 1..].to_owned());
        let mut all = above.chain([domain.clone(), domain.trim_start_matches("www.").to_owned()]);
        all.any(|domain| out(&domain))
    };
    let excluded = TARGETS.iter().filter(|who| out(who)).map(|who| Target::read(who).unwrap());
    let silent: BTreeSet<String> =
        excluded.flat_map(|who| own_emails(&who, &home.entity(&who).unwrap())).collect();
    let no_email = |email: &String| {
        silent.contains(email) || out(email) || no_domain(email.rsplit('@').next().unwrap())
    };
    let no_person = |at: &Target, person: &Entity| {
        out(at.as_str()) || companies_of(person, at).iter().any(|company| out(company.as_str()))
    };
    for (target, entity) in home.list("companies", conditions, |_, e| e.clone()).unwrap() {
        let get = |field: &str| text(&entity, &target, field);
        if campaign.is_some_and(|c| !c.members.contains(target.as_str())) {
            continue;
        }
        if out(target.as_str()) || no_domain(&get("domain")) {
            counts.excluded += 1;
            continue;
        }
        let mut emails: BTreeSet<String> = own_emails(&target, &entity).into_iter().collect();
        for (at, person) in people.iter().filter(|(at, person)| !no_person(at, person)) {
            if companies_of(person, at).contains(&target) {
                emails.extend(own_emails(at, person));
            }
        }
        emails.retain(|email| !no_email(email));
        if emails.is_empty() && !all {
            counts.without_email += 1;
            continue;
        }
        rows.push(lead_row(&target, &entity, emails));
        counts.rows += 1;
    }
    (rows, counts)
}

const TARGETS: [&str; 9] = [
    "companies/a",
    "companies/a-b",
    "companies/a/notes/x",
    "companies/b",
    "companies/c",
    "people/p",
    "people/q",
    "people/r",
    "campaigns/k",
];

fn record() -> impl Strategy<Value = (usize, &'static str, &'static str)> {
    let field = prop::sample::select(vec![
        "name",
        "name.x",
        "name%20x",
        "all_emails-checked",
        "tags-old",
        "tags+",
        "domain",
        "email",
        "all_emails",
        "all_emails.a@x",
        "all_emails.B%40y",
        "company",
        "companies",
        "companies.a",
        "companies.companies%2Fb",
        "tags",
        "tags.lead",
        "tags.S%26P",
        "tags.~00112233445566778899aabbccddeeff",
        "services",
        "services.x",
        "all_phones",
        "phone_1",
        "phone",
        "average_rating",
        "reviews_count",
        "place_id",
        "website_url",
        "_deleted",
        "_file",
        "other",
        "other.y",
        "city",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "true",
        "",
        "a",
        "A",
        "companies/b",
        "a@x",
        " A@X ",
        "b@y",
        "c@junk.com",
        "[\"a@x\",\"Z@z\"]",
        "[\"a\",\"companies/c\",\"\"]",
        "[\"b\",null,5,[1]]",
        "{\"a\":\"x\"}",
        "\"null\"",
        "\"two\\nlines\"",
        "\"=x\"",
        "4.5",
        "5.0",
        "7",
        "x.example",
        "WWW.Junk.com",
        "n/a",
    ]);
    (0..TARGETS.len(), field, value)
}

/// Writes records, of which those before each of `merged` are merged before the rest comes.
fn world(folder: &std::path::Path, records: &[(usize, &str, &str)], merged: &[usize]) -> Home {
    let home = home(folder, "n", now());
    let path = folder.join("wal").join("20261101_scraper.usv");
    let line = |(n, (at, field, value)): (usize, &(usize, &str, &str))| {
        let time = format!("2026-11-01T00:{:02}:{:02}.000000+00:00", n / 60, n % 60);
        format!("{time}\x1fscraper\x1f{}\x1f{field}\x1f{value}\x1f\x1e", TARGETS[*at])
    };
    let text: Vec<String> = records.iter().enumerate().map(line).collect();
    for end in merged {
        std::fs::write(&path, text[..(*end).min(text.len())].concat()).unwrap();
        compact(&home, now());
    }
    std::fs::write(&path, text.concat()).unwrap();
    home
}

fn campaign() -> Campaign {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let excluded = ["companies/c", "people/q", "junk.com"];
    Campaign {
        slug: "k".into(),
        name: "k".into(),
        folder: None,
        members: texts(&["companies/a", "companies/b", "companies/c", "people/p"]),
        excluded: excluded.iter().map(|who| ((*who).to_owned(), "asked".to_owned())).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn leads_are_what_a_slow_reading_of_the_lists_says(
        records in prop::collection::vec(record(), 1..60),
        merged in prop::collection::vec(0..60_usize, 0..3),
        span_bytes in prop::sample::select(vec![1_u64, 300, 1 << 20]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut merged = merged;
        merged.sort_unstable();
        let home = world(dir.path(), &records, &merged);
        let lead = Condition::new("tags", "lead").unwrap();
        for campaign in [None, Some(&campaign())] {
            for (all, conditions) in [(true, vec![]), (false, vec![]), (true, vec![lead.clone()])] {
                let told = rows(&home, &leads(all, campaign, &conditions), span_bytes);
                prop_assert_eq!(told, oracle(&home, all, campaign, &conditions));
            }
        }
    }

    #[test]
    fn every_winner_and_every_entity_that_is_listed_is_a_row(
        records in prop::collection::vec(record(), 1..60),
        merged in prop::collection::vec(0..60_usize, 0..3),
        span_bytes in prop::sample::select(vec![1_u64, 300, 1 << 20]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut merged = merged;
        merged.sort_unstable();
        let home = world(dir.path(), &records, &merged);
        for kind in [Kind::Company, Kind::Person] {
            let table = Rows::of(kind);
            let listed = home.list(kind.plural(), &[], |t, e| shown(&table.row(t, e))).unwrap();
            let export = Export { of: Of::Pool(kind), campaign: None, conditions: vec![] };
            let listed: Vec<Shown> = listed.into_iter().map(|(_, row)| row).collect();
            prop_assert_eq!(rows(&home, &export, span_bytes).0, listed);
        }
        let export = Export { of: Of::Datagrams, campaign: None, conditions: vec![] };
        let state: State = home.state().unwrap();
        let winners = state.entities().flat_map(|(target, entity)| {
            entity.fields.iter().map(|(field, entry)| shown(&winner(target, field, entry)))
        });
        prop_assert_eq!(rows(&home, &export, span_bytes).0, winners.collect::<Vec<_>>());
    }
}

#[test]
fn an_export_that_breaks_says_why_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..40).map(|n| (n % 5, "email", "a@x")).collect();
    let home = world(dir.path(), &records, &[40]);
    let export = leads(true, None, &[]);
    let told = home.export_by(
        &export,
        1,
        &|batch: &mut Vec<Shown>, row| batch.push(shown(row.cells)),
        |batch| if batch.is_empty() { Ok(()) } else { Err("full") },
    );
    assert_eq!(told.unwrap(), Err("full"));
}

#[test]
fn an_export_goes_on_where_it_was_when_a_compaction_takes_the_files_away() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..45).map(|n| (n % 5, "email", "a@x")).collect();
    let home = world(dir.path(), &records, &[40]);
    let expected = rows(&home, &leads(true, None, &[]), 1).0;
    assert_eq!(expected.len(), 4);
    let (mut all, mut merged) = (Vec::new(), false);
    let told = home.export_by(
        &leads(true, None, &[]),
        1,
        &|batch: &mut Vec<Shown>, row| batch.push(shown(row.cells)),
        |mut batch| {
            all.append(&mut batch);
            if !std::mem::replace(&mut merged, true) {
                compact(&home, now());
            }
            Ok::<(), ()>(())
        },
    );
    assert_eq!(told.unwrap().unwrap().rows, 4);
    assert_eq!(all, expected);
}

#[test]
fn one_long_target_makes_no_long_spans_of_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "n", now());
    let record = |target: &str, field: &str| {
        format!("2026-11-01T00:00:00.000000+00:00\x1fpi\x1f{target}\x1f{field}\x1fx\x1f\x1e")
    };
    let companies = (0..5_000).map(|n| record(&format!("companies/c{n}"), "name"));
    let members = (0..4_000).map(|n| record("campaigns/k", &format!("members.companies%2Fc{n}")));
    let text = companies.chain(members).collect::<String>();
    std::fs::write(dir.path().join("wal").join("20261101_pi.usv"), text).unwrap();
    compact(&home, now());
    let (mut longest, mut all) = (0, 0);
    let take = |rows: usize| {
        (longest, all) = (rows.max(longest), all + rows);
        Ok::<(), ()>(())
    };
    let add = |rows: &mut usize, _: &Row<'_>| *rows += 1;
    home.export_by(&leads(true, None, &[]), 8_192, &add, take).unwrap().unwrap();
    assert_eq!(all, 5_000);
    assert!(longest < 2_500, "{longest} rows at a time");
}
