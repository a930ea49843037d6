//! The forms by which a company, a person or a note is added.

use cocli_core::{Kind, Target};
use maud::{Markup, html};

use crate::web::add::{OF_COMPANY, OF_PERSON};
use crate::web::site::Site;

/// Another company or person; of a person whose company is known it is not asked for.
pub(super) fn entity(site: &Site, kind: Kind, company: Option<&Target>) -> Markup {
    let (what, action, fields) = match kind {
        Kind::Company => ("Add a company", "/add/company", OF_COMPANY),
        _ => ("Add a person", "/add/person", OF_PERSON),
    };
    html! {
        details.another #add {
            summary { (what) }
            form.edit method="post" action=(action) {
                input type="hidden" name="form" value=(site.guard.form());
                label for="add-name" { "Name" }
                input #add-name name="name" required autocomplete="off" maxlength="400";
                @if let Some(company) = company {
                    input type="hidden" name="company" value=(company);
                } @else if kind == Kind::Person {
                    label for="add-company" { "Company" }
                    input #add-company name="company" placeholder="its name, where it is one that is here" autocomplete="off" maxlength="400";
                }
                @for (field, label) in fields {
                    label for={ "add-" (field) } { (label) }
                    input id={ "add-" (field) } name=(field) autocomplete="off" maxlength="400";
                }
                button { "Add" }
            }
        }
    }
}

pub(super) fn note(site: &Site, of: &Target) -> Markup {
    html! {
        details.another #add-note {
            summary { "Add a note" }
            form.edit method="post" action="/note" {
                input type="hidden" name="form" value=(site.guard.form());
                input type="hidden" name="target" value=(of);
                label for="note-text" { "Note" }
                textarea #note-text name="text" rows="4" required {}
                button { "Save" }
                span.faint { " its first line is its title" }
            }
        }
    }
}
