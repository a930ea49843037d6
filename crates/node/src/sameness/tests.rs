#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use cocli_core::Datagram;

use super::*;

type States = BTreeMap<Target, Entity>;

fn state(fields: &[(String, &str, &str)]) -> States {
    let mut all = States::new();
    for (target, field, value) in fields {
        let record = format!(
            "2026-11-23T10:00:00.000000+00:00\x1fpi1\x1f{target}\x1f{field}\x1f{value}\x1f\x1e"
        );
        let Datagram { target, field, entry } = usv::read(record.as_bytes()).unwrap();
        all.entry(target).or_default().merge(field, entry);
    }
    all
}

/// What a node with this state answers; all of it is one shard.
fn answers(all: &States) -> impl FnMut(&Part) -> Option<Answer> + '_ {
    |part| {
        let sums = |from| {
            let sums = all.iter().map(|(target, entity)| (hash_of(target), sum_of(target, entity)));
            let sums: BTreeMap<u64, StateDigest> = sums.filter(|(hash, _)| *hash >= from).collect();
            sums.into_iter().take(SUMS_MAX).collect::<Vec<_>>()
        };
        let of_all = || {
            let mut sum = StateDigest::default();
            sums(0).into_iter().for_each(|(_, one)| sum.join(one));
            sum
        };
        Some(match part {
            Part::Shards => Answer::Shards(vec![(7, of_all())]),
            Part::Targets { from, .. } => Answer::Targets(sums(*from)),
            Part::Lines { targets, .. } => {
                let lines = all.iter().filter(|(target, _)| targets.contains(&hash_of(target)));
                let lines = lines.flat_map(|(target, entity)| {
                    entity.fields.iter().map(|(field, entry)| line(target, field, entry))
                });
                Answer::Lines(lines.collect())
            }
        })
    }
}

fn found(here: &States, there: &States) -> Vec<Difference> {
    differing(answers(here), answers(there)).unwrap().into_iter().map(Pair::told).collect()
}

fn many(count: usize, value: &str) -> States {
    let fields: Vec<_> = (0..count).map(|n| (format!("companies/c{n}"), "name", value)).collect();
    state(&fields)
}

#[test]
fn target_and_field_of_what_differs_are_named_with_both_values() {
    let of = |email, name: bool| {
        let mut fields = vec![
            ("companies/acme".to_owned(), "email", email),
            ("companies/acme".to_owned(), "city", "Bern"),
            ("companies/other".to_owned(), "city", "Bern"),
        ];
        if name {
            fields.push(("people/jane".to_owned(), "name", "Jane"));
        }
        state(&fields)
    };
    assert_eq!(found(&of("a@b.c", true), &of("a@b.c", true)), []);
    let differs = |target: &str, field: &str, here: Option<&str>, there: Option<&str>| Difference {
        target: target.into(),
        field: field.into(),
        here: here.map(Into::into),
        there: there.map(Into::into),
    };
    assert_eq!(
        found(&of("a@b.c", true), &of("x@b.c", false)),
        [
            differs("companies/acme", "email", Some("a@b.c"), Some("x@b.c")),
            differs("people/jane", "name", Some("Jane"), None),
        ]
    );
}

#[test]
fn where_values_are_equal_it_is_told_who_wrote_them() {
    let here = state(&[("companies/acme".to_owned(), "email", "a@b.c")]);
    let mut there = here.clone();
    let entry = there.values_mut().next().unwrap().fields.values_mut().next().unwrap();
    entry.stamp.node = cocli_core::NodeId::read("pi9").unwrap();
    let [one] = &found(&here, &there)[..] else { panic!("not one") };
    assert!(one.here.as_ref().unwrap().contains("pi1"), "{one:?}");
    assert!(one.there.as_ref().unwrap().contains("pi9"), "{one:?}");
}

#[test]
fn no_more_are_told_than_may_be_and_targets_come_page_by_page() {
    assert_eq!(found(&many(50, "a"), &many(50, "b")).len(), DIFFERENCES_MAX);
    let here = many(SUMS_MAX + 9, "a");
    let mut there = here.clone();
    // The one with the greatest hash stands on the last page.
    let last = here.keys().max_by_key(|target| hash_of(target)).unwrap();
    there.remove(last);
    let mut pages = 0;
    let mut asked = answers(&there);
    let all = targets(
        &mut |part: &Part| {
            pages += 1;
            asked(part)
        },
        7,
    );
    assert_eq!((all.unwrap().len(), pages), (there.len(), 2));
    let mine = targets(&mut answers(&here), 7).unwrap();
    assert_eq!(unequal(mine, targets(&mut answers(&there), 7).unwrap()), [hash_of(last)]);
}

#[test]
fn who_cannot_tell_or_answers_something_else_ends_it() {
    let all = many(3, "a");
    let other = many(3, "b");
    assert!(differing(answers(&all), |_| None).is_none());
    assert!(differing(answers(&all), |_| Some(Answer::Lacks)).is_none());
    let mut asked = answers(&other);
    let torn = |part: &Part| match part {
        Part::Lines { .. } => Some(Answer::Shards(Vec::new())),
        part => asked(part),
    };
    assert!(differing(answers(&all), torn).is_none());
    // One that always has a full page is asked no longer than a shard may be.
    let mut asked = 0;
    let endless = |part: &Part| {
        asked += 1;
        match part {
            Part::Targets { from, .. } => {
                Some(Answer::Targets(vec![(*from, StateDigest(1)); SUMS_MAX]))
            }
            Part::Shards => Some(Answer::Shards(vec![(7, StateDigest(1))])),
            Part::Lines { .. } => Some(Answer::Lines(Vec::new())),
        }
    };
    let _ = differing(answers(&all), endless);
    assert!(asked <= PAGES_MAX + 2);
}
