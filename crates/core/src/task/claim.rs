//! Who has a task: what a claim says, what may follow it, and when its holder is late.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value as Json, json};

use crate::name::NodeId;

/// What a claim says of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Its owner works on it.
    Held,
    /// Its owner gave it back.
    Failed,
    /// Its owner did it.
    Done,
    /// It was tried too often.
    Sideline,
    /// A person put it back: attempts are counted anew.
    Retry,
}

impl Step {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Held, "held"),
        (Self::Failed, "failed"),
        (Self::Done, "done"),
        (Self::Sideline, "sideline"),
        (Self::Retry, "retry"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("held", |(_, name)| name)
    }
}

/// What was said of a task: in the bucket the `n`th object of its folder, in a log the field beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which of all that was said of the task, from 1 on.
    pub n: u64,
    /// What.
    pub step: Step,
    /// By whom.
    pub node: NodeId,
    /// By which of its workers: random.
    pub token: String,
    /// Which attempt it is, from 1 on; 0 where a person put the task back.
    pub attempt: u32,
    /// Raised by each heartbeat.
    pub beat: u64,
    /// After how long without one it is late: milliseconds.
    pub expires_ms: u64,
    /// Why its owner gave the task back.
    pub reason: Option<String>,
}

/// What may be said next of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Anybody may take it, as this attempt.
    Take(u32),
    /// It was tried as often as it may be: whoever comes lays it aside.
    GiveUp,
    /// Somebody has it.
    Wait,
    /// It is done, or was laid aside.
    Over(Step),
}

impl Claim {
    /// What may follow the newest claim of a task. `late`: its holder is; `attempts`: how often a task is tried.
    #[must_use]
    pub fn next(newest: Option<&Self>, late: bool, attempts: u32) -> Next {
        let Some(newest) = newest else { return Next::Take(1) };
        match newest.step {
            Step::Done | Step::Sideline => Next::Over(newest.step),
            Step::Retry => Next::Take(1),
            Step::Held if !late => Next::Wait,
            Step::Held | Step::Failed if newest.attempt >= attempts => Next::GiveUp,
            Step::Held | Step::Failed => Next::Take(newest.attempt.saturating_add(1)),
        }
    }

    /// What its owner, or whoever finds it late, says after it.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        Self { n: self.n.saturating_add(1), step, beat: 0, ..self.clone() }
    }

    /// Whether it is that of this worker; any of a node's where it does not say which it is.
    #[must_use]
    pub fn is_of(&self, node: &NodeId, token: Option<&str>) -> bool {
        self.node == *node && token.is_none_or(|token| token == self.token)
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        let mut json = json!({
            "n": self.n,
            "state": self.step.name(),
            "node": self.node.as_str(),
            "claim": self.token,
            "attempt": self.attempt,
            "beat": self.beat,
            "expires_ms": self.expires_ms,
        });
        if let Some(reason) = &self.reason {
            json["reason"] = reason.as_str().into();
        }
        json
    }

    /// Its text in the bucket.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        format!("{}\n", self.json()).into_bytes()
    }

    /// Reads a text; nothing when it is none.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        Self::of_json(&serde_json::from_slice(text).ok()?)
    }

    /// Reads JSON; nothing when it is no claim.
    #[must_use]
    pub fn of_json(json: &Json) -> Option<Self> {
        let text = |key: &str| json.get(key)?.as_str();
        let number = |key: &str| json.get(key)?.as_u64();
        let state = text("state")?;
        Some(Self {
            n: number("n")?,
            step: Step::ALL.iter().find(|(_, name)| *name == state)?.0,
            node: NodeId::read(text("node")?).ok()?,
            token: text("claim")?.to_string(),
            attempt: u32::try_from(number("attempt")?).ok()?,
            beat: number("beat")?,
            expires_ms: number("expires_ms")?,
            reason: text("reason").map(ToString::to_string),
        })
    }
}

/// The claims that a waiter saw last, and since when each stands: by a clock that only goes forward, within one
/// boot of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// Of each task the claim's text, and since when: microseconds.
    pub seen: BTreeMap<String, (String, u64)>,
}

impl Watch {
    /// Looks at a claim: gives in how many microseconds it is late, 0 when it is. One that is not `held` never is.
    pub fn wait(&mut self, task: &str, claim: &Claim, now: u64) -> u64 {
        let text = claim.json().to_string();
        let seen = self.seen.get(task).filter(|(seen, since)| *seen == text && *since <= now);
        let since = match seen {
            Some((_, since)) => *since,
            None => {
                self.seen.insert(task.to_string(), (text, now));
                now
            }
        };
        let expires = claim.expires_ms.saturating_mul(1000);
        expires.saturating_sub(now.saturating_sub(since))
    }

    /// Forgets a task that nobody waits for any more.
    pub fn forget(&mut self, task: &str) {
        self.seen.remove(task);
    }
}
