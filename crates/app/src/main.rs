//! `cocli`: the command line.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod beside;
mod bucket;
mod clock;
mod cluster;
mod commands;
mod daemon;
mod demo;
mod door;
mod dump;
mod editor;
mod failure;
mod latency;
mod locate;
mod metrics;
mod pasted;
mod problems;
mod rekey;
mod render;
mod ring;
mod sameness;
mod service;
mod tui;
mod web;
mod when;
mod words;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let screen = render::Screen::new(cli.json);
    match commands::run(cli, screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
