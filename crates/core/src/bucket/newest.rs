//! The newest of numbered objects, without a listing.

use super::Failure;

/// The greatest number of those that are there, where `known` is there or 0, and all between 1 and the newest are: by
/// doubling, then by halves. Asks about twice the binary logarithm of what is new.
///
/// # Errors
/// The first failure of `is_there`.
pub fn newest(
    known: u64,
    mut is_there: impl FnMut(u64) -> Result<bool, Failure>,
) -> Result<u64, Failure> {
    let (mut low, mut step) = (known, 1);
    let mut high = loop {
        let next = low.saturating_add(step);
        if next == low || !is_there(next)? {
            break next;
        }
        low = next;
        step *= 2;
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_there(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
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
                Ok(n <= all)
            });
            prop_assert_eq!(found, Ok(all));
            prop_assert!(asked <= 2 * (64 - (all - known).leading_zeros()) + 2);
        }
    }
}
