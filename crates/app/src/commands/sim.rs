//! stub
use super::Context;
use crate::args::Sim;
use crate::failure::Failure;
pub(super) fn run(_: &Context, _: &Sim) -> Result<(), Failure> {
    Ok(())
}
