//! A folder as the bucket: given to a home, synced with, away, denied; and what never comes there.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value as Json;

use crate::cluster::{daemon_with, level, until};
use crate::support::{Home, cocli, run};

/// Where the bucket of this home is to be.
fn folder(home: &Home) -> PathBuf {
    home.dir.path().join("team")
}

fn url(home: &Home) -> String {
    format!("file://{}", folder(home).display())
}

/// A home with a bucket.
fn home() -> Home {
    let home = Home::none();
    home.run(&["init", "home", "--node", "pi1", "--bucket", &url(&home)]).ok();
    home
}

/// A member of its cluster at the same bucket, which knows no other address.
fn member(of: &Home, node: &str) -> Home {
    let ticket = of.run(&["ticket"]).ok();
    let home = Home::none();
    let words = ["init", "home", "--node", node, "--join", "-", "--bucket", &url(of)];
    run(cocli(home.dir.path()).args(words), ticket.as_bytes()).ok();
    home
}

fn json(home: &Home, words: &[&str]) -> Json {
    let told = home.run(&[&["--json"], words].concat());
    serde_json::from_str(told.out.lines().next_back().unwrap_or_default()).unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_new_home_and_one_that_is_there_already_are_level_through_a_bucket_alone() {
    let one = home();
    let other = member(&one, "laptop");
    one.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    other.run(&["set", "people/ann", "name=Ann"]).ok();
    assert!(one.run(&["sync"]).ok().contains("everything written here is in file://"));
    assert!(other.run(&["sync", "pull"]).ok().contains("went: 0 B"), "it only pulls");
    assert!(other.read("companies/acme/_index.md").contains("city: Dallas"), "the card is there");
    assert!(other.run(&["sync", "push"]).ok().contains("came: 0 B"), "it only pushes");
    one.run(&["sync"]).ok();
    level(&[&one, &other]);
    assert_eq!(one.run(&["get", "people/ann", "name"]).ok(), "Ann\n");

    // One that had no bucket.
    let ticket = one.run(&["ticket"]).ok();
    let late = Home::none();
    run(cocli(late.dir.path()).args(["init", "home", "--node", "late"]), b"").ok();
    late.run(&["set", "companies/late", "name=Late"]).ok();
    late.input(&["join", "-"], ticket.as_bytes()).ok();
    let said = late.run(&["init", "home", "--bucket", &url(&one)]).ok();
    assert!(said.contains("is the bucket") && said.contains("next: `cocli sync`"), "{said}");
    assert!(late.read(".cocli/config.toml").contains(&format!("url = \"{}\"", url(&one))));
    late.run(&["sync"]).ok();
    one.run(&["sync"]).ok();
    level(&[&one, &late]);
    let again = json(&one, &["sync"]);
    assert_eq!((&again["came"]["objects"], &again["went"]["objects"]), (&0.into(), &0.into()));
    assert_eq!(again["own_bytes_not_in_bucket"], 0, "{again}");
}

#[test]
fn daemons_that_know_no_peer_are_level_through_a_bucket_by_themselves() {
    let one = home();
    let other = member(&one, "laptop");
    let _first = daemon_with(&one, &[], &["--bucket-interval", "1"]);
    let _second = daemon_with(&other, &[], &["--bucket-interval", "1"]);
    one.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    until(|| other.run(&["get", "companies/acme", "city"]).out == "Dallas\n");
    other.run(&["set", "companies/acme", "city=Austin"]).ok();
    until(|| one.run(&["get", "companies/acme", "city"]).out == "Austin\n");
    level(&[&one, &other]);
}

#[test]
fn a_bucket_of_another_cluster_is_refused_in_plain_words() {
    let one = home();
    let stranger = Home::new();
    let said = stranger.run(&["init", "home", "--bucket", &url(&one)]);
    said.fails(1, "the bucket is of another cluster");
    assert!(!stranger.read(".cocli/config.toml").contains("url ="), "it is not kept");
    stranger.run(&["sync"]).fails(1, "this home has no bucket");
    // A home that is not made yet.
    let new = Home::none();
    let said = run(cocli(new.dir.path()).args(["init", "home", "--bucket", &url(&one)]), b"");
    said.fails(1, "the bucket is of another cluster");
}

#[test]
fn sync_without_a_bucket_says_what_to_do() {
    let home = Home::new();
    let said = home.run(&["sync"]).fails(1, "this home has no bucket");
    assert!(said.err.contains("next: `cocli init --bucket URL`"), "{}", said.err);
    let said = home.run(&["--json", "sync"]).fails(1, "this home has no bucket");
    assert!(said.err.contains("\"exit\":1") && said.out.is_empty(), "{said:?}");
    assert_eq!(json(&home, &["status"])["bucket"], Json::Null);
    assert!(!home.run(&["status"]).ok().contains("bucket"));
}

#[test]
fn status_says_what_is_safe_in_the_bucket_and_what_it_costs() {
    let home = home();
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    let told = home.run(&["status"]).ok();
    assert!(told.contains(&format!("bucket {}: ", url(&home))), "{told}");
    assert!(told.contains("written here are not there yet"), "{told}");
    let told = json(&home, &["status"]);
    assert!(told["bucket"]["own_bytes_not_there"].as_u64() > Some(0), "{told}");
    home.run(&["sync"]).ok();
    let told = home.run(&["status"]).ok();
    for said in ["everything written here is there", "1 node writes there", " writes, ", " USD"] {
        assert!(told.contains(said), "{said} in: {told}");
    }
    let told = json(&home, &["status"])["bucket"].clone();
    assert_eq!((&told["own_bytes_not_there"], &told["trouble"]), (&0.into(), &Json::Null));
    assert_eq!((&told["nodes"], &told["damaged"]), (&1.into(), &0.into()), "{told}");
    let object = folder(&home).join("wal/pi1/1").metadata().unwrap().len();
    assert_eq!(told["stored_bytes"], object, "{told}");
    for kind in ["get", "put", "list"] {
        assert!(told["requests"][kind].as_u64() > Some(0), "{kind}: {told}");
    }
    assert!(told["usd_so_far"].as_f64() > Some(0.0), "{told}");
}

#[test]
fn a_folder_that_is_gone_is_away_and_nothing_is_said_to_be_there() {
    let home = home();
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    home.run(&["sync"]).ok();
    // As a stick that is not mounted: its folder is empty, or is not there.
    let (team, stick) = (folder(&home), home.dir.path().join("stick"));
    std::fs::rename(&team, &stick).unwrap();
    std::fs::create_dir(&team).unwrap();
    home.run(&["set", "companies/acme", "city=Austin"]).ok();
    for _ in 0..2 {
        let said = home.run(&["sync"]).fails(1, "it is not mounted, or was emptied");
        assert!(said.err.contains("everything else works on"), "{}", said.err);
        assert!(!team.join("wal").exists(), "nothing goes there");
        let _ = std::fs::remove_dir_all(&team);
    }
    let mut daemon = daemon_with(&home, &[], &["--bucket-interval", "1"]);
    until(|| json(&home, &["status"])["daemon"]["bucket"]["trouble"]["kind"] == "away");
    assert!(home.run(&["status"]).out.contains("  away: "));
    let trouble = json(&home, &["status"])["bucket"]["trouble"].clone();
    assert_eq!(trouble["kind"], "away", "{trouble}");

    // It is mounted again.
    let _ = std::fs::remove_dir_all(&team);
    std::fs::rename(&stick, &team).unwrap();
    until(|| {
        let told = json(&home, &["status"])["bucket"].clone();
        told["trouble"] == Json::Null && told["own_bytes_not_there"] == 0
    });
    assert!(team.join("wal/pi1/2").exists());

    // Taken away while the daemon runs.
    std::fs::rename(&team, &stick).unwrap();
    std::fs::create_dir(&team).unwrap();
    home.run(&["set", "companies/acme", "city=Waco"]).ok();
    until(|| json(&home, &["status"])["daemon"]["bucket"]["trouble"]["kind"] == "away");
    daemon.kill();

    // It is lost for good: another begins, and takes everything.
    home.run(&["init", "home", "--bucket", &url(&home)]).ok();
    let told = json(&home, &["status"]);
    assert!(told["bucket"]["own_bytes_not_there"].as_u64() > Some(0), "{told}");
    home.run(&["sync"]).ok();
    let other = member(&home, "laptop");
    other.run(&["sync"]).ok();
    assert_eq!(other.run(&["get", "companies/acme", "city"]).ok(), "Waco\n");
}

#[test]
#[cfg(unix)]
fn a_folder_that_may_not_be_written_is_denied() {
    use std::os::unix::fs::PermissionsExt;

    let home = home();
    let team = folder(&home);
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    let mode = |mode| {
        for folder in [team.clone(), team.join(".cocli-unnamed")] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mode(0o555);
    if std::fs::write(team.join("probe"), b"").is_ok() {
        // Root may write everywhere.
        return;
    }
    let said = home.run(&["sync"]).fails(1, "ermission denied");
    assert!(said.err.contains("\"Rights\""), "{}", said.err);
    {
        let _daemon = daemon_with(&home, &[], &["--bucket-interval", "1"]);
        until(|| json(&home, &["status"])["daemon"]["bucket"]["trouble"]["kind"] == "denied");
        let told = home.run(&["status"]);
        assert_eq!(told.code, 5, "a person is needed: {}", told.out);
        assert!(told.out.contains("other credentials or rights"), "{}", told.out);
    }
    let another = Home::none();
    let words = ["init", "home", "--bucket", &url(&home)];
    run(cocli(another.dir.path()).args(words), b"").fails(1, "cannot be the bucket");
    assert!(!another.path.join(".cocli").exists());
    mode(0o755);
    home.run(&["sync"]).ok();
}

#[test]
fn an_unknown_key_below_bucket_names_the_nearest() {
    let home = home();
    let settings = home.read(".cocli/config.toml").replace("url =", "intervall = 60\nurl =");
    std::fs::write(home.file(".cocli/config.toml"), settings).unwrap();
    let said = home.run(&["sync"]).fails(1, "config.toml:");
    assert!(said.err.contains("the nearest name is `interval`"), "{}", said.err);
}

/// What a command says on standard error in so many seconds; then it is ended.
#[expect(
    clippy::disallowed_methods,
    reason = "it would go on, and nothing else tells that it does not"
)]
fn said_within(home: &Home, words: &[&str], seconds: u64) -> String {
    let (out, err) = (Stdio::null(), Stdio::piped());
    let mut child = home.command().args(words).stdout(out).stderr(err).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(seconds));
    child.kill().unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn a_hub_asks_nothing_of_a_bucket_whose_budget_is_spent_and_says_so_once() {
    let home = home();
    let settings = home.read(".cocli/config.toml");
    let settings = settings.replace("url =", "budget = \"0.000001 USD\"\nurl =");
    std::fs::write(home.file(".cocli/config.toml"), settings).unwrap();
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    home.run(&["sync"]).ok();
    let asked = || json(&home, &["status"])["bucket"]["requests"].clone();
    let before = asked();
    let said = said_within(&home, &["hub", "run", "--every", "1"], 4);
    assert_eq!(said.matches("budget of 0.00 USD for the bucket is spent").count(), 1, "{said}");
    assert_eq!(asked(), before);
    // By hand it goes all the same.
    home.run(&["hub", "once"]).ok();
    assert!(folder(&home).join("manifest/1").exists());
}

/// What must not stand there, each with its name.
fn secrets(homes: &[&Home], ticket: &str) -> Vec<(String, Vec<u8>)> {
    let mut secrets = Vec::new();
    for home in homes {
        let keys = home.read(".cocli/keys");
        let words =
            keys.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 32);
        let words: Vec<&str> = words.collect();
        assert!(!words.is_empty(), "no key in {keys}");
        secrets.extend(words.iter().map(|word| ("a key".to_owned(), word.as_bytes().to_vec())));
        secrets
            .extend(words.iter().filter_map(|word| Some(("a key's bytes".to_owned(), hex(word)?))));
        let identity = std::fs::read(home.file(".cocli/identity")).unwrap();
        let text: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
        secrets.push(("an identity as text".to_owned(), text.into_bytes()));
        secrets.push(("an identity".to_owned(), identity));
    }
    for part in ticket.trim().as_bytes().windows(24) {
        secrets.push(("a part of the ticket".to_owned(), part.to_vec()));
    }
    secrets.push(("the secret of AWS".to_owned(), SECRET.as_bytes().to_vec()));
    secrets
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn no_secret_ever_comes_to_the_bucket() {
    let one = Home::none();
    let aws = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let words = ["init", "home", "--node", "pi1", "--bucket", &url(&one)];
    run(cocli(one.dir.path()).args(words).envs(aws), b"").ok();
    one.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let ticket = one.run(&["ticket", "--address", "192.0.2.1"]).ok();
    let other = Home::none();
    run(cocli(other.dir.path()).args(["init", "home", "--node", "laptop"]), b"").ok();
    other.input(&["join", "-"], ticket.as_bytes()).ok();
    other.run(&["init", "home", "--bucket", &url(&one)]).ok();
    for home in [&one, &other, &one] {
        run(home.command().args(["sync"]).envs(aws), b"").ok();
    }
    {
        let first = daemon_with(&one, &[], &["--bucket-interval", "1"]);
        let _second = daemon_with(&other, &[&first.address], &["--bucket-interval", "1"]);
        // A key that is made while all run, and handed on.
        one.run(&["key", "add"]).ok();
        other.run(&["set", "companies/acme", "city=Austin"]).ok();
        level(&[&one, &other]);
        until(|| json(&other, &["status"])["bucket"]["own_bytes_not_there"] == 0);
    }
    let secrets = secrets(&[&one, &other], &ticket);
    let (team, mut unpacked) = (folder(&one), 0);
    let all = files(&team);
    assert!(all.iter().any(|path| path.ends_with("wal/laptop/1")), "{all:?}");
    for path in all {
        let below = path.strip_prefix(&team).unwrap();
        assert!(below.components().all(|part| part.as_os_str() != ".cocli"), "{below:?}");
        let bytes = std::fs::read(&path).unwrap();
        let text = zstd::stream::decode_all(bytes.as_slice()).ok();
        unpacked += usize::from(text.is_some());
        for (name, secret) in &secrets {
            for bytes in [Some(&bytes), text.as_ref()].into_iter().flatten() {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_slice());
                assert!(!found, "{name} stands in {below:?}");
            }
        }
    }
    assert!(unpacked >= 3, "objects of both nodes: {unpacked}");
}
