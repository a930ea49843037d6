//! Claims of tasks that are done go when no log tells of these tasks any more: docs/queues.md.

use std::collections::BTreeMap;

use cocli_core::bucket::{Key, Listed};
use cocli_core::task::{Claim, Step};

use super::Durable;
use super::tidy::number_of;
use crate::error::Result;

/// How much older than the newest claim all of a task's have to be: microseconds. Four months, as what expires is told
/// for three and rests for a day: no node can take the task for one that waits.
const REST_US: i64 = 124 * 24 * 3600 * 1_000_000;
/// Tasks that are looked at in a day.
const TASKS_A_DAY: usize = 10_000;

impl Durable<'_> {
    /// Removes the claims of tasks that are done and old. Tells how many objects it removed.
    ///
    /// # Errors
    /// When the bucket cannot be asked.
    pub fn tidy_claims(&mut self) -> Result<usize> {
        let listed = self.bucket.list(&Key::claims())?;
        let mut over = Vec::new();
        for chain in old(&listed).into_values().take(TASKS_A_DAY) {
            let Some((_, newest)) = chain.last_key_value() else { continue };
            let claim = self.bucket.get(newest)?.and_then(|text| Claim::read(&text));
            if claim.is_some_and(|claim| claim.step == Step::Done) {
                over.extend(chain.into_values().cloned());
            }
        }
        self.remove(&over)?;
        Ok(over.len())
    }
}

/// The claims of each task of which all are old, by their numbers.
fn old(listed: &[Listed]) -> BTreeMap<&str, BTreeMap<u64, &Key>> {
    let last = listed.iter().map(|one| one.written).max().unwrap_or_default();
    let mut tasks: BTreeMap<&str, Option<BTreeMap<u64, &Key>>> = BTreeMap::new();
    for one in listed {
        let Some((task, number)) = one.key.as_str().rsplit_once('/') else { continue };
        let n = number_of(number);
        let is_old = last.saturating_sub(one.written) > REST_US;
        let chain = tasks.entry(task).or_insert_with(|| Some(BTreeMap::new()));
        match (n.filter(|_| is_old), chain.as_mut()) {
            (Some(n), Some(numbers)) => drop(numbers.insert(n, &one.key)),
            _ => *chain = None,
        }
    }
    tasks.into_iter().filter_map(|(task, chain)| Some((task, chain?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use cocli_core::NodeId;
    use cocli_core::bucket::Bucket;

    use super::*;
    use crate::durable::fake::MemoryBucket;
    use crate::support::{at, home};

    const DAY: i64 = 24 * 3600 * 1_000_000;

    fn claim(bucket: &MemoryBucket, task: &str, n: u64, step: Step, day: i64) -> Key {
        let key = Key::claim("roadmap", "list", task, n);
        let (node, token) = (NodeId::read("pi1").unwrap(), "k3xm".to_owned());
        let (attempt, beat, expires_ms) = (1, 0, 60_000);
        let claim = Claim { n, step, node, token, attempt, beat, expires_ms, reason: None };
        bucket.set_now(day * DAY);
        bucket.create(&key, &claim.text()).unwrap();
        key
    }

    #[test]
    fn only_claims_of_tasks_that_have_been_done_for_months_are_removed() {
        let (dir, bucket) = (tempfile::tempdir().unwrap(), MemoryBucket::new());
        let one = home(dir.path(), "one", at(0));
        let over = [
            claim(&bucket, "old", 1, Step::Held, 0),
            claim(&bucket, "old", 2, Step::Failed, 0),
            claim(&bucket, "old", 9, Step::Held, 0),
            claim(&bucket, "old", 10, Step::Done, 1),
        ];
        let stay = [
            claim(&bucket, "aside", 1, Step::Sideline, 0),
            claim(&bucket, "held", 1, Step::Held, 0),
            claim(&bucket, "late", 1, Step::Held, 0),
            claim(&bucket, "late", 2, Step::Done, 2),
            claim(&bucket, "again", 1, Step::Done, 0),
            claim(&bucket, "again", 2, Step::Retry, 100),
            claim(&bucket, "new", 1, Step::Done, 126),
        ];
        let odd = Key::read("claims/roadmap/list/x/07").unwrap();
        bucket.set_now(0);
        bucket.create(&odd, b"x").unwrap();
        let mut durable = Durable::open(&one, &bucket, "memory:", true).unwrap().unwrap();
        assert_eq!(durable.tidy_claims().unwrap(), over.len());
        for key in &over {
            assert_eq!(bucket.get(key).unwrap(), None, "{key}");
        }
        for key in stay.iter().chain([&odd]) {
            assert!(bucket.get(key).unwrap().is_some(), "{key}");
        }
        assert_eq!(durable.tidy_claims().unwrap(), 0);
    }
}
