#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::Arc;

use cocli_core::bucket::Manifest;
use cocli_core::{LogId, NodeId};
use cocli_store::disk::fake::{Fault as DiskFault, Times};
use cocli_store::{Disk, FakeDisk};
use proptest::prelude::*;

use super::super::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use super::super::staged::{
    URL, at, birth, digest, disk, node, publish, pull, push, replant, rim, set,
};
use super::super::{Which, packed};
use super::*;

fn source(bucket: &dyn Bucket) -> Source<'_> {
    Source { bucket, url: URL, missing_is_denied: false, watch: &|_, _, _| () }
}

/// Makes one of what stands there, on this disk.
fn take(disk: &FakeDisk, bucket: &dyn Bucket) -> Result<(Home, Cloned)> {
    let birth = birth("laptop-2", 7);
    let path = Path::new("laptop-2");
    clone_onto(Arc::new(disk.clone()), path, &birth, rim(), source(bucket), at(90_000))
}

fn cloned(bucket: &dyn Bucket) -> (Home, Cloned) {
    take(&disk(), bucket).unwrap()
}

/// Two nodes that wrote, one of which published, and wrote more.
fn team(bucket: &MemoryBucket) -> (Home, Home, Manifest) {
    let (attic, barn) = (node("attic"), node("barn"));
    for n in 0..40 {
        set(&attic, &format!("companies/c{n}"), "name", &format!("Company {n}"), at(n));
    }
    set(&barn, "people/ada", "name", "Ada", at(50));
    set(&barn, "people/ada", "city", "London", at(50));
    barn.session(at(51)).unwrap().append_verbatim(b"odd\x1e", "set").unwrap();
    push(&attic, bucket, at(60));
    push(&barn, bucket, at(60));
    let manifest = publish(&barn, bucket, 1, at(70));
    set(&attic, "companies/c3", "city", "Bonn", at(80));
    push(&attic, bucket, at(81));
    (attic, barn, manifest)
}

/// After all was exchanged, it knows what the others know.
fn is_level(home: &Home, other: &Home, bucket: &dyn Bucket) -> bool {
    push(home, bucket, at(90_001));
    push(other, bucket, at(90_002));
    pull(other, bucket, at(90_003));
    pull(home, bucket, at(90_004));
    digest(home) == digest(other)
}

/// The `n`th object of a node.
fn object(node: &str, n: u64) -> Key {
    Key::object(&NodeId::read(node).unwrap(), n)
}

#[test]
fn a_clone_begins_at_the_frontier_and_goes_on_by_the_objects() {
    let bucket = MemoryBucket::new();
    let (attic, barn, _) = team(&bucket);
    let (home, cloned) = cloned(&bucket);
    assert_eq!(cloned.manifest.as_ref().map(|(n, hub, _)| (*n, hub.as_str())), Some((1, "barn")));
    assert_eq!((cloned.companies, cloned.people, cloned.objects), (40, 1, 1));
    assert_eq!((cloned.waiting, &cloned.damaged[..], &cloned.notices[..]), (0, &[][..], &[][..]));
    assert_eq!(cloned.cards.written, 41);
    let journals = home.journals().unwrap();
    let log = LogId::read("attic").unwrap();
    assert!(journals.begin(&log) > 0 && journals.end(&log) > journals.begin(&log));
    let card = home.disk.read("companies/c3/_index.md").unwrap();
    assert!(String::from_utf8(card).unwrap().contains("city: Bonn"));
    assert!(is_level(&home, &attic, &bucket) && is_level(&home, &barn, &bucket));
}

#[test]
fn without_a_manifest_everything_comes_from_the_objects() {
    let bucket = MemoryBucket::new();
    let attic = node("attic");
    for n in 0..20 {
        set(&attic, &format!("companies/c{n}"), "name", "Name", at(n));
        push(&attic, &bucket, at(n));
    }
    let (home, cloned) = cloned(&bucket);
    assert_eq!((cloned.manifest, cloned.companies), (None, 20));
    assert_eq!(home.journals().unwrap().bases().count(), 0);
    assert!(is_level(&home, &attic, &bucket));
}

#[test]
fn a_home_without_keys_writes_and_uploads_under_its_own_name() {
    let bucket = MemoryBucket::new();
    let (attic, ..) = team(&bucket);
    let (home, _) = cloned(&bucket);
    assert_eq!(home.keys().unwrap(), b"");
    let known = home.known_nodes().unwrap();
    assert_eq!(known.iter().map(|one| one.key.as_deref()).collect::<Vec<_>>(), [Some("00")]);
    assert_eq!(home.config().bucket.url.as_deref(), Some(URL));
    set(&home, "companies/c3", "city", "Ulm", at(90_010));
    assert!(is_level(&home, &attic, &bucket));
    assert!(bucket.contents().contains_key(object("laptop-2", 1).as_str()));
    assert!(attic.journals().unwrap().holds(&LogId::read("laptop-2").unwrap()));
}

#[test]
fn a_name_that_writes_there_already_gets_a_log_of_its_own() {
    let bucket = MemoryBucket::new();
    let lost = node("laptop-2");
    set(&lost, "companies/apple", "name", "Apple", at(1));
    push(&lost, &bucket, at(2));
    for published in [false, true] {
        if published {
            publish(&node("barn"), &bucket, 1, at(3));
        }
        let (home, cloned) = cloned(&bucket);
        assert_eq!(cloned.companies, 1 + usize::from(published));
        assert!(home.journals().unwrap().own().to_string().starts_with("laptop-2~"));
        set(&home, "companies/pear", "name", "Pear", at(90_010));
        push(&home, &bucket, at(90_011));
        let reader = node("reader");
        pull(&reader, &bucket, at(90_012));
        assert!(is_level(&home, &reader, &bucket));
    }
}

#[test]
fn a_home_that_stands_there_is_left_alone() {
    let bucket = MemoryBucket::new();
    team(&bucket);
    let place = disk();
    take(&place, &bucket).unwrap();
    let before = place.files();
    assert!(matches!(take(&place, &bucket), Err(NodeError::HomeExists(_))));
    assert_eq!(place.files(), before);
}

#[test]
fn a_bucket_without_a_cluster_or_of_another_one_is_refused() {
    let bucket = MemoryBucket::new();
    let error = cluster_of(&bucket).unwrap_err();
    assert!(error.said.starts_with("cluster in the bucket: it is not there"), "{error}");
    bucket.plant(&Key::cluster(), b"hello\n");
    assert!(cluster_of(&bucket).is_err());
    bucket.plant(&Key::cluster(), format!("{}\n", ClusterId([9; 16])).as_bytes());
    assert_eq!(cluster_of(&bucket), Ok(ClusterId([9; 16])));
    let error = take(&disk(), &bucket).unwrap_err();
    assert!(error.to_string().contains("another cluster"), "{error}");
}

#[test]
fn cut_off_at_any_request_it_goes_on_when_it_is_run_again() {
    let bucket = MemoryBucket::new();
    let (attic, ..) = team(&bucket);
    for (fault, for_good) in [(Fault::Away, true), (Fault::Lost, false)] {
        for at in 1.. {
            let faulty = Faulty::new(bucket.clone(), Plan::default());
            faulty.follow(Plan { chosen: Some(Chosen { at, fault, for_good }), ..Plan::default() });
            let place = disk();
            let Err(error) = take(&place, &faulty) else {
                assert!(at > 6, "{at} requests");
                break;
            };
            assert!(matches!(error, NodeError::Bucket(_)), "{error}");
            let (home, _) = take(&place, &bucket).unwrap();
            assert!(home.disk.stat(paths::CLONING).unwrap().is_none());
            assert!(is_level(&home, &attic, &bucket), "request {at}");
        }
    }
}

#[test]
fn killed_or_without_power_at_any_operation_of_the_disk_it_goes_on_when_it_is_run_again() {
    let bucket = MemoryBucket::new();
    let attic = node("attic");
    for n in 0..3 {
        set(&attic, &format!("companies/c{n}"), "name", "Name", at(n));
    }
    publish(&attic, &bucket, 1, at(10));
    set(&attic, "companies/c1", "city", "Bonn", at(11));
    push(&attic, &bucket, at(12));
    let step = std::env::var("CASES").map_or(7, |_| 1);
    for (fault, first) in [(DiskFault::Crash, 1), (DiskFault::Error, 2), (DiskFault::NoSpace, 3)] {
        for k in (first..).step_by(step) {
            let place = disk();
            place.fail_at(k, fault, Times::ForGood);
            let ended = take(&place, &bucket).is_ok();
            place.heal();
            match fault {
                DiskFault::Crash => place.crash(k),
                _ => place.kill(),
            }
            // A disk that refused may have left it at its very end.
            let home = match take(&place, &bucket) {
                Ok((home, _)) => home,
                Err(NodeError::HomeExists(_)) => {
                    Home::over(Arc::new(place.clone()), Path::new("laptop-2"), rim()).unwrap()
                }
                Err(error) => panic!("{fault:?} at {k}: {error}"),
            };
            assert!(is_level(&home, &attic, &bucket), "{fault:?} at {k}");
            if ended {
                assert!(k > 100, "{k} operations");
                break;
            }
        }
    }
}

#[test]
fn what_is_damaged_is_named_and_nothing_half_is_taken_for_whole() {
    let bucket = MemoryBucket::new();
    let (attic, ..) = team(&bucket);
    let whole = bucket.contents();
    let spoilt = |key: &str| {
        let mut bytes = whole[key].clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes
    };
    let named = whole
        .keys()
        .filter(|key| key.starts_with(Key::checkpoints().as_str()) || *key == "manifest/1");
    for key in named {
        let at = Key::read(key).unwrap();
        for damage in [Some(spoilt(key)), Some(whole[key][..9].to_vec()), None] {
            match &damage {
                Some(bytes) => bucket.plant(&at, bytes),
                None if key == "manifest/1" => continue,
                None => drop(bucket.lose(&at)),
            }
            let place = disk();
            let said = format!("{key} in the bucket: ");
            match take(&place, &bucket) {
                // All is in the objects, too.
                Ok((home, cloned)) => {
                    assert!(cloned.notices[0].starts_with(&said), "{key}: {:?}", cloned.notices);
                    assert!(place.peek(paths::INCOMING_WHOLE).is_none(), "{key}");
                    bucket.plant(&at, &whole[key]);
                    assert!(is_level(&home, &attic, &bucket), "{key}");
                    assert_ne!(key, "manifest/1");
                }
                Err(error) => {
                    assert!(error.to_string().starts_with(&said), "{key}: {error}");
                    assert_eq!(key, "manifest/1");
                    bucket.plant(&at, &whole[key]);
                    let (home, _) = take(&place, &bucket).unwrap();
                    assert!(is_level(&home, &attic, &bucket), "{key}");
                }
            }
        }
    }
}

#[test]
fn an_odd_list_that_is_another_is_not_taken() {
    let bucket = MemoryBucket::new();
    let (.., manifest) = team(&bucket);
    let (name, generation) = manifest.odd.unwrap();
    let key = Key::checkpoint(generation, &name);
    bucket.plant(&key, &packed::pack(b"attic\x1f3\x1fwhy\x1fodd\x1e\n").unwrap());
    let (_, cloned) = take(&disk(), &bucket).unwrap();
    let said = format!("{key} in the bucket: its bytes are not those that it is named by");
    assert!(cloned.notices[0].starts_with(&said), "{:?}", cloned.notices);
}

#[test]
fn a_file_of_which_a_part_came_before_goes_on_behind_it() {
    let bucket = MemoryBucket::new();
    let (attic, barn, _) = team(&bucket);
    let place = disk();
    place.make_folder(paths::INCOMING).unwrap();
    let mut parts = 0;
    for path in barn.disk.list(paths::CHECKPOINT).unwrap().into_iter().map(|(name, _)| name) {
        let Ok(lines) = barn.disk.read(&format!("{}/{path}", paths::CHECKPOINT)) else { continue };
        let end = lines.windows(2).position(|two| two == b"\x1e\n").map_or(0, |at| at + 2);
        if (1..lines.len()).contains(&end) && path.len() > 32 {
            place.plant(&paths::in_incoming(&path), &lines[..end]);
            parts += 1;
        }
    }
    assert!(parts > 0);
    let (home, _) = take(&place, &bucket).unwrap();
    assert!(is_level(&home, &attic, &bucket));
}

#[test]
fn a_damaged_object_is_passed_over_and_named() {
    let bucket = MemoryBucket::new();
    let (attic, ..) = team(&bucket);
    bucket.plant(&object("attic", 2), b"rot");
    let (home, cloned) = cloned(&bucket);
    assert_eq!(cloned.damaged, [object("attic", 2).to_string()]);
    assert!(cloned.notices.iter().any(|notice| notice.contains("what is behind it is read")));
    let mut durable = super::super::staged::durable(&attic, &bucket);
    durable.seen.covered = cocli_core::bucket::Coverage::default();
    durable.push(&Which::All, at(90_000)).unwrap();
    drop(durable);
    assert!(is_level(&home, &attic, &bucket));
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let bucket = MemoryBucket::new();
    let (.., manifest) = team(&bucket);
    let told = manifest.checkpoint.clone().unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&told).unwrap();
    let place = json["frontier"].as_array().unwrap().iter().position(|f| f["log"] == "attic");
    let head = json["frontier"][place.unwrap()].clone();
    let lies: [(&str, serde_json::Value, &str); 3] = [
        ("hash", serde_json::json!("00112233445566778899aabbccddeeff"), "do not go on from there"),
        (
            "position",
            serde_json::json!(head["position"].as_u64().unwrap() + 3),
            "do not go on from there",
        ),
        ("position", serde_json::json!(u64::MAX), "expected a manifest"),
    ];
    for (field, value, why) in lies {
        json["frontier"][place.unwrap()] = head.clone();
        json["frontier"][place.unwrap()][field] = value;
        replant(&bucket, &Manifest { checkpoint: Some(json.to_string()), ..manifest.clone() });
        let said = match take(&disk(), &bucket) {
            Ok((_, cloned)) => cloned.notices[0].clone(),
            Err(error) => error.to_string(),
        };
        assert!(said.starts_with("manifest/1 in the bucket: ") && said.contains(why), "{said}");
    }
    replant(&bucket, &Manifest { cluster: ClusterId([8; 16]), ..manifest.clone() });
    let error = take(&disk(), &bucket).unwrap_err().to_string();
    assert!(error.starts_with("manifest/1 in the bucket: "), "{error}");
    replant(&bucket, &Manifest { files: std::collections::BTreeMap::new(), ..manifest.clone() });
    let (_, cloned) = take(&disk(), &bucket).unwrap();
    assert!(cloned.notices[0].starts_with("manifest/1 in the bucket: "), "{:?}", cloned.notices);
    bucket.plant(&Key::manifest(1), &packed::pack(&Manifest { n: 2, ..manifest }.text()).unwrap());
    assert!(take(&disk(), &bucket).unwrap_err().to_string().contains("that it is the 2th"));
}

#[test]
fn a_frontier_without_places_is_made_up_for_by_the_objects() {
    let bucket = MemoryBucket::new();
    let (attic, _, manifest) = team(&bucket);
    let mut json: serde_json::Value =
        serde_json::from_str(manifest.checkpoint.as_deref().unwrap()).unwrap();
    for head in json["frontier"].as_array_mut().unwrap() {
        head.as_object_mut().unwrap().remove("offset");
    }
    replant(&bucket, &Manifest { checkpoint: Some(json.to_string()), ..manifest });
    let (home, cloned) = cloned(&bucket);
    assert_eq!((cloned.waiting, home.journals().unwrap().bases().count()), (0, 0));
    assert!(is_level(&home, &attic, &bucket));
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, u8, u8),
    Odd(usize),
    Push(usize),
    Pull(usize),
    Publish(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..3_usize;
    prop_oneof![
        8 => (who.clone(), 0..12_u8, 0..4_u8).prop_map(|(who, target, value)| Step::Write(who, target, value)),
        1 => who.clone().prop_map(Step::Odd),
        3 => who.clone().prop_map(Step::Push),
        2 => who.clone().prop_map(Step::Pull),
        2 => who.prop_map(Step::Publish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_was_written_and_published_a_clone_knows_what_the_others_know(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let bucket = MemoryBucket::new();
        let homes = ["attic", "barn", "cellar"].map(node);
        push(&homes[0], &bucket, at(0));
        let mut published = 0;
        for (now, step) in (1..).zip(steps) {
            match step {
                Step::Write(who, target, value) => {
                    let target = format!("{}/t{target}", ["companies", "people"][usize::from(target % 2)]);
                    set(&homes[who], &target, "name", &format!("Name {value}"), at(now));
                }
                Step::Odd(who) => homes[who].session(at(now)).unwrap().append_verbatim(b"odd\x1e", "set").unwrap(),
                Step::Push(who) => push(&homes[who], &bucket, at(now)),
                Step::Pull(who) => pull(&homes[who], &bucket, at(now)),
                Step::Publish(who) => {
                    published += 1;
                    publish(&homes[who], &bucket, published, at(now));
                }
            }
        }
        let (home, cloned) = cloned(&bucket);
        prop_assert_eq!(cloned.waiting, 0);
        prop_assert!(cloned.damaged.is_empty() && cloned.notices.is_empty());
        prop_assert_eq!(cloned.manifest.map_or(0, |manifest| manifest.0), published);
        homes.iter().for_each(|home| push(home, &bucket, at(90_000)));
        for other in &homes {
            prop_assert!(is_level(&home, other, &bucket));
        }
        let mut seen = super::super::staged::durable(&home, &bucket).seen().next.clone();
        seen.remove(&NodeId::read("laptop-2").unwrap());
        prop_assert_eq!(seen.len(), 3);
    }
}
