//! Claims without a bucket: datagrams, under the home's lock. Between nodes a claim settles: docs/queues.md.

use std::time::Duration;

use cocli_core::task::{Claim, Next, Step, Task, TaskState};
use cocli_store::paths;

use super::{Ended, Means, Queue, Sought, Told, Waiter, Won, said_by};
use crate::error::Result;
use crate::home::failed;
use crate::session::Session;

impl Queue<'_> {
    /// Takes the first task that may be taken: those that wait first, then those that failed, then those of who is
    /// late.
    pub(super) fn claim_here(
        &self,
        waiter: &mut Waiter,
        means: &Means<'_>,
        told: &mut Told,
    ) -> Result<Sought> {
        let mut lost = Vec::new();
        loop {
            let mut session = self.home.session(means.now())?;
            let mut open = self.tasks()?;
            open.retain(|task| {
                !task.state.is_over() && !task.at_bucket && !lost.contains(&task.id)
            });
            open.sort_by_key(|task| task.state);
            if !self.is_alone()? {
                self.spread(&mut open);
            }
            let (mut next_wait, mut taken) = (None, None);
            for task in open {
                let newest = task.claim.as_ref();
                let late = task.state == TaskState::Held && {
                    let wait = newest
                        .map(|claim| waiter.wait(&self.watched(&task.id), claim, means.micros()));
                    next_wait = next_wait.into_iter().chain(wait.filter(|wait| *wait > 0)).min();
                    wait == Some(0)
                };
                match Claim::next(newest, late, self.rules.attempts) {
                    Next::Take(attempt) => {
                        taken = Some((self.next_claim(newest, attempt), task));
                        break;
                    }
                    Next::GiveUp => {
                        let claim = self.said_after(newest, Step::Sideline);
                        self.tell(&mut session, (&task, &claim), Some(TaskState::Sideline), told)?;
                    }
                    Next::Wait | Next::Over(_) => {}
                }
            }
            let Some((claim, task)) = taken else { return Ok(Sought::None(next_wait)) };
            self.tell(&mut session, (&task, &claim), None, told)?;
            drop(session);
            waiter.forget(&self.watched(&task.id));
            if self.settles(&task, &claim)? {
                return Ok(Sought::Won(Box::new(Won { task, claim })));
            }
            lost.push(task.id);
        }
    }

    /// Whether no other node ever wrote.
    fn is_alone(&self) -> Result<bool> {
        let names = self.home.disk.list(paths::WAL).map_err(|e| failed(paths::WAL, "list", e))?;
        let mut logs = names.iter().filter_map(|(name, _)| paths::journal_of(name));
        Ok(logs.all(|(log, _)| log.node == *self.me()))
    }

    /// Waits for the claims of other nodes; whether this one stands. Where nobody else ever wrote it is not waited.
    fn settles(&self, task: &Task, claim: &Claim) -> Result<bool> {
        if self.is_alone()? {
            return Ok(true);
        }
        self.home.disk.pause(Duration::from_millis(self.rules.settle_ms));
        let stands = Task::one(&self.entity()?, &task.id);
        Ok(stands.is_some_and(|task| !task.state.is_over() && task.claim.as_ref() == Some(claim)))
    }

    fn tell(
        &self,
        session: &mut Session<'_>,
        (task, claim): (&Task, &Claim),
        state: Option<TaskState>,
        told: &mut Told,
    ) -> Result<()> {
        let verb = match claim.step {
            Step::Held if claim.beat > 0 => "queue heartbeat",
            Step::Held => "queue claim",
            Step::Failed => "queue fail",
            Step::Done => "queue done",
            Step::Sideline => "queue sideline",
            Step::Retry => "queue retry",
        };
        told.add(self.record(session, verb, &self.values(task, claim, state)?)?);
        Ok(())
    }

    /// The task as it is under the lock, with its claim, which has to be this worker's.
    fn own(&self, task: &Task, token: Option<&str>) -> Result<(Task, Claim)> {
        let task = Task::one(&self.entity()?, &task.id).unwrap_or_else(|| task.clone());
        match &task.claim {
            Some(claim) if task.state == TaskState::Held && claim.is_of(self.me(), token) => {
                let claim = claim.clone();
                Ok((task, claim))
            }
            newest => Err(self.lost(&task, newest.as_ref())),
        }
    }

    pub(super) fn beat_here(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Claim, Told)> {
        let mut session = self.home.session(means.now())?;
        let (task, mut claim) = self.own(task, token)?;
        claim.beat = claim.beat.saturating_add(1);
        let mut told = Told::default();
        self.tell(&mut session, (&task, &claim), None, &mut told)?;
        Ok((claim, told))
    }

    pub(super) fn done_here(
        &self,
        task: &Task,
        token: Option<&str>,
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        let mut session = self.home.session(means.now())?;
        let now = Task::one(&self.entity()?, &task.id);
        if let Some(claim) = now.as_ref().and_then(|task| task.claim.as_ref())
            && said_by(claim, self.me(), token, Step::Done)
        {
            let ended = Ended { state: TaskState::Done, attempt: claim.attempt, already: true };
            return Ok((ended, Told::default()));
        }
        let (task, claim) = self.own(task, token)?;
        let (done, mut told) = (claim.then(Step::Done), Told::default());
        self.tell(&mut session, (&task, &done), Some(TaskState::Done), &mut told)?;
        let ended = Ended { state: TaskState::Done, attempt: done.attempt, already: false };
        Ok((ended, told))
    }

    pub(super) fn fail_here(
        &self,
        task: &Task,
        (token, reason): (Option<&str>, Option<&str>),
        means: &Means<'_>,
    ) -> Result<(Ended, Told)> {
        let mut session = self.home.session(means.now())?;
        let (task, claim) = self.own(task, token)?;
        let reason = reason.map(str::to_owned);
        let is_last = claim.attempt >= self.rules.attempts;
        let (step, state) = match is_last {
            true => (Step::Sideline, TaskState::Sideline),
            false => (Step::Failed, TaskState::Failed),
        };
        let (said, mut told) = (Claim { reason, ..claim.then(step) }, Told::default());
        self.tell(&mut session, (&task, &said), is_last.then_some(state), &mut told)?;
        Ok((Ended { state, attempt: said.attempt, already: false }, told))
    }

    pub(super) fn retry_here(&self, task: &Task, means: &Means<'_>) -> Result<Told> {
        let mut session = self.home.session(means.now())?;
        let task = Task::one(&self.entity()?, &task.id).unwrap_or_else(|| task.clone());
        if !matches!(task.state, TaskState::Sideline | TaskState::Failed) {
            return Err(self.not_over(&task));
        }
        let back = self.said_after(task.claim.as_ref(), Step::Retry);
        let mut told = Told::default();
        self.tell(&mut session, (&task, &back), Some(TaskState::Waiting), &mut told)?;
        Ok(told)
    }
}
