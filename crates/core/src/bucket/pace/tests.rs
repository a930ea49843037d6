use alloc::format;
use alloc::vec::Vec;

use super::*;

fn node(name: &str) -> NodeId {
    NodeId::read(name).unwrap()
}

fn pace(nodes: usize) -> Pace {
    let mut pace = Pace::new(node("me"), INTERVAL_US, 0);
    pace.know(0, (0..nodes).map(|n| node(&format!("n{n}"))));
    pace
}

/// Lets time pass; gives what was due in it, done at once.
fn pass(pace: &mut Pace, from: Micros, until: Micros) -> Vec<(Micros, Due)> {
    let (mut all, mut now) = (Vec::new(), from);
    while now <= until {
        let due = pace.due(now);
        if !due.is_nothing() {
            pace.done(now, &due);
            all.push((now, due));
        }
        now = pace.deadline().max(now + 1);
    }
    all
}

#[test]
fn with_nothing_new_one_object_a_node_is_asked_for_every_two_minutes() {
    let hour = 3600 * SECOND;
    for nodes in [1, 4, 12] {
        let mut pace = pace(nodes);
        let all = pass(&mut pace, 0, 10 * hour - 1);
        let pulls: usize = all.iter().map(|(_, due)| due.pull.len()).sum();
        assert_eq!(pulls, nodes * 300);
        assert_eq!(all.iter().filter(|(_, due)| due.names).count(), 60);
        assert!(all.iter().all(|(_, due)| !due.push && !due.manifest && !due.trial));
    }
}

#[test]
fn of_many_nodes_the_manifest_is_asked_for_instead_of_each() {
    let mut pace = pace(30);
    let all = pass(&mut pace, 0, 36_000 * SECOND - 1);
    assert_eq!(all.iter().map(|(_, due)| due.pull.len()).sum::<usize>(), 30 * 60);
    assert_eq!(all.iter().filter(|(_, due)| due.manifest).count(), 299);
}

#[test]
fn a_node_that_gossip_is_level_with_is_asked_every_ten_minutes_and_sooner_when_it_is_gone() {
    let mut pace = pace(1);
    pace.level(0, [node("n0")].into());
    assert_eq!(
        pass(&mut pace, 0, 3600 * SECOND - 1).iter().filter(|(_, d)| !d.pull.is_empty()).count(),
        6
    );
    pace.level(3600 * SECOND, BTreeSet::new());
    let all = pass(&mut pace, 3600 * SECOND, 3720 * SECOND);
    assert!(all.iter().any(|(_, due)| !due.pull.is_empty()));
}

#[test]
fn a_node_that_is_level_again_and_again_is_asked_no_oftener_than_one_that_always_is() {
    let mut pace = pace(1);
    let mut pulls = 0;
    for now in (0..36_000).map(|tick| tick * SECOND) {
        pace.level(now, (now / SECOND).is_multiple_of(7).then(|| node("n0")).into_iter().collect());
        let due = pace.due(now);
        pulls += due.pull.len();
        if !due.is_nothing() {
            pace.done(now, &due);
        }
    }
    assert_eq!(pulls, 60);
}

#[test]
fn what_no_other_holds_is_uploaded_after_thirty_seconds_and_much_at_once() {
    let mut pace = pace(0);
    let _ = pass(&mut pace, 0, 0);
    let second = SECOND;
    pace.lacks(10 * second, Lacking { own: 100, unspread: 100, ..Lacking::default() });
    assert!(!pace.due(39 * second).push);
    assert!(pace.due(40 * second).push);
    pace.lacks(20 * second, Lacking { own: OBJECT_CLOSED_BYTES, ..Lacking::default() });
    assert!(pace.due(20 * second).push);
}

#[test]
fn what_others_hold_is_uploaded_every_two_and_a_half_minutes_at_most() {
    let mut pace = pace(0);
    let mut pushes = 0;
    for tick in 0..3600 {
        let now = tick * SECOND;
        pace.lacks(now, Lacking { own: 100, ..Lacking::default() });
        let due = pace.due(now);
        if !due.is_nothing() {
            pace.done(now, &due);
            pushes += u32::from(due.push);
        }
    }
    assert_eq!(pushes, 24);
}

#[test]
fn what_others_hold_but_for_the_last_seconds_of_it_waits_two_and_a_half_minutes_and_what_none_holds_thirty_seconds()
 {
    // By turns: of what is written one by one, others hold now all and now all but the last.
    let lags: [(&[u64], _, _); 4] =
        [(&[300], 23, 24), (&[0], 23, 24), (&[0, 300, 0, 0, 300], 23, 24), (&[u64::MAX], 100, 120)];
    for (lag, fewest, most) in lags {
        let (mut pace, mut pushes, mut own) = (pace(0), 0, 0);
        for (now, unspread) in (0..3600).map(|tick| tick * SECOND).zip(lag.iter().cycle()) {
            own += 100;
            pace.lacks(now, Lacking { own, unspread: *unspread, ..Lacking::default() });
            let due = pace.due(now);
            if !due.is_nothing() {
                pace.done(now, &due);
                pushes += u32::from(due.push);
                own = if due.push { 0 } else { own };
            }
        }
        assert!((fewest..=most).contains(&pushes), "{lag:?}: {pushes}");
    }
}

#[test]
fn what_others_wrote_waits_ten_to_fifteen_minutes_and_not_the_same_for_each() {
    let log = LogId::read("far").unwrap();
    let lacking = Lacking { others: [(log.clone(), (0, 100))].into(), ..Lacking::default() };
    let waits: BTreeSet<Micros> = (0..8)
        .map(|n| {
            let mut pace = Pace::new(node(&format!("n{n}")), INTERVAL_US, 0);
            pace.lacks(0, lacking.clone());
            let all = pass(&mut pace, 0, 1000 * SECOND);
            all.iter().find(|(_, due)| due.carried.contains(&log)).unwrap().0
        })
        .collect();
    assert!(waits.iter().all(|at| (600 * SECOND..=900 * SECOND).contains(at)), "{waits:?}");
    assert!(waits.len() > 4);
    let mut pace = Pace::new(node("me"), INTERVAL_US, 0);
    pace.lacks(0, lacking);
    pace.lacks(300 * SECOND, Lacking::default());
    assert!(pass(&mut pace, 0, 2000 * SECOND).iter().all(|(_, due)| !due.push));
}

#[test]
fn a_log_that_grows_and_comes_to_the_bucket_by_its_own_node_is_never_carried() {
    let log = LogId::read("n0").unwrap();
    let mut pace = pace(1);
    pace.level(0, [node("n0")].into());
    // Something new each second; its node uploads every two minutes, and what it uploaded is met when it is looked at.
    let (mut held, mut there, mut met, mut looks) = (0, 0, 0, 0);
    for now in (0..36_000).map(|tick| tick * SECOND) {
        held += 100;
        if now.is_multiple_of(INTERVAL_US) {
            there = held;
        }
        pace.lacks(
            now,
            Lacking { others: [(log.clone(), (met, held))].into(), ..Lacking::default() },
        );
        let due = pace.due(now);
        assert!(due.carried.is_empty() && !due.push, "{now}");
        if !due.is_nothing() {
            if due.pull.contains(&node("n0")) {
                (met, looks) = (there, looks + 1);
            }
            pace.done(now, &due);
        }
    }
    assert!(looks <= 80, "{looks}");
    // It uploads no more.
    let mut carried = 0;
    for now in (36_000..37_200).map(|tick| tick * SECOND) {
        pace.lacks(
            now,
            Lacking { others: [(log.clone(), (met, held))].into(), ..Lacking::default() },
        );
        let due = pace.due(now);
        carried += u32::from(due.carried.contains(&log));
        if !due.is_nothing() {
            pace.done(now, &due);
        }
    }
    assert!(carried > 0);
}

#[test]
fn an_hour_without_a_bucket_costs_few_tries_and_it_is_found_within_twenty_seconds() {
    let mut pace = pace(4);
    let (mut now, mut tries, mut dice) = (0, 0u32, 7u64);
    while now < 3600 * SECOND {
        let due = pace.due(now);
        if !due.is_nothing() {
            assert!(tries == 0 || (due.trial && due.pull.is_empty()));
            tries += 1;
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pace.failed(now, FailureKind::Away, dice >> 16);
        }
        now = pace.deadline().max(now + 1);
    }
    assert!(tries < 370, "{tries}");
    assert!(pace.deadline() <= 3620 * SECOND);
    let due = pace.due(pace.deadline());
    assert!(due.trial);
    pace.done(now, &due);
    assert_eq!(pace.due(now).pull.len(), 4);
}

#[test]
fn where_the_store_says_no_it_is_asked_every_five_minutes() {
    let mut pace = pace(1);
    pace.failed(0, FailureKind::Denied, 0);
    assert_eq!(pace.deadline(), 150 * SECOND);
    pace.failed(0, FailureKind::Denied, u64::MAX);
    assert!(pace.deadline() <= 300 * SECOND);
}

#[test]
fn a_small_budget_makes_all_of_it_slower() {
    let mut pace = pace(4);
    pace.stretch(4000);
    let all = pass(&mut pace, 0, 36_000 * SECOND - 1);
    assert_eq!(all.iter().map(|(_, due)| due.pull.len()).sum::<usize>(), 4 * 75);
}
