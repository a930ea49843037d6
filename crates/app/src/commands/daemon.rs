//! `cocli daemon`: the network and the watching, in the foreground or as a service.

pub(super) mod service;

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

use super::Context;
use crate::args::{Daemon, Level, LogForm};
use crate::daemon::{self, Log, Options};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Daemon) -> Result<(), Failure> {
    if let Some(verb) = &args.verb {
        return service::run(context, verb);
    }
    let home = context.home()?;
    let held = crate::ring::Held::of(&home)?;
    let identity = super::init::identity(&home)?.ok_or_else(|| {
        Failure::new(Exit::Failed, "the node's own key is missing or has not 32 bytes")
            .hint("`cocli doctor --repair` makes a new one")
    })?;
    let mut options = Options::new(&home, args.bind, args.port, &args.peer);
    options.bucket_interval = args.bucket_interval;
    options.log = Log { json: args.log.form == LogForm::Json, level: level(args.log.level)? };
    daemon::run(&home, held, identity, &options, context.screen)
}

/// How much is told: as said, else as the environment says.
fn level(said: Option<Level>) -> Result<LevelFilter, Failure> {
    let kept = std::env::var("COCLI_LOG").ok().filter(|level| !level.is_empty());
    let level = match (said, kept) {
        (Some(level), _) => level,
        (None, Some(kept)) => Level::from_str(&kept, true).map_err(|_| {
            let expected = "error, warn, info, debug or trace";
            Failure::usage(format!("$COCLI_LOG is {kept:?}: expected {expected}"))
        })?,
        (None, None) => Level::Info,
    };
    Ok(match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    })
}
