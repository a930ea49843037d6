//! `cocli queue`: work for several machines. Who has a task is decided in `node`.

use std::io::{BufRead, Read};
use std::time::Duration;

use cocli_core::task::{Claim, Task, TaskState};
use cocli_node::{Campaign, Ended, Home, Means, Queue, Sought, Told, Waiter, Won};
use serde_json::{Map, Value as Json, json};

use super::Context;
use super::campaign::chosen;
use crate::args::{Held, QueueVerb};
use crate::failure::{Exit, Failure};
use crate::render::{Tone, counted};
use crate::{bucket, clock, door};

/// Between two looks of who waits for a task.
const LOOK: Duration = Duration::from_millis(250);
/// The shortest of them.
const LOOK_MIN: Duration = Duration::from_millis(10);

pub(super) fn run(context: &Context, args: &crate::args::Queue) -> Result<(), Failure> {
    let home = context.home()?;
    let campaign = chosen(context, &home)?;
    if let QueueVerb::List { queue } = &args.what {
        return list(context, &home, &campaign, queue.as_deref());
    }
    let payloads = match &args.what {
        QueueVerb::Push { payload, .. } => payloads(payload.as_deref())?,
        _ => Vec::new(),
    };
    bucket::for_claims(&home, |bucket| {
        let since_boot = || (clock::since_boot(), clock::now());
        let means = Means { bucket, clock: &since_boot, boot: clock::boot() };
        let asked = Asked { context, home: &home, campaign: &campaign, means };
        match &args.what {
            QueueVerb::Push { queue, .. } => asked.push(queue, payloads),
            QueueVerb::Claim { queue, wait } => asked.claim(queue, *wait),
            QueueVerb::Heartbeat(held) => asked.beat(held),
            QueueVerb::Done(held) => asked.done(held),
            QueueVerb::Fail { held, reason } => asked.fail(held, reason.as_deref()),
            QueueVerb::Retry { task } => asked.retry(task),
            QueueVerb::List { .. } => Ok(()),
        }
    })
}

struct Asked<'a> {
    context: &'a Context,
    home: &'a Home,
    campaign: &'a Campaign,
    means: Means<'a>,
}

impl Asked<'_> {
    fn push(&self, name: &str, payloads: Vec<Json>) -> Result<(), Failure> {
        let queue = self.home.queue(self.campaign, name)?;
        if payloads.is_empty() {
            return Err(Failure::usage("nothing to push: standard input is empty"));
        }
        let known = self.home.queues(self.campaign)?;
        let (ids, told) = queue.push(payloads, &self.means)?;
        self.tell(told);
        let screen = self.context.screen;
        if !known.contains_key(name) {
            let near = cocli_node::nearest(name, known.keys().map(String::as_str));
            let near = near.map(|near| format!(" (the nearest that was there: {near})"));
            screen.note(format!("the queue {name} is new{}", near.unwrap_or_default()));
        }
        match screen.json {
            true => screen.object(&json!({ "queue": name, "ids": ids })),
            false => screen.lines(ids.into_iter()),
        }
        Ok(())
    }

    fn claim(&self, name: &str, seconds: f64) -> Result<(), Failure> {
        let queue = self.home.queue(self.campaign, name)?;
        let began = clock::monotonic();
        let patience = Duration::try_from_secs_f64(seconds).map_err(|_| {
            Failure::usage(format!("--wait {seconds}: expected a number of seconds from 0 on"))
        })?;
        let mut waiter = Waiter::load(self.home, &self.means.boot)?;
        loop {
            let sought = queue.claim(&mut waiter, &self.means);
            // What was seen counts for the next one who asks, whatever came of it.
            waiter.save(self.home)?;
            let (sought, told) = sought?;
            self.tell(told);
            let next = match sought {
                Sought::Won(won) => {
                    self.show_won(name, &won);
                    return Ok(());
                }
                Sought::None(next) => next.map_or(LOOK, Duration::from_micros),
            };
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(self.none(name)?);
            }
            clock::pass(next.clamp(LOOK_MIN, LOOK).min(left));
        }
    }

    fn show_won(&self, queue: &str, won: &Won) {
        let Won { task, claim } = won;
        let screen = self.context.screen;
        match screen.json {
            true => screen.object(&json!({
                "id": task.id, "queue": queue, "payload": task.payload, "attempt": claim.attempt,
                "claim": claim.token, "expires_ms": claim.expires_ms,
            })),
            false => screen.line(screen.safe(&format!(
                "{}\t{}\t{}\t{}",
                task.id, claim.attempt, claim.token, task.payload
            ))),
        }
    }

    /// There is none: how many are held, and whether the queue is one at all.
    fn none(&self, name: &str) -> Result<Failure, Failure> {
        let queues = self.home.queues(self.campaign)?;
        let Some(tasks) = queues.get(name) else {
            let message = format!("{} has no queue called {name:?}", self.campaign.slug);
            let failure = Failure::new(Exit::NotFound, message);
            return Ok(match cocli_node::nearest(name, queues.keys().map(String::as_str)) {
                Some(near) => failure.hint(format!("the nearest is `{near}`")),
                None => failure.hint("`cocli queue push` begins one"),
            });
        };
        let message = format!("no task of {name} is free: {}", summary(tasks));
        Ok(Failure::new(Exit::NotFound, message).hint("`--wait S` waits for one"))
    }

    fn beat(&self, held: &Held) -> Result<(), Failure> {
        let (queue, task) = self.task(&held.task)?;
        let (claim, told) = queue.beat(&task, held.claim.as_deref(), &self.means)?;
        self.tell(told);
        let Claim { attempt, expires_ms, .. } = claim;
        match self.context.screen.json {
            true => self.context.screen.object(&json!({
                "id": task.id, "attempt": attempt, "expires_ms": expires_ms,
            })),
            false => self.context.screen.line(format!(
                "{} is this worker's for {} s more",
                task.id,
                expires_ms / 1000
            )),
        }
        Ok(())
    }

    fn done(&self, held: &Held) -> Result<(), Failure> {
        let (queue, task) = self.task(&held.task)?;
        let (ended, told) = queue.done(&task, held.claim.as_deref(), &self.means)?;
        self.tell(told);
        self.ended(&task, ended);
        Ok(())
    }

    fn fail(&self, held: &Held, reason: Option<&str>) -> Result<(), Failure> {
        let (queue, task) = self.task(&held.task)?;
        let (ended, told) = queue.fail(&task, (held.claim.as_deref(), reason), &self.means)?;
        self.tell(told);
        self.ended(&task, ended);
        Ok(())
    }

    fn ended(&self, task: &Task, ended: Ended) {
        let (id, attempt) = (&task.id, ended.attempt);
        if self.context.screen.json {
            let state = ended.state.name();
            self.context.screen.object(&json!({
                "id": id, "state": state, "attempt": attempt, "already": ended.already,
            }));
            return;
        }
        self.context.screen.line(match ended.state {
            TaskState::Sideline => format!(
                "{id} failed {attempt} times and is laid aside; `cocli queue retry {id}` puts it back"
            ),
            TaskState::Failed => format!("{id} failed (attempt {attempt}) and waits for the next"),
            _ if ended.already => format!("{id} was done already, by this worker"),
            _ => format!("{id} is done"),
        });
    }

    fn retry(&self, typed: &str) -> Result<(), Failure> {
        let (queue, task) = self.task(typed)?;
        self.tell(queue.retry(&task, &self.means)?);
        match self.context.screen.json {
            true => self.context.screen.object(&json!({ "id": task.id, "state": "waiting" })),
            false => self.context.screen.line(format!("{} waits again", task.id)),
        }
        Ok(())
    }

    fn task(&self, typed: &str) -> Result<(Queue<'_>, Task), Failure> {
        Ok(self.home.task(self.campaign, typed)?)
    }

    fn tell(&self, told: Told) {
        told.notices.iter().for_each(|notice| self.context.screen.note(notice));
        if let Some(end) = &told.end {
            door::wake(self.home, end);
        }
        if told.compacted {
            self.context.archive(self.home);
        }
    }
}

/// One value, or one a line from standard input.
fn payloads(given: Option<&str>) -> Result<Vec<Json>, Failure> {
    if let Some(text) = given.filter(|text| *text != "-") {
        let payload = serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!("--payload: expected JSON, as {{\"url\":\"…\"}}: {error}"))
        })?;
        return Ok(vec![payload]);
    }
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text)?;
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let nothing = |why: String| {
            Failure::usage(format!("standard input:{}: {why}: nothing was pushed", at + 1))
        };
        let line = line.map_err(|_| nothing("not UTF-8".into()))?;
        if !line.trim().is_empty() {
            let payload = serde_json::from_str(&line);
            all.push(payload.map_err(|error| nothing(format!("expected JSON: {error}")))?);
        }
    }
    Ok(all)
}

fn list(
    context: &Context,
    home: &Home,
    campaign: &Campaign,
    name: Option<&str>,
) -> Result<(), Failure> {
    let screen = context.screen;
    let Some(name) = name else {
        for (name, tasks) in home.queues(campaign)? {
            match screen.json {
                true => screen.object(&json!({ "queue": name, "tasks": counts(&tasks) })),
                false => screen.line(format!("{name}  {}", summary(&tasks))),
            }
        }
        return Ok(());
    };
    let mut tasks = home.queue(campaign, name)?.tasks()?;
    if tasks.is_empty() && !screen.json {
        screen.note("none");
    }
    tasks.sort_by_key(|task| task.state);
    screen.lines(tasks.iter().map(|task| {
        if screen.json {
            return task.shown().to_string();
        }
        let by = task
            .claim
            .as_ref()
            .filter(|_| task.state != TaskState::Waiting)
            .map(|claim| format!("  {} (attempt {})", claim.node, claim.attempt));
        let why = task.reason.as_ref().map(|reason| format!("  {reason}"));
        let more = format!("{}{}", by.unwrap_or_default(), why.unwrap_or_default());
        let state = screen.paint(Tone::Strong, &format!("{:8}", task.state.name()));
        let text = screen.safe(&format!("{}{more}", task.payload)).replace('\n', " ");
        format!("{}  {state}  {text}", task.id)
    }));
    Ok(())
}

/// How many tasks are how.
pub(super) fn counts(tasks: &[Task]) -> Json {
    let count = |state| tasks.iter().filter(|task| task.state == state).count();
    let all = TaskState::ALL.into_iter();
    Json::Object(all.map(|state| (state.name().into(), count(state).into())).collect::<Map<_, _>>())
}

/// The same in words.
pub(super) fn summary(tasks: &[Task]) -> String {
    let count = |state| tasks.iter().filter(|task| task.state == state).count();
    let some = TaskState::ALL.into_iter().filter(|state| count(*state) > 0);
    let some: Vec<String> =
        some.map(|state| format!("{} {}", count(state), state.name())).collect();
    format!("{}: {}", counted(tasks.len(), "task", "tasks"), some.join(", "))
}
