//! Homes that were copied, restored, lost or named alike: nothing acknowledged is lost, and all end
//! equal.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::cluster::{Daemon, daemon, level, member, until};
use crate::support::{Home, cocli, run};

/// What was acknowledged. Each write is of a field of its own, so that all of them stay in sight.
#[derive(Default)]
struct Acknowledged(BTreeSet<String>);

impl Acknowledged {
    /// A batch, and then one write after the other.
    fn write(&mut self, home: &Home, label: &str) {
        self.batch(home, label, "v");
        for n in 40..43 {
            self.set(home, &format!("{label}{n}"));
        }
    }

    fn batch(&mut self, home: &Home, label: &str, value: &str) {
        let fields: Vec<String> = (0..40).map(|n| format!("{label}{n}")).collect();
        let line = |field: &String| serde_json::json!({"target": "companies/acme", "field": field, "value": value});
        let batch: String = fields.iter().map(|field| format!("{}\n", line(field))).collect();
        home.input(&["set", "--from", "-"], batch.as_bytes()).ok();
        self.0.extend(fields);
    }

    fn set(&mut self, home: &Home, field: &str) {
        home.run(&["set", "companies/acme", &format!("{field}=v")]).ok();
        self.0.insert(field.to_string());
    }

    /// Waits until all hold everything, in the same state, from the same datagrams.
    #[track_caller]
    fn are_on(&self, homes: &[&Home]) {
        until(|| {
            level(homes);
            let all: Vec<BTreeSet<String>> = homes.iter().map(|home| datagrams(home)).collect();
            let fields: BTreeSet<&str> =
                all[0].iter().filter_map(|datagram| datagram.split('=').next()).collect();
            all.windows(2).all(|pair| pair[0] == pair[1])
                && self.0.iter().all(|field| fields.contains(field.as_str()))
        });
    }
}

/// The distinct datagrams in all journals of a home.
fn datagrams(home: &Home) -> BTreeSet<String> {
    let lines = home.run(&["--json", "log"]).ok();
    let shown = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_string();
        let what = format!("{}={}", text("field"), line["value"]);
        format!(
            "{what} of {} by {} at {}, saw {}",
            text("target"),
            text("node"),
            text("at"),
            text("saw")
        )
    };
    lines.lines().map(shown).collect()
}

fn shell(script: &str, from: &Path, to: &Path) {
    let status = Command::new("sh").args(["-ec", script, "sh"]).arg(from).arg(to).status();
    assert!(status.unwrap().success(), "{script}");
}

/// A copy as `cp` makes it.
fn copy(of: &Home) -> Home {
    let copy = Home::none();
    shell("cp -a \"$1\" \"$2\"", &of.path, &copy.path);
    copy
}

/// A copy as an image of the whole card is: nothing in it tells that it is one.
fn image(of: &Home) -> Home {
    use std::os::unix::fs::MetadataExt;
    let image = copy(of);
    let number = |home: &Home| home.file(".cocli").metadata().unwrap().ino().to_string();
    let id = image.read(".cocli/id").replace(&number(of), &number(&image));
    std::fs::write(image.file(".cocli/id"), id).unwrap();
    assert_ne!(image.read(".cocli/id"), of.read(".cocli/id"));
    image
}

/// Puts the files of `image` in place of those below `folder`; the folders stay the same.
fn restore(image: &Home, home: &Home, folder: &str) {
    let script = "cd \"$2\"; find . -mindepth 1 ! -path ./.cocli -delete; cp -a \"$1/.\" .";
    let id = home.read(".cocli/id");
    shell(script, &image.file(folder), &home.file(folder));
    std::fs::write(home.file(".cocli/id"), id).unwrap();
}

/// Two others, and their daemons.
fn others(of: &Home) -> ([Home; 2], [Daemon; 2]) {
    let homes = [member(of, "laptop"), member(of, "cloud1")];
    let first = daemon(&homes[0], &[]);
    let second = daemon(&homes[1], &[&first.address]);
    (homes, [first, second])
}

fn addresses(daemons: &[Daemon]) -> Vec<&str> {
    daemons.iter().map(|daemon| daemon.address.as_str()).collect()
}

#[test]
fn a_restored_card_that_writes_while_its_peers_are_up_loses_nothing() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let ([laptop, cloud], daemons) = others(&one);
    acknowledged.write(&one, "before");
    let saved = image(&one);
    let mut running = daemon(&one, &addresses(&daemons));
    acknowledged.write(&one, "on");
    acknowledged.are_on(&[&one, &laptop, &cloud]);
    for writes in [false, true] {
        running.kill();
        restore(&saved, &one, "");
        assert!(!datagrams(&one).iter().any(|d| d.starts_with("on")), "the card is set back");
        running = daemon(&one, &addresses(&daemons));
        if writes {
            acknowledged.write(&one, "again");
        }
        acknowledged.are_on(&[&one, &laptop, &cloud]);
    }
}

#[test]
fn a_restored_card_that_writes_before_it_hears_of_its_past_loses_nothing() {
    // All of the card, or only its journals: then `.cocli/` knows better.
    for folder in ["", "wal"] {
        let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
        let ([laptop, cloud], daemons) = others(&one);
        acknowledged.write(&one, "before");
        let saved = image(&one);
        let mut running = daemon(&one, &addresses(&daemons));
        acknowledged.write(&one, "on");
        acknowledged.are_on(&[&one, &laptop, &cloud]);
        running.kill();
        drop(daemons);
        restore(&saved, &one, folder);
        acknowledged.write(&one, "again");
        let running = daemon(&one, &[]);
        acknowledged.set(&one, "late");
        let _laptop = daemon(&laptop, &[&running.address]);
        let _cloud = daemon(&cloud, &[&running.address]);
        acknowledged.are_on(&[&one, &laptop, &cloud]);
    }
}

#[test]
fn both_branches_of_a_cloned_card_are_kept() {
    for clone in [copy, image] {
        let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
        acknowledged.write(&one, "before");
        let other = clone(&one);
        acknowledged.write(&one, "left");
        acknowledged.write(&other, "right");
        let third = member(&one, "laptop");
        let first = daemon(&third, &[]);
        let _second = daemon(&one, &[&first.address]);
        let _third = daemon(&other, &[&first.address]);
        acknowledged.write(&one, "more");
        acknowledged.write(&other, "most");
        acknowledged.are_on(&[&one, &other, &third]);
    }
}

#[test]
fn two_fresh_machines_with_one_host_name_are_two_nodes() {
    let (one, other) = (Home::none(), Home::none());
    one.run(&["init", "home"]).ok();
    let ticket = one.run(&["ticket"]).ok();
    run(cocli(other.dir.path()).args(["init", "home", "--join", "-"]), ticket.as_bytes()).ok();
    let mut acknowledged = Acknowledged::default();
    acknowledged.write(&one, "left");
    acknowledged.write(&other, "right");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    acknowledged.are_on(&[&one, &other]);
    let nodes: BTreeSet<String> = [&one, &other]
        .iter()
        .map(|home| {
            let status = home.run(&["--json", "status"]).ok();
            let status: serde_json::Value = serde_json::from_str(&status).unwrap();
            status["node"].as_str().unwrap().to_string()
        })
        .collect();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    assert_eq!(one.journals().len(), 2, "each has its own log: {:?}", one.journals());
}

#[test]
fn two_nodes_that_were_given_one_name_lose_nothing_and_are_told() {
    let mut acknowledged = Acknowledged::default();
    let one = Home::new();
    let (twin, third) = (member(&one, "pi1"), member(&one, "laptop"));
    acknowledged.write(&one, "left");
    acknowledged.write(&twin, "right");
    let first = daemon(&third, &[]);
    let second = daemon(&one, &[&first.address]);
    let _third = daemon(&twin, &[&first.address, &second.address]);
    acknowledged.are_on(&[&one, &twin, &third]);
    acknowledged.write(&one, "more");
    acknowledged.write(&twin, "most");
    acknowledged.are_on(&[&one, &twin, &third]);
    for home in [&one, &twin, &third] {
        until(|| home.run(&["status"]).out.contains("two machines are called pi1"));
        home.run(&["status"]).fails(5, "a person");
    }
}

/// A cluster of three in which `laptop` wrote, was deleted, and comes back by `begins` with writes of
/// its own; whoever holds all of it in the end.
fn deleted_and_back(begins: fn(&Home, &str) -> Home) -> [Home; 3] {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let ([laptop, cloud], daemons) = others(&one);
    acknowledged.write(&laptop, "before");
    let first = daemon(&one, &addresses(&daemons));
    acknowledged.are_on(&[&one, &laptop, &cloud]);
    let [gone, _cloud] = daemons;
    drop((gone, laptop));
    let back = begins(&one, "laptop");
    acknowledged.write(&back, "after");
    let _back = daemon(&back, &[&first.address]);
    acknowledged.are_on(&[&one, &back, &cloud]);
    [one, back, cloud]
}

#[test]
fn a_home_that_was_deleted_comes_back_under_its_name_and_loses_nothing() {
    // The old log is where it was, and the new writes stand beside it.
    for home in deleted_and_back(member) {
        let logs = home.journals().iter().map(|j| j.display().to_string()).collect::<Vec<_>>();
        assert_eq!(logs.iter().filter(|log| log.contains("_laptop")).count(), 2, "{logs:?}");
    }
}

#[test]
fn a_home_that_was_made_anew_and_joins_later_under_its_old_name_loses_nothing() {
    deleted_and_back(|of, node| {
        let home = Home::none();
        home.run(&["init", "home", "--node", node]).ok();
        home.run(&["set", "companies/other", "city=Waco"]).ok();
        let ticket = of.run(&["ticket"]).ok();
        home.input(&["join", "-"], ticket.as_bytes()).ok();
        assert_eq!(home.run(&["get", "companies/other", "city"]).ok(), "Waco\n");
        home
    });
}

#[test]
fn two_branches_are_settled_by_those_who_hold_them_when_the_origin_is_gone() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let (left, right) = (member(&one, "laptop"), member(&one, "cloud1"));
    acknowledged.write(&one, "before");
    let saved = image(&one);
    for (home, label) in [(&left, "left"), (&right, "right")] {
        restore(&saved, &one, "");
        acknowledged.write(&one, label);
        let holder = daemon(home, &[]);
        let _origin = daemon(&one, &[&holder.address]);
        level(&[&one, home]);
    }
    drop(one);
    let first = daemon(&left, &[]);
    let _second = daemon(&right, &[&first.address]);
    acknowledged.are_on(&[&left, &right]);
    for home in [&left, &right] {
        // What was copied of a branch is nobody's command here.
        home.run(&["undo"]).fails(3, "nothing to undo");
    }
}

#[test]
fn journals_that_are_set_back_beneath_a_running_daemon_lose_nothing() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let ([laptop, cloud], daemons) = others(&one);
    acknowledged.write(&one, "before");
    let saved = image(&one);
    let _running = daemon(&one, &addresses(&daemons));
    acknowledged.write(&one, "on");
    acknowledged.write(&laptop, "theirs");
    one.run(&["compact"]).ok();
    acknowledged.are_on(&[&one, &laptop, &cloud]);
    restore(&saved, &one, "wal");
    acknowledged.write(&one, "again");
    acknowledged.are_on(&[&one, &laptop, &cloud]);
}

#[test]
fn three_branches_that_are_too_long_for_packets_are_kept() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let other = member(&one, "laptop");
    let clones = [image(&one), image(&one)];
    for (home, label) in [(&one, "left"), (&clones[0], "middle"), (&clones[1], "right")] {
        acknowledged.write(home, label);
        acknowledged.batch(home, &format!("long_{label}"), &"x".repeat(4_000));
    }
    let first = daemon(&other, &[]);
    let _others = [&one, &clones[0], &clones[1]].map(|home| daemon(home, &[&first.address]));
    acknowledged.are_on(&[&one, &clones[0], &clones[1], &other]);
}

#[test]
fn what_only_the_checkpoint_still_holds_travels_again() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    acknowledged.write(&one, "before");
    let saved = image(&one);
    acknowledged.write(&one, "on");
    one.run(&["compact"]).ok();
    restore(&saved, &one, "wal");
    acknowledged.write(&one, "again");
    let other = member(&one, "laptop");
    let first = daemon(&other, &[]);
    let _second = daemon(&one, &[&first.address]);
    acknowledged.are_on(&[&one, &other]);
}

#[test]
fn undo_never_takes_back_what_another_branch_wrote_at_the_same_place() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    let other = image(&one);
    acknowledged.set(&one, "left");
    // Later, so it is the greater branch, and it keeps the name of the log.
    acknowledged.set(&other, "mine");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    acknowledged.are_on(&[&one, &other]);
    until(|| one.journals().len() == 2);
    one.run(&["undo"]).fails(4, "was moved");
    other.run(&["undo"]).ok();
    level(&[&one, &other]);
    one.run(&["get", "companies/acme", "mine"]).fails(3, "no mine");
    assert_eq!(one.run(&["get", "companies/acme", "left"]).ok(), "v\n");
}

#[test]
fn undo_never_takes_back_the_command_before_the_one_that_was_moved() {
    let (one, mut acknowledged) = (Home::new(), Acknowledged::default());
    one.run(&["set", "companies/acme", "city=Paris"]).ok();
    let saved = image(&one);
    acknowledged.write(&one, "on");
    restore(&saved, &one, "wal");
    one.run(&["undo"]).fails(4, "was moved").fails(4, "cocli undo TARGET");
    assert_eq!(one.run(&["get", "companies/acme", "city"]).ok(), "Paris\n");
    one.run(&["undo", "companies/acme", "city"]).ok();
    one.run(&["get", "companies/acme", "city"]).fails(3, "");
}
