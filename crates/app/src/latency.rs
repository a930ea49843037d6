//! How long a write takes until other nodes hold it durably: both syncs included, beside the bare
//! `fdatasync` of the same disk in the same run.

mod pace;
mod watch;

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use cocli_core::{Field, Target, Value};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};
use serde_json::{Value as Json, json};

use crate::failure::{Exit, Failure};
use crate::{clock, door};

pub(crate) use pace::pace;
pub(crate) use watch::watch;

/// Between two writes: the syncs of a group commit are at most five a second.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a write may take before the measuring gives up.
const PATIENCE_MS: u64 = 10_000;

/// Times of one run, sorted.
#[derive(Debug)]
pub(crate) struct Sample {
    visible: Vec<Duration>,
    bare: Vec<Duration>,
}

impl Sample {
    fn at(times: &[Duration], percent: usize) -> f64 {
        let last = times.len().saturating_sub(1);
        times.get((times.len() * percent / 100).min(last)).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    }
}

/// How many there are, and p50, p99 and the longest in milliseconds.
fn quantiles(mut times: Vec<Duration>) -> Json {
    times.sort();
    let at = |percent| (Sample::at(&times, percent) * 1e3).round() / 1e3;
    json!({"count": times.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100)})
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (v, b) = (&self.visible, &self.bare);
        write!(
            f,
            "write to durable on another node, {} times: p50 {:.2} ms, p99 {:.2} ms; a bare fdatasync here: p50 {:.2} ms, p99 {:.2} ms",
            v.len(),
            Self::at(v, 50),
            Self::at(v, 99),
            Self::at(b, 50),
            Self::at(b, 99)
        )
    }
}

/// Writes `count` times on the home at `writer` (whose daemon, and those of `others`, run) and waits
/// each time until each of the others says that it holds the write durably.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench paces its writes; nothing waits for the pause"
)]
pub(crate) fn measure(writer: &Path, others: &[&Path], count: usize) -> Result<Sample, Failure> {
    let home = Home::open(writer, clock::rim())?;
    let others =
        others.iter().map(|path| Home::open(path, clock::rim())).collect::<Result<Vec<_>, _>>()?;
    let target = Target::read("companies/apple-inc")?;
    let field = Field::read("demo_latency")?;
    let (mut visible, mut bare) = (Vec::new(), Vec::new());
    for n in 0..=count {
        std::thread::sleep(PAUSE);
        let value = Value::text(&format!("write {n}"));
        let change = Change::new(target.clone(), field.clone(), Intent::Put(value));
        let began = clock::monotonic();
        let written = home.session(clock::now())?.write("bench", &[change], false)?;
        door::wake(&home, &written.end);
        let ways = reached(&others, &written.end, began)?;
        let sync = bare_sync(writer)?;
        // The first round warms up: it does not count.
        if n > 0 {
            visible.extend(ways);
            bare.push(sync);
        }
    }
    visible.sort();
    bare.sort();
    Ok(Sample { visible, bare })
}

/// Asks all the others at once; the time until each says yes.
fn reached(
    others: &[Home],
    end: &cocli_node::End,
    began: std::time::Instant,
) -> Result<Vec<Duration>, Failure> {
    let request = json!({
        "verb": "reach", "log": end.log.to_string(), "position": end.head.position,
        "timeout_ms": PATIENCE_MS,
    });
    std::thread::scope(|scope| {
        let ask = |home| {
            let answer = door::ask_for(home, &request, Duration::from_millis(2 * PATIENCE_MS))?;
            let reached = answer.and_then(|a| a.get("reached")?.as_bool()).unwrap_or(false);
            if reached {
                return Ok(began.elapsed());
            }
            Err(Failure::new(
                Exit::Failed,
                format!("a write did not reach {}", home.path().display()),
            ))
        };
        let asked: Vec<_> = others.iter().map(|home| scope.spawn(move || ask(home))).collect();
        let joined = asked.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(Failure::new(Exit::Failed, "a thread ended badly")))
        });
        joined.collect()
    })
}

/// One append of a record's length and its sync, on the disk of the home.
fn bare_sync(home: &Path) -> Result<Duration, Failure> {
    let path = home.join("cache").join("bare-sync");
    std::fs::create_dir_all(home.join("cache"))?;
    let mut file = File::options().create(true).append(true).open(&path)?;
    let began = clock::monotonic();
    file.write_all(&[b'x'; 150])?;
    file.sync_data()?;
    Ok(began.elapsed())
}
