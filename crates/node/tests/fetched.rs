//! A home of the Python program in a bucket comes in as the same files in a folder do.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::fs;
use std::path::Path;

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key, Listed, Next, Page};
use cocli_node::durable::fake::MemoryBucket;
use cocli_node::import::{How, Report, Source};
use cocli_node::{Home, NodeError};
use support::{at, home};

const URL: &str = "s3://old";

/// A bucket that may only be read, by pages of three objects, with names that are no keys.
#[derive(Default)]
struct Readable {
    there: MemoryBucket,
    odd: Vec<String>,
    /// What is listed, and gone when it is asked for.
    gone: Option<Key>,
    /// What every listing is refused with.
    refuses: Option<Failure>,
}

impl Bucket for Readable {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        if self.gone.as_ref() == Some(key) { Ok(None) } else { self.there.get(key) }
    }

    fn create(&self, key: &Key, _: &[u8]) -> Result<Created, Failure> {
        panic!("{key} was to be written")
    }

    fn replace(&self, key: &Key, _: &[u8]) -> Result<(), Failure> {
        panic!("{key} was to be written")
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        panic!("all of {folder} was asked for at once")
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        panic!("the folders of {folder} were asked for")
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        panic!("{keys:?} were to be removed")
    }

    fn page(&self, folder: &Key, from: Option<&Next>) -> Result<Page, Failure> {
        if let Some(failure) = &self.refuses {
            return Err(failure.clone());
        }
        let after = from.map_or("", |next| &next.after);
        let odd = self.odd.iter().filter(|name| name.starts_with(folder.as_str()));
        let odd = if from.is_none() { odd.cloned().collect() } else { Vec::new() };
        let mut listed = self.there.list(folder)?;
        listed.retain(|one| one.key.as_str() > after);
        let more = listed.len() > 3;
        listed.truncate(3);
        let next = listed.last().filter(|_| more);
        let next = next.map(|one| Next { after: one.key.to_string(), most: 3, token: None });
        Ok(Page { listed, odd, next })
    }
}

const FILES: &[(&str, &[u8])] = &[
    ("companies/acme/_index.md", b"---\nname: Acme\ndomain: acme.example\n---\n"),
    ("companies/acme/tags.lst", b"lead\nroad-map\n"),
    ("companies/acme/notes/call.md", b"---\ntitle: Call\n---\nthey ring back\n"),
    ("companies/acme/enrichments/website.md", b"nobody reads this"),
    ("companies/beta/_index.md", b"---\nname: Beta\n---\n"),
    ("people/jane/jane.md", b"---\nname: Jane\nemail: jane@acme.example\n---\n"),
    (
        "wal/20260219_vm.usv",
        b"2026-02-19T10:00:00+00:00\x1fvm\x1fcompanies/acme\x1fcity\x1fDallas\x1f\x1e",
    ),
    ("campaigns/road-map/config.toml", b"[campaign]\nname = \"Road Map\"\ntag = \"road-map\"\n"),
    ("campaigns/road-map/queues/enrichment/pending/a/b/task.json", b"{}"),
    (
        "campaigns/road-map/indexes/exclude/junk_example.json",
        b"{\"domain\": \"junk.example\", \"reason\": \"no\"}",
    ),
];

fn bucket(files: &[(&str, &[u8])]) -> Readable {
    let there = MemoryBucket::new();
    there.set_now(1_700_000_000_000_000);
    files.iter().for_each(|(path, bytes)| there.plant(&Key::mirror(path), bytes));
    Readable { there, ..Readable::default() }
}

/// The same files in a folder, written at the same time.
fn folder(path: &Path, files: &[(&str, &[u8])]) {
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for (name, bytes) in files {
        let path = path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    }
}

fn fetch(home: &Home, bucket: &Readable) -> Result<Source, NodeError> {
    Source::fetch(home, bucket, URL, &|_| {})
}

fn bring(home: &Home, source: &Source, dry_run: bool) -> Report {
    home.bring_in(source, How { overwrite: false, dry_run }, at(2)).unwrap()
}

fn state(home: &Home) -> String {
    let all = ["companies", "people"].map(|collection| {
        home.list(collection, &[], |target, entity| format!("{target} {:?}", entity.shown(None)))
    });
    format!("{all:?}")
}

fn refused(why: Result<Source, NodeError>) -> String {
    why.unwrap_err().to_string()
}

#[test]
fn a_home_in_a_bucket_comes_in_as_in_a_folder_and_nothing_stays_of_it() {
    let dir = tempfile::tempdir().unwrap();
    folder(&dir.path().join("old"), FILES);
    let (one, other) = ("one", "other");
    let (one, other) =
        (home(&dir.path().join(one), "n", at(1)), home(&dir.path().join(other), "n", at(1)));
    let by_folder = bring(&one, &Source::open(&dir.path().join("old")).unwrap(), false);
    let mut bucket = bucket(FILES);
    for link in ["companies/acme/contacts/jane/jane.md", "people/jane/companies/acme/_index.md"] {
        bucket.there.plant(&Key::mirror(link), b"a copy of what the link leads to");
    }
    // By a folder, those links are of no file.
    for link in ["companies/acme/contacts", "people/jane/companies"] {
        fs::create_dir_all(dir.path().join("old").join(link)).unwrap();
    }
    fs::write(dir.path().join("old/companies/acme/contacts/jane"), "").unwrap();
    fs::write(dir.path().join("old/people/jane/companies/acme"), "").unwrap();
    let again = bring(&one, &Source::open(&dir.path().join("old")).unwrap(), false);
    assert!(by_folder.datagrams > 10 && again.datagrams > 0);

    let source = fetch(&other, &bucket).unwrap();
    let dry = bring(&other, &source, true);
    let by_bucket = bring(&other, &source, false);
    assert_eq!(dry.datagrams, by_bucket.datagrams);
    assert_eq!(by_bucket.passed_over, again.passed_over);
    assert_eq!((&by_bucket.odd, by_bucket.more_odd), (&again.odd, 0));
    assert_eq!(state(&other), state(&one));
    let fetched = dir.path().join("other/.cocli/fetched");
    assert!(fetched.exists());
    drop(source);
    assert!(!fetched.exists());
    // A second one writes nothing; what somebody removes meanwhile is named, and so is what is no path.
    bucket.gone = Some(Key::mirror("companies/beta/_index.md"));
    bucket.odd = vec!["companies/../../etc/passwd".into(), "companies//x/_index.md".into()];
    let long = format!("companies/{}/_index.md", "x".repeat(300));
    bucket.there.plant(&Key::mirror(&long), b"---\nname: X\n---\n");
    bucket.there.plant(&Key::mirror("companies/acme/_index.md/_index.md"), b"---\nname: Y\n---\n");
    let last = bring(&other, &fetch(&other, &bucket).unwrap(), false);
    assert_eq!(last.datagrams, 0);
    let odd: Vec<&str> = last.odd.iter().map(|odd| odd.path.as_str()).collect();
    let expected = [
        "companies/../../etc/passwd",
        "companies//x/_index.md",
        "companies/acme/_index.md/_index.md",
        "companies/beta/_index.md",
        &long,
    ];
    assert_eq!(odd, expected, "{:?}", last.odd);
}

#[test]
fn an_object_that_is_too_long_for_a_card_is_not_fetched_and_a_long_journal_comes_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir.path().join("home"), "n", at(1));
    let card = vec![b'x'; 9 << 20];
    let mut journal = Vec::new();
    for n in 0..9000 {
        let value = format!("{n:0200}");
        let line =
            format!("2026-02-19T10:00:00+00:00\x1fvm\x1fcompanies/acme\x1ff{n}\x1f{value}\x1f\x1e");
        journal.extend_from_slice(line.as_bytes());
    }
    assert!(journal.len() > 2 << 20);
    let bucket = bucket(&[("companies/big/_index.md", &card), ("wal/20260219_vm.usv", &journal)]);
    let before = bucket.there.asked().get;
    let report = bring(&home, &fetch(&home, &bucket).unwrap(), false);
    assert_eq!(report.datagrams, 9001, "{:?}", report.odd);
    assert_eq!(report.odd[0].path, "companies/big/_index.md");
    assert!(report.odd[0].why.contains("9437184 bytes"), "{:?}", report.odd);
    // That it is no bucket of ours, and the journal.
    assert_eq!(bucket.there.asked().get - before, 2);
}

#[test]
fn a_bucket_without_such_a_home_is_refused_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir.path().join("home"), "n", at(1));
    let other = bucket(&[("photos/cat.png", b"x"), ("campaigns/x/queues/y.json", b"{}")]);
    assert!(refused(fetch(&home, &other)).contains("s3://old is no home of the Python program"));
    let ours = bucket(&[("cluster", b"x"), ("companies/acme/_index.md", b"---\n---\n")]);
    assert!(refused(fetch(&home, &ours)).contains("`cocli clone`"));
    let failure = Failure::new(FailureKind::Denied, "list s3://old: 403 AccessDenied");
    let denied = Readable { refuses: Some(failure), ..Readable::default() };
    assert!(refused(fetch(&home, &denied)).contains("403 AccessDenied"));
    assert!(!dir.path().join("home/.cocli/fetched").exists());
}
