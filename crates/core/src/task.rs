//! Tasks of a queue, as two fields of its target say them: docs/queues.md.
//!
//! The task's own field says what it is and whether it is over; that of its claim who has it. Each merges by
//! law 1 alone, and a task that is over is over whatever its claim says.

mod claim;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value as Json, json};

use crate::entity::Entity;
use crate::name::{Field, NameError, Target};
use crate::time::Instant;
use crate::value::{Plain, Value};

pub use claim::{Claim, Next, Step, Watch};

/// What the field of a claim has behind the task's id.
const CLAIM: &str = "-claim";
/// Bytes of a task's id.
const ID_BYTES_MAX: usize = 100;
/// The letters of the time in an id, in the order of bytes.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters of the time in an id: microseconds until the year 3111.
const TIME_LETTERS: u32 = 11;

/// How a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Nobody has it, and nobody failed at it.
    Waiting,
    /// Somebody has it.
    Held,
    /// Somebody failed at it: it waits for the next attempt.
    Failed,
    /// It is done.
    Done,
    /// It was tried too often.
    Sideline,
}

impl TaskState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Held, Self::Failed, Self::Done, Self::Sideline];

    /// Its name to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Done => "done",
            Self::Sideline => "sideline",
        }
    }

    /// The folder that its file stands in.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Waiting | Self::Held => FOLDERS[0],
            Self::Failed => FOLDERS[1],
            Self::Done => FOLDERS[2],
            Self::Sideline => FOLDERS[3],
        }
    }

    /// Whether nobody works on it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Sideline)
    }
}

/// The folders that files of tasks stand in.
pub const FOLDERS: [&str; 4] = ["pending", "failed", "completed", "sideline"];

/// A task, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id: its field.
    pub id: String,
    /// How it is.
    pub state: TaskState,
    /// What was pushed.
    pub payload: Json,
    /// Whether it is claimed in the bucket.
    pub at_bucket: bool,
    /// Who has it, or had it last, as far as that was told.
    pub claim: Option<Claim>,
    /// Why it was given up, or failed last.
    pub reason: Option<String>,
}

impl Task {
    /// A task that waits.
    #[must_use]
    pub fn new(id: String, payload: Json, at_bucket: bool) -> Self {
        Self { id, state: TaskState::Waiting, payload, at_bucket, claim: None, reason: None }
    }

    /// Reads the values of its two fields; nothing where the first is no task.
    #[must_use]
    pub fn read(id: &str, value: &Value, claim: Option<&Value>) -> Option<Self> {
        let Plain::Tree(Json::Object(task)) = value.plain() else { return None };
        let claim = claim.and_then(|claim| match claim.plain() {
            Plain::Tree(json) => Claim::of_json(&json),
            _ => None,
        });
        let text = |key: &str| task.get(key).and_then(Json::as_str).map(ToString::to_string);
        let state = match (task.get("state").and_then(Json::as_str), &claim) {
            (Some("done" | "completed"), _) => TaskState::Done,
            (Some("sideline" | "failed" | "cancelled"), _) => TaskState::Sideline,
            (_, Some(Claim { step: Step::Held, .. })) => TaskState::Held,
            (_, Some(Claim { step: Step::Failed, .. })) => TaskState::Failed,
            _ => TaskState::Waiting,
        };
        let failed = claim.as_ref().and_then(|claim| claim.reason.clone());
        Some(Self {
            id: id.to_string(),
            state,
            payload: task.get("payload").cloned().unwrap_or(Json::Null),
            at_bucket: text("claims").as_deref() == Some("bucket"),
            reason: text("reason").or(failed),
            claim,
        })
    }

    /// All tasks of a queue, the oldest first.
    #[must_use]
    pub fn all(queue: &Entity) -> Vec<Self> {
        let ids = queue.fields.iter().filter(|(field, _)| is_id(field.as_str()));
        ids.filter_map(|(field, entry)| {
            let claim = claim_field(field.as_str()).ok();
            let claim = claim.and_then(|claim| queue.fields.get(&claim));
            Self::read(field.as_str(), &entry.value, claim.map(|claim| &claim.value))
        })
        .collect()
    }

    /// One of them.
    #[must_use]
    pub fn one(queue: &Entity, id: &str) -> Option<Self> {
        let field = Field::read(id).ok().filter(|_| is_id(id))?;
        let claim = claim_field(id).ok().and_then(|claim| queue.fields.get(&claim));
        Self::read(id, &queue.fields.get(&field)?.value, claim.map(|claim| &claim.value))
    }

    /// The value of its field when it is to be `state`, by whom and why.
    #[must_use]
    pub fn value(&self, state: TaskState, by: Option<&str>, reason: Option<&str>) -> Value {
        let state = match state {
            TaskState::Done => "done",
            TaskState::Sideline => "sideline",
            _ => "pending",
        };
        let mut task = Map::new();
        task.insert("state".into(), state.into());
        task.insert("payload".into(), self.payload.clone());
        if self.at_bucket {
            task.insert("claims".into(), "bucket".into());
        }
        for (key, text) in [("by", by), ("reason", reason)] {
            if let Some(text) = text {
                task.insert(key.into(), text.into());
            }
        }
        Value::json(&Json::Object(task))
    }

    /// The task as its file shows it: of its claim what does not change with each heartbeat.
    #[must_use]
    pub fn shown(&self) -> Json {
        let mut shown = json!({
            "id": self.id, "state": self.state.name(), "payload": self.payload,
        });
        if let Some(claim) = &self.claim {
            shown["attempt"] = claim.attempt.into();
            shown["node"] = claim.node.as_str().into();
        }
        if let Some(reason) = &self.reason {
            shown["reason"] = reason.as_str().into();
        }
        shown
    }
}

/// The id of a task that is pushed at a time, with four random letters of `[a-z0-9]` at its end.
#[must_use]
pub fn id(at: Instant, random: &str) -> String {
    let micros = u64::try_from(at.micros()).unwrap_or_default();
    let digit = |place: u32| {
        let digit = usize::try_from(micros >> (5 * place) & 31).unwrap_or_default();
        char::from(DIGITS[digit])
    };
    let time: String = (0..TIME_LETTERS).rev().map(digit).collect();
    let random: String = random.chars().take(4).collect();
    format!("t{time}-{random}")
}

/// Whether a field is that of a task, and fit to be part of a file's name.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with(CLAIM)
}

/// The field of a task's claim.
///
/// # Errors
/// When the id is none.
pub fn claim_field(id: &str) -> Result<Field, NameError> {
    Field::read(&format!("{id}{CLAIM}"))
}

/// The target of a queue: lower-case letters, digits and `-`.
///
/// # Errors
/// When a name is none.
pub fn queue(campaign: &str, queue: &str) -> Result<Target, NameError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if queue.is_empty() || queue.starts_with('-') || !queue.bytes().all(fits) {
        return Err(NameError {
            what: "queue",
            got: queue.chars().take(80).collect(),
            expected: "lower-case letters, digits and `-`, with a letter or digit first",
        });
    }
    Target::read(&format!("campaigns/{campaign}/queues/{queue}"))
}

#[cfg(test)]
mod tests;
