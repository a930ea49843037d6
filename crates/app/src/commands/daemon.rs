//! `cocli daemon`: the network and the watching, in the foreground.

use super::Context;
use crate::args::Daemon;
use crate::daemon::{self, Options};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Daemon) -> Result<(), Failure> {
    let home = context.home()?;
    let held = crate::ring::Held::of(&home)?;
    let identity = super::init::identity(&home)?.ok_or_else(|| {
        Failure::new(Exit::Failed, "the node's own key is missing or has not 32 bytes")
            .hint("`cocli doctor --repair` makes a new one")
    })?;
    let mut options = Options::new(&home, args.bind, args.port, &args.peer);
    options.bucket_interval = args.bucket_interval;
    daemon::run(&home, held, identity, &options, context.screen)
}
