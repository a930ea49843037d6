//! A dump: how home, daemon and process are, as one JSON file in the home, for whoever is asked for help. It tells names
//! of nodes and targets, addresses, counts and settings. No key is in it, and no value of a company or person.

use std::path::PathBuf;

use cocli_node::Home;
use serde_json::{Map, Value as Json, json};
use signal_hook::consts::SIGUSR1;
use signal_hook::iterator::Signals;

use crate::failure::{Exit, Failure, chain};
use crate::{clock, door};

/// What the daemon is asked.
const ASKED: [&str; 4] = ["status", "cluster", "net", "vector"];
/// What is told of a process, of the lines of its `status`.
const PROCESS: [&str; 5] = ["Threads", "VmRSS", "VmHWM", "VmSize", "FDSize"];

/// Writes one; gives where it stands.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write(home: &Home) -> Result<PathBuf, Failure> {
    let at = clock::now();
    let text = format!("{:#}\n", of(home));
    // Whoever reads of it in a log stands somewhere else.
    Ok(std::path::absolute(home.keep_dump(at, text.as_bytes())?)?)
}

/// Has this process write one whenever somebody sends it SIGUSR1, and say where. It asks at its own door as others
/// do: a loop that no longer answers is told as that.
///
/// # Errors
/// When the signal cannot be had.
pub(crate) fn on_signal(home: Home) -> Result<(), Failure> {
    let signals = Signals::new([SIGUSR1]);
    let mut signals = signals.map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    std::thread::spawn(move || {
        for _ in &mut signals {
            match write(&home) {
                Ok(path) => tracing::info!(target: "cocli", "dump: {}", path.display()),
                Err(failure) => tracing::warn!(target: "cocli", "dump: {}", failure.whole()),
            }
        }
    });
    Ok(())
}

fn of(home: &Home) -> Json {
    let asked: Map<String, Json> =
        ASKED.iter().map(|verb| ((*verb).to_owned(), ask(home, verb))).collect();
    let pid = asked["status"]["pid"].as_u64();
    json!({
        "at": clock::now().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "system": {"os": std::env::consts::OS, "arch": std::env::consts::ARCH},
        "home": home.path().display().to_string(), "node": home.node().as_str(),
        "cluster": home.cluster().to_string(),
        "settings": settings(home),
        "health": health(home),
        "process": pid.map(process),
        "daemon": asked,
    })
}

/// What the daemon answers, or why it does not; of values that differ only that they do.
fn ask(home: &Home, verb: &str) -> Json {
    match door::ask(home, &json!({ "verb": verb })) {
        Ok(Some(mut answer)) => {
            without_values(&mut answer);
            answer
        }
        Ok(None) => json!({"none": "no daemon runs"}),
        Err(failure) => json!({"none": failure.whole()}),
    }
}

/// Takes out what stands in fields of companies and people.
fn without_values(answer: &mut Json) {
    let differ = answer.pointer_mut("/sameness/differ").and_then(Json::as_array_mut);
    for one in differ.into_iter().flatten() {
        for side in ["here", "there"] {
            if let Some(value) = one.get_mut(side).filter(|value| !value.is_null()) {
                let characters = value.as_str().map_or(0, |text| text.chars().count());
                *value = json!({ "characters": characters });
            }
        }
    }
    // The starts of packets that a Python machine sent.
    for peer in answer["python"].as_array_mut().into_iter().flatten() {
        if let Some(peer) = peer.as_object_mut() {
            peer.remove("odd");
        }
    }
}

/// The settings that somebody made. None is a secret; of an address that has one in it the secret is left out.
fn settings(home: &Home) -> Json {
    let all = match home.settings() {
        Ok(all) => all,
        Err(error) => return json!({"none": chain(&error)}),
    };
    let made = all.into_iter().filter(|setting| !setting.is_default);
    made.map(|setting| (setting.key.clone(), open(json!(setting.value))))
        .collect::<Map<_, _>>()
        .into()
}

/// `https://user:secret@host/?token=x` as `https://host/`.
fn open(value: Json) -> Json {
    match value {
        Json::String(text) => match url::Url::parse(&text) {
            Ok(mut url) if url.has_host() => {
                // What has no such parts stays as it is.
                let _ = (url.set_username(""), url.set_password(None));
                url.set_query(None);
                url.set_fragment(None);
                url.to_string().into()
            }
            _ => text.into(),
        },
        Json::Array(all) => all.into_iter().map(open).collect(),
        Json::Object(all) => all.into_iter().map(|(key, value)| (key, open(value))).collect(),
        other => other,
    }
}

fn health(home: &Home) -> Json {
    let health = match home.health_of(Some(&[])) {
        Ok(health) => health,
        Err(error) => return json!({"none": chain(&error)}),
    };
    let troubles = health.troubles.iter().map(|(path, why)| format!("{path}: {why}"));
    json!({
        "companies": health.companies, "people": health.people, "values": health.values,
        "digest": health.digest.to_string(), "tail_bytes": health.tail_bytes, "odd": health.odd,
        "holes": health.holes, "troubles": troubles.collect::<Vec<_>>(),
        "journal_bytes": health.history.journals, "archived_bytes": health.history.archived,
    })
}

/// Memory and threads, where the system tells.
fn process(pid: u64) -> Json {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let told = status.lines().filter_map(|line| line.split_once(':'));
    let told = told.filter(|(key, _)| PROCESS.contains(key));
    let mut told: Map<String, Json> =
        told.map(|(key, value)| (key.to_owned(), value.trim().into())).collect();
    told.insert("pid".to_owned(), pid.into());
    told.insert("each_thread".to_owned(), threads(pid));
    told.into()
}

/// Of each thread its name, what it waits for, and how often it went to sleep and was put aside.
fn threads(pid: u64) -> Json {
    let folder = format!("/proc/{pid}/task");
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let each = listed.map(|thread| {
        let status = read(thread.path().join("status"));
        let line = |key: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            found.map(|value| value.trim().to_owned())
        };
        json!({
            "name": line("Name"), "state": line("State"), "waits_in": read(thread.path().join("wchan")).trim(),
            "switches": [line("voluntary_ctxt_switches"), line("nonvoluntary_ctxt_switches")],
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_values_that_differ_only_their_length_is_told_and_of_addresses_no_secret() {
        let mut answer = json!({
            "sameness": {"differ": [{"node": "pi1", "field": "email", "here": null, "there": "jane@acme.example"}]},
            "python": [{"peer": "old", "odd": [{"start": "jane"}]}],
        });
        without_values(&mut answer);
        let text = answer.to_string();
        assert!(!text.contains("jane") && text.contains("\"characters\":17"), "{text}");
        without_values(&mut json!({"nodes": 3}));
        let kept = |text: &str| open(json!(text)).as_str().unwrap().to_owned();
        assert_eq!(
            kept("https://ann:secret@minio.example:9000/x?sig=secret#y"),
            "https://minio.example:9000/x"
        );
        assert_eq!(kept("s3://team/main"), "s3://team/main");
        assert_eq!(kept("pi1:9999"), "pi1:9999");
        assert_eq!(open(json!({"a": ["ftp://u:p@h/"]})), json!({"a": ["ftp://h/"]}));
    }
}
