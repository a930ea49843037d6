//! A home made of what stands in the bucket: the checkpoint that was published, and the objects behind it.
//! docs/bucket.md, "Clone".

use std::collections::BTreeSet;
use std::path::Path;

use cocli_core::bucket::{Bucket, Failure, FailureKind, Key, Manifest};
use cocli_core::limits::TAIL_BYTES_MAX;
use cocli_core::schema::POOL;
use cocli_core::{ClusterId, Instant, NodeId, Vector};
use cocli_store::{Command, HomeLock, SharedDisk, StoreError, checkpoint, paths};

use super::founding::Founding;
use super::published::newest_manifest;
use super::pull::{Pulled, Reach, is_held};
use super::{Durable, mark, published};
use crate::cards::Placed;
use crate::error::{NodeError, Result};
use crate::home::{Birth, Home, Rim, first_config, replace};

/// Where a clone comes from, and who hears how far it is.
#[derive(Clone, Copy)]
pub struct Source<'b> {
    /// The bucket.
    pub bucket: &'b dyn Bucket,
    /// What the configuration of the new home names it by.
    pub url: &'b str,
    /// What is not there is answered by "forbidden".
    pub missing_is_denied: bool,
    /// Hears what is done, and how much of it has come of how much; 0 of 0 where that is not known.
    pub watch: &'b dyn Fn(Stage, u64, u64),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What a clone does, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Files of the checkpoint come: bytes of lines.
    Files,
    /// They become this home's checkpoint.
    Join,
    /// Objects of nodes come.
    Objects,
    /// What came is merged.
    Merge,
    /// Cards are put in place.
    Cards,
}

/// What a clone came to.
#[derive(Debug, Default)]
pub struct Cloned {
    /// The manifest that it began with: its number, who published it, and when; none where there was none, or
    /// an earlier try had come further.
    pub manifest: Option<(u64, NodeId, String)>,
    /// Objects that were read behind it, and bytes of records in them that were new.
    pub objects: usize,
    /// Bytes of records that they brought.
    pub bytes: u64,
    /// Objects that begin behind what is held of a log: what lies between is nowhere in the bucket yet.
    pub waiting: usize,
    /// Objects that could not be read, and were passed over.
    pub damaged: Vec<String>,
    /// What a person may want to know.
    pub notices: Vec<String>,
    /// Companies that are not removed, and people.
    pub companies: usize,
    /// People that are not removed.
    pub people: usize,
    /// State lines.
    pub values: usize,
    /// What became of the cards.
    pub cards: Placed,
}

/// Whose bucket it is.
///
/// # Errors
/// When it cannot be asked, or nobody has written there.
pub fn cluster_of(bucket: &dyn Bucket) -> Result<ClusterId, Failure> {
    let there = Founding::there(bucket)?.ok_or_else(|| {
        let what = "it is not there: no cluster keeps anything here, or it is another folder";
        Failure::wrong(&Key::cluster(), what)
    })?;
    Ok(there.cluster)
}

/// Makes a home of what stands in the bucket: a node of its cluster, without keys. `path` may be absent or
/// empty, or hold what such a try left that was cut off: then it goes on.
///
/// # Errors
/// When there is a home already, the bucket cannot be asked, something there is not what it should be, or the
/// disk refuses. What came is kept for the next try.
pub fn clone(
    path: &Path,
    birth: &Birth,
    rim: Rim,
    source: Source<'_>,
    now: Instant,
) -> Result<(Home, Cloned)> {
    clone_onto(Home::folder(path)?, path, birth, rim, source, now)
}

/// As [`clone`], on a disk whose `.cocli/` is there.
pub(crate) fn clone_onto(
    disk: SharedDisk,
    path: &Path,
    birth: &Birth,
    rim: Rim,
    source: Source<'_>,
    now: Instant,
) -> Result<(Home, Cloned)> {
    let (home, mark) = begin(disk, path, birth, rim, source)?;
    let mut cloned = Cloned::default();
    let durable = Durable::open(&home, source.bucket, source.url, false)?;
    let mut durable = durable.ok_or(NodeError::BucketBusy)?;
    durable.seen.missing_is_denied = source.missing_is_denied;
    let manifest = newest_manifest(source.bucket, home.cluster(), 0)?;
    let mut lost = None;
    if let Some(manifest) = manifest.as_ref().filter(|_| durable.seen.manifest == (0, 0)) {
        match take_checkpoint(&mut durable, manifest, source, now) {
            Err(NodeError::Bucket(failure)) if failure.kind == FailureKind::Wrong => {
                durable.notices.push(format!("{failure}: all objects are read instead"));
                lost = published::told(manifest).map(|told| told.frontier);
            }
            taken => {
                taken?;
                cloned.manifest = Some((manifest.n, manifest.hub.clone(), manifest.at.clone()));
            }
        }
    }
    // The hub could not read these either: what they held came with the checkpoint, or something waits.
    let known = manifest.map(|manifest| manifest.again).unwrap_or_default();
    (source.watch)(Stage::Objects, 0, 0);
    durable.meet(true)?;
    let pulled = pull_all(&mut durable, now)?;
    check_bases(&durable, &known)?;
    let damaged = durable.seen.damaged.difference(&known);
    cloned.damaged = damaged.map(|(node, n)| Key::object(node, *n).to_string()).collect();
    cloned.waiting = durable.seen.waiting.len() + lacking(&home, lost.as_ref())?;
    drop(durable);
    (cloned.objects, cloned.bytes, cloned.notices) = (pulled.objects, pulled.bytes, pulled.notices);
    merge_tail(&home, source, now)?;
    home.introduce(&mark.public, now)?;
    cloned.cards = place_cards(&home, source, now)?;
    (cloned.companies, cloned.people, cloned.values) = count(&home)?;
    mark::remove(&*home.disk)?;
    Ok((home, cloned))
}

/// The home, as an earlier try left it, or made now; nothing is in it yet then.
fn begin(
    disk: SharedDisk,
    path: &Path,
    birth: &Birth,
    rim: Rim,
    source: Source<'_>,
) -> Result<(Home, mark::Mark)> {
    let cluster = birth.membership.cluster;
    let wanted = mark::Mark {
        url: source.url.to_owned(),
        cluster: cluster.to_string(),
        public: birth.identity_public.clone(),
        at: None,
        filled: false,
    };
    let left = mark::take_over(&*disk, path, &wanted)?;
    if let Some(mark) = left.filter(|_| matches!(disk.stat(paths::ID), Ok(Some(_)))) {
        return Ok((Home::over(disk, path, rim)?, mark));
    }
    let known = birth.maybe_known || source.bucket.get(&Key::object(&birth.node, 1))?.is_some();
    let birth = Birth { maybe_known: known, ..birth.clone() };
    wanted.write(&*disk)?;
    let config = crate::config::with_bucket(&first_config(&birth), source.url);
    Ok((Home::lay_out(disk, path, &birth, (rim, config))?, wanted))
}

/// Makes the published checkpoint this home's, which has none and has written nothing.
fn take_checkpoint(
    durable: &mut Durable<'_>,
    manifest: &Manifest,
    source: Source<'_>,
    now: Instant,
) -> Result<()> {
    let heard = |came, all| (source.watch)(Stage::Files, came, all);
    let Some(frontier) = durable.take_published(manifest, &|_| true, &heard)? else {
        durable.seen.manifest = (manifest.n, manifest.generation);
        return Ok(());
    };
    (source.watch)(Stage::Join, 0, 0);
    let home = durable.home;
    if frontier.0.contains_key(home.journals()?.own()) {
        // The cluster knows this name, also where the bucket has no object of it.
        let epoch = (home.rim.epoch)();
        replace(&*home.disk, paths::EPOCH, epoch.as_str().as_bytes())?;
    }
    let lock = HomeLock::take(&*home.disk, "cocli clone")?;
    let mut journals = home.journals()?;
    let command = Command { at: now, verb: "join".into() };
    let key = Key::manifest(manifest.n);
    match checkpoint::join(&lock, &mut journals, &home.means(), &command) {
        Ok(true) => {}
        Ok(false) => return Err(Failure::wrong(&key, "its checkpoint cannot be taken").into()),
        Err(StoreError::Damaged { what, .. }) => {
            return Err(
                Failure::wrong(&key, &format!("its files are not what it says: {what}")).into()
            );
        }
        Err(error) => return Err(error.into()),
    }
    let mut held = Vector::default();
    for (log, head) in &frontier.0 {
        if journals.end(log) >= head.position {
            held.0.insert(log.clone(), *head);
        }
    }
    let mut manifest = manifest.clone();
    if held.0.len() < frontier.0.len() {
        // Logs that do not go on from there are read from their start.
        manifest.objects.values_mut().for_each(|first| *first = 1);
    }
    durable.seen.take_manifest(&manifest, &held);
    durable.save()
}

/// Reads all objects of all nodes, also of those that come to be known by that.
fn pull_all(durable: &mut Durable<'_>, now: Instant) -> Result<Pulled> {
    let mut all = Pulled::default();
    loop {
        let nodes: BTreeSet<NodeId> = durable.seen.writers();
        all.add(durable.pull(&nodes, Reach::All, now)?);
        if durable.seen.next.len() == nodes.len() {
            return Ok(all);
        }
    }
}

/// Refuses a frontier that the objects behind it do not go on from, but for those that are `known` to be of
/// another branch.
fn check_bases(durable: &Durable<'_>, known: &BTreeSet<(NodeId, u64)>) -> Result<()> {
    let journals = durable.home.journals()?;
    let open = durable.seen.open.iter().filter(|(key, _)| !known.contains(*key));
    for log in open.flat_map(|(_, logs)| logs.keys()) {
        let Some(base) = journals.base(log) else { continue };
        if journals.end(log) == base.head.position {
            let what = format!(
                "it says that {log} had come to position {}, and the objects behind it do not go on from there",
                base.head.position
            );
            return Err(Failure::wrong(&Key::manifest(durable.seen.manifest.0), &what).into());
        }
    }
    Ok(())
}

/// How many logs do not come to where a checkpoint that could not be taken covers them.
fn lacking(home: &Home, lost: Option<&Vector>) -> Result<usize> {
    let mut journals = home.journals()?;
    let mut lacking = 0;
    for (log, head) in lost.iter().flat_map(|frontier| &frontier.0) {
        lacking += usize::from(!is_held(&mut journals, log, *head)?);
    }
    Ok(lacking)
}

/// Merges what came behind the checkpoint where it is long, before anything reads all of it.
pub(super) fn merge_tail(home: &Home, source: Source<'_>, now: Instant) -> Result<()> {
    if home.pending()?.bytes > TAIL_BYTES_MAX {
        (source.watch)(Stage::Merge, 0, 0);
        home.session(now)?.compact_if_free()?;
    }
    Ok(())
}

pub(super) fn place_cards(home: &Home, source: Source<'_>, now: Instant) -> Result<Placed> {
    (source.watch)(Stage::Cards, 0, 0);
    home.session(now)?.place_all()
}

/// Companies, people and state lines.
pub(super) fn count(home: &Home) -> Result<(usize, usize, usize)> {
    let tally = home.read(|reader| reader.tally(POOL))?;
    let [companies, people] = tally.living;
    Ok((companies, people, usize::try_from(tally.values).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests;
