//! The disk of the machine: what the fake one cannot tell.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use cocli_core::Datagram;
use cocli_store::{Disk, HomeLock, Journals, Reader, RealDisk, checkpoint};
use support::*;

fn real_home() -> (tempfile::TempDir, Arc<RealDisk>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".cocli")).unwrap();
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    (folder, disk)
}

fn open_real(home: &Path) -> Journals {
    Journals::open(Arc::new(RealDisk::open(home).unwrap()), CLUSTER, node("pi1")).unwrap()
}

fn batch_of(thread: usize, number: usize) -> Vec<Datagram> {
    (0..3)
        .map(|at| put("pi1", &format!("companies/t{thread}"), &format!("f_{number}_{at}"), "v", 1))
        .collect()
}

/// What each of several writers does, in threads or processes.
fn write_some(home: &Path, writer: usize, count: usize) {
    let disk = RealDisk::open(home).unwrap();
    let mut journals = open_real(home);
    for number in 0..count {
        let lock = HomeLock::take(&disk, "test").unwrap();
        let bytes = bytes_of(&batch_of(writer, number));
        journals.append_own(&lock, day("20261123"), &bytes, &command()).unwrap();
    }
}

fn assert_all_there(home: &Path, writers: usize, count: usize) {
    let mut journals = open_real(home);
    let state = Reader::open(&mut journals).unwrap().state().unwrap();
    for writer in 0..writers {
        for number in 0..count {
            assert_eq!(held(&state, &batch_of(writer, number)), 3);
        }
    }
    assert_eq!(state.len(), writers * count * 3);
    let disk = RealDisk::open(home).unwrap();
    let lock = HomeLock::take(&disk, "test").unwrap();
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    assert_eq!(Reader::open(&mut journals).unwrap().digest().unwrap(), state.digest());
    assert_eq!(journals.commands().unwrap().len(), writers * count);
}

#[test]
fn threads_that_append_at_once_lose_nothing() {
    let (home, _) = real_home();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = home.path();
            scope.spawn(move || write_some(home, writer, 25));
        }
    });
    assert_all_there(home.path(), 4, 25);
}

/// Not a claim of its own: a process that the next test starts.
#[test]
fn a_writer_of_its_own() {
    if let (Ok(home), Ok(writer)) =
        (std::env::var("COCLI_TEST_HOME"), std::env::var("COCLI_TEST_WRITER"))
    {
        write_some(Path::new(&home), writer.parse().unwrap(), 25);
    }
}

#[test]
fn processes_that_append_at_once_lose_nothing() {
    let (home, _) = real_home();
    let start = |writer: usize| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_writer_of_its_own"])
            .env("COCLI_TEST_HOME", home.path())
            .env("COCLI_TEST_WRITER", writer.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let writers: Vec<_> = (0..3).map(start).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_all_there(home.path(), 3, 25);
}

#[test]
fn a_process_killed_at_any_moment_leaves_whole_batches() {
    let (home, _) = real_home();
    for round in 0..12_u64 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_writer_of_its_own"])
            .env("COCLI_TEST_HOME", home.path())
            .env("COCLI_TEST_WRITER", "0")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        #[expect(clippy::disallowed_methods, reason = "a kill at a moment that nobody chose")]
        std::thread::sleep(std::time::Duration::from_millis(3 + round * 3));
        let _ = writer.kill();
        writer.wait().unwrap();
        let disk = RealDisk::open(home.path()).unwrap();
        let lock = HomeLock::try_take(&disk, "test").unwrap();
        let mut journals = open_real(home.path());
        let bytes = bytes_of(&batch_of(1, round as usize));
        journals.append_own(&lock, day("20261123"), &bytes, &command()).unwrap();
        let state = Reader::open(&mut journals).unwrap().state().unwrap();
        for number in 0..25 {
            assert!(matches!(held(&state, &batch_of(0, number)), 0 | 3));
        }
        for number in 0..=round {
            assert_eq!(held(&state, &batch_of(1, number as usize)), 3);
        }
        // The order of the log is that of the commands: nothing stands between.
        assert_eq!(journals.head(&log("pi1")).unwrap().position, journals.end(&log("pi1")));
    }
}

#[test]
fn no_link_leads_out_of_the_home() {
    let (home, disk) = real_home();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    let link =
        |name: &str, to: &Path| std::os::unix::fs::symlink(to, home.path().join(name)).unwrap();
    link("folder", outside.path());
    link("file", &outside.path().join("secret"));
    link("up", Path::new(".."));
    for path in ["folder/secret", "file", "../x", "/etc/hostname", "up/x"] {
        let denied = |kind: ErrorKind| assert_ne!(kind, ErrorKind::NotFound, "{path}");
        denied(disk.read(path).unwrap_err().kind());
        denied(disk.read_at(path, 0, 1).unwrap_err().kind());
        denied(disk.write_at(path, 0, b"x", false).unwrap_err().kind());
        denied(disk.cut(path, 0).unwrap_err().kind());
    }
    std::fs::write(home.path().join("inside"), b"x").unwrap();
    for path in ["folder/new", "../new", "up/new"] {
        disk.rename("inside", path).unwrap_err();
        disk.rename_new("inside", path).unwrap_err();
        disk.exchange("inside", path).unwrap_err();
    }
    disk.remove("folder/secret").unwrap_err();
    disk.make_folder("folder/new").unwrap_err();
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(disk.stat("file").unwrap().unwrap().kind, cocli_store::disk::FileKind::Other);
    // A journal that is a link out is no journal.
    std::fs::create_dir(home.path().join("wal")).unwrap();
    link("wal/20261123_pi2.usv", &outside.path().join("secret"));
    let mut journals = open_real(home.path());
    assert_eq!(journals.end(&log("pi2")), 0);
    assert!(Reader::open(&mut journals).unwrap().state().unwrap().is_empty());
}

#[test]
fn a_pipe_in_a_journals_place_hangs_nobody() {
    let (home, disk) = real_home();
    std::fs::create_dir(home.path().join("wal")).unwrap();
    let pipe = home.path().join("wal/20261123_pi2.usv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    disk.read("wal/20261123_pi2.usv").unwrap_err();
    let mut journals = open_real(home.path());
    assert_eq!(journals.head(&log("pi2")).unwrap().position, 0);
}

#[test]
fn the_disk_keeps_its_word() {
    let (home, disk) = real_home();
    disk.make_folder("a/b/c").unwrap();
    disk.make_folder("a/b/c").unwrap();
    disk.write_at("a/b/one", 0, b"first", false).unwrap();
    disk.write_at("a/b/one", 5, b" second", false).unwrap();
    disk.sync("a/b/one").unwrap();
    disk.sync_folder("a/b").unwrap();
    disk.sync_folder("").unwrap();
    disk.sync_all().unwrap();
    assert_eq!(disk.read("a/b/one").unwrap(), b"first second");
    assert_eq!(disk.read_at("a/b/one", 6, 100).unwrap(), b"second");
    assert_eq!(disk.read_at("a/b/one", 100, 1).unwrap(), b"");
    disk.cut("a/b/one", 5).unwrap();
    disk.write_at("a/two", 0, b"2", true).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(
        &std::fs::metadata(home.path().join("a/two")).unwrap(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(disk.rename_new("a/two", "a/b/one").unwrap_err().kind(), ErrorKind::AlreadyExists);
    match disk.exchange("a/two", "a/b/one") {
        Ok(()) => assert_eq!(disk.read("a/two").unwrap(), b"first"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    }
    disk.rename_new("a/two", "a/three").unwrap();
    assert_eq!(disk.stat("a/two").unwrap(), None);
    let names: Vec<String> = disk.list("a").unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "three"]);
    assert_eq!(disk.list_stats("a").unwrap()[1].1.len, 5);
    assert_eq!(disk.list("none").unwrap(), []);
    assert_eq!(disk.read("none").unwrap_err().kind(), ErrorKind::NotFound);
    disk.remove("a/three").unwrap();
    let held = disk.lock(".cocli/lock", false).unwrap().unwrap();
    assert!(RealDisk::open(home.path()).unwrap().lock(".cocli/lock", false).unwrap().is_none());
    drop(held);
    assert!(disk.lock(".cocli/lock", true).unwrap().is_some());
}

#[test]
fn a_full_disk_refuses_before_a_partial_record_and_recovers_by_itself() {
    // A limit on the size of files is the nearest to a full disk that needs no rights.
    let (home, _) = real_home();
    let full = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_writer_on_a_full_disk"])
        .env("COCLI_TEST_FULL", home.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(full.unwrap().success());
    write_some(home.path(), 0, 1);
    let mut journals = open_real(home.path());
    let state = Reader::open(&mut journals).unwrap().state().unwrap();
    assert_eq!(held(&state, &batch_of(0, 0)), 3);
    assert_eq!(state.len(), 4);
}

/// Not a claim of its own: a process that the test above starts.
#[test]
fn a_writer_on_a_full_disk() {
    let Ok(home) = std::env::var("COCLI_TEST_FULL") else { return };
    let home = Path::new(&home);
    let disk = RealDisk::open(home).unwrap();
    let lock = HomeLock::take(&disk, "test").unwrap();
    let mut journals = open_real(home);
    let small = [put("pi1", "companies/a", "name", "A", 1)];
    let written =
        journals.append_own(&lock, day("20261123"), &bytes_of(&small), &command()).unwrap();
    let long = [put("pi1", "companies/a", "description", &"x".repeat(20_000), 1)];
    journals.append_own(&lock, day("20261123"), &bytes_of(&long), &command()).unwrap_err();
    let len = disk.stat("wal/20261123_pi1.usv").unwrap().unwrap().len;
    assert_eq!(len, written.to, "a partial record stands");
}

#[test]
fn a_pause_lasts_also_for_a_thread_that_was_woken_before() {
    let (_folder, disk) = real_home();
    let time = std::time::Duration::from_millis(50);
    std::thread::current().unpark();
    #[expect(clippy::disallowed_methods, reason = "what is tested is that time passes")]
    let began = std::time::Instant::now();
    disk.pause(time);
    assert!(began.elapsed() >= time);
}
