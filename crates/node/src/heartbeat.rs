//! What is kept of how nodes are: fields of `nodes/{node}` in logs that expire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cocli_core::gossip::Condition;
use cocli_core::{Entity, Field, Instant, NodeId, Target, Value};
use serde_json::Value as Json;

use crate::condition::{Grades, KEYS, is_news, take, value};
use crate::error::Result;
use crate::expiring::Recorded;
use crate::home::Home;
use crate::nodes::{KnownNode, NODES, known};
use crate::session::Session;

/// From one heartbeat to the next.
pub(crate) const EVERY: Duration = Duration::from_secs(600);
/// What changes is kept sooner, but not within this.
pub(crate) const SOONEST: Duration = Duration::from_secs(60);
/// When a node said that it ends; nothing as long as it runs.
const STOPPED: &str = "stopped";

/// What is known of a node, beside what it says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNode {
    /// What stays.
    pub known: KnownNode,
    /// How it was when it said so last.
    pub condition: Condition,
    /// When it wrote any of that.
    pub at: Option<Instant>,
    /// When it stopped, unless it was started again.
    pub stopped: Option<Instant>,
}

/// Decides when a heartbeat is written, and what of it.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats {
    kept: Option<Kept>,
    grades: Grades,
}

#[derive(Debug, Clone)]
struct Kept {
    at: Duration,
    grades: Grades,
    condition: Condition,
}

/// Fields of the node, each with its value; `None` takes it away.
pub type Beat = Vec<(&'static str, Option<String>)>;

impl Heartbeats {
    /// What is to be written at this time of a clock that only goes forward; nothing when nothing is due.
    pub fn due(&mut self, now: Duration, condition: &Condition) -> Option<Beat> {
        self.grades = self.grades.after(condition);
        let beat = match &self.kept {
            None => KEYS
                .into_iter()
                .filter_map(|key| Some((key, Some(text(value(condition, key)?)))))
                .collect(),
            Some(kept) => {
                let since = now.saturating_sub(kept.at);
                let changed = self.grades != kept.grades;
                if since < if changed { SOONEST } else { EVERY } {
                    return None;
                }
                let news = KEYS.into_iter().filter(|key| is_news(key, &kept.condition, condition));
                news.map(|key| (key, value(condition, key).map(text))).collect()
            }
        };
        Some(beat)
    }

    /// It was written.
    pub fn kept(&mut self, now: Duration, beat: &Beat, condition: &Condition) {
        // What was no news counts as it was kept.
        let mut kept = self.kept.take().map_or_else(Condition::default, |kept| kept.condition);
        let all = KEYS.into_iter().filter(|key| beat.iter().any(|(written, _)| written == key));
        for key in all {
            copy(&mut kept, condition, key);
        }
        self.kept = Some(Kept { at: now, grades: self.grades.clone(), condition: kept });
    }
}

fn text(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// A key that is not told is not kept either.
fn copy(kept: &mut Condition, from: &Condition, key: &str) {
    take(kept, key, &value(from, key).map(text).unwrap_or_default());
}

impl Session<'_> {
    /// Writes a heartbeat, and that this node runs, or that it ends.
    ///
    /// # Errors
    /// When the disk refuses: nothing is written then.
    pub fn beat(&mut self, beat: &Beat, ends: bool) -> Result<Recorded> {
        let target = Target::read(&format!("{NODES}{}", self.home.node()))?;
        let stopped = ends.then(|| self.now.to_string());
        let mut values = Vec::new();
        for (field, text) in beat.iter().cloned().chain([(STOPPED, stopped)]) {
            let value = text.map_or(Value::null(), |text| Value::text(&text));
            values.push((target.clone(), Field::read(field)?, value));
        }
        self.record_expiring("heartbeat", &values)
    }
}

impl Home {
    /// What is kept of these nodes, and of all that left heartbeats.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn kept_nodes(&self, nodes: &BTreeSet<NodeId>) -> Result<BTreeMap<NodeId, KeptNode>> {
        let target = |node: &NodeId| Target::read(&format!("{NODES}{node}")).ok();
        let targets: BTreeSet<Target> = nodes.iter().filter_map(target).collect();
        self.read(|reader| {
            let mut all = reader.expiring_entities(NODES)?;
            let beats: BTreeSet<Target> = all.keys().cloned().collect();
            for (target, entity) in reader.entities(&targets.union(&beats).cloned().collect())? {
                all.insert(target, entity);
            }
            Ok(all.iter().filter_map(|(target, entity)| kept(target, entity)).collect())
        })
    }
}

fn kept(target: &Target, entity: &Entity) -> Option<(NodeId, KeptNode)> {
    let known = known(target, entity)?;
    let (mut condition, mut at) = (Condition::default(), None);
    for (field, entry) in &entity.fields {
        let key = field.as_str();
        if !KEYS.contains(&key) || entry.value.is_null() {
            continue;
        }
        take(&mut condition, key, &entry.value.shown());
        at = at.max(Some(entry.stamp.instant));
    }
    let stopped = Field::read(STOPPED).ok().and_then(|field| entity.fields.get(&field));
    let stopped = stopped.filter(|entry| !entry.value.is_null()).map(|entry| entry.stamp.instant);
    Some((known.node.clone(), KeptNode { known, condition, at, stopped }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(beat: Option<Beat>) -> Vec<&'static str> {
        beat.unwrap_or_default().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_heartbeat_is_written_at_the_start_every_ten_minutes_and_when_things_change() {
        let mut beats = Heartbeats::default();
        let mut now = Duration::ZERO;
        let mut it = Condition {
            up_s: Some(0),
            load_hundredths: Some(10),
            problems: Some(0),
            ..Condition::default()
        };
        let first = beats.due(now, &it).unwrap();
        assert_eq!(names(Some(first.clone())), ["up_s", "load", "problems"]);
        beats.kept(now, &first, &it);
        let mut written = 0;
        while now < EVERY - Duration::from_secs(5) {
            now += Duration::from_secs(5);
            it.up_s = Some(now.as_secs());
            // A load that swings.
            it.load_hundredths = Some(now.as_secs() * 37 % 900);
            written += usize::from(beats.due(now, &it).is_some());
        }
        assert_eq!(written, 0);
        now = EVERY;
        it.load_hundredths = Some(20);
        let second = beats.due(now, &it).unwrap();
        assert_eq!(names(Some(second.clone())), ["up_s"], "the rest is as it was");
        beats.kept(now, &second, &it);
        // Something needs a person.
        it.problems = Some(1);
        assert_eq!(names(beats.due(now + SOONEST / 2, &it)), [""; 0], "too soon");
        let third = beats.due(now + SOONEST, &it).unwrap();
        assert_eq!(names(Some(third.clone())), ["up_s", "problems"][1..]);
        beats.kept(now + SOONEST, &third, &it);
        it.problems = Some(0);
        assert_eq!(names(beats.due(now + 2 * SOONEST, &it)), ["problems"]);
    }

    #[test]
    fn a_figure_that_creeps_is_written_when_it_is_far_from_what_was_kept() {
        let mut beats = Heartbeats::default();
        let disk = |free: u64| Condition {
            disk: Some(6400),
            disk_free: Some(free),
            ..Condition::default()
        };
        let first = beats.due(Duration::ZERO, &disk(6000)).unwrap();
        beats.kept(Duration::ZERO, &first, &disk(6000));
        let mut told = Vec::new();
        for step in 1..6 {
            let it = disk(6000 - 40 * u64::from(step));
            let beat = beats.due(step * EVERY, &it).unwrap();
            beats.kept(step * EVERY, &beat, &it);
            told.push(names(Some(beat)).len());
        }
        assert_eq!(told, [0, 0, 1, 0, 0]);
    }
}
