//! `cocli add`: a new company or person.

use cocli_core::{Field, Kind, Target, Value};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};
use cocli_node::slug::slug;
use serde_json::json;

use super::Context;
use crate::args::{Add, Collection};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Add) -> Result<(), Failure> {
    let home = context.home()?;
    let kind = match args.what {
        Collection::Company => Kind::Company,
        Collection::Person => Kind::Person,
    };
    let collection = if kind == Kind::Person { "people" } else { "companies" };
    let slug = args.slug.clone().unwrap_or_else(|| slug(&args.name));
    let wanted = Target::read(&format!("{collection}/{slug}"))?;
    let mut changes = vec![put(&wanted, "name", &args.name)?];
    for text in &args.set {
        changes.push(super::set::change(&wanted, text)?);
    }
    super::set::tell_times(context, &changes[1..], &args.set);
    if let Some(company) = &args.company {
        changes.extend(employed(&home, &wanted, &home.resolve(company)?)?);
    }
    let mut session = context.session(&home)?;
    session.take_in(std::slice::from_ref(&wanted))?;
    let target = match session.free(&wanted, &changes, args.slug.is_some())? {
        Some(target) => target,
        None => {
            let message = format!("{wanted} is there already");
            return Err(Failure::new(Exit::Conflict, message)
                .hint(format!("`cocli show {wanted}`, or another `--slug`")));
        }
    };
    for change in &mut changes {
        change.target = target.clone();
    }
    let written = session.write("add", &changes, false)?;
    context.finish(&home, session, &written)?;
    if target != wanted {
        context.screen.note(format!("{wanted} is somebody else: this one is {target}"));
    }
    super::doubts::tell(context, &home, &changes)?;
    let path = home.card_path(&target)?;
    match context.screen.json {
        true => context.screen.object(&json!({"target": target.as_str(), "path": path})),
        false => context.screen.line(format!("{target}  {}", context.screen.safe(&path))),
    }
    Ok(())
}

/// That a person belongs to a company.
pub(crate) fn employed(
    home: &Home,
    person: &Target,
    company: &Target,
) -> Result<[Change; 2], Failure> {
    let name = home.text(company, "name")?.unwrap_or_else(|| company.slug().into());
    Ok([put(person, "company_name", &name)?, put(person, "company", company.as_str())?])
}

fn put(target: &Target, field: &str, text: &str) -> Result<Change, Failure> {
    let value = Value::text(text).bounded()?;
    Ok(Change::new(target.clone(), Field::read(field)?, Intent::Put(value)))
}
