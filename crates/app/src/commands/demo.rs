//! `cocli demo`: three nodes on this machine, at work.

use crate::args::Demo;
use crate::demo;
use crate::failure::Failure;

use super::Context;

pub(super) fn run(context: &Context, args: &Demo) -> Result<(), Failure> {
    demo::run(context.screen, args.dir.as_deref())
}
