//! `cocli state`: the merged stream, or its digest.

use cocli_core::usv;
use serde_json::json;

use super::Context;
use crate::args::State;
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &State) -> Result<(), Failure> {
    let home = context.home()?;
    context.catch_up(&home, None);
    let state = home.state()?;
    if args.digest || context.screen.json {
        let (digest, values) = (state.digest().to_string(), state.len());
        let (pool, level) = home.pool_hash(&state)?;
        let (pool, datagrams) = (format!("{pool:032x}"), home.datagrams()?);
        match context.screen.json {
            true => context.screen.object(&json!({
                "digest": digest, "values": values, "datagrams": datagrams, "pool": pool,
                "cards_level": level,
            })),
            false => context.screen.line(format!("{digest}  {values} values\n{pool}  cards")),
        }
        return Ok(());
    }
    let mut out = Vec::new();
    for (target, field, entry) in state.entries() {
        out.extend_from_slice(usv::line_of(target, field, entry).as_bytes());
        out.extend_from_slice(&[usv::RS, b'\n']);
        if out.len() > 1 << 16 {
            context.screen.raw(&out);
            out.clear();
        }
    }
    context.screen.raw(&out);
    Ok(())
}
