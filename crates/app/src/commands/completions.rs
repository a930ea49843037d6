//! `cocli completions` and `cocli man`: made from the arguments, so that they cannot drift.

use clap::CommandFactory;

use super::Context;
use crate::args::{Cli, Completions, Man};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cocli", &mut script);
    context.screen.raw(&script);
    Ok(())
}

pub(super) fn man(context: &Context, args: &Man) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("{}: cannot write man pages: {error}", args.dir.display()),
        )
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(failed)?;
    context.screen.line(format!("man pages in {}", args.dir.display()));
    Ok(())
}
