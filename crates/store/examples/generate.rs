//! Fills a home with the journals of nodes that wrote for days: what compaction and reading are
//! measured on (`.ci/long scale`). The same numbers give the same bytes.
//!
//! usage: generate HOME [RECORDS [TARGETS [NODES [FROM [crm]]]]]
//!
//! `FROM` is the number of the first record: with that of the records that are there already, new ones
//! follow on them. `crm` makes every eighth target a person of a company, and gives all of them what leads are made of, one
//! field after the other: ten records a target.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for measuring")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use cocli_core::digest::text_hash;
use cocli_core::frame::Range;
use cocli_core::{
    Causality, ClusterId, Datagram, Entry, Field, Instant, LogId, NodeId, Stamp, Target, Value, usv,
};
use cocli_store::journal::Placed;
use cocli_store::{HomeLock, Journals, RealDisk, SharedDisk};

const RECORDS: u64 = 10_000_000;
const TARGETS: u64 = 1_000_000;
const NODES: u64 = 10;
/// Between two records: ten million take 20 days.
const STEP_US: u64 = 172_800;
/// 2026-11-01T00:00:00Z.
const BEGIN_US: u64 = 1_793_491_200_000_000;
/// One record in so many is about one of few targets, so that many write over each other at once.
const HOT: u64 = 64;
const HOT_TARGETS: u64 = 100;
/// One record in so many tells what its writer saw.
const SAW: u64 = 20;
/// Bytes of a log that are appended at a time.
const BATCH_BYTES: usize = 1 << 20;

const WORDS: [&str; 8] =
    ["acme", "borealis", "cobalt", "delta", "ember", "fjord", "granite", "harbour"];
const COMPANY: [&str; 10] = [
    "name",
    "domain",
    "email",
    "phone_1",
    "city",
    "state",
    "average_rating",
    "reviews_count",
    "place_id",
    "tags.lead",
];
const PERSON: [&str; 10] = [
    "name",
    "email",
    "company",
    "phone",
    "role",
    "city",
    "state",
    "country",
    "zip_code",
    "street_address",
];
const FIELDS: [&str; 6] = ["name", "city", "phone", "email", "rating", "status"];

/// What is the same for all records of a run.
struct Plan {
    crm: bool,
    targets: u64,
    nodes: Vec<NodeId>,
}

impl Plan {
    fn instant(&self, number: u64) -> u64 {
        // All nodes write at the same moments.
        let nodes = self.nodes.len() as u64;
        BEGIN_US + number / nodes * nodes * STEP_US
    }

    fn datagram(&self, number: u64) -> Datagram {
        let dice = text_hash(&number.to_le_bytes());
        let limit =
            if dice.is_multiple_of(HOT) { HOT_TARGETS.min(self.targets) } else { self.targets };
        let target = (dice >> 8) % limit;
        let word = WORDS[(text_hash(&target.to_le_bytes()) % 8) as usize];
        let field = FIELDS[(dice >> 40) as usize % FIELDS.len()];
        let mut value = String::new();
        let small = dice >> 52;
        let _ = match field {
            "name" => write!(value, "{word} Ltd. {small}"),
            "city" => write!(value, "Town {}", small % 997),
            "phone" => write!(value, "+49 30 {:07}", small * 997),
            "email" => write!(value, "info{}@{word}.example", small % 97),
            "rating" => write!(value, "{}", small % 6),
            _ => write!(value, "{}", ["open", "won", "lost", "waiting"][small as usize % 4]),
        };
        let name = format!("companies/{word}-{target:07}");
        self.stamped(number, &name, field, &value)
    }

    /// What leads are made of.
    fn crm(&self, number: u64) -> Datagram {
        let (target, dice) = (number % self.targets, text_hash(&number.to_le_bytes()) >> 8);
        let word = |target: u64| WORDS[(text_hash(&target.to_le_bytes()) % 8) as usize];
        let company = |target: u64| format!("companies/{}-{target:07}", word(target));
        let (word, at) = (word(target), (number / self.targets) as usize % 10);
        if target % 8 == 7 {
            // Of the company before it.
            let value = match PERSON[at] {
                "name" => format!("Jo {word} {target}"),
                "email" => format!("jo.{word}{}@{word}.example", target / 16),
                "company" => company(target - 1),
                "phone" => format!("+49 30 {:07}", dice % 9_999_999),
                field => format!("{field} {}", dice % 97),
            };
            return self.stamped(number, &format!("people/jo-{target:07}"), PERSON[at], &value);
        }
        let value = match COMPANY[at] {
            "name" => format!("{word} {target} Ltd."),
            "domain" => format!("{word}{target}.example"),
            "email" if target.is_multiple_of(5) => String::new(),
            "email" => format!("Info@{word}{target}.example"),
            "phone_1" => format!("+49 30 {:07}", dice % 9_999_999),
            "average_rating" => format!("{}.{}", dice % 5, dice % 10),
            "reviews_count" => format!("{}", dice % 1_000),
            "place_id" => format!("ChIJ{dice:x}"),
            "tags.lead" => "true".to_owned(),
            field => format!("{field} {}", dice % 997),
        };
        self.stamped(number, &company(target), COMPANY[at], &value)
    }

    fn stamped(&self, number: u64, target: &str, field: &str, value: &str) -> Datagram {
        let node = self.nodes[(number % self.nodes.len() as u64) as usize].clone();
        let at = self.instant(number);
        let stamp = |at: u64| Stamp {
            instant: Instant::from_micros(at.cast_signed()).unwrap(),
            node: node.clone(),
        };
        let causality = match number % SAW {
            0 => Causality::saw([&stamp(at - at % 1_000_003)]),
            _ => Causality::nothing(),
        };
        Datagram {
            target: Target::read(target).unwrap(),
            field: Field::read(field).unwrap(),
            entry: Entry { stamp: stamp(at), value: Value::text(value), causality },
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, usual| words.get(at).map_or(usual, |word| word.parse().unwrap());
    let nodes = (0..number(3, NODES)).map(|n| NodeId::read(&format!("w{n}")).unwrap());
    let crm = words.get(5).is_some_and(|word| word == "crm");
    let plan = Plan { crm, targets: number(2, TARGETS), nodes: nodes.collect() };
    let (count, from) = (number(1, RECORDS), number(4, 0));
    let home = Path::new(words.first().expect("usage: generate HOME ..."));
    let id = std::fs::read(home.join(".cocli/id")).unwrap();
    let id: serde_json::Value = serde_json::from_slice(&id).unwrap();
    let cluster = ClusterId::read(id["cluster"].as_str().unwrap()).unwrap();
    let disk: SharedDisk = Arc::new(RealDisk::open(home).unwrap());
    let own = NodeId::read(id["node"].as_str().unwrap()).unwrap();
    let mut journals = Journals::open(disk.clone(), cluster, own).unwrap();
    let lock = HomeLock::take(&*disk, "generate").unwrap();
    let mut bytes = 0;
    for which in 0..plan.nodes.len() as u64 {
        bytes += write_log(&plan, which, from, count, &mut journals, &lock);
    }
    journals.sync(&lock).unwrap();
    println!("{count} records, {bytes} bytes");
}

/// Appends the records of one node; gives their bytes.
fn write_log(
    plan: &Plan,
    which: u64,
    from: u64,
    count: u64,
    journals: &mut Journals,
    lock: &HomeLock,
) -> u64 {
    let epoch = cocli_core::Epoch::default();
    let log = LogId::new(plan.nodes[which as usize].clone(), epoch);
    let head = journals.head(&log).unwrap();
    let mut range = None::<Range>;
    let mut position = head.position;
    let mut hash = head.hash;
    let mut append = |range: Range| {
        position += range.bytes.len() as u64;
        hash = range.hash_before.over(range.day, &range.bytes);
        let placed = journals.append_range(lock, &range).unwrap();
        assert!(matches!(placed, Placed::Appended(_)), "{placed:?}");
        (position, hash)
    };
    let mut next = (head.position, head.hash);
    for number in (from..from + count).filter(|n| n % plan.nodes.len() as u64 == which) {
        let datagram = if plan.crm { plan.crm(number) } else { plan.datagram(number) };
        let day = datagram.entry.stamp.instant.day();
        if let Some(full) = range.take_if(|r| r.day != day || r.bytes.len() >= BATCH_BYTES) {
            next = append(full);
        }
        let begun = range.get_or_insert_with(|| Range {
            log: log.clone(),
            day,
            position: next.0,
            hash_before: next.1,
            bytes: Vec::with_capacity(BATCH_BYTES + 256),
        });
        usv::write(&datagram, &mut begun.bytes);
    }
    if let Some(rest) = range.take() {
        next = append(rest);
    }
    next.0 - head.position
}
