//! Queues of tasks: docs/queues.md. Who has a task is decided in the bucket where the task says so, else under the
//! home's lock and by what nodes tell each other.

mod files;
mod here;
mod there;
mod waiting;

use std::collections::BTreeMap;

use cocli_core::bucket::Bucket;
use cocli_core::task::{self, Claim, Step, Task, TaskState};
use cocli_core::{Entity, Field, Instant, NodeId, Target, Value};
use cocli_store::paths;
use serde_json::Value as Json;

use crate::campaigns::{Campaign, Rules};
use crate::durable::hub::Clock;
use crate::error::{NodeError, Result};
use crate::home::Home;
use crate::nearest;
use crate::session::{End, Session};

pub(crate) use files::is_queue;
pub use waiting::Waiter;

/// Of so many of the oldest tasks any may be taken first.
const SPREAD: usize = 16;

/// Why a task was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No task by this id in the campaign.
    #[error("no task of the campaign {campaign} is called {id:?}")]
    NoTask {
        /// What was asked for.
        id: String,
        /// The campaign.
        campaign: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// The claim is another's by now, or was given back.
    #[error("{id} is not held by this worker any more: {by}")]
    Lost {
        /// The task.
        id: String,
        /// How it is instead.
        by: String,
    },
    /// A task that nobody has to put back.
    #[error("{id} is {state}: only a task that failed or was laid aside is put back")]
    NotOver {
        /// The task.
        id: String,
        /// How it is.
        state: &'static str,
    },
    /// Tasks that are claimed in a bucket, and a home without one.
    #[error("{count} tasks of {queue} are claimed in the bucket, and this home has none")]
    NeedsBucket {
        /// How many.
        count: usize,
        /// The queue.
        queue: String,
    },
    /// A payload that a record cannot hold.
    #[error("a payload cannot be kept: expected JSON of at most 64 levels")]
    Payload,
}

/// What the rim brings along: the bucket, its clocks, and which boot of the machine it is, as the monotonic clock
/// counts from there.
pub struct Means<'a> {
    /// The home's bucket, should it have one.
    pub bucket: Option<&'a dyn Bucket>,
    /// Microseconds since the boot, and the wall clock.
    pub clock: &'a Clock<'a>,
    /// Which boot.
    pub boot: String,
}

impl std::fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("boot", &self.boot).finish_non_exhaustive()
    }
}

impl Means<'_> {
    fn micros(&self) -> u64 {
        (self.clock)().0
    }

    fn now(&self) -> Instant {
        (self.clock)().1
    }
}

/// A queue of a campaign.
#[derive(Debug)]
pub struct Queue<'h> {
    home: &'h Home,
    campaign: String,
    folder: String,
    /// Its name.
    pub name: String,
    target: Target,
    rules: Rules,
}

/// What was written beside the answer.
#[derive(Debug, Default)]
pub struct Told {
    /// Where the own log of the month ends, if anything was written.
    pub end: Option<End>,
    /// Whether the journals were merged behind it.
    pub compacted: bool,
    /// What a person may want to know.
    pub notices: Vec<String>,
}

/// A task that is this worker's.
#[derive(Debug)]
pub struct Won {
    /// The task.
    pub task: Task,
    /// The claim on it.
    pub claim: Claim,
}

/// What came of one look for a task.
#[derive(Debug)]
pub enum Sought {
    /// This one.
    Won(Box<Won>),
    /// None. Somebody may be late in so many microseconds, where anybody holds one.
    None(Option<u64>),
}

/// How a task was ended or given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How it is now.
    pub state: TaskState,
    /// Which attempt it was.
    pub attempt: u32,
    /// Whether it was so already.
    pub already: bool,
}

impl Home {
    /// A queue of a campaign; it need not exist.
    ///
    /// # Errors
    /// When its name is none, or the campaign's settings do not read.
    pub fn queue(&self, campaign: &Campaign, name: &str) -> Result<Queue<'_>> {
        Ok(Queue {
            home: self,
            campaign: campaign.slug.clone(),
            folder: folder_of(campaign.folder.as_deref(), &campaign.slug),
            name: name.to_owned(),
            target: task::queue(&campaign.slug, name)?,
            rules: self.queue_rules(campaign)?,
        })
    }

    /// The tasks of each queue of a campaign.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn queues(&self, campaign: &Campaign) -> Result<BTreeMap<String, Vec<Task>>> {
        let below = campaign.target()?;
        let all = self.read(|reader| reader.below(&below))?;
        let all = all.into_iter().filter(|(target, _)| target.may_expire());
        let name = |target: &Target| target.as_str().rsplit('/').next().unwrap_or_default().into();
        let all = all.map(|(target, entity)| (name(&target), Task::all(&entity)));
        Ok(all.filter(|(_, tasks)| !tasks.is_empty()).collect())
    }

    /// The task of a campaign that is called so, with its queue; `QUEUE/ID` names both.
    ///
    /// # Errors
    /// When there is none.
    pub fn task(&self, campaign: &Campaign, typed: &str) -> Result<(Queue<'_>, Task)> {
        let (queue, id) = match typed.rsplit_once('/') {
            Some((queue, id)) => (Some(queue), id),
            None => (None, typed),
        };
        let mut queues = self.queues(campaign)?;
        queues.retain(|name, _| queue.is_none_or(|queue| queue == name));
        for (name, tasks) in &mut queues {
            if let Some(at) = tasks.iter().position(|task| task.id == id) {
                return Ok((self.queue(campaign, name)?, tasks.swap_remove(at)));
            }
        }
        let ids = queues.values().flatten().map(|task| task.id.as_str());
        let nearest = nearest(id, ids).map(str::to_owned);
        let (id, campaign) = (id.to_owned(), campaign.slug.clone());
        Err(QueueError::NoTask { id, campaign, nearest }.into())
    }
}

/// The folder of a campaign: that with its settings, else the one that it would have.
fn folder_of(folder: Option<&str>, slug: &str) -> String {
    match folder {
        Some(folder) => folder.to_owned(),
        None => paths::in_campaigns(paths::CAMPAIGNS, slug),
    }
}

impl Queue<'_> {
    /// Its tasks, the oldest first.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        Ok(Task::all(&self.entity()?))
    }

    fn entity(&self) -> Result<Entity> {
        self.home.entity(&self.target)
    }

    fn me(&self) -> &NodeId {
        self.home.node()
    }

    fn random(&self) -> String {
        (self.home.rim.epoch)().to_string()
    }

    /// Puts tasks at the end of the queue; gives their ids.
    ///
    /// # Errors
    /// When a payload cannot be kept, or the disk refuses: nothing is pushed then.
    pub fn push(&self, payloads: Vec<Json>, means: &Means<'_>) -> Result<(Vec<String>, Told)> {
        let (now, at_bucket) = (means.now(), means.bucket.is_some());
        let mut session = self.home.session(now)?;
        let mut tasks = Vec::with_capacity(payloads.len());
        for (payload, n) in payloads.into_iter().zip(0i64..) {
            let at = Instant::from_micros(now.micros().saturating_add(n)).unwrap_or(now);
            tasks.push(Task::new(task::id(at, &self.random()), payload, at_bucket));
        }
        let mut values = Vec::with_capacity(tasks.len());
        for task in &tasks {
            let value = task.value(TaskState::Waiting, None, None);
            if Task::read(&task.id, &value, None).is_none() {
                return Err(QueueError::Payload.into());
            }
            values.push((self.target.clone(), Field::read(&task.id)?, value));
        }
        let told = self.record(&mut session, "queue push", &values)?;
        Ok((tasks.into_iter().map(|task| task.id).collect(), told))
    }

    /// Looks once for a task, and takes it.
    ///
    /// # Errors
    /// When all that there are need a bucket that this home has not; when the bucket cannot be asked or the disk
    /// refuses.
    pub fn claim(&self, waiter: &mut Waiter, means: &Means<'_>) -> Result<(Sought, Told)> {
        let mut open = self.tasks()?;
        open.retain(|task| !task.state.is_over());
        waiter.keep_only(
            &self.watched(""),
            &open.iter().map(|task| self.watched(&task.id)).collect(),
        );
        let (there, here): (Vec<Task>, Vec<Task>) = open.into_iter().partition(|t| t.at_bucket);
        let mut told = Told::default();
        let mut wait = None;
        if !here.is_empty() {
            match self.claim_here(waiter, means, &mut told)? {
                won @ Sought::Won(_) => return Ok((won, told)),
                Sought::None(next) => wait = next,
            }
        }
        match means.bucket {
            Some(bucket) => match self.claim_there(there, bucket, waiter, means, &mut told)? {
                Sought::None(next) => wait = wait.into_iter().chain(next).min(),
                won @ Sought::Won(_) => return Ok((won, told)),
            },
            None if !there.is_empty() && here.is_empty() => {
                let (count, queue) = (there.len(), self.name.clone());
                return Err(QueueError::NeedsBucket { count, queue }.into());
            }
            None => {}
        }
        Ok((Sought::None(wait), told))
    }

    /// Says that the holder of a task is alive.
    ///
    /// # Errors
    /// When it is not held by this worker any more.
    pub fn beat(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Claim, Told)> {
        if task.at_bucket {
            self.beat_there(task, token, means)
        } else {
            self.beat_here(task, token, means)
        }
    }

    /// Ends a task: it is done.
    ///
    /// # Errors
    /// When it is not held by this worker any more: that is not taken then.
    pub fn done(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        if task.at_bucket {
            self.done_there(task, token, means)
        } else {
            self.done_here(task, token, means)
        }
    }

    /// Gives a task back; after the last attempt it is laid aside.
    ///
    /// # Errors
    /// As [`Queue::done`].
    pub fn fail(
        &self,
        task: &Task,
        (token, reason): (Option<&str>, Option<&str>),
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        if task.at_bucket {
            self.fail_there(task, (token, reason), means)
        } else {
            self.fail_here(task, (token, reason), means)
        }
    }

    /// Puts a task back that failed or was laid aside: its attempts are counted anew.
    ///
    /// # Errors
    /// When it is neither.
    pub fn retry(&self, task: &Task, means: &Means<'_>) -> Result<Told> {
        if task.at_bucket { self.retry_there(task, means) } else { self.retry_here(task, means) }
    }

    /// Of the oldest tasks that wait, which come first, any may be taken: workers that ask at once do not all want the
    /// same.
    fn spread(&self, tasks: &mut [Task]) {
        let waits = tasks.iter().take_while(|task| task.state == TaskState::Waiting).count();
        let some = waits.min(SPREAD);
        if some > 1 {
            let drawn = self.random().bytes().fold(0, |sum, b| (sum * 31 + usize::from(b)) % 8191);
            tasks[..some].rotate_left(drawn % some);
        }
    }

    /// A claim on a task, after the newest.
    fn next_claim(&self, newest: Option<&Claim>, attempt: u32) -> Claim {
        Claim {
            n: newest.map_or(0, |newest| newest.n).saturating_add(1),
            step: Step::Held,
            node: self.me().clone(),
            token: self.random(),
            attempt,
            beat: 0,
            expires_ms: self.rules.expires_ms,
            reason: None,
        }
    }

    /// What is said after `newest` by whoever puts the task back, or finds it given up.
    fn said_after(&self, newest: Option<&Claim>, step: Step) -> Claim {
        let attempt = if step == Step::Retry { 0 } else { newest.map_or(0, |one| one.attempt) };
        Claim { step, ..self.next_claim(newest, attempt) }
    }

    /// The values that make a claim known; with a state also that of its task.
    fn values(
        &self,
        task: &Task,
        claim: &Claim,
        state: Option<TaskState>,
    ) -> Result<Vec<(Target, Field, Value)>> {
        let mut values = Vec::new();
        if let Some(state) = state {
            let by = state.is_over().then(|| claim.node.as_str());
            let reason = claim.reason.as_deref().filter(|_| state == TaskState::Sideline);
            values.push((
                self.target.clone(),
                Field::read(&task.id)?,
                task.value(state, by, reason),
            ));
        }
        let said = Value::json(&claim.json());
        values.push((self.target.clone(), task::claim_field(&task.id)?, said));
        Ok(values)
    }

    /// Writes values, and the files of their tasks.
    fn record(
        &self,
        session: &mut Session<'_>,
        verb: &str,
        values: &[(Target, Field, Value)],
    ) -> Result<Told> {
        let recorded = session.record_expiring(verb, values)?;
        let mut told = Told { end: Some(recorded.end), ..Told::default() };
        if self.home.keeps_cards() {
            let queue = session.entity(&self.target)?;
            let ids = values.iter().map(|(_, field, _)| field.as_str());
            let tasks =
                ids.filter_map(|id| Task::one(&queue, id.strip_suffix("-claim").unwrap_or(id)));
            if let Err(error) = files::put_some(self.home, (&self.folder, &self.name), tasks) {
                told.notices.push(format!("files of {} are behind: {error}", self.target));
            }
        }
        match session.compact_if_long() {
            Ok(compacted) => told.compacted = compacted,
            Err(error) => told.notices.push(format!("the journals are not merged: {error}")),
        }
        Ok(told)
    }

    /// What a waiter knows a task by; without an id what all of the queue begin with.
    fn watched(&self, id: &str) -> String {
        format!("{}/{}/{id}", self.campaign, self.name)
    }

    fn lost(&self, task: &Task, newest: Option<&Claim>) -> NodeError {
        let id = task.id.clone();
        let by = match newest {
            Some(claim) => match claim.step {
                Step::Held => format!("{} has it (attempt {})", claim.node, claim.attempt),
                Step::Failed => format!("{} gave it back", claim.node),
                Step::Done => format!("{} did it", claim.node),
                Step::Sideline => "it was laid aside".to_owned(),
                Step::Retry => "it was put back".to_owned(),
            },
            None => match task.state {
                TaskState::Done => "it is done".to_owned(),
                TaskState::Sideline => "it was laid aside".to_owned(),
                _ => "nobody claimed it".to_owned(),
            },
        };
        QueueError::Lost { id, by }.into()
    }
}

/// Another answer than was waited for may be that of the same worker, whose first try got through.
fn said_by(claim: &Claim, node: &NodeId, token: Option<&str>, step: Step) -> bool {
    claim.step == step && claim.is_of(node, token)
}

#[cfg(test)]
mod tests;
