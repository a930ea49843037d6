//! Claims in the bucket: each is created as the next number of its task, so that of a worker that ends its task and
//! one that takes it over one comes first, and the other sees it. docs/queues.md.

use std::collections::BTreeMap;

use cocli_core::bucket::{Bucket, Created, Failure, Key, newest};
use cocli_core::task::{Claim, Next, Step, Task, TaskState};
use cocli_core::{Field, Target, Value};

use super::{Ended, Means, Queue, QueueError, Sought, Told, Waiter, Won, said_by};
use crate::error::{NodeError, Result};

/// How often a number that was taken meanwhile is looked at anew.
const TRIES_MAX: usize = 16;

/// Values to be told.
type Values = Vec<(Target, Field, Value)>;

impl Queue<'_> {
    /// Takes one of the tasks: those that wait first, then those that failed, then those of who is late. What it finds
    /// done on the way it tells.
    pub(super) fn claim_there(
        &self,
        mut tasks: Vec<Task>,
        bucket: &dyn Bucket,
        waiter: &mut Waiter,
        means: &Means<'_>,
        told: &mut Told,
    ) -> Result<Sought> {
        tasks.sort_by_key(|task| task.state);
        self.spread(&mut tasks);
        let (mut values, mut wait, mut won) = (Values::new(), None, None);
        for task in tasks {
            let name = self.watched(&task.id);
            let rests = if task.state == TaskState::Failed {
                0
            } else {
                waiter.rests(&name, means.micros())
            };
            if rests > 0 {
                wait = Some(wait.map_or(rests, |wait: u64| wait.min(rests)));
                continue;
            }
            match self.try_one(&task, bucket, waiter, means)? {
                Tried::Won(claim) => {
                    waiter.forget(&name);
                    values.extend(self.values(&task, &claim, None)?);
                    won = Some(Box::new(Won { task, claim }));
                    break;
                }
                Tried::Over(claim) => {
                    waiter.forget(&name);
                    values.extend(self.values(&task, &claim, Some(over(claim.step)))?);
                }
                Tried::Held(late) => wait = Some(wait.map_or(late, |wait: u64| wait.min(late))),
                Tried::Unread => told.notices.push(format!(
                    "{} in the bucket cannot be read: nobody can claim it",
                    self.key(&task, 1)
                )),
            }
        }
        if !values.is_empty() {
            self.tell_all("queue claim", &values, means, told)?;
        }
        Ok(won.map_or(Sought::None(wait), Sought::Won))
    }

    fn try_one(
        &self,
        task: &Task,
        bucket: &dyn Bucket,
        waiter: &mut Waiter,
        means: &Means<'_>,
    ) -> Result<Tried> {
        let Some(newest) = self.newest(task, bucket)? else { return Ok(Tried::Unread) };
        let newest = newest.as_ref();
        let held = newest.filter(|claim| claim.step == Step::Held);
        let wait = held.map(|claim| waiter.wait(&self.watched(&task.id), claim, means.micros()));
        let claim = match Claim::next(newest, wait == Some(0), self.rules.attempts) {
            Next::Over(_) => return Ok(newest.cloned().map_or(Tried::Held(0), Tried::Over)),
            Next::Wait => return Ok(Tried::Held(wait.unwrap_or_default())),
            Next::GiveUp => self.said_after(newest, Step::Sideline),
            Next::Take(attempt) => self.next_claim(newest, attempt),
        };
        if !self.create(task, &claim, bucket)? {
            // Somebody was faster: whether that one is late is seen from now on.
            return Ok(Tried::Held(claim.expires_ms.saturating_mul(1000)));
        }
        Ok(if claim.step == Step::Held { Tried::Won(claim) } else { Tried::Over(claim) })
    }

    /// Creates a claim; whether it stands there, be it by an earlier try whose answer was lost.
    fn create(&self, task: &Task, claim: &Claim, bucket: &dyn Bucket) -> Result<bool, Failure> {
        let key = self.key(task, claim.n);
        Ok(match bucket.create(&key, &claim.text())? {
            Created::New => true,
            Created::Exists => {
                let there = bucket.get(&key)?.and_then(|text| Claim::read(&text));
                there.is_some_and(|there| {
                    said_by(&there, &claim.node, Some(&claim.token), claim.step)
                })
            }
        })
    }

    /// The newest claim of a task, `Some(None)` where nobody claimed it; `None` when it cannot be read.
    #[expect(clippy::option_option, reason = "what is not there is not what cannot be read")]
    fn newest(&self, task: &Task, bucket: &dyn Bucket) -> Result<Option<Option<Claim>>, Failure> {
        let known = task.claim.as_ref().map_or(0, |claim| claim.n);
        let (n, text) = newest(known, |n| bucket.get(&self.key(task, n)))?;
        Ok(match text {
            Some(text) => Claim::read(&text).filter(|claim| claim.n == n).map(Some),
            // It is in the log and not in the bucket, which is not what it was: what the log says counts.
            None => Some(task.claim.clone()),
        })
    }

    fn key(&self, task: &Task, n: u64) -> Key {
        Key::claim(&self.campaign, &self.name, &task.id, n)
    }

    fn tell_all(
        &self,
        verb: &str,
        values: &[(Target, Field, Value)],
        means: &Means<'_>,
        told: &mut Told,
    ) -> Result<()> {
        // Of a claim and its end that come together only the end is left to say.
        let last: BTreeMap<&Field, usize> =
            values.iter().enumerate().map(|(at, (_, field, _))| (field, at)).collect();
        let kept =
            values.iter().enumerate().filter(|(at, (_, field, _))| last.get(field) == Some(at));
        let values: Values = kept.map(|(_, value)| value.clone()).collect();
        let mut session = self.home.session(means.now())?;
        told.add(self.record(&mut session, verb, &values)?);
        Ok(())
    }

    fn bucket<'m>(&self, means: &'m Means<'_>) -> Result<&'m dyn Bucket> {
        means
            .bucket
            .ok_or_else(|| QueueError::NeedsBucket { count: 1, queue: self.name.clone() }.into())
    }

    /// The newest claim, which has to be this worker's.
    fn owned(&self, task: &Task, token: Option<&str>, bucket: &dyn Bucket) -> Result<Claim> {
        let newest = self.newest(task, bucket)?.flatten();
        match newest {
            Some(claim) if said_by(&claim, self.me(), token, Step::Held) => Ok(claim),
            newest => Err(self.lost(task, newest.as_ref())),
        }
    }

    pub(super) fn beat_there(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Claim, Told)> {
        let bucket = self.bucket(means)?;
        let mut claim = self.owned(task, token, bucket)?;
        claim.beat = claim.beat.saturating_add(1);
        bucket.replace(&self.key(task, claim.n), &claim.text())?;
        Ok((claim, Told::default()))
    }

    /// Ends a task: the end is created as the next number, or somebody else's stands there.
    fn end_there(&self, task: &Task, said: &Claim, means: &Means<'_>) -> Result<(Ended, Told)> {
        let bucket = self.bucket(means)?;
        if !self.create(task, said, bucket)? {
            let newest = self.newest(task, bucket)?.flatten();
            return Err(self.lost(task, newest.as_ref()));
        }
        self.told_end(task, said, false, means)
    }

    fn told_end(
        &self,
        task: &Task,
        said: &Claim,
        already: bool,
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        let (state, mut told) = (over(said.step), Told::default());
        // A person may have put it back since.
        let task = Task::one(&self.entity()?, &task.id).unwrap_or_else(|| task.clone());
        if task.state != state {
            self.tell_all("queue end", &self.values(&task, said, Some(state))?, means, &mut told)?;
        }
        Ok((Ended { state, attempt: said.attempt, already }, told))
    }

    pub(super) fn done_there(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        let newest = self.newest(task, self.bucket(means)?)?.flatten();
        match newest {
            Some(done) if said_by(&done, self.me(), token, Step::Done) => {
                self.told_end(task, &done, true, means)
            }
            Some(held) if said_by(&held, self.me(), token, Step::Held) => {
                self.end_there(task, &held.then(Step::Done), means)
            }
            newest => Err(self.lost(task, newest.as_ref())),
        }
    }

    pub(super) fn fail_there(
        &self,
        task: &Task,
        (token, reason): (Option<&str>, Option<&str>),
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        let bucket = self.bucket(means)?;
        let mut claim = self.owned(task, token, bucket)?;
        claim.reason = reason.map(str::to_owned);
        if claim.attempt >= self.rules.attempts {
            return self.end_there(task, &claim.then(Step::Sideline), means);
        }
        // Where somebody took it over meanwhile this counts for nothing: it has a next one.
        claim.step = Step::Failed;
        bucket.replace(&self.key(task, claim.n), &claim.text())?;
        let mut told = Told::default();
        self.tell_all("queue fail", &self.values(task, &claim, None)?, means, &mut told)?;
        let ended = Ended { state: TaskState::Failed, attempt: claim.attempt, already: false };
        Ok((ended, told))
    }

    pub(super) fn retry_there(&self, task: &Task, means: &Means<'_>) -> Result<Told> {
        let bucket = self.bucket(means)?;
        for _ in 0..TRIES_MAX {
            let newest = self.newest(task, bucket)?.flatten();
            let now = Task::one(&self.entity()?, &task.id).unwrap_or_else(|| task.clone());
            let (back, stands) = match newest {
                // It was put back before, and whoever told last had not heard of it.
                Some(back) if back.step == Step::Retry && now.state == TaskState::Sideline => {
                    (back, true)
                }
                Some(over) if matches!(over.step, Step::Sideline | Step::Failed) => {
                    (self.said_after(Some(&over), Step::Retry), false)
                }
                _ => return Err(self.not_over(task)),
            };
            if stands || self.create(task, &back, bucket)? {
                let values = self.values(&now, &back, Some(TaskState::Waiting))?;
                let mut told = Told::default();
                self.tell_all("queue retry", &values, means, &mut told)?;
                return Ok(told);
            }
        }
        Err(self.not_over(task))
    }

    pub(super) fn not_over(&self, task: &Task) -> NodeError {
        QueueError::NotOver { id: task.id.clone(), state: task.state.name() }.into()
    }
}

/// What came of trying to take a task.
enum Tried {
    /// It is this worker's.
    Won(Claim),
    /// It is done or laid aside, as this says.
    Over(Claim),
    /// Somebody has it: it may be late in so many microseconds.
    Held(u64),
    /// What stands there is no claim.
    Unread,
}

fn over(step: Step) -> TaskState {
    if step == Step::Done { TaskState::Done } else { TaskState::Sideline }
}

impl Told {
    /// What was written after it.
    pub(super) fn add(&mut self, more: Self) {
        self.end = more.end.or(self.end.take());
        self.compacted |= more.compacted;
        self.notices.extend(more.notices);
    }
}
