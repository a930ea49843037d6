//! Many worlds in which anything may happen. A failing seed is printed with the command that
//! replays it, event by event.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_sim::{Options, Report};

const SEEDS: u64 = 1_000;
const THREADS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_seed_ends_level_with_nothing_lost() {
    if let Some(seed) = number("COCLI_SIM_SEED") {
        let report = cocli_sim::run(Options { trace: true, ..Options::any(seed) });
        report.trace.iter().for_each(|line| println!("{line}"));
        println!("{:#?}\n{report}", Options::any(seed));
        assert!(report.failures.is_empty());
        return;
    }
    let first = number("COCLI_SIM_FIRST").unwrap_or(0);
    let last = first + number("COCLI_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let reports: Mutex<Vec<Report>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let run = std::panic::catch_unwind(|| cocli_sim::run(Options::any(seed)));
                    match run {
                        Ok(report) => reports.lock().unwrap().push(report),
                        Err(_) => panic!("seed {seed} panicked; {}", replay(seed)),
                    }
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap();
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    println!(
        "{} seeds, {} s simulated, {} events, {} packets, {} lost, {} doubled, {} streams cut, {} acknowledged, {} faults, {} branches set aside, {} epochs",
        reports.len(),
        sum(|r| r.simulated_ms) / 1000,
        sum(|r| r.events),
        sum(|r| r.packets),
        sum(|r| r.lost),
        sum(|r| r.doubled),
        sum(|r| r.cut),
        sum(|r| r.acknowledged),
        sum(|r| r.faults),
        sum(|r| r.asides),
        sum(|r| r.epochs),
    );
    let mut failed: Vec<&Report> = reports.iter().filter(|r| !r.failures.is_empty()).collect();
    failed.sort_by_key(|report| report.seed);
    for report in failed.iter().take(12) {
        println!("{report}  {}", replay(report.seed));
    }
    let seeds: Vec<u64> = failed.iter().map(|report| report.seed).collect();
    assert!(seeds.is_empty(), "{} seeds failed: {seeds:?}", seeds.len());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 2, 3, 4, 5] {
        let (one, two) = (cocli_sim::run(Options::any(seed)), cocli_sim::run(Options::any(seed)));
        assert_eq!((one.trace_hash, one.events), (two.trace_hash, two.events), "seed {seed}");
    }
    let other = cocli_sim::run(Options::any(6)).trace_hash;
    assert_ne!(other, cocli_sim::run(Options::any(7)).trace_hash);
}

fn replay(seed: u64) -> String {
    format!(
        "replay: COCLI_SIM_SEED={seed} cargo test -p cocli-sim --test seeds -- --nocapture every_seed"
    )
}
