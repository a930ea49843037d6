//! A collection: page by page, or what `cocli find` finds, among those that conditions hold for.

use std::sync::Arc;

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_node::{Condition, Home, Query, Turned};
use maud::{Markup, html};

use crate::commands::{list::condition, show::readable};
use crate::failure::Failure;
use crate::render::counted;
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::write::{encoded, path};

/// Entities on a page.
const ROWS: usize = 50;
/// The last page of what is found: who looks further asks for something else.
const PAGES_MAX: usize = 20;
/// Letters of a cell.
const CELL_CHARS: usize = 120;

/// What was asked for.
struct Asked<'a> {
    collection: &'static str,
    text: &'a str,
    /// `FIELD=VALUE`, each as it was typed.
    filters: Vec<String>,
    conditions: Vec<Condition>,
    after: &'a str,
    before: Option<&'a str>,
    page: usize,
}

/// What is shown of it.
#[derive(Default)]
struct Shown {
    entities: Vec<(Target, Entity)>,
    /// How many there are, in words.
    said: String,
    earlier: Option<String>,
    later: Option<String>,
}

pub(in crate::web) fn page(
    site: &Arc<Site>,
    home: &Home,
    collection: &str,
    pairs: &[(String, String)],
) -> Result<Page, Failure> {
    let collection = if collection == POOL[0] { POOL[0] } else { POOL[1] };
    let asked = Asked::read(collection, pairs)?;
    let shown =
        if asked.text.is_empty() { asked.turned(site, home)? } else { asked.found(home)? };
    let (kind, title, here) = match collection == POOL[0] {
        true => (Kind::Company, "Companies", "/companies"),
        false => (Kind::Person, "People", "/people"),
    };
    let body = html! {
        h1 { (title) }
        (filters(&asked, kind))
        p role="status" { (super::worded(&shown.said)) }
        @if !shown.entities.is_empty() { (table(kind, &shown.entities)) }
        nav.turn aria-label="More of them" {
            @if let Some(on) = &shown.earlier { a rel="prev" href=(on) { "← Before" } }
            @if let Some(on) = &shown.later { a rel="next" href=(on) { "Next →" } }
        }
        (super::add::entity(site, kind, None))
    };
    Ok(Page::new(title, here, body).live(collection))
}

impl<'a> Asked<'a> {
    fn read(collection: &'static str, pairs: &'a [(String, String)]) -> Result<Self, Failure> {
        let one = |key: &str| {
            pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.trim())
        };
        let all = |key: &'static str| {
            pairs.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.trim())
        };
        let mut filters: Vec<String> =
            all("where").filter(|text| !text.is_empty()).map(str::to_owned).collect();
        // As the form sends a new one.
        if let Some(field) = one("field").filter(|field| !field.is_empty()) {
            filters.push(format!("{field}={}", one("value").unwrap_or_default()));
        }
        filters.dedup();
        Ok(Self {
            collection,
            text: one("q").unwrap_or_default(),
            conditions: filters.iter().map(|text| condition(text)).collect::<Result<_, _>>()?,
            filters,
            after: one("after").unwrap_or_default(),
            before: one("before").filter(|slug| !slug.is_empty()),
            page: one("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, PAGES_MAX),
        })
    }

    /// The address of the same with another end.
    fn on(&self, without: Option<&str>, end: &str) -> String {
        let text = (!self.text.is_empty()).then(|| format!("q={}", encoded(self.text)));
        let filters = self.filters.iter().filter(|filter| without != Some(filter.as_str()));
        let filters = filters.map(|filter| format!("where={}", encoded(filter)));
        let end = (!end.is_empty()).then(|| end.to_owned());
        let all: Vec<String> = text.into_iter().chain(filters).chain(end).collect();
        let mark = if all.is_empty() { "" } else { "?" };
        format!("/{}{mark}{}", self.collection, all.join("&"))
    }

    fn turned(&self, site: &Arc<Site>, home: &Home) -> Result<Shown, Failure> {
        let turned = self.before.map_or(Turned::After(self.after), Turned::Before);
        let page = home.page(self.collection, &self.conditions, turned, ROWS)?;
        let [companies, people] = if page.all.is_none() { site.count(home)? } else { [0; 2] };
        let all = page.all.unwrap_or(if self.collection == POOL[0] { companies } else { people });
        let (one, many) = if self.collection == POOL[0] {
            ("company", "companies")
        } else {
            ("person", "people")
        };
        let edge = |key: &str, at: Option<&(Target, Entity)>| {
            at.map(|(target, _)| self.on(None, &format!("{key}={}", encoded(target.slug()))))
        };
        let said = match (all, self.filters.is_empty()) {
            (0, true) => format!("No {many} yet: add one below, or bring many by `cocli import`."),
            (0, false) => format!("No {one} of which all this holds."),
            _ => counted(all, one, many),
        };
        Ok(Shown {
            said,
            earlier: page.earlier.then(|| edge("before", page.entities.first())).flatten(),
            later: page.later.then(|| edge("after", page.entities.last())).flatten(),
            entities: page.entities,
        })
    }

    fn found(&self, home: &Home) -> Result<Shown, Failure> {
        let mut query = Query::typed(self.text)?;
        self.conditions.iter().for_each(|condition| query.add(condition.clone()));
        query.within(self.collection);
        let from = (self.page - 1) * ROWS;
        let found = home.find(&query, from + ROWS + 1, &cocli_fuzzy::best)?;
        let more = found.entities.len() > from + ROWS;
        let entities: Vec<_> = found.entities.into_iter().skip(from).take(ROWS).collect();
        let said = match (entities.len(), found.nearly) {
            (0, _) => format!("Nobody here is called {:?}, or nearly so.", self.text),
            (_, true) => format!("Nobody here is called {:?}. Nearly so:", self.text),
            (_, false) if more || self.page > 1 => {
                format!("The best for {:?}, page {}.", self.text, self.page)
            }
            (some, false) => format!("{} for {:?}.", counted(some, "hit", "hits"), self.text),
        };
        let turn = |page: usize| self.on(None, &format!("page={page}"));
        Ok(Shown {
            entities,
            said,
            earlier: (self.page > 1).then(|| turn(self.page - 1)),
            later: (more && self.page < PAGES_MAX).then(|| turn(self.page + 1)),
        })
    }
}

fn filters(asked: &Asked<'_>, kind: Kind) -> Markup {
    html! {
        form.filter action={ "/" (asked.collection) } {
            label { "Find " input type="search" name="q" value=(asked.text) autocomplete="off" maxlength="200"; }
            @for filter in &asked.filters { input type="hidden" name="where" value=(filter); }
            label { "where " input name="field" list="fields" placeholder="city" autocomplete="off" size="12" maxlength="100"; }
            label { "is " input name="value" placeholder="nothing: has none" autocomplete="off" size="16" maxlength="400"; }
            button { "Show" }
            datalist #fields { @for spec in kind.fields() { option value=(spec.name) {} } }
        }
        @if !asked.filters.is_empty() || !asked.text.is_empty() {
            ul.chips aria-label="What is asked for" {
                @if !asked.text.is_empty() {
                    li { "“" (asked.text) "” " a href=(Asked { text: "", filters: asked.filters.clone(), conditions: Vec::new(), ..*asked }.on(None, "")) aria-label={ "No longer: " (asked.text) } { "×" } }
                }
                @for filter in &asked.filters {
                    li { (filter) " " a href=(asked.on(Some(filter), "")) aria-label={ "No longer: " (filter) } { "×" } }
                }
            }
        }
    }
}

/// What a row shows beside the name.
fn columns(kind: Kind) -> [(&'static str, &'static str); 4] {
    match kind {
        Kind::Person => {
            [("company_name", "Company"), ("role", "Role"), ("email", "E-mail"), ("tags", "Tags")]
        }
        _ => [("domain", "Domain"), ("email", "E-mail"), ("city", "City"), ("tags", "Tags")],
    }
}

fn table(kind: Kind, entities: &[(Target, Entity)]) -> Markup {
    let columns = columns(kind);
    html! {
        table {
            thead { tr { th scope="col" { "Name" } @for (_, name) in columns { th scope="col" { (name) } } } }
            tbody {
                @for (target, entity) in entities {
                    tr {
                        th scope="row" { a href={ "/" (path(target.as_str())) } { (name(kind, target, entity)) } }
                        @for (field, label) in columns { td data-label=(label) { (text(kind, entity, field)) } }
                    }
                }
            }
        }
    }
}

/// What an entity is called.
pub(super) fn name(kind: Kind, target: &Target, entity: &Entity) -> String {
    Some(text(kind, entity, "name"))
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| target.slug().to_owned())
}

fn text(kind: Kind, entity: &Entity, field: &str) -> String {
    let value = Field::read(field).ok().and_then(|field| entity.value(Some(kind), &field));
    let text = value.filter(|value| !value.is_null()).as_ref().map(readable).unwrap_or_default();
    super::cut(&text, CELL_CHARS)
}
