//! The suite over every store there is: memory, a directory, and the servers that `tests/bucket/servers.py`
//! started (`COCLI_TEST_S3`, addresses with a space between). Without servers the others are tested.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key};
use cocli_core::name::NodeId;
use cocli_tier::{Able, Counts, Environment, Settings, Store, suite};

mod support;

use support::servers;

/// Those that the servers were started with.
fn settings() -> Settings {
    Settings::new(Environment::of([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]))
}

/// Whether a server checks and writes in two steps, and takes a missing bucket for a missing object: named in
/// `COCLI_TEST_S3_LAX`. Real stores do neither.
fn is_lax(address: &str) -> bool {
    let lax = std::env::var("COCLI_TEST_S3_LAX").unwrap_or_default();
    lax.split_whitespace().any(|one| one == address)
}

/// The address with a prefix of its own before the `?`.
fn below(address: &str, test: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let (bucket, said) = address.split_once('?').unwrap();
    format!("{bucket}/{test}-{}-{n}?{said}", std::process::id())
}

fn node() -> NodeId {
    NodeId::read("abc-1").unwrap()
}

#[test]
fn memory_holds_to_the_suite() {
    let store = Store::open("memory:", &settings()).unwrap();
    suite::all(&store, &store, "suite");
    let prefixed = Store::open("memory:a/b", &settings()).unwrap();
    suite::all(&prefixed, &prefixed, "suite");
}

#[test]
fn a_directory_holds_to_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}/made/here", folder.path().display());
    let open = || Store::open(&address, &settings()).unwrap();
    suite::all(&open(), &open(), "suite");
}

#[test]
fn a_file_system_without_links_holds_to_the_suite() {
    let Ok(mount) = std::env::var("COCLI_TEST_FAT") else { return };
    let address = format!("file://{mount}/bucket");
    let open = || Store::open(&address, &settings()).unwrap();
    let report = open().probe(&node(), "1").unwrap();
    assert!(report.naming.unwrap().starts_with("renames"));
    suite::an_object_is_created_once(&open(), &suite::Folder::new("once"));
    suite::one_of_many_racers_creates(&open(), &open(), &suite::Folder::new("race"));
}

#[test]
fn each_server_holds_to_the_suite() {
    for server in servers() {
        let address = below(&server, "suite");
        let open = || Store::open(&address, &settings()).unwrap();
        if is_lax(&server) {
            suite::all_but_races(&open(), &open(), "suite");
        } else {
            suite::all(&open(), &open(), "suite");
        }
        println!("{address}: holds to the suite");
    }
}

#[test]
fn a_probe_tells_what_each_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut addresses = vec![format!("file://{}", folder.path().display()), "memory:".to_string()];
    addresses.extend(servers().iter().map(|address| below(address, "probe")));
    for address in addresses {
        let store = Store::open(&address, &settings()).unwrap();
        let report = store.probe(&node(), "first").unwrap();
        assert!(report.fits(), "{address}: {report:?}");
        assert_eq!((&report.lists, &report.deletes), (&Able::Yes, &Able::Yes), "{address}");
        assert!(!report.missing_is_denied, "{address}");
        assert_eq!(report.naming.is_some(), address.starts_with("file:"));
        assert_eq!(store.list(&Key::wal()), Ok(Vec::new()), "{address}");
        println!("{address}: {report:?}");
    }
}

#[test]
fn each_request_is_counted_with_its_bytes() {
    for address in servers() {
        let store = Store::open(&below(&address, "meter"), &settings()).unwrap();
        let key = Key::mirror("a");
        let asked = |act: &dyn Fn()| {
            let before = store.meter();
            act();
            store.meter() - before
        };
        let created = asked(&|| assert_eq!(store.create(&key, &[1; 1000]), Ok(Created::New)));
        assert_eq!(
            Counts { down_bytes: 0, ..created },
            Counts { puts: 1, up_bytes: 1000, ..Counts::default() }
        );
        let got = asked(&|| assert_eq!(store.get(&key), Ok(Some(vec![1; 1000]))));
        assert_eq!(got, Counts { gets: 1, down_bytes: 1000, ..Counts::default() });
        let missed = asked(&|| assert_eq!(store.get(&Key::mirror("b")), Ok(None)));
        assert_eq!(missed.requests(), 1);
        let listed = asked(&|| assert_eq!(store.list(&Key::wal()), Ok(Vec::new())));
        assert_eq!((listed.lists, listed.requests()), (1, 1));
        let removed = asked(&|| store.remove(&[key.clone(), Key::mirror("b")]).unwrap());
        assert_eq!((removed.deletes, removed.requests()), (1, 1));
    }
}

fn failure_of(address: &str) -> Failure {
    Store::open(address, &settings()).unwrap().get(&Key::cluster()).unwrap_err()
}

#[test]
fn a_bucket_that_is_not_there_is_wrong_and_not_empty() {
    for address in servers().into_iter().filter(|address| !is_lax(address)) {
        let (_, said) = address.split_once('?').unwrap();
        let failure = failure_of(&format!("s3://no-such-bucket?{said}"));
        assert_eq!(failure.kind, FailureKind::Wrong, "{failure}");
        assert!(failure.said.contains("NoSuchBucket"), "{failure}");
        let store = Store::open(&format!("s3://no-such-bucket?{said}"), &settings()).unwrap();
        assert_eq!(store.create(&Key::cluster(), b"x").unwrap_err().kind, FailureKind::Wrong);
        assert_eq!(store.list(&Key::wal()).unwrap_err().kind, FailureKind::Wrong);
        assert_eq!(store.probe(&node(), "x").unwrap_err().kind, FailureKind::Wrong);
    }
}

#[test]
fn a_store_that_nobody_runs_is_away_soon() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = format!("s3://b?endpoint=http://127.0.0.1:{port}");
    let failure = failure_of(&address);
    assert_eq!(failure.kind, FailureKind::Away, "{failure}");
    assert!(failure.said.contains("refused"), "{failure}");
}

#[test]
fn plain_http_beyond_this_machine_must_be_allowed() {
    let open = |url: &str| Store::open(url, &settings());
    let failure = open("s3://b?endpoint=http://192.0.2.1:9000").unwrap_err();
    assert!(failure.said.contains("allow_http"), "{failure}");
    assert!(open("s3://b?endpoint=http://192.0.2.1:9000&allow_http").is_ok());
}
