//! A bucket that is not what it was: emptied, put back, damaged. Whatever it lacks then and somebody holds is
//! there again, and whoever begins with it lacks nothing.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cocli_core::bucket::lease::Watch;
use cocli_core::bucket::object::Part;
use cocli_core::bucket::pace::Due;
use cocli_core::bucket::{Bucket, Key, Object};
use cocli_core::frame::Range;
use cocli_core::{ChainHash, ClusterId, Field, Head, LogId, NodeId, Target, Value};
use cocli_store::{Command, HomeLock, paths};

use super::super::clone::{Source, clone_onto};
use super::super::fake::MemoryBucket;
use super::super::hub::Claim;
use super::super::staged::{URL, at, birth, disk, durable, node, node_on, rim, set};
use super::super::{Durable, Reach, Trip, Which};
use crate::home::Home;

#[derive(Default)]
struct Team {
    bucket: MemoryBucket,
}

impl Team {
    /// A home that begins with what stands in the bucket; and how much of that is incomplete.
    fn cloned(&self) -> (Home, usize, Vec<String>) {
        let source = Source {
            bucket: &self.bucket,
            url: URL,
            missing_is_denied: false,
            watch: &|_, _, _| (),
        };
        let birth = birth("fresh", 7);
        let (home, cloned) =
            clone_onto(Arc::new(disk()), Path::new("fresh"), &birth, rim(), source, at(9000))
                .unwrap();
        (home, cloned.waiting, cloned.damaged)
    }

    fn durable<'a>(&'a self, home: &'a Home) -> Durable<'a> {
        durable(home, &self.bucket)
    }

    fn level(&self, home: &Home) -> Trip {
        self.durable(home).level(true, true, at(1000)).unwrap()
    }

    /// What a daemon does once an hour or so, and uploads.
    fn go(&self, home: &Home) -> Trip {
        let due = Due { check: true, names: true, push: true, ..Due::default() };
        self.durable(home).go(&due, at(1000)).unwrap()
    }

    fn publish(&self, home: &Home) {
        let mut durable = self.durable(home);
        let claim = durable.claim_lease(&mut Watch::default(), 1, 300_000, &|| (0, at(1000)));
        let Claim::Held(mut term) = claim.unwrap() else { panic!("somebody else is hub") };
        durable.round(&mut term, "test", &|| (0, at(1000))).unwrap();
        durable.release(term).unwrap();
    }

    /// Takes away what was not there at an earlier time.
    fn put_back(&self, early: &BTreeMap<String, Vec<u8>>) {
        for key in self.bucket.contents().keys().filter(|key| !early.contains_key(*key)) {
            self.bucket.lose(&Key::read(key).unwrap());
        }
    }

    fn rot(&self, home: &Home, n: u64) {
        self.bucket.plant(&Key::object(home.node(), n), b"rot");
    }
}

fn write(home: &Home, second: i64, target: &str) {
    set(home, target, "city", "Paris", at(second));
}

fn has(home: &Home, target: &str) -> bool {
    home.text(&Target::read(target).unwrap(), "city").unwrap().as_deref() == Some("Paris")
}

#[test]
fn a_bucket_that_was_emptied_and_begun_again_is_filled_by_all_who_find_it() {
    let team = Team::default();
    let (one, two) = (node("one"), node("two"));
    for n in 0..3 {
        write(&one, n, &format!("companies/one-{n}"));
        write(&two, n, &format!("companies/two-{n}"));
        team.level(&one);
        team.durable(&two).push(&Which::All, at(1000)).unwrap();
    }
    let all = team.bucket.contents();
    for key in all.keys() {
        team.bucket.lose(&Key::read(key).unwrap());
    }
    let error = team.durable(&two).check().unwrap_err();
    assert!(error.to_string().contains("begins it anew"), "{error}");
    Durable::begin(&one, &team.bucket, URL, false).unwrap();
    let trip = team.go(&two);
    assert!(trip.pulled.notices[0].contains("begun again"), "{:?}", trip.pulled.notices);
    team.go(&one);
    let (fresh, ..) = team.cloned();
    for n in 0..3 {
        assert!(has(&fresh, &format!("companies/one-{n}")), "one-{n}");
        assert!(has(&fresh, &format!("companies/two-{n}")), "two-{n}");
    }
    assert_eq!(team.go(&two), Trip::default());
}

#[test]
fn a_bucket_that_was_put_back_to_an_earlier_state_is_filled_again_also_for_who_never_comes() {
    let team = Team::default();
    let (one, two, gone) = (node("one"), node("two"), node("gone"));
    write(&one, 1, "companies/early");
    team.level(&one);
    let early = team.bucket.contents();
    for n in 2..6 {
        write(&one, n, &format!("companies/one-{n}"));
        write(&gone, n, &format!("companies/gone-{n}"));
        team.level(&gone);
        team.level(&one);
    }
    team.level(&two);
    team.put_back(&early);
    // Who has nothing of its own there finds out by what others had.
    assert!(!team.level(&two).pulled.notices.is_empty());
    team.go(&one);
    let (fresh, ..) = team.cloned();
    for n in 2..6 {
        assert!(has(&fresh, &format!("companies/one-{n}")), "one-{n}");
        assert!(has(&fresh, &format!("companies/gone-{n}")), "gone-{n}");
    }
}

#[test]
fn who_wrote_an_object_that_rots_finds_out_and_uploads_again() {
    for rotten in 1..=4 {
        let team = Team::default();
        let one = node("one");
        for n in 1..=4 {
            write(&one, n, &format!("companies/acme-{n}"));
            team.go(&one);
        }
        team.rot(&one, rotten);
        for _ in 0..6 {
            team.go(&one);
        }
        let (fresh, waiting, damaged) = team.cloned();
        assert!((1..=4).all(|n| has(&fresh, &format!("companies/acme-{n}"))), "{rotten}");
        assert_eq!((waiting, damaged), (0, vec![Key::object(one.node(), rotten).to_string()]));
        let objects = team.bucket.contents().len();
        for _ in 0..6 {
            team.go(&one);
        }
        assert_eq!(team.bucket.contents().len(), objects, "it is uploaded once");
    }
}

#[test]
fn an_object_that_cannot_be_read_stops_nothing_behind_it_and_counts_when_it_can_again() {
    let team = Team::default();
    let (one, two) = (node("one"), node("two"));
    for n in 1..=40 {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    let before = team.bucket.contents();
    let rotten = [1, 7, 8, 9, 10, 40].map(|n| {
        team.rot(&one, n);
        Key::object(one.node(), n)
    });
    for _ in 0..3 {
        let due = Due { pull: [one.node().clone()].into(), ..Due::default() };
        team.durable(&two).go(&due, at(1000)).unwrap();
    }
    assert_eq!(team.durable(&two).seen().next_of(one.node()), 40);
    for key in &rotten {
        team.bucket.plant(key, &before[key.as_str()]);
    }
    team.go(&two);
    let due = Due { pull: [one.node().clone()].into(), ..Due::default() };
    team.durable(&two).go(&due, at(1000)).unwrap();
    assert!((1..=40).all(|n| has(&two, &format!("companies/acme-{n}"))));
    assert!(team.durable(&two).seen().damaged.is_empty());
}

#[test]
fn what_is_answered_for_an_object_that_is_not_there_yet_hides_nothing() {
    let team = Team::default();
    let (one, two) = (node("one"), node("two"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.level(&two);
    // A network that answers everything with its own page.
    for n in 2..60 {
        team.bucket.plant(&Key::object(one.node(), n), b"<html>please log in</html>");
    }
    for _ in 0..5 {
        team.level(&two);
    }
    for n in 2..60 {
        team.bucket.lose(&Key::object(one.node(), n));
    }
    write(&one, 2, "companies/bolt");
    team.level(&one);
    team.level(&two);
    assert!(has(&two, "companies/bolt"));
    assert!(team.durable(&two).seen().damaged.is_empty());
}

#[test]
fn what_no_object_holds_any_more_comes_from_the_published_checkpoint() {
    let team = Team::default();
    let (one, hub, late) = (node("one"), node("hub"), node("late"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.publish(&hub);
    write(&one, 2, "companies/bolt");
    team.durable(&one).push(&Which::All, at(1000)).unwrap();
    team.rot(&one, 1);
    write(&late, 3, "companies/late");
    let due = Due { check: true, names: true, ..Due::default() };
    for round in 0..2 {
        team.durable(&late).go(&due, at(1000)).unwrap();
        let due = Due { pull: [one.node().clone()].into(), ..Due::default() };
        team.durable(&late).go(&due, at(1000)).unwrap();
        // It may be on its way at first: gossip brings it, or who wrote it.
        assert!(round > 0 || !has(&late, "companies/acme"));
    }
    team.durable(&late).go(&due, at(1000)).unwrap();
    for company in ["acme", "bolt", "late"] {
        assert!(has(&late, &format!("companies/{company}")), "{company}");
    }
    assert_eq!(team.level(&late).pulled.notices, Vec::<String>::new());
}

/// All of a log from a position on.
fn range(home: &Home, from: u64) -> Range {
    let log = LogId::read("one").unwrap();
    let mut journals = home.journals().unwrap();
    let end = journals.end(&log);
    journals.read(&log, from, end, usize::MAX / 8).unwrap().unwrap()
}

/// Puts an object there as the first of a node.
fn plant(bucket: &MemoryBucket, node: &str, parts: Vec<Part>) {
    let node = NodeId::read(node).unwrap();
    let key = Key::object(&node, 1);
    let object = Object { cluster: ClusterId([7; 16]), node, n: 1, more: false, before: 0, parts };
    bucket.plant(&key, &zstd::encode_all(&object.text()[..], 1).unwrap());
}

fn part(range: Range) -> Part {
    Part { end: range.end(), range }
}

/// Two homes of one name that part behind their first record, and where that ends: the second's branch is the
/// greater.
fn parted() -> (Home, Home, u64) {
    let [one, clone] = [(); 2].map(|()| node("one"));
    for home in [&one, &clone] {
        write(home, 1, "companies/common");
    }
    let common = one.journals().unwrap().end(&LogId::read("one").unwrap());
    for n in 0..4 {
        write(&one, 2 + n, &format!("companies/a-{n}"));
    }
    write(&clone, 2, "companies/z-0");
    (one, clone, common)
}

#[test]
fn ranges_of_a_branch_that_is_judged_later_are_read_again_when_it_wins() {
    let team = Team::default();
    let (one, clone, common) = parted();
    let reader = node("reader");
    plant(&team.bucket, "one", vec![part(range(&one, 0))]);
    team.level(&reader);
    let split = range(&clone, common);
    let behind = split.end_position();
    write(&clone, 3, "companies/z-1");
    // Whoever carries the end of the other branch is read before who carries its beginning.
    plant(&team.bucket, "aa", vec![part(range(&clone, behind))]);
    plant(&team.bucket, "bb", vec![part(split)]);
    team.level(&reader);
    assert!(has(&reader, "companies/z-0") && has(&reader, "companies/z-1"));
    assert!((0..4).all(|n| has(&reader, &format!("companies/a-{n}"))));
}

#[test]
fn a_shorter_branch_that_gossip_brought_counts_as_lacking_in_the_bucket() {
    let team = Team::default();
    let (one, clone, common) = parted();
    let (reader, third) = (node("reader"), node("third"));
    plant(&team.bucket, "one", vec![part(range(&one, 0))]);
    team.level(&reader);
    let log = LogId::read("one").unwrap();
    let lock = HomeLock::take(&*reader.disk, "a test").unwrap();
    let mut journals = reader.journals().unwrap();
    let command = Command { at: at(50), verb: "fork".into() };
    journals.set_branch_aside(&lock, &log, common, at(50).day(), &command).unwrap();
    journals.append_range(&lock, &range(&clone, common)).unwrap();
    journals.sync(&lock).unwrap();
    drop((journals, lock));
    let lacking = reader.lacking(team.durable(&reader).seen(), 0).unwrap();
    assert!(lacking.others.contains_key(&log), "{lacking:?}");
    team.level(&reader);
    team.level(&third);
    assert!(has(&third, "companies/z-0"));
    assert!((0..4).all(|n| has(&third, &format!("companies/a-{n}"))));
}

#[test]
fn a_range_whose_bytes_do_not_lead_where_it_says_counts_for_nothing() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    write(&one, 1, "companies/acme");
    let mut forged = part(range(&one, 0));
    let bytes = String::from_utf8(forged.range.bytes.clone()).unwrap();
    forged.range.bytes = bytes.replace("Paris", "Parma").into_bytes();
    plant(&team.bucket, "aa", vec![forged]);
    let met = team.level(&one).pulled;
    assert!(met.notices[0].contains("does not lead to the hash"), "{:?}", met.notices);
    team.level(&reader);
    assert!(has(&reader, "companies/acme"));
}

#[test]
fn an_object_that_is_away_while_it_is_to_be_read_again_is_read_when_it_is_back() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    write(&one, 1, "companies/acme");
    let first = range(&one, 0);
    write(&one, 2, "companies/bolt");
    let second = part(range(&one, first.end_position()));
    plant(&team.bucket, "aa", vec![second]);
    team.level(&reader);
    let key = Key::object(&NodeId::read("aa").unwrap(), 1);
    let bytes = team.bucket.get(&key).unwrap().unwrap();
    team.bucket.lose(&key);
    plant(&team.bucket, "bb", vec![part(first)]);
    let all = team.durable(&reader).seen().writers();
    let pull = |team: &Team| {
        let mut durable = team.durable(&reader);
        durable.meet(true).unwrap();
        durable.pull(&all, Reach::All, at(1000)).unwrap();
    };
    pull(&team);
    let due = Due { pull: [NodeId::read("bb").unwrap()].into(), ..Due::default() };
    team.durable(&reader).go(&due, at(1000)).unwrap();
    assert!(has(&reader, "companies/acme") && !has(&reader, "companies/bolt"));
    team.bucket.plant(&key, &bytes);
    pull(&team);
    assert!(has(&reader, "companies/bolt"));
}

#[test]
fn a_hub_whose_newest_bytes_only_the_checkpoint_holds_publishes_no_less() {
    let team = Team::default();
    let (one, hub, next) = (node("one"), node("hub"), node("next"));
    for n in 1..=3 {
        write(&one, n, &format!("companies/acme-{n}"));
        team.level(&one);
        if n == 2 {
            team.level(&next);
        }
    }
    team.publish(&hub);
    // The last of it, with nothing behind: nothing waits for it.
    team.rot(&one, 3);
    write(&next, 9, "companies/next");
    team.publish(&next);
    team.publish(&next);
    let (fresh, ..) = team.cloned();
    assert!((1..=3).all(|n| has(&fresh, &format!("companies/acme-{n}"))));
    assert!(has(&fresh, "companies/next"));
    // A reader that never was a hub comes to know it, too.
    let reader = node("reader");
    team.level(&reader);
    assert!(has(&reader, "companies/acme-3"));
}

#[test]
fn a_published_file_that_cannot_be_read_keeps_nobody_from_uploading() {
    let team = Team::default();
    let (one, hub, late) = (node("one"), node("hub"), node("late"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.publish(&hub);
    write(&one, 2, "companies/bolt");
    team.durable(&one).push(&Which::All, at(1000)).unwrap();
    team.rot(&one, 1);
    let files = team.bucket.contents();
    for key in files.keys().filter(|key| key.starts_with(paths::CHECKPOINT)) {
        team.bucket.plant(&Key::read(key).unwrap(), b"rot");
    }
    for n in 0..3 {
        write(&late, 10 + n, &format!("companies/late-{n}"));
        let trip = team.level(&late);
        assert_eq!(trip.pushed.objects, 1);
        assert!(trip.pulled.notices.iter().any(|notice| notice.contains("damaged")));
        write(&late, 20 + n, &format!("companies/later-{n}"));
        assert_eq!(team.go(&late).pushed.objects, 1);
    }
}

#[test]
fn a_manifest_or_a_name_that_is_gone_begins_all_anew() {
    let team = Team::default();
    let (one, hub) = (node("one"), node("hub"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.publish(&hub);
    let before = team.bucket.contents();
    let newest = |team: &Team| team.durable(&hub).manifest().unwrap().unwrap().n;
    let n = newest(&team);
    write(&hub, 2, "companies/bolt");
    team.publish(&hub);
    assert!(newest(&team) > n);
    team.put_back(&before);
    assert_eq!(newest(&team), n);
    team.publish(&hub);
    let (fresh, ..) = team.cloned();
    assert!(has(&fresh, "companies/acme") && has(&fresh, "companies/bolt"));
    team.level(&one);
    let last = Key::node(team.durable(&one).seen().nodes - 1);
    team.bucket.lose(&last);
    let told = team.level(&one).pulled.notices;
    assert!(told.iter().any(|notice| notice.contains(last.as_str())), "{told:?}");
}

#[test]
fn a_bucket_that_was_put_back_and_went_on_under_the_same_numbers_is_read_anew() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    let upload = |n: i64| {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    };
    team.level(&reader);
    (1..=5).for_each(upload);
    let early = team.bucket.contents();
    (6..=8).for_each(upload);
    team.level(&reader);
    team.put_back(&early);
    // It has found out, and uploads much more at once before the reader looks.
    for n in 9..=12 {
        write(&one, n, &format!("companies/acme-{n}"));
    }
    team.go(&one);
    for n in 13..=15 {
        upload(n);
    }
    let due = Due { pull: [one.node().clone()].into(), ..Due::default() };
    for _ in 0..2 {
        team.durable(&reader).go(&due, at(1000)).unwrap();
    }
    assert!((1..=15).all(|n| has(&reader, &format!("companies/acme-{n}"))));
    assert!(team.durable(&reader).seen().waiting.is_empty());
}

#[test]
fn a_long_run_of_objects_that_cannot_be_read_is_passed_over_and_fails_no_clone_for_ever() {
    let team = Team::default();
    let (one, reader, hub) = (node("one"), node("reader"), node("hub"));
    for n in 1..=40 {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    (10..=40).for_each(|n| team.rot(&one, n));
    // It passes over some at a time.
    for n in 0..5 {
        write(&one, 50 + n, &format!("companies/later-{n}"));
        let _ = team.durable(&one).level(true, true, at(1000));
    }
    team.level(&reader);
    let all = |home: &Home| {
        (1..=40).all(|n| has(home, &format!("companies/acme-{n}")))
            && (0..5).all(|n| has(home, &format!("companies/later-{n}")))
    };
    assert!(all(&reader));
    team.level(&hub);
    team.publish(&hub);
    let (fresh, waiting, damaged) = team.cloned();
    assert!(all(&fresh));
    assert_eq!((waiting, damaged), (0, Vec::new()));
}

#[test]
fn what_the_hub_could_not_read_a_clone_tries() {
    let team = Team::default();
    let (one, hub) = (node("one"), node("hub"));
    for n in 1..=3 {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    let key = Key::object(one.node(), 2);
    let whole = team.bucket.get(&key).unwrap().unwrap();
    team.rot(&one, 2);
    team.publish(&hub);
    team.bucket.plant(&key, &whole);
    let (fresh, waiting, _) = team.cloned();
    assert!((1..=3).all(|n| has(&fresh, &format!("companies/acme-{n}"))));
    assert_eq!(waiting, 0);
}

#[test]
fn what_expires_and_stood_behind_a_garbled_object_is_taken_when_that_can_be_read() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    let task = Target::read("campaigns/spring/queues/mails").unwrap();
    let left = |home: &Home| home.text(&task, "left").unwrap();
    for n in 1..=3 {
        let values = [(task.clone(), Field::read("left").unwrap(), Value::text(&n.to_string()))];
        one.session(at(n)).unwrap().record_expiring("enqueue", &values).unwrap();
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    let key = Key::object(one.node(), 1);
    let whole = team.bucket.get(&key).unwrap().unwrap();
    team.rot(&one, 1);
    team.go(&reader);
    assert_eq!(left(&reader), None);
    team.bucket.plant(&key, &whole);
    team.go(&reader);
    let due = Due { pull: [one.node().clone()].into(), ..Due::default() };
    team.durable(&reader).go(&due, at(1000)).unwrap();
    assert_eq!(left(&reader).as_deref(), Some("3"));
}

#[test]
fn a_range_of_a_branch_that_gossip_brought_the_beginning_of_is_read_again() {
    let team = Team::default();
    let (one, clone, common) = parted();
    let reader = node("reader");
    let log = LogId::read("one").unwrap();
    append(&reader, &range(&one, 0));
    let split = range(&clone, common);
    let behind = split.end_position();
    write(&clone, 3, "companies/z-1");
    plant(&team.bucket, "aa", vec![part(range(&clone, behind))]);
    team.level(&reader);
    assert!(!has(&reader, "companies/z-1"));
    {
        let lock = HomeLock::take(&*reader.disk, "a test").unwrap();
        let command = Command { at: at(50), verb: "fork".into() };
        let mut journals = reader.journals().unwrap();
        journals.set_branch_aside(&lock, &log, common, at(50).day(), &command).unwrap();
    }
    append(&reader, &split);
    team.level(&reader);
    assert!(has(&reader, "companies/z-0") && has(&reader, "companies/z-1"));
}

/// Appends what gossip brought.
fn append(home: &Home, range: &Range) {
    let lock = HomeLock::take(&*home.disk, "a test").unwrap();
    let mut journals = home.journals().unwrap();
    journals.append_range(&lock, range).unwrap();
    journals.sync(&lock).unwrap();
}

#[test]
fn who_knows_nothing_of_the_bucket_any_more_uploads_nothing_of_others_again() {
    let team = Team::default();
    let (one, two) = (node("one"), node("two"));
    write(&one, 1, "companies/acme");
    write(&two, 2, "companies/bolt");
    team.level(&one);
    team.level(&two);
    team.level(&one);
    let objects = team.bucket.contents().len();
    one.disk.remove(paths::BUCKET).unwrap();
    let trip = team.durable(&one).level(false, true, at(1000)).unwrap();
    assert_eq!((trip.pushed.objects, team.bucket.contents().len()), (0, objects));
}

#[test]
fn what_is_to_be_read_again_is_not_skipped_by_what_is_read_beside_it() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    let task = Target::read("campaigns/spring/queues/mails").unwrap();
    for n in 1..=4 {
        if n != 3 {
            write(&one, n, &format!("companies/acme-{n}"));
        }
        if n == 1 || n == 3 {
            let left = Value::text(&n.to_string());
            let values = [(task.clone(), Field::read("left").unwrap(), left)];
            one.session(at(n)).unwrap().record_expiring("enqueue", &values).unwrap();
        }
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    let key = Key::object(one.node(), 1);
    let whole = team.bucket.get(&key).unwrap().unwrap();
    team.rot(&one, 1);
    team.level(&reader);
    team.bucket.plant(&key, &whole);
    for _ in 0..3 {
        team.level(&reader);
    }
    assert_eq!(reader.text(&task, "left").unwrap().as_deref(), Some("3"));
    assert!([1, 2, 4].iter().all(|n| has(&reader, &format!("companies/acme-{n}"))));
}

#[test]
fn who_uploads_into_a_bucket_that_was_put_back_finds_out_before_it_goes_on_for_long() {
    let team = Team::default();
    let one = node("one");
    let upload = |n: i64| {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::Own([].into()), at(n * 60)).unwrap()
    };
    for n in 1..=5 {
        upload(n);
    }
    let early = team.bucket.contents();
    for n in 6..=8 {
        upload(n);
    }
    team.put_back(&early);
    // Nothing but uploads, one a minute.
    for n in 9..=24 {
        upload(n);
    }
    let (fresh, waiting, damaged) = team.cloned();
    assert!((1..=24).all(|n| has(&fresh, &format!("companies/acme-{n}"))));
    assert_eq!((waiting, damaged), (0, Vec::new()));
}

#[test]
fn an_object_behind_one_that_stays_unreadable_is_tried_again_too() {
    let team = Team::default();
    let (one, reader) = (node("one"), node("reader"));
    for n in 1..=6 {
        write(&one, n, &format!("companies/acme-{n}"));
        team.durable(&one).push(&Which::All, at(1000)).unwrap();
    }
    let whole = |n: u64| team.bucket.get(&Key::object(one.node(), n)).unwrap().unwrap();
    let (fifth, sixth) = (whole(5), whole(6));
    team.rot(&one, 5);
    team.rot(&one, 6);
    team.level(&reader);
    team.bucket.plant(&Key::object(one.node(), 6), &sixth);
    team.level(&reader);
    // What the fifth held comes in another folder.
    let object =
        Object::read(&zstd::decode_all(&fifth[..]).unwrap(), ClusterId([7; 16]), one.node(), 5);
    plant(&team.bucket, "aa", object.unwrap().parts);
    team.level(&reader);
    team.level(&reader);
    assert!((1..=6).all(|n| has(&reader, &format!("companies/acme-{n}"))));
}

#[test]
fn a_file_of_the_checkpoint_that_is_gone_or_spoilt_fails_no_clone_and_is_made_anew() {
    let team = Team::default();
    let (one, hub) = (node("one"), node("hub"));
    for n in 1..=3 {
        write(&one, n, &format!("companies/acme-{n}"));
    }
    team.level(&one);
    team.publish(&hub);
    let files: Vec<Key> = (team.bucket.contents().keys())
        .filter(|key| key.starts_with(paths::CHECKPOINT))
        .map(|key| Key::read(key).unwrap())
        .collect();
    assert!(files.len() >= 3);
    team.bucket.lose(&files[0]);
    team.bucket.plant(&files[1], b"rot");
    let all = |home: &Home| (1..=3).all(|n| has(home, &format!("companies/acme-{n}")));
    let (fresh, waiting, damaged) = team.cloned();
    assert!(all(&fresh));
    assert_eq!((waiting, damaged), (0, Vec::new()));
    // Where the objects are gone as well that is told.
    let object = Key::object(one.node(), 1);
    let whole = team.bucket.get(&object).unwrap().unwrap();
    team.rot(&one, 1);
    let (.., damaged) = team.cloned();
    assert_eq!(damaged, [object.to_string()]);
    team.bucket.plant(&object, &whole);
    for _ in 0..2 * files.len() {
        team.publish(&hub);
    }
    team.rot(&one, 1);
    let (fresh, waiting, _) = team.cloned();
    assert!(all(&fresh));
    assert_eq!(waiting, 0);
}

#[test]
fn a_manifest_that_is_gone_is_found_by_who_looks_at_it_and_nothing_is_uploaded_twice() {
    let team = Team::default();
    let (one, two, hub) = (node("one"), node("two"), node("hub"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.publish(&hub);
    team.level(&two);
    write(&two, 2, "companies/bolt");
    team.level(&two);
    let newest = team.durable(&two).manifest().unwrap().unwrap().n;
    for n in 1..=newest {
        team.bucket.lose(&Key::manifest(n));
    }
    let objects = team.bucket.contents().keys().filter(|key| key.contains("two/")).count();
    let due = Due { manifest: true, names: true, push: true, ..Due::default() };
    let trip = team.durable(&two).go(&due, at(1000)).unwrap();
    assert_eq!(trip.pushed.objects, 0);
    assert_eq!(team.bucket.contents().keys().filter(|key| key.contains("two/")).count(), objects);
    assert!(!team.durable(&two).seen().unread);
}

#[test]
fn of_many_nodes_those_that_the_manifest_says_have_more_are_read() {
    let team = Team::default();
    let (one, hub, reader) = (node("one"), node("hub"), node("reader"));
    write(&one, 1, "companies/acme");
    team.level(&one);
    team.level(&reader);
    write(&one, 2, "companies/bolt");
    team.level(&one);
    team.publish(&hub);
    let due = Due { manifest: true, ..Due::default() };
    team.durable(&reader).go(&due, at(1000)).unwrap();
    assert!(has(&reader, "companies/bolt"));
}

#[test]
fn an_own_tail_that_the_disk_lost_comes_back_from_the_bucket() {
    let (team, place) = (Team::default(), disk());
    let (one, reader) = (node_on(&place, "one"), node("reader"));
    write(&one, 1, "companies/acme");
    let journal = || format!("{}/{}", paths::WAL, one.disk.list(paths::WAL).unwrap()[0].0);
    let kept = place.peek(&journal()).unwrap();
    write(&one, 2, "companies/bolt");
    team.go(&one);
    // A disk that said that it was written, and lost it.
    place.plant(&journal(), &kept);
    let one = Home::over(one.disk.clone(), Path::new("one"), rim()).unwrap();
    write(&one, 3, "companies/cafe");
    team.go(&one);
    team.go(&one);
    team.level(&reader);
    team.level(&one);
    for home in [&one, &reader] {
        for company in ["acme", "bolt", "cafe"] {
            assert!(has(home, &format!("companies/{company}")), "{} {company}", home.node());
        }
    }
}

#[test]
fn a_forged_head_of_the_own_log_closes_nothing() {
    let team = Team::default();
    let one = node("one");
    write(&one, 1, "companies/acme");
    let mut forged = part(range(&one, 0));
    forged.range.bytes.extend_from_within(..);
    let position = forged.range.end_position();
    forged.end = Head { position, hash: ChainHash([9; 16]) };
    plant(&team.bucket, "aa", vec![forged]);
    let before: BTreeMap<LogId, Head> = one.vector().unwrap().0;
    team.level(&one);
    assert_eq!(one.vector().unwrap().0, before);
}
