//! The newest of numbered objects, without a listing.

use alloc::vec::Vec;

use super::Failure;

/// The greatest number of those that are there, where `known` is there or 0, and all between 1 and the newest are: by
/// doubling, then by halves. Asks about twice the binary logarithm of what is new, and once more where nothing is.
/// Gives the number with what stands there, 0 without.
///
/// # Errors
/// The first failure of `get`.
pub fn newest(
    known: u64,
    mut get: impl FnMut(u64) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<(u64, Option<Vec<u8>>), Failure> {
    let (mut low, mut there, mut step) = (known, None, 1);
    let mut high = loop {
        let next = low.saturating_add(step);
        let Some(bytes) = (if next == low { None } else { get(next)? }) else { break next };
        (low, there) = (next, Some(bytes));
        step *= 2;
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match get(middle)? {
            Some(bytes) => (low, there) = (middle, Some(bytes)),
            None => high = middle,
        }
    }
    if there.is_none() && low > 0 {
        there = get(low)?;
    }
    Ok((low, there))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_newest_is_found_in_few_questions(all in 0u64..5_000, known in 0u64..5_000) {
            let known = known.min(all);
            let mut asked = 0;
            let found = newest(known, |n| {
                asked += 1;
                Ok((n <= all).then(|| n.to_be_bytes().to_vec()))
            });
            let there = (all > 0).then(|| all.to_be_bytes().to_vec());
            prop_assert_eq!(found, Ok((all, there)));
            prop_assert!(asked <= 2 * (64 - (all - known).leading_zeros()) + 2);
        }
    }
}
