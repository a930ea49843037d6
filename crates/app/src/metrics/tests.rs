use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::text::Label;
use super::*;

/// The samples of a metric.
type Samples = BTreeMap<Label<String>, f64>;

/// Reads the text as strictly as its format is written down, and by the conventions for names; what breaks either is
/// an error.
fn read(text: &str) -> Result<BTreeMap<String, (String, Samples)>, String> {
    let mut all: BTreeMap<String, (String, Samples)> = BTreeMap::new();
    let (mut helped, mut current): (Option<String>, Option<String>) = (None, None);
    if !text.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or(format!("no help: {line}"))?;
            check_name(name)?;
            unescaped(help, false)?;
            if help.trim().is_empty() || all.contains_key(name) {
                return Err(format!("told twice, or without help: {name}"));
            }
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(format!("no type: {line}"))?;
            if helped.take().as_deref() != Some(name) {
                return Err(format!("type without help before it: {name}"));
            }
            if !["counter", "gauge"].contains(&kind) {
                return Err(format!("no type of ours: {kind}"));
            }
            if (kind == "counter") != name.ends_with("_total") {
                return Err(format!("{name} is a {kind}"));
            }
            all.insert(name.to_owned(), (kind.to_owned(), Samples::new()));
            current = Some(name.to_owned());
        } else {
            let (name, label, value) = sample(line)?;
            let metric = current.as_ref().filter(|current| **current == name);
            let metric = metric.and_then(|name| all.get_mut(name));
            let (kind, samples) = metric.ok_or(format!("out of its group: {line}"))?;
            if kind == "counter" && value < 0.0 {
                return Err(format!("a counter below nothing: {line}"));
            }
            if samples.insert(label, value).is_some() {
                return Err(format!("told twice: {line}"));
            }
        }
    }
    match all.iter().find(|(_, (_, samples))| samples.is_empty()) {
        Some((name, _)) => Err(format!("no samples: {name}")),
        None => Ok(all),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = name.starts_with("cocli_")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__");
    let odd = [
        "milli", "micro", "_ms", "_us_", "minutes", "hours", "kilo", "mega", "percent", "gauge",
        "counter",
    ];
    match fits && !odd.iter().any(|word| name.contains(word)) {
        true => Ok(()),
        false => Err(format!("no name by the conventions: {name}")),
    }
}

fn sample(line: &str) -> Result<(String, Label<String>, f64), String> {
    let wrong = || format!("no sample: {line}");
    let at = line.find(['{', ' ']).ok_or_else(wrong)?;
    let (name, rest) = line.split_at(at);
    check_name(name)?;
    let (label, value) = match rest.strip_prefix('{') {
        None => (None, rest.strip_prefix(' ').ok_or_else(wrong)?),
        Some(rest) => {
            let (label, rest) = rest.split_once("=\"").ok_or_else(wrong)?;
            if !["node", "reason"].contains(&label) {
                return Err(format!("no label of ours: {line}"));
            }
            let mut escaped = false;
            let end = rest.char_indices().find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            let (end, _) = end.ok_or_else(wrong)?;
            let value = rest[end..].strip_prefix("\"} ").ok_or_else(wrong)?;
            (Some((label.to_owned(), unescaped(&rest[..end], true)?)), value)
        }
    };
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok((name.to_owned(), label, number.ok_or_else(wrong)?))
}

fn unescaped(text: &str, label: bool) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text.chars());
    while let Some(c) = rest.next() {
        out.push(match c {
            '\\' => match rest.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if label => '"',
                other => return Err(format!("no escape: \\{other:?} in {text}")),
            },
            '"' if label => return Err(format!("a bare quote in {text}")),
            other => other,
        });
    }
    Ok(out)
}

fn cluster() -> Cluster {
    let condition = json!({
        "version": "0.1.0", "up_s": 60, "load": 0.5, "cores": 4, "memory": 8e9, "memory_free": 4e9,
        "resident": 14_000_000, "disk": 32e9, "disk_free": 16e9, "temperature": 48.5, "clock_ahead_us": 1_500,
        "bucket_lag": 12, "queued": 3, "problems": 1,
    });
    let node = |name: &str, me: bool, standing: &str| {
        json!({
            "node": name, "me": me, "standing": standing, "heard_ms": 812, "round_trip_us": 900,
            "clock_ahead_us": if me { Json::Null } else { json!(-1_500_000) }, "lacks_bytes": 7, "ahead_bytes": 9,
            "condition": condition, "condition_ms": 2_100,
        })
    };
    Cluster::read(&json!({
        "nodes": [
            node("laptop", true, "alive"), node("pi\"1\\\n", false, "alive"), node("pi2", false, "down"),
            node("pi3", false, "stopped"), node("gone", false, "left"), node("out", false, "out"), node("new", false, "unmet"),
        ],
        "sameness": {"state": "differing", "same": 1, "of": 2, "behind": ["pi2"], "differ": [{"node": "pi\"1\\\n"}]},
        "oldest_ms": 4_200, "parts": [["laptop"], ["pi2"]],
    }))
}

/// All that can be told.
fn whole() -> String {
    let daemon = json!({
        "gaps": 2, "stalled": true, "twins": ["a"], "strangers": [{}, {}], "packets_refused": 3, "packets_shed": 4,
        "packets_dropped": 5,
    });
    let mut bill = Bill::default();
    bill.so_far = 0.0123;
    (bill.spent.gets, bill.spent.puts, bill.spent.up) = (12, 3, 4_000);
    let bucket = Bucket {
        bill: &bill,
        month: Some(0.15),
        lag: Some(7),
        stored: Some(1_000),
        trouble: Some("denied"),
    };
    let mut health = Health { companies: 3, ..Health::default() };
    health.losses = Some(cocli_node::Losses::default());
    let cluster = cluster();
    text(&Told {
        health: &health,
        problems: 2,
        daemon: Some(&daemon),
        cluster: Some(&cluster),
        bucket: Some(bucket),
    })
}

#[test]
fn what_is_told_holds_to_the_format_and_the_conventions() {
    let read = read(&whole()).unwrap();
    let listed: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(listed.len(), METRICS.len(), "a name stands twice in the list");
    assert_eq!(read.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    let of = |name: &str, label: Option<(&str, &str)>| {
        let label = label.map(|(label, value)| (label.to_owned(), value.to_owned()));
        read[name].1.get(&label).copied()
    };
    assert_eq!(of("cocli_companies", None), Some(3.0));
    assert_eq!(of("cocli_packets_unread_total", Some(("reason", "shed"))), Some(4.0));
    assert_eq!(of("cocli_node_clock_ahead_seconds", Some(("node", "pi\"1\\\n"))), Some(-1.5));
    assert_eq!(of("cocli_node_clock_ahead_seconds", Some(("node", "laptop"))), Some(0.0015));
    assert_eq!(of("cocli_node_differing", Some(("node", "pi\"1\\\n"))), Some(1.0));
    assert_eq!(of("cocli_node_up", Some(("node", "pi2"))), Some(0.0));
    assert_eq!(of("cocli_node_load1", Some(("node", "pi2"))), None, "how it was");
    assert_eq!(of("cocli_node_stopped", Some(("node", "pi3"))), Some(1.0));
    for name in ["gone", "out", "new"] {
        assert_eq!(of("cocli_node_up", Some(("node", name))), None);
    }
    assert_eq!(of("cocli_cluster_oldest_spreading_seconds", None), Some(4.2));
    assert_eq!(of("cocli_bucket_trouble", Some(("reason", "denied"))), Some(1.0));
    assert_eq!(of("cocli_bucket_trouble", Some(("reason", "away"))), Some(0.0));
}

#[test]
fn without_a_daemon_what_the_home_knows_is_told_and_nothing_else() {
    let health = Health::default();
    let told = Told { health: &health, problems: 0, daemon: None, cluster: None, bucket: None };
    let read = read(&text(&told)).unwrap();
    assert_eq!(read["cocli_daemon_up"].1[&None], 0.0);
    assert!(
        !read
            .keys()
            .any(|name| name.starts_with("cocli_node") || name.starts_with("cocli_cluster"))
    );
    assert!(!read.contains_key("cocli_conflicts"), "not known is not none");
}

#[test]
fn the_check_of_the_format_finds_what_breaks_it() {
    let sound = "# HELP cocli_a A.\n# TYPE cocli_a gauge\ncocli_a 1\n";
    read(sound).unwrap();
    for broken in [
        sound.trim_end().to_owned(),
        sound.replace("cocli_a 1", "cocli_a one"),
        sound.replace("cocli_a 1", "cocli_b 1"),
        sound.replace("cocli_a 1", "cocli_a 1\ncocli_a 2"),
        sound.replace("gauge", "counter"),
        sound.replace("cocli_a", "cocli_a_ms"),
        sound.replace("cocli_a", "Cocli_a"),
        sound.replace("# HELP cocli_a A.\n", ""),
        format!("{sound}{sound}"),
        sound.replace("cocli_a 1", "cocli_a{city=\"x\"} 1"),
        sound.replace("cocli_a 1", "cocli_a{node=\"a\"b\"} 1"),
        sound.replace("cocli_a 1", "cocli_a{node=\"a\\q\"} 1"),
        sound.replace("cocli_a 1", "cocli_a NaN"),
    ] {
        assert!(read(&broken).is_err(), "{broken}");
    }
}

fn repository(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '/'));
    words.filter(|word| word.starts_with("cocli_")).map(ToOwned::to_owned).collect()
}

#[test]
fn the_document_lists_all_that_is_told_with_its_type_and_nothing_else() {
    let text = repository("docs/metrics.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
    });
    let rows: BTreeMap<String, String> = rows.collect();
    let told = METRICS.iter().map(|metric| (metric.name.to_owned(), metric.kind.word().to_owned()));
    assert_eq!(rows, told.collect());
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_metrics_that_are_told() {
    let told: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    let dashboard = repository("deploy/grafana/cocli.json");
    let _: Json = serde_json::from_str(&dashboard).unwrap();
    for (text, least) in [(dashboard, 12), (repository("deploy/prometheus/alerts.yml"), 8)] {
        let asked = named(&text);
        assert!(asked.len() >= least, "{asked:?}");
        assert!(asked.is_subset(&told), "{:?}", asked.difference(&told));
    }
}
