//! One hazard at a time, with nothing left to chance but the small things.

use cocli_sim::{Fault, Faults, Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn world(nodes: usize) -> World {
    let mut world = World::new(Options { writes: 0, ..Options::calm(7, nodes) });
    world.pass(10 * SECOND);
    world
}

fn block(world: &mut World, one: usize, other: usize) {
    world.happen(Fault::Block { from: one, to: other });
    world.happen(Fault::Block { from: other, to: one });
}

fn free(world: &mut World, one: usize, other: usize) {
    world.happen(Fault::Free { from: one, to: other });
    world.happen(Fault::Free { from: other, to: one });
}

fn end(mut world: World) -> cocli_sim::Report {
    world.settle();
    world.report().sound()
}

#[test]
fn third_node_heals_two_that_cannot_talk() {
    let mut world = world(3);
    block(&mut world, 0, 1);
    for n in 0..20 {
        assert!(world.say(n % 2, &format!("v{n}")));
        world.pass(100);
    }
    world.pass(10 * SECOND);
    assert!(world.is_level());
    end(world);
}

#[test]
fn one_way_partition_loses_nothing_and_heals() {
    let mut world = world(2);
    world.happen(Fault::Block { from: 0, to: 1 });
    world.say(0, "unheard");
    world.say(1, "heard");
    world.pass(10 * SECOND);
    assert!(world.holds(0, "heard") && !world.holds(1, "unheard"));
    world.pass(10 * MINUTE);
    world.happen(Fault::Free { from: 0, to: 1 });
    world.pass(61 * SECOND);
    assert!(world.is_level() && world.holds(1, "unheard"));
    end(world);
}

#[test]
fn one_way_partition_is_healed_by_a_third() {
    let mut world = world(3);
    world.happen(Fault::Block { from: 0, to: 1 });
    world.say(0, "first");
    world.pass(5 * SECOND);
    assert!(world.is_level() && world.holds(1, "first"));
    end(world);
}

#[test]
fn restored_home_loses_nothing() {
    for writes_before_it_hears in [0, 3] {
        let mut world = world(3);
        world.say(0, "before");
        world.pass(5 * SECOND);
        world.happen(Fault::Image { machine: 0 });
        for n in 0..5 {
            world.say(0, &format!("after the image {n}"));
        }
        world.pass(5 * SECOND);
        block(&mut world, 0, 1);
        block(&mut world, 0, 2);
        world.happen(Fault::Restore { machine: 0 });
        for n in 0..writes_before_it_hears {
            world.say(0, &format!("on the same positions {n}"));
        }
        world.pass(20 * SECOND);
        free(&mut world, 0, 1);
        free(&mut world, 0, 2);
        world.pass(2 * MINUTE);
        assert!(world.is_level());
        for n in 0..5 {
            assert!(world.holds(0, &format!("after the image {n}")));
        }
        for n in 0..writes_before_it_hears {
            assert!(world.holds(1, &format!("on the same positions {n}")));
        }
        let report = end(world);
        assert_eq!(report.epochs, 1);
    }
}

#[test]
fn cloned_home_loses_nothing() {
    let mut world = world(3);
    world.say(0, "common");
    world.pass(5 * SECOND);
    world.happen(Fault::Clone { machine: 0 });
    world.happen(Fault::Clone { machine: 0 });
    for n in 0..10 {
        for at in [0, 3, 4] {
            world.say(at, &format!("v{n} of {at}"));
        }
        world.pass(50);
    }
    world.pass(2 * MINUTE);
    assert!(world.is_level());
    for n in 0..10 {
        for at in [0, 3, 4] {
            assert!(world.holds(1, &format!("v{n} of {at}")));
        }
    }
    end(world);
}

#[test]
fn clones_that_never_met_the_others_lose_nothing() {
    let mut world = world(4);
    world.say(0, "common");
    world.pass(5 * SECOND);
    world.happen(Fault::Clone { machine: 0 });
    // Two halves: each with one of the twins.
    for (one, other) in [(0, 4), (0, 3), (1, 4), (1, 3), (2, 4), (2, 3)] {
        block(&mut world, one, other);
    }
    for n in 0..20 {
        world.say(0, &format!("left {n}"));
        world.say(4, &format!("right {n}"));
        world.pass(SECOND);
    }
    assert!(world.holds(2, "left 19") && world.holds(3, "right 19"));
    for (one, other) in [(0, 4), (0, 3), (1, 4), (1, 3), (2, 4), (2, 3)] {
        free(&mut world, one, other);
    }
    world.pass(3 * MINUTE);
    assert!(world.is_level());
    for n in 0..20 {
        assert!(world.holds(1, &format!("left {n}")) && world.holds(1, &format!("right {n}")));
    }
    end(world);
}

#[test]
fn crash_before_sync_is_never_advertised() {
    for operation in 1..120 {
        let mut world =
            World::new(Options { writes: 0, disk_ms: 300, ..Options::calm(operation, 3) });
        world.pass(10 * SECOND);
        world.say(0, "one");
        world.pass(100);
        world.happen(Fault::CrashAt { machine: 1, operation });
        world.say(0, "two");
        world.say(1, "mine");
        world.pass(20 * SECOND);
        end(world);
    }
}

#[test]
fn what_a_killed_writer_left_unsynced_is_not_shown_before_it_is_synced() {
    for (operation, seed) in (40..90).flat_map(|operation| (0..3).map(move |n| (operation, n))) {
        let mut world = World::new(Options { writes: 0, ..Options::calm(seed, 3) });
        world.pass(3 * SECOND);
        world.say(0, "one");
        world.pass(SECOND);
        // Killed in the middle of a write or a commit; up again, it shows what it found.
        world.happen(Fault::KillAt { machine: 0, operation });
        world.say(0, "two");
        world.say(1, "three");
        world.pass(300);
        world.happen(Fault::Kill { machine: 0, down_ms: 100 });
        world.pass(400);
        world.happen(Fault::Crash { machine: 0, down_ms: 100 });
        world.pass(20 * SECOND);
        end(world);
    }
}

#[test]
fn a_month_away() {
    let mut world = World::new(Options { writes: 0, look_ms: 3_600_000, ..Options::calm(7, 2) });
    world.pass(10 * SECOND);
    world.say(0, "common");
    world.pass(5 * SECOND);
    let down_ms = 30 * DAY;
    world.happen(Fault::Kill { machine: 1, down_ms });
    world.say(1, "written without a daemon");
    for day in 0..30 {
        assert!(world.say(0, &format!("day {day}")));
        world.pass(DAY);
    }
    world.pass(2 * MINUTE);
    assert!(world.is_level());
    assert!(world.holds(1, "day 29") && world.holds(0, "written without a daemon"));
    end(world);
}

#[test]
fn clocks_that_are_wrong_and_step_lose_nothing_and_are_told() {
    const HOUR: i64 = 3_600_000;
    let mut world = world(3);
    let right = |world: &World, at: usize, other: usize, ahead_ms: i64| {
        // A round trip of this network is a few milliseconds.
        let told = world.believes_ahead_ms(at, other).unwrap();
        assert!((told - ahead_ms).abs() < 100, "{at} of {other}: {told}, not {ahead_ms}");
    };
    right(&world, 0, 1, 0);
    let clocks = [(-3 * HOUR, 48 * HOUR), (HOUR, -24 * HOUR), (0, 0)];
    for (step, (one, other)) in clocks.into_iter().enumerate() {
        world.happen(Fault::Clock { machine: 1, ahead_ms: one });
        world.happen(Fault::Clock { machine: 2, ahead_ms: other });
        for at in 0..3 {
            assert!(world.say(at, &format!("step {step} on {at}")));
        }
        world.pass(30 * SECOND);
        assert!(world.is_level());
        right(&world, 0, 1, one);
        right(&world, 0, 2, other);
        right(&world, 1, 2, other - one);
        right(&world, 2, 0, -other);
    }
    for step in 0..3 {
        for at in 0..3 {
            assert!(world.holds(2 - at, &format!("step {step} on {at}")));
        }
    }
    end(world);
}

#[test]
fn fifty_copies_of_every_packet_add_no_bytes() {
    let mut world = World::new(Options {
        duplicates: 1000,
        copies: 50,
        late: 500,
        writes: 30,
        seconds: 10,
        ..Options::calm(3, 3)
    });
    world.suffer();
    world.settle();
    let bytes: u64 = world.shows(0).iter().map(|(_, bytes)| bytes).sum();
    let report = world.report().sound();
    assert!(report.doubled * 20 > report.packets);
    assert_eq!((report.journal_bytes, report.asides), (bytes, 0));
}

#[test]
fn the_origin_may_be_gone_for_good() {
    let mut world = world(3);
    block(&mut world, 0, 2);
    world.say(0, "last words");
    world.pass(5 * SECOND);
    world.happen(Fault::Kill { machine: 0, down_ms: DAY });
    block(&mut world, 0, 1);
    world.pass(5 * SECOND);
    assert!(world.holds(2, "last words"));
}

#[test]
fn long_values_come_over_streams_that_are_cut_again_and_again() {
    let mut world = World::new(Options {
        cuts: 400,
        loss: 200,
        value_bytes: 100_000,
        writes: 30,
        seconds: 30,
        ..Options::calm(11, 3)
    });
    world.suffer();
    world.settle();
    let report = world.report().sound();
    assert!(report.cut > 5, "{report}");
}

#[test]
fn a_full_disk_refuses_writes_shows_what_it_has_and_recovers_by_itself() {
    let mut world = world(2);
    world.say(0, "before");
    world.pass(5 * SECOND);
    world.happen(Fault::Disk { machine: 1, operation: 1, for_good: true, full: true });
    world.say(0, "while it is full");
    assert!(!world.say(1, "refused"));
    world.pass(SECOND);
    assert!(!world.holds(1, "refused"));
    world.happen(Fault::DiskWell { machine: 1 });
    world.pass(70 * SECOND);
    assert!(world.is_level() && world.holds(1, "while it is full"));
    assert!(world.say(1, "taken again"));
    end(world);
}

#[test]
fn a_damaged_block_is_fetched_again_and_never_passed_on() {
    let mut world = world(3);
    world.happen(Fault::Kill { machine: 2, down_ms: 5 * MINUTE });
    for n in 0..80 {
        world.say(0, &format!("v{n} {}", "x".repeat(3_000)));
        world.pass(300);
    }
    // By now the first block of the log has its mark on 1.
    world.happen(Fault::Rot { machine: 1, origin: 0, offset: 30_000 });
    block(&mut world, 0, 2);
    world.pass(7 * MINUTE);
    assert!(world.is_level() && world.holds(2, &format!("v70 {}", "x".repeat(3_000))));
    end(world);
}

#[test]
fn a_machine_whose_address_changes_is_followed() {
    let mut world = world(3);
    world.happen(Fault::Move { machine: 1, port: 40_000 });
    world.pass(5 * SECOND);
    world.say(1, "from the new port");
    world.pass(5 * SECOND);
    assert!(world.is_level());
    end(world);
}

#[test]
fn a_laptop_that_slept_an_hour_and_woke_on_another_network_is_followed() {
    let mut world = world(3);
    world.say(2, "as the lid was closed");
    world.happen(Fault::Sleep { machine: 2, ms: HOUR });
    world.happen(Fault::Move { machine: 2, port: 40_000 });
    world.say(0, "as it slept");
    world.pass(HOUR);
    world.say(1, "as it woke");
    world.pass(10 * SECOND);
    assert!(world.is_level());
    assert!(world.holds(0, "as the lid was closed") && world.holds(1, "as the lid was closed"));
    assert!(world.holds(2, "as it slept") && world.holds(2, "as it woke"));
    let ahead_ms = world.believes_ahead_ms(0, 2).unwrap();
    assert!(ahead_ms.abs() < 100, "its clock is held to be {ahead_ms} ms ahead");
    end(world);
}

#[test]
fn all_restart_at_once_and_send_little_more_than_what_is_missing() {
    let mut world = world(5);
    for n in 0..20 {
        world.say(n % 5, &format!("v{n}"));
        world.pass(300);
    }
    world.pass(5 * SECOND);
    for machine in 0..5 {
        world.happen(Fault::Crash { machine, down_ms: 500 });
    }
    world.pass(20 * SECOND);
    assert!(world.is_level());
    let report = end(world);
    let seconds = report.simulated_ms / 1000;
    assert!(report.packet_bytes < 5 * seconds * 1_500, "{report}");
}

#[test]
fn forty_nodes_hear_of_a_write_though_each_pushes_to_few() {
    let mut world = World::new(Options { writes: 0, loss: 50, ..Options::calm(9, 40) });
    world.pass(15 * SECOND);
    for n in 0..3 {
        assert!(world.say(n * 10, &format!("v{n}")));
        world.pass(8 * SECOND);
        assert!(world.is_level(), "write {n}");
    }
    let report = end(world);
    assert!(report.packet_bytes < 40 * (report.simulated_ms / 1000) * 4_000, "{report}");
}

#[test]
fn thirty_percent_loss_delays_a_write_by_seconds_at_most() {
    let mut world = World::new(Options { loss: 300, writes: 0, ..Options::calm(5, 4) });
    world.pass(10 * SECOND);
    let mut slowest = 0;
    for n in 0..100 {
        assert!(world.say(n % 4, &format!("v{n}")));
        let mut waited = 0;
        while !world.is_level() {
            world.pass(50);
            waited += 50;
            assert!(waited < 20 * SECOND);
        }
        slowest = slowest.max(waited);
    }
    assert!(slowest < 10 * SECOND, "{slowest} ms");
    end(world);
}

#[test]
fn many_clones_and_restores_in_one_cluster_end_level() {
    for seed in 0..60 {
        let world = World::new(Options {
            faults: Faults {
                clones: 2,
                restores: 3,
                crashes: 2,
                partitions: 3,
                ..Faults::default()
            },
            loss: 100,
            seconds: 30,
            quiet_seconds: 400,
            ..Options::calm(seed, 3)
        });
        let mut world = world;
        world.suffer();
        world.settle();
        let report = world.report();
        assert!(report.failures.is_empty(), "{report}");
    }
}

/// From the first moment of a world to the first of March.
const MARCH: i64 = 97 * DAY as i64 + 10 * SECOND as i64;

/// All clocks, each wrong by so many milliseconds.
fn set_clocks(world: &mut World, ahead_ms: i64, wrong_ms: &[i64]) {
    for (machine, wrong) in wrong_ms.iter().enumerate() {
        world.happen(Fault::Clock { machine, ahead_ms: ahead_ms + wrong });
    }
}

/// Packets that are sent when nothing happens.
fn minute_of_rest(world: &mut World) -> u64 {
    let before = world.sent();
    world.pass(MINUTE);
    world.sent() - before
}

fn expiring(world: &World, at: usize, month: &str) -> usize {
    world.shows(at).iter().filter(|(log, _)| log.ends_with(month)).count()
}

#[test]
fn a_month_ends_on_clocks_that_differ_and_no_task_is_lost() {
    let hour = HOUR as i64;
    let wrong = [0, 6 * hour, -5 * hour, 40];
    let mut world = world(4);
    for at in 0..4 {
        assert!(world.beat(at) && world.task(at, &format!("open{at}"), "pending"));
        assert!(world.task(at, &format!("over{at}"), "done"));
    }
    world.pass(10 * SECOND);
    assert!(world.is_level() && expiring(&world, 3, "~202611") == 4);
    set_clocks(&mut world, 0, &wrong);
    world.pass(20 * SECOND);
    let rest = minute_of_rest(&mut world);
    // It is 23:59:30 on the last day of February; writes go on over midnight of each.
    for hours in [0, 3, 6, 9, 12, 15] {
        set_clocks(&mut world, MARCH - 30 * SECOND as i64 + (hours - 6) * hour, &wrong);
        for n in 0..12 {
            assert!(world.task(n % 4, &format!("new{hours}-{n}"), "pending"));
            world.pass(5 * SECOND);
        }
        world.pass(20 * SECOND);
        assert!(world.is_level(), "at {hours} hours");
        // Telling each other again and again what one of both does not take would take more.
        let sent = minute_of_rest(&mut world);
        assert!(
            sent < rest + rest / 10,
            "{sent} packets in a minute at {hours} hours, else {rest}"
        );
    }
    assert_eq!((0..4).map(|at| expiring(&world, at, "~202611")).sum::<usize>(), 0);
    set_clocks(&mut world, MARCH + 40 * hour, &wrong);
    for machine in 0..4 {
        world.happen(Fault::Expire { machine });
        world.pass(7 * SECOND);
    }
    world.pass(20 * SECOND);
    assert!(world.is_level());
    for at in 0..4 {
        assert!(world.holds(at, r#"{"state":"pending"}"#));
        assert_eq!(expiring(&world, at, "~202611"), 0);
    }
    let report = end(world);
    assert_eq!(report.epochs, 0);
}

#[test]
fn a_clock_that_is_set_back_over_the_end_of_a_month_brings_nothing_back_for_good() {
    let mut world = world(3);
    for at in 0..3 {
        assert!(world.beat(at) && world.task(at, &format!("open{at}"), "pending"));
    }
    world.pass(10 * SECOND);
    // One clock runs months ahead, takes away what the others hold, and is set right again.
    world.happen(Fault::Clock { machine: 0, ahead_ms: MARCH + 2 * DAY as i64 });
    world.pass(10 * SECOND);
    assert!(world.is_level() && expiring(&world, 0, "~202611") == 0);
    world.happen(Fault::Expire { machine: 0 });
    world.pass(20 * SECOND);
    assert!(world.is_level() && expiring(&world, 1, "~202611") == 3);
    world.happen(Fault::Clock { machine: 0, ahead_ms: 0 });
    assert!(world.beat(0));
    world.pass(2 * MINUTE);
    assert!(world.is_level());
    assert!(expiring(&world, 0, "~202611") >= 3, "{:?}", world.shows(0));
    end(world);
}

#[test]
fn an_expiring_log_of_a_restored_and_of_a_cloned_home_loses_nothing() {
    for clone in [false, true] {
        let mut world = world(3);
        assert!(world.task(0, "before", "pending"));
        world.pass(5 * SECOND);
        world.happen(match clone {
            true => Fault::Clone { machine: 0 },
            false => Fault::Image { machine: 0 },
        });
        for n in 0..5 {
            assert!(world.task(0, &format!("after{n}"), "pending"));
        }
        if !clone {
            world.pass(5 * SECOND);
            world.happen(Fault::Restore { machine: 0 });
        }
        let again = if clone { 3 } else { 0 };
        for n in 0..3 {
            assert!(world.task(again, &format!("again{n}"), "pending"));
            world.say(again, &format!("and what stays {n}"));
        }
        world.pass(2 * MINUTE);
        assert!(world.is_level());
        let report = end(world);
        assert!(report.epochs >= 1);
    }
}

#[test]
fn away_while_all_others_let_their_history_go() {
    let mut world = world(4);
    for machine in 0..4 {
        world.say(machine, &format!("common {machine}"));
    }
    world.pass(5 * SECOND);
    world.happen(Fault::Kill { machine: 3, down_ms: 10 * MINUTE });
    for n in 0..10 {
        for machine in 0..3 {
            assert!(world.say(machine, &format!("{n} on {machine}")));
        }
        if n % 3 == 0 {
            world.say(3, &format!("{n} without a daemon"));
        }
        world.pass(20 * SECOND);
    }
    for machine in 0..3 {
        // By a clock that is far ahead.
        world.happen(Fault::Trim { machine });
    }
    world.pass(8 * MINUTE);
    assert!(world.is_level());
    assert!(world.holds(0, "9 without a daemon") && !world.holds(3, "5 on 1"));
    // It goes on as any other: what is written now comes as it did before.
    for machine in 0..4 {
        world.say(machine, &format!("after on {machine}"));
    }
    world.pass(MINUTE);
    assert!(world.is_level() && world.holds(3, "after on 1"));
    assert_eq!(end(world).joins, 1);
}

#[test]
fn holders_killed_while_they_give_their_state_leave_the_rest_to_others() {
    let mut world = World::new(Options { writes: 0, disk_ms: 100, ..Options::calm(7, 4) });
    world.pass(10 * SECOND);
    world.happen(Fault::Kill { machine: 3, down_ms: 10 * MINUTE });
    for n in 0..40 {
        let long = format!("{n} {}", "long ".repeat(20_000));
        assert!(world.say(n % 3, &long));
        world.pass(SECOND);
    }
    world.pass(5 * MINUTE);
    for machine in 0..3 {
        world.happen(Fault::Trim { machine });
    }
    world.pass(5 * MINUTE);
    for n in 0..60 {
        // Nobody gives all of it in one life.
        world.happen(Fault::Kill { machine: n % 3, down_ms: 300 });
        world.pass(2 * SECOND);
    }
    world.pass(10 * MINUTE);
    assert!(world.is_level());
    assert!(end(world).joins > 0);
}

#[test]
fn machines_that_let_their_history_go_at_any_time_end_level_with_nothing_lost() {
    let mut joins = 0;
    for seed in 0..180 {
        let report = cocli_sim::run(Options::trimming(seed));
        if !report.failures.is_empty() {
            // The same once more, line by line.
            let again = cocli_sim::run(Options { trace: true, ..Options::trimming(seed) });
            again.trace.iter().for_each(|line| println!("{line}"));
            panic!("seed {seed}: {report}");
        }
        joins += report.joins;
    }
    assert!(joins > 5, "{joins}");
}
