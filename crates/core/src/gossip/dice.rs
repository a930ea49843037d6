//! Random numbers from the seed that came with the start: for jitter and the choice of peers, never
//! for secrets that outlive the process.

use core::convert::Infallible;

use rand_core::TryRng;

/// A generator: the same seed gives the same numbers ("splitmix64", S. Vigna, public domain).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// A number from `least` to twice that.
    pub(crate) fn stretched(&mut self, least: u64) -> u64 {
        least.saturating_add(self.below(least))
    }

    /// Keeps `count` of the items, each with equal chance.
    pub(crate) fn keep<T>(&mut self, items: &mut alloc::vec::Vec<T>, count: usize) {
        while items.len() > count {
            let at = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
            items.swap_remove(at);
        }
    }
}

/// The same numbers for `foca`.
impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::try_from(self.next() >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
