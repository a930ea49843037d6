//! The laws of the merge (docs/merge.md), drawn with equal times and different values.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use cocli_core::digest::hash;
use cocli_core::expiry::{is_carried, is_unfinished};
use cocli_core::stamp::next_instant;
use cocli_core::{
    Causality, Datagram, Entry, Field, Instant, Kind, NodeId, Stamp, State, Target, Value, usv,
};
use proptest::prelude::*;

fn stamp() -> impl Strategy<Value = Stamp> {
    // Few instants and few nodes, so that most draws tie.
    (0_i64..4, 0_usize..3).prop_map(|(at, node)| Stamp {
        instant: Instant::from_micros(at).unwrap(),
        node: NodeId::read(["a", "b", "B"][node]).unwrap(),
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::null()),
        Just(Value::truth()),
        any::<String>().prop_map(|text| Value::text(&text)),
        prop::collection::vec("[a-c]", 0..3).prop_map(|list| Value::json(&serde_json::json!(list))),
    ]
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let target = prop::sample::select(vec!["companies/x", "companies/y", "companies/x/notes/n"]);
    let field = prop::sample::select(vec![
        "name",
        "tags",
        "tags.a",
        "tags.b",
        "_deleted",
        "email_contexts.a",
    ]);
    let causality = prop_oneof![
        Just(Causality::unsaid()),
        Just(Causality::nothing()),
        stamp().prop_map(|s| Causality::saw([&s])),
    ];
    (target, field, stamp(), value(), causality).prop_map(|(t, f, stamp, value, causality)| {
        Datagram {
            target: Target::read(t).unwrap(),
            field: Field::read(f).unwrap(),
            entry: Entry { stamp, value, causality },
        }
    })
}

/// A block split into plain records and others holds what reading each of its records gives.
fn same_by_both_ways(block: &[u8]) -> Result<(), TestCaseError> {
    let mut found = Vec::new();
    usv::split(block, |one| found.push(one));
    let records: Vec<_> = usv::records(block).collect();
    prop_assert_eq!(found.len(), records.len());
    for (one, record) in found.into_iter().zip(records) {
        match one {
            usv::Found::Other(other) => prop_assert_eq!(other, record),
            usv::Found::Plain(plain) => {
                prop_assert_eq!(plain.record, record);
                let datagram = usv::read_in(block, record).unwrap();
                let line = usv::line(&datagram);
                prop_assert_eq!(line.as_bytes(), plain.line.bytes);
                let key = (datagram.target.as_str().as_bytes(), datagram.field.as_str().as_bytes());
                prop_assert_eq!(plain.line.key(), key);
                prop_assert_eq!(usv::Line::of(plain.line.bytes), Some(plain.line));
                let shard = cocli_core::digest::shard(&datagram.target);
                prop_assert_eq!((plain.entity_hash & 0xff) as u8, shard);
            }
        }
    }
    Ok(())
}

fn state_of(datagrams: &[Datagram]) -> State {
    let mut state = State::default();
    state.extend(datagrams.iter().cloned());
    state
}

/// Law 1 told a second time, without the code under test: the oracle.
fn oracle(datagrams: &[Datagram], target: &Target, field: &Field) -> Option<Entry> {
    let mut best: Option<&Datagram> = None;
    for d in datagrams.iter().filter(|d| d.target == *target && d.field == *field) {
        let key = |d: &Datagram| {
            (
                d.entry.stamp.instant.micros(),
                d.entry.stamp.node.as_str().as_bytes().to_vec(),
                d.entry.value.as_str().as_bytes().to_vec(),
                d.entry.causality.as_str().as_bytes().to_vec(),
            )
        };
        if best.is_none_or(|b| key(d) > key(b)) {
            best = Some(d);
        }
    }
    best.map(|d| d.entry.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn of_two_lines_of_one_field_the_winner_is_the_greater_by_bytes(a in datagram(), b in datagram()) {
        let (line_a, line_b) = (usv::line(&a), usv::line_of(&a.target, &a.field, &b.entry));
        prop_assert_eq!(line_a.as_bytes().cmp(line_b.as_bytes()), a.entry.cmp(&b.entry));
    }

    #[test]
    fn a_line_found_in_a_record_is_the_one_that_reading_it_gives(
        datagrams in prop::collection::vec(datagram(), 1..6),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        unchecked in any::<bool>(),
    ) {
        let mut block = Vec::new();
        for datagram in &datagrams {
            usv::write(datagram, &mut block);
        }
        if unchecked {
            block.extend_from_slice(b"2026-02-18T17:04:05Z\x1fpi1\x1fcompanies/x\x1fname\x1fX\x1f\x1e");
        }
        for (at, byte) in &flips {
            let at = at.index(block.len());
            block[at] = *byte;
        }
        same_by_both_ways(&block)?;
    }

    #[test]
    fn the_winner_is_the_greatest_by_instant_node_value_causality(
        all in prop::collection::vec(datagram(), 1..20)
    ) {
        let state = state_of(&all);
        for d in &all {
            let winner = state.winner(&d.target, &d.field).cloned();
            prop_assert_eq!(winner, oracle(&all, &d.target, &d.field));
        }
    }

    #[test]
    fn a_merge_is_commutative_and_idempotent(
        (all, shuffled) in prop::collection::vec(datagram(), 0..20)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        again in 0_usize..20,
    ) {
        let mut twice = shuffled.clone();
        twice.extend(shuffled.iter().take(again).cloned());
        let (one, other) = (state_of(&all), state_of(&twice));
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_merge_is_associative(
        all in prop::collection::vec(datagram(), 0..20), cut in 0_usize..20
    ) {
        let cut = cut.min(all.len());
        let mut joined = state_of(&all[..cut]);
        let right = state_of(&all[cut..]);
        joined.extend(right.entries().map(|(t, f, e)| Datagram {
            target: t.clone(), field: f.clone(), entry: e.clone(),
        }));
        prop_assert_eq!(joined, state_of(&all));
    }

    #[test]
    fn the_digest_is_the_sum_over_the_state_lines(all in prop::collection::vec(datagram(), 0..20)) {
        let state = state_of(&all);
        let sum = state.entries().fold(0_u128, |sum, (t, f, e)| {
            sum.wrapping_add(hash(usv::line_of(t, f, e).as_bytes()))
        });
        prop_assert_eq!(state.digest().0, sum);
    }

    #[test]
    fn a_writer_beats_all_that_it_saw(wall in 0_i64..6, seen in prop::collection::vec(stamp(), 0..4)) {
        let instant = next_instant(Instant::from_micros(wall).unwrap(), &seen);
        prop_assert!(instant.micros() >= wall);
        prop_assert!(seen.iter().all(|stamp| instant > stamp.instant));
    }

    #[test]
    fn a_record_reads_back_as_the_datagram(d in datagram()) {
        let mut bytes = Vec::new();
        usv::write(&d, &mut bytes);
        prop_assert_eq!(usv::records(&bytes).count(), 1);
        prop_assert_eq!(usv::read(&bytes).unwrap(), d.clone());
        prop_assert_eq!(usv::read_line(usv::line(&d).as_bytes()).unwrap(), d);
    }

    #[test]
    fn a_damaged_record_of_ours_is_odd(d in datagram(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = Vec::new();
        usv::write(&d, &mut bytes);
        let at = at.index(bytes.len() - 1);
        bytes[at] ^= 1 << bit;
        // White space before a record is no damage; every other change is.
        for record in usv::records(&bytes) {
            if let Ok(read) = usv::read_in(&bytes, record) {
                prop_assert_eq!(read, d.clone());
            }
        }
        bytes[at] = usv::RS;
        for record in usv::records(&bytes) {
            // Without its check alone a record that names no causality still says the same.
            if let Ok(read) = usv::read_in(&bytes, record) {
                prop_assert_eq!(read, d.clone());
            }
        }
    }

    #[test]
    fn a_record_behind_a_damaged_separator_is_rescued(
        first in datagram(), second in datagram(), byte in any::<u8>().prop_filter("an RS", |b| *b != usv::RS)
    ) {
        let mut bytes = Vec::new();
        usv::write(&first, &mut bytes);
        let end = bytes.len();
        bytes[end - 1] = byte;
        usv::write(&second, &mut bytes);
        prop_assert!(usv::read(&bytes).is_err());
        prop_assert_eq!(usv::rescue(&bytes), Some((end, second)));
    }

    #[test]
    fn any_bytes_are_a_datagram_or_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(d) = usv::read(&bytes) {
            let mut again = Vec::new();
            usv::write(&d, &mut again);
            prop_assert_eq!(usv::read(&again).unwrap(), d);
        }
    }

    #[test]
    fn an_element_stands_over_the_list_when_it_is_greater(list in stamp(), element in stamp()) {
        let tags = Field::read("tags").unwrap();
        let target = Target::read("companies/x").unwrap();
        let put = |field: &str, stamp: &Stamp, value: Value| Datagram {
            target: target.clone(),
            field: Field::read(field).unwrap(),
            entry: Entry { stamp: stamp.clone(), value, causality: Causality::unsaid() },
        };
        let state = state_of(&[
            put("tags", &list, Value::read("[\"a\",\"b\"]")),
            put("tags.a", &element, Value::null()),
            put("tags.c", &element, Value::truth()),
        ]);
        let entity = state.entity(&target).unwrap();
        let members: Vec<String> = entity.members(&tags).into_iter().map(|m| m.text).collect();
        let expected: &[&str] = if element > list { &["b", "c"] } else { &["a", "b"] };
        prop_assert_eq!(members, expected);
    }
}

#[test]
fn a_removed_target_hides_what_stands_below_it_until_it_is_revived() {
    let at = |micros| Stamp {
        instant: Instant::from_micros(micros).unwrap(),
        node: NodeId::read("a").unwrap(),
    };
    let put = |target: &str, micros, field: &str, value: Value| Datagram {
        target: Target::read(target).unwrap(),
        field: Field::read(field).unwrap(),
        entry: Entry { stamp: at(micros), value, causality: Causality::nothing() },
    };
    let note = Target::read("companies/x/notes/n").unwrap();
    let mut state = State::default();
    state.merge(put("companies/x/notes/n", 1, "title", Value::text("hello")));
    state.merge(put("companies/x", 2, "_deleted", Value::truth()));
    // What a stale writer adds later does not bring it back.
    state.merge(put("companies/x", 3, "name", Value::text("X")));
    assert_eq!(state.removed(&note).map(|entry| &entry.stamp), Some(&at(2)));
    state.merge(put("companies/x", 4, "_deleted", Value::null()));
    assert_eq!(state.removed(&note), None);
}

#[test]
fn every_read_form_is_one_datagram() {
    let forms = [
        "2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X",
        "2026-02-18T17:04:05+00:00\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X\u{1f}\u{1e}",
        "\n 2026-02-18T18:04:05.0+01:00\u{1f}pi1\u{1f}roadmap\u{1f}companies/x\u{1f}name\u{1f}X\u{1f}\u{1e}",
        "2026-02-18T17:04:05.000000Z\u{1f}pi1\u{1f}roadmap\u{1f}prod\u{1f}companies/x\u{1f}name\u{1f}X\u{1f}",
    ];
    let first = usv::read(forms[0].as_bytes()).unwrap();
    for form in forms {
        assert_eq!(usv::read(form.as_bytes()).unwrap(), first);
    }
}

#[test]
fn records_that_break_a_rule_are_odd_and_say_why() {
    for (record, why) in [
        ("", "fields"),
        ("2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}name", "4 fields"),
        (
            "2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}a\u{1f}b\u{1f}c",
            "7 fields",
        ),
        ("2999\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X", "timestamp"),
        ("9999-01-01T00:00:00Z\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X", "timestamp"),
        ("2026-02-18T17:04:05Z\u{1f}x/../y\u{1f}companies/x\u{1f}name\u{1f}X", "node"),
        ("2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/../x\u{1f}name\u{1f}X", "target"),
        ("2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}my name\u{1f}X", "field"),
        ("2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X\u{1f}what", "causality"),
        (
            "2026-02-18T17:04:05Z\u{1f}pi1\u{1f}companies/x\u{1f}name\u{1f}X\u{1f}-#00000000",
            "check",
        ),
    ] {
        let odd = usv::read(record.as_bytes()).unwrap_err().to_string();
        assert!(odd.contains(why), "{record:?}: {odd}");
    }
}

#[test]
fn a_list_of_the_python_program_reads_as_a_set() {
    let record = "2026-11-22T07:38:23.020015+00:00\u{1f}laptop\u{1f}companies/s\u{1f}tags\u{1f}[\"roadmap\", \"b\", \"\\u00e9\", \"roadmap\"]\u{1f}\u{1e}";
    let mut state = State::default();
    state.merge(usv::read(record.as_bytes()).unwrap());
    let entity = state.entity(&Target::read("companies/s").unwrap()).unwrap();
    let tags = entity.value(Some(Kind::Company), &Field::read("tags").unwrap()).unwrap();
    assert_eq!(tags.as_str(), "[\"b\",\"roadmap\",\"\u{e9}\"]");
}

#[test]
fn what_this_program_writes_is_found_without_being_put_together() {
    let saw = Stamp::read("2026-11-22T07:38:23.020015+00:00@pi1").unwrap();
    for (target, field, value, plain) in [
        ("companies/x", "name", "Acme \u{e9}", true),
        ("companies/x/notes/n-x1y2", "tags.lead", "true", true),
        ("Nodes/Pi", "_deleted", "null", true),
        ("companies/x", "services", "[\"a\"]", false),
        ("companies/x", "tags.a%2Eb", "true", false),
    ] {
        let datagram = Datagram {
            target: Target::read(target).unwrap(),
            field: Field::read(field).unwrap(),
            entry: Entry {
                stamp: saw.clone(),
                value: Value::read(value),
                causality: Causality::saw([&saw, &saw]),
            },
        };
        let mut block = Vec::new();
        usv::write(&datagram, &mut block);
        let mut found = Vec::new();
        usv::split(&block, |one| found.push(matches!(one, usv::Found::Plain(_))));
        assert_eq!(found, [plain], "{target} {field} {value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Months go oldest first; what is carried over stands in one that stays.
    #[test]
    fn what_expires_leaves_each_field_as_it_was_or_gone_and_no_task_that_is_unfinished_goes(
        mut all in prop::collection::vec((expiring(), 0_usize..4), 0..24),
    ) {
        let state = |all: &[(Datagram, usize)], from: usize, to: usize| {
            let of = all.iter().filter(|(_, month)| (from..to).contains(month));
            state_of(&of.map(|(d, _)| d.clone()).collect::<Vec<_>>())
        };
        let before = state(&all, 0, 5);
        for month in 0..4 {
            let rest = state(&all, month + 1, 5);
            for (target, field, entry) in state(&all, month, month + 1).entries() {
                let kept = rest.entity(target).and_then(|entity| entity.fields.get(field));
                if is_carried(target, entry, kept) {
                    let (target, field, entry) = (target.clone(), field.clone(), entry.clone());
                    all.push((Datagram { target, field, entry }, 4));
                }
            }
        }
        let after = state(&all, 4, 5);
        for (target, field, entry) in after.entries() {
            let old = before.entity(target).and_then(|entity| entity.fields.get(field));
            prop_assert_eq!(old, Some(entry));
        }
        for (target, field, entry) in before.entries() {
            let stays = after.entity(target).is_some_and(|entity| entity.fields.contains_key(field));
            prop_assert!(stays || !is_unfinished(target, entry), "{target} {field}");
        }
    }
}

fn expiring() -> impl Strategy<Value = Datagram> {
    let target = prop::sample::select(vec!["nodes/pi1", "campaigns/a/queues/b"]);
    let values = vec![r#"{"state":"pending"}"#, r#"{"state":"done"}"#, "null", r#"{"n":1}"#];
    (target, prop::sample::select(vec!["x", "y"]), stamp(), prop::sample::select(values)).prop_map(
        |(target, field, stamp, value)| Datagram {
            target: Target::read(target).unwrap(),
            field: Field::read(field).unwrap(),
            entry: Entry { stamp, value: Value::read(value), causality: Causality::unsaid() },
        },
    )
}
