//! What whoever watches a cluster is told at the door of a daemon.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use cocli_core::StateDigest;
use cocli_core::digest::hash;
use serde_json::{Value as Json, json};

use crate::cluster::{Daemon, daemon, member, until};
use crate::support::Home;

/// Asks a daemon for all nodes that it knows.
fn cluster(home: &Home) -> Json {
    let id: Json = serde_json::from_str(&home.read(".cocli/id")).unwrap();
    let name = format!("{}@{}", id["node"].as_str().unwrap(), id["cluster"].as_str().unwrap());
    let mut socket = UnixStream::connect(home.file(".cocli/sock")).unwrap();
    let request = json!({"door": 1, "home": name, "verb": "cluster"});
    socket.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn state(home: &Home) -> String {
    cluster(home)["sameness"]["state"].as_str().unwrap().to_owned()
}

fn node(told: &Json, name: &str) -> Json {
    let nodes = told["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["node"] == name).cloned().unwrap_or(Json::Null)
}

fn standing(home: &Home, name: &str) -> String {
    node(&cluster(home), name)["standing"].as_str().unwrap_or("nothing").to_owned()
}

fn three() -> (Vec<Home>, Vec<Daemon>) {
    let first = Home::new();
    let homes = vec![member(&first, "pi2"), member(&first, "pi3")];
    let homes: Vec<Home> = std::iter::once(first).chain(homes).collect();
    let mut daemons = vec![daemon(&homes[0], &[])];
    for home in &homes[1..] {
        let at = daemons[0].address.clone();
        daemons.push(daemon(home, &[&at]));
    }
    (homes, daemons)
}

fn all_identical(homes: &[Home]) -> bool {
    homes.iter().all(|home| {
        let same = cluster(home)["sameness"].clone();
        same["state"] == "identical" && same["same"] == homes.len() && same["of"] == homes.len()
    })
}

#[test]
fn three_daemons_are_identical_soon_after_a_write_and_spreading_while_one_sleeps() {
    let (homes, daemons) = three();
    until(|| all_identical(&homes));
    let before = cluster(&homes[0]);
    homes[1].run(&["add", "company", "Acme", "--set", "email=a@b.c"]).ok();
    let digest = |told: &Json, name: &str| node(told, name)["condition"]["digest"].clone();
    until(|| {
        let told = cluster(&homes[0]);
        all_identical(&homes) && digest(&told, "pi1") != digest(&before, "pi1")
    });
    let told = cluster(&homes[2]);
    assert_eq!(
        (digest(&told, "pi1"), digest(&told, "pi2")),
        (digest(&told, "pi3"), digest(&told, "pi3"))
    );
    assert_eq!((&told["parts"], &told["oldest_ms"]), (&Json::Null, &Json::Null));
    let condition = &node(&told, "pi2")["condition"];
    for key in ["version", "up_s", "disk", "disk_free", "cores", "problems", "queued", "rules"] {
        assert!(!condition[key].is_null(), "{key} of {condition}");
    }
    assert!(condition["bucket_lag"].is_null(), "there is no bucket");
    // Asleep, it holds less than the others for as long as they take to bury it.
    daemons[2].signal("-STOP");
    homes[0].run(&["set", "companies/acme", "city=Bern"]).ok();
    until(|| {
        let told = cluster(&homes[0]);
        let same = &told["sameness"];
        same["state"] == "spreading"
            && same["behind"] == json!(["pi3"])
            && told["oldest_ms"].as_u64().is_some_and(|age| age < 60_000)
    });
    daemons[2].signal("-CONT");
    until(|| all_identical(&homes));
}

#[test]
fn a_node_that_is_killed_is_down_and_one_that_is_ended_has_stopped() {
    let (homes, mut daemons) = three();
    until(|| all_identical(&homes));
    daemons[1].end();
    until(|| standing(&homes[0], "pi2") == "stopped");
    daemons[2].kill();
    until(|| standing(&homes[0], "pi3") == "down");
    let told = cluster(&homes[0]);
    let heard = node(&told, "pi3")["heard_ms"].as_u64().unwrap();
    assert!(heard <= 11_000, "noticed after {heard} ms");
    assert_eq!((&told["sameness"]["state"], &told["parts"]), (&json!("alone"), &Json::Null));
    // A daemon that never met them tells them apart by what they kept, once it had the time to meet them.
    daemons[0].end();
    let again = daemon(&homes[0], &[]);
    until(|| standing(&homes[0], "pi2") == "stopped" && standing(&homes[0], "pi3") == "down");
    let told = cluster(&homes[0]);
    assert!(node(&told, "pi3")["condition"]["version"].is_string());
    // When it runs again it takes back that it stopped.
    let mut pi2 = daemon(&homes[1], &[&again.address]);
    until(|| standing(&homes[0], "pi2") == "alive");
    pi2.kill();
    until(|| standing(&homes[0], "pi2") == "down");
}

/// Changes a value in the checkpoint of a home and makes everything good that would tell of it.
fn damage(home: &Home, from: &str, to: &str) {
    let path = home.file("checkpoint/manifest.json");
    let mut manifest: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut changed = 0;
    for shard in manifest["shards"].as_array_mut().unwrap() {
        let text = |key: &str| shard[key].as_str().unwrap().to_owned();
        let (name, old) = (text("shard"), text("hash"));
        let file = |hash: &str| home.file(&format!("checkpoint/{name}-{hash}.usv"));
        let text = std::fs::read_to_string(file(&old)).unwrap();
        if !text.contains(from) {
            continue;
        }
        let text = text.replace(from, to);
        let mut digest = StateDigest::default();
        let lines = text.split('\u{1e}').map(|line| line.trim_start_matches('\n'));
        lines.filter(|line| !line.is_empty()).for_each(|line| digest.add(line.as_bytes()));
        let new = format!("{:032x}", hash(text.as_bytes()));
        std::fs::write(file(&new), &text).unwrap();
        std::fs::remove_file(file(&old)).unwrap();
        (shard["hash"], shard["digest"]) = (json!(new), json!(digest.to_string()));
        changed += 1;
    }
    assert_eq!(changed, 1);
    let mut whole = StateDigest::default();
    for shard in manifest["shards"].as_array().unwrap() {
        whole.join(StateDigest::read(shard["digest"].as_str().unwrap()).unwrap());
    }
    manifest["digest"] = json!(whole.to_string());
    std::fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn where_the_same_logs_show_another_state_target_and_field_are_named_and_who_is_wrong() {
    let first = Home::new();
    let other = member(&first, "pi2");
    first.run(&["add", "company", "Acme", "--set", "email=a@b.c", "--set", "city=Bern"]).ok();
    let one = daemon(&first, &[]);
    let mut two = daemon(&other, &[&one.address]);
    until(|| state(&first) == "identical" && state(&other) == "identical");
    two.end();
    other.run(&["compact"]).ok();
    damage(&other, "a@b.c", "x@b.c");
    assert_eq!(other.run(&["get", "companies/acme", "email"]).ok(), "x@b.c\n");
    let _two = daemon(&other, &[&one.address]);
    let differ = |node: &str, here: &str, there: &str| json!([{"node": node, "target": "companies/acme", "field": "email", "here": here, "there": there}]);
    until(|| {
        let same = cluster(&first)["sameness"].clone();
        same["state"] == "differing" && same["differ"] == differ("pi2", "a@b.c", "x@b.c")
    });
    until(|| cluster(&other)["sameness"]["differ"] == differ("pi1", "x@b.c", "a@b.c"));
    for home in [&first, &other] {
        let same = cluster(home)["sameness"].clone();
        assert_eq!(same["wrong"], json!(["pi2"]), "{same}");
        assert_eq!((&same["same"], &same["of"]), (&json!(1), &json!(2)));
    }
    // What mends it, while the daemon runs.
    let mend = cluster(&first)["sameness"]["mend"].as_str().unwrap().to_owned();
    assert!(
        mend.contains("delete checkpoint/manifest.json in the home of pi2, then `cocli compact`"),
        "{mend}"
    );
    std::fs::remove_file(other.file("checkpoint/manifest.json")).unwrap();
    other.run(&["compact"]).ok();
    assert_eq!(other.run(&["get", "companies/acme", "email"]).ok(), "a@b.c\n");
    until(|| state(&first) == "identical" && state(&other) == "identical");
}
