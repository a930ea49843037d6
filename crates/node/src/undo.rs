//! Taking back what was written: which values stood there before, and who changed them since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::{Causality, Datagram, Entity, Entry, Field, Instant, Kind, NodeId, Target, Value};
use cocli_store::Reader;

use crate::change::{Change, Intent};
use crate::error::{NodeError, Result};
use crate::nodes::NODES;
use crate::session::Session;

/// What the program writes by itself: nobody typed it, so nobody takes it back.
const NOT_UNDONE: [&str; 9] =
    ["init", "adopt", "clone", "doctor", "fork", "heal", "salvage", "python", "join"];

/// What an undo would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The changes that bring the earlier values back.
    pub changes: Vec<Change>,
    /// What stays, since somebody else changed it: the entry that stands there.
    pub kept: Vec<(Target, Field, Entry)>,
    /// What stays, since history that is not kept here would tell what stood there before.
    pub forgotten: Vec<(Target, Field)>,
}

impl Plan {
    /// Plans for one target, of which `now` is known.
    fn take_back(
        &mut self,
        target: &Target,
        now: Entity,
        undone: &[Datagram],
        history: &[Datagram],
        whole: bool,
    ) {
        let taken: BTreeSet<(&Field, &Entry)> =
            undone.iter().map(|d| (&d.field, &d.entry)).collect();
        let mut before = Entity::default();
        for d in history.iter().filter(|d| !taken.contains(&(&d.field, &d.entry))) {
            before.merge(d.field.clone(), d.entry.clone());
        }
        let mine: BTreeMap<&Field, Vec<&Entry>> =
            undone.iter().fold(BTreeMap::new(), |mut all, d| {
                all.entry(&d.field).or_insert_with(Vec::new).push(&d.entry);
                all
            });
        for (field, entries) in mine {
            let Some(winner) = now.fields.get(field) else { continue };
            if !entries.contains(&winner) {
                self.kept.push((target.clone(), field.clone(), winner.clone()));
                continue;
            }
            if !whole && !is_told(&before, &entries, field, history) {
                self.forgotten.push((target.clone(), field.clone()));
                continue;
            }
            let value = before.value(Kind::of(target), field).unwrap_or_else(Value::null);
            self.changes.push(Change::new(target.clone(), field.clone(), Intent::Put(value)));
        }
    }
}

/// Whether the history that is held tells what stood at a field before these entries were written.
fn is_told(before: &Entity, entries: &[&Entry], field: &Field, history: &[Datagram]) -> bool {
    let Some(first) = entries.iter().min() else { return true };
    let mut saw = first.causality.stamps().peekable();
    if saw.peek().is_none() {
        let had_none = first.causality == Causality::nothing();
        return had_none || before.fields.contains_key(field);
    }
    saw.any(|stamp| history.iter().any(|d| d.field == *field && d.entry.stamp == stamp))
}

/// What is to be taken back of each target, and what is known of the same fields.
type Undone = BTreeMap<Target, (Vec<Datagram>, Vec<Datagram>)>;

/// All that was ever written to the fields that are taken back: a field's value comes of its elements, too,
/// and of no other field.
fn history_of(reader: &Reader, undone: &Undone) -> cocli_store::Result<Vec<Datagram>> {
    let bases = |(undone, _): &(Vec<Datagram>, _)| {
        undone.iter().map(|d| d.field.base().as_bytes().to_vec()).collect::<BTreeSet<_>>()
    };
    let fields: HashMap<&[u8], BTreeSet<Vec<u8>>> =
        undone.iter().map(|(target, all)| (target.as_str().as_bytes(), bases(all))).collect();
    let wanted = |_: &[u8], target: &[u8], field: &[u8]| {
        let base = field.split(|b| *b == b'.').next().unwrap_or_default();
        fields.get(target).is_some_and(|fields| fields.contains(base))
    };
    reader.recall_fields(&wanted)
}

/// What is to be taken back.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only of this target.
    pub target: Option<Target>,
    /// Only of this field, its elements among it.
    pub field: Option<Field>,
    /// What this node wrote, be it another one; else what this one did.
    pub node: Option<NodeId>,
    /// All since this time; else the last command, or of another node everything.
    pub since: Option<Instant>,
}

impl Wanted {
    fn fits(&self, d: &Datagram) -> bool {
        self.target.as_ref().is_none_or(|t| d.target == *t)
            && self.field.as_ref().is_none_or(|f| d.field == *f || d.field.base_field() == *f)
            && self.since.is_none_or(|since| d.entry.stamp.instant >= since)
    }
}

impl Session<'_> {
    /// Plans to take back the last command of this node, or what a node wrote since a time; only what
    /// was written to a target and field where they are given.
    ///
    /// # Errors
    /// When the journals cannot be read, or the last command's records stand elsewhere now.
    pub fn plan_undo(&mut self, wanted: &Wanted) -> Result<Plan> {
        let undone: Vec<Datagram> = match (&wanted.node, wanted.since) {
            (None, None) => self.last_command(wanted.target.is_none(), |d| wanted.fits(d))?,
            (node, _) => self.written_by(node.as_ref().unwrap_or(self.home.node()), wanted)?,
        };
        let mut all = Undone::new();
        for d in undone {
            all.entry(d.target.clone()).or_default().0.push(d);
        }
        for d in self.home.read(|reader| history_of(reader, &all))? {
            if let Some((_, history)) = all.get_mut(&d.target) {
                history.push(d);
            }
        }
        let whole = self.home.history_lost_until()?.is_none();
        let reader = self.reader()?;
        let mut plan = Plan::default();
        for (target, (undone, history)) in &all {
            plan.take_back(target, reader.entity(target)?, undone, history, whole);
        }
        Ok(plan)
    }

    /// The newest command here that wrote something that fits. Whoever takes back the last command,
    /// whatever it was, does not mean the one before.
    fn last_command(
        &mut self,
        whatever: bool,
        fits: impl Fn(&Datagram) -> bool,
    ) -> Result<Vec<Datagram>> {
        // Of an earlier epoch, too.
        self.journals.refresh()?;
        let commands = self.journals.commands()?.into_iter().rev();
        for command in commands.filter(|command| !NOT_UNDONE.contains(&command.verb.as_str())) {
            if whatever && command.from < self.journals.begin(&command.log) {
                return Err(NodeError::Trimmed { verb: command.verb, at: command.at });
            }
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

    /// What a node wrote, whichever log it stands in now. What it told of itself stays.
    fn written_by(&self, node: &NodeId, wanted: &Wanted) -> Result<Vec<Datagram>> {
        let of_node = |by: &[u8], target: &[u8]| {
            by == node.as_str().as_bytes() && !target.starts_with(NODES.as_bytes())
        };
        let mut all = self.home.recall(of_node)?;
        all.retain(|d| wanted.fits(d));
        Ok(all)
    }
}
