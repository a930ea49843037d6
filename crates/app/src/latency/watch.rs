//! From the stamps of records to the moment in which they stand in other homes of the same machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cocli_core::{LogId, usv};
use cocli_node::{Home, growing};
use cocli_store::paths;
use serde_json::{Value as Json, json};

use super::quantiles;
use crate::failure::{Exit, Failure};
use crate::{clock, door};

/// Between two looks at the journals: the error of what is measured.
const LOOK: Duration = Duration::from_micros(300);
/// Between two looks for new journals.
const LIST: Duration = Duration::from_millis(100);
/// How long a record may take to become durable.
const PATIENCE_MS: u64 = 10_000;

/// A journal of another node in one of the homes.
struct Journal {
    log: LogId,
    file: File,
    position: u64,
    rest: Vec<u8>,
    /// Who asks the home's daemon how long the newest record takes to be durable.
    asks: Sender<(u64, i64)>,
}

/// Watches the homes, each with its daemon, for a while. Their journals must be of one day.
pub(crate) fn watch(homes: &[PathBuf], time: Duration) -> Result<Json, Failure> {
    let homes: Vec<Home> =
        homes.iter().map(|path| Home::open(path, clock::rim())).collect::<Result<_, _>>()?;
    let (durable, sampled) = channel();
    let mut journals = BTreeMap::new();
    for home in &homes {
        look_for(home, &mut journals, &durable)?;
    }
    // What stood there before is not measured.
    for journal in journals.values_mut() {
        read(journal, |_, _| {})?;
    }
    let (end, mut listed) = (clock::monotonic() + time, clock::monotonic());
    let mut written = Vec::new();
    while clock::monotonic() < end {
        if listed.elapsed() > LIST {
            listed = clock::monotonic();
            for home in &homes {
                look_for(home, &mut journals, &durable)?;
            }
        }
        for journal in journals.values_mut() {
            let asks = journal.asks.clone();
            read(journal, |position, stamp| {
                written.push(age(stamp));
                // One that is being asked about is answered first: this is a sample.
                let _ = asks.send((position, stamp));
            })?;
        }
        clock::pass(LOOK);
    }
    drop((journals, durable));
    let durable: Vec<Duration> = sampled.iter().collect();
    Ok(json!({"written": quantiles(written), "durable": quantiles(durable)}))
}

fn look_for(
    home: &Home,
    journals: &mut BTreeMap<PathBuf, Journal>,
    durable: &Sender<Duration>,
) -> Result<(), Failure> {
    for entry in std::fs::read_dir(growing(home.path()))? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let Some((log, _)) = name.to_str().and_then(paths::journal_of) else { continue };
        if log.node == *home.node() || journals.contains_key(&path) {
            continue;
        }
        let (asks, questions) = channel();
        let (at, of, times) = (home.path().to_owned(), log.clone(), durable.clone());
        std::thread::spawn(move || ask(&at, &of, &questions, &times));
        let file = File::open(&path)?;
        journals.insert(path, Journal { log, file, position: 0, rest: Vec::new(), asks });
    }
    Ok(())
}

/// How long ago a record was written.
fn age(stamp: i64) -> Duration {
    Duration::from_micros(u64::try_from(clock::now().micros() - stamp).unwrap_or(0))
}

/// Reads what is new; tells of each record where it ends and when it was written.
fn read(journal: &mut Journal, mut tell: impl FnMut(u64, i64)) -> Result<(), Failure> {
    if journal.file.read_to_end(&mut journal.rest)? == 0 {
        return Ok(());
    }
    let mut whole = 0;
    for record in usv::records(&journal.rest) {
        whole = record.at + record.bytes.len();
        let read = usv::read(record.bytes);
        let datagram = read.map_err(|odd| {
            Failure::new(Exit::Failed, format!("{}: an odd record: {odd}", journal.log))
        })?;
        tell(journal.position + whole as u64, datagram.entry.stamp.instant.micros());
    }
    journal.rest.drain(..whole);
    journal.position += whole as u64;
    Ok(())
}

/// Asks for the newest of what came, one after the other.
fn ask(home: &Path, log: &LogId, questions: &Receiver<(u64, i64)>, times: &Sender<Duration>) {
    let Ok(home) = Home::open(home, clock::rim()) else { return };
    while let Ok((position, stamp)) = questions.recv() {
        let (position, stamp) = questions.try_iter().last().unwrap_or((position, stamp));
        let request = json!({
            "verb": "reach", "log": log.to_string(), "position": position, "timeout_ms": PATIENCE_MS,
        });
        let patience = Duration::from_millis(2 * PATIENCE_MS);
        let answer = door::ask_for(&home, &request, patience).ok().flatten();
        if answer.and_then(|answer| answer.get("reached")?.as_bool()) == Some(true) {
            let _ = times.send(age(stamp));
        }
    }
}
