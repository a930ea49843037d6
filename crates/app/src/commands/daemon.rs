//! `cocli daemon`: the network and the watching, in the foreground.

use cocli_net::Identity;

use super::Context;
use crate::args::Daemon;
use crate::daemon::{self, Options};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Daemon) -> Result<(), Failure> {
    let home = context.home()?;
    let ring = crate::ring::of(&home)?;
    let private: [u8; 32] = home.identity()?.as_slice().try_into().map_err(|_| {
        Failure::new(Exit::Failed, "the node's own key has not 32 bytes")
            .hint("`cocli doctor --repair` makes a new one")
    })?;
    let options = Options::new(&home, args.bind, args.port, &args.peer);
    daemon::run(&home, ring, Identity::from_bytes(private), &options, context.screen)
}
