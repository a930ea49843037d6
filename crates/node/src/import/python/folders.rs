//! Which folders are of which companies, misplaced ones too, and what is left lying.

use cocli_core::{Kind, Target};
use cocli_store::paths::python::{self, within};
use cocli_store::{FileKind, paths};

use super::Move;
use crate::slug::slug;

/// How deep a campaign, or the companies in it, may stand below `campaigns/`.
const DEPTH_MAX: usize = 3;
/// How deep what is left lying is counted.
const PASSED_DEPTH_MAX: usize = 16;

/// A folder of a company.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Its path in the source.
    pub(super) path: String,
    /// Which company it is here.
    pub(super) target: Target,
}

pub(super) type Folders = Vec<Folder>;

impl Move<'_> {
    /// The folders of companies, and where they belong.
    pub(super) fn folders(&mut self) -> Folders {
        let companies = Kind::Company.plural();
        let (mut found, mut misplaced) = (Vec::new(), Vec::new());
        for name in self.folders_in(companies) {
            let path = within(companies, &name);
            for (below, kind) in self.list(&path) {
                let nested = within(&path, &below);
                if below == python::CONTACTS {
                    self.link(&nested, &name);
                } else if kind == FileKind::Folder && self.is_file(&within(&nested, python::CARD)) {
                    misplaced.push((nested, below));
                }
            }
            found.extend(self.folder(path, &name));
        }
        // Whoever stands in its place has its slug.
        for (path, name) in misplaced {
            self.odd(&path, "a company one folder too deep");
            found.extend(self.folder(path, &name));
        }
        for path in self.left_in_campaigns() {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            self.odd(&path, "a company in the folder of a campaign");
            found.extend(self.folder(path, &name));
        }
        found
    }

    /// People whom a folder names by links: only the names are read.
    fn link(&mut self, contacts: &str, company: &str) {
        let Ok(target) = Target::read(&within(Kind::Company.plural(), company)) else {
            return;
        };
        for (person, _) in self.list(contacts) {
            self.linked.entry(person).or_default().insert(target.clone());
        }
    }

    fn folder(&mut self, path: String, name: &str) -> Option<Folder> {
        let holds = |name: &str| {
            self.disk.list(&within(&path, name)).is_ok_and(|entries| !entries.is_empty())
        };
        let is_company =
            [python::CARD, python::TAGS].into_iter().any(|file| self.is_file(&within(&path, file)))
                || Kind::CONVOS.into_iter().any(|kind| holds(kind.plural()))
                || holds(python::UPDATES);
        if !is_company {
            return None;
        }
        let target = self.place_of(Kind::Company, &path, name)?;
        if path != target.as_str() {
            self.moved.insert(path.clone(), target.clone());
        }
        Some(Folder { path, target })
    }

    /// Where a folder of this name belongs: at its slug, unless another entity bears that here.
    pub(super) fn place_of(&mut self, kind: Kind, path: &str, name: &str) -> Option<Target> {
        let wanted = within(kind.plural(), name);
        let target = match Target::read(&wanted) {
            Ok(target) if target.is_entity() => target,
            _ => {
                let made = within(kind.plural(), &slug(name));
                self.odd(path, format!("{name:?} is no slug: it is {made} here"));
                Target::read(&made).ok()?
            }
        };
        if let Some(first) = self.placed.get(&target).cloned() {
            // Another folder of this home came to it: what that one is decides.
            let values = self.entity_values(kind, &first, false);
            self.importer.known.learn(kind, &target, &values);
        }
        if !self.importer.known.knows(&target) {
            self.placed.insert(target.clone(), path.to_owned());
            return Some(target);
        }
        let values = self.entity_values(kind, path, false);
        let place = self.importer.known.place(kind, &target, &values).ok()?;
        if place != target {
            self.odd(path, format!("{target} is another one here: it is {place}"));
            self.importer.known.learn(kind, &place, &values);
        }
        self.placed.entry(place.clone()).or_insert_with(|| path.to_owned());
        Some(place)
    }

    /// Folders of companies that were left below those of campaigns.
    fn left_in_campaigns(&self) -> Vec<String> {
        let (mut found, mut layer) = (Vec::new(), vec![paths::CAMPAIGNS.to_owned()]);
        for _ in 0..DEPTH_MAX {
            let mut below = Vec::new();
            for folder in &layer {
                for name in self.folders_in(folder) {
                    let path = within(folder, &name);
                    if name == Kind::Company.plural() {
                        let names = self.folders_in(&path);
                        found.extend(names.iter().map(|name| within(&path, name)));
                    } else if ![INDEXES, QUEUES].contains(&name.as_str()) {
                        below.push(path);
                    }
                }
            }
            layer = below;
        }
        found
    }

    /// Counts the files that nothing was read from, by the folders that hold them.
    pub(super) fn pass_over(&mut self) {
        let mut layer = vec![String::new()];
        for _ in 0..PASSED_DEPTH_MAX {
            let mut below = Vec::new();
            for folder in &layer {
                for (name, kind) in self.list(folder) {
                    let path = within(folder, &name);
                    match kind {
                        FileKind::Folder => below.push(path),
                        _ if is_read(&path) => {}
                        _ => *self.report.passed_over.entry(shape(folder)).or_default() += 1,
                    }
                }
            }
            layer = below;
        }
    }
}

/// Folders of a campaign that hold many files.
pub(super) const INDEXES: &str = "indexes";
pub(super) const QUEUES: &str = "queues";

/// Whether something is read from a file at such a path.
pub(super) fn is_read(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let ends = |ending: &str| path.ends_with(ending);
    let convo = |folder: &str| Kind::CONVOS.iter().any(|kind| kind.plural() == folder);
    match &parts[..] {
        ["wal", _] => ends(".usv"),
        ["companies", .., python::CARD | python::TAGS] => parts.len() <= 4,
        ["companies", .., python::CONTACTS, _] | ["people", _, "companies", _] => true,
        ["companies", .., python::UPDATES, _] => ends(".usv"),
        ["companies" | "people", _, folder, _] if convo(folder) => ends(".md"),
        ["companies", _, _, folder, _] if convo(folder) => ends(".md"),
        ["people", _, _] => ends(".md"),
        ["campaigns", .., "config.toml"] => true,
        ["campaigns", .., INDEXES, "exclude", _] => ends(".json"),
        ["campaigns", .., INDEXES, "emails", "inbox", _, _]
        | ["campaigns", .., INDEXES, "emails", "shards" | "inbox", _] => ends(".usv"),
        ["campaigns", _, INDEXES, "google_maps_prospects", ..] => ends(".usv"),
        ["campaigns", .., "companies", _, python::CARD | python::TAGS] => true,
        ["campaigns", .., "companies", _, folder, _] if convo(folder) => ends(".md"),
        _ => false,
    }
}

/// A folder with `*` for the names of companies, people and campaigns.
pub(super) fn shape(folder: &str) -> String {
    let mut parts = folder.split('/');
    let first = parts.next().unwrap_or_default();
    let many = ["companies", "people", paths::CAMPAIGNS].contains(&first);
    match (parts.next(), parts.next()) {
        (None, _) => {
            if first.is_empty() {
                ".".to_owned()
            } else {
                first.to_owned()
            }
        }
        (Some(_), None) if many => format!("{first}/*"),
        (Some(_), Some(below)) if many => format!("{first}/*/{below}"),
        (Some(next), _) => format!("{first}/{next}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_lying_is_told_from_what_is_read() {
        for (path, read) in [
            ("companies/a/_index.md", true),
            ("companies/a/b/_index.md", true),
            ("companies/a/notes/x.md", true),
            ("companies/a/enrichments/website.md", false),
            ("companies/a/contacts/jane", true),
            ("people/jane/jane.md", true),
            ("people/jane.md", false),
            ("wal/20261122_vm.usv", true),
            ("wal/.gossip_offsets.json", false),
            ("campaigns/r/indexes/emails/inbox/b2/x.usv", true),
            ("campaigns/r/indexes/emails/shards/b2.usv", true),
            ("campaigns/r/indexes/exclude/a.json", true),
            ("campaigns/r/queues/to-call/pending/a.usv", false),
            ("campaigns/r/companies/a/_index.md", true),
        ] {
            assert_eq!(is_read(path), read, "{path}");
        }
        assert_eq!(shape("companies/a/enrichments"), "companies/*/enrichments");
        assert_eq!(shape("campaigns/r/queues/to-call/pending"), "campaigns/*/queues");
        assert_eq!((shape(""), shape("cache")), (".".into(), "cache".into()));
    }
}
