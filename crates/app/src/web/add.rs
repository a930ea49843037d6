//! What forms bring that was not there: a company, a person, a note; as `cocli add` and `cocli note` do.

use std::sync::Arc;

use cocli_core::{Field, Kind, Target};
use cocli_node::convo::to_the_second;
use cocli_node::slug::slug;
use cocli_node::{Home, Session};

use super::site::Site;
use super::write::{Filled, encoded, path, put, unknown};
use crate::clock;
use crate::commands::convo::{self, New};
use crate::commands::{add, set};
use crate::failure::{Exit, Failure};

/// What is asked of a new company, beside its name.
pub(super) const OF_COMPANY: [(&str, &str); 3] =
    [("domain", "Domain"), ("email", "E-mail"), ("city", "City")];
/// And of a new person.
pub(super) const OF_PERSON: [(&str, &str); 3] =
    [("role", "Role"), ("email", "E-mail"), ("phone", "Phone")];

pub(super) fn company(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    entity(home, "companies", form, &OF_COMPANY)
}

pub(super) fn person(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    entity(home, "people", form, &OF_PERSON)
}

fn entity(
    home: &Home,
    collection: &str,
    form: &Filled,
    asked: &[(&str, &str)],
) -> Result<String, Failure> {
    let name = form.text("name").trim();
    if name.is_empty() {
        return Err(Failure::usage("a name is expected, and there is none"));
    }
    let wanted = Target::read(&format!("{collection}/{}", slug(name)))?;
    let put_text = |field: &str, text: &str| set::typed(&wanted, &Field::read(field)?, text);
    let mut all = vec![put_text("name", name)?];
    for (field, _) in asked {
        let text = form.text(field).trim();
        if !text.is_empty() {
            all.push(put_text(field, text)?);
        }
    }
    let company = form.text("company").trim();
    if collection == "people" && !company.is_empty() {
        let company = convo::owner(home, company)?;
        if Kind::of(&company) != Some(Kind::Company) {
            return Err(Failure::usage(format!("expected a company, and {company} is none")));
        }
        all.extend(add::employed(home, &wanted, &company)?);
    }
    let mut made = wanted.clone();
    let changes = |session: &mut Session<'_>| {
        made = session.free(&wanted, &all, false)?.ok_or_else(|| {
            Failure::new(Exit::Conflict, format!("{wanted} is there already: nothing was added"))
                .hint(format!("open /{wanted}, or give this one a name of its own"))
        })?;
        all.iter_mut().for_each(|change| change.target = made.clone());
        Ok(all)
    };
    put(home, &wanted, "add", false, changes)?;
    Ok(format!("/{}?added=1", path(made.as_str())))
}

/// Notes something of a company or a person; its first words are its title.
pub(super) fn note(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    let (of, text) = (form.target()?, form.text("text").trim());
    if !matches!(Kind::of(&of), Some(Kind::Company | Kind::Person)) {
        return Err(Failure::usage(format!("expected a company or person, and {of} is none")));
    }
    if text.is_empty() {
        return Err(Failure::usage("the note has no text: nothing is noted"));
    }
    let title = convo::headline(text);
    let at = to_the_second(clock::now());
    let new = New { kind: Kind::Note, at, title: &title, fields: &[("content", text)] };
    let (target, all) = convo::changes(&of, &new)?;
    // Where it was removed that is told by the write, which is refused.
    let changes = |session: &mut Session<'_>| match session.entity(&of)?.fields.is_empty() {
        true => Err(unknown(&of)),
        false => Ok(all),
    };
    put(home, &of, "note", false, changes)?;
    Ok(format!("/{}?noted={}#notes", path(of.as_str()), encoded(target.as_str())))
}
