//! `cocli bench`: what `.ci/figures` measures from inside.

use std::path::Path;

use super::Context;
use crate::args::{Bench, BenchVerb};
use crate::failure::Failure;
use crate::latency;

pub(super) fn run(context: &Context, args: &Bench) -> Result<(), Failure> {
    let BenchVerb::Latency { others, count } = &args.what;
    let home = context.home()?;
    let others: Vec<&Path> = others.iter().map(AsRef::as_ref).collect();
    context.screen.line(latency::measure(home.path(), &others, *count)?.to_string());
    Ok(())
}
