//! Queues: workers of several homes that take tasks, are killed, and give them back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::support::{Home, Ran, cocli, run};

/// A home with a campaign whose claims are late after `expires` seconds.
fn home(bucket: bool, expires: &str) -> Home {
    let home = Home::none();
    let url = format!("file://{}", home.dir.path().join("bucket").display());
    let words: &[&str] = if bucket { &["--bucket", &url] } else { &[] };
    run(home.command().args(["init", "home", "--node", "pi1"]).args(words), b"").ok();
    home.run(&["campaign", "new", "test"]).ok();
    rules(&home.path, expires);
    home
}

fn rules(home: &Path, expires: &str) {
    let folder = home.join("campaigns/test");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("[queue]\nexpires = {expires}\nattempts = 50\nsettle = 0\n");
    std::fs::write(folder.join("config.toml"), text).unwrap();
}

fn test(home: &Home, words: &[&str]) -> Ran {
    run(home.command().arg("--campaign").arg("test").args(words), b"")
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn text(json: &Json, key: &str) -> String {
    json[key].as_str().unwrap().to_owned()
}

#[test]
fn a_task_goes_from_a_claim_to_its_end_and_who_lost_it_is_told() {
    for bucket in [false, true] {
        let home = home(bucket, "60");
        let id = test(&home, &["queue", "push", "work", "--payload", r#"{"url":"a"}"#]).ok();
        let id = id.trim_end();
        let won = json(&test(&home, &["--json", "queue", "claim", "work"]).ok());
        assert_eq!((text(&won, "id").as_str(), &won["attempt"]), (id, &Json::from(1)));
        assert_eq!(won["payload"], json(r#"{"url":"a"}"#));
        let claim = text(&won, "claim");
        test(&home, &["queue", "claim", "work"]).fails(3, "1 held");
        test(&home, &["queue", "heartbeat", id, "--claim", &claim]).ok();
        for lost in [&["queue", "heartbeat"][..], &["queue", "done"], &["queue", "fail"]] {
            let words = [lost, &[id, "--claim", "another"]].concat();
            test(&home, &words).fails(4, "not held by this worker");
        }
        test(&home, &["queue", "retry", id]).fails(4, "is held");
        let failed = ["queue", "fail", id, "--reason", "no answer"];
        assert!(test(&home, &failed).ok().contains("attempt 1"));
        assert!(test(&home, &["queue", "list", "work"]).ok().contains("no answer"));
        let again = test(&home, &["queue", "claim", "work"]).ok();
        assert!(again.starts_with(&format!("{id}\t2\t")), "{again}");
        test(&home, &["queue", "done", id, "--claim", &claim]).fails(4, "");
        test(&home, &["queue", "done", &format!("work/{id}")]).ok();
        assert!(test(&home, &["queue", "done", id]).ok().contains("already"));
        test(&home, &["queue", "claim", "work"]).fails(3, "1 done");
        let file = home.read(&format!("campaigns/test/queues/work/completed/{id}.json"));
        assert!(file.contains(r#""state":"done""#), "{file}");
    }
}

#[test]
fn bad_input_to_a_queue_is_told_and_nothing_is_written() {
    let home = home(false, "60");
    let before = home.written_in_all();
    let push = |input: &[u8]| {
        let mut command = home.command();
        run(command.args(["--campaign", "test", "queue", "push", "work"]), input)
    };
    push(b"{\"a\":1}\n{a}\n").fails(2, "standard input:2: expected JSON");
    push(b"\xff\n").fails(2, "not UTF-8");
    push(b"\n").fails(2, "nothing to push");
    push(format!("{}1{}", "[".repeat(100), "]".repeat(100)).as_bytes()).fails(2, "64 levels");
    test(&home, &["queue", "push", "work", "--payload", "{x}"]).fails(2, "expected JSON");
    test(&home, &["queue", "push", "../x", "--payload", "1"]).fails(2, "queue \"../x\"");
    test(&home, &["queue", "claim", "work", "--wait", "-1"]).fails(2, "");
    test(&home, &["queue", "claim", "work"]).fails(3, "no queue called");
    for verb in ["heartbeat", "done", "fail", "retry"] {
        test(&home, &["queue", verb, "t1"]).fails(3, "no task");
    }
    assert_eq!(home.written_in_all(), before);
    assert_eq!(push(b"1\n\n\"two\"\n").ok().lines().count(), 2);
    test(&home, &["queue", "claim", "wrok"]).fails(3, "`work`");
}

/// A worker that claims and says what it claimed, and ends what it is told to on its standard input.
fn worker(home: &Path, dir: &Path) -> Child {
    let script = r#"
        while :; do
            line=$("$COCLI" queue claim work --wait 0.2 2>/dev/null) || { echo none; read answer || exit; continue; }
            id=$(printf %s "$line" | cut -f1) claim=$(printf %s "$line" | cut -f3)
            echo "$id $claim"
            read answer || exit
            "$COCLI" queue done "$id" --claim "$claim" >/dev/null 2>&1
            echo "ended $?"
        done"#;
    let binary = cocli(dir);
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(dir).env("COCLI", binary.get_program());
    shell.env("COCLI_DATA_HOME", home).env("COCLI_CAMPAIGN", "test");
    shell.env("XDG_CONFIG_HOME", dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    shell.spawn().unwrap()
}

/// Sixty tasks and three workers on homes of their own that hear nothing of each other but by the bucket. Each third
/// task that somebody takes is the last thing that this worker does.
#[test]
fn every_task_is_done_and_none_twice_though_workers_are_killed() {
    use std::io::{BufRead, BufReader, Write};

    let first = home(true, "0.3");
    let dir = first.dir.path();
    let tasks: String = (0..60).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    run(first.command().args(["--campaign", "test", "queue", "push", "work"]), tasks.as_bytes())
        .ok();
    test(&first, &["sync"]).ok();
    let url = format!("file://{}", dir.join("bucket").display());
    let homes: Vec<_> = (0..3)
        .map(|n| {
            let (path, name) = (dir.join(format!("w{n}")), format!("w{n}"));
            let words = ["clone", &url, path.to_str().unwrap(), "--node", &name, "--no-cards"];
            run(cocli(dir).args(words), b"").ok();
            rules(&path, "0.3");
            path
        })
        .collect();
    let told = std::thread::scope(|scope| {
        let workers = homes.iter().zip(1usize..).map(|(path, n)| {
            scope.spawn(move || {
                let (mut done, mut taken, mut idle) = (Vec::new(), n, 0);
                while idle < 8 {
                    let mut child = worker(path, dir);
                    let mut stdin = child.stdin.take().unwrap();
                    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
                    while let Some(Ok(line)) = lines.next() {
                        let Some((id, _)) = line.split_once(' ') else {
                            idle += 1;
                            if idle == 8 || writeln!(stdin).is_err() {
                                break;
                            }
                            continue;
                        };
                        (idle, taken) = (0, taken + 1);
                        if taken % 3 == 0 {
                            break;
                        }
                        writeln!(stdin).unwrap();
                        if lines.next().unwrap().unwrap() == "ended 0" {
                            done.push(id.to_owned());
                        }
                    }
                    let _ = child.kill();
                    child.wait().unwrap();
                }
                done
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let once: BTreeSet<&String> = told.iter().collect();
    assert_eq!((once.len(), told.len()), (60, 60), "each task is told as done once");
    // And so the bucket says.
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for task in std::fs::read_dir(dir.join("bucket/claims/test/work")).unwrap() {
        for claim in std::fs::read_dir(task.unwrap().path()).unwrap() {
            let claim = json(&std::fs::read_to_string(claim.unwrap().path()).unwrap());
            *ends.entry(text(&claim, "state")).or_default() += 1;
        }
    }
    assert_eq!(ends["done"], 60, "{ends:?}");
    assert!(ends["held"] > 60, "workers died: {ends:?}");
    // The home that pushed finds it all out.
    test(&first, &["queue", "claim", "work"]).fails(3, "60 done");
}
