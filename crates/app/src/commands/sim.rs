//! `cocli sim`: the simulator, for those who doubt.

use cocli_sim::Options;

use super::Context;
use crate::args::Sim;
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Sim) -> Result<(), Failure> {
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
