//! What is told of a home and its cluster as Prometheus takes it: text of its format 0.0.4. docs/metrics.md lists it.

mod text;

use cocli_node::Health;
use serde_json::Value as Json;

use crate::bucket::Bill;
use crate::cluster::{Cluster, Node, Same};
use text::{Kind, Metric, Sheet};

/// What it follows from, and from nothing else.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) health: &'a Health,
    /// How many things need a person here.
    pub(crate) problems: usize,
    /// The daemon's answer to `status`.
    pub(crate) daemon: Option<&'a Json>,
    /// Its answer to `cluster`.
    pub(crate) cluster: Option<&'a Cluster>,
    pub(crate) bucket: Option<Bucket<'a>>,
}

/// What is told of the bucket, where there is one.
#[derive(Debug)]
pub(crate) struct Bucket<'a> {
    pub(crate) bill: &'a Bill,
    /// What the month costs if it goes on like this.
    pub(crate) month: Option<f64>,
    /// Bytes written here that are not there.
    pub(crate) lag: Option<u64>,
    /// Bytes of all objects.
    pub(crate) stored: Option<u64>,
    /// The kind of what is the matter.
    pub(crate) trouble: Option<&'a str>,
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

/// All that may be told, in this order.
const METRICS: &[Metric] = &[
    gauge("cocli_daemon_up", "Whether the daemon of this home answers."),
    gauge("cocli_problems", "Things that need a person here; `cocli status` names them."),
    gauge("cocli_companies", "Companies that are not removed."),
    gauge("cocli_people", "People that are not removed."),
    gauge("cocli_values", "Values in the state."),
    gauge("cocli_conflicts", "Fields in which a value was lost unseen."),
    gauge("cocli_odd_records", "Records that break a rule, and are kept apart."),
    gauge("cocli_journal_damaged_blocks", "Damaged blocks of journals."),
    gauge("cocli_journal_bytes", "Bytes of journals that are not archived."),
    gauge("cocli_journal_tail_bytes", "Bytes of journals behind the checkpoint."),
    gauge("cocli_archive_bytes", "Bytes of archived history."),
    gauge("cocli_gaps", "Stretches of logs that are known of and not here."),
    gauge("cocli_stalled", "Whether the disk takes nothing that others send."),
    gauge("cocli_twins", "Names that two machines bear."),
    gauge("cocli_strangers", "Senders whose key is not here."),
    counter(
        "cocli_packets_unread_total",
        "Packets that were not read since the daemon began: refused, shed in a flood, dropped.",
    ),
    gauge("cocli_cluster_nodes", "Nodes that are up, as sameness counts them."),
    gauge("cocli_cluster_same_nodes", "Nodes that are proven to hold the same as this one."),
    gauge("cocli_cluster_identical", "Whether all nodes that are up hold the same."),
    gauge(
        "cocli_cluster_parts",
        "Groups of nodes that hear each other; 1 while the cluster is whole.",
    ),
    gauge(
        "cocli_cluster_oldest_spreading_seconds",
        "Age of the oldest datagram that is not on all nodes that are up; 0 when there is none.",
    ),
    gauge("cocli_node_up", "Whether a node is up: absent of one that left, or was left out."),
    gauge("cocli_node_stopped", "Whether a node said that it stops."),
    gauge("cocli_node_behind", "Whether a node lacks what others hold."),
    gauge("cocli_node_differing", "Whether a node holds the same logs and another state."),
    gauge("cocli_node_heard_seconds", "How long ago a node was heard last."),
    gauge("cocli_node_round_trip_seconds", "How long a packet takes to a node and back."),
    gauge("cocli_node_clock_ahead_seconds", "By how much a node's clock is ahead of this one's."),
    gauge("cocli_node_lacks_bytes", "Bytes of logs that are here and not on a node."),
    gauge("cocli_node_ahead_bytes", "Bytes of logs that are on a node and not here."),
    gauge("cocli_node_condition_age_seconds", "How old the condition of a node is."),
    gauge("cocli_node_uptime_seconds", "How long the daemon of a node runs."),
    gauge("cocli_node_load1", "Load of the machine over the last minute."),
    gauge("cocli_node_cores", "Processor cores of the machine."),
    gauge("cocli_node_memory_bytes", "Memory of the machine."),
    gauge("cocli_node_memory_free_bytes", "Memory of the machine that is free."),
    gauge("cocli_node_resident_bytes", "Memory that the daemon of a node takes."),
    gauge("cocli_node_disk_bytes", "Size of the file system that holds the home."),
    gauge("cocli_node_disk_free_bytes", "What of it is free."),
    gauge("cocli_node_temperature_celsius", "The hottest sensor of the machine."),
    gauge("cocli_node_bucket_lag_bytes", "Bytes that a node wrote and that are not in the bucket."),
    gauge("cocli_node_queued_tasks", "Tasks that wait, over all queues, as a node knows them."),
    gauge("cocli_node_problems", "Things that need a person at a node."),
    counter("cocli_bucket_reads_total", "Reads asked of the bucket by this machine this month."),
    counter("cocli_bucket_writes_total", "Writes asked of the bucket by this machine this month."),
    counter(
        "cocli_bucket_listings_total",
        "Listings asked of the bucket by this machine this month.",
    ),
    counter(
        "cocli_bucket_deletions_total",
        "Deletions asked of the bucket by this machine this month.",
    ),
    counter(
        "cocli_bucket_sent_bytes_total",
        "Bytes sent to the bucket by this machine this month.",
    ),
    counter(
        "cocli_bucket_received_bytes_total",
        "Bytes that came from the bucket to this machine this month.",
    ),
    counter("cocli_bucket_usd_total", "What that costs by S3's list prices, in USD."),
    gauge("cocli_bucket_month_usd", "What the month costs if it goes on like this, in USD."),
    gauge("cocli_bucket_stored_bytes", "Bytes of all objects of the bucket that were met."),
    gauge("cocli_bucket_lag_bytes", "Bytes written here that are not in the bucket."),
    gauge(
        "cocli_bucket_trouble",
        "Whether the last trip to the bucket came to nothing for this reason.",
    ),
];

/// Why nothing came of a trip to the bucket.
const TROUBLES: [&str; 4] = ["away", "budget", "denied", "wrong"];

/// The text.
pub(crate) fn text(told: &Told<'_>) -> String {
    let mut sheet = Sheet::new(METRICS);
    home(&mut sheet, told);
    if let Some(daemon) = told.daemon {
        of_daemon(&mut sheet, daemon);
    }
    if let Some(cluster) = told.cluster {
        of_cluster(&mut sheet, cluster);
        let differing = cluster.differing();
        for node in &cluster.nodes {
            let behind = cluster.sameness.behind.contains(&node.name);
            of_node(&mut sheet, node, behind, differing.contains(node.name.as_str()));
        }
    }
    if let Some(bucket) = &told.bucket {
        of_bucket(&mut sheet, bucket);
    }
    sheet.text()
}

fn home(sheet: &mut Sheet, told: &Told<'_>) {
    let health = told.health;
    sheet.put("cocli_daemon_up", flag(told.daemon.is_some()));
    sheet.put("cocli_problems", count(told.problems));
    sheet.put("cocli_companies", count(health.companies));
    sheet.put("cocli_people", count(health.people));
    sheet.put("cocli_values", count(health.values));
    if let Some(losses) = health.losses.as_ref().filter(|losses| !losses.many) {
        sheet.put("cocli_conflicts", count(losses.fields));
    }
    sheet.put("cocli_odd_records", count(health.odd));
    sheet.put("cocli_journal_damaged_blocks", count(health.holes));
    sheet.put("cocli_journal_bytes", number(health.history.journals));
    sheet.put("cocli_journal_tail_bytes", number(health.tail_bytes));
    sheet.put("cocli_archive_bytes", number(health.history.archived));
}

fn of_daemon(sheet: &mut Sheet, daemon: &Json) {
    let many = |key: &str| daemon[key].as_array().map(Vec::len);
    if let Some(gaps) = daemon["gaps"].as_u64() {
        sheet.put("cocli_gaps", number(gaps));
    }
    sheet.put("cocli_stalled", flag(daemon["stalled"].as_bool() == Some(true)));
    for (name, of) in [("cocli_twins", many("twins")), ("cocli_strangers", many("strangers"))] {
        sheet.put(name, count(of.unwrap_or_default()));
    }
    for reason in ["dropped", "refused", "shed"] {
        if let Some(packets) = daemon[format!("packets_{reason}")].as_u64() {
            sheet.put_for("cocli_packets_unread_total", ("reason", reason), number(packets));
        }
    }
}

fn of_cluster(sheet: &mut Sheet, cluster: &Cluster) {
    let sameness = &cluster.sameness;
    sheet.put("cocli_cluster_nodes", number(sameness.of));
    sheet.put("cocli_cluster_same_nodes", number(sameness.same));
    if !matches!(sameness.state, Same::Unknown | Same::Untold) {
        sheet.put(
            "cocli_cluster_identical",
            flag(matches!(sameness.state, Same::Identical | Same::Alone)),
        );
    }
    sheet.put("cocli_cluster_parts", count(cluster.parts.len().max(1)));
    let oldest = cluster.oldest_ms.unwrap_or_default();
    sheet.put("cocli_cluster_oldest_spreading_seconds", number(oldest) / 1e3);
}

fn of_node(sheet: &mut Sheet, node: &Node, behind: bool, differs: bool) {
    if !node.is_expected() {
        return;
    }
    let mut put = |name, value: Option<f64>| {
        if let Some(value) = value {
            sheet.put_for(name, ("node", &node.name), value);
        }
    };
    put("cocli_node_up", Some(flag(node.is_up())));
    put("cocli_node_stopped", Some(flag(node.standing == crate::cluster::Standing::Stopped)));
    put("cocli_node_behind", Some(flag(behind)));
    put("cocli_node_differing", Some(flag(differs)));
    put("cocli_node_heard_seconds", node.heard_ms.map(|ms| number(ms) / 1e3));
    put("cocli_node_round_trip_seconds", node.round_trip_us.map(|us| number(us) / 1e6));
    #[expect(clippy::cast_precision_loss, reason = "of a clock no microsecond is missed")]
    let ahead = node.clock_us().map(|us| us as f64 / 1e6);
    put("cocli_node_clock_ahead_seconds", ahead);
    if !node.me {
        put("cocli_node_lacks_bytes", Some(number(node.lacks_bytes)));
        put("cocli_node_ahead_bytes", Some(number(node.ahead_bytes)));
    }
    put("cocli_node_condition_age_seconds", node.condition_ms.map(|ms| number(ms) / 1e3));
    if !node.is_up() {
        // How it was says nothing of how it is.
        return;
    }
    for (name, key) in [
        ("cocli_node_uptime_seconds", "up_s"),
        ("cocli_node_load1", "load"),
        ("cocli_node_cores", "cores"),
        ("cocli_node_memory_bytes", "memory"),
        ("cocli_node_memory_free_bytes", "memory_free"),
        ("cocli_node_resident_bytes", "resident"),
        ("cocli_node_disk_bytes", "disk"),
        ("cocli_node_disk_free_bytes", "disk_free"),
        ("cocli_node_temperature_celsius", "temperature"),
        ("cocli_node_bucket_lag_bytes", "bucket_lag"),
        ("cocli_node_queued_tasks", "queued"),
        ("cocli_node_problems", "problems"),
    ] {
        put(name, node.condition.number(key));
    }
}

fn of_bucket(sheet: &mut Sheet, bucket: &Bucket<'_>) {
    let spent = &bucket.bill.spent;
    for (name, asked) in [
        ("cocli_bucket_reads_total", spent.gets),
        ("cocli_bucket_writes_total", spent.puts),
        ("cocli_bucket_listings_total", spent.lists),
        ("cocli_bucket_deletions_total", spent.deletes),
        ("cocli_bucket_sent_bytes_total", spent.up),
        ("cocli_bucket_received_bytes_total", spent.down),
    ] {
        sheet.put(name, number(asked));
    }
    sheet.put("cocli_bucket_usd_total", bucket.bill.so_far);
    if let Some(month) = bucket.month {
        sheet.put("cocli_bucket_month_usd", month);
    }
    for (name, bytes) in
        [("cocli_bucket_stored_bytes", bucket.stored), ("cocli_bucket_lag_bytes", bucket.lag)]
    {
        if let Some(bytes) = bytes {
            sheet.put(name, number(bytes));
        }
    }
    for reason in TROUBLES {
        let is = flag(bucket.trouble == Some(reason));
        sheet.put_for("cocli_bucket_trouble", ("reason", reason), is);
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a double")]
fn number(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a double")]
fn count(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
