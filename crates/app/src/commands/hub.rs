//! `cocli hub`: pull everything, compact, publish; once, or again and again.

use std::time::Duration;

use cocli_core::bucket::FailureKind;
use cocli_core::bucket::lease::Watch;
use cocli_core::bucket::pause::Pause;
use cocli_node::durable::hub::{Claim, Upkeep};
use cocli_node::durable::{Durable, Round};
use cocli_node::{Home, NodeError};
use cocli_tier::Store;
use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Hub, HubMode};
use crate::bucket::Bill;
use crate::failure::{Exit, Failure};
use crate::render::{Tone, counted};
use crate::{bucket, clock, door};

/// Who waits for the lease looks this often within its time to live.
const LOOKS: u64 = 8;

/// What one turn as hub came to.
struct Turn {
    generation: u64,
    round: Round,
    upkeep: Upkeep,
}

/// What came of trying to be hub.
enum Tried {
    Done(Box<Turn>),
    /// Somebody else is: look again within so many microseconds.
    Wait(u64),
}

/// A hub of this process.
struct Hubs<'a> {
    context: &'a Context,
    home: &'a Home,
    url: &'a str,
    store: &'a Store,
    time_to_live: u64,
    boot: u64,
    began: std::time::Instant,
}

pub(super) fn run(context: &Context, args: &Hub) -> Result<(), Failure> {
    let home = context.home()?;
    let Some((url, store)) = bucket::of(&home)? else {
        return Err(Failure::new(Exit::Failed, "this home has no bucket")
            .hint("`cocli init --bucket URL` gives it one"));
    };
    let hub = Hubs {
        context,
        home: &home,
        url: &url,
        store: &store,
        time_to_live: args.time_to_live.saturating_mul(1000),
        boot: u64::from_be_bytes(clock::random()),
        began: clock::monotonic(),
    };
    if args.mode == HubMode::Once {
        hub.checked(|_| Ok(()))?;
        let turn = hub.turn()?;
        hub.show(&turn);
        return Ok(());
    }
    if !context.screen.json {
        let every = args.every;
        context
            .screen
            .line(format!("{} is a hub of {url}, every {every} s (Ctrl-C ends it)", home.node()));
    }
    hub.keep_on(Duration::from_secs(args.every))
}

impl Hubs<'_> {
    /// One turn after the other, as often as the budget and what failed allow.
    fn keep_on(&self, every: Duration) -> ! {
        let (mut pause, mut was_spent) = (Pause::default(), false);
        loop {
            let turn = self.turn_if_due();
            let is_spent = turn.as_ref().is_err_and(|error| kind(error) == FailureKind::Budget);
            let rest = match turn {
                Ok(turn) => {
                    turn.iter().for_each(|turn| self.show(turn));
                    pause.done();
                    every
                }
                Err(error) if is_spent => {
                    if !was_spent {
                        self.context.screen.note(Failure::from(error).whole());
                    }
                    every
                }
                Err(error) => {
                    let rest = Duration::from_micros(pause.failed(kind(&error)));
                    let next = format!("the next round is in {} s at the earliest", rest.as_secs());
                    self.context.screen.note(format!("{} ({next})", Failure::from(error).whole()));
                    rest
                }
            };
            was_spent = is_spent;
            let now = clock::now();
            clock::pass(Bill::of(self.home, now).lengthened(rest, now));
        }
    }

    /// A turn, when there is something to do and the month's budget is not spent.
    fn turn_if_due(&self) -> Result<Option<Turn>, NodeError> {
        self.context.catch_up(self.home, None);
        let now = clock::now();
        Bill::of(self.home, now).stretch(now)?;
        let due = self.checked(|durable| durable.has_work(clock::now()))?;
        if due == Some(true) { self.turn().map(Some) } else { Ok(None) }
    }

    /// Looks whether the bucket is what it was, acts, and shows what was found.
    fn checked<T>(
        &self,
        act: impl FnOnce(&mut Durable<'_>) -> Result<T, NodeError>,
    ) -> Result<Option<T>, NodeError> {
        let mut told = Vec::new();
        let done = bucket::visit(self.home, (self.url, self.store), true, |durable| {
            let done = durable.check().and_then(|()| act(durable));
            told = durable.told();
            done
        });
        told.iter().for_each(|notice| self.context.screen.note(notice));
        done
    }

    /// Waits for the lease, does a round, and gives it back.
    fn turn(&self) -> Result<Turn, NodeError> {
        self.context.catch_up(self.home, None);
        let mut watch = Watch::default();
        let turn = loop {
            let tried = bucket::visit(self.home, (self.url, self.store), true, |durable| {
                self.try_turn(durable, &mut watch)
            })?;
            match tried {
                Some(Tried::Done(turn)) => break *turn,
                Some(Tried::Wait(wait)) => {
                    let look = wait.min(self.time_to_live / LOOKS).max(1000);
                    clock::pass(Duration::from_micros(look));
                }
                // It waits for its turn, so it has it.
                None => {}
            }
        };
        if !turn.round.pulled.logs.is_empty() {
            door::look(self.home)?;
        }
        Ok(turn)
    }

    fn try_turn(&self, durable: &mut Durable<'_>, watch: &mut Watch) -> Result<Tried, NodeError> {
        durable.there()?;
        let clock = || (clock::micros_since(self.began), clock::now());
        let mut term = match durable.claim_lease(watch, self.boot, self.time_to_live, &clock)? {
            Claim::Wait(wait) => return Ok(Tried::Wait(wait)),
            Claim::Held(term) => term,
        };
        let (took_over, generation) = (!term.followed_free, term.generation);
        let worked = durable.round(&mut term, env!("CARGO_PKG_VERSION"), &clock);
        let worked = worked.and_then(|round| {
            durable.look_after(took_over, clock::now()).map(|upkeep| (round, upkeep))
        });
        // Also after a failure: nobody is to wait for who does nothing.
        let released = durable.release(term);
        let (round, upkeep) = worked?;
        released?;
        Ok(Tried::Done(Box::new(Turn { generation, round, upkeep })))
    }

    fn show(&self, turn: &Turn) {
        let screen = self.context.screen;
        let Turn { generation, round, upkeep } = turn;
        let Upkeep { mirrored, removed, notices } = upkeep;
        for notice in round.notices.iter().chain(&round.pulled.notices).chain(notices) {
            screen.note(notice);
        }
        if screen.json {
            screen.object(&self.object(turn));
            return;
        }
        let came = HumanBytes(round.pulled.bytes);
        let went = HumanBytes(round.pushed.bytes);
        let what = match &round.manifest {
            Some(manifest) => screen.paint(
                Tone::Good,
                &format!(
                    "manifest {} is published: {} and {} of the snapshot",
                    manifest.n,
                    counted(round.files, "new file", "new files"),
                    counted(round.rows, "row", "rows"),
                ),
            ),
            None => "nothing new to publish".to_owned(),
        };
        screen.line(format!("generation {generation}: {came} came, {went} went; {what}"));
        if mirrored.put + mirrored.removed + mirrored.waiting > 0 {
            screen.line(format!(
                "  mirror: {} put, {} removed, {} wait",
                mirrored.put, mirrored.removed, mirrored.waiting
            ));
        }
        if *removed > 0 {
            screen.line(format!(
                "  {} that nothing names any more removed",
                counted(*removed, "file", "files")
            ));
        }
    }

    fn object(&self, turn: &Turn) -> Json {
        let Turn { generation, round, upkeep: Upkeep { mirrored, removed, .. } } = turn;
        json!({
            "bucket": self.url, "generation": generation,
            "came": {"objects": round.pulled.objects, "bytes": round.pulled.bytes},
            "went": {"objects": round.pushed.objects, "bytes": round.pushed.bytes},
            "manifest": round.manifest.as_ref().map(|manifest| manifest.n),
            "snapshot": round.manifest.as_ref().and_then(|manifest| manifest.snapshot),
            "files": round.files, "rows": round.rows,
            "mirror": {"put": mirrored.put, "removed": mirrored.removed, "waiting": mirrored.waiting},
            "removed": removed,
        })
    }
}

/// What a failure is for the pause after it: the disk, too, may have room again.
fn kind(error: &NodeError) -> FailureKind {
    match error {
        NodeError::Bucket(failure) => failure.kind,
        _ => FailureKind::Away,
    }
}
