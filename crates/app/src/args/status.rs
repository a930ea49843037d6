//! What `cocli status` takes.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// All nodes: who is alive, whether all hold the same, who is behind, clocks, disks, the load.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Go on: drawn anew every second, or every S seconds; Ctrl-C ends it. With `--json` an object a line.
    #[arg(
        long,
        value_name = "S",
        num_args = 0..=1,
        default_missing_value = "1",
        value_parser = seconds,
        conflicts_with = "metrics"
    )]
    pub(crate) watch: Option<f64>,
    /// Print it as Prometheus takes it (docs/metrics.md), as for the textfile collector of its node exporter.
    #[arg(long, conflicts_with = "cluster")]
    pub(crate) metrics: bool,
}

/// From a tenth of a second to an hour.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds, from 0.1 to 3600".to_owned())
}
