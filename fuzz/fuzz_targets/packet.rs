//! Any bytes are a packet, a question or an answer, or are refused; what is read is written the same.
//! And whatever a member of the cluster says, the engine goes on.
#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cocli_core::frame::{Boot, Packet, Writer};
use cocli_core::gossip::stream::{Answer, Question};
use cocli_core::gossip::{BranchEnd, Engine, FetchEnd, Input, Output, Served, Start};
use cocli_core::{ClusterId, Head, Instant, LogId, NodeId, Vector};
use libfuzzer_sys::fuzz_target;

/// Beyond all that the peer's engine has counted itself.
const COUNTER: u64 = 1_000_000;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = Packet::read(bytes) {
        let mut writer = Writer::new(&packet.node, packet.boot, packet.counter);
        assert!(packet.messages.iter().all(|message| writer.put(message)));
        let again = Packet { unknown: 0, ..packet };
        assert_eq!(Packet::read(&writer.finish()), Ok(again));
    }
    if let Some(question) = Question::read(bytes) {
        assert_eq!(Question::read(&question.write()), Some(question));
    }
    if let Some(answer) = Answer::read(bytes) {
        assert_eq!(Answer::read(&answer.write()), Some(answer));
    }
    hear(bytes);
});

struct Node {
    engine: Engine,
    /// What its disk has taken.
    written: BTreeMap<LogId, Head>,
    address: SocketAddr,
}

fn node(name: &str, port: u16) -> Node {
    let node = NodeId::read(name).expect("a name");
    let own = LogId::read(name).expect("a log");
    let (boot, seed) = (Boot(u64::from(port)), [7; 16]);
    let cluster = ClusterId([1; 16]);
    let (vector, bases) = (Vector::default(), BTreeMap::new());
    let start = Start { node, boot, seed, cluster, own, vector, bases };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut engine = Engine::new(start, 0);
    // 2027-02-28T23:59:50Z: a month ends on the way.
    engine.set_wall(0, Instant::from_micros(1_803_859_190_000_000).expect("a time"));
    Node { engine, written: BTreeMap::new(), address }
}

impl Node {
    /// One step; gives the packets that it sends. Its world is a disk that takes all and peers whose
    /// streams break.
    fn step(&mut self, now: u64, input: Input) -> Vec<Vec<u8>> {
        let (mut sent, mut inputs) = (Vec::new(), vec![input]);
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.engine.step(now, input, &mut out);
            for output in out {
                match output {
                    Output::Send { bytes, .. } => sent.push(bytes),
                    Output::Append(ranges) => {
                        let ranges = ranges.into_iter().map(|linked| linked.range);
                        let heads = ranges.map(|range| (range.log.clone(), range.end()));
                        self.written.extend(heads);
                        let heads = self.written.clone().into_iter().collect();
                        inputs.push(Input::Appended { heads, refused: Vec::new() });
                    }
                    Output::Sync => {
                        let heads = self.written.clone().into_iter().collect();
                        inputs.push(Input::Synced { heads, lost: Vec::new() });
                    }
                    Output::Serve { peer, log, from, .. } => {
                        let what = Served::Ranges(Vec::new());
                        inputs.push(Input::Served { peer, log, from, what });
                    }
                    Output::Fetch { log, peer, .. } => {
                        inputs.push(Input::FetchEnded { log, peer, end: FetchEnd::Cut });
                    }
                    Output::Branch { log, peer, .. } => {
                        inputs.push(Input::BranchEnded { log, peer, end: BranchEnd::Open });
                    }
                    Output::Checkpoint { peer, .. } => {
                        inputs.push(Input::CheckpointEnded { peer, whole: false });
                    }
                    Output::Heal(_)
                    | Output::Doubt { .. }
                    | Output::Waited { .. }
                    | Output::Advanced { .. } => {}
                }
            }
        }
        sent
    }
}

/// Two engines meet; then one of them is replaced by the input: each length byte is a packet's body
/// that follows it, and how long it took to come.
fn hear(mut bytes: &[u8]) {
    let (mut one, mut two) = (node("one", 1), node("two", 2));
    let mut now = 0;
    let mut for_one = Vec::new();
    let mut for_two = one.step(now, Input::Candidates(vec![two.address]));
    for _ in 0..20 {
        now += 100_000;
        let heard = std::mem::take(&mut for_two);
        let packets = heard.into_iter().map(|bytes| Input::Packet { from: one.address, bytes });
        for input in packets.chain([Input::Tick]) {
            for_one.extend(two.step(now, input));
        }
        let heard = std::mem::take(&mut for_one);
        let packets = heard.into_iter().map(|bytes| Input::Packet { from: two.address, bytes });
        for input in packets.chain([Input::Tick]) {
            for_two.extend(one.step(now, input));
        }
    }
    let name = NodeId::read("two").expect("a name");
    let mut counter = COUNTER;
    while let Some((length, rest)) = bytes.split_first() {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(*length) * 4));
        let mut packet = Writer::new(&name, Boot(2), counter).finish();
        packet.extend_from_slice(body);
        counter += 1;
        now += u64::from(*length) * 10_000;
        one.step(now, Input::Packet { from: two.address, bytes: packet });
        one.step(now, Input::Tick);
        bytes = rest;
    }
}
