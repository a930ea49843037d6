#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use cocli_core::{Causality, Day, Instant, LogId, NodeId, usv};
use cocli_store::paths;
use proptest::prelude::*;

use super::*;
use crate::conflicts::noted::Losses;
use crate::support::{self, home};

const CASES: u32 = 32;
const LOGS: [&str; 5] = ["attic", "barn", "barn~abcdefgh", "cabin", "dock"];

fn now() -> Instant {
    Instant::from_micros(1_795_435_200_000_000).unwrap()
}

/// A datagram by one of few, of few targets and values, at one of few times: what it saw is nothing,
/// unsaid, or some of those that were drawn before it. `log` bears it, and `copy` too, if there is one.
#[derive(Debug, Clone)]
struct Drawn {
    at: i64,
    node: usize,
    target: usize,
    field: usize,
    value: usize,
    saw: Option<Vec<prop::sample::Index>>,
    log: usize,
    copy: Option<usize>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let saw = prop_oneof![
        1 => Just(None),
        5 => prop::collection::vec(any::<prop::sample::Index>(), 0..3).prop_map(Some),
    ];
    let which = (0..30_i64, 0..4_usize, 0..2_usize, 0..3_usize, 0..3_usize);
    (which, saw, 0..LOGS.len(), prop::option::weighted(0.2, 0..LOGS.len())).prop_map(
        |((at, node, target, field, value), saw, log, copy)| Drawn {
            at,
            node,
            target,
            field,
            value,
            saw,
            log,
            copy,
        },
    )
}

/// Of writers that stamp what they write after all that they saw (law 4), or of any.
fn datagrams(drawn: &[Drawn], lawful: bool) -> Vec<Datagram> {
    let mut all: Vec<Datagram> = Vec::new();
    for one in drawn {
        let node = NodeId::written(["attic", "barn", "cabin", "dock"][one.node]).unwrap();
        let field = Field::read(["city", "tags.lead", "domain"][one.field]).unwrap();
        let target = Target::read(["companies/acme", "people/jane"][one.target]).unwrap();
        let here: Vec<&Stamp> = all
            .iter()
            .filter(|d| d.target == target && d.field == field)
            .map(|d| &d.entry.stamp)
            .collect();
        let causality = one.saw.as_ref().map(|saw| {
            let stamps = saw.iter().filter(|_| !here.is_empty()).map(|i| *i.get(&here));
            Causality::saw(stamps.collect::<BTreeSet<_>>())
        });
        let saw = causality.iter().flat_map(Causality::stamps).filter(|_| lawful);
        let after = saw.map(|stamp| stamp.instant.micros() + 1).max().unwrap_or_default();
        let instant = Instant::from_micros((1_793_000_000_000_000 + one.at).max(after)).unwrap();
        let value = Value::read(["true", "null", "Oslo"][one.value]);
        let causality = causality.unwrap_or_else(Causality::unsaid);
        let entry = Entry { stamp: Stamp { instant, node }, value, causality };
        all.push(Datagram { target, field, entry });
    }
    all
}

/// Law 6, read aloud: winner and losses by place.
fn law(all: &[Datagram]) -> Vec<(Target, Field, Vec<Entry>)> {
    let places: BTreeSet<(&Target, &Field)> = all.iter().map(|d| (&d.target, &d.field)).collect();
    let mut told = Vec::new();
    for (target, field) in places {
        let here = all.iter().filter(|d| d.target == *target && d.field == *field);
        let mut here: Vec<&Entry> = here.map(|d| &d.entry).collect();
        here.sort();
        here.dedup();
        let winner = *here.last().unwrap();
        let seen = |e: &Entry| here.iter().any(|o| o.causality.stamps().any(|s| s == e.stamp));
        let blind = |o: &Entry| o.causality == Causality::unsaid();
        let lost = here.iter().rev().filter(|entry| {
            let greater = || here.iter().filter(|other| other > entry);
            entry.value != winner.value
                && !seen(entry)
                && !greater().any(|other| other.value == entry.value || blind(other))
        });
        let lost: Vec<Entry> = lost.map(|entry| (*entry).clone()).collect();
        if !lost.is_empty() {
            let entries = [vec![winner.clone()], lost].concat();
            told.push((target.clone(), field.clone(), entries));
        }
    }
    told
}

fn plain(conflicts: Vec<Conflict>) -> Vec<(Target, Field, Vec<Entry>)> {
    conflicts.into_iter().map(|c| (c.target, c.field, c.entries)).collect()
}

/// What a home goes through.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// The next record of a log comes.
    Comes(usize),
    Compacts,
    CompactsBeside,
    Looks,
    /// Somebody clears the cache.
    Forgets,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..LOGS.len()).prop_map(Act::Comes),
        2 => Just(Act::Compacts),
        1 => Just(Act::CompactsBeside),
        1 => Just(Act::Looks),
        1 => Just(Act::Forgets),
    ]
}

fn comes(home: &Home, log: usize, records: &[Vec<u8>]) {
    let day = Day::read("20261101").unwrap();
    let journal = paths::journal(&LogId::read(LOGS[log]).unwrap(), day);
    std::fs::write(home.path().join(journal), records.concat()).unwrap();
}

fn compact(home: &Home) {
    support::compact(home, now());
}

fn goes_through(home: &Home, acts: &[Act], logs: &[Vec<Vec<u8>>]) {
    let mut held = vec![0; logs.len()];
    for act in acts {
        match act {
            Act::Comes(log) if held[*log] < logs[*log].len() => {
                held[*log] += 1;
                comes(home, *log, &logs[*log][..held[*log]]);
            }
            Act::Comes(_) => {}
            Act::Compacts => compact(home),
            Act::CompactsBeside => {
                home.compact_beside(&home.vector().unwrap(), true, now(), &|_, _| ()).unwrap();
            }
            Act::Looks => drop(home.conflicts(None).unwrap()),
            Act::Forgets => drop(std::fs::remove_dir_all(home.path().join(paths::CACHE))),
        }
    }
    for (log, records) in logs.iter().enumerate().filter(|(_, records)| !records.is_empty()) {
        comes(home, log, records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_list_is_the_same_whatever_the_order_of_arrival_and_of_compactions(
        drawn in prop::collection::vec(drawn(), 1..24),
        courses in prop::collection::vec(prop::collection::vec(act(), 0..24), 2..4),
        lawful in prop::bool::weighted(0.8),
    ) {
        let all = datagrams(&drawn, lawful);
        let mut logs = vec![Vec::new(); LOGS.len()];
        for (one, datagram) in drawn.iter().zip(&all) {
            let mut record = Vec::new();
            usv::write(datagram, &mut record);
            one.copy.iter().for_each(|log| logs[*log].push(record.clone()));
            logs[one.log].push(record);
        }
        let law = law(&all);
        for course in &courses {
            let dir = tempfile::tempdir().unwrap();
            let home = home(dir.path(), "n", now());
            goes_through(&home, course, &logs);
            // It counts what the list has, wherever the checkpoint ends; where somebody says that he saw what
            // was written after him perhaps more.
            let counted = |losses: Losses| match lawful {
                true => losses.fields == law.len(),
                false => losses.fields >= law.len(),
            };
            prop_assert!(home.losses().unwrap().is_none_or(counted), "{law:?}");
            prop_assert_eq!(plain(home.conflicts(None).unwrap()), law.clone());
            prop_assert!(home.losses().unwrap().is_some_and(counted), "{law:?}");
            compact(&home);
            prop_assert!(home.losses().unwrap().is_some_and(counted), "{law:?}");
            prop_assert_eq!(plain(home.conflicts(None).unwrap()), law.clone());
            prop_assert_eq!(home.losses().unwrap().unwrap().fields, law.len());
            let acme = Target::read("companies/acme").unwrap();
            let of_acme: Vec<_> = law.iter().filter(|(t, ..)| *t == acme).cloned().collect();
            prop_assert_eq!(plain(home.conflicts(Some(&acme)).unwrap()), of_acme);
        }
    }
}

#[test]
fn what_is_counted_is_read_from_the_note_and_not_from_the_journals() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "n", now());
    let one = |node: usize, log: usize| Drawn {
        at: node as i64,
        node,
        target: 0,
        field: 0,
        value: node,
        saw: Some(Vec::new()),
        log,
        copy: None,
    };
    let all = datagrams(&[one(0, 0), one(2, 3)], true);
    let records: Vec<Vec<u8>> = all
        .iter()
        .map(|d| {
            let mut record = Vec::new();
            usv::write(d, &mut record);
            record
        })
        .collect();
    comes(&home, 0, &records[..1]);
    compact(&home);
    comes(&home, 3, &records[1..]);
    assert_eq!(home.losses().unwrap().unwrap().fields, 1);
    compact(&home);
    assert_eq!(home.losses().unwrap().unwrap().fields, 1);
    // Whoever deletes it, or damages it, makes the count unknown and no conflict unseen.
    let note = dir.path().join(paths::LOST);
    let text = std::fs::read(&note).unwrap();
    std::fs::write(&note, &text[..text.len() - 3]).unwrap();
    assert_eq!(home.losses().unwrap(), None);
    assert_eq!(home.conflicts(None).unwrap().len(), 1);
    assert_eq!(std::fs::read(&note).unwrap(), text);
    // What is removed is not counted, and is when it is back.
    let target = &all[0].target;
    let deleted = Field::read("_deleted").unwrap();
    let hide = |value| {
        let change = Change::new(target.clone(), deleted.clone(), Intent::Put(value));
        home.session(now()).unwrap().write("rm", &[change], true).unwrap();
    };
    hide(Value::truth());
    assert_eq!(home.losses().unwrap().unwrap().fields, 0);
    compact(&home);
    assert_eq!(home.conflicts(None).unwrap().len(), 0);
    hide(Value::null());
    assert_eq!(home.losses().unwrap().unwrap().fields, 1);
}

/// A journal with the city of a company, by one who saw of it what these stamps name.
fn city(at: i64, node: &str, city: &str, saw: &[&Entry]) -> (Vec<u8>, Entry) {
    let instant = Instant::from_micros(1_793_000_000_000_000 + at).unwrap();
    let stamp = Stamp { instant, node: NodeId::written(node).unwrap() };
    let causality = Causality::saw(saw.iter().map(|entry| &entry.stamp));
    let entry = Entry { stamp, value: Value::text(city), causality };
    let target = Target::read("companies/acme").unwrap();
    let mut record = Vec::new();
    let field = Field::read("city").unwrap();
    usv::write(&Datagram { target, field, entry: entry.clone() }, &mut record);
    (record, entry)
}

#[test]
fn what_comes_after_those_who_saw_it_were_merged_and_replaced_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "n", now());
    let (attic, first) = city(1, "attic", "Oslo", &[]);
    let (over, second) = city(2, "barn", "Rome", &[&first]);
    let (again, _) = city(3, "barn", "Bern", &[&second]);
    comes(&home, 1, &[over, again]);
    compact(&home);
    assert_eq!(home.losses().unwrap().unwrap().fields, 0);
    // Barn's second value replaced the one that says that the first was seen.
    comes(&home, 0, std::slice::from_ref(&attic));
    assert_eq!(home.losses().unwrap().unwrap().fields, 0);
    compact(&home);
    assert_eq!(home.losses().unwrap().unwrap().fields, 0);
    assert!(home.conflicts(None).unwrap().is_empty());
    // One that nobody saw is, from the first moment on.
    let (late, _) = city(1, "cabin", "Lyon", &[]);
    comes(&home, 3, &[late]);
    assert_eq!(home.losses().unwrap().unwrap().fields, 1);
    compact(&home);
    assert_eq!(home.losses().unwrap().unwrap().fields, 1);
    assert_eq!(home.conflicts(None).unwrap().len(), 1);
}
