//! Jobs that wait for the writer, and which of them may be begun.

use std::collections::VecDeque;

use super::event::Job;

/// Jobs in their order. While a sync is under way only appends are begun: a medium that takes long for
/// it holds nothing up.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Job>,
    syncing: bool,
}

impl Queue {
    /// Adds a job.
    pub fn add(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// Takes the job that is to be begun next. Beside a sync an append may overtake another sync or a
    /// rescan, which then take in what was appended, but nothing that changes which bytes a log has.
    #[must_use]
    pub fn take(&mut self) -> Option<Job> {
        if !self.syncing {
            return self.waiting.pop_front();
        }
        let overtaken = |job: &&Job| matches!(job, Job::Sync | Job::Rescan { .. });
        let at = self.waiting.iter().take_while(overtaken).count();
        self.waiting.get(at).filter(|job| matches!(job, Job::Append(_)))?;
        self.waiting.remove(at)
    }

    /// The job that was taken waits for a sync.
    pub fn sync_begins(&mut self) {
        self.syncing = true;
    }

    /// The sync has ended.
    pub fn sync_ends(&mut self) {
        self.syncing = false;
    }

    /// Whether nothing waits and no sync is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.syncing
    }
}

#[cfg(test)]
mod tests {
    use cocli_core::Epoch;

    use super::*;

    #[test]
    fn beside_a_sync_appends_overtake_syncs_and_rescans_and_nothing_else() {
        let rescan = Job::Rescan { epoch: Epoch::from_random([1; 8]) };
        let (append, heal) = (Job::Append(Vec::new()), Job::Heal(Vec::new()));
        let mut queue = Queue::default();
        for job in [&Job::Sync, &rescan, &append, &Job::Sync, &heal, &append] {
            queue.add(job.clone());
        }
        assert_eq!(queue.take(), Some(Job::Sync));
        queue.sync_begins();
        assert_eq!(queue.take(), Some(append.clone()));
        assert_eq!(queue.take(), None);
        queue.sync_ends();
        let rest: Vec<Job> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(rest, [rescan, Job::Sync, heal, append]);
        assert!(queue.is_idle());
    }
}
