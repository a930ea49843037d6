//! Lost updates (law 6): values that another writer's took the place of, unseen.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::merge::Entry;
use crate::stamp::Stamp;

/// Of all that was ever written at one field: the winner, and what was lost, the newest first; of equal
/// values the newest alone. `None` when nothing was lost.
///
/// Lost is what is not the winner, has another value, is named in nobody's causality, and has nothing
/// greater whose writer does not say what it saw. Of equal values the newest counts: who saw it saw the
/// value, whoever else had written the same.
#[must_use]
pub fn lost<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Option<(&'a Entry, Vec<&'a Entry>)> {
    let all: BTreeSet<&Entry> = entries.into_iter().collect();
    let winner = *all.last()?;
    let seen: BTreeSet<Stamp> = all.iter().flat_map(|entry| entry.causality.stamps()).collect();
    let mut values = BTreeSet::from([&winner.value]);
    let mut lost = Vec::new();
    for entry in all.iter().rev() {
        if values.insert(&entry.value) && !seen.contains(&entry.stamp) {
            lost.push(*entry);
        }
        if entry.causality.as_str().is_empty() {
            // Nobody knows what its writer saw: all that is older may have been seen.
            break;
        }
    }
    (!lost.is_empty()).then_some((winner, lost))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::datagram::Causality;
    use crate::name::NodeId;
    use crate::time::Instant;
    use crate::value::Value;

    fn stamp(at: i64, node: &str) -> Stamp {
        let instant = Instant::from_micros(at).unwrap();
        Stamp { instant, node: NodeId::written(node).unwrap() }
    }

    fn entry(at: i64, node: &str, value: &str, saw: Causality) -> Entry {
        Entry { stamp: stamp(at, node), value: Value::text(value), causality: saw }
    }

    fn told(entries: &[Entry]) -> alloc::string::String {
        let Some((winner, lost)) = lost(entries) else { return "none".to_string() };
        let values = core::iter::once(winner).chain(lost).map(|entry| entry.value.as_str());
        values.collect::<Vec<_>>().join(" over ")
    }

    #[test]
    fn what_somebody_saw_is_not_lost_and_what_nobody_saw_is() {
        let first = entry(1, "a", "Paris", Causality::nothing());
        let over = entry(2, "b", "Lyon", Causality::saw([&stamp(1, "a")]));
        assert_eq!(told(&[first.clone(), over.clone()]), "none");
        let blind = entry(3, "c", "Metz", Causality::nothing());
        assert_eq!(told(&[first.clone(), blind.clone()]), "Metz over Paris");
        assert_eq!(told(&[blind.clone(), over.clone(), first.clone()]), "Metz over Lyon");
        let settled = entry(4, "a", "Lyon", Causality::saw([&stamp(2, "b"), &stamp(3, "c")]));
        assert_eq!(told(&[settled, blind, over, first]), "none");
    }

    #[test]
    fn equal_values_are_no_conflict_and_are_told_once() {
        let nothing = Causality::nothing;
        let all = [
            entry(1, "a", "Paris", nothing()),
            entry(2, "b", "Lyon", nothing()),
            entry(3, "c", "Paris", nothing()),
            entry(4, "d", "Lyon", nothing()),
        ];
        assert_eq!(told(&all[..1]), "none");
        assert_eq!(told(&all), "Lyon over Paris");
        assert_eq!(lost(&all).unwrap().1[0].stamp, stamp(3, "c"));
    }

    #[test]
    fn who_saw_the_newest_of_equal_values_saw_the_value() {
        let nothing = Causality::nothing;
        // Two nodes bring the same list in, and one goes on from there.
        let both = [entry(1, "a", "Paris", nothing()), entry(2, "b", "Paris", nothing())];
        let over = entry(3, "a", "Rome", Causality::saw([&stamp(2, "b")]));
        assert_eq!(told(&[both[0].clone(), both[1].clone(), over]), "none");
        // What is settled does not come back by an older one of the same value.
        let blind = entry(3, "c", "Lyon", nothing());
        let settled = entry(4, "d", "Lyon", Causality::saw([&stamp(2, "b"), &stamp(3, "c")]));
        let [one, other] = both;
        assert_eq!(told(&[one.clone(), other.clone(), blind.clone()]), "Lyon over Paris");
        assert_eq!(told(&[one, other, blind, settled]), "none");
        // Who saw only the older one did not see that somebody wanted it once more.
        let again = [
            entry(1, "a", "Paris", nothing()),
            entry(2, "b", "Rome", Causality::saw([&stamp(1, "a")])),
            entry(3, "c", "Paris", nothing()),
            entry(4, "b", "Metz", Causality::saw([&stamp(2, "b")])),
        ];
        assert_eq!(told(&again), "Metz over Paris");
    }

    #[test]
    fn what_is_older_than_one_who_does_not_say_what_he_saw_is_not_lost() {
        let all = [
            entry(1, "a", "Paris", Causality::nothing()),
            entry(2, "python", "Lyon", Causality::unsaid()),
            entry(3, "b", "Metz", Causality::nothing()),
        ];
        assert_eq!(told(&all), "Metz over Lyon");
        assert_eq!(told(&all[..2]), "none");
    }
}
