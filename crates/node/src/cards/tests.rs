//! Laws of cards over interleavings of people with editors, the projector, arriving datagrams, power cuts
//! and failing disks.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod world;

use cocli_store::disk::fake::Fault;
use proptest::prelude::*;
use world::{Edit, Manner, Mishap, World};

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    /// A person opens a file, perhaps to save it much later.
    Open { who: usize, file: usize },
    /// A person saves.
    Save { who: usize, edit: Edit, manner: Manner },
    /// An earlier content of a file is put there again, as `git checkout` does.
    Checkout { file: usize, back: usize },
    /// A person deletes a file.
    Delete { file: usize },
    /// Another node's datagram comes, written before or after what stands there.
    Arrive { target: usize, field: usize, late: bool },
    /// Another node's tag comes, or one of its earlier ones goes.
    ArriveTag { target: usize, gone: bool },
    /// Another node removes a target, or brings it back.
    Remove { target: usize, back: bool },
    /// A command changes a field here.
    Set { target: usize, field: usize },
    /// The daemon takes in what people changed, and puts in place what is behind.
    Look,
    /// The same, and before one of its operations a person saves.
    LookAndSave { at: u64, who: usize, edit: Edit, manner: Manner },
    /// The same, and one of its operations fails.
    LookAndFail { at: u64, mishap: Mishap, seed: u64 },
    /// Both: a person saves, and then an operation fails.
    LookSaveAndFail {
        at: u64,
        who: usize,
        edit: Edit,
        renamed: bool,
        later: u64,
        mishap: Mishap,
        seed: u64,
    },
    /// The power goes and comes back.
    Crash { seed: u64 },
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Edit::Field),
        1 => (0..3_usize).prop_map(Edit::Gone),
        2 => Just(Edit::Tag),
        2 => Just(Edit::Body),
        1 => Just(Edit::Comment),
    ]
}

fn manners() -> impl Strategy<Value = Manner> {
    (any::<bool>(), prop::option::of(1..40_u64))
        .prop_map(|(renamed, slow)| Manner { renamed, slow })
}

fn mishaps() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        Just(Mishap::Killed),
        Just(Mishap::Fault(Fault::Crash)),
        Just(Mishap::Fault(Fault::Error)),
        Just(Mishap::Fault(Fault::NoSpace)),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let who = 0..2_usize;
    let file = 0..world::FILES.len();
    let target = 0..world::TARGETS.len();
    let field = 0..3_usize;
    let save = || (0..2_usize, edits(), manners());
    prop_oneof![
        4 => (who, file.clone()).prop_map(|(who, file)| Step::Open { who, file }),
        6 => save().prop_map(|(who, edit, manner)| Step::Save { who, edit, manner }),
        1 => (file.clone(), 0..5_usize).prop_map(|(file, back)| Step::Checkout { file, back }),
        1 => file.prop_map(|file| Step::Delete { file }),
        4 => (target.clone(), field.clone(), any::<bool>())
            .prop_map(|(target, field, late)| Step::Arrive { target, field, late }),
        2 => (0..2_usize, any::<bool>())
            .prop_map(|(target, gone)| Step::ArriveTag { target, gone }),
        1 => (target.clone(), any::<bool>()).prop_map(|(target, back)| Step::Remove { target, back }),
        2 => (target, field).prop_map(|(target, field)| Step::Set { target, field }),
        4 => Just(Step::Look),
        4 => (0..60_u64, save()).prop_map(|(at, (who, edit, manner))| {
            Step::LookAndSave { at, who, edit, manner }
        }),
        4 => (1..90_u64, mishaps(), any::<u64>())
            .prop_map(|(at, mishap, seed)| Step::LookAndFail { at, mishap, seed }),
        3 => ((1..90_u64, 0..2_usize, edits(), any::<bool>()), 0..40_u64, mishaps(), any::<u64>())
            .prop_map(|((at, who, edit, renamed), later, mishap, seed)| {
                Step::LookSaveAndFail { at, who, edit, renamed, later, mishap, seed }
            }),
        1 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
    ]
}

fn live(exchanges: bool, steps: &[Step]) {
    let mut world = World::new(exchanges);
    for step in steps {
        world.next();
        match step.clone() {
            Step::Open { who, file } => world.open(who, file),
            Step::Save { who, edit, manner } => {
                world.save(0, who, edit, Manner { slow: None, ..manner });
            }
            Step::Checkout { file, back } => world.checkout(file, back),
            Step::Delete { file } => world.delete(file),
            Step::Arrive { target, field, late } => world.arrive(target, field, late),
            Step::ArriveTag { target, gone } => world.arrive_tag(target, gone),
            Step::Remove { target, back } => world.remove(target, back),
            Step::Set { target, field } => world.set(target, field),
            Step::Look => world.look(),
            Step::LookAndSave { at, who, edit, manner } => {
                world.save(at, who, edit, manner);
                world.look();
            }
            Step::LookAndFail { at, mishap, seed } => world.look_and_fail(at, mishap, seed),
            Step::LookSaveAndFail { at, who, edit, renamed, later, mishap, seed } => {
                world.save(at, who, edit, Manner { renamed, slow: None });
                world.look_and_fail(at + later, mishap, seed);
            }
            Step::Crash { seed } => world.crash(seed),
        }
    }
    world.settle();
    world.check();
}

#[test]
fn a_card_that_may_not_be_written_is_named_until_it_is_in_its_place() {
    let mut world = World::new(true);
    world.look();
    world.next();
    world.arrive(0, 0, true);
    world.look_refused();
    assert_eq!(world.left_alone(), ["companies/a/_index.md"]);
    world.next();
    world.look();
    assert!(world.left_alone().is_empty());
    world.settle();
    world.check();
}

#[test]
fn a_list_that_is_saved_right_behind_its_reading_is_not_taken_for_the_one_that_was_read() {
    const LIST: usize = 1;
    let saves = Manner { renamed: true, slow: None };
    for (behind, later) in (1..=2).flat_map(|behind| (0..160).map(move |later| (behind, later))) {
        let mut world = World::new(true);
        world.arrive_tag(0, false);
        world.look();
        world.next();
        world.open(0, LIST);
        world.save(0, 0, Edit::Tag, saves);
        world.next();
        // Another node's tag makes that the list is written anew.
        world.arrive_tag(0, false);
        world.catch_up_and_die(LIST, behind, later);
        world.settle();
        world.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(128),
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_no_save_is_lost_none_is_taken_twice_and_all_comes_to_rest(
        steps in proptest::collection::vec(steps(), 1..30),
        exchanges in prop::bool::weighted(0.8),
    ) {
        live(exchanges, &steps);
    }
}
