//! Its index of e-mail addresses: they become addresses of companies.

use std::collections::BTreeMap;

use cocli_core::{Field, Kind, Target, Value};
use cocli_store::FileKind;
use cocli_store::paths::python;
use serde_json::{Map, Value as Json};

use super::{FOLDERS_AT_ONCE, Move};
use crate::error::Result;
use crate::import::{Item, Row};

/// Files of one address each that are gathered before they are brought in.
const ADDRESSES_AT_ONCE: usize = 16 * FOLDERS_AT_ONCE;

/// Of a company, the first file that names one, its addresses and what is said of each.
type Found = BTreeMap<Target, (String, BTreeMap<String, String>)>;

impl Move<'_> {
    /// The addresses of all campaigns.
    pub(super) fn emails(&mut self) -> Result<()> {
        let mut found = Found::new();
        for (_, folder) in self.campaign_folders() {
            for file in self.tables(&python::emails(&folder)) {
                let name = file.clone();
                self.rows(&file, &mut |moving, number, cells| {
                    moving.address(&name, number, cells, &mut found)
                });
                if found.values().map(|(_, of)| of.len()).sum::<usize>() > ADDRESSES_AT_ONCE {
                    self.bring_addresses(&mut found)?;
                }
            }
        }
        self.bring_addresses(&mut found)
    }

    /// The tables in a folder and below it.
    pub(super) fn tables(&self, folder: &str) -> Vec<String> {
        let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = open.pop() {
            for (name, kind) in self.list(&folder) {
                let path = python::within(&folder, &name);
                match kind {
                    FileKind::Folder => open.push(path),
                    FileKind::File if path.ends_with(".usv") => files.push(path),
                    _ => {}
                }
            }
        }
        files.sort();
        files
    }

    fn address(&mut self, file: &str, number: usize, cells: &[&str], found: &mut Found) {
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let (email, domain, slug, source) = (cell(0).to_lowercase(), cell(1), cell(2), cell(3));
        if !email.contains('@') {
            return self.odd(file, format!("row {number}: {email:?} is no address: left out"));
        }
        let Some(target) = self.company_of(slug, domain, email.rsplit('@').next()) else {
            return self.odd(
                file,
                format!("row {number}: {email} is of no company here ({slug}, {domain}): left out"),
            );
        };
        let tags: Vec<&str> =
            cell(8).split(';').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        let said = if tags.is_empty() { source.to_owned() } else { tags.join(", ") };
        let of = found.entry(target).or_insert_with(|| (file.to_owned(), BTreeMap::new()));
        of.1.insert(email, said);
    }

    /// The company of a slug, else of a domain.
    pub(super) fn company_of(
        &self,
        slug: &str,
        domain: &str,
        mail: Option<&str>,
    ) -> Option<Target> {
        let path = python::within(Kind::Company.plural(), slug);
        let moved = self.moved.get(&path).cloned().or_else(|| Target::read(&path).ok());
        let known = &self.importer.known;
        let by_domain = || {
            let mut domains = [Some(domain), mail].into_iter().flatten();
            domains.find_map(|domain| known.of_domain(domain)).cloned()
        };
        let there = moved.filter(Target::is_entity);
        there.and_then(|target| known.now(&target).cloned()).or_else(by_domain)
    }

    fn bring_addresses(&mut self, found: &mut Found) -> Result<()> {
        let (Ok(all), Ok(contexts)) = (Field::read("all_emails"), Field::read("email_contexts"))
        else {
            return Ok(());
        };
        let (mut files, mut counts, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for (target, (file, addresses)) in std::mem::take(found) {
            let emails: Vec<&str> = addresses.keys().map(String::as_str).collect();
            let mut values = BTreeMap::from([(all.clone(), Value::json(&Json::from(emails)))]);
            let said = addresses.iter().filter(|(_, said)| !said.is_empty());
            let said: Map<String, Json> =
                said.map(|(email, said)| (email.clone(), Json::from(said.as_str()))).collect();
            if !said.is_empty() {
                values.insert(contexts.clone(), Value::json(&Json::from(said)));
            }
            files.push(file);
            counts.push(addresses.len());
            items.push(Item { target: Some(target), ..Item::new(Kind::Company, values) });
        }
        if items.is_empty() {
            return Ok(());
        }
        let rows = self.batch(&files, &items)?;
        for (row, count) in rows.iter().zip(counts) {
            let tally = self.tally("emails");
            match row {
                Row::Same(_) => tally.same += count,
                Row::Added(_) | Row::Changed(_) => tally.new += count,
                Row::Skipped(_) => {}
            }
        }
        Ok(())
    }
}
