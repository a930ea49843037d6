//! `cocli rm`: hide a target and everything below it.

use cocli_core::entity::DELETED;
use cocli_core::{Entry, Field, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, WENT};
use serde_json::json;

use super::Context;
use crate::args::Rm;
use crate::clock;
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Rm) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    let change = Change::new(target.clone(), Field::read(DELETED)?, Intent::Put(Value::truth()));
    let mut session = context.session(&home)?;
    session.take_in(std::slice::from_ref(&target))?;
    if !session.knows(&target)? {
        let failure = Failure::new(Exit::NotFound, format!("nothing is known of {target}"));
        return Err(match home.nearest(&target)? {
            Some(near) => failure.hint(format!("the nearest is `{near}`")),
            None => failure,
        });
    }
    let written = session.write("rm", &[change], false)?;
    context.finish(&home, session, &written)?;
    match context.screen.json {
        true => context.screen.object(&json!({"removed": target.as_str()})),
        false => context.screen.line(format!(
            "{target} is removed, on every node; `cocli undo` or `cocli set {target} --revive` brings it back"
        )),
    }
    Ok(())
}

/// A write to a removed target: who removed it, when, where it went, and what brings it back.
pub(crate) fn removed(home: &Home, target: &Target, by: &Entry) -> Failure {
    let when = clock::shown(by.stamp.instant);
    let went = home.text(target, WENT).ok().flatten();
    let message = match went {
        Some(into) => {
            format!("{target} is {into} now: {} made them one on {when}", by.stamp.node)
        }
        None => format!("{target} was removed by {} on {when}", by.stamp.node),
    };
    Failure::new(Exit::Conflict, message)
        .hint(format!("`cocli set {target} --revive` brings it back with all that it holds"))
}
