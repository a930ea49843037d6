//! How a home is: what it holds, what is damaged, what needs a person.

use cocli_core::limits::TAIL_BYTES_MAX;
use cocli_core::schema::POOL;
use cocli_core::{Field, Instant, Month, StateDigest, Target, Value, Vector};
use cocli_store::checkpoint::{Means, Turn};
use cocli_store::{Command, Journals, Reader, StoreError, checkpoint};

use crate::archive::{self, History};
use crate::cards::{Held, Placed};
use crate::change::{Change, Intent};
use crate::conflicts::noted::{Losses, Noted};
use crate::error::{NodeError, Result};
use crate::home::Home;
use crate::problem::Problem;
use crate::session::Session;

/// What `status` shows.
#[derive(Debug, Default)]
pub struct Health {
    /// Companies that are not removed.
    pub companies: usize,
    /// People that are not removed.
    pub people: usize,
    /// Values in the state.
    pub values: usize,
    /// The state digest.
    pub digest: StateDigest,
    /// How far each log is held.
    pub vector: Vector,
    /// Bytes of journals behind the checkpoint.
    pub tail_bytes: u64,
    /// How much of the history is held.
    pub history: History,
    /// Records that break a rule.
    pub odd: usize,
    /// Damaged blocks of journals.
    pub holes: usize,
    /// Journals that are not what they were left as, and why.
    pub troubles: Vec<(String, String)>,
    /// Hand edits that wait for a decision.
    pub held: Vec<Held>,
    /// Cards that do not parse, and why.
    pub broken: Vec<(String, String)>,
    /// Files in the pool that are no cards; nothing where these are not counted.
    pub other_files: Option<usize>,
    /// What was lost unseen, where that is known without reading the journals.
    pub losses: Option<Losses>,
}

/// Something that `doctor` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which kind it is.
    pub problem: Problem,
    /// File, or log and position.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// Whether anybody has to do something about it.
    pub outcome: Outcome,
    /// What mends it.
    pub next: Option<String>,
}

impl Finding {
    /// Something that is to be mended, and by what.
    fn open(problem: Problem, place: String, what: String, next: impl Into<String>) -> Self {
        Self { problem, place, what, outcome: Outcome::Open, next: Some(next.into()) }
    }
}

/// What a finding asks of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is to be mended.
    Open,
    /// It was mended.
    Mended,
    /// It is so, and nobody can or need do anything about it.
    Fact,
}

/// A fresh key of a node, as the rim drew it.
#[derive(Debug, Clone)]
pub struct NodeKey {
    /// The private half.
    pub private: Vec<u8>,
    /// The public half, as hex.
    pub public: String,
}

impl Home {
    /// How the home is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn health(&self) -> Result<Health> {
        self.health_of(None)
    }

    /// The same where somebody watches the cards: `touched` are those that may not be as they were put in place, and
    /// no others are looked at.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn health_of(&self, touched: Option<&[Target]>) -> Result<Health> {
        let mut journals = self.journals()?;
        let (cards, told) = std::thread::scope(|scope| {
            let cards = scope.spawn(|| self.look_at(touched));
            let told = self.read(|reader| {
                let odd = reader.odd()?.len();
                Ok((reader.tally(POOL)?, reader.tail_bytes(), odd))
            });
            // A thread that panicked has said so; nothing of it is known then.
            (cards.join().unwrap_or_else(|_| Ok(Placed::default())), told)
        });
        let (cards, (tally, tail_bytes, odd)) = (cards?, told?);
        let [companies, people] = tally.living;
        Ok(Health {
            companies,
            people,
            values: usize::try_from(tally.values).unwrap_or(usize::MAX),
            digest: tally.digest,
            vector: journals.vector()?,
            tail_bytes,
            history: archive::held(&journals, self.config().archive.budget)?,
            odd,
            holes: journals.holes().len(),
            troubles: troubles(&journals),
            held: cards.held,
            broken: cards.broken,
            other_files: self.other_files(touched.map(|_| companies + people))?,
            losses: self.losses()?,
        })
    }

    /// Only what of it needs a person: nothing of the state is read.
    ///
    /// # Errors
    /// When journals or cards cannot be read.
    pub fn needs_of(&self, touched: Option<&[Target]>) -> Result<Health> {
        let (journals, cards) = (self.journals()?, self.look_at(touched)?);
        Ok(Health {
            holes: journals.holes().len(),
            troubles: troubles(&journals),
            held: cards.held,
            broken: cards.broken,
            ..Health::default()
        })
    }

    /// What a compaction may use here.
    pub(crate) fn means(&self) -> Means<'static> {
        match self.config().compact.memory {
            Some(mebibytes) => Means::within((mebibytes as usize).saturating_mul(1024 * 1024)),
            None => Means::default(),
        }
    }

    /// What a compaction would merge. Changes nothing.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn pending(&self) -> Result<checkpoint::Pending> {
        Ok(checkpoint::pending(&mut self.journals()?, &self.means())?)
    }

    /// Says in a datagram by which key this node is known.
    pub(crate) fn introduce(&self, key: &str, now: Instant) -> Result<()> {
        let target = Target::read(&format!("nodes/{}", self.node()))?;
        let change = Change::new(target, Field::read("key")?, Intent::Put(Value::text(key)));
        self.session(now)?.write("init", &[change], false)?;
        Ok(())
    }

    /// Looks whether this node has its own key and is known by it. `public` is the public half of the
    /// key that stands here, `None` when none that fits does; `fresh` takes its place then.
    ///
    /// # Errors
    /// When the home cannot be read, or the disk refuses a repair.
    pub fn examine_key(
        &self,
        public: Option<&str>,
        fresh: Option<&NodeKey>,
        repair: bool,
        now: Instant,
    ) -> Result<Option<Finding>> {
        let known = self.text(&Target::read(&format!("nodes/{}", self.node()))?, "key")?;
        let (what, key) = match public {
            Some(public) if known.as_deref() == Some(public) => return Ok(None),
            Some(public) => ("other nodes know this one by another key", Some(public)),
            None => {
                let key = fresh.map(|key| key.public.as_str());
                ("the node's own key is missing or has not 32 bytes", key)
            }
        };
        let mut finding = Finding {
            problem: Problem::OwnKey,
            place: cocli_store::paths::IDENTITY.into(),
            what: what.into(),
            outcome: Outcome::Open,
            next: Some("`cocli doctor --repair` makes it good".into()),
        };
        if let Some(key) = key.filter(|_| repair) {
            if let Some(fresh) = fresh {
                self.replace_identity(&fresh.private)?;
            }
            self.introduce(key, now)?;
            finding.outcome = Outcome::Mended;
            finding.next = Some("a daemon that runs takes it when it is started again".into());
        }
        Ok(Some(finding))
    }

    /// Journals that are not what they were left as. To be asked before a session begins: this node's own goes on
    /// in a new one then.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn journals_amiss(&self) -> Result<Vec<Finding>> {
        Ok(amiss(&self.journals()?).collect())
    }

    /// How many records all logs hold.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn datagrams(&self) -> Result<usize> {
        Ok(self.history(None, None)?.len())
    }
}

/// Journals that are not what they were left as: the path, and why.
pub(crate) fn troubles(journals: &Journals) -> Vec<(String, String)> {
    let troubles = journals.troubles();
    troubles.map(|(log, day, why)| (journals.path_of(log, day), why.to_string())).collect()
}

/// The same, as what was found.
fn amiss(journals: &Journals) -> impl Iterator<Item = Finding> {
    let next = "`cocli daemon` fetches what is missing from other nodes";
    let finding = move |(place, what)| Finding::open(Problem::JournalTrouble, place, what, next);
    troubles(journals).into_iter().map(finding)
}

impl Session<'_> {
    /// Merges the journals into the checkpoint; `progress` hears how many bytes are read, and of how
    /// many. Of a month whose expiring logs cannot be merged `complain` hears; all else is. The turn is to be
    /// taken before the session is begun ([`Home::turn`]). When the session is over [`Home::expire_if_due`] and
    /// [`Home::archive`] are due.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint of what stays is the old one then.
    pub fn compact(
        &mut self,
        turn: Turn,
        progress: Option<&(dyn Fn(u64, u64) + Sync)>,
        complain: &mut dyn FnMut(Month, NodeError),
    ) -> Result<(checkpoint::Compacted, Health)> {
        self.take_in_foreign()?;
        self.salvage()?;
        let noted = self.noted_quickly();
        let means = Means { progress, ..self.home.means() };
        let mut of_month = |month, error: StoreError| complain(month, error.into());
        let done = turn.compact(&self.lock, &mut self.journals, &means, &mut of_month)?;
        let reader = Reader::open(&mut self.journals)?;
        // This session holds the lock without which no checkpoint is put in place.
        noted.iter().for_each(|noted| self.home.note_lost_of(noted, reader.manifest().id()));
        let health = Health {
            values: usize::try_from(reader.manifest().lines()).unwrap_or(usize::MAX),
            digest: reader.digest()?,
            odd: reader.odd()?.len(),
            ..Health::default()
        };
        Ok((done, health))
    }

    /// Which values were lost, where that is known soon.
    fn noted_quickly(&mut self) -> Option<Noted> {
        let behind = checkpoint::pending(&mut self.journals, &self.home.means()).ok()?.bytes;
        // To open a reader is to read all that stands behind the checkpoint.
        let reader = (behind <= TAIL_BYTES_MAX).then(|| self.reader())?.ok()?;
        Noted::quickly(&*self.home.disk, &reader).ok().flatten()
    }

    /// Merges the journals when what stands behind the checkpoint has grown long and nobody else is at it.
    /// Gives whether it did: then [`Home::expire_if_due`] and [`Home::archive`] are due, when the session is over.
    ///
    /// # Errors
    /// As [`Session::compact`].
    pub fn compact_if_long(&mut self) -> Result<bool> {
        if self.tail_bytes > TAIL_BYTES_MAX {
            return self.compact_if_free();
        }
        Ok(false)
    }

    /// Merges the journals unless somebody else is at it. Gives whether it did, as
    /// [`Session::compact_if_long`] does.
    ///
    /// # Errors
    /// As [`Session::compact`].
    pub fn compact_if_free(&mut self) -> Result<bool> {
        let Some(turn) = Turn::try_take(&*self.home.disk)? else { return Ok(false) };
        // What is written is merged all the same; `compact`, `doctor` and the daemon tell of the month.
        self.compact(turn, None, &mut |_, _| ())?;
        self.tail_bytes = 0;
        Ok(true)
    }

    /// Looks at everything; with the turn to `repair`, mends what needs no decision.
    ///
    /// # Errors
    /// When the home cannot be read at all.
    pub fn examine(&mut self, repair: Option<Turn>) -> Result<Vec<Finding>> {
        let (mut findings, repairs) = (Vec::new(), repair.is_some());
        self.journals.refresh()?;
        let command = Command { at: self.now, verb: "doctor".into() };
        if let Some(turn) = repair {
            self.journals.adopt(&self.lock, self.now.day(), &command)?;
            self.salvage()?;
            self.repair_checkpoint(turn, &mut findings)?;
        }
        self.examine_checkpoint(&mut findings)?;
        self.journals.refresh()?;
        findings.extend(amiss(&self.journals));
        for log in self.journals.logs().cloned().collect::<Vec<_>>() {
            self.journals.scrub(&log)?;
        }
        self.journals.save_holes(&self.lock)?;
        for hole in self.journals.holes() {
            let place = format!("{} at {}", hole.log, hole.from.position);
            let what = format!("{} bytes are damaged", hole.until.position - hole.from.position);
            let next = "`cocli daemon` fetches them from another node";
            findings.push(Finding::open(Problem::JournalDamaged, place, what, next));
        }
        self.examine_archive(repairs, &mut findings)?;
        match Reader::open(&mut self.journals).and_then(|reader| reader.odd()) {
            Ok(odd) => findings.extend(odd.into_iter().map(|odd| Finding {
                problem: Problem::OddRecord,
                place: format!("{} at {}", odd.log, odd.position),
                what: odd.why,
                outcome: Outcome::Fact,
                next: None,
            })),
            // Named already, with the checkpoint.
            Err(StoreError::Unheld { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let without = self.home.without_card()?;
        if without > 0 {
            findings.push(Finding {
                problem: Problem::CardsMissing,
                place: POOL.join(", "),
                what: format!("companies and people without a card: {without}"),
                outcome: Outcome::Fact,
                next: Some("`cocli compact` puts their cards in place".into()),
            });
        }
        let cards = self.home.look_at_cards()?;
        for held in cards.held {
            let next = format!("`cocli accept {0}` or `cocli reject {0}`", held.target);
            findings.push(Finding::open(Problem::EditsWait, held.path, held.why, next));
        }
        for (place, what) in cards.broken {
            let next = "mend the file in an editor; until then it is left alone";
            findings.push(Finding::open(Problem::CardBroken, place, what, next));
        }
        Ok(findings)
    }

    fn repair_checkpoint(&mut self, turn: Turn, findings: &mut Vec<Finding>) -> Result<()> {
        let means = self.home.means();
        let mut of_month = |month, error: StoreError| {
            findings.push(Finding {
                problem: Problem::MonthNotMerged,
                place: cocli_store::paths::checkpoint(Some(month)),
                what: format!("heartbeats and tasks of {month} are not merged: {error}"),
                outcome: Outcome::Open,
                next: None,
            });
        };
        match turn.repair(&self.lock, &mut self.journals, &means, &mut of_month) {
            // What cannot be made anew is named below.
            Err(StoreError::Unheld { .. }) => {}
            done => {
                let rebuilt = done?.rebuilt;
                if rebuilt > 0 {
                    findings.push(Finding {
                        problem: Problem::CheckpointDamaged,
                        place: cocli_store::paths::CHECKPOINT.into(),
                        what: format!("{rebuilt} damaged shards were made anew from the journals"),
                        outcome: Outcome::Mended,
                        next: None,
                    });
                }
            }
        }
        Ok(())
    }

    /// Files of the checkpoint that are not what they are named by.
    fn examine_checkpoint(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let lost = self.home.history_lost_until()?;
        for (place, what) in checkpoint::damaged(&*self.home.disk)? {
            let next = match lost {
                None => "`cocli doctor --repair` makes it anew from the journals".into(),
                Some(day) => format!(
                    "history up to {day} is not kept here, so the journals cannot tell it: the checkpoint of another node has to be fetched"
                ),
            };
            findings.push(Finding::open(Problem::CheckpointDamaged, place, what, next));
        }
        Ok(())
    }

    /// Files of the archive whose index is damaged; holes in them are named with the others.
    fn examine_archive(&mut self, repair: bool, findings: &mut Vec<Finding>) -> Result<()> {
        for unsound in cocli_store::archive::unsound(&self.journals)? {
            let mut finding = Finding {
                problem: Problem::ArchiveIndexDamaged,
                place: unsound.path,
                what: "its index is damaged: who asks for one target reads all of it".into(),
                outcome: Outcome::Open,
                next: Some("`cocli doctor --repair`, then `cocli compact` writes it anew".into()),
            };
            if repair {
                self.journals.take_out(&self.lock, &unsound.log, unsound.piece)?;
                finding.outcome = Outcome::Mended;
                finding.next = Some("the next `cocli compact` writes it anew".into());
            }
            findings.push(finding);
        }
        Ok(())
    }
}
