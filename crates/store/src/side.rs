//! The same for many things, side by side.

use crate::error::Result;

/// Threads that are of use: beyond them the disk is what takes the time.
const THREADS_MAX: usize = 8;
/// Up to so many things one thread is as fast as several, and does them in order.
const ALONE: usize = 64;

/// Threads that run at the same time on this machine.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// As many threads as are of use where the disk has its part in the work.
pub(crate) fn threads() -> usize {
    processors().min(THREADS_MAX)
}

/// What `one` says of each thing, in their order: on all processors when there are many.
///
/// # Panics
/// When `one` does.
pub fn by_side<T: Sync, R: Send>(things: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // The system takes longer to say how many threads there are than a few things take.
    let threads = if things.len() <= ALONE { 1 } else { threads() };
    if threads == 1 {
        return things.iter().map(one).collect();
    }
    let one = &one;
    std::thread::scope(|scope| {
        let parts = things.chunks(things.len().div_ceil(threads));
        let running: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(one).collect())).collect();
        let ends = running.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ends.collect::<Vec<Vec<R>>>().into_iter().flatten().collect()
    })
}

/// Runs `work` on so many threads, this one among them, and gives the first error.
pub(crate) fn side_by_side(workers: usize, work: &(dyn Fn() -> Result<()> + Sync)) -> Result<()> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let first = work();
        let died = |panic| std::panic::resume_unwind(panic);
        others.into_iter().map(|other| other.join().unwrap_or_else(died)).fold(first, Result::and)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_stand_in_the_order_of_the_things() {
        for count in [0, 1, ALONE, ALONE + 1, 1_000] {
            let things: Vec<usize> = (0..count).collect();
            assert_eq!(by_side(&things, |n| n * 2), (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }
}
