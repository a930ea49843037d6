//! `cocli` alone: in a home the morning page, elsewhere the three ways to begin.

use super::Context;
use crate::failure::Failure;
use crate::locate;
use crate::render::Tone;

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    if locate::any(context.data.as_deref()).is_some() {
        return super::status::morning(context);
    }
    let screen = context.screen;
    screen.line(
        screen.paint(Tone::Strong, "cocli: a plain-text CRM that stays the same on every machine"),
    );
    screen.line("");
    for (command, what) in [
        ("cocli demo", "three nodes on this machine, at work, in under a minute"),
        ("cocli init", "a data home of your own, in ~/cocli"),
        ("cocli init --join -", "a home that joins the cluster whose ticket you paste"),
        ("cocli --help", "every verb"),
    ] {
        screen.line(format!("  {command:<22}{}", screen.paint(Tone::Faint, what)));
    }
    Ok(())
}
