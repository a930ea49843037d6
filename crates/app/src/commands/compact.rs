//! `cocli compact`: journals into the checkpoint, the checkpoint into the cards.

use cocli_node::Placed;
use serde_json::json;

use super::Context;
use crate::args::Compact;
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &Compact) -> Result<(), Failure> {
    let home = context.home()?;
    let mut session = context.session(&home)?;
    let taken = session.take_in_all()?;
    let (done, after) = session.compact()?;
    let placed = if args.no_cards { Placed::default() } else { session.place_all()? };
    drop(session);
    super::show::report_cards(context, &placed);
    match context.screen.json {
        true => context.screen.object(&json!({
            "records": done.records, "odd": after.odd, "values": after.values,
            "digest": after.digest.to_string(), "edits": taken.edits, "cards": placed.written,
        })),
        false => context.screen.line(format!(
            "{} new records merged into {} values; {} edits taken in, {} cards put in place{}",
            done.records,
            after.values,
            taken.edits,
            placed.written,
            if after.odd == 0 {
                String::new()
            } else {
                format!("; {} odd records kept apart (`cocli doctor`)", after.odd)
            },
        )),
    }
    Ok(())
}
