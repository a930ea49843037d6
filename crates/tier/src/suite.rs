//! What every bucket must hold to, written once: for tests. Each claim is a function that panics when a
//! bucket breaks it; [`all`] runs them all.

#![allow(clippy::unwrap_used, reason = "a broken claim is told by a panic")]

use std::collections::BTreeMap;
use std::sync::Barrier;

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key, Next};

/// How many race for one key.
const RACERS: usize = 8;
/// How many keys they race for.
const RACES: usize = 12;
/// A large object.
const LARGE: usize = 8 << 20;

/// A way to the bucket; two of them are two ways to the same one.
pub type Way<'a> = &'a dyn Bucket;

/// Runs all claims over two ways to one bucket, below a folder that nobody else uses.
pub fn all(one: Way<'_>, other: Way<'_>, folder: &str) {
    one_of_many_racers_creates(one, other, &Folder(format!("{folder}/race")));
    all_but_races(one, other, folder);
}

/// Runs all claims that hold while only one writes at a time: for servers that look whether an object is
/// there before they write it, in two steps.
pub fn all_but_races(one: Way<'_>, other: Way<'_>, folder: &str) {
    let at = |claim: &str| Folder(format!("{folder}/{claim}"));
    an_object_is_created_once(one, &at("once"));
    what_is_created_is_read_by_all(one, other, &at("read"));
    any_size_comes_back(one, &at("sizes"));
    any_character_of_a_key_comes_back(one, &at("characters"));
    a_replacement_takes_the_place(one, other, &at("replace"));
    a_listing_is_whole_and_in_order(one, &at("list"));
    a_listing_by_pages_is_whole(one, &at("pages"));
    an_object_comes_in_parts(one, &at("parts"));
    folders_are_those_right_below(one, &at("folders"));
    what_is_removed_is_gone_and_may_be_created_again(one, &at("remove"));
    many_are_got_each_with_its_place(one, &at("get-all"));
    getting_many_ends_at_what_is_refused(one, &at("refuse"));
    many_are_created_in_turn(one, &at("create-all"));
}

/// Page by page comes what a listing tells, in its order, whatever their size.
pub fn a_listing_by_pages_is_whole(bucket: Way<'_>, folder: &Folder) {
    let keys: Vec<Key> = (10..35).map(|n| folder.key(&format!("a/{n}"))).collect();
    keys.iter().for_each(|key| assert_eq!(bucket.create(key, b"x"), Ok(Created::New)));
    let pages = |mut next: Option<Next>, most: Option<usize>| {
        let mut listed = Vec::new();
        loop {
            let page = bucket.page(&folder.all(), next.as_ref()).unwrap();
            assert!(page.odd.is_empty(), "{:?}", page.odd);
            listed.extend(page.listed);
            // Ever as few as that.
            next = page.next.map(|next| match most {
                Some(most) => Next { most, token: None, ..next },
                None => next,
            });
            if next.is_none() {
                return listed;
            }
        }
    };
    let all = bucket.list(&folder.all()).unwrap();
    assert_eq!(all.len(), keys.len());
    assert_eq!(pages(None, None), all);
    let first = Next { after: String::new(), most: 3, token: None };
    let some = pages(Some(first), Some(3));
    // Where all come at once, nothing follows them.
    assert!(some == all || some.is_empty(), "{some:?}");
}

/// All of it, in parts, and it ends at what is refused.
pub fn an_object_comes_in_parts(bucket: Way<'_>, folder: &Folder) {
    let (key, bytes) = (folder.key("1"), vec![7; LARGE]);
    assert_eq!(bucket.create(&key, &bytes), Ok(Created::New));
    let mut came = Vec::new();
    let got = bucket.get_parts(&key, &mut |part| {
        came.extend_from_slice(part);
        Ok(())
    });
    assert_eq!((got, came.len()), (Ok(true), LARGE));
    assert!(came == bytes);
    let refused = Failure::new(FailureKind::Wrong, "enough");
    let mut parts = 0;
    let got = bucket.get_parts(&key, &mut |_| {
        parts += 1;
        Err(refused.clone())
    });
    assert_eq!((got, parts), (Err(refused), 1));
    let mut none = |_: &[u8]| panic!("nothing is there");
    assert_eq!(bucket.get_parts(&folder.key("2"), &mut none), Ok(false));
}

/// A folder that a claim has for itself.
pub struct Folder(String);

impl Folder {
    /// The folder of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_string())
    }

    fn key(&self, name: &str) -> Key {
        Key::read(&format!("{}/{name}", self.0)).unwrap()
    }

    fn all(&self) -> Key {
        Key::read(&format!("{}/", self.0)).unwrap()
    }
}

/// The second to create is told, and changes nothing.
pub fn an_object_is_created_once(bucket: Way<'_>, folder: &Folder) {
    let key = folder.key("1");
    assert_eq!(bucket.get(&key), Ok(None));
    assert_eq!(bucket.create(&key, b"first"), Ok(Created::New));
    assert_eq!(bucket.create(&key, b"second"), Ok(Created::Exists));
    assert_eq!(bucket.create(&key, b"first"), Ok(Created::Exists));
    assert_eq!(bucket.get(&key), Ok(Some(b"first".to_vec())));
}

/// Right after it was created, and by another way too.
pub fn what_is_created_is_read_by_all(one: Way<'_>, other: Way<'_>, folder: &Folder) {
    for n in 0..10 {
        let (key, bytes) = (folder.key(&n.to_string()), format!("bytes {n}").into_bytes());
        assert_eq!(one.create(&key, &bytes), Ok(Created::New));
        assert_eq!(other.get(&key), Ok(Some(bytes.clone())));
        assert_eq!(other.create(&key, b"other"), Ok(Created::Exists));
        assert_eq!(one.get(&key), Ok(Some(bytes)));
    }
}

/// Exactly one of those who create a key at the same time is told that it did, and its bytes are there.
pub fn one_of_many_racers_creates(one: Way<'_>, other: Way<'_>, folder: &Folder) {
    for race in 0..RACES {
        let key = folder.key(&race.to_string());
        let start = Barrier::new(RACERS);
        let told: Vec<Result<Created, Failure>> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (key, start) = (&key, &start);
                    scope.spawn(move || {
                        let way = if racer % 2 == 0 { one } else { other };
                        start.wait();
                        way.create(key, &[racer as u8; 1000])
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let won: Vec<usize> =
            (0..RACERS).filter(|&racer| told[racer] == Ok(Created::New)).collect();
        assert_eq!(won.len(), 1, "race {race}: {told:?}");
        assert!(told.iter().all(Result::is_ok), "race {race}: {told:?}");
        assert_eq!(one.get(&key), Ok(Some(vec![won[0] as u8; 1000])), "race {race}");
    }
}

/// From nothing to many megabytes.
pub fn any_size_comes_back(bucket: Way<'_>, folder: &Folder) {
    for size in [0, 1, 65_536, LARGE] {
        let bytes: Vec<u8> =
            (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let key = folder.key(&size.to_string());
        assert_eq!(bucket.create(&key, &bytes), Ok(Created::New), "{size}");
        assert!(bucket.get(&key).unwrap().unwrap() == bytes, "{size} bytes differ");
    }
}

/// Keys are names, not patterns, paths or URLs.
pub fn any_character_of_a_key_comes_back(bucket: Way<'_>, folder: &Folder) {
    let names = [
        "~tilde",
        "a@b",
        "a+b",
        "a-b_c.d",
        "100%",
        "a%20b",
        "a b",
        "a&b=c;d",
        "a,b'c(d)!",
        "a:b",
        "#1",
        "x#12",
        "ä",
        "日本",
        "...",
        ".dot",
        "a$b",
        "a*b",
    ];
    let mut expected = BTreeMap::new();
    for name in names {
        let key = folder.key(name);
        assert_eq!(bucket.create(&key, name.as_bytes()), Ok(Created::New), "{name}");
        expected.insert(key, name);
    }
    for (key, name) in &expected {
        assert_eq!(bucket.get(key), Ok(Some(name.as_bytes().to_vec())), "{name}");
    }
    let listed: Vec<Key> =
        bucket.list(&folder.all()).unwrap().into_iter().map(|one| one.key).collect();
    assert_eq!(listed, expected.keys().cloned().collect::<Vec<_>>());
    bucket.remove(&listed).unwrap();
    assert_eq!(bucket.list(&folder.all()), Ok(Vec::new()));
}

/// Whether something was there or not.
pub fn a_replacement_takes_the_place(one: Way<'_>, other: Way<'_>, folder: &Folder) {
    let key = folder.key("lease");
    for bytes in [&b"first"[..], b"", b"a longer third"] {
        assert_eq!(one.replace(&key, bytes), Ok(()));
        assert_eq!(other.get(&key), Ok(Some(bytes.to_vec())));
    }
    assert_eq!(one.create(&key, b"x"), Ok(Created::Exists));
}

/// More than a page of it, with sizes, and only what is below.
pub fn a_listing_is_whole_and_in_order(bucket: Way<'_>, folder: &Folder) {
    let numbers: Vec<u32> = (1..=1_100).collect();
    let mut rest = numbers.iter();
    let made = |n: &u32| Ok((folder.key(&format!("wal/n/{n}")), vec![7; (*n % 3) as usize]));
    let created = bucket.create_all(&mut || rest.next().map(made).transpose()).unwrap();
    assert_eq!(created.len(), numbers.len());
    bucket.create(&folder.key("walrus"), b"").unwrap();
    bucket.create(&folder.key("wal/m/1"), b"").unwrap();
    let listed = bucket.list(&folder.key("wal/n/")).unwrap();
    let mut expected: Vec<Key> =
        numbers.iter().map(|n| folder.key(&format!("wal/n/{n}"))).collect();
    expected.sort();
    assert_eq!(listed.iter().map(|one| one.key.clone()).collect::<Vec<_>>(), expected);
    for one in &listed {
        let n: u64 = one.key.as_str().rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(one.bytes, n % 3, "{}", one.key);
        assert!(one.written >= 0);
    }
    assert_eq!(bucket.list(&folder.key("wal/")).unwrap().len(), expected.len() + 1);
    assert_eq!(bucket.list(&folder.key("none/")), Ok(Vec::new()));
    bucket.remove(&expected).unwrap();
    assert_eq!(bucket.list(&folder.key("wal/n/")), Ok(Vec::new()));
}

/// Not objects, and nothing deeper.
pub fn folders_are_those_right_below(bucket: Way<'_>, folder: &Folder) {
    for name in ["wal/b/1", "wal/b/2", "wal/a/x/y", "wal/loose", "walrus/c/1"] {
        bucket.create(&folder.key(name), b"x").unwrap();
    }
    assert_eq!(bucket.folders(&folder.key("wal/")).unwrap(), ["a", "b"]);
    bucket.remove(&[folder.key("wal/a/x/y")]).unwrap();
    assert_eq!(bucket.folders(&folder.key("wal/")).unwrap(), ["b"]);
    assert!(bucket.folders(&folder.key("none/")).unwrap().is_empty());
}

/// Twice, and what never was, is no failure.
pub fn what_is_removed_is_gone_and_may_be_created_again(bucket: Way<'_>, folder: &Folder) {
    let keys = [folder.key("1"), folder.key("2"), folder.key("never")];
    bucket.create(&keys[0], b"x").unwrap();
    bucket.create(&keys[1], b"x").unwrap();
    for _ in 0..2 {
        assert_eq!(bucket.remove(&keys), Ok(()));
        assert_eq!(bucket.get(&keys[0]), Ok(None));
    }
    assert_eq!(bucket.remove(&[]), Ok(()));
    assert_eq!(bucket.create(&keys[0], b"again"), Ok(Created::New));
    assert_eq!(bucket.get(&keys[0]), Ok(Some(b"again".to_vec())));
}

/// Each once, whatever order they come in, and those that are not there as such.
pub fn many_are_got_each_with_its_place(bucket: Way<'_>, folder: &Folder) {
    let keys: Vec<Key> = (0..50).map(|n| folder.key(&n.to_string())).collect();
    for (n, key) in keys.iter().enumerate().filter(|(n, _)| n % 3 != 0) {
        bucket.create(key, n.to_string().as_bytes()).unwrap();
    }
    let mut got = BTreeMap::new();
    let mut take = |place: usize, bytes: Option<Vec<u8>>| {
        assert!(got.insert(place, bytes).is_none(), "{place} came twice");
        Ok(())
    };
    bucket.get_all(&keys, &mut take).unwrap();
    let expected: BTreeMap<usize, Option<Vec<u8>>> = (0..50)
        .map(|n: usize| (n, (!n.is_multiple_of(3)).then(|| n.to_string().into_bytes())))
        .collect();
    assert_eq!(got, expected);
    bucket.get_all(&[], &mut |_, _| panic!("nothing was asked for")).unwrap();
}

/// Nothing is handed over after a refusal, which comes back as it was.
pub fn getting_many_ends_at_what_is_refused(bucket: Way<'_>, folder: &Folder) {
    let keys: Vec<Key> = (0..30).map(|n| folder.key(&n.to_string())).collect();
    for key in &keys {
        bucket.create(key, b"x").unwrap();
    }
    let refusal = Failure::new(FailureKind::Budget, "enough");
    let mut came = 0;
    let mut take = |_, _| {
        came += 1;
        if came == 5 { Err(refusal.clone()) } else { Ok(()) }
    };
    assert_eq!(bucket.get_all(&keys, &mut take), Err(refusal));
    assert_eq!(came, 5);
}

/// Told in the order of their turns; a maker that fails is asked no more.
pub fn many_are_created_in_turn(bucket: Way<'_>, folder: &Folder) {
    let there = [2, 3, 11];
    for n in there {
        bucket.create(&folder.key(&n.to_string()), b"before").unwrap();
    }
    let mut next = 0;
    let created = bucket
        .create_all(&mut || {
            next += 1;
            Ok((next <= 20).then(|| (folder.key(&next.to_string()), b"after".to_vec())))
        })
        .unwrap();
    let expected: Vec<Created> =
        (1..=20).map(|n| if there.contains(&n) { Created::Exists } else { Created::New }).collect();
    assert_eq!(created, expected);
    assert_eq!(bucket.get(&folder.key("2")), Ok(Some(b"before".to_vec())));
    assert_eq!(bucket.get(&folder.key("20")), Ok(Some(b"after".to_vec())));
    let refusal = Failure::new(FailureKind::Budget, "spent");
    let mut turns = 0;
    let refused = bucket.create_all(&mut || {
        turns += 1;
        let key = folder.key(&format!("refused-{turns}"));
        if turns == 4 { Err(refusal.clone()) } else { Ok(Some((key, Vec::new()))) }
    });
    assert_eq!((refused, turns), (Err(refusal.clone()), 4));
}
