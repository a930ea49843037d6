//! The figures of a measured run.

use std::fmt;

use crate::options::Options;
use crate::report::{Failure, Report};
use crate::tally::Bytes;
use crate::watch::Watch;

/// Of many times the usual, the slow and the slowest, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Half of all are shorter.
    pub p50: u64,
    /// One in a hundred is longer.
    pub p99: u64,
    /// None is longer.
    pub max: u64,
}

impl Times {
    fn of(mut all: Vec<u64>) -> Self {
        all.sort_unstable();
        let at = |percent: usize| {
            let place = (all.len() * percent).div_ceil(100).saturating_sub(1);
            all.get(place).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99), max: all.last().copied().unwrap_or(0) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |us: u64| format!("{:.1}", us as f64 / 1e3);
        write!(f, "{:>10} {:>10} {:>10}", one(self.p50), one(self.p99), one(self.max))
    }
}

/// What a measured run showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Under which conditions.
    pub conditions: String,
    /// Machines.
    pub nodes: usize,
    /// Machines that each was told of at its start.
    pub told: usize,
    /// Writes.
    pub writes: usize,
    /// Bytes of a record, on average.
    pub record_bytes: u64,
    /// Writes that became durable on another node, over all nodes.
    pub deliveries: u64,
    /// From a write to durable on the last node that was up all the while.
    pub last: Times,
    /// From a write to durable on half of them.
    pub median: Times,
    /// From the last write until all were equal, microseconds; nothing when they never were.
    pub equal_us: Option<u64>,
    /// From the first write until all were equal, microseconds.
    pub span_us: u64,
    /// Bytes sent in that time.
    pub bytes: Bytes,
    /// Packets sent in that time.
    pub packets: u64,
    /// Bytes sent at rest, when all were equal.
    pub rest: Bytes,
    /// How long that was watched, microseconds.
    pub rest_us: u64,
    /// Ranges that came to a node.
    pub ranges: u64,
    /// Those of which every byte had come before.
    pub doubles: u64,
    /// Bytes of records in them.
    pub double_bytes: u64,
    /// Events, rest and all.
    pub events: u64,
    /// Packets lost by the network, rest and all.
    pub lost: u64,
    /// A hash over every event in its order.
    pub trace_hash: u64,
    /// Properties that did not hold.
    pub failures: Vec<Failure>,
}

impl Figures {
    pub(crate) fn of(
        options: &Options,
        busy: &Watch,
        rest: &Watch,
        equal: bool,
        report: Report,
    ) -> Self {
        let others = busy.nodes().saturating_sub(1);
        let told = options.measured.and_then(|measured| measured.peers);
        let times: Vec<Vec<u32>> = busy.writes.iter().map(|write| busy.times(write)).collect();
        let some = || times.iter().filter(|times| !times.is_empty());
        let last = some().filter_map(|times| times.last()).map(|took| u64::from(*took));
        let median = some().map(|times| u64::from(times[(times.len() - 1) / 2]));
        let deliveries = busy.writes.iter().map(|write| busy.deliveries(write).count() as u64);
        let end = if equal { busy.last_held } else { busy.until };
        Self {
            conditions: conditions(options),
            nodes: busy.nodes(),
            told: told.map_or(others, |told| told.min(others)),
            writes: busy.writes.len(),
            record_bytes: busy.record_bytes / (busy.writes.len() as u64).max(1),
            deliveries: deliveries.sum(),
            last: Times::of(last.collect()),
            median: Times::of(median.collect()),
            equal_us: equal.then(|| busy.last_held.saturating_sub(busy.last_write)),
            span_us: end.saturating_sub(busy.since),
            bytes: busy.bytes,
            packets: busy.packets,
            rest: rest.bytes,
            rest_us: crate::measure::REST_MS * 1000,
            ranges: busy.ranges,
            doubles: busy.doubles,
            double_bytes: busy.double_bytes,
            events: report.events,
            lost: report.lost,
            trace_hash: report.trace_hash,
            failures: report.failures,
        }
    }

    /// Bytes of one node in a second, while there were writes.
    #[must_use]
    pub fn per_node_second(&self, bytes: u64) -> f64 {
        bytes as f64 / self.nodes.max(1) as f64 / (self.span_us.max(1) as f64 / 1e6)
    }

    /// Bytes of one node in a second, at rest.
    #[must_use]
    pub fn rest_per_node_second(&self, bytes: u64) -> f64 {
        bytes as f64 / self.nodes.max(1) as f64 / (self.rest_us.max(1) as f64 / 1e6)
    }

    /// Bytes sent for one write to reach one node.
    #[must_use]
    pub fn per_delivery(&self, bytes: u64) -> f64 {
        bytes as f64 / self.deliveries.max(1) as f64
    }

    /// Bytes sent for one write to reach one node, beyond what rest costs.
    #[must_use]
    pub fn per_delivery_beyond_rest(&self) -> f64 {
        let rest = self.rest.total() as f64 * self.span_us as f64 / self.rest_us.max(1) as f64;
        (self.bytes.total() as f64 - rest).max(0.0) / self.deliveries.max(1) as f64
    }

    /// The head of [`Self::row`].
    #[must_use]
    pub fn row_head() -> String {
        let times = "nodes  told  writes   last p50   last p99   half p50      equal";
        let bytes = "B/delivery  beyond rest   B/s/node    at rest";
        format!("{times}   {bytes}  doubles    packets")
    }

    /// One line of a table of runs. Times in milliseconds.
    #[must_use]
    pub fn row(&self) -> String {
        let ms = |us: u64| format!("{:.1}", us as f64 / 1e3);
        format!(
            "{:>5} {:>5} {:>7} {:>10} {:>10} {:>10} {:>10} {:>12.0} {:>12.0} {:>10.0} {:>10.0} {:>8} {:>10}",
            self.nodes,
            self.told,
            self.writes,
            ms(self.last.p50),
            ms(self.last.p99),
            ms(self.median.p50),
            self.equal_us.map_or("never".to_owned(), ms),
            self.per_delivery(self.bytes.total()),
            self.per_delivery_beyond_rest(),
            self.per_node_second(self.bytes.total()),
            self.rest_per_node_second(self.rest.total()),
            percent(self.doubles, self.ranges),
            self.packets,
        )
    }
}

fn percent(part: u64, all: u64) -> String {
    format!("{:.1}%", 100.0 * part as f64 / all.max(1) as f64)
}

fn conditions(options: &Options) -> String {
    let (low, high) = options.delay_us;
    let ms = |us: u64| us as f64 / 1e3;
    let mut text = format!(
        "seed {}, loss {}%, doubled {}%, delay {}..{} ms, disk up to {} ms",
        options.seed,
        options.loss as f64 / 10.0,
        options.duplicates as f64 / 10.0,
        ms(low),
        ms(high),
        options.disk_ms
    );
    let Some(measured) = options.measured else { return text };
    text += &format!(", {} writes/s for {} s", 1e6 / measured.every_us as f64, options.seconds);
    let mut add = |number: Option<u64>, what: &str| {
        if let Some(number) = number.filter(|number| *number > 0) {
            text += &format!(", {}", what.replace('#', &number.to_string()));
        }
    };
    add(measured.writers.map(|n| n as u64), "# writers");
    add(measured.peers.map(|n| n as u64), "each told of #");
    add(Some(measured.parted_seconds), "2 cut off for # s");
    add(Some(measured.skew_seconds), "clocks differ by up to # s");
    add(Some(measured.crashes), "# power cuts");
    text
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} nodes, {} writes: {}", self.nodes, self.writes, self.conditions)?;
        writeln!(f)?;
        writeln!(f, "durable on, ms                p50        p99        max")?;
        writeln!(f, "  half of the nodes    {}", self.median)?;
        writeln!(f, "  the last live node   {}", self.last)?;
        match self.equal_us {
            Some(us) => writeln!(f, "all equal {:.1} ms after the last write", us as f64 / 1e3)?,
            None => writeln!(f, "never all equal")?,
        }
        writeln!(f)?;
        writeln!(f, "bytes sent        a node and second    at rest   a delivery")?;
        let rest = self.rest.named().map(|(_, bytes)| bytes);
        let sum = ("all", self.bytes.total());
        let all = self.rest.total();
        let classes = self.bytes.named().into_iter().zip(rest).chain([(sum, all)]);
        for ((name, bytes), rest) in classes {
            writeln!(
                f,
                "  {name:<15} {:>18.1} {:>10.1} {:>12.1}",
                self.per_node_second(bytes),
                self.rest_per_node_second(rest),
                self.per_delivery(bytes),
            )?;
        }
        writeln!(
            f,
            "  beyond rest     {:>42.1}   for a record of {} bytes",
            self.per_delivery_beyond_rest(),
            self.record_bytes
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{} deliveries; {} packets; {} ranges came, {} of them held already ({}, {} bytes)",
            self.deliveries,
            self.packets,
            self.ranges,
            self.doubles,
            percent(self.doubles, self.ranges),
            self.double_bytes
        )?;
        write!(f, "{} events, trace {:016x}", self.events, self.trace_hash)?;
        for failure in &self.failures {
            write!(f, "\n  {} at {} ms: {}", failure.check, failure.at_ms, failure.what)?;
        }
        Ok(())
    }
}
