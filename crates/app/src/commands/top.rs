//! `cocli top`: the cluster, what comes, conflicts and the pool, on the whole terminal.

use std::io::IsTerminal;

use super::Context;
use crate::args::{Top, TopView};
use crate::failure::Failure;
use crate::tui::{self, View};

pub(super) fn run(context: &Context, args: &Top) -> Result<(), Failure> {
    if !context.screen.prints_to_a_person() || !std::io::stdin().is_terminal() {
        let message = "`cocli top` needs a terminal to draw on and keys to read";
        return Err(Failure::usage(message.to_owned()).hint(
            "programs ask by `cocli status --cluster --json`, and follow by `cocli log -f --json`",
        ));
    }
    let view = match args.view {
        TopView::Cluster => View::Cluster,
        TopView::Live => View::Live,
        TopView::Rates => View::Rates,
        TopView::Conflicts => View::Conflicts,
        TopView::Pool => View::Pool,
    };
    tui::run(&context.home()?, context.screen, view)
}
