//! What a node says of itself to each live peer: how its machine and its state are. It decides nothing; what
//! cannot be told is absent.

use alloc::string::String;
use alloc::vec::Vec;

use super::Cut;
use crate::limits::{CONDITION_BYTES_MAX, VERSION_BYTES_MAX};

/// The condition of a node, as docs/watching.md tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// The version of the program.
    pub version: Option<String>,
    /// How long the daemon runs, seconds.
    pub up_s: Option<u64>,
    /// The load of the machine over the last minute, in hundredths.
    pub load_hundredths: Option<u64>,
    /// Its processors.
    pub cores: Option<u64>,
    /// Its memory, bytes.
    pub memory: Option<u64>,
    /// What of it is free, bytes.
    pub memory_free: Option<u64>,
    /// What of it the daemon holds, bytes.
    pub resident: Option<u64>,
    /// The file system that holds the home, bytes.
    pub disk: Option<u64>,
    /// What of it is free, bytes.
    pub disk_free: Option<u64>,
    /// The hottest sensor, tenths of a degree Celsius.
    pub temperature_tenths: Option<i64>,
    /// The hash over all logs that stay and how far each is held, as it was when the digest was taken.
    pub vector: Option<u128>,
    /// The sum of the state there.
    pub digest: Option<u128>,
    /// The version of the reading rules: digests are compared between equal ones only.
    pub rules: Option<u64>,
    /// By how much this clock is ahead of the median of its live peers, microseconds.
    pub clock_ahead_us: Option<i64>,
    /// Bytes of its own that are not in the bucket.
    pub bucket_lag: Option<u64>,
    /// Tasks that wait, over all queues.
    pub queued: Option<u64>,
    /// How many things need a person there.
    pub problems: Option<u64>,
}

impl Condition {
    /// Its body in a packet.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(version) = &self.version {
            let end = version.floor_char_boundary(VERSION_BYTES_MAX);
            put(out, 1, &version.as_bytes()[..end]);
        }
        let numbers = [
            (2, self.up_s),
            (3, self.load_hundredths),
            (4, self.cores),
            (5, self.memory),
            (6, self.memory_free),
            (7, self.resident),
            (8, self.disk),
            (9, self.disk_free),
            (10, self.temperature_tenths.map(unsigned)),
            (13, self.rules),
            (14, self.clock_ahead_us.map(unsigned)),
            (15, self.bucket_lag),
            (16, self.queued),
            (17, self.problems),
        ];
        for (key, number) in numbers {
            if let Some(number) = number {
                let bytes = number.to_be_bytes();
                put(out, key, &bytes[number.leading_zeros() as usize / 8..]);
            }
        }
        for (key, sum) in [(11, self.vector), (12, self.digest)] {
            if let Some(sum) = sum {
                put(out, key, &sum.to_be_bytes());
            }
        }
    }

    /// Reads one, whatever its bytes are: a key that is not known, or has another form than here, is stepped
    /// over. `None` when a value is longer than what came, or all of it longer than may be.
    pub(super) fn read(cut: &mut Cut<'_>) -> Option<Self> {
        if cut.0.len() > CONDITION_BYTES_MAX {
            return None;
        }
        let mut it = Self::default();
        while !cut.0.is_empty() {
            let [key, length] = cut.array()?;
            let (value, rest) = cut.0.split_at_checked(usize::from(length))?;
            cut.0 = rest;
            match key {
                1 => it.version = text(value),
                2 => it.up_s = number(value),
                3 => it.load_hundredths = number(value),
                4 => it.cores = number(value),
                5 => it.memory = number(value),
                6 => it.memory_free = number(value),
                7 => it.resident = number(value),
                8 => it.disk = number(value),
                9 => it.disk_free = number(value),
                10 => it.temperature_tenths = number(value).map(signed),
                11 => it.vector = value.try_into().ok().map(u128::from_be_bytes),
                12 => it.digest = value.try_into().ok().map(u128::from_be_bytes),
                13 => it.rules = number(value),
                14 => it.clock_ahead_us = number(value).map(signed),
                15 => it.bucket_lag = number(value),
                16 => it.queued = number(value),
                17 => it.problems = number(value),
                _ => {}
            }
        }
        Some(it)
    }
}

/// Values have at most 32 bytes, so the length is never cut.
fn put(out: &mut Vec<u8>, key: u8, value: &[u8]) {
    out.push(key);
    out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(value);
}

/// A number as its bytes, without zeros before it.
fn number(value: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes[8usize.checked_sub(value.len())?..].copy_from_slice(value);
    Some(u64::from_be_bytes(bytes))
}

fn text(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?;
    let fits = !text.is_empty() && text.len() <= VERSION_BYTES_MAX;
    (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.into())
}

/// Small numbers of either sign have few bytes.
fn unsigned(number: i64) -> u64 {
    number.cast_unsigned() << 1 ^ (number >> 63).cast_unsigned()
}

fn signed(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
