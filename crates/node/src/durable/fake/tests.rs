use super::*;

fn key(text: &str) -> Key {
    Key::read(text).unwrap()
}

fn kinds(bucket: &Faulty<MemoryBucket>, calls: u64) -> Vec<Result<Created, FailureKind>> {
    let made = (0..calls).map(|n| bucket.create(&key(&format!("k/{n}")), b"v"));
    made.map(|made| made.map_err(|failure| failure.kind)).collect()
}

#[test]
fn the_second_to_create_is_told_and_changes_nothing() {
    let bucket = MemoryBucket::new();
    assert_eq!(bucket.create(&key("a/1"), b"first"), Ok(Created::New));
    assert_eq!(bucket.clone().create(&key("a/1"), b"second"), Ok(Created::Exists));
    assert_eq!(bucket.get(&key("a/1")), Ok(Some(b"first".to_vec())));
    assert_eq!(bucket.get(&key("a/2")), Ok(None));
    assert_eq!(bucket.asked(), Asked { get: 2, create: 2, ..Asked::default() });
}

#[test]
fn a_listing_is_in_order_and_folders_are_only_those_right_below() {
    let bucket = MemoryBucket::new();
    bucket.set_now(7);
    for name in ["ring/b/10", "ring/b/2", "ring/a/1", "ring/loose", "ringo/1"] {
        bucket.create(&key(name), b"xy").unwrap();
    }
    let listed = bucket.list(&key("ring/")).unwrap();
    let keys: Vec<&str> = listed.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["ring/a/1", "ring/b/10", "ring/b/2", "ring/loose"]);
    assert!(listed.iter().all(|one| one.bytes == 2 && one.written == 7));
    assert_eq!(bucket.folders(&key("ring/")).unwrap(), ["a", "b"]);
    bucket.remove(&[key("ring/a/1"), key("ring/none")]).unwrap();
    assert_eq!(bucket.folders(&key("ring/")).unwrap(), ["b"]);
}

#[test]
fn the_same_seed_fails_the_same_calls_and_another_seed_others() {
    let plan = Plan { seed: 5, away: 20, lost: 20, denied: 20, ..Plan::default() };
    let first = kinds(&Faulty::new(MemoryBucket::new(), plan), 200);
    assert_eq!(first, kinds(&Faulty::new(MemoryBucket::new(), plan), 200));
    assert_ne!(first, kinds(&Faulty::new(MemoryBucket::new(), Plan { seed: 6, ..plan }), 200));
    for kind in [FailureKind::Away, FailureKind::Denied] {
        assert!(first.contains(&Err(kind)), "{kind:?} was never drawn");
    }
    assert!(first.contains(&Ok(Created::New)));
}

#[test]
fn a_lost_answer_leaves_the_object_and_a_failure_before_leaves_none() {
    let lost = Faulty::new(MemoryBucket::new(), Plan { lost: 100, ..Plan::default() });
    assert_eq!(lost.create(&key("a"), b"v").unwrap_err().kind, FailureKind::Away);
    assert_eq!(lost.below().contents()["a"], b"v");
    for plan in [Plan { away: 100, ..Plan::default() }, Plan { denied: 100, ..Plan::default() }] {
        let bucket = Faulty::new(MemoryBucket::new(), plan);
        assert!(bucket.create(&key("a"), b"v").is_err());
        assert!(bucket.below().contents().is_empty());
        bucket.follow(Plan::default());
        assert_eq!(bucket.create(&key("a"), b"v"), Ok(Created::New));
    }
}

#[test]
fn the_chosen_operation_fails_once_or_for_good() {
    let chosen = Chosen { at: 3, fault: Fault::Away, for_good: false };
    let once = Faulty::new(MemoryBucket::new(), Plan { chosen: Some(chosen), ..Plan::default() });
    let failed = |made: Vec<Result<Created, FailureKind>>| -> Vec<usize> {
        (0..made.len()).filter(|&at| made[at].is_err()).collect()
    };
    assert_eq!(failed(kinds(&once, 6)), [2]);
    let chosen = Some(Chosen { for_good: true, ..chosen });
    let sticky = Faulty::new(MemoryBucket::new(), Plan { chosen, ..Plan::default() });
    assert_eq!(failed(kinds(&sticky, 6)), [2, 3, 4, 5]);
    assert_eq!((sticky.asked(), sticky.failed()), (6, 4));
}

#[test]
fn stale_views_miss_an_object_so_often_and_then_never_again() {
    let plan = Plan { stale_gets: 2, stale_lists: 1, ..Plan::default() };
    let bucket = Faulty::new(MemoryBucket::new(), plan);
    bucket.create(&key("ring/a/1"), b"v").unwrap();
    assert_eq!(bucket.create(&key("ring/a/1"), b"v"), Ok(Created::Exists));
    let seen: Vec<bool> = (0..5).map(|_| bucket.get(&key("ring/a/1")).unwrap().is_some()).collect();
    assert_eq!(seen, [false, false, true, true, true]);
    assert!(bucket.list(&key("ring/")).unwrap().is_empty());
    assert_eq!(bucket.list(&key("ring/")).unwrap().len(), 1);
    assert!(bucket.folders(&key("ring/")).unwrap().is_empty());
    assert_eq!(bucket.folders(&key("ring/")).unwrap(), ["a"]);
}
