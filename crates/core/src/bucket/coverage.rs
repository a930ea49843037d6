//! What the bucket is known to hold of each log.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::name::LogId;

/// Bytes of logs, as intervals of positions that neither meet nor overlap, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<LogId, Vec<(u64, u64)>>);

impl Coverage {
    /// Adds the bytes of a log from one position up to another.
    pub fn add(&mut self, log: &LogId, from: u64, until: u64) {
        if from >= until {
            return;
        }
        let held = self.0.entry(log.clone()).or_default();
        let first = held.partition_point(|(_, end)| *end < from);
        let last = held.partition_point(|(start, _)| *start <= until);
        let met = held.get(first..last).unwrap_or_default();
        let start = met.first().map_or(from, |(start, _)| from.min(*start));
        let end = met.last().map_or(until, |(_, end)| until.max(*end));
        held.splice(first..last, [(start, end)]);
    }

    /// Takes away what is known of a log.
    pub fn forget(&mut self, log: &LogId) {
        self.0.remove(log);
    }

    /// What is missing of a log between two positions, in order.
    #[must_use]
    pub fn missing(&self, log: &LogId, from: u64, until: u64) -> Vec<(u64, u64)> {
        let (mut missing, mut at) = (Vec::new(), from);
        for (start, end) in self.0.get(log).into_iter().flatten() {
            if *start >= until {
                break;
            }
            if *start > at {
                missing.push((at, *start));
            }
            at = at.max(*end);
        }
        if at < until {
            missing.push((at, until));
        }
        missing
    }

    /// The intervals of each log.
    pub fn iter(&self) -> impl Iterator<Item = (&LogId, &[(u64, u64)])> {
        self.0.iter().map(|(log, held)| (log, held.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_missing_is_what_was_never_added(
            added in proptest::collection::vec((0u64..40, 0u64..12), 0..12),
            (from, len) in (0u64..40, 0u64..40),
        ) {
            let log = LogId::read("pi1").unwrap();
            let (mut coverage, mut bytes) = (Coverage::default(), BTreeSet::new());
            for (from, len) in added {
                coverage.add(&log, from, from + len);
                bytes.extend(from..from + len);
            }
            let missing = coverage.missing(&log, from, from + len);
            let found: BTreeSet<u64> = missing.iter().flat_map(|(a, b)| *a..*b).collect();
            let expected = (from..from + len).filter(|at| !bytes.contains(at)).collect();
            prop_assert_eq!(found, expected);
            for (_, held) in coverage.iter() {
                prop_assert!(held.windows(2).all(|two| two[0].1 < two[1].0));
                prop_assert!(held.iter().all(|(from, until)| from < until));
            }
        }
    }
}
