//! Taking back what was written: which values stood there before, and who changed them since.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Datagram, Entity, Entry, Field, Instant, Kind, Target, Value};

use crate::change::{Change, Intent};
use crate::error::{NodeError, Result};
use crate::session::Session;

/// What the program writes by itself: nobody typed it, so nobody takes it back.
const NOT_UNDONE: [&str; 7] = ["init", "adopt", "doctor", "fork", "heal", "salvage", "python"];

/// What an undo would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The changes that bring the earlier values back.
    pub changes: Vec<Change>,
    /// What stays, since somebody else changed it: the entry that stands there.
    pub kept: Vec<(Target, Field, Entry)>,
}

impl Session<'_> {
    /// Plans to take back the last command of this node; only what it wrote to `target` and `field`
    /// where they are given; or all that this node wrote since a time.
    ///
    /// # Errors
    /// When the journals cannot be read, or the last command's records stand elsewhere now.
    pub fn plan_undo(
        &mut self,
        target: Option<&Target>,
        field: Option<&Field>,
        since: Option<Instant>,
    ) -> Result<Plan> {
        let fits = |d: &Datagram| {
            target.is_none_or(|t| d.target == *t)
                && field.is_none_or(|f| d.field == *f || d.field.base_field() == *f)
        };
        let undone: Vec<Datagram> = match since {
            Some(since) => self.own_since(since)?.into_iter().filter(fits).collect(),
            None => self.last_command(target.is_none(), fits)?,
        };
        let targets: BTreeSet<Target> = undone.iter().map(|d| d.target.clone()).collect();
        let mut plan = Plan::default();
        for target in targets {
            let history = self.home.history(Some(&target), None)?;
            self.plan_target(&target, &undone, &history, &mut plan)?;
        }
        Ok(plan)
    }

    fn plan_target(
        &mut self,
        target: &Target,
        undone: &[Datagram],
        history: &[Datagram],
        plan: &mut Plan,
    ) -> Result<()> {
        let mut before = Entity::default();
        for d in history.iter().filter(|d| !undone.contains(d)) {
            before.merge(d.field.clone(), d.entry.clone());
        }
        let now = self.entity(target)?;
        let mine: BTreeMap<&Field, Vec<&Entry>> =
            undone.iter().filter(|d| d.target == *target).fold(BTreeMap::new(), |mut all, d| {
                all.entry(&d.field).or_insert_with(Vec::new).push(&d.entry);
                all
            });
        for (field, entries) in mine {
            let Some(winner) = now.fields.get(field) else { continue };
            if !entries.contains(&winner) {
                plan.kept.push((target.clone(), field.clone(), winner.clone()));
                continue;
            }
            let value = before.value(Kind::of(target), field).unwrap_or_else(Value::null);
            plan.changes.push(Change::new(target.clone(), field.clone(), Intent::Put(value)));
        }
        Ok(())
    }

    /// The newest command here that wrote something that fits. Whoever takes back the last command,
    /// whatever it was, does not mean the one before.
    fn last_command(
        &mut self,
        whatever: bool,
        fits: impl Fn(&Datagram) -> bool,
    ) -> Result<Vec<Datagram>> {
        let commands = self.journals.commands()?.into_iter().rev();
        for command in commands.filter(|command| !NOT_UNDONE.contains(&command.verb.as_str())) {
            if !self.journals.stands(&command)? {
                match whatever {
                    true => return Err(NodeError::Moved { verb: command.verb, at: command.at }),
                    false => continue,
                }
            }
            let wrote = self.home.written_between(&command.log, command.from, command.to)?;
            let fitting: Vec<Datagram> = wrote.into_iter().filter(&fits).collect();
            if !fitting.is_empty() {
                return Ok(fitting);
            }
        }
        Ok(Vec::new())
    }

    fn own_since(&mut self, since: Instant) -> Result<Vec<Datagram>> {
        let node = self.home.node().clone();
        let mut all = self.home.history(None, None)?;
        all.retain(|d| {
            d.entry.stamp.node == node
                && d.entry.stamp.instant >= since
                && d.target.collection() != "nodes"
        });
        Ok(all)
    }
}
