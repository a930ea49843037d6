//! `cocli sim`: the simulator, for those who doubt, and for those who measure.

use cocli_sim::{Figures, Measured, Options, Times};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Sim, SimMeasured};
use crate::failure::{Exit, Failure};

/// Cluster sizes of `--table`.
const SIZES: [usize; 5] = [10, 30, 100, 300, 1_000];
/// Nodes of a measured run.
const NODES: usize = 10;
/// Nodes up to which each is told of all others, unless it is said: where all know all, the peers of
/// all together take memory and time by the square.
const ALL_TOLD_MAX: usize = 300;
/// Nodes that each is told of in larger clusters.
const TOLD: usize = 40;
/// Seconds of writes of each run of `--table`.
const TABLE_SECONDS: u64 = 5;

pub(super) fn run(context: &Context, args: &Sim) -> Result<(), Failure> {
    if args.measured.is_wanted(context.screen.json) {
        return measured(context, args);
    }
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let any = Options::any(seed);
        let options = Options {
            nodes: args.nodes.unwrap_or(any.nodes),
            loss: args.loss.map_or(any.loss, |percent| percent.min(100) * 10),
            trace: args.trace,
            ..any
        };
        let report = cocli_sim::run(options);
        for line in &report.trace {
            context.screen.line(line);
        }
        context.screen.line(report.to_string());
        if !report.failures.is_empty() {
            return Err(Failure::new(Exit::Failed, format!("seed {seed} failed"))
                .hint(format!("`cocli sim --seed {seed} --trace` replays it event by event")));
        }
    }
    Ok(())
}

impl SimMeasured {
    fn is_wanted(&self, json: bool) -> bool {
        let asked = [
            self.rate.is_some(),
            self.seconds.is_some(),
            self.dup.is_some(),
            self.delay.is_some(),
            self.disk.is_some(),
            self.partition.is_some(),
            self.skew.is_some(),
            self.crash.is_some(),
            self.writers.is_some(),
            self.peers.is_some(),
            self.picture.is_some(),
            self.table,
        ];
        json || asked.contains(&true)
    }

    fn options(&self, seed: u64, nodes: usize, loss: u64) -> Result<Options, Failure> {
        let base = Options::measured(seed, nodes);
        let rate = self.rate.unwrap_or(10.0);
        if !(0.001..=100_000.0).contains(&rate) {
            return Err(Failure::usage("the rate is from 0.001 to 100000 writes a second"));
        }
        let told = (nodes > ALL_TOLD_MAX).then_some(TOLD);
        Ok(Options {
            loss: loss.min(100) * 10,
            duplicates: self.dup.unwrap_or(0).min(100) * 10,
            copies: 2,
            delay_us: self.delay.unwrap_or(base.delay_us),
            disk_ms: self.disk.unwrap_or(base.disk_ms),
            seconds: self.seconds.unwrap_or(if self.table { TABLE_SECONDS } else { base.seconds }),
            measured: Some(Measured {
                every_us: (1e6 / rate) as u64,
                writers: self.writers.map(|writers| writers.clamp(1, nodes)),
                peers: self.peers.map(|peers| peers.max(1)).or(told),
                parted_seconds: self.partition.unwrap_or(0),
                skew_seconds: self.skew.unwrap_or(0),
                crashes: self.crash.unwrap_or(0),
            }),
            ..base
        })
    }
}

fn measured(context: &Context, args: &Sim) -> Result<(), Failure> {
    let wanted = &args.measured;
    let sizes = if wanted.table { &SIZES[..] } else { &[args.nodes.unwrap_or(NODES)] };
    let loss = args.loss.unwrap_or(u64::from(wanted.table));
    if sizes.contains(&0) {
        return Err(Failure::usage("a cluster has at least one machine"));
    }
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        for (number, nodes) in sizes.iter().enumerate() {
            let options = wanted.options(seed, *nodes, loss)?;
            let (figures, watch) = cocli_sim::measure(options);
            if let Some(path) = &wanted.picture {
                std::fs::write(path, watch.picture()).map_err(|error| {
                    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
                })?;
            }
            match (context.screen.json, wanted.table) {
                (true, _) => context.screen.object(&object(&figures)),
                (false, false) => context.screen.line(figures.to_string()),
                (false, true) => {
                    if number == 0 {
                        context.screen.line(&figures.conditions);
                        context.screen.line(Figures::row_head());
                    }
                    context.screen.line(figures.row());
                }
            }
            if let Some(failure) = figures.failures.first() {
                let what: String = failure.what.chars().take(2_000).collect();
                let text = format!("{nodes} nodes, seed {seed}: {}: {what}", failure.check);
                return Err(Failure::new(Exit::Failed, text));
            }
        }
    }
    Ok(())
}

fn object(figures: &Figures) -> Json {
    let times = |times: &Times| json!({"p50": times.p50, "p99": times.p99, "max": times.max});
    let classes = |bytes: &cocli_sim::Bytes, per: &dyn Fn(u64) -> f64| {
        let named = bytes.named().into_iter().chain([("all", bytes.total())]);
        named.map(|(name, bytes)| (name.to_owned(), json!(per(bytes)))).collect::<Json>()
    };
    json!({
        "conditions": figures.conditions,
        "nodes": figures.nodes,
        "told": figures.told,
        "writes": figures.writes,
        "record_bytes": figures.record_bytes,
        "deliveries": figures.deliveries,
        "last_us": times(&figures.last),
        "median_us": times(&figures.median),
        "equal_us": figures.equal_us,
        "span_us": figures.span_us,
        "packets": figures.packets,
        "lost": figures.lost,
        "bytes_per_node_second": classes(&figures.bytes, &|b| figures.per_node_second(b)),
        "bytes_per_node_second_at_rest": classes(&figures.rest, &|b| figures.rest_per_node_second(b)),
        "bytes_per_delivery": classes(&figures.bytes, &|b| figures.per_delivery(b)),
        "bytes_per_delivery_beyond_rest": figures.per_delivery_beyond_rest(),
        "ranges": figures.ranges,
        "ranges_held_already": figures.doubles,
        "bytes_held_already": figures.double_bytes,
        "events": figures.events,
        "trace": format!("{:016x}", figures.trace_hash),
    })
}
