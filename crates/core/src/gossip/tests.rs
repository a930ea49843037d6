//! Two or three engines over logs in memory, step by step. Faults in all their mixtures are the
//! simulator's (crate `sim`); here stand the rules that one can tell from single packets.

mod checkpoint;
mod condition;
mod forks;
mod members;
mod turns;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::stream::{Asked, Comparer, Fetcher, Logs, Verdict, answer};
use super::testing::MemoryLogs;
use super::*;
use crate::digest::ClusterId;
use crate::frame::{HELLO_BYTES, Linked, Message, Packet, Writer};
use crate::limits::{
    CANDIDATES_MAX, COMMIT_US, LIVE_US, STREAM_REST_US, STREAM_SILENT_US, STREAM_SLOW_US,
};
use crate::name::{LogId, NodeId};
use crate::time::Day;
use crate::vector::{Head, Vector};

const CLUSTER: ClusterId = ClusterId([9; 16]);

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 9999))
}

fn log(name: &str) -> LogId {
    LogId::read(name).unwrap()
}

fn day() -> Day {
    Day::from_number(20_261_123).unwrap()
}

struct Node {
    engine: Engine,
    logs: MemoryLogs,
    at: SocketAddr,
    /// Appends that the test answers itself.
    held: Vec<Vec<Linked>>,
    hold: bool,
    /// Syncs that the test answers itself.
    syncs: usize,
    hold_sync: bool,
    /// Streams that it opened; what they were given where they bring nothing.
    streams: usize,
    slow: Option<Vec<Micros>>,
    waited: Vec<(u64, Vec<NodeId>)>,
    /// Checkpoints that it wants to take: of which logs, from whom.
    taken: Vec<(Vec<LogId>, Boot)>,
}

struct World {
    now: Micros,
    nodes: Vec<Node>,
    flying: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    seen: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    blocked: Vec<(u8, u8)>,
}

impl World {
    fn new(names: &[&str]) -> Self {
        let nodes = names.iter().zip(1..).map(|(name, n)| {
            let start = Start {
                node: NodeId::read(name).unwrap(),
                boot: Boot(100 + u64::from(n)),
                seed: [n; 16],
                cluster: CLUSTER,
                own: log(name),
                vector: Vector::default(),
                bases: BTreeMap::new(),
            };
            Node {
                engine: Engine::new(start, 0),
                logs: MemoryLogs::new(CLUSTER),
                at: address(n),
                held: Vec::new(),
                hold: false,
                syncs: 0,
                hold_sync: false,
                streams: 0,
                slow: None,
                waited: Vec::new(),
                taken: Vec::new(),
            }
        });
        let nodes = nodes.collect();
        Self { now: 0, nodes, flying: VecDeque::new(), seen: Vec::new(), blocked: Vec::new() }
    }

    fn met(names: &[&str]) -> Self {
        let mut world = Self::new(names);
        for n in 0..names.len() {
            let others: Vec<_> = world.nodes.iter().map(|node| node.at).collect();
            let others = others.into_iter().filter(|at| *at != world.nodes[n].at).collect();
            world.step(n, Input::Candidates(others));
        }
        world.run(5_000_000);
        world
    }

    fn step(&mut self, n: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.nodes[n].engine.step(self.now, input, &mut out);
            for output in out {
                inputs.extend(self.act(n, output));
            }
        }
    }

    fn act(&mut self, n: usize, output: Output) -> Vec<Input> {
        match output {
            Output::Send { to, bytes } => {
                self.flying.push_back((self.nodes[n].at, to, bytes));
                vec![]
            }
            Output::Serve { peer, log, from, max } => {
                let node = &mut self.nodes[n];
                let what = if node.logs.hash_at(&log, from.position) == Ok(Some(from.hash)) {
                    let range = node.logs.read(&log, from.position, u64::MAX, max);
                    Served::Ranges(range.into_iter().collect())
                } else {
                    Served::Fork
                };
                vec![Input::Served { peer, log, from, what }]
            }
            Output::Append(ranges) if self.nodes[n].hold => {
                self.nodes[n].held.push(ranges);
                vec![]
            }
            Output::Append(ranges) => vec![self.appended(n, &ranges)],
            Output::Sync if self.nodes[n].hold_sync => {
                self.nodes[n].syncs += 1;
                vec![]
            }
            Output::Sync => vec![self.synced(n)],
            Output::Fetch { log, from, until, patience, peer, to } => {
                self.nodes[n].streams += 1;
                if let Some(slow) = &mut self.nodes[n].slow {
                    slow.push(patience);
                    return vec![Input::FetchEnded { log, peer, end: FetchEnd::Slow }];
                }
                self.fetch(log, from, until, peer, to)
            }
            Output::Branch { log, peer, to } => vec![self.branch(n, log, peer, to)],
            Output::Doubt { log, .. } => {
                let trusted =
                    self.nodes[n].logs.head(&log).unwrap_or(self.nodes[n].logs.start(&log));
                let log = LogId::read(&format!("{}~{}", log.node, "abcdefg2")).unwrap();
                let copied = self.nodes[n].logs.start(&log);
                vec![Input::NewEpoch { log, trusted, copied }]
            }
            Output::Waited { id, nodes } => {
                self.nodes[n].waited.push((id, nodes));
                vec![]
            }
            Output::Checkpoint { logs, peer, .. } => {
                self.nodes[n].taken.push((logs, peer));
                vec![]
            }
            Output::Heal(_) | Output::Advanced { .. } => vec![],
        }
    }

    fn synced(&mut self, n: usize) -> Input {
        let heads = self.nodes[n].logs.vector().0.into_iter().collect();
        Input::Synced { heads, lost: vec![] }
    }

    fn appended(&mut self, n: usize, ranges: &[Linked]) -> Input {
        let logs = &mut self.nodes[n].logs;
        let ranges = ranges.iter().map(|linked| &linked.range);
        let (written, refused): (Vec<_>, Vec<_>) = ranges.partition(|range| logs.commit(range));
        let log = |range: &crate::frame::Range| range.log.clone();
        let heads = written.into_iter().map(log).map(|log| (log.clone(), logs.head(&log).unwrap()));
        Input::Appended { heads: heads.collect(), refused: refused.into_iter().map(log).collect() }
    }

    fn fetch(
        &mut self,
        log: LogId,
        from: Head,
        until: u64,
        peer: Boot,
        to: SocketAddr,
    ) -> Vec<Input> {
        let other = self.nodes.iter().position(|node| node.at == to).unwrap();
        let mut fetcher = Fetcher::new(log.clone(), from, until);
        let mut inputs = Vec::new();
        loop {
            match fetcher.take(answer(&mut self.nodes[other].logs, &fetcher.question())) {
                Ok(range) => {
                    let went_on = fetcher.go_on(range.end());
                    inputs.push(Input::Fetched(range));
                    if let Err(end) = went_on {
                        inputs.push(Input::FetchEnded { log, peer, end });
                        return inputs;
                    }
                }
                Err(end) => {
                    inputs.push(Input::FetchEnded { log, peer, end });
                    return inputs;
                }
            }
        }
    }

    fn branch(&mut self, n: usize, log: LogId, peer: Boot, to: SocketAddr) -> Input {
        let other = self.nodes.iter().position(|node| node.at == to).unwrap();
        let mut theirs = self.nodes[other].logs.clone();
        let mine = &mut self.nodes[n].logs;
        let start = mine.start(&log);
        let (mut comparer, mut question) = Comparer::new(log.clone(), start, mine);
        let verdict = loop {
            match comparer.take(answer(&mut theirs, &question), mine) {
                Asked::Next(next) => question = next,
                Asked::Over(verdict) => break verdict,
            }
        };
        let end = match verdict {
            Verdict::Keep => BranchEnd::Kept,
            Verdict::Open => BranchEnd::Open,
            Verdict::Yield { common, lost } => {
                let own = self.nodes[n].engine.own().clone();
                for (_, record) in self.nodes[n].logs.cut(&log, common) {
                    self.nodes[n].logs.append(&own, day(), &record);
                }
                BranchEnd::Yielded { common, lost }
            }
        };
        Input::BranchEnded { log, peer, end }
    }

    fn deliver(&mut self) -> bool {
        let Some((from, to, bytes)) = self.flying.pop_front() else { return false };
        self.seen.push((from, to, bytes.clone()));
        let host = |at: SocketAddr| match at.ip() {
            core::net::IpAddr::V4(ip) => ip.octets()[3],
            core::net::IpAddr::V6(_) => 0,
        };
        if let Some(n) = self.nodes.iter().position(|node| node.at == to)
            && !self.blocked.contains(&(host(from), host(to)))
        {
            self.step(n, Input::Packet { from, bytes });
        }
        true
    }

    fn run(&mut self, for_us: Micros) {
        let end = self.now + for_us;
        loop {
            while self.deliver() {}
            let next = self.nodes.iter().map(|node| node.engine.deadline()).min().unwrap();
            if next > end {
                break;
            }
            self.now = self.now.max(next) + 1;
            for n in 0..self.nodes.len() {
                if self.nodes[n].engine.deadline() <= self.now {
                    self.step(n, Input::Tick);
                }
            }
        }
        self.now = end;
    }

    fn write(&mut self, n: usize, text: &str) -> Head {
        let own = self.nodes[n].engine.own().clone();
        let logs = &mut self.nodes[n].logs;
        let before = logs.head(&own).map_or(0, |head| head.position);
        logs.append(&own, day(), format!("{text}\x1e").as_bytes());
        let head = logs.head(&own).unwrap();
        let ranges = logs.read(&own, before, u64::MAX, 16 * 1024).into_iter().collect();
        self.step(n, Input::Durable { log: own, head, ranges });
        head
    }

    fn level(&mut self) -> bool {
        let vectors: Vec<_> = self.nodes.iter().map(|node| node.logs.vector()).collect();
        let engines = self.nodes.iter().all(|n| *n.engine.vector() == n.logs.vector());
        engines && vectors.windows(2).all(|pair| pair[0] == pair[1])
    }
}

#[test]
fn a_write_is_on_the_other_node_before_any_timer_fires() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, "one");
    while world.deliver() {}
    assert!(world.level());
    assert_eq!(world.nodes[0].engine.holders(&log("a"), 4).len(), 1);
}

#[test]
fn what_is_not_durable_is_neither_shown_nor_acknowledged() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].hold = true;
    let head = world.write(0, "one");
    world.run(10_000_000);
    assert_eq!(world.nodes[1].engine.vector().position(&log("a")), 0);
    assert!(world.nodes[0].engine.holders(&log("a"), head.position).is_empty());
    world.nodes[1].hold_sync = true;
    let ranges = world.nodes[1].held.remove(0);
    let done = world.appended(1, &ranges);
    world.step(1, done);
    world.run(10_000_000);
    assert_eq!(world.nodes[1].engine.vector().position(&log("a")), 0);
    assert!(world.nodes[0].engine.holders(&log("a"), head.position).is_empty());
    let done = world.synced(1);
    world.step(1, done);
    while world.deliver() {}
    assert_eq!(world.nodes[0].engine.holders(&log("a"), head.position).len(), 1);
}

#[test]
fn a_peer_with_another_branch_does_not_count_for_those_who_wait() {
    let mut world = World::met(&["a", "b"]);
    world.blocked = vec![(1, 2), (2, 1)];
    let head = world.write(0, "ours");
    let mut packet = Writer::new(&NodeId::read("b").unwrap(), Boot(102), 9_999);
    let other = Head { hash: crate::digest::ChainHash([1; 16]), ..head };
    assert!(packet.put(&Message::Entries(vec![(log("a"), other)])));
    world.step(0, Input::Wait { id: 1, log: log("a"), position: head.position, nodes: 1 });
    world.step(0, Input::Packet { from: address(2), bytes: packet.finish() });
    assert!(world.nodes[0].engine.status().peers[0].live);
    assert!(world.nodes[0].waited.is_empty());
}

#[test]
fn a_wait_for_too_many_tells_who_holds_it_so_far() {
    let mut world = World::met(&["a", "b", "c"]);
    world.blocked = vec![(1, 3), (3, 1), (2, 3), (3, 2)];
    let head = world.write(0, "one");
    world.step(0, Input::Wait { id: 1, log: log("a"), position: head.position, nodes: 2 });
    assert!(world.nodes[0].engine.holders_for(1).is_empty());
    while world.deliver() {}
    let holders: Vec<_> = world.nodes[0].engine.holders_for(1).into_iter().collect();
    assert_eq!(holders, [NodeId::read("b").unwrap()]);
    assert!(world.nodes[0].waited.is_empty());
    world.step(0, Input::Unwait(1));
    assert!(world.nodes[0].engine.holders_for(1).is_empty());
}

#[test]
fn a_failed_disk_is_left_alone_for_a_while_and_then_takes_everything() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].hold = true;
    world.write(0, "one");
    while world.deliver() {}
    world.nodes[1].held.clear();
    world.step(1, Input::AppendFailed(vec![log("a")]));
    world.nodes[1].hold = false;
    world.run(500_000);
    assert!(!world.level() && world.nodes[1].engine.status().stalled);
    world.run(10_000_000);
    assert!(world.level());
}

#[test]
fn somebody_who_waits_is_not_kept_waiting_for_the_group_sync() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, "one");
    while world.deliver() {}
    let head = world.write(0, "two");
    while world.deliver() {}
    assert!(!world.level());
    world.step(0, Input::Wait { id: 7, log: log("a"), position: head.position, nodes: 1 });
    while world.deliver() {}
    assert_eq!(world.nodes[0].waited, [(7, vec![NodeId::read("b").unwrap()])]);
}

#[test]
fn writes_in_a_row_are_written_as_they_come_and_synced_at_most_five_times_a_second() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].hold_sync = true;
    let mut syncs = 0;
    for n in 0..200 {
        let head = world.write(0, &format!("record {n}"));
        world.run(10_000);
        assert_eq!(world.nodes[1].logs.head(&log("a")), Some(head));
        for _ in 0..core::mem::take(&mut world.nodes[1].syncs) {
            syncs += 1;
            let done = world.synced(1);
            world.step(1, done);
        }
    }
    assert!(syncs <= 2_000_000 / COMMIT_US + 1, "{syncs}");
    world.nodes[1].hold_sync = false;
    world.run(10_000_000);
    assert!(world.level());
}

#[test]
fn a_slow_sync_holds_up_neither_what_is_written_nor_the_word_of_it() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].hold_sync = true;
    let first = world.write(0, "one");
    while world.deliver() {}
    assert_eq!(world.nodes[1].syncs, 1);
    let second = world.write(0, "two");
    world.run(400_000);
    assert_eq!((world.nodes[1].syncs, world.nodes[1].logs.head(&log("a"))), (1, Some(second)));
    // The sync covered the first record alone.
    world.step(1, Input::Synced { heads: vec![(log("a"), first)], lost: vec![] });
    while world.deliver() {}
    assert_eq!(world.nodes[0].engine.holders(&log("a"), first.position).len(), 1);
    assert!(world.nodes[0].engine.holders(&log("a"), second.position).is_empty());
    assert_eq!(world.nodes[1].syncs, 2);
    let done = world.synced(1);
    world.step(1, done);
    while world.deliver() {}
    // Who sent both is told of both, at once.
    assert_eq!(world.nodes[0].engine.holders(&log("a"), second.position).len(), 1);
}

#[test]
fn a_failed_sync_forgets_what_it_was_to_cover_and_asks_for_it_again() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].hold_sync = true;
    world.write(0, "one");
    while world.deliver() {}
    world.nodes[1].logs.logs.clear();
    world.step(1, Input::SyncFailed);
    assert!(world.nodes[1].engine.status().stalled);
    while world.nodes[1].syncs < 2 {
        world.run(1_000_000);
    }
    world.nodes[1].logs.logs.clear();
    world.step(1, Input::Synced { heads: vec![], lost: vec![log("a")] });
    assert!(world.nodes[1].engine.status().stalled);
    world.nodes[1].hold_sync = false;
    world.run(20_000_000);
    assert!(world.level());
}

#[test]
fn who_waits_for_a_log_that_was_just_closed_waits_for_the_copy() {
    let mut world = World::met(&["a", "b"]);
    let kept = world.write(0, "kept");
    world.run(1_000_000);
    world.blocked = vec![(1, 2), (2, 1)];
    let head = world.write(0, "copied");
    world.flying.clear();
    let fresh = log("a~abcdefg2");
    let batch = b"copied\x1e";
    world.nodes[0].logs.cut(&log("a"), kept);
    world.nodes[0].logs.append(&fresh, day(), batch);
    let copied = world.nodes[0].logs.head(&fresh).unwrap();
    world.step(0, Input::NewEpoch { log: fresh, trusted: kept, copied });
    world.step(0, Input::Wait { id: 3, log: log("a"), position: head.position, nodes: 1 });
    world.blocked.clear();
    world.run(3_000_000);
    assert_eq!(world.nodes[0].waited, [(3, vec![NodeId::read("b").unwrap()])]);
}

#[test]
fn a_hello_of_a_boot_that_was_replaced_does_not_throw_out_the_one_that_lives() {
    let mut world = World::met(&["a", "b"]);
    let mut hellos = world.seen.iter().filter(|(from, _, bytes)| {
        let packet = Packet::read(bytes).unwrap();
        *from == address(2)
            && packet
                .messages
                .iter()
                .any(|m| matches!(m, Message::Hello { echo, .. } if *echo != 0))
    });
    let (from, _, replayed) = hellos.next_back().cloned().unwrap();
    let start = Start {
        node: NodeId::read("b").unwrap(),
        boot: Boot(202),
        seed: [22; 16],
        cluster: CLUSTER,
        own: log("b"),
        vector: Vector::default(),
        bases: BTreeMap::new(),
    };
    world.nodes[1].engine = Engine::new(start, world.now);
    world.step(1, Input::Candidates(vec![address(1)]));
    world.run(5_000_000);
    let boots = |world: &World| -> Vec<Boot> {
        world.nodes[0].engine.status().peers.iter().map(|peer| peer.boot).collect()
    };
    assert_eq!(boots(&world), [Boot(202)]);
    world.step(0, Input::Packet { from, bytes: replayed });
    assert_eq!(boots(&world), [Boot(202)]);
}

#[test]
fn a_hole_is_asked_for_even_when_what_follows_never_stops_coming() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, "first");
    world.run(1_000_000);
    world.write(0, "lost");
    world.flying.clear();
    for n in 0..12 {
        world.write(0, &format!("record {n}"));
        world.run(5_000);
    }
    let held = |n: usize| world.nodes[n].logs.logs[&log("a")].len();
    assert!(held(1) + 2 >= held(0), "{} of {}", held(1), held(0));
}

#[test]
fn a_third_node_heals_two_that_cannot_talk() {
    let mut world = World::met(&["a", "b", "c"]);
    world.blocked = vec![(1, 2), (2, 1)];
    world.write(0, "from a");
    world.write(1, "from b");
    world.run(5_000_000);
    assert!(world.level());
}

#[test]
fn an_unproven_sender_gets_one_hello_that_is_not_larger_and_nothing_it_says_counts() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, "secret");
    world.run(1_000_000);
    world.flying.clear();
    let stranger = NodeId::read("s").unwrap();
    let spoofed = address(77);
    let from = Head { position: 0, hash: world.nodes[0].logs.start(&log("a")).hash };
    let wants = [
        vec![Message::Hello { cookie: 5, echo: 6 }],
        vec![Message::Want { log: log("a"), from, until: u64::MAX }],
        vec![Message::Want { log: log("a"), from, until: u64::MAX }; 10],
        vec![Message::Entries(vec![(log("b"), Head { position: 999, hash: from.hash })])],
    ];
    let before = world.nodes[0].engine.status().counts.unproven;
    for (counter, messages) in (1..).zip(wants) {
        let mut packet = Writer::new(&stranger, Boot(5), counter);
        assert!(messages.iter().all(|message| packet.put(message)));
        let bytes = packet.finish();
        let length = bytes.len();
        world.step(0, Input::Packet { from: spoofed, bytes });
        let sent: Vec<_> = world.flying.drain(..).filter(|(_, to, _)| *to == spoofed).collect();
        assert!(sent.len() <= 1 && sent.iter().all(|(_, _, bytes)| bytes.len() <= length));
        assert_eq!(sent.len(), usize::from(length >= HELLO_BYTES));
        for (_, _, bytes) in sent {
            let packet = Packet::read(&bytes).unwrap();
            assert!(matches!(packet.messages[..], [Message::Hello { .. }]));
        }
    }
    assert_eq!(world.nodes[0].engine.status().counts.unproven, before + 4);
    assert_eq!(world.nodes[0].engine.own(), &log("a"));
}

#[test]
fn all_that_was_ever_sent_may_come_again_and_changes_nothing() {
    let mut world = World::met(&["a", "b"]);
    for n in 0..20 {
        world.write(n % 2, &format!("record {n}"));
        world.run(300_000);
    }
    world.run(5_000_000);
    let before: Vec<_> = world.nodes.iter().map(|n| n.logs.vector()).collect();
    let taken =
        |world: &World| world.nodes.iter().map(|n| n.engine.status().counts.taken).sum::<u64>();
    let taken_before = taken(&world);
    for (from, to, bytes) in core::mem::take(&mut world.seen) {
        let n = world.nodes.iter().position(|node| node.at == to).unwrap();
        world.step(n, Input::Packet { from, bytes: bytes.clone() });
        // And from elsewhere.
        world.step(n, Input::Packet { from: address(99), bytes });
    }
    assert_eq!(taken(&world), taken_before);
    assert_eq!(world.nodes.iter().map(|n| n.logs.vector()).collect::<Vec<_>>(), before);
}

#[test]
fn a_peer_whose_port_changes_is_followed_and_a_restarted_one_takes_its_own_place() {
    let mut world = World::met(&["a", "b"]);
    world.nodes[1].at = address(42);
    world.run(40_000_000);
    world.write(0, "after the move");
    while world.deliver() {}
    world.run(3_000_000);
    assert!(world.level());
    let vector = world.nodes[1].logs.vector();
    let start = Start {
        node: NodeId::read("b").unwrap(),
        boot: Boot(4711),
        seed: [44; 16],
        cluster: CLUSTER,
        own: log("b"),
        vector,
        bases: BTreeMap::new(),
    };
    world.nodes[1].engine = Engine::new(start, world.now);
    world.step(1, Input::Candidates(vec![address(1)]));
    world.run(3_000_000);
    let peers = world.nodes[0].engine.status().peers;
    assert_eq!(peers.iter().map(|peer| peer.boot).collect::<Vec<_>>(), [Boot(4711)]);
    world.write(1, "new boot");
    while world.deliver() {}
    assert!(world.level());
}

#[test]
fn addresses_that_nobody_named_make_room_for_those_that_somebody_did() {
    let mut world = World::new(&["a", "b"]);
    let told =
        |n: u16| (0..2 * n).map(|port| SocketAddr::from(([192, 0, 2, 7], port + 1))).collect();
    let most = u16::try_from(CANDIDATES_MAX).unwrap();
    world.step(0, Input::Hints(told(most)));
    assert_eq!(world.nodes[0].engine.status().unmet.len(), CANDIDATES_MAX);
    world.step(0, Input::Candidates(vec![address(2)]));
    let unmet = world.nodes[0].engine.status().unmet;
    assert!(unmet.contains(&address(2)) && unmet.len() == CANDIDATES_MAX);
    world.step(0, Input::Hints(told(2 * most)));
    world.run(3_000_000);
    assert_eq!(world.nodes[0].engine.status().peers.len(), 1);
}

#[test]
fn records_that_fit_no_packet_and_large_gaps_go_by_stream() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, &"x".repeat(5_000));
    world.run(3_000_000);
    assert!(world.level());
    world.blocked = vec![(1, 2), (2, 1)];
    for n in 0..2_000 {
        world.write(0, &format!("record {n} {}", "y".repeat(100)));
    }
    world.write(0, &"z".repeat(300_000));
    world.blocked.clear();
    world.run(10_000_000);
    assert!(world.level());
}

#[test]
fn what_a_slow_stream_does_not_bring_comes_by_packets_and_a_long_record_by_streams_alone() {
    let mut world = World::met(&["a", "b"]);
    world.blocked = vec![(1, 2), (2, 1)];
    for at in 0..200 {
        world.write(0, &format!("{at} {}", "x".repeat(990)));
    }
    world.run(1_000_000);
    world.blocked.clear();
    world.nodes[1].slow = Some(Vec::new());
    world.run(STREAM_REST_US / 2);
    assert!(world.level());
    assert_eq!(world.nodes[1].streams, 1);
    let given = world.nodes[1].slow.clone().unwrap();
    assert!((STREAM_SLOW_US..STREAM_SLOW_US + 1_000_000).contains(&given[0]), "{given:?}");
    world.write(0, &"y".repeat(10_000));
    world.run(STREAM_SILENT_US);
    assert!(!world.level());
    let given = world.nodes[1].slow.take().unwrap();
    assert_eq!(given.last(), Some(&STREAM_SILENT_US));
    world.run(STREAM_SILENT_US);
    assert!(world.level());
}

#[test]
fn an_own_log_that_is_longer_elsewhere_is_closed_and_its_tail_comes_back() {
    let mut world = World::met(&["a", "b"]);
    world.write(0, "one");
    world.run(1_000_000);
    let old = world.nodes[0].logs.clone();
    world.write(0, "two");
    world.run(1_000_000);
    let start = Start {
        node: NodeId::read("a").unwrap(),
        boot: Boot(555),
        seed: [55; 16],
        cluster: CLUSTER,
        own: log("a"),
        vector: old.vector(),
        bases: BTreeMap::new(),
    };
    world.nodes[0].logs = old;
    world.nodes[0].engine = Engine::new(start, world.now);
    world.step(0, Input::Candidates(vec![address(2)]));
    world.run(5_000_000);
    assert_ne!(world.nodes[0].engine.own(), &log("a"));
    world.write(0, "three");
    world.run(5_000_000);
    assert!(world.level());
    assert_eq!(world.nodes[0].logs.logs[&log("a")].len(), 2);
}

#[test]
fn a_peer_that_falls_silent_is_no_longer_pushed_to_and_is_found_again() {
    let mut world = World::met(&["a", "b"]);
    world.blocked = vec![(1, 2), (2, 1)];
    world.run(LIVE_US + 1_000_000);
    assert!(world.nodes[0].engine.status().peers.iter().all(|peer| !peer.live));
    world.seen.clear();
    world.run(600_000_000);
    assert!(world.seen.len() < 60, "{}", world.seen.len());
    assert!(world.seen.iter().all(|(_, _, bytes)| bytes.len() == HELLO_BYTES));
    world.blocked.clear();
    world.run(61_000_000);
    assert!(world.nodes[0].engine.status().peers.iter().all(|peer| peer.live));
}

#[test]
fn numbers_in_the_document_are_those_of_the_code() {
    use crate::limits::*;
    let text = include_str!("../../../../docs/gossip.md");
    let kib = |bytes: u64| format!("{} KiB", bytes / 1024);
    let seconds = |us: u64| format!("{} s", us / 1_000_000);
    let ms = |us: u64| format!("{} ms", us / 1000);
    for number in [
        format!("at most {},{} bytes", PACKET_BYTES_MAX / 1000, PACKET_BYTES_MAX % 1000),
        format!("zeros up to {HELLO_BYTES} bytes"),
        format!("{SEAL_BYTES_MAX} bytes are set aside"),
        format!("entries up to {ENTRIES_BYTES} bytes"),
        format!("the last {},0{} counters", REPLAY_WINDOW / 1000, REPLAY_WINDOW % 1000),
        format!("at most {PUSH_PEERS_MAX}, else to {PUSH_FEW}"),
        format!("At most {} are pushed", kib(PUSH_BYTES_MAX)),
        format!("at most {} of ranges", kib(WANT_BYTES_MAX)),
        format!("up to {} missing", kib(GAP_BYTES_MAX)),
        format!("at most {WANTS_MAX} wants"),
        format!("a buffer of {} a log", kib(EARLY_BYTES_MAX as u64)),
        format!("a range of at most {}", kib(CHUNK_BYTES as u64)),
        format!("up to {COMMON_HEADS_MAX} heads"),
        format!("to {ROUND_PEERS} live peers by turns"),
        format!("up to {ENTRIES_PACKETS_MAX} packets of entries"),
        format!("At most {FETCHES_MAX} at a time"),
        format!("one that has brought {} MiB leaves", STREAM_TURN_BYTES >> 20),
        format!("record of a branch that lost ({LOST_BRANCHES_MAX} of them)"),
        format!("the last {OWN_HEADS_MAX} heads"),
        format!("up to {ADDRESSES_MAX} proven addresses"),
        format!("At most {PEERS_MAX} peers and {CANDIDATES_MAX} candidates"),
        format!(
            "after {}, then twice as late each time up to {}",
            ms(HELLO_MIN_US),
            seconds(HELLO_MAX_US)
        ),
        format!("packet came within {}", seconds(LIVE_US)),
        format!("silent for {}", seconds(ADDRESS_SILENT_US)),
        format!("sent nothing for {}", seconds(LIVE_US / 2)),
        format!("with more than {LIVE_PEERS} peers"),
        format!("fewer than {PEERS_SOUGHT} peers are live"),
        format!("to {PUSH_FEW} at random"),
        format!("within {}, at most once in {}", ms(HELLO_MIN_US), seconds(STIR_US)),
        format!("down** {} later", seconds(SUSPECT_US)),
        format!("asks one member every {}", seconds(MEMBERS_ASK_US)),
        format!("it is here every {}", seconds(ANNOUNCE_DOWN_US)),
        format!("at most {ASKED_PEERS} of them"),
        format!("At most {MEMBERSHIP_BYTES} bytes with the sender"),
        format!("longer ago than {}", ms(COMMIT_US)),
        format!("at least {}; after as many", ms(WANT_MIN_US)),
        format!("fit {}, at least {LOSSES_MIN} and at most {LOSSES_MAX}", seconds(LOSSES_US)),
        format!("doubled with each up to {}", seconds(WANT_MAX_US)),
        format!("passed over for {}", seconds(PASS_OVER_US)),
        format!("told within {}", ms(RETELL_US)),
        format!("plus {}", ms(NEAR_US)),
        format!("asked for after {}", ms(OVERTAKE_US)),
        format!("unanswered for {}", seconds(STREAM_SILENT_US)),
        format!(
            "for {} and {STREAM_ROUND_TRIPS} round trips is slow: it is cut, and what fits packets is asked for by them for {}",
            seconds(STREAM_SLOW_US),
            seconds(STREAM_REST_US)
        ),
        format!("one log at most every {}", seconds(COMPARE_US)),
        format!("one such doubt in {}", seconds(DOUBT_US)),
        format!(
            "nothing is taken for {}, then for twice as long each time up to {}",
            seconds(STALL_MIN_US),
            seconds(STALL_MAX_US)
        ),
    ] {
        assert!(text.contains(&number), "docs/gossip.md does not say: {number}");
    }
}

#[test]
fn numbers_of_what_is_told_of_nodes_are_those_of_the_code() {
    use crate::limits::*;
    let text = include_str!("../../../../docs/gossip.md");
    let seconds = |us: u64| format!("{} s", us / 1_000_000);
    for number in [
        format!("every {}, as long as at most {LIVE_PEERS} are live", seconds(CONDITION_US)),
        format!(
            "not within {} of the last time (with more than {CONDITION_PEERS} live",
            seconds(CONDITION_MIN_US)
        ),
        format!("again and again, at most {CONDITION_BYTES_MAX} bytes"),
        format!("1 to {VERSION_BYTES_MAX} visible ASCII"),
        format!("at most {},{} times the XXH3-64", SUMS_MAX / 1000, SUMS_MAX % 1000),
        format!("up to {DIFFERENCES_MAX} hashes of targets"),
        format!("at most {DIFFERENCE_CHARS_MAX} characters"),
    ] {
        assert!(text.contains(&number), "docs/gossip.md does not say: {number}");
    }
}
