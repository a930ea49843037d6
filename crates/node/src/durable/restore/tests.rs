#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::bucket::{Bucket, Coverage, Key};
use cocli_core::{ClusterId, Datagram, NodeId};
use cocli_store::FakeDisk;
use cocli_store::disk::fake::{Fault as DiskFault, Times};
use proptest::prelude::*;

use super::super::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use super::super::staged::{URL, at, birth, disk, durable, node, publish, pull, push, rim, set};
use super::super::{Durable, Which};
use super::*;
use crate::error::NodeError;
use crate::home::Membership;
use crate::undo::Wanted;

fn back(disk: &FakeDisk, bucket: &dyn Bucket, second: i64) -> Result<(Home, Restored)> {
    let source = Source { bucket, url: URL, missing_is_denied: false, watch: &|_, _, _| () };
    let (path, birth) = (Path::new("then"), birth("then", 9));
    restore_onto(Arc::new(disk.clone()), path, &birth, rim(), (source, at(second)), at(90_000))
}

fn told(all: Vec<Datagram>) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().map(usv::line).collect();
    lines.sort();
    lines
}

fn history(home: &Home) -> Vec<String> {
    told(home.history(None, None).unwrap())
}

fn history_until(home: &Home, second: i64) -> Vec<String> {
    let mut all = home.history(None, None).unwrap();
    all.retain(|datagram| datagram.entry.stamp.instant <= at(second));
    told(all)
}

/// Uploads all that is held, whatever others have uploaded.
fn push_all_again(home: &Home, bucket: &dyn Bucket) {
    let mut durable = durable(home, bucket);
    durable.seen.covered = Coverage::default();
    durable.push(&Which::All, at(80_000)).unwrap();
}

fn team(bucket: &MemoryBucket) -> Home {
    let (attic, barn) = (node("attic"), node("barn"));
    for n in 0..20 {
        set(&attic, &format!("companies/c{n}"), "name", &format!("Company {n}"), at(n));
    }
    push(&attic, bucket, at(21));
    set(&attic, "companies/c3", "name", "Worse", at(30));
    set(&barn, "companies/c4", "city", "Bonn", at(30));
    push(&attic, bucket, at(31));
    publish(&barn, bucket, 1, at(32));
    push_all_again(&barn, bucket);
    barn
}

#[test]
fn it_is_as_it_was_then_alone_and_nothing_of_it_is_undone_as_a_command() {
    let bucket = MemoryBucket::new();
    let barn = team(&bucket);
    let before = bucket.contents();
    let (home, restored) = back(&disk(), &bucket, 29).unwrap();
    assert_eq!((restored.records, restored.later, restored.odd), (20, 2, 0));
    assert_eq!((restored.companies, restored.cards.written), (20, 20));
    assert!(restored.beginnings.is_empty() && restored.notices.is_empty());
    assert_eq!(history(&home), history_until(&barn, 29));
    let card = home.disk.read("companies/c3/_index.md").unwrap();
    assert!(String::from_utf8(card).unwrap().contains("name: Company 3"));
    assert_eq!((home.cluster(), home.keys().unwrap()), (ClusterId([9; 16]), Vec::new()));
    assert_eq!(
        (home.config().bucket.url.as_ref(), &home.config().gossip.peers[..]),
        (None, &[][..])
    );
    let from = home.config().restored_from.as_ref().unwrap();
    assert_eq!((&*from.bucket, &*from.at), (URL, &*at(29).to_string()));
    let membership = Membership { cluster: barn.cluster(), keys: vec![1], peers: Vec::new() };
    assert!(matches!(home.join(&membership), Err(NodeError::Restored { .. })));
    assert!(matches!(home.keep_bucket(URL), Err(NodeError::Restored { .. })));
    assert!(matches!(Durable::open(&home, &bucket, URL, true), Err(NodeError::Restored { .. })));
    let mut session = home.session(at(90_001)).unwrap();
    assert!(session.plan_undo(&Wanted::default()).unwrap().changes.is_empty());
    assert_eq!(bucket.contents(), before);
}

#[test]
fn where_the_objects_do_not_reach_back_it_is_said_from_which_day_on_they_do() {
    let bucket = MemoryBucket::new();
    let attic = node("attic");
    for day in 0..3 {
        set(&attic, &format!("companies/c{day}"), "name", "Name", at(day * 86_400));
        push(&attic, &bucket, at(day * 86_400 + 1));
    }
    bucket.lose(&Key::object(attic.node(), 1));
    let (_, restored) = back(&disk(), &bucket, 1_000_000).unwrap();
    // Without the first, which nobody may remove, whoever asks in order finds nothing.
    assert_eq!((restored.records, restored.beginnings.len()), (0, 0));
    bucket.plant(&Key::object(attic.node(), 1), b"rot");
    let (_, restored) = back(&disk(), &bucket, 1_000_000).unwrap();
    let log = LogId::read("attic").unwrap();
    let day = at(86_400).day();
    assert_eq!((restored.records, restored.beginnings), (2, vec![Beginning { log, day }]));
    assert!(restored.notices[0].contains("/attic/1 in the bucket: "), "{:?}", restored.notices);
}

#[test]
fn cut_off_anywhere_it_begins_anew_and_takes_every_record_once() {
    let bucket = MemoryBucket::new();
    let barn = team(&bucket);
    let expected = history_until(&barn, 30);
    let is_whole = |place: &FakeDisk, what: &str| {
        let home = match back(place, &bucket, 30) {
            Ok((home, _)) => home,
            Err(NodeError::HomeExists(_)) => {
                Home::over(Arc::new(place.clone()), Path::new("then"), rim()).unwrap()
            }
            Err(error) => panic!("{what}: {error}"),
        };
        assert_eq!(history(&home), expected, "{what}");
    };
    for at in 1.. {
        let faulty = Faulty::new(bucket.clone(), Plan::default());
        let chosen = Some(Chosen { at, fault: Fault::Away, for_good: false });
        faulty.follow(Plan { chosen, ..Plan::default() });
        let place = disk();
        let ended = back(&place, &faulty, 30).is_ok();
        if ended {
            assert!(at > 10, "{at} requests");
            break;
        }
        is_whole(&place, &format!("request {at}"));
    }
    let step = std::env::var("CASES").map_or(11, |_| 1);
    for fault in [DiskFault::Crash, DiskFault::Error] {
        for k in (1..).step_by(step) {
            let place = disk();
            place.fail_at(k, fault, Times::ForGood);
            let ended = back(&place, &bucket, 30).is_ok();
            place.heal();
            match fault {
                DiskFault::Crash => place.crash(k),
                _ => place.kill(),
            }
            is_whole(&place, &format!("{fault:?} at {k}"));
            if ended {
                assert!(k > 100, "{k} operations");
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_tells_of_each_entity_what_a_home_with_all_history_tells_of_that_time(
        steps in prop::collection::vec((0..3_usize, 0..8_u8, 0..5_u8, 0..4_u8), 1..40),
        then in 0..45_i64,
    ) {
        let bucket = MemoryBucket::new();
        let homes = ["attic", "barn", "cellar"].map(node);
        push(&homes[0], &bucket, at(0));
        for (now, (who, target, value, what)) in (1..).zip(&steps) {
            let home = &homes[*who];
            match what {
                0 => pull(home, &bucket, at(now)),
                1 => push_all_again(home, &bucket),
                _ => set(home, &format!("companies/c{target}"), "name", &format!("Name {value}"), at(now)),
            }
        }
        homes.iter().for_each(|home| push(home, &bucket, at(50)));
        let whole = node("whole");
        pull(&whole, &bucket, at(60));
        let (home, _) = back(&disk(), &bucket, then).unwrap();
        prop_assert_eq!(history(&home), history_until(&whole, then));
        let targets: BTreeSet<_> = steps.iter().map(|step| format!("companies/c{}", step.1)).collect();
        for target in targets {
            let target = cocli_core::Target::read(&target).unwrap();
            prop_assert_eq!(home.entity(&target).unwrap(), whole.entity_at(&target, at(then)).unwrap());
        }
        prop_assert!(home.journals().unwrap().logs().all(|log| log.node == NodeId::read("then").unwrap()));
    }
}
