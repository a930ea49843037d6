//! `cocli config`: the settings of this machine.

use cocli_node::Setting;
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Config, ConfigVerb};
use crate::door;
use crate::failure::{Exit, Failure};
use crate::render::Tone;

pub(super) fn run(context: &Context, args: &Config) -> Result<(), Failure> {
    match &args.verb {
        ConfigVerb::Get { key: Some(key) } => get(context, key),
        ConfigVerb::Set { key, value } => set(context, key, value),
        ConfigVerb::Get { key: None } | ConfigVerb::List => list(context),
    }
}

fn get(context: &Context, key: &str) -> Result<(), Failure> {
    let setting = context.home()?.setting(key)?;
    if context.screen.json {
        context.screen.object(&object(&setting));
        return Ok(());
    }
    let Some(shown) = setting.shown() else {
        let failure = Failure::new(Exit::NotFound, format!("{key} is not set, and has no default"));
        return Err(failure.hint(format!("`cocli config set {key} VALUE`")));
    };
    context.screen.line(context.screen.safe(&shown));
    Ok(())
}

fn set(context: &Context, key: &str, value: &str) -> Result<(), Failure> {
    let home = context.home()?;
    let setting = home.configure(key, value)?;
    match context.screen.json {
        true => context.screen.object(&object(&setting)),
        false => context.screen.line(line(context, &setting, 0)),
    }
    if door::is_open(&home) {
        context.screen.note(
            "the daemon that runs has read its settings: they count when it is started again",
        );
    }
    Ok(())
}

fn list(context: &Context) -> Result<(), Failure> {
    let all = context.home()?.settings()?;
    let width = all.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
    context.screen.lines(all.iter().map(|setting| match context.screen.json {
        true => object(setting).to_string(),
        false => line(context, setting, width),
    }));
    Ok(())
}

/// `gossip.port  9999  (default)`.
fn line(context: &Context, setting: &Setting, width: usize) -> String {
    let screen = context.screen;
    let value = setting.shown().map_or_else(|| "-".to_owned(), |text| screen.safe(&text));
    let key = screen.safe(&format!("{:width$}", setting.key));
    let whose =
        if setting.is_default { screen.paint(Tone::Faint, "  (default)") } else { String::new() };
    format!("{key}  {value}{whose}")
}

fn object(setting: &Setting) -> Json {
    json!({ "key": setting.key, "value": setting.value, "default": setting.is_default })
}
