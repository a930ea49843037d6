//! What a bucket costs: requests by kind, bytes up and down, and their price by a list.

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};

/// A million requests that write or list, in USD: S3 Standard, us-east-1, list price of 2026.
pub const WRITES_PER_MILLION_USD: f64 = 5.00;
/// A million requests that read.
pub const READS_PER_MILLION_USD: f64 = 0.40;
/// A GB kept for a month.
pub const STORED_PER_GB_MONTH_USD: f64 = 0.023;
/// A GB that leaves for the internet, above what is free.
pub const OUT_PER_GB_USD: f64 = 0.09;
/// What leaves free of charge in a month, over all buckets of an account.
pub const OUT_FREE_GB_PER_MONTH: f64 = 100.0;

const GB: f64 = 1e9;
const MILLION: f64 = 1e6;

/// Kinds of requests, as a price list tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Head,
    Put,
    List,
    Delete,
    /// For credentials: free.
    Other,
}

/// What was asked so far.
///
/// Of an object store each HTTP request counts when it is sent, so tries after a failure count too, and one
/// that never found a connection counts though nobody charges for it. What object stores behind redirects
/// or proxies do further on is not seen. Of a directory and of memory each operation counts once.
#[derive(Debug, Default)]
pub struct Meter {
    gets: AtomicU64,
    heads: AtomicU64,
    puts: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    others: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Meter {
    pub(crate) fn asked(&self, kind: Kind) {
        let count = match kind {
            Kind::Get => &self.gets,
            Kind::Head => &self.heads,
            Kind::Put => &self.puts,
            Kind::List => &self.lists,
            Kind::Delete => &self.deletes,
            Kind::Other => &self.others,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How far it is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            gets: read(&self.gets),
            heads: read(&self.heads),
            puts: read(&self.puts),
            lists: read(&self.lists),
            deletes: read(&self.deletes),
            others: read(&self.others),
            up_bytes: read(&self.up),
            down_bytes: read(&self.down),
        }
    }
}

/// A reading of a [`Meter`]; what came between two is their difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads of objects.
    pub gets: u64,
    /// Reads of what is told about objects.
    pub heads: u64,
    /// Writes, whether they were refused or not.
    pub puts: u64,
    /// Pages of listings.
    pub lists: u64,
    /// Requests that delete, however many objects each.
    pub deletes: u64,
    /// Requests for credentials.
    pub others: u64,
    /// Bytes of bodies that were sent.
    pub up_bytes: u64,
    /// Bytes of bodies that came.
    pub down_bytes: u64,
}

impl Counts {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.gets + self.heads + self.puts + self.lists + self.deletes + self.others
    }

    /// What these requests cost by S3's list price. Nothing is said of bytes: see [`Counts::out_usd`].
    #[must_use]
    pub fn requests_usd(&self) -> f64 {
        let writes = (self.puts + self.lists) as f64 * WRITES_PER_MILLION_USD;
        let reads = (self.gets + self.heads) as f64 * READS_PER_MILLION_USD;
        (writes + reads) / MILLION
    }

    /// What the bytes that came cost when `out_before` bytes had left in the month before them: the first
    /// [`OUT_FREE_GB_PER_MONTH`] are free, and inside the store's own region all are.
    #[must_use]
    pub fn out_usd(&self, out_before: u64) -> f64 {
        let above = |bytes: f64| (bytes / GB - OUT_FREE_GB_PER_MONTH).max(0.0);
        let after = out_before as f64 + self.down_bytes as f64;
        (above(after) - above(out_before as f64)) * OUT_PER_GB_USD
    }
}

/// What keeping so many bytes for a month costs by S3's list price.
#[must_use]
pub fn stored_usd_per_month(bytes: u64) -> f64 {
    bytes as f64 / GB * STORED_PER_GB_MONTH_USD
}

impl Counts {
    fn join(self, other: Self, by: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            gets: by(self.gets, other.gets),
            heads: by(self.heads, other.heads),
            puts: by(self.puts, other.puts),
            lists: by(self.lists, other.lists),
            deletes: by(self.deletes, other.deletes),
            others: by(self.others, other.others),
            up_bytes: by(self.up_bytes, other.up_bytes),
            down_bytes: by(self.down_bytes, other.down_bytes),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.join(other, u64::saturating_add)
    }
}

/// What came since an earlier reading; never below nothing.
impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.join(earlier, u64::saturating_sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_each_costs_what_the_list_says() {
        let million =
            Counts { gets: 1_000_000, puts: 1_000_000, lists: 1_000_000, ..Counts::default() };
        assert!((million.requests_usd() - 10.40).abs() < 1e-9);
        assert_eq!(Counts { deletes: 9, others: 9, ..Counts::default() }.requests_usd(), 0.0);
        assert!((stored_usd_per_month(1_000_000_000_000) - 23.0).abs() < 1e-9);
    }

    #[test]
    fn only_what_leaves_above_the_free_hundred_is_paid() {
        let counts = Counts { down_bytes: 10_000_000_000, ..Counts::default() };
        assert_eq!(counts.out_usd(0), 0.0);
        assert!((counts.out_usd(95_000_000_000) - 0.45).abs() < 1e-9);
        assert!((counts.out_usd(200_000_000_000) - 0.90).abs() < 1e-9);
    }

    #[test]
    fn a_difference_is_what_came_between() {
        let meter = Meter::default();
        meter.asked(Kind::Get);
        let before = meter.counts();
        meter.asked(Kind::Put);
        meter.sent(7);
        let between = meter.counts() - before;
        assert_eq!(between, Counts { puts: 1, up_bytes: 7, ..Counts::default() });
        assert_eq!(before + between, meter.counts());
    }
}
