//! Buckets for tests: one in memory that counts what is asked of it, and one that fails as a plan says.
//!
//! Neither waits, draws randomness of its own or reads a clock: the same seed and the same calls give the
//! same answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key, Listed};

/// How often each operation was asked for. Of `get_all` and `create_all` each object counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Objects that were asked for, found or not.
    pub get: u64,
    /// Objects to be created, whether they were new or not.
    pub create: u64,
    /// Objects put in place of others.
    pub replace: u64,
    /// Listings.
    pub list: u64,
    /// Listings of folders.
    pub folders: u64,
    /// Calls that removed, however many objects.
    pub remove: u64,
}

#[derive(Debug, Default)]
struct Memory {
    objects: BTreeMap<String, (Vec<u8>, i64)>,
    asked: Asked,
    now: i64,
}

/// A bucket in memory. Its clones are the same bucket.
#[derive(Debug, Clone, Default)]
pub struct MemoryBucket(Arc<Mutex<Memory>>);

impl MemoryBucket {
    /// An empty one, its clock at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked of it so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.memory().asked
    }

    /// Sets its clock, which stamps what is written from now on: microseconds since 1970.
    pub fn set_now(&self, now: i64) {
        self.memory().now = now;
    }

    /// All that it holds, without counting.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.memory().objects.iter().map(|(key, (bytes, _))| (key.clone(), bytes.clone())).collect()
    }

    /// Puts bytes there without counting, as rot or a person would.
    pub fn plant(&self, key: &Key, bytes: &[u8]) {
        let mut memory = self.memory();
        let now = memory.now;
        memory.objects.insert(key.to_string(), (bytes.to_vec(), now));
    }

    /// Takes an object away without counting; whether it was there.
    pub fn lose(&self, key: &Key) -> bool {
        self.memory().objects.remove(key.as_str()).is_some()
    }
}

impl Bucket for MemoryBucket {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        let mut memory = self.memory();
        memory.asked.get += 1;
        Ok(memory.objects.get(key.as_str()).map(|(bytes, _)| bytes.clone()))
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        let mut memory = self.memory();
        memory.asked.create += 1;
        if memory.objects.contains_key(key.as_str()) {
            return Ok(Created::Exists);
        }
        let now = memory.now;
        memory.objects.insert(key.to_string(), (bytes.to_vec(), now));
        Ok(Created::New)
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        let mut memory = self.memory();
        memory.asked.replace += 1;
        let now = memory.now;
        memory.objects.insert(key.to_string(), (bytes.to_vec(), now));
        Ok(())
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        let mut memory = self.memory();
        memory.asked.list += 1;
        let below = memory.objects.iter().filter(|(key, _)| key.starts_with(folder.as_str()));
        let listed = below.filter_map(|(key, (bytes, written))| {
            Some(Listed { key: Key::read(key)?, bytes: bytes.len() as u64, written: *written })
        });
        Ok(listed.collect())
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        let mut memory = self.memory();
        memory.asked.folders += 1;
        let below = memory.objects.keys().filter_map(|key| key.strip_prefix(folder.as_str()));
        let names: BTreeSet<&str> =
            below.filter_map(|rest| Some(rest.split_once('/')?.0)).collect();
        Ok(names.into_iter().map(str::to_string).collect())
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        let mut memory = self.memory();
        memory.asked.remove += 1;
        for key in keys {
            memory.objects.remove(key.as_str());
        }
        Ok(())
    }
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails before it is done: `Away`.
    Away,
    /// It is done and its answer lost: `Away`. What only reads fails like `Away`.
    Lost,
    /// It is refused and not done: `Denied`.
    Denied,
}

/// One operation that is chosen to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Which, counted from 1 on since the plan was set.
    pub at: u64,
    /// How.
    pub fault: Fault,
    /// Whether all after it fail too.
    pub for_good: bool,
}

/// What goes wrong, and how often. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// What the draws come from.
    pub seed: u64,
    /// Of 100 operations, how many fail before they are done.
    pub away: u8,
    /// Of 100 operations, how many are done but their answer is lost.
    pub lost: u8,
    /// Of 100 operations, how many are refused.
    pub denied: u8,
    /// How many reads of an object through this wrapper miss it after it was created, whoever created it.
    /// One that was read through it before, under any plan, is not missed again.
    pub stale_gets: u32,
    /// How many listings through this wrapper miss an object, or a folder, that they never told of.
    pub stale_lists: u32,
    /// One that fails for sure.
    pub chosen: Option<Chosen>,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    draws: u64,
    asked: u64,
    failed: u64,
    read: BTreeMap<String, u32>,
    listed: BTreeMap<String, u32>,
}

/// A bucket that fails by plan and is a true one below: what it was told and holds is never wrong, only late.
#[derive(Debug)]
pub struct Faulty<B> {
    below: B,
    state: Mutex<State>,
}

impl<B: Bucket> Faulty<B> {
    /// Lets what is asked of `below` fail by this plan.
    #[must_use]
    pub fn new(below: B, plan: Plan) -> Self {
        let (read, listed) = (BTreeMap::new(), BTreeMap::new());
        let state = State { plan, draws: plan.seed, asked: 0, failed: 0, read, listed };
        Self { below, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket below, which does not fail.
    pub fn below(&self) -> &B {
        &self.below
    }

    /// Takes another plan from now on; `Plan::default()` mends everything. Operations count from 1 again.
    pub fn follow(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = plan;
        state.draws = plan.seed;
        state.asked = 0;
    }

    /// How many operations were asked for since the plan was set.
    pub fn asked(&self) -> u64 {
        self.state().asked
    }

    /// How many operations failed, under all plans.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Does it, or fails as the plan says at this operation.
    fn ask<T>(
        &self,
        what: &str,
        key: &str,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let fault = self.state().next_fault();
        let told = |kind, how: &str| Failure::new(kind, format!("{what} {key}: {how} by plan"));
        match fault {
            None => act(),
            Some(Fault::Away) => Err(told(FailureKind::Away, "away")),
            Some(Fault::Denied) => Err(told(FailureKind::Denied, "denied")),
            Some(Fault::Lost) => {
                act()?;
                Err(told(FailureKind::Away, "answer lost"))
            }
        }
    }
}

impl State {
    fn next_fault(&mut self) -> Option<Fault> {
        self.asked += 1;
        let drawn = self.draw_percent();
        let Plan { away, lost, denied, chosen, .. } = self.plan;
        let (away, lost, denied) = (u64::from(away), u64::from(lost), u64::from(denied));
        let hit = chosen.filter(|c| self.asked == c.at || (c.for_good && self.asked > c.at));
        let fault = hit.map(|chosen| chosen.fault).or_else(|| match drawn {
            n if n < away => Some(Fault::Away),
            n if n < away + lost => Some(Fault::Lost),
            n if n < away + lost + denied => Some(Fault::Denied),
            _ => None,
        });
        self.failed += u64::from(fault.is_some());
        fault
    }

    /// splitmix64: small, and the same everywhere.
    fn draw_percent(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.draws;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }
}

/// Whether this look at a thing misses it: the first `misses` do.
fn missed(looks: &mut BTreeMap<String, u32>, name: &str, misses: u32) -> bool {
    let looked = looks.entry(name.to_string()).or_insert(0);
    let missed = *looked < misses;
    *looked = if missed { *looked + 1 } else { u32::MAX };
    missed
}

impl<B: Bucket> Bucket for Faulty<B> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        let found = self.ask("get", key.as_str(), || self.below.get(key))?;
        let mut state = self.state();
        let misses = state.plan.stale_gets;
        Ok(found.filter(|_| !missed(&mut state.read, key.as_str(), misses)))
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        self.ask("create", key.as_str(), || self.below.create(key, bytes))
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        self.ask("replace", key.as_str(), || self.below.replace(key, bytes))
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        let mut listed = self.ask("list", folder.as_str(), || self.below.list(folder))?;
        let mut state = self.state();
        let misses = state.plan.stale_lists;
        listed.retain(|one| !missed(&mut state.listed, one.key.as_str(), misses));
        Ok(listed)
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        let mut names = self.ask("folders", folder.as_str(), || self.below.folders(folder))?;
        let mut state = self.state();
        let misses = state.plan.stale_lists;
        names.retain(|name| !missed(&mut state.listed, &format!("{folder}{name}/"), misses));
        Ok(names)
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        let first = keys.first().map_or("nothing", Key::as_str);
        self.ask("remove", first, || self.below.remove(keys))
    }
}

#[cfg(test)]
mod tests;
