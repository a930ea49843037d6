//! Figures, not claims: `cargo test --release -p cocli-store --test speed -- --ignored --nocapture`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a figure needs a clock")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cocli_core::{Datagram, Target, usv};
use cocli_store::{HomeLock, Journals, Reader, RealDisk, checkpoint};
use support::*;

fn datagrams(count: usize) -> impl Iterator<Item = Datagram> {
    (0..count).map(move |number| {
        let target = format!("companies/company-{}", number % (count / 12).max(1));
        put(
            "pi1",
            &target,
            &format!("field_{}", number % 12),
            &format!("some value of text {number}"),
            number as i64,
        )
    })
}

fn timed<T>(what: &str, records: usize, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    let took = start.elapsed();
    let rate = records as f64 / took.as_secs_f64() / 1e6;
    println!("{what:44} {took:>12.3?}  {rate:.2} M/s");
    done
}

#[test]
#[ignore = "figures; needs --release"]
fn figures() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".cocli")).unwrap();
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let open = || Journals::open(disk.clone(), CLUSTER, node("pi1")).unwrap();
    let lock = HomeLock::take(&*disk, "figures").unwrap();
    for count in [30_000_usize, 1_000_000] {
        let all: Vec<Datagram> = datagrams(count).collect();
        let mut bytes = Vec::new();
        timed("write records to memory", count, || {
            all.iter().for_each(|d| usv::write(d, &mut bytes))
        });
        println!("{count} records, {} bytes", bytes.len());
        let parsed = timed("parse", count, || {
            usv::records(&bytes).filter(|r| usv::read_in(&bytes, *r).is_ok()).count()
        });
        assert_eq!(parsed, count);
        let mut journals = open();
        timed("append_own, one batch", count, || {
            journals.append_own(&lock, day("20261123"), &bytes, &command()).unwrap()
        });
        timed("head of all", count, || journals.head(&log("pi1")).unwrap());
        drop(journals);
        let mut journals = timed("open", 1, open);
        let reader =
            timed("reader on an uncompacted log", 1, || Reader::open(&mut journals).unwrap());
        let target = Target::read("companies/company-7").unwrap();
        println!("tail {} bytes", reader.tail_bytes());
        timed("entity by the tail", 1, || reader.entity(&target).unwrap());
        timed("compact", count, || checkpoint::compact(&lock, &mut journals, 256 << 20).unwrap());
        timed("compact again", 1, || checkpoint::compact(&lock, &mut journals, 256 << 20).unwrap());
        // A tail of 4 MiB on top.
        let tail: Vec<Datagram> = datagrams(30_000).collect();
        journals.append_own(&lock, day("20261123"), &bytes_of(&tail), &command()).unwrap();
        drop(journals);
        let mut journals = timed("open", 1, open);
        let reader = timed("reader", 1, || Reader::open(&mut journals).unwrap());
        println!(
            "tail {} bytes, checkpoint {} bytes",
            reader.tail_bytes(),
            reader.manifest().bytes()
        );
        for _ in 0..3 {
            timed("entity", 1, || reader.entity(&target).unwrap());
        }
        timed("digest", 1, || reader.digest().unwrap());
        timed("history of a target", 1, || reader.history(&target, None).unwrap());
        let state = timed("state", count, || reader.state().unwrap());
        assert_eq!(state.digest(), reader.digest().unwrap());
        timed("compact the tail", 30_000, || {
            checkpoint::compact(&lock, &mut journals, 256 << 20).unwrap()
        });
        let mut times: Vec<Duration> = (0..200)
            .map(|number| {
                let start = Instant::now();
                let one = bytes_of(&[put("pi1", "companies/one", "name", "x", number)]);
                let mut journals = open();
                journals.append_own(&lock, day("20261123"), &one, &command()).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("open and append one: p50 {:?} p99 {:?}", times[100], times[198]);
    }
}
