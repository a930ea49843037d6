//! The store against real servers that fail: behind `tests/bucket/proxy.py`, which each test starts for
//! itself. Needs the servers of `tests/bucket/servers.py`; without them nothing is tested here.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;

use cocli_core::bucket::{Bucket, Created, FailureKind, Key};
use cocli_core::name::NodeId;
use cocli_tier::{Environment, Settings, Store, suite};
use serde_json::{Value as Json, json};

mod support;

use support::{Proxy, servers};

/// A request, and three more tries.
const TRIES: u64 = 4;

fn settings() -> Settings {
    Settings::new(Environment::of([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-test"),
    ]))
}

fn open(address: &str) -> Store {
    Store::open(address, &settings()).unwrap()
}

fn key(text: &str) -> Key {
    Key::read(text).unwrap()
}

fn node() -> NodeId {
    NodeId::read("abc-1").unwrap()
}

/// What is injected, and as what it must come out when it is more than the tries can bear.
fn faults() -> Vec<(&'static str, Json, FailureKind)> {
    let status = |status: u16, code: &str| json!({"status": status, "code": code});
    vec![
        ("500", status(500, "InternalError"), FailureKind::Away),
        ("503", status(503, "SlowDown"), FailureKind::Away),
        ("429", status(429, "TooManyRequests"), FailureKind::Away),
        ("403", status(403, "AccessDenied"), FailureKind::Denied),
        ("409", status(409, "ConditionalRequestConflict"), FailureKind::Away),
        ("close", json!({"do": "close"}), FailureKind::Away),
        ("drop", json!({"do": "drop"}), FailureKind::Away),
        ("reset", json!({"do": "reset"}), FailureKind::Away),
        ("cut", json!({"do": "cut"}), FailureKind::Away),
    ]
}

/// Keys of one case: what was created by whom, and never made.
struct Case<'a> {
    name: String,
    kind: FailureKind,
    percent: u8,
    faulty: &'a Store,
    truth: &'a Store,
}

impl Case<'_> {
    fn bytes(&self, n: usize) -> Vec<u8> {
        format!("{} {n} ", self.name).repeat(50).into_bytes()
    }

    /// Every operation, and no answer that is not true.
    fn holds(&self, rounds: usize) {
        let folder = format!("{}/", self.name);
        for n in 0..rounds {
            self.creates(&key(&format!("{folder}{n}")), n);
            self.reads(&key(&format!("{folder}{n}")));
            self.reads(&key(&format!("{folder}never-{n}")));
        }
        match self.faulty.list(&key(&folder)) {
            Ok(listed) => assert_eq!(Ok(listed), self.truth.list(&key(&folder)), "{}", self.name),
            Err(failure) => self.is_expected(failure.kind),
        }
        let first = key(&format!("{folder}0"));
        match self.faulty.remove(std::slice::from_ref(&first)) {
            Ok(()) => assert_eq!(self.truth.get(&first), Ok(None), "{}", self.name),
            Err(failure) => self.is_expected(failure.kind),
        }
    }

    fn creates(&self, key: &Key, n: usize) {
        let bytes = self.bytes(n);
        let told = self.faulty.create(key, &bytes);
        let there = self.truth.get(key).unwrap();
        match told {
            Ok(Created::New | Created::Exists) => assert_eq!(there, Some(bytes), "{}", self.name),
            Err(failure) => {
                self.is_expected(failure.kind);
                assert!(there.is_none_or(|there| there == bytes), "{}", self.name);
            }
        }
    }

    fn reads(&self, key: &Key) {
        let truth = self.truth.get(key).unwrap();
        match self.faulty.get(key) {
            Ok(got) => assert!(got == truth, "{}: {key}: another answer", self.name),
            Err(failure) => self.is_expected(failure.kind),
        }
    }

    fn is_expected(&self, kind: FailureKind) {
        assert!(self.percent > 0, "{}: failed without a fault", self.name);
        assert_eq!(kind, self.kind, "{}", self.name);
    }
}

/// Requests of a case with one key's begin.
fn requests(counts: &Json, method: &str, case: &str) -> u64 {
    let by = counts["by"].as_object().unwrap();
    let of = |name: &str| name.starts_with(method) && name.contains(case);
    by.iter().filter(|(name, _)| of(name)).map(|(_, n)| n.as_u64().unwrap()).sum()
}

#[test]
fn no_fault_at_any_rate_makes_an_answer_wrong_or_a_storm() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let percents = [0, 50, 100];
        let mut plan = Vec::new();
        let mut cases = BTreeMap::new();
        for (name, fault, kind) in faults() {
            for percent in percents {
                let case = format!("case-{name}-{percent}");
                let mut fault = fault.clone();
                fault["percent"] = json!(percent);
                fault["key"] = json!(format!("{case}/"));
                if name == "409" {
                    fault["method"] = json!("PUT");
                }
                plan.push(fault);
                cases.insert(case, (kind, percent));
            }
        }
        proxy.follow(&json!(plan));
        let truth = open(&server);
        let stores: Vec<_> = cases.keys().map(|_| open(&proxy.address("single_deletes"))).collect();
        let rounds = 4;
        std::thread::scope(|scope| {
            for ((name, (kind, percent)), faulty) in cases.iter().zip(&stores) {
                let (kind, percent, truth) = (*kind, *percent, &truth);
                let case = Case { name: name.clone(), kind, percent, faulty, truth };
                scope.spawn(move || case.holds(rounds));
            }
        });
        let counts = proxy.counts();
        for (case, (kind, percent)) in &cases {
            let at = format!("/{case}");
            let (puts, gets) = (requests(&counts, "PUT", &at), requests(&counts, "GET", &at));
            let tries = if *percent == 0 || *kind == FailureKind::Denied { 1 } else { TRIES };
            let rounds = rounds as u64;
            assert!(puts <= rounds * tries, "{server}: {case}: {puts} PUTs");
            // Of a create with a conflict each try reads once.
            let read_again = if case.contains("409") { puts } else { 0 };
            assert!(gets <= 2 * rounds * tries + read_again, "{server}: {case}: {gets} GETs");
        }
        println!("{server}: {} requests, {} of them failed", counts["total"], counts["failed"]);
    }
}

#[test]
fn a_create_whose_answer_was_lost_left_the_object_and_says_so_when_asked_again() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        proxy.follow(&json!([{"do": "drop", "method": "PUT", "key": "lost", "kth": 1}]));
        let (store, key) = (open(&proxy.address("")), key("lost/1"));
        if let Ok(told) = store.create(&key, b"mine") {
            assert_eq!(told, Created::Exists);
        }
        assert_eq!(store.create(&key, b"mine"), Ok(Created::Exists));
        assert_eq!(open(&server).get(&key), Ok(Some(b"mine".to_vec())));
    }
}

#[test]
fn a_conflict_is_read_again_and_no_failure() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let conflict = |key: &str| json!({"status": 409, "method": "PUT", "key": key, "kth": 1});
        proxy.follow(&json!([conflict("conflict/new"), conflict("conflict/there")]));
        let store = open(&proxy.address(""));
        assert_eq!(store.create(&key("conflict/new"), b"mine"), Ok(Created::New));
        let there = key("conflict/there");
        open(&server).create(&there, b"other").unwrap();
        assert_eq!(store.create(&there, b"mine"), Ok(Created::Exists));
        assert_eq!(store.get(&there), Ok(Some(b"other".to_vec())));
        let counts = proxy.counts();
        assert_eq!(counts["failed"], 2);
        assert_eq!(requests(&counts, "PUT", "conflict"), 3, "{counts}");
    }
}

#[test]
fn a_refusal_means_missing_only_while_a_known_object_can_be_read() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let denied = |key: &str| json!({"status": 403, "code": "AccessDenied", "key": key});
        proxy.follow(&json!([denied("absent")]));
        open(&server).create(&Key::cluster(), b"id").unwrap();
        let store = open(&proxy.address(""));
        let absent = |n: u32| key(&format!("absent/{n}"));
        assert_eq!(store.get(&absent(0)).unwrap_err().kind, FailureKind::Denied);
        store.missing_is_denied(true);
        let before = store.meter();
        for n in 0..20 {
            assert_eq!(store.get(&absent(n)), Ok(None));
        }
        assert_eq!((store.meter() - before).requests(), 21, "cluster was read more than once");
        // Credentials that are over refuse everything: then nothing is missing.
        proxy.follow(&json!([denied("")]));
        let store = open(&proxy.address(""));
        store.missing_is_denied(true);
        for n in 0..5 {
            assert_eq!(store.get(&absent(n)).unwrap_err().kind, FailureKind::Denied);
        }
        assert_eq!(store.meter().requests(), 6);
    }
}

#[test]
fn a_probe_finds_what_is_refused() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let denied = |method: &str, key: &str| json!({"status": 403, "code": "AccessDenied", "method": method, "key": key});
        let probed = |name: &str, faults: Json| {
            proxy.follow(&faults);
            open(&proxy.address("")).probe(&node(), name).unwrap()
        };
        let report = probed("a", json!([denied("GET", "-missing"), denied("GET", "list-type")]));
        assert!(report.fits() && report.missing_is_denied, "{report:?}");
        assert!(
            matches!(&report.lists, cocli_tier::Able::No(said) if said.contains("AccessDenied"))
        );
        let report = probed("b", json!([denied("PUT", "try-")]));
        assert!(!report.fits() && !report.missing_is_denied, "{report:?}");
        let report = probed("c", json!([denied("POST", "delete")]));
        assert!(report.fits() && report.deletes != cocli_tier::Able::Yes, "{report:?}");
        // A store that knows no condition replaces what is there.
        let report = probed("d", json!([{"do": "forget-condition", "method": "PUT"}]));
        assert!(!report.fits(), "{report:?}");
    }
}

#[test]
fn races_are_won_once_where_puts_go_one_at_a_time() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let (one, other) = (open(&proxy.address("")), open(&proxy.address("")));
        suite::one_of_many_racers_creates(&one, &other, &suite::Folder::new("proxy-race"));
    }
}

#[test]
fn a_deletion_of_many_that_fails_is_told() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let store = open(&proxy.address(""));
        let keys = [key("many/1"), key("many/2")];
        for key in &keys {
            store.create(key, b"x").unwrap();
        }
        proxy.follow(&json!([{"status": 503, "method": "POST"}]));
        assert_eq!(store.remove(&keys).unwrap_err().kind, FailureKind::Away);
        proxy.follow(&json!([{"status": 403, "method": "POST"}]));
        assert_eq!(store.remove(&keys).unwrap_err().kind, FailureKind::Denied);
        proxy.follow(&json!([{"status": 503, "method": "POST", "kth": 1}]));
        assert_eq!(store.remove(&keys), Ok(()));
        assert_eq!(open(&server).get(&keys[0]), Ok(None));
    }
}

#[test]
fn so_many_run_at_a_time_and_no_more() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        proxy.follow(&json!([{"delay": 0.05}]));
        let store = open(&proxy.address("parallel=3"));
        let keys: Vec<Key> = (0..12).map(|n| key(&format!("parallel/{n}"))).collect();
        let mut rest = keys.iter();
        let created = store.create_all(&mut || Ok(rest.next().map(|key| (key.clone(), vec![1]))));
        assert_eq!(created, Ok(vec![Created::New; 12]));
        assert_eq!(proxy.counts()["peak"], 3, "creating");
        let mut came = 0;
        let mut take = |_, _| {
            came += 1;
            Ok(())
        };
        store.get_all(&keys, &mut take).unwrap();
        assert_eq!((came, &proxy.counts()["peak"]), (12, &json!(3)), "getting");
    }
}

#[test]
fn a_large_body_that_breaks_comes_whole_or_not() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let truth = open(&server);
        let bytes: Vec<u8> = (0..8u32 << 20).map(|n| (n.wrapping_mul(40_503) >> 9) as u8).collect();
        let store = open(&proxy.address("timeout=1"));
        for does in ["reset", "cut", "stall"] {
            let key = key(&format!("large-{does}"));
            truth.create(&key, &bytes).unwrap();
            let fault = json!({"do": does, "method": "GET", "key": key.as_str(), "kth": 1});
            proxy.follow(&json!([fault]));
            assert!(store.get(&key).unwrap().unwrap() == bytes, "{server}: {does} once");
            let mut always = fault.clone();
            always["for_good"] = json!(true);
            proxy.follow(&json!([always]));
            let before = store.meter();
            assert_eq!(store.get(&key).unwrap_err().kind, FailureKind::Away, "{server}: {does}");
            let asked = (store.meter() - before).requests();
            assert!(asked <= TRIES, "{server}: {does}: {asked} requests");
        }
    }
}

#[test]
fn a_store_that_is_silent_is_away_in_time() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        proxy.follow(&json!([{"delay": 4}]));
        let store = open(&proxy.address("timeout=1"));
        let failure = store.create(&key("silent"), b"x").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Away);
        assert!(failure.said.contains("no answer in time"), "{failure}");
        assert_eq!(
            store.meter().requests(),
            1,
            "a create that may have been done is not sent again"
        );
        assert_eq!(store.get(&key("silent")).unwrap_err().kind, FailureKind::Away);
        assert!(store.meter().requests() <= 1 + TRIES);
    }
}

#[test]
fn a_404_that_no_store_said_is_no_missing_object() {
    for server in servers() {
        let proxy = Proxy::before(&server);
        let store = open(&proxy.address(""));
        assert_eq!(store.get(&key("nowhere")), Ok(None));
        for fault in
            [json!({"status": 404, "code": ""}), json!({"status": 404, "code": "NoSuchBucket"})]
        {
            proxy.follow(&json!([fault]));
            assert_eq!(store.get(&key("nowhere")).unwrap_err().kind, FailureKind::Wrong);
        }
    }
}
