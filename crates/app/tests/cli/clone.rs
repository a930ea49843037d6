//! A home made of what a bucket holds.

use std::path::PathBuf;

use crate::cluster::{daemon, level};
use crate::support::Home;

/// A folder as the bucket of a home.
fn bucket(home: &Home) -> (PathBuf, String) {
    let folder = home.dir.path().join("bucket");
    let url = format!("file://{}", folder.display());
    home.run(&["init", "home", "--bucket", &url]).ok();
    (folder, url)
}

/// A folder beside a home, and what is run in a home that is not there yet.
fn beside(home: &Home, name: &str) -> Home {
    Home { dir: tempfile::tempdir().unwrap(), path: home.dir.path().join(name) }
}

#[test]
fn a_clone_reads_writes_uploads_is_silent_and_loses_nothing_when_it_joins() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Oslo"]).ok();
    let (_, url) = bucket(&home);
    home.run(&["sync"]).ok();
    let other = beside(&home, "laptop");
    let path = other.path.display().to_string();
    let told = other.run(&["clone", &url, &path, "--node", "laptop"]).ok();
    for words in ["1 company, 0 people", "1 object", "cocli sync", "cocli join"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(other.read("companies/acme/_index.md").contains("city: Oslo"));
    assert_eq!(other.run(&["get", "companies/acme", "city"]).ok(), "Oslo\n");
    let status = other.run(&["status"]).ok();
    assert!(status.contains("has no key yet, and is silent on the network"), "{status}");
    for words in [&["daemon", "--port", "0"][..], &["ticket"], &["key", "list"]] {
        other.run(words).fails(1, "has no key yet").fails(1, "cocli join");
    }
    other.run(&["set", "companies/acme", "city=Bergen"]).ok();
    other.run(&["compact"]).ok();
    other.run(&["sync"]).ok();
    home.run(&["sync"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Bergen\n");
    other.run(&["set", "companies/acme", "city=Tromso"]).ok();
    let ticket = home.run(&["ticket"]).ok();
    other.input(&["join", "-"], ticket.as_bytes()).ok();
    let first = daemon(&home, &[]);
    let _second = daemon(&other, &[&first.address]);
    level(&[&home, &other]);
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Tromso\n");
    let digest = |home: &Home| home.run(&["state", "--digest"]).ok();
    assert_eq!(digest(&home), digest(&other));
}

#[test]
fn where_no_key_is_left_one_clone_makes_it_and_the_others_join_that_one() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Oslo"]).ok();
    home.run(&["key", "add", "--first"]).fails(4, "has a key already");
    let (_, url) = bucket(&home);
    home.run(&["sync"]).ok();
    let clones = ["one", "two"].map(|name| {
        let other = beside(&home, name);
        let path = other.path.display().to_string();
        other.run(&["clone", &url, &path, "--node", name]).ok();
        other
    });
    let [one, two] = &clones;
    one.run(&["ticket"]).fails(1, "cocli key add --first");
    let told = one.run(&["key", "add", "--first"]).ok();
    assert!(told.contains("cocli ticket"), "{told}");
    one.run(&["key", "add", "--first"]).fails(4, "has a key already");
    two.input(&["join", "-"], one.run(&["ticket"]).ok().as_bytes()).ok();
    let first = daemon(one, &[]);
    let _second = daemon(two, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Bergen", "--wait", "1"]).ok();
    assert_eq!(two.run(&["get", "companies/acme", "city"]).ok(), "Bergen\n");
    let path = home.dir.path().join("then");
    let then = Home { dir: tempfile::tempdir().unwrap(), path };
    then.run(&["clone", &url, &then.path.display().to_string(), "--at", "1h ago"]).ok();
    then.run(&["key", "add", "--first"]).fails(1, "it joins nobody");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what was written before is to be told from what comes"
)]
fn a_copy_of_an_earlier_time_is_as_it_was_and_joins_nobody() {
    let home = Home::new();
    let (folder, url) = bucket(&home);
    home.run(&["add", "company", "Acme", "--set", "city=Oslo"]).ok();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    home.run(&["set", "companies/acme", "city=Bergen"]).ok();
    home.run(&["sync"]).ok();
    let objects = || std::fs::read_dir(folder.join("wal")).unwrap().count();
    let before = objects();
    let copy = beside(&home, "then");
    copy.run(&["clone", &url, "--at", "1s ago"]).fails(2, "say which");
    let path = copy.path.display().to_string();
    copy.run(&["clone", &url, &path, "--at", "soon"]).fails(2, "is no day or time here");
    let told = copy.run(&["clone", &url, &path, "--at", "1s ago"]).ok();
    for words in ["a copy of how things were", "1 company, 0 people", "joins nobody"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(copy.run(&["get", "companies/acme", "city"]).ok(), "Oslo\n");
    assert!(copy.read("companies/acme/_index.md").contains("city: Oslo"));
    let status = copy.run(&["status"]).ok();
    assert!(status.contains("a copy of an earlier time"), "{status}");
    copy.run(&["daemon", "--port", "0"]).fails(1, "it joins nobody");
    copy.run(&["sync"]).fails(1, "this home has no bucket");
    let ticket = home.run(&["ticket"]).ok();
    copy.input(&["join", "-"], ticket.as_bytes()).fails(4, "joins nobody");
    copy.run(&["init", &path, "--bucket", &url]).fails(4, "uploads nothing");
    copy.run(&["undo"]).fails(3, "nothing to undo");
    assert_eq!(objects(), before);
}

#[test]
fn what_a_clone_cannot_begin_with_is_said_and_a_half_one_goes_on() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let (folder, url) = bucket(&home);
    home.run(&["sync"]).ok();
    let other = beside(&home, "laptop");
    let path = other.path.display().to_string();
    let empty = format!("file://{}", home.dir.path().join("empty").display());
    other.run(&["clone", &empty, &path]).fails(1, "cluster in the bucket: it is not there");
    assert!(!other.path.exists());
    home.run(&["clone", &url, "home"]).fails(4, "is a data home already");
    // As a kill in the middle leaves it: the first of what it does is to note what it is made from.
    let object = folder.join("wal/pi1/1");
    let whole = std::fs::read(&object).unwrap();
    std::fs::create_dir(folder.join("manifest")).unwrap();
    std::fs::write(folder.join("manifest/1"), "rot").unwrap();
    let failed = other.run(&["clone", &url, &path, "--node", "laptop"]);
    failed.fails(1, "manifest/1 in the bucket: it is damaged");
    std::fs::remove_file(folder.join("manifest/1")).unwrap();
    other.run(&["status"]).fails(3, "its clone was cut off").fails(3, "cocli clone");
    other.run(&["clone", &format!("{url}/"), &path]).fails(4, "is half a clone of");
    std::fs::write(&object, "rot").unwrap();
    let told = other.run(&["clone", &url, &path]).fails(1, "wal/pi1/1 in file://");
    assert!(told.err.contains("what is behind it is read"), "{}", told.err);
    assert!(other.run(&["status"]).ok().contains("cannot be read (wal/pi1/1)"));
    std::fs::write(&object, whole).unwrap();
    other.run(&["sync"]).ok();
    assert!(!other.run(&["status"]).ok().contains("cannot be read"));
}
