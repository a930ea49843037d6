//! A home on the fake disk, and records to put into it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file takes what it needs of this"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cocli_core::frame::Range;
use cocli_core::{
    Causality, ClusterId, Datagram, Day, Entry, Epoch, Field, Instant, LogId, NodeId, Stamp, State,
    Target, Value, usv,
};
use cocli_store::checkpoint::Means;
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::disk::{Disk, FakeDisk, SharedDisk};
use cocli_store::{Command, HomeLock, Journals, Reader, Result, Written};

pub const CLUSTER: ClusterId = ClusterId([7; 16]);

pub fn day(text: &str) -> Day {
    Day::read(text).unwrap()
}

pub fn node(name: &str) -> NodeId {
    NodeId::read(name).unwrap()
}

pub fn log(name: &str) -> LogId {
    LogId::read(name).unwrap()
}

pub fn epoch(text: &str) -> Epoch {
    Epoch::read(text).unwrap()
}

pub fn command() -> Command {
    Command { at: Instant::from_micros(5).unwrap(), verb: "set".to_owned() }
}

/// One thread within so much memory; runs stay up to one part in so many of the shards.
pub fn means(memory: usize, share: u64) -> Means<'static> {
    let whole_bytes = if share == 8 { 64 << 20 } else { 0 };
    Means {
        memory,
        threads: 1,
        alone_bytes: 0,
        beside_bytes: u64::MAX,
        whole_bytes,
        share,
        progress: None,
    }
}

/// A datagram of its own field, so that it is seen in the state whatever else there is.
pub fn put(writer: &str, target: &str, field: &str, value: &str, at: i64) -> Datagram {
    Datagram {
        target: Target::read(target).unwrap(),
        field: Field::read(field).unwrap(),
        entry: Entry {
            stamp: Stamp { instant: Instant::from_micros(at).unwrap(), node: node(writer) },
            value: Value::text(value),
            causality: Causality::nothing(),
        },
    }
}

pub fn bytes_of<'a>(datagrams: impl IntoIterator<Item = &'a Datagram>) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagrams.into_iter().for_each(|datagram| usv::write(datagram, &mut bytes));
    bytes
}

/// A batch of `size` datagrams that no other batch has.
pub fn batch(writer: &str, number: usize, size: usize) -> Vec<Datagram> {
    let one = |at: usize| {
        let target = format!("companies/c{}", (number + at) % 5);
        put(
            writer,
            &target,
            &format!("f_{writer}_{number}_{at}"),
            &format!("v{number} {at}"),
            1000 + number as i64,
        )
    };
    (0..size).map(one).collect()
}

/// A batch whose records are longer than a sector.
pub fn long_batch(writer: &str, number: usize, size: usize) -> Vec<Datagram> {
    let mut batch = batch(writer, number, size);
    for datagram in &mut batch {
        let text = format!("{} {}", datagram.entry.value.as_str(), "long ".repeat(120));
        datagram.entry.value = Value::text(&text);
    }
    batch
}

/// How much of a batch a state holds.
pub fn held(state: &State, batch: &[Datagram]) -> usize {
    batch.iter().filter(|d| state.winner(&d.target, &d.field) == Some(&d.entry)).count()
}

pub fn state_of<'a>(datagrams: impl IntoIterator<Item = &'a Datagram>) -> State {
    let mut state = State::default();
    state.extend(datagrams.into_iter().cloned());
    state
}

/// An empty home.
pub fn home() -> FakeDisk {
    let disk = FakeDisk::new();
    disk.plant_folder(".cocli");
    disk
}

pub fn shared(disk: &FakeDisk) -> SharedDisk {
    Arc::new(disk.clone())
}

pub fn open(disk: &FakeDisk, name: &str) -> Result<Journals> {
    Journals::open(shared(disk), CLUSTER, node(name))
}

/// The own logs alone, as verbs that write look at them.
pub fn open_own(disk: &FakeDisk, name: &str, lock: &HomeLock) -> Result<Journals> {
    Journals::open_own(lock, shared(disk), CLUSTER, node(name))
}

pub fn take_lock(disk: &dyn Disk) -> Result<HomeLock> {
    HomeLock::try_take(disk, "test")
}

/// Opens the home, takes its lock, appends one batch.
pub fn append(disk: &FakeDisk, name: &str, today: &str, batch: &[Datagram]) -> Result<Written> {
    let lock = take_lock(disk)?;
    let mut journals = open_own(disk, name, &lock)?;
    journals.append_own(&lock, day(today), &bytes_of(batch), &command())
}

/// Which operation of an append of `pi1` is the first that is `what`, for [`FakeDisk::fail_at`].
pub fn step_of(disk: &FakeDisk, today: &str, batch: &[Datagram], what: &str) -> u64 {
    let traced = disk.copy();
    traced.start_trace();
    append(&traced, "pi1", today, batch).unwrap();
    traced.trace().iter().position(|op| op.contains(what)).unwrap() as u64 + 1
}

/// As `append`; where the log is in doubt, closes it first, as a node does.
pub fn append_or_close(
    disk: &FakeDisk,
    name: &str,
    today: &str,
    batch: &[Datagram],
    fresh: &str,
) -> Result<Written> {
    let lock = take_lock(disk)?;
    let mut journals = open_own(disk, name, &lock)?;
    let (bytes, fresh) = (bytes_of(batch), epoch(fresh));
    Ok(journals.append_or_close(&lock, day(today), &bytes, &command(), &fresh)?.0)
}

pub fn state(disk: &FakeDisk, name: &str) -> Result<State> {
    let all = Reader::open(&mut open(disk, name)?)?.state()?;
    let glance = Reader::glance(shared(disk), CLUSTER, node(name))?.state()?;
    assert_eq!(all, glance, "a glance sees something else");
    Ok(all)
}

/// A batch that was tried, and whether its writer was told that it is safe.
pub struct Tried {
    pub batch: Vec<Datagram>,
    pub acked: bool,
}

/// Runs `work` on copies of `base`, failing its k-th operation for every k until it runs through,
/// and checks what is left after a kill and after power cuts.
pub fn at_every_step(
    base: &FakeDisk,
    work: impl Fn(&FakeDisk) -> Vec<Tried>,
    check: impl Fn(&FakeDisk, &[Tried], &str),
) -> u64 {
    let mut steps = 0;
    // What stood there before has been there for long.
    base.sync_all().unwrap();
    for fault in [Fault::Error, Fault::NoSpace, Fault::Crash] {
        for times in [Times::Once, Times::ForGood] {
            for k in 1.. {
                let disk = base.copy();
                disk.fail_at(k, fault, times);
                let tried = work(&disk);
                let through = disk.ops() < k;
                // A kill, where one is possible, and power cuts by some seeds.
                let endings = if fault == Fault::Crash { 1..6 } else { 0..3 };
                for ending in endings {
                    let after = disk.copy();
                    match ending {
                        0 => after.kill(),
                        _ => after.crash(k * 6 + ending),
                    }
                    check(&after, &tried, &format!("{fault:?} {times:?} at {k}, ending {ending}"));
                }
                steps += 1;
                if through {
                    break;
                }
            }
        }
    }
    steps
}

/// All ranges of a log, as another node would get them.
pub fn ranges(journals: &mut Journals, log: &LogId, each: usize) -> Vec<Range> {
    let (mut from, end) = (0, journals.end(log));
    let mut ranges = Vec::new();
    while let Some(range) = journals.read(log, from, end, each).unwrap() {
        from = range.position + range.bytes.len() as u64;
        ranges.push(range);
    }
    ranges
}

/// Everything that must be true of a home after any fault: no block fails its marks, the marks say
/// what the bytes say, and the digest is that of the state.
pub fn check_home(disk: &FakeDisk, name: &str) {
    let mut journals = open(disk, name).unwrap();
    let logs: Vec<LogId> = journals.logs().cloned().collect();
    let mut heads = BTreeMap::new();
    for log in &logs {
        journals.scrub(log).unwrap();
        heads.insert(log.clone(), journals.head(log).unwrap());
    }
    assert_eq!(journals.holes(), [], "a hole without damage");
    let reader = Reader::open(&mut journals).unwrap();
    assert_eq!(reader.digest().unwrap(), reader.state().unwrap().digest());
    // The chain worked out from nothing.
    let bare = disk.copy();
    for path in bare.files() {
        if path.starts_with(".cocli/marks/") {
            bare.unplant(&path);
        }
    }
    let mut bare = open(&bare, name).unwrap();
    for log in &logs {
        assert_eq!(bare.head(log).unwrap(), heads[log], "{log}");
    }
}
