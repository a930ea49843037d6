use cocli_core::{ClusterId, Epoch, NodeId};
use proptest::prelude::*;

use super::*;
use crate::change::{Change, Intent};
use crate::home::{Birth, Membership, Rim};

const PEER: &str = "vm.local";

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros).unwrap()
}

fn rim() -> Rim {
    Rim { machine: "here".into(), epoch: || Epoch::from_random([7; 8]) }
}

fn home(dir: &tempfile::TempDir) -> Home {
    if let Ok(home) = Home::open(dir.path(), rim()) {
        return home;
    }
    let membership =
        Membership { cluster: ClusterId([1; 16]), keys: Vec::new(), peers: Vec::new() };
    let birth = Birth {
        node: NodeId::written("pi1").unwrap(),
        membership,
        identity: Vec::new(),
        identity_public: "00".into(),
        cards: false,
        maybe_known: false,
    };
    Home::create(dir.path(), &birth, rim(), at(0)).unwrap()
}

fn record(second: u32, field: &str, value: &str) -> Vec<u8> {
    format!(
        "2026-11-22T07:38:{second:02}.000000+00:00\u{1f}vm\u{1f}companies/acme\u{1f}{field}\u{1f}{value}\u{1f}\u{1e}"
    )
    .into_bytes()
}

fn city(gateway: &Gateway) -> Option<String> {
    gateway.home.text(&Target::read("companies/acme").unwrap(), "city").unwrap()
}

#[test]
fn what_the_disk_refused_does_not_count_as_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let now = at(1_795_333_200_000_000);
    let log = LogId::read("pi1").unwrap();
    let journal = dir.path().join(paths::journal(&log, now.day()));
    std::fs::create_dir(&journal).unwrap();
    let packets = [record(1, "city", "Dallas"), b"H\x1f\x1f\x1f\x1f\x1f\x1f\x1e".to_vec()];
    gateway.take_in(&packets, now).unwrap_err();
    assert_eq!(gateway.counts(), &Counts::default());
    std::fs::remove_dir(&journal).unwrap();
    let end = gateway.take_in(&packets, now).unwrap();
    assert_eq!(city(&gateway).as_deref(), Some("Dallas"));
    assert_eq!(
        end.unwrap().head.position,
        gateway.home.vector().unwrap().0.values().next().unwrap().position
    );
    assert_eq!((gateway.counts().appended, gateway.counts().heartbeats), (1, 1));
}

#[test]
fn damage_to_what_is_remembered_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let now = at(1_795_333_200_000_000);
    gateway.take_in(&[record(1, "city", "Dallas"), record(1, "state", "TX")], now).unwrap();
    gateway.keep(true).unwrap();
    let file = dir.path().join(&gateway.path);
    let whole = std::fs::read(&file).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for damaged in [whole[..whole.len() - 3].to_vec(), [&whole[..], b"\xff\x00said x\nat"].concat()]
    {
        std::fs::write(&file, &damaged).unwrap();
        let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
        assert!(gateway.length >= last);
        gateway.take_in(&[record(2, "city", "Dallas"), record(2, "state", "TX")], now).unwrap();
        assert_eq!((gateway.counts().same, gateway.counts().appended), (2, 0));
        gateway.keep(true).unwrap();
        // What was cut off does not spoil what came after it.
        let again = Gateway::open(home(&dir), PEER).unwrap();
        assert_eq!(again.memory.text(), gateway.memory.text());
    }
}

#[test]
fn a_file_full_of_what_is_of_no_use_any_more_is_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let log = gateway.home.vector().unwrap().0.into_keys().next().unwrap();
    let mut longest = 0;
    for position in 0..80_000 {
        gateway.memory.told_up_to(&log, position);
        if position % 4_000 == 0 {
            gateway.keep(false).unwrap();
            longest = longest.max(gateway.length);
        }
    }
    assert!(longest < STALE_BYTES + STALE_BYTES / 2, "{longest}");
    gateway.keep(false).unwrap();
    let again = Gateway::open(home(&dir), PEER).unwrap();
    assert_eq!(again.memory.at(&log), 79_999);
}

#[test]
fn a_log_that_took_another_branch_or_is_damaged_holds_no_other_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let now = at(1_795_333_200_000_000);
    // No record ends there: the branch that was told is not the one that stands there now.
    let own = gateway.home.vector().unwrap().0.into_keys().next().unwrap();
    gateway.memory.told_up_to(&own, 3);
    let other = LogId::read("zz").unwrap();
    let path = dir.path().join(paths::journal(&other, now.day()));
    std::fs::write(
        path,
        String::from_utf8(record(1, "city", "Dallas")).unwrap().replace("vm\u{1f}", "zz\u{1f}"),
    )
    .unwrap();
    let mut heads = gateway.home.vector().unwrap();
    let end = gateway.home.ends().unwrap().into_iter().find(|(log, _)| *log == other).unwrap().1;
    let hash = gateway.home.journals().unwrap().hash_at(&other, end).unwrap().unwrap();
    heads.0.insert(other, cocli_core::Head { position: end, hash });
    let told = gateway.news(&heads).unwrap();
    assert_eq!(told.len(), 1);
    assert!(String::from_utf8_lossy(&told[0]).contains("Dallas"));
    assert!(!gateway.lacks(&heads));
}

#[test]
fn what_a_python_machine_wrote_is_not_undone_here() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let now = at(1_795_333_200_000_000);
    gateway.take_in(&[record(1, "city", "Dallas")], now).unwrap();
    let mut session = gateway.home.session(now).unwrap();
    assert!(session.plan_undo(&crate::Wanted::default()).unwrap().changes.is_empty());
}

/// Values of this node, each over the one before.
fn write(home: &Home, target: &str, field: &str, values: &[&str], now: Instant) {
    let (target, field) = (Target::read(target).unwrap(), Field::read(field).unwrap());
    for value in values {
        let put = Intent::Put(cocli_core::Value::text(value));
        let change = Change::new(target.clone(), field.clone(), put);
        home.session(now).unwrap().write("set", &[change], false).unwrap();
    }
}

#[test]
fn a_first_contact_reads_the_journals_once_and_not_for_values_that_were_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let now = at(1_795_333_200_000_000);
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    for company in ["acme", "bolt", "cask"] {
        let target = format!("companies/{company}");
        write(&gateway.home, &target, "city", &["Dallas", "Austin"], now);
        write(&gateway.home, &target, "state", &["TX"], now);
    }
    let of = |company: &str, field: &str, value: &str| {
        let text = String::from_utf8(record(1, field, value)).unwrap();
        text.replace("acme", company).into_bytes()
    };
    let old: Vec<_> = ["acme", "bolt", "cask"].map(|c| of(c, "city", "Dallas")).into();
    gateway.take_in(&old, now).unwrap();
    assert_eq!((gateway.counts().echoes, gateway.counts().passes), (3, 1));
    // Before a first value there was none, which the journals need not be asked.
    gateway.take_in(&[of("acme", "state", ""), of("bolt", "state", "NM")], now).unwrap();
    let counts = gateway.counts();
    assert_eq!((counts.echoes, counts.appended, counts.passes), (4, 1, 1));
}

#[test]
fn a_peer_cannot_write_in_the_name_of_a_node_of_this_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let now = at(1_795_333_200_000_000);
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    write(&gateway.home, "nodes/laptop", "key", &["00"], now);
    let text = String::from_utf8(record(1, "city", "Dallas")).unwrap();
    let forged = text.replace("\u{1f}vm\u{1f}", "\u{1f}laptop\u{1f}").into_bytes();
    gateway.take_in(&[forged, record(1, "state", "TX")], now).unwrap();
    assert_eq!((gateway.counts().refused, gateway.counts().appended), (1, 1));
    assert_eq!(city(&gateway), None);
    // What that node writes is told to the peer as before.
    assert!(!gateway.memory.is(&NodeId::read("laptop").unwrap()));
}

#[test]
fn what_could_not_be_kept_is_kept_as_soon_as_the_disk_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
    let now = at(1_795_333_200_000_000);
    let file = dir.path().join(&gateway.path);
    std::fs::rename(&file, file.with_extension("old")).unwrap();
    std::fs::create_dir(&file).unwrap();
    gateway.take_in(&[record(1, "city", "Dallas")], now).unwrap();
    gateway.keep(true).unwrap_err();
    std::fs::remove_dir(&file).unwrap();
    gateway.take_in(&[record(1, "state", "TX")], now).unwrap();
    gateway.keep(true).unwrap();
    let again = Gateway::open(home(&dir), PEER).unwrap();
    assert_eq!(again.memory.text(), gateway.memory.text());
    assert_eq!(again.memory.text().matches("said ").count(), 2);
}

#[test]
fn what_is_known_of_an_unlisted_machine_goes_after_a_month() {
    let dir = tempfile::tempdir().unwrap();
    let old = Gateway::open(home(&dir), PEER).unwrap();
    let listed = Gateway::open(home(&dir), "pi9.local").unwrap();
    let there = |gateway: &Gateway| dir.path().join(&gateway.path).exists();
    let written = dir.path().join(&old.path).metadata().unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
    let names = ["pi9.local".to_string()];
    old.home.forget_unlisted(&names, at(written + UNLISTED_MICROS - 1)).unwrap();
    assert!(there(&old) && there(&listed));
    old.home.forget_unlisted(&names, at(written + UNLISTED_MICROS + 1_000_000)).unwrap();
    assert!(!there(&old) && there(&listed));
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::sample::select(vec!["city", "tags", "email_contexts", "_deleted", "tags.a"]);
    let value = prop_oneof![
        prop::sample::select(vec!["[\"a\", \"b\"]", "{\"a\": 1}", "", "null", "[", "{}"])
            .prop_map(str::to_string),
        "\\PC{0,6}",
    ];
    prop_oneof![
        4 => (0..60_u32, field, value).prop_map(|(n, field, value)| record(n, field, &value)),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_any_packets_the_log_stays_sound_and_the_peer_is_told_nothing_of_its_own(
        packets in prop::collection::vec(packet(), 0..12), again in any::<bool>()
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut gateway = Gateway::open(home(&dir), PEER).unwrap();
        let now = at(1_795_333_200_000_000);
        gateway.take_in(&packets, now).unwrap();
        if again {
            let before = gateway.counts().appended;
            gateway.take_in(&packets, now).unwrap();
            prop_assert_eq!(gateway.counts().appended, before);
        }
        let heads = gateway.home.vector().unwrap();
        while gateway.lacks(&heads) {
            prop_assert_eq!(gateway.news(&heads).unwrap(), Vec::<Vec<u8>>::new());
        }
        prop_assert_eq!(gateway.home.health().unwrap().odd, 0);
        let target = Target::read("companies/acme").unwrap();
        prop_assert!(gateway.home.removed(&target).unwrap().is_none());
    }
}
