//! Cards on the disk: nobody's save is lost, no card is torn, and what a card showed is known
//! whenever it stands there.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Causality, Entity, Entry, Field, Instant, Kind, NodeId, Stamp, Target, Value};
use cocli_store::card::kept::{FileMark, History, Kept, Shelf, append, compact, sync};
use cocli_store::card::place::{self, CardPlaced, CardPut, FilePut, Placed, forget, leftovers};
use cocli_store::card::quiet::Quiet;
use cocli_store::card::{Projection, parse, render, tags};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::{Disk, FakeDisk, HomeLock, RealDisk, paths};
use proptest::prelude::*;

const KIND: Kind = Kind::Company;

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros).unwrap()
}

fn acme() -> Target {
    Target::read("companies/acme").unwrap()
}

fn projection(writes: &[(&str, &str)]) -> Projection {
    let mut entity = Entity::default();
    for (micros, (field, value)) in (1..).zip(writes) {
        let stamp = Stamp { instant: at(micros), node: NodeId::read("pi1").unwrap() };
        let value = Value::read(value);
        entity.merge(
            Field::read(field).unwrap(),
            Entry { stamp, value, causality: Causality::nothing() },
        );
    }
    Projection::of(KIND, &entity)
}

fn named(name: &str) -> Projection {
    projection(&[("name", name), ("tags.a", "true"), ("tags.b", "true"), ("description", "Body")])
}

fn text(projection: &Projection) -> Vec<u8> {
    render(KIND, &projection.values).into_bytes()
}

fn list(projection: &Projection) -> Vec<u8> {
    tags::write(&tags::of(projection.values.get(&Field::read("tags").unwrap()))).into_bytes()
}

/// Nobody is in the midst of a save here.
fn still() -> Quiet {
    Quiet::new(at(4_000_000_000_000_000))
}

fn put(old: Option<&Projection>, new: &Projection) -> CardPut {
    let card = FilePut { read: old.map(text), text: text(new) };
    let tags = FilePut { read: old.map(list), text: list(new) };
    let file = "companies/acme/_index.md".to_owned();
    CardPut {
        target: acme(),
        projection: new.clone(),
        file,
        card: Some(card),
        tags: Some(tags),
        tags_read: None,
    }
}

fn disk() -> FakeDisk {
    let disk = FakeDisk::new();
    disk.plant_folder(".cocli");
    disk
}

fn lock(disk: &FakeDisk) -> HomeLock {
    HomeLock::take(disk, "test").unwrap()
}

fn shelf(disk: &dyn Disk, target: &Target) -> Shelf {
    Shelf::read(disk, cocli_core::digest::shard(target)).unwrap()
}

fn past(disk: &dyn Disk, target: &Target) -> History {
    shelf(disk, target).history(target)
}

/// All of a batch, or the first failure.
fn place(
    disk: &dyn Disk,
    lock: &HomeLock,
    now: Instant,
    batch: &[CardPut],
) -> cocli_store::Result<Vec<CardPlaced>> {
    place::place(disk, lock, (now, &still()), batch)?.into_iter().collect()
}

#[test]
fn a_card_is_put_in_place_and_known_by_its_mark() {
    let disk = disk();
    let (old, new) = (named("Acme"), named("Acme Inc"));
    for (micros, was, is) in [(1, None, &old), (2, Some(&old), &new)] {
        let placed = place(&disk, &lock(&disk), at(micros), &[put(was, is)]).unwrap();
        assert_eq!((&placed[0].card, &placed[0].tags), (&Some(Placed::Done), &Some(Placed::Done)));
        assert_eq!(disk.peek("companies/acme/_index.md").unwrap(), text(is));
        assert_eq!(disk.peek("companies/acme/tags.lst").unwrap(), b"a\nb\n");
        let history = past(&disk, &acme());
        let kept = history.latest().unwrap();
        assert_eq!((&kept.projection, kept.rev, kept.instant), (is, is.rev(), at(micros)));
        let shelf = shelf(&disk, &acme());
        assert_eq!(shelf.latest(&acme()).as_ref(), Some(kept));
        let stat = disk.stat("companies/acme/_index.md").unwrap().unwrap();
        assert_eq!(kept.card, Some(FileMark::from(stat)));
        let head = shelf.head("companies/acme").unwrap();
        assert_eq!(shelf.heads().collect::<Vec<_>>(), std::slice::from_ref(&head));
        assert_eq!((head.card, head.tags, head.rev), (kept.card, kept.tags, kept.rev));
    }
    assert_eq!(past(&disk, &acme()).of_rev(old.rev()).unwrap().projection, old);
    assert!(disk.files().iter().all(|path| !path.starts_with(paths::SWAP)), "{:?}", disk.files());
}

#[test]
fn a_save_in_between_comes_back_and_is_kept_until_it_is_taken_in() {
    for exchanges in [true, false] {
        let disk = disk();
        disk.set_exchanges(exchanges);
        let (old, new) = (named("Acme"), named("Acme Inc"));
        place(&disk, &lock(&disk), at(1), &[put(None, &old)]).unwrap();
        disk.plant("companies/acme/_index.md", b"saved meanwhile");
        let placed = place(&disk, &lock(&disk), at(2), &[put(Some(&old), &new)]).unwrap();
        let Some(Placed::Raced(raced)) = &placed[0].card else { panic!("{placed:?}") };
        assert_eq!(raced.bytes, b"saved meanwhile");
        assert_eq!(placed[0].tags, Some(Placed::Done));
        let stands = disk.peek("companies/acme/_index.md").unwrap();
        if let Some(swap) = &raced.swap {
            assert_eq!((exchanges, stands), (true, text(&new)));
            let again = place(&disk, &lock(&disk), at(3), &[put(Some(&new), &old)]).unwrap();
            assert_eq!(again[0].card, placed[0].card, "nobody writes over what was not taken in");
            assert_eq!(
                leftovers(&disk, &lock(&disk), &still()).unwrap().files[0].bytes,
                b"saved meanwhile"
            );
            forget(&disk, &lock(&disk), swap, &raced.bytes).unwrap();
            assert_eq!(leftovers(&disk, &lock(&disk), &still()).unwrap().files, []);
        } else {
            assert_eq!((exchanges, stands.as_slice()), (false, &b"saved meanwhile"[..]));
        }
    }
}

#[test]
fn a_card_made_or_removed_in_between_is_not_written_over() {
    let disk = disk();
    let (old, new) = (named("Acme"), named("Acme Inc"));
    disk.plant("companies/acme/_index.md", b"made by hand");
    let placed = place(&disk, &lock(&disk), at(1), &[put(None, &old)]).unwrap();
    assert!(
        matches!(&placed[0].card, Some(Placed::Raced(raced)) if raced.bytes == b"made by hand")
    );
    assert_eq!(disk.peek("companies/acme/_index.md").unwrap(), b"made by hand");
    disk.unplant("companies/acme/_index.md");
    let placed = place(&disk, &lock(&disk), at(2), &[put(Some(&old), &new)]).unwrap();
    assert_eq!(placed[0].card, Some(Placed::Done));
    assert_eq!(disk.peek("companies/acme/_index.md").unwrap(), text(&new));
}

#[test]
fn a_file_that_stands_there_already_is_only_marked() {
    let disk = disk();
    let new = named("Acme");
    disk.plant("companies/acme/_index.md", &text(&new));
    disk.plant("companies/acme/tags.lst", &list(&new));
    let placed = place(&disk, &lock(&disk), at(1), &[put(Some(&new), &new)]).unwrap();
    assert_eq!(placed[0].card, Some(Placed::Done));
    let stat = disk.stat("companies/acme/_index.md").unwrap().unwrap();
    let history = past(&disk, &acme());
    assert_eq!(history.latest().unwrap().card, Some(FileMark::from(stat)));
}

/// Old card, an editor that may have saved, a new card: wherever the power goes, or the disk fails,
/// the card is whole, what it shows is known, and the save is somewhere.
#[test]
fn wherever_it_stops_the_card_is_whole_and_nothing_saved_is_lost() {
    let (old, new) = (named("Acme"), projection(&[("name", "Acme Inc"), ("tags.c", "true")]));
    let saved = b"---\nname: by hand\n---\n".to_vec();
    let mut cases = 0;
    for exchanges in [true, false] {
        for raced in [false, true] {
            for fault in [Fault::Crash, Fault::Error, Fault::NoSpace] {
                for (k, seed) in (1..60).flat_map(|k| (0..6).map(move |seed| (k, seed))) {
                    let disk = disk();
                    place(&disk, &lock(&disk), at(1), &[put(None, &old)]).unwrap();
                    disk.sync_all().unwrap();
                    let path = "companies/acme/_index.md";
                    if raced {
                        disk.plant(path, &saved);
                    }
                    disk.set_exchanges(exchanges);
                    let held = lock(&disk);
                    disk.fail_at(k, fault, Times::ForGood);
                    let _ = place(&disk, &held, at(2), &[put(Some(&old), &new)]);
                    drop(held);
                    disk.crash(seed);
                    check(&disk, &old, &new, raced.then_some(&saved));
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 4000);
}

fn check(disk: &FakeDisk, old: &Projection, new: &Projection, saved: Option<&Vec<u8>>) {
    let stands = disk.peek("companies/acme/_index.md").unwrap();
    let left = leftovers(disk, &lock(disk), &still()).unwrap().files;
    let bytes = |left: &cocli_store::card::place::Leftover| left.bytes.clone();
    let cards: Vec<Vec<u8>> = left.iter().filter(|l| l.path.ends_with(".md")).map(bytes).collect();
    let whole = [text(old), text(new)];
    assert!(
        whole.contains(&stands) || Some(&stands) == saved,
        "{:?}",
        String::from_utf8_lossy(&stands)
    );
    assert!(cards.iter().all(|card| whole.contains(card) || Some(card) == saved));
    if let Some(saved) = saved {
        assert!(stands == *saved || cards.contains(saved), "the save is lost");
    }
    if let Ok(card) = parse(&stands)
        && let Some(rev) = card.rev()
    {
        let history = past(disk, &acme());
        assert!(history.of_rev(rev).is_some(), "a card stands there that is not known");
    }
    let listed = disk.peek("companies/acme/tags.lst").unwrap();
    assert!([list(old), list(new)].contains(&listed));
    assert!(left.iter().all(|left| !left.path.ends_with("tags.lst")), "our own list is no edit");
}

#[test]
fn many_cards_are_made_durable_at_once() {
    let disk = disk();
    let held = lock(&disk);
    let puts: Vec<CardPut> = (0..40)
        .map(|n| {
            let target = Target::read(&format!("companies/c{n}")).unwrap();
            let new = named(&format!("Company {n}"));
            let file = paths::card(&target, None).unwrap();
            let card = FilePut { read: None, text: text(&new) };
            CardPut { target, projection: new, file, card: Some(card), tags: None, tags_read: None }
        })
        .collect();
    disk.start_trace();
    let placed = place(&disk, &held, at(1), &puts).unwrap();
    assert!(placed.iter().all(|placed| placed.card == Some(Placed::Done)));
    let trace = disk.trace();
    let syncs = |what: &str| trace.iter().filter(|line| line.contains(what)).count();
    assert_eq!((syncs(" sync_all "), syncs(" sync ")), (1, 0));
    assert_eq!(disk.files().iter().filter(|path| path.ends_with("_index.md")).count(), 40);
}

fn many(old: Option<&Projection>, new: &Projection) -> Vec<CardPut> {
    let put = |n: usize| {
        let target = Target::read(&format!("companies/c{n}")).unwrap();
        let file = paths::card(&target, None).unwrap();
        let card = FilePut { read: old.map(text), text: text(new) };
        CardPut {
            target,
            projection: new.clone(),
            file,
            card: Some(card),
            tags: None,
            tags_read: None,
        }
    };
    // More than one thread does alone.
    (0..72).map(put).collect()
}

#[test]
fn wherever_a_batch_stops_each_card_is_whole_and_what_it_shows_is_known() {
    let (old, new) = (named("Acme"), named("Acme Inc"));
    let (first, then) = (many(None, &old), many(Some(&old), &new));
    let mut cut_off = 0;
    for (fault, k) in (1..600).step_by(5).flat_map(|k| [(Fault::Crash, k), (Fault::Error, k)]) {
        let disk = disk();
        place(&disk, &lock(&disk), at(1), &first).unwrap();
        disk.sync_all().unwrap();
        let held = lock(&disk);
        disk.fail_at(k, fault, Times::ForGood);
        let placed = place(&disk, &held, at(2), &then);
        cut_off += usize::from(placed.is_err());
        drop(held);
        disk.crash(k);
        for put in &then {
            let stands = disk.peek(&put.file).unwrap();
            assert!([text(&old), text(&new)].contains(&stands), "{}: a torn card", put.file);
            let rev = parse(&stands).unwrap().rev().unwrap();
            let known = past(&disk, &put.target);
            assert!(known.of_rev(rev).is_some(), "{}: what it shows is not known", put.file);
        }
    }
    assert!(cut_off > 50, "{cut_off}");
}

#[test]
fn a_card_that_cannot_be_put_in_place_costs_the_others_nothing() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".cocli")).unwrap();
    let disk = RealDisk::open(home.path()).unwrap();
    let held = HomeLock::take(&disk, "test").unwrap();
    let put = |n: usize| {
        let target = Target::read(&format!("companies/c{n}")).unwrap();
        let (new, file) = (named("Acme"), paths::card(&target, None).unwrap());
        let card = FilePut { read: None, text: text(&new) };
        CardPut { target, projection: new, file, card: Some(card), tags: None, tags_read: None }
    };
    // A file where the folder of a company belongs.
    std::fs::create_dir(home.path().join("companies")).unwrap();
    std::fs::write(home.path().join("companies/c1"), "a file").unwrap();
    let placed = place::place(&disk, &held, (at(1), &still()), &[put(0), put(1), put(2)]).unwrap();
    let done: Vec<bool> = placed.iter().map(Result::is_ok).collect();
    assert_eq!(done, [true, false, true]);
    let why = placed[1].as_ref().unwrap_err().to_string();
    assert!(why.contains("companies/c1"), "{why}");
    assert!(home.path().join("companies/c2/_index.md").exists());
    assert!(std::fs::read_dir(home.path().join(".cocli/swap")).unwrap().next().is_none());
}

#[test]
fn what_a_person_wrote_gets_its_place_back_or_goes_aside_for_a_newer_save() {
    let (old, new) = (named("Acme"), named("Acme Inc"));
    for newer in [false, true] {
        let disk = disk();
        place(&disk, &lock(&disk), at(1), &[put(None, &old)]).unwrap();
        let card = paths::card(&acme(), None).unwrap();
        disk.plant(&card, b"saved meanwhile");
        let placed = place(&disk, &lock(&disk), at(2), &[put(Some(&old), &new)]).unwrap();
        let Some(Placed::Raced(raced)) = &placed[0].card else { panic!("{placed:?}") };
        if newer {
            disk.plant(&card, b"saved again, and longer");
        }
        let swap = raced.swap.as_ref().unwrap();
        let aside = place::give_back(&disk, &lock(&disk), &acme(), &card, swap).unwrap();
        let stands: &[u8] = if newer { b"saved again, and longer" } else { b"saved meanwhile" };
        assert_eq!(disk.read(&card).unwrap(), stands);
        let kept = aside.map(|aside| disk.read(&aside).unwrap());
        assert_eq!(kept.as_deref(), newer.then_some(&b"saved meanwhile"[..]));
        assert!(leftovers(&disk, &lock(&disk), &still()).unwrap().files.is_empty());
    }
}

#[test]
fn a_leftover_whose_kept_lines_cannot_be_restored_goes_aside() {
    let disk = disk();
    let old = named("Acme");
    place(&disk, &lock(&disk), at(1), &[put(None, &old)]).unwrap();
    let shelf = paths::projections(cocli_core::digest::shard(&acme()));
    let line = String::from_utf8(disk.peek(&shelf).unwrap()).unwrap();
    disk.plant(&shelf, line.replace("Acme", "Bcme").as_bytes());
    let card = paths::card(&acme(), None).unwrap();
    let shard = cocli_core::digest::shard(&acme());
    let swap = paths::swap(shard, cocli_core::digest::hash(card.as_bytes()));
    disk.plant(&swap, b"saved by hand");
    let left = leftovers(&disk, &lock(&disk), &still()).unwrap();
    let [(_, aside)] = &left.aside[..] else { panic!("{left:?}") };
    assert_eq!(disk.peek(aside).unwrap(), b"saved by hand");
}

#[test]
fn what_nobody_can_tell_whose_it_is_goes_aside_and_what_was_never_in_a_place_goes() {
    let disk = disk();
    disk.plant(".cocli/swap/3f-0123456789abcdef0123456789abcdef", b"a save");
    disk.plant(".cocli/swap/3f-fedcba9876543210fedcba9876543210.new", b"ours");
    let left = leftovers(&disk, &lock(&disk), &still()).unwrap();
    let [(swap, aside)] = &left.aside[..] else { panic!("{left:?}") };
    assert_eq!(swap, ".cocli/swap/3f-0123456789abcdef0123456789abcdef");
    assert_eq!(disk.read(aside).unwrap(), b"a save");
    assert!(left.files.is_empty() && disk.list(paths::SWAP).unwrap().is_empty());
}

fn kept(micros: i64, projection: Projection) -> Kept {
    let rev = projection.rev();
    let (card, tags) = (Some(FileMark { len: 5, modified_ns: micros }), None);
    Kept {
        target: acme(),
        rev,
        instant: at(micros),
        file: "companies/acme/_index.md".into(),
        card,
        tags,
        tags_read: None,
        projection,
    }
}

fn keep(disk: &FakeDisk, batch: &[Kept]) {
    let held = lock(disk);
    let files = append(disk, &held, batch).unwrap();
    sync(disk, &files).unwrap();
}

#[test]
fn a_torn_line_is_cut_and_the_ones_before_it_stay() {
    let disk = disk();
    keep(&disk, &[kept(1, named("A")), kept(2, named("B"))]);
    let path = paths::projections(cocli_core::digest::shard(&acme()));
    let whole = disk.peek(&path).unwrap();
    for cut in 1..80 {
        disk.plant(&path, &whole[..whole.len() - cut]);
        let history = past(&disk, &acme());
        assert_eq!(history.kept(), [kept(1, named("A"))]);
        keep(&disk, &[kept(3, named("C"))]);
        let history = past(&disk, &acme());
        assert_eq!(history.kept(), [kept(1, named("A")), kept(3, named("C"))]);
    }
}

#[test]
fn a_projection_is_kept_thirty_days_and_the_last_eight_for_ever() {
    const DAY: i64 = 86_400_000_000;
    let disk = disk();
    let all: Vec<Kept> = (0..60).map(|n| kept(1 + n * DAY, named(&format!("{n} ")))).collect();
    keep(&disk, &all);
    let shard = cocli_core::digest::shard(&acme());
    assert!(compact(&disk, &lock(&disk), shard, at(60 * DAY)).unwrap());
    let history = past(&disk, &acme());
    assert_eq!(history.kept(), &all[30..]);
    assert!(compact(&disk, &lock(&disk), shard, at(500 * DAY)).unwrap());
    assert_eq!(past(&disk, &acme()).kept(), &all[52..]);
    assert!(!compact(&disk, &lock(&disk), shard, at(500 * DAY)).unwrap(), "nothing would go");
    keep(&disk, &[kept(501 * DAY, named("x"))]);
    assert_eq!(past(&disk, &acme()).kept().len(), 9);
}

#[test]
fn a_file_that_grows_is_rewritten_by_itself() {
    let disk = disk();
    let body = "x".repeat(20_000);
    for n in 0..200 {
        let body = format!("{n} {body}");
        let shown = projection(&[("name", "A"), ("description", &body)]);
        keep(&disk, &[kept(1 + n * 10 * 86_400_000_000, shown)]);
    }
    let path = paths::projections(cocli_core::digest::shard(&acme()));
    let len = disk.peek(&path).unwrap().len();
    assert!(len < 2_300_000, "{len}");
    assert!(past(&disk, &acme()).kept().len() >= 8);
}

#[test]
fn the_nearest_projection_has_most_in_common() {
    let disk = disk();
    let austin = projection(&[("name", "A"), ("city", "Austin"), ("hours", "1")]);
    let dallas = projection(&[("name", "A"), ("city", "Dallas"), ("hours", "1")]);
    keep(&disk, &[kept(1, austin.clone()), kept(2, dallas.clone()), kept(3, projection(&[]))]);
    let history = past(&disk, &acme());
    let near =
        |text: &str| history.nearest(KIND, &parse(text.as_bytes()).unwrap().fields(KIND)).unwrap();
    assert_eq!(near("---\nname: A\ncity: Austin\n---\n").projection, austin);
    assert_eq!(near("---\nname: A\n---\n").projection, dallas);
    assert_eq!(near("---\nname: Z\n---\n").projection, projection(&[]));
    assert!(History::default().nearest(KIND, &BTreeMap::new()).is_none());
}

fn writes() -> impl Strategy<Value = Vec<(String, String)>> {
    let field = proptest::sample::select(
        &["name", "city", "tags.a", "tags.b", "tags", "own%20key", "description", "services"][..],
    );
    let value = proptest::sample::select(
        &["x", "null", "true", "[\"q\",\"\u{e9}\"]", "\"a\\n\\\"b\"", "\u{2028}", ""][..],
    );
    proptest::collection::vec((field.prop_map(str::to_owned), value.prop_map(str::to_owned)), 0..8)
}

proptest! {
    #[test]
    fn what_is_kept_is_read_back(steps in proptest::collection::vec((writes(), 0..3_usize), 1..40), cut in 1..5_usize) {
        let disk = disk();
        let targets = ["companies/acme", "companies/acme-2", "people/a"].map(|t| Target::read(t).unwrap());
        let mut expected: BTreeMap<Target, Vec<Kept>> = BTreeMap::new();
        let mut batch = Vec::new();
        for (n, (writes, target)) in steps.iter().enumerate() {
            let writes: Vec<(&str, &str)> = writes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let mut one = kept(i64::try_from(n).unwrap(), projection(&writes));
            one.target = targets[*target].clone();
            expected.entry(one.target.clone()).or_default().push(one.clone());
            batch.push(one);
            if n % cut == 0 {
                keep(&disk, &std::mem::take(&mut batch));
            }
        }
        keep(&disk, &batch);
        let files: BTreeSet<String> = disk.files().into_iter().collect();
        prop_assert!(!files.is_empty());
        for (target, all) in expected {
            let history = past(&disk, &target);
            prop_assert_eq!(history.kept(), &all[..]);
            let last = shelf(&disk, &target).latest(&target);
            prop_assert_eq!(last.as_ref(), all.last());
        }
    }
}

#[test]
fn on_the_disk_of_this_machine_an_editor_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".cocli")).unwrap();
    let disk = RealDisk::open(home.path()).unwrap();
    let held = HomeLock::take(&disk, "test").unwrap();
    let (old, new) = (named("Acme"), named("Acme Inc"));
    place(&disk, &held, at(1), &[put(None, &old)]).unwrap();
    let card = home.path().join("companies/acme/_index.md");
    assert_eq!(std::fs::read(&card).unwrap(), text(&old));
    std::fs::write(&card, "saved meanwhile").unwrap();
    let placed = place(&disk, &held, at(2), &[put(Some(&old), &new)]).unwrap();
    let Some(Placed::Raced(raced)) = &placed[0].card else { panic!("{placed:?}") };
    assert_eq!(raced.bytes, b"saved meanwhile");
    if let Some(swap) = &raced.swap {
        assert_eq!(std::fs::read(&card).unwrap(), text(&new));
        assert_eq!(leftovers(&disk, &held, &still()).unwrap().files.len(), 1);
        forget(&disk, &held, swap, &raced.bytes).unwrap();
    }
    let read = std::fs::read(&card).unwrap();
    let again = FilePut { read: Some(read), text: text(&old) };
    let again = CardPut { card: Some(again), tags: None, ..put(None, &old) };
    assert_eq!(place(&disk, &held, at(3), &[again]).unwrap()[0].card, Some(Placed::Done));
    assert_eq!(std::fs::read(&card).unwrap(), text(&old));
    let stat = disk.stat("companies/acme/_index.md").unwrap().unwrap();
    let kept = shelf(&disk, &acme()).latest(&acme()).unwrap();
    assert_eq!((kept.card, kept.rev), (Some(FileMark::from(stat)), old.rev()));
    assert!(kept.tags.is_some(), "a mark that is not known is taken over");
    assert!(std::fs::read_dir(home.path().join(".cocli/swap")).unwrap().next().is_none());
}
