//! What is shown in each condition that a home and its cluster may be in, against texts in `expected/`.
//! `COCLI_EXPECT=write cargo test` writes them anew: look at each before it is kept.

use std::path::PathBuf;

use cocli_core::{ClusterId, Instant, NodeId, StateDigest};
use cocli_node::durable::Seen;
use cocli_node::{Health, Losses};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::bucket::Bucket;
use super::page;
use super::view::View;
use crate::bucket::Bill;
use crate::cluster::Cluster;
use crate::render::Screen;

const NOW: &str = "2026-11-28T15:40:00.000000Z";

/// A node that is well: four cores, 16 GB of disk free, level with this one.
fn node(name: &str, me: bool) -> Json {
    json!({
        "node": name, "me": me, "standing": "alive", "address": format!("10.0.0.{}:9999", name.len()),
        "heard_ms": 812, "round_trip_us": 900, "clock_ahead_us": if me { Json::Null } else { json!(1_200) },
        "lacks_bytes": 0, "ahead_bytes": 0, "condition_ms": 2_100,
        "condition": {
            "version": "0.1.0", "up_s": 302_400, "load": 0.42, "cores": 4, "memory": 8_000_000_000_u64,
            "memory_free": 5_500_000_000_u64, "resident": 14_000_000, "disk": 32_000_000_000_u64,
            "disk_free": 16_000_000_000_u64, "temperature": 48.3, "vector": "0123456789abcdef0123456789abcdef",
            "digest": "0123456789abcdef0123456789abcdef", "clock_ahead_us": 300, "bucket_lag": 0, "queued": 0,
            "problems": 0,
        },
    })
}

/// A peer that is well, as `status` of the daemon tells of it.
fn peer(name: &str) -> Json {
    json!({
        "node": name, "left_out": false, "address": format!("10.0.0.{}:9999", name.len()), "live": true,
        "standing": "alive", "level": true, "lacks_bytes": 0, "ahead_bytes": 0, "silent_ms": 812,
        "round_trip_us": 900, "clock_ahead_us": 1_200,
    })
}

/// Three nodes of which all is well, seen from `laptop`.
fn well() -> (Json, Json) {
    let daemon = json!({
        "listening": "10.0.0.6:9999", "pid": 7, "peers": [peer("pi1"), peer("cloud1")], "touched": [],
        "gaps": 0, "stalled": false, "twins": [], "strangers": [], "python": [], "packets_shed": 0,
    });
    let told = json!({
        "at": NOW, "node": "laptop", "nodes": [node("laptop", true), node("pi1", false), node("cloud1", false)],
        "sameness": {"state": "identical", "same": 3, "of": 3, "as_of": "2026-11-28T15:39:58.000000Z", "behind": [], "differ": []},
        "oldest_ms": null, "parts": null,
    });
    (daemon, told)
}

fn view((daemon, told): (Json, Json)) -> View {
    let at = Instant::read(NOW).unwrap();
    let health = Health {
        companies: 1_837,
        people: 2_754,
        values: 33_519,
        digest: StateDigest::default(),
        losses: Some(Losses::default()),
        ..Health::default()
    };
    View {
        at,
        zone: TimeZone::UTC,
        path: "/home/ann/cocli".into(),
        node: "laptop".into(),
        cluster_id: ClusterId([7; 16]).to_string(),
        keyless: None,
        daemon: Some(daemon),
        mute: None,
        cluster: Some(Cluster::read(&told)),
        told: Some(told),
        kept: Vec::new(),
        health,
        logs: json!({"laptop": {"position": 125, "hash": "45a805abb57e45fcec4d1074f0ab6bb2"}}),
        left: Vec::new(),
        lack_key: None,
        scrub: None,
        bucket: None,
    }
}

fn bucket(trouble: Option<(&str, &str)>) -> Bucket {
    let mut seen = Seen::new("s3://team", ClusterId([7; 16]), "life");
    seen.manifest = (7, 1);
    seen.next = ["laptop", "pi1", "cloud1"].map(|node| (NodeId::read(node).unwrap(), 9)).into();
    seen.published = Some((NodeId::read("cloud1").unwrap(), "2026-11-28T15:30:00Z".into()));
    seen.bytes = 91_000_000;
    let mut bill = Bill::default();
    bill.so_far = 0.0123;
    (bill.spent.gets, bill.spent.puts, bill.spent.up) = (1_200, 320, 4_000_000);
    Bucket {
        url: "s3://team".into(),
        seen: Some((seen, cocli_core::bucket::pace::Lacking::default())),
        bill,
        trouble: trouble.map(|(kind, said)| (kind.into(), said.into())),
        month: Some(0.14),
    }
}

/// What is shown of it, here and of the cluster, is what stands in `expected/`.
#[track_caller]
fn shows(name: &str, view: &View) {
    let screen = Screen::of_a_pipe();
    let shown = |all| page::of(view, screen, all, None).lines.join("\n");
    let text =
        format!("$ cocli status\n{}\n\n$ cocli status --cluster\n{}\n", shown(false), shown(true));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("src/commands/status/expected/{name}.txt"));
    if std::env::var_os("COCLI_EXPECT").is_some_and(|way| way == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} says otherwise", path.display());
    // What a program is told says the same: nothing of a problem is lost.
    assert_eq!(view.object()["problems"].as_array().unwrap().len(), view.problems().len());
}

#[track_caller]
fn needs(view: &View, person: usize) {
    assert_eq!(view.problems().len(), person, "{:?}", view.problems());
}

#[test]
fn all_is_well() {
    let mut all = view(well());
    all.bucket = Some(bucket(None));
    needs(&all, 0);
    shows("well", &all);
}

#[test]
fn a_node_is_down_and_after_an_hour_that_needs_a_person() {
    let down = |heard_ms: u64| {
        let (mut daemon, mut told) = well();
        daemon["peers"][0]["live"] = json!(false);
        daemon["peers"][0]["standing"] = json!("down");
        told["nodes"][1]["standing"] = json!("down");
        told["nodes"][1]["heard_ms"] = json!(heard_ms);
        told["nodes"][1]["condition_ms"] = json!(heard_ms);
        told["sameness"]["same"] = json!(2);
        told["sameness"]["of"] = json!(2);
        view((daemon, told))
    };
    needs(&down(9_000), 0);
    needs(&down(3_599_999), 0);
    let long = down(7_300_000);
    needs(&long, 1);
    shows("down", &long);
}

#[test]
fn a_node_that_said_that_it_stops_needs_nobody() {
    let (daemon, mut told) = well();
    told["nodes"][1]["standing"] = json!("stopped");
    told["nodes"][1]["heard_ms"] = json!(7_300_000);
    told["nodes"][1]["condition"]["disk_free"] = json!(0);
    needs(&view((daemon, told)), 0);
}

#[test]
fn among_the_peers_too_one_that_stopped_is_said_to_have_stopped() {
    let (mut daemon, mut told) = well();
    daemon["peers"][0]["live"] = json!(false);
    daemon["peers"][0]["standing"] = json!("down");
    told["nodes"][1]["standing"] = json!("stopped");
    told["nodes"][2]["standing"] = json!("left");
    told["nodes"][2]["lacks_bytes"] = json!(3_000);
    let mut stopped = view((daemon, told));
    stopped.left = vec![("pi1".into(), "stopped"), ("cloud1".into(), "left the cluster")];
    let text = |all| page::of(&stopped, Screen::of_a_pipe(), all, None).lines.join("\n");
    assert!(text(false).contains("  pi1  10.0.0.3:9999  stopped\n"), "{}", text(false));
    assert!(text(false).contains("  cloud1  10.0.0.6:9999  level"), "it is heard: {}", text(false));
    assert!(!text(true).contains("lacks"), "who left is behind in nothing: {}", text(true));
}

#[test]
fn what_a_colour_says_a_word_says_too() {
    let (daemon, mut told) = well();
    let condition = &mut told["nodes"][1]["condition"];
    condition["load"] = json!(9.0);
    condition["memory_free"] = json!(1);
    condition["temperature"] = json!(91.0);
    told["nodes"][1]["condition_ms"] = json!(25_000);
    let page = page::of(&view((daemon, told)), Screen::of_a_pipe(), true, None);
    let row = page.lines.iter().find(|line| line.starts_with("  pi1")).unwrap();
    for words in ["9.00 of 4: busy", "100 %: full", "91 °C: hot", "25 s ago: late"] {
        assert!(row.contains(words), "expected {words}: {row}");
    }
}

#[test]
fn a_node_is_behind() {
    let (mut daemon, mut told) = well();
    daemon["peers"][0]["level"] = json!(false);
    daemon["peers"][0]["lacks_bytes"] = json!(3_210);
    told["nodes"][1]["lacks_bytes"] = json!(3_210);
    told["nodes"][1]["condition_ms"] = json!(31_000);
    told["sameness"]["state"] = json!("spreading");
    told["sameness"]["same"] = json!(2);
    told["sameness"]["behind"] = json!(["pi1"]);
    told["oldest_ms"] = json!(42_000);
    let behind = view((daemon, told));
    needs(&behind, 0);
    shows("behind", &behind);
}

#[test]
fn a_clock_is_skewed() {
    let (mut daemon, mut told) = well();
    daemon["peers"][0]["clock_ahead_us"] = json!(-10_800_000_000_i64);
    told["nodes"][1]["clock_ahead_us"] = json!(-10_800_000_000_i64);
    let skewed = view((daemon.clone(), told.clone()));
    needs(&skewed, 1);
    shows("skewed", &skewed);
    // The one that is wrong is the one here.
    daemon["peers"][1]["clock_ahead_us"] = json!(-10_800_000_000_i64);
    told["nodes"][0]["condition"]["clock_ahead_us"] = json!(10_800_000_000_i64);
    let own = view((daemon, told));
    needs(&own, 1);
    assert!(own.problems()[0].said.starts_with("the clock of this machine is 3 h ahead"));
}

#[test]
fn a_disk_is_full() {
    let (daemon, mut told) = well();
    told["nodes"][0]["condition"]["disk_free"] = json!(40_000_000);
    told["nodes"][1]["condition"]["disk_free"] = json!(900_000_000);
    told["nodes"][2]["condition"]["disk_free"] = json!(3_000_000_000_u64);
    let full = view((daemon, told));
    needs(&full, 2);
    shows("full", &full);
}

#[test]
fn two_machines_bear_one_name() {
    let (mut daemon, told) = well();
    daemon["twins"] = json!(["pi1"]);
    let fork = view((daemon, told));
    needs(&fork, 1);
    shows("twins", &fork);
}

#[test]
fn a_stranger_seals_with_another_key() {
    let (mut daemon, told) = well();
    daemon["strangers"] = json!([
        {"from": "10.0.0.9:9999", "key": "deadbeef", "old": false},
        {"from": "10.0.0.8:9999", "key": "cafebabe", "old": true},
    ]);
    daemon["packets_shed"] = json!(5_000);
    let stranger = view((daemon, told));
    needs(&stranger, 0);
    shows("stranger", &stranger);
}

#[test]
fn the_hub_is_gone() {
    let mut gone = view(well());
    let mut of = bucket(None);
    if let Some((seen, lacking)) = of.seen.as_mut() {
        seen.published = Some((NodeId::read("cloud1").unwrap(), "2026-11-25T15:30:00Z".into()));
        lacking.own = 12_000;
    }
    gone.bucket = Some(of);
    needs(&gone, 0);
    shows("hub-gone", &gone);
}

#[test]
fn the_bucket_is_away_or_denies() {
    let mut away = view(well());
    away.bucket = Some(bucket(Some(("away", "s3://team: cannot connect: no route"))));
    needs(&away, 0);
    shows("bucket-away", &away);
    let mut denied = view(well());
    denied.bucket = Some(bucket(Some(("denied", "s3://team: PUT: 403 AccessDenied"))));
    needs(&denied, 1);
    shows("bucket-denied", &denied);
}

#[test]
fn the_state_differs_and_what_differs_is_named() {
    let (daemon, mut told) = well();
    told["sameness"]["state"] = json!("differing");
    told["sameness"]["same"] = json!(2);
    told["sameness"]["differing"] = json!(["pi1"]);
    told["sameness"]["wrong"] = json!(["pi1"]);
    told["sameness"]["mend"] =
        json!("delete MANIFEST in the home of pi1, then `cocli compact` there");
    told["sameness"]["differ"] = json!([
        {"node": "pi1", "target": "companies/acme", "field": "email", "here": "a@b", "there": "c@b"},
        {"node": "pi1", "target": "companies/acme", "field": "note", "here": null, "there": "two\nlines\u{1b}[31m"},
    ]);
    let damaged = view((daemon, told));
    needs(&damaged, 2);
    shows("differing", &damaged);
}

#[test]
fn the_cluster_fell_apart() {
    let (mut daemon, mut told) = well();
    daemon["peers"][1]["live"] = json!(false);
    told["nodes"][2]["standing"] = json!("unheard");
    told["parts"] = json!([["laptop", "pi1"], ["cloud1"]]);
    told["sameness"]["state"] = json!("unknown");
    told["sameness"]["same"] = json!(2);
    told["nodes"][2]["condition"] = json!({});
    told["nodes"][2]["condition_ms"] = json!(null);
    let parted = view((daemon, told));
    needs(&parted, 1);
    shows("parted", &parted);
}

#[test]
fn no_daemon_runs_and_the_log_tells_what_each_said_last() {
    let mut down = view(well());
    let Some(cluster) = down.cluster.take() else { unreachable!() };
    down.kept = cluster.nodes;
    for node in &mut down.kept {
        node.standing = crate::cluster::Standing::Unknown;
        node.condition_ms = Some(480_000);
    }
    down.kept[2].standing = crate::cluster::Standing::Stopped;
    (down.daemon, down.told) = (None, None);
    needs(&down, 0);
    down.kept[1].standing = crate::cluster::Standing::Out;
    let keys = |view: &View, at: usize| {
        let told = view.object()["nodes"][at].clone();
        (told["standing"].clone(), told.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
    };
    let live = keys(&view(well()), 1).1;
    assert_eq!(keys(&down, 1), (json!("out"), live), "a program finds the same keys and words");
    down.kept[1].standing = crate::cluster::Standing::Unknown;
    shows("daemon-down", &down);
}

#[test]
fn the_daemon_does_not_answer() {
    let mut mute = view(well());
    (mute.daemon, mute.told, mute.cluster) = (None, None, None);
    mute.mute =
        Some("the daemon does not answer at /home/ann/cocli/.cocli/sock: it is busy".into());
    needs(&mute, 1);
    shows("mute", &mute);
}

#[test]
fn alone() {
    let (mut daemon, mut told) = well();
    daemon["peers"] = json!([]);
    told["nodes"] = json!([node("laptop", true)]);
    told["sameness"] =
        json!({"state": "alone", "same": 1, "of": 1, "as_of": NOW, "behind": [], "differ": []});
    let alone = view((daemon, told));
    needs(&alone, 0);
    shows("alone", &alone);
}

#[test]
fn a_daemon_of_an_older_version_is_told_from_none() {
    let mut older = view(well());
    (older.told, older.cluster) = (None, None);
    needs(&older, 0);
    shows("older", &older);
}

#[test]
fn names_and_values_from_elsewhere_never_reach_the_terminal_as_they_are() {
    let (mut daemon, mut told) = well();
    let evil = "p\u{1b}[2J\u{202e}\nx";
    for place in ["node", "address"] {
        told["nodes"][1][place] = json!(evil);
    }
    told["nodes"][1]["condition"]["version"] = json!(evil);
    told["nodes"][1]["condition"]["problems"] = json!(3);
    told["sameness"] = json!({
        "state": "differing", "same": 1, "of": 3, "as_of": evil, "behind": [evil],
        "differ": [{"node": evil, "target": evil, "field": evil, "here": evil, "there": evil}],
        "differing": [evil, "pi\u{1b}"], "wrong": [evil], "mend": evil,
    });
    told["parts"] = json!([[evil], ["laptop"]]);
    daemon["peers"] = json!([]);
    let page = page::of(&view((daemon, told)), Screen::of_a_pipe(), true, Some(400));
    for line in &page.lines {
        let strange = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.contains(strange), "{line:?}");
    }
    assert!(page.lines.iter().any(|line| line.contains("\\u{1b}[2J")));
}

#[test]
fn columns_that_do_not_fit_are_left_out_in_one_order_and_no_line_is_longer_than_the_terminal() {
    let (daemon, told) = well();
    let well = view((daemon, told));
    let head = |width: usize| {
        let page = page::of(&well, Screen::of_a_pipe(), true, Some(width));
        let rows = &page.lines[1..5];
        assert!(rows.iter().all(|row| row.chars().count() <= width), "{width}: {rows:#?}");
        let words = rows[0].replace("disk free", "disk");
        words.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let all = head(200);
    assert_eq!(all.len(), 14);
    let mut before = all;
    for width in (26..200).rev() {
        let now = head(width);
        let kept: Vec<&String> = before.iter().filter(|word| now.contains(word)).collect();
        assert_eq!(kept, now.iter().collect::<Vec<_>>(), "what was left out came back at {width}");
        before = now;
    }
    assert_eq!(before, ["node", "state"]);
    let narrow = head(80);
    for stays in ["behind", "clock", "disk", "load"] {
        assert!(narrow.iter().any(|word| word == stays), "{stays}: {narrow:?}");
    }
}
