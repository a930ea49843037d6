//! Two laptops that write notes and meetings on one company, apart for a week: when they meet all is there, in
//! order, on both.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use cocli_core::{Epoch, Field, Kind, Target, Value, convo};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};
use cocli_node::convo::to_the_second;
use cocli_node::durable::Durable;
use cocli_node::durable::fake::MemoryBucket;
use proptest::prelude::*;
use support::at;

/// What one of them does: at a second of the week, by the half-minute, so that many fall together.
#[derive(Debug, Clone, Copy)]
struct Step {
    who: usize,
    kind: Kind,
    second: i64,
    title: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(Kind::Note), Just(Kind::Meeting)];
    (0usize..2, kind, 0i64..40, 0usize..3).prop_map(|(who, kind, second, title)| Step {
        who,
        kind,
        second: second * 30,
        title,
    })
}

fn write(home: &Home, step: Step, dice: u64) {
    let when = at(step.second);
    let title = ["first-call", "kick-off", "x"][step.title];
    // As random as dice are: of small numbers the first letters are alike.
    let random = cocli_core::digest::text_hash(&dice.to_le_bytes()).to_le_bytes();
    let id = convo::id(step.kind, when, title, &Epoch::from_random(random));
    let target = Target::read(&format!("companies/acme/{}/{id}", step.kind.plural())).unwrap();
    let put = |field: &str, text: &str| {
        Change::new(target.clone(), Field::read(field).unwrap(), Intent::Put(Value::text(text)))
    };
    let changes = [
        put("timestamp", &to_the_second(when).to_string()),
        put("title", title),
        put("content", &dice.to_string()),
    ];
    home.session(at(step.second)).unwrap().write("note", &changes, false).unwrap();
}

fn told(home: &Home, kind: Kind) -> Vec<(i64, String, String)> {
    let acme = Target::read("companies/acme").unwrap();
    let all = home.convos(Some(&acme), kind).unwrap();
    all.iter()
        .map(|one| (one.at.unwrap().utc().micros(), one.target.to_string(), one.text("content")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn all_of_a_week_apart_is_on_both_in_order(steps in proptest::collection::vec(step(), 1..40)) {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let homes = [0, 1].map(|n| support::home(dirs[n].path(), ["one", "two"][n], at(0)));
        for home in &homes {
            support::write_city(home, at(0), "companies/acme", "Paris");
        }
        for (dice, step) in steps.iter().enumerate() {
            write(&homes[step.who], *step, dice as u64 + 1);
        }
        let bucket = MemoryBucket::new();
        for home in [&homes[0], &homes[1], &homes[0]] {
            let mut durable = Durable::open(home, &bucket, "memory:", true).unwrap().unwrap();
            durable.level(true, true, at(2000)).unwrap();
        }
        for kind in [Kind::Note, Kind::Meeting] {
            let (one, two) = (told(&homes[0], kind), told(&homes[1], kind));
            prop_assert_eq!(&one, &two);
            prop_assert!(one.is_sorted_by_key(|(at, ..)| *at));
            let mut contents: Vec<String> = one.into_iter().map(|(.., content)| content).collect();
            contents.sort();
            let mut written: Vec<String> = (steps.iter().enumerate())
                .filter(|(_, step)| step.kind == kind)
                .map(|(dice, _)| (dice + 1).to_string())
                .collect();
            written.sort();
            prop_assert_eq!(contents, written);
        }
    }
}
