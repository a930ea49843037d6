//! A machine of the Python program, played from its specification: UDP, plain text, no key.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value as Json;

use crate::cluster::{Daemon, daemon, level, member};
use crate::discovery::within;
use crate::support::Home;

/// Every field of a company that it writes at a save, in its order.
const FIELDS: [(&str, &str); 36] = [
    ("name", "Acme Inc"),
    ("domain", "acme.example"),
    ("type", "Client"),
    ("tags", "[\"roadmap\", \" b-tag \", \"a-tag\", \"roadmap\"]"),
    ("company_hash", "acme-12-main-75094"),
    ("visits_per_day", "120"),
    ("keywords", "[]"),
    ("full_address", "12 Main St, Dallas, TX 75094"),
    ("street_address", "12 Main St"),
    ("city", "Dallas"),
    ("zip_code", "75094"),
    ("state", "TX"),
    ("country", "US"),
    ("timezone", "America/Chicago"),
    ("phone_1", "12145550134"),
    ("phone_number", "12145550135"),
    ("email", "info@acme.example"),
    ("website_url", "https://acme.example"),
    ("all_emails", "[\"info@acme.example\", \"z\\u00f6@acme.example\"]"),
    ("email_contexts", "{\"info@acme.example\": \"General\"}"),
    ("tech_stack", "[]"),
    ("categories", "[\"Flooring\", \"Tiles\"]"),
    ("reviews_count", "42"),
    ("average_rating", "4.5"),
    ("business_status", "OPERATIONAL"),
    ("hours", "Mon 9-5\nTue 9-5"),
    ("latitude", "32.99"),
    ("longitude", "-117.99"),
    ("facebook_url", "https://facebook.example/acme"),
    ("services", "[\"Tiling\"]"),
    ("products", "[]"),
    ("meta_description", "We tile"),
    ("place_id", "ChIJ5X0j7DHDwogRvQgaGw0y4FM"),
    ("last_enriched", "2026-02-18T17:04:05Z"),
    ("enrichment_ttl_days", "30"),
    ("processed_by", "local-worker"),
];

const LONG: Duration = Duration::from_secs(10);

struct Python {
    socket: UdpSocket,
    node: &'static str,
    second: std::cell::Cell<u32>,
}

impl Python {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        Self { socket, node: "vm.local", second: 0.into() }
    }

    fn address(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    /// A record as it writes it, each later than the one before and than everything here.
    fn record(&self, field: &str, value: &str) -> String {
        let n = self.second.replace(self.second.get() + 1);
        let (minute, second, node) = (n / 60, n % 60, self.node);
        format!(
            "2100-01-01T00:{minute:02}:{second:02}.020015+00:00\u{1f}{node}\u{1f}companies/acme\u{1f}{field}\u{1f}{value}\u{1f}\u{1e}"
        )
    }

    fn send(&self, to: &Daemon, packet: impl AsRef<[u8]>) {
        self.socket.send_to(packet.as_ref(), &to.address).unwrap();
    }

    fn says(&self, to: &Daemon, field: &str, value: &str) {
        self.send(to, self.record(field, value));
    }

    /// All fields of its copy, with a new time each.
    fn saves(&self, to: &Daemon, changed: &[(&str, &str)]) {
        for (field, value) in FIELDS {
            let value = changed.iter().find(|(f, _)| *f == field).map_or(value, |(_, v)| v);
            self.says(to, field, value);
        }
    }

    /// The next packet: node, target, field and value.
    fn hears(&self) -> [String; 4] {
        let mut buffer = vec![0; 65_536];
        let (length, _) = self.socket.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let fields: Vec<&str> = text.strip_suffix('\u{1e}').unwrap().split('\u{1f}').collect();
        let [time, node, target, field, value, ""] = fields[..] else { panic!("{text:?}") };
        assert!(time.len() == 32 && time.ends_with("+00:00"), "{time}");
        [node, target, field, value].map(str::to_string)
    }
}

/// A home that lists the peers.
fn lists(home: &Home, peers: &[&Python]) {
    let names: Vec<String> = peers.iter().map(|peer| format!("{:?}", peer.address())).collect();
    let listed = format!("[gossip]\npython_peers = [{}]", names.join(", "));
    let settings = home.read(".cocli/config.toml").replace("[gossip]", &listed);
    std::fs::write(home.file(".cocli/config.toml"), settings).unwrap();
}

/// What the gateway says of its first peer.
fn shown(home: &Home) -> Json {
    shown_at(home, 0)
}

fn shown_at(home: &Home, peer: usize) -> Json {
    let status: Json = serde_json::from_str(&home.run(&["--json", "status"]).out).unwrap();
    status["daemon"]["python"][peer].clone()
}

/// A daemon that knows where its Python peers are.
fn gateway(home: &Home, peers: &[&str]) -> Daemon {
    let daemon = daemon(home, peers);
    within(|| shown(home)["address"].is_string().then_some(()));
    daemon
}

/// Waits until so many records and notices were looked at, and gives the counts.
fn after(home: &Home, came: u64) -> Json {
    within(|| Some(shown(home)).filter(|shown| shown["came"].as_u64().unwrap() >= came))
}

fn get(home: &Home, field: &str) -> String {
    home.run(&["get", "companies/acme", field]).ok().trim_end().to_string()
}

#[test]
fn what_a_python_peer_writes_is_on_every_node_byte_for_byte() {
    let (one, python) = (Home::new(), Python::new());
    let other = member(&one, "laptop");
    lists(&one, &[&python]);
    let first = gateway(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    let record = python.record("city", "Z\u{fc}rich");
    python.send(&first, &record);
    let later = python.record("services", "[\"a\", \"\\u00e9\"]").replacen(
        "companies/acme",
        "road\u{1f}prod\u{1f}companies/acme",
        1,
    );
    python.send(&first, &later);
    within(|| other.run(&["get", "companies/acme", "services"]).out.contains('a').then_some(()));
    level(&[&one, &other]);
    assert_eq!(get(&other, "city"), "Z\u{fc}rich");
    assert!(other.read("companies/acme/_index.md").contains("city: Z\u{fc}rich"));
    let own = std::fs::read_dir(other.file("wal")).unwrap().map(|e| e.unwrap().path());
    let own = own.filter(|path| path.display().to_string().contains("_pi1.usv"));
    let bytes: Vec<u8> = own.flat_map(|path| std::fs::read(path).unwrap()).collect();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(&record) && text.contains(&later), "{text}");
}

#[test]
fn a_save_of_all_fields_from_a_stale_copy_changes_only_what_was_changed_in_it() {
    let (one, python) = (Home::new(), Python::new());
    let other = member(&one, "laptop");
    lists(&one, &[&python]);
    let mut first = gateway(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    python.saves(&first, &[]);
    let counts = after(&one, 36);
    assert_eq!(counts["refused"], 0, "{counts}");
    level(&[&one, &other]);
    assert_eq!(get(&other, "tags"), "[\"a-tag\",\"b-tag\",\"roadmap\"]");
    other.run(&["set", "companies/acme", "city=Austin", "tags+=lead", "tags-=a-tag"]).ok();
    other.run(&["set", "companies/acme", "phone_1=+1 512 555 0199", "--wait", "1"]).ok();
    level(&[&one, &other]);
    // What it remembers outlives the daemon.
    first.end();
    let first = gateway(&one, &[]);
    let tags = "[\"roadmap\", \"a-tag\", \"new\"]";
    python.saves(&first, &[("name", "Acme Industries"), ("tags", tags)]);
    let counts = after(&one, 36);
    // The name, and of the tags the one that came and the one that went.
    assert_eq!((&counts["appended"], &counts["refused"]), (&3.into(), &0.into()), "{counts}");
    level(&[&one, &other]);
    for home in [&one, &other] {
        assert_eq!(get(home, "name"), "Acme Industries");
        assert_eq!(get(home, "city"), "Austin");
        assert_eq!(get(home, "phone_1"), "+1 512 555 0199");
        assert_eq!(get(home, "tags"), "[\"lead\",\"new\",\"roadmap\"]");
    }
    let before = one.written();
    python.saves(&first, &[("name", "Acme Industries"), ("tags", tags)]);
    assert_eq!(after(&one, 72)["appended"], 3);
    assert_eq!(one.written(), before, "the same save once more says nothing");
}

#[test]
fn what_a_python_peer_was_told_and_sends_back_late_reverts_nobody() {
    let (home, python) = (Home::new(), Python::new());
    lists(&home, &[&python]);
    let daemon = gateway(&home, &[]);
    python.says(&daemon, "city", "Plano");
    assert_eq!(after(&home, 1)["appended"], 1);
    for city in ["Dallas", "Austin"] {
        home.run(&["set", "companies/acme", &format!("city={city}")]).ok();
        assert_eq!(python.hears()[3], city);
    }
    python.says(&daemon, "city", "Dallas");
    assert_eq!(after(&home, 2)["echoes"], 1);
    assert_eq!(get(&home, "city"), "Austin");
    python.says(&daemon, "city", "Houston");
    assert_eq!(after(&home, 3)["appended"], 2);
    assert_eq!(get(&home, "city"), "Houston");
}

#[test]
fn a_gateway_that_cannot_be_opened_says_so_and_is_tried_again() {
    let (home, python) = (Home::new(), Python::new());
    lists(&home, &[&python]);
    // Where the folder of what it remembers would be stands a file.
    std::fs::write(home.file(".cocli/python"), "in the way").unwrap();
    let daemon = gateway(&home, &[]);
    let why = shown(&home)["closed"].as_str().unwrap().to_string();
    assert!(why.contains(".cocli/python"), "{why}");
    let status = home.run(&["status"]).ok();
    assert!(status.contains("closed: ") && status.contains("it is tried again"), "{status}");
    python.says(&daemon, "city", "Dallas");
    std::fs::remove_file(home.file(".cocli/python")).unwrap();
    // What came meanwhile is taken in.
    assert_eq!(after(&home, 1)["appended"], 1);
    assert_eq!((shown(&home)["closed"].is_null(), get(&home, "city")), (true, "Dallas".into()));
}

#[test]
fn what_a_peer_had_before_it_was_listed_reverts_nobody() {
    let (home, python) = (Home::new(), Python::new());
    for change in ["city=Dallas", "city=Austin", "tags=[\"a\",\"b\"]", "tags-=b", "name=Acme"] {
        home.run(&["set", "companies/acme", change]).ok();
    }
    lists(&home, &[&python]);
    let daemon = gateway(&home, &[]);
    let before = home.written();
    for (field, value) in [("name", "Acme"), ("city", "Dallas"), ("tags", "[\"a\", \"b\"]")] {
        python.says(&daemon, field, value);
    }
    let counts = after(&home, 3);
    assert_eq!((&counts["same"], &counts["echoes"]), (&1.into(), &2.into()), "{counts}");
    assert_eq!((home.written(), get(&home, "city")), (before, "Austin".into()));
    python.says(&daemon, "city", "Houston");
    assert_eq!(after(&home, 4)["appended"], 1);
}

#[test]
fn a_peer_that_is_started_anew_and_sends_its_whole_journal_again_adds_nothing() {
    let (home, python) = (Home::new(), Python::new());
    lists(&home, &[&python]);
    let mut daemon = gateway(&home, &[]);
    let cities = ["Dallas", "Austin", "Dallas", "Houston"];
    let journal: Vec<String> = cities.map(|city| python.record("city", city)).into();
    // As of a day that is past.
    let journal: Vec<String> = journal.iter().map(|r| r.replace("2100", "2020")).collect();
    for _ in 0..2 {
        journal.iter().for_each(|record| python.send(&daemon, record));
    }
    assert_eq!(after(&home, 8)["appended"], 4);
    daemon.end();
    let daemon = gateway(&home, &[]);
    journal.iter().for_each(|record| python.send(&daemon, record));
    let counts = after(&home, 4);
    assert_eq!((&counts["appended"], &counts["repeated"]), (&0.into(), &4.into()), "{counts}");
    assert_eq!(get(&home, "city"), "Houston");
}

#[test]
fn heartbeats_queues_and_settings_are_counted_and_shown_and_never_obeyed() {
    let (home, python) = (Home::new(), Python::new());
    lists(&home, &[&python]);
    let daemon = gateway(&home, &[]);
    let before = (home.written(), tree(&home));
    for packet in [
        "H,roadmap,pi1,2026-03-13T18:00:00.123456+00:00,0.5,41.2,3,2,prod",
        "H,pi1,2026-03-13T18:00:00.123456+00:00,0.5,41.2,3,2",
        "Q,roadmap,gm-details,ChIJ5X0j7DHDwogRvQgaGw0y4FM,completed,2026-03-13T18:00:00.123456+00:00,pi1,prod",
        "C,roadmap,*,1773424800,{\"pi1\": {\"gm-list\": 2}},prod",
        "C,*,1773424800,{}",
        "C,../../x,*,1773424800,{},prod",
    ] {
        python.send(&daemon, format!("{}\u{1e}", packet.replace(',', "\u{1f}")));
    }
    let counts = after(&home, 6);
    for (kind, count) in [("heartbeats", 2), ("queues", 1), ("configs", 3), ("refused", 0)] {
        assert_eq!(counts[kind], count, "{kind}: {counts}");
    }
    let status = home.run(&["status"]).ok();
    assert!(
        status.contains("heartbeats (H) 2, queues (Q) 1, settings (C) 3: counted, never obeyed"),
        "{status}"
    );
    assert_eq!((home.written(), tree(&home)), before);
}

/// The folders and files of a home, but for the gateway's own and the checkpoint.
fn tree(home: &Home) -> Vec<String> {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                walk(&path, found);
            }
            if !name.contains("/.cocli/") {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(home.dir.path(), &mut found);
    found.sort();
    found
}

#[test]
fn what_any_node_writes_reaches_a_python_peer_once_and_its_own_never() {
    let (one, python) = (Home::new(), Python::new());
    one.run(&["set", "companies/acme", "name=Acme"]).ok();
    let other = member(&one, "laptop");
    lists(&one, &[&python]);
    let mut first = gateway(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas"]).ok();
    assert_eq!(python.hears(), ["pi1", "companies/acme", "city", "Dallas"]);
    other.run(&["set", "companies/acme", "state=TX", "--wait", "1"]).ok();
    assert_eq!(python.hears(), ["laptop", "companies/acme", "state", "TX"]);
    python.says(&first, "country", "US");
    python.says(&first, "tags", "[\"a\"]");
    after(&one, 2);
    // Removals, fields that it does not know and values that hide a company there are not told.
    let words = ["mood=good", "reviews_count=many", "_file=x"];
    one.run(&[&["set", "companies/acme"], &words[..]].concat()).ok();
    one.run(&["unset", "companies/acme", "city"]).ok();
    one.run(&["set", "companies/acme", "tags+=\u{e9}", "tags+=b"]).ok();
    assert_eq!(python.hears(), ["pi1", "companies/acme", "tags", "[\"a\", \"b\", \"\\u00e9\"]"]);
    assert_eq!(within(|| Some(shown(&one)).filter(|s| s["withheld"] == 2))["told"], 3);
    // What is written while no daemon runs is told at the next start.
    first.end();
    one.run(&["set", "companies/acme", "hours=Mon\nTue"]).ok();
    let _first = gateway(&one, &[]);
    assert_eq!(python.hears(), ["pi1", "companies/acme", "hours", "Mon\nTue"]);
    let long = "tiles ".repeat(8_000);
    one.run(&["set", "people/jane-doe", &format!("body={long}")]).ok();
    assert_eq!(python.hears(), ["pi1", "people/jane-doe", "body", &long]);
}

#[test]
fn of_two_python_peers_each_hears_of_the_other_and_not_of_itself() {
    let home = Home::new();
    let (vm, pi) = (Python::new(), Python { node: "pi9", ..Python::new() });
    lists(&home, &[&vm, &pi]);
    let daemon = gateway(&home, &[]);
    within(|| shown_at(&home, 1)["address"].is_string().then_some(()));
    vm.says(&daemon, "city", "Dallas");
    assert_eq!(pi.hears(), ["vm.local", "companies/acme", "city", "Dallas"]);
    pi.says(&daemon, "state", "TX");
    assert_eq!(vm.hears(), ["pi9", "companies/acme", "state", "TX"]);
}

#[test]
fn rubbish_from_a_python_peer_and_records_from_others_change_nothing() {
    let (home, python, stranger) = (Home::new(), Python::new(), Python::new());
    lists(&home, &[&python]);
    let daemon = gateway(&home, &[]);
    let before = home.written();
    let good = python.record("city", "Dallas");
    let bad = [
        b"".to_vec(),
        b"\xff\xfe\x00\x1e".to_vec(),
        good.replace("vm.local", "x/../../escaped").into_bytes(),
        good.replace("companies/acme", "companies/../../x").into_bytes(),
        good.replace("companies/acme", "nodes/pi1").into_bytes(),
        good.replace("city", "_deleted").replace("Dallas", "true").into_bytes(),
        good.replace("city", "tags.lead").into_bytes(),
        good.replace("city", "email_contexts").into_bytes(),
        good.replace("2100", "9999").into_bytes(),
        good.replace("vm.local", "pi1").into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        vec![0x1e; 3],
        vec![b'x'; 65_000],
        b"Q\x1f\x1e".to_vec(),
        b"\x1b[31mred\x1e".to_vec(),
    ];
    for packet in &bad {
        python.send(&daemon, packet);
    }
    // An empty packet says nothing, and one of three separators three times nothing.
    let counts = after(&home, 16);
    assert_eq!((&counts["refused"], &counts["appended"]), (&16.into(), &0.into()), "{counts}");
    assert_eq!(counts["odd"].as_array().unwrap().len(), 8);
    stranger.send(&daemon, &good);
    within(|| {
        let status: Json = serde_json::from_str(&home.run(&["--json", "status"]).out).unwrap();
        (status["daemon"]["packets_refused"].as_u64() >= Some(1)).then_some(())
    });
    assert_eq!((home.written(), &shown(&home)["came"]), (before, &16.into()));
    home.run(&["get", "companies/acme", "city"]).fails(3, "acme");
    let doctor = home.run(&["doctor"]).ok();
    assert!(doctor.contains("refused, ") && doctor.contains(&python.address()), "{doctor}");
    assert!(!home.dir.path().join("escaped.usv").exists());
    python.send(&daemon, &good);
    assert_eq!(after(&home, 17)["appended"], 1);
    assert_eq!(get(&home, "city"), "Dallas");
}

#[test]
fn a_python_peer_gets_no_packet_of_ours_even_when_it_is_named_as_a_node() {
    let (home, python) = (Home::new(), Python::new());
    lists(&home, &[&python]);
    let _daemon = gateway(&home, &[&python.address()]);
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    assert_eq!(python.hears()[3], "Dallas");
}
