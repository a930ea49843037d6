//! `cocli bench`: what `.ci/figures` and `tests/net` measure from inside.

use std::path::Path;
use std::time::Duration;

use super::Context;
use crate::args::{Bench, BenchVerb};
use crate::failure::Failure;
use crate::latency;

pub(super) fn run(context: &Context, args: &Bench) -> Result<(), Failure> {
    let line = match &args.what {
        BenchVerb::Latency { others, count } => {
            let home = context.home()?;
            let others: Vec<&Path> = others.iter().map(AsRef::as_ref).collect();
            latency::measure(home.path(), &others, *count)?.to_string()
        }
        BenchVerb::Pace { rate, seconds, wait } => {
            let time = Duration::from_secs(*seconds);
            latency::pace(&context.home()?, *rate, time, *wait)?.to_string()
        }
        BenchVerb::Watch { homes, seconds } => {
            latency::watch(homes, Duration::from_secs(*seconds))?.to_string()
        }
    };
    context.screen.line(line);
    Ok(())
}
