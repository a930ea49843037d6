//! Measured runs: the same from the same seed, and with figures that add up.

use cocli_sim::{Figures, Measured, Options, Watch, measure};

fn rough(seed: u64) -> Options {
    let base = Options::measured(seed, 8);
    let measured = base.measured.map(|measured| Measured {
        parted_seconds: 3,
        skew_seconds: 20,
        crashes: 3,
        ..measured
    });
    Options {
        loss: 50,
        duplicates: 50,
        copies: 2,
        delay_us: (1_000, 30_000),
        seconds: 8,
        measured,
        ..base
    }
}

fn sound(options: Options) -> (Figures, Watch) {
    let (figures, watch) = measure(options);
    assert!(figures.failures.is_empty(), "{figures}");
    (figures, watch)
}

#[test]
fn the_same_seed_and_options_give_the_same_trace_and_picture() {
    let (one, two) = (sound(rough(4)), sound(rough(4)));
    assert_eq!(one.0, two.0);
    assert_eq!(one.1.picture(), two.1.picture());
    assert_ne!(one.0.trace_hash, sound(rough(5)).0.trace_hash);
    let other = Options { loss: 60, ..rough(4) };
    assert_ne!(one.0.trace_hash, sound(other).0.trace_hash);
}

#[test]
fn in_a_calm_world_every_write_reaches_every_node_once() {
    let (figures, _) = sound(Options { seconds: 5, ..Options::measured(1, 6) });
    assert_eq!((figures.writes, figures.deliveries), (50, 50 * 5));
    assert!(figures.equal_us.is_some_and(|us| us < 1_000_000), "{figures}");
    assert!(figures.median.p50 <= figures.last.p50 && figures.last.max < 1_000_000, "{figures}");
    // What was written is the least that can be sent.
    assert!(figures.bytes.data >= figures.record_bytes * figures.deliveries, "{figures}");
    assert_eq!(figures.lost, 0);
}

#[test]
fn what_is_cut_off_holds_the_writes_only_after_the_cut() {
    let base = Options::measured(2, 6);
    let measured = base.measured.map(|measured| Measured { parted_seconds: 6, ..measured });
    let (figures, _) = sound(Options { seconds: 8, measured, ..base });
    assert!(figures.last.max > 4_000_000, "{figures}");
    assert!(figures.last.p50 > 10 * figures.median.p50, "{figures}");
}

#[test]
fn many_nodes_are_drawn_as_shares() {
    let base = Options::measured(3, 60);
    let measured = base.measured.map(|measured| Measured { peers: Some(8), ..measured });
    let (figures, watch) = sound(Options { seconds: 2, measured, ..base });
    assert_eq!(figures.deliveries, 20 * 59);
    let picture = watch.picture();
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("share of nodes"));
}

#[test]
fn a_third_of_the_packets_lost_holds_nothing_up_for_long() {
    for seed in 0..3 {
        let base = Options::measured(seed, 5);
        let measured = base.measured.map(|measured| Measured { every_us: 1_000, ..measured });
        let (figures, _) = sound(Options { loss: 300, seconds: 3, measured, ..base });
        assert!(figures.last.p99 < 2_000_000, "{figures}");
        assert!(figures.equal_us.is_some_and(|us| us < 2_000_000), "{figures}");
    }
}
