//! `cocli doctor dump`: the state of home and daemon in a file, for whoever is asked for help.

use cocli_node::Home;
use serde_json::json;

use crate::commands::Context;
use crate::dump;
use crate::failure::Failure;

pub(super) fn run(context: &Context, home: &Home) -> Result<(), Failure> {
    let path = dump::write(home)?.display().to_string();
    match context.screen.json {
        true => context.screen.object(&json!({ "dump": path })),
        false => {
            context.screen.line(context.screen.safe(&path));
            context.screen.note(
                "it names nodes, targets, addresses and settings; no keys, and no values of companies or people",
            );
        }
    }
    Ok(())
}
