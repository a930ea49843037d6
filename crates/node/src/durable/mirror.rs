//! The mirror: cards of companies and people, for whoever looks into the bucket. docs/bucket.md, "Mirror".

mod cards;

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use cocli_core::bucket::{FailureKind, Key};
use cocli_core::digest::hash;
use cocli_core::schema::POOL;
use cocli_core::{Entity, Instant, Target};
use cocli_store::{Reader, paths};

use self::cards::Cards;
use super::Durable;
use crate::cards::{made_anew, place_anew};
use crate::error::Result;
use crate::home::read_if_there;

/// Cards that are put between two times that it is kept which were.
const PUT_AT_ONCE: usize = 256;
/// Cards that are removed by one request.
const REMOVED_AT_ONCE: usize = 1000;

/// What became of the mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Cards that were put there.
    pub put: usize,
    /// Cards that were removed there.
    pub removed: usize,
    /// Cards that are not there yet as they should be.
    pub waiting: usize,
    /// Why it was not looked at what is missing there.
    pub notice: Option<String>,
}

/// Bytes of the cards that stand in the bucket, by path.
type There = HashMap<String, u64>;

impl Durable<'_> {
    /// Puts cards that are not in the bucket as they are here: at most `budget`, the longest waiting first; and
    /// removes those of targets that were removed. With `mend` one listing tells, where it may be had, what is
    /// missing there or has another size than was put, and that counts as not there. What was put is counted before it
    /// is tried: a mirror that breaks off again and again puts no more than one that does not.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what was put before counts.
    pub fn mirror(&mut self, budget: usize, mend: bool, now: Instant) -> Result<Mirrored> {
        let mut mirrored = Mirrored::default();
        let there = if mend { self.mirror_there(&mut mirrored) } else { None };
        let mut cards = self.compared(there.as_ref(), now)?;
        drop(there);
        let brought = self.bring(&mut cards, budget, &mut mirrored);
        let kept = cards.save(&*self.home.disk);
        brought?;
        kept?;
        mirrored.waiting = cards.waiting();
        Ok(mirrored)
    }

    /// What stands in the bucket; `None` where nobody may list it, or that failed.
    fn mirror_there(&self, mirrored: &mut Mirrored) -> Option<There> {
        let mut there = There::new();
        for collection in POOL {
            match self.bucket.list(&Key::mirror(&format!("{collection}/"))) {
                Ok(listed) => {
                    let cards = listed.into_iter().filter(|one| one.key.as_str().ends_with(".md"));
                    there.extend(cards.map(|one| (one.key.to_string(), one.bytes)));
                }
                Err(failure) => {
                    let denied = failure.kind == FailureKind::Denied;
                    mirrored.notice = (!denied).then(|| {
                        format!("{failure}: what is missing in the mirror is looked for again a day later")
                    });
                    return None;
                }
            }
        }
        Some(there)
    }

    /// What was put, compared with what is known here.
    fn compared(&self, there: Option<&There>, now: Instant) -> Result<Cards> {
        let text = read_if_there(&*self.home.disk, paths::MIRROR)?.unwrap_or_default();
        self.home.read(|reader| {
            let mut cards = Cards::read(&text, &self.seen.url);
            compare(&mut cards, reader, there, now)?;
            Ok(cards)
        })
    }

    /// Removes and puts.
    fn bring(&mut self, cards: &mut Cards, budget: usize, mirrored: &mut Mirrored) -> Result<()> {
        for some in cards.unwanted().chunks(REMOVED_AT_ONCE) {
            let keys: Vec<Key> = some.iter().map(|path| Key::mirror(path)).collect();
            self.bucket.remove(&keys)?;
            some.iter().for_each(|path| cards.forget(path));
            mirrored.removed += some.len();
        }
        for some in cards.longest_waiting(budget).chunks(PUT_AT_ONCE) {
            // Whatever becomes of these, and of this process: until it is known, nothing is known of them.
            some.iter().for_each(|path| cards.doubt(path));
            cards.save(&*self.home.disk)?;
            self.seen.put_since.1 += some.len();
            self.save()?;
            self.put(some, cards, mirrored)?;
        }
        Ok(())
    }

    /// Puts some cards as they are now.
    fn put(&self, some: &[String], cards: &mut Cards, mirrored: &mut Mirrored) -> Result<()> {
        let of = |path: &String| Target::read(paths::folder(path)).ok();
        let targets: BTreeSet<Target> = some.iter().filter_map(of).collect();
        let known = self.home.read(|reader| reader.entities(&targets))?;
        for path in some {
            let entity = of(path).and_then(|target| known.get_key_value(&target));
            let made = entity.and_then(|(target, entity)| made_anew(target, entity));
            // One that is another's or nobody's by now is seen the next time.
            let Some((_, text)) = made.filter(|(place, _)| place == path) else { continue };
            self.bucket.replace(&Key::mirror(path), text.as_bytes())?;
            cards.settle(path, hash(text.as_bytes()));
            mirrored.put += 1;
        }
        Ok(())
    }
}

/// Looks at every card as it is now: holds one at a time.
fn compare(
    cards: &mut Cards,
    reader: &Reader,
    there: Option<&There>,
    now: Instant,
) -> cocli_store::Result<()> {
    let mut look = |target: &Target, entity: &Entity| match made_anew(target, entity) {
        Some((path, text)) => {
            let bytes = text.len() as u64;
            let lost = there.is_some_and(|there| there.get(&path) != Some(&bytes));
            cards.want(path, hash(text.as_bytes()), lost, now);
        }
        // Another hub may have put it there.
        None if entity.removed().is_some() => {
            if let Some(path) = place_anew(target, entity)
                && there.is_some_and(|there| there.contains_key(&path))
            {
                cards.meet(path);
            }
        }
        None => {}
    };
    let _ = reader.in_order(|target, entity| {
        // A put for each note and meeting would cost more than all the rest.
        if target.is_entity() {
            look(target, entity);
        }
        ControlFlow::<()>::Continue(())
    })?;
    Ok(())
}
