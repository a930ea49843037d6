//! Its campaigns: settings, who belongs to them, who is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target, Value};
use cocli_store::paths::{self, python};
use serde_json::Value as Json;

use super::Move;
use super::folders::{INDEXES, QUEUES};
use crate::campaigns::{EXCLUDED, MEMBERS};
use crate::change::{Change, Intent};
use crate::error::Result;
use crate::home::failed;
use crate::slug::{slug, variants};

/// Why somebody is left out where nobody said so.
const NO_REASON: &str = "no reason was given";

impl Move<'_> {
    /// The campaigns of the source: slugs and folders.
    pub(super) fn campaign_folders(&self) -> BTreeMap<String, String> {
        let (mut found, mut misnamed) = (BTreeMap::new(), Vec::new());
        let mut add = |name: &str, path: String| {
            let fits = cocli_core::task::queue(name, "x").is_ok();
            if !fits || found.contains_key(name) {
                misnamed.push((slug(name), path));
            } else {
                found.insert(name.to_owned(), path);
            }
        };
        for name in self.folders_in(paths::CAMPAIGNS) {
            let path = python::within(paths::CAMPAIGNS, &name);
            let below = self.folders_in(&path);
            let holds = [INDEXES, QUEUES].iter().any(|one| below.iter().any(|name| name == one));
            for name in below {
                let path = python::within(&path, &name);
                if self.is_file(&paths::campaign_settings(&path)) {
                    add(&name, path);
                }
            }
            if holds || self.is_file(&paths::campaign_settings(&path)) {
                add(&name, path);
            }
        }
        // Whoever bears a slug by its folder has it.
        for (slug, path) in misnamed {
            let free = variants(&slug).find(|name| !found.contains_key(name));
            found.extend(free.map(|name| (name, path)));
        }
        found
    }

    pub(super) fn campaigns(&mut self) -> Result<()> {
        let outer = paths::campaign_settings(paths::CAMPAIGNS);
        self.settings(&outer, &outer)?;
        let campaigns = self.campaign_folders();
        let (mut by_tag, mut names) = (HashMap::<String, BTreeSet<String>>::new(), HashMap::new());
        for (campaign, folder) in &campaigns {
            let name = folder.rsplit('/').next().unwrap_or_default();
            if campaign != name && *campaign != slug(name) {
                let why = format!("{} is another campaign: it is {campaign} here", slug(name));
                self.odd(folder, why);
            }
            let path = paths::campaign_settings(folder);
            let table = self.settings(&path, &path)?;
            let of =
                |key: &str| Some(table.as_ref()?.get("campaign")?.get(key)?.as_str()?.to_owned());
            for tag in [of("tag"), of("name"), Some(campaign.clone())].into_iter().flatten() {
                by_tag.entry(tag).or_default().insert(campaign.clone());
            }
            names.insert(campaign.clone(), of("name").unwrap_or_else(|| campaign.clone()));
        }
        let mut members = self.tagged(&by_tag)?;
        for (campaign, folder) in campaigns {
            let mut of = members.remove(&campaign).unwrap_or_default();
            for index in [python::prospects(&folder), python::emails(&folder)] {
                let is_email = index == python::emails(&folder);
                for file in self.tables(&index) {
                    self.rows(&file, &mut |moving, _, cells| {
                        of.extend(moving.indexed(cells, is_email))
                    });
                }
            }
            let excluded = self.excluded(&folder);
            let name = names.remove(&campaign).unwrap_or_default();
            self.campaign(&campaign, &name, of, excluded)?;
        }
        Ok(())
    }

    /// A company that a row of an index names.
    fn indexed(&mut self, cells: &[&str], is_email: bool) -> Option<Target> {
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        if is_email {
            self.company_of(cell(2), cell(1), None)
        } else {
            self.company_of(cell(1), cell(20), None)
        }
    }

    /// Who bears the tag of a campaign.
    fn tagged(
        &self,
        by_tag: &HashMap<String, BTreeSet<String>>,
    ) -> Result<HashMap<String, BTreeSet<Target>>> {
        let mut members = HashMap::<String, BTreeSet<Target>>::new();
        let tags = Field::read("tags")?;
        let mut take = |target: &Target, entity: &Entity| {
            if !target.is_entity() || entity.removed().is_some() {
                return;
            }
            for tag in entity.members(&tags) {
                for campaign in by_tag.get(&tag.text).into_iter().flatten() {
                    members.entry(campaign.clone()).or_default().insert(target.clone());
                }
            }
        };
        let mut session = self.session()?;
        let reader = session.reader()?;
        for collection in POOL {
            reader.scan(&format!("{collection}/"), &mut take)?;
        }
        self.importer.unwritten.iter().for_each(|(target, entity)| take(target, entity));
        Ok(members)
    }

    /// Settings: where there are none here they are taken over.
    fn settings(&mut self, from: &str, to: &str) -> Result<Option<toml::Table>> {
        let Some(bytes) = self.read(from) else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                self.odd(from, format!("{}: left out", error.message()));
                return Ok(None);
            }
        };
        let there = crate::home::read_if_there(&*self.home.disk, to)?;
        match there {
            Some(there) if there == bytes => {}
            Some(_) if !self.how.overwrite => {
                self.odd(
                    from,
                    format!("differs from {to} here, which stays (`--overwrite` replaces it)"),
                );
            }
            _ if self.how.dry_run => {}
            there => {
                let folder = paths::folder(to);
                if there.is_none() {
                    self.home.disk.make_folder(folder).map_err(|e| failed(folder, "make", e))?;
                }
                crate::home::replace(&*self.home.disk, to, &bytes)?;
            }
        }
        Ok(Some(table))
    }

    /// Who is left out of a campaign, and why.
    fn excluded(&mut self, folder: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for file in self.files_in(&python::exclusions(folder)) {
            let Some(bytes) = self.read(&file).filter(|_| file.ends_with(".json")) else {
                continue;
            };
            let json: Json = match serde_json::from_slice(&bytes) {
                Ok(json) => json,
                Err(error) => {
                    self.odd(&file, format!("{error}: left out"));
                    continue;
                }
            };
            let of = |key: &str| {
                json.get(key).and_then(Json::as_str).map(str::trim).filter(|text| !text.is_empty())
            };
            let who = match (of("company_slug"), of("domain")) {
                (Some(slug), domain) => {
                    self.left_out(&file, slug).or_else(|| domain.map(str::to_lowercase))
                }
                (None, Some(domain)) => Some(domain.to_lowercase()),
                (None, None) => None,
            };
            match who {
                Some(who) => drop(found.insert(who, of("reason").unwrap_or(NO_REASON).to_owned())),
                None => self.odd(&file, "names neither a company nor a domain: left out"),
            }
        }
        found
    }

    /// The target of a slug that is left out. The Python program takes `junk.com` for one.
    fn left_out(&mut self, file: &str, slug: &str) -> Option<String> {
        let path = python::within(Kind::Company.plural(), slug);
        let target = self.moved.get(&path).cloned().or_else(|| Target::read(&path).ok());
        let target = target.filter(Target::is_entity);
        let known = target.as_ref().is_some_and(|target| self.importer.known.knows(target));
        if slug.contains('.') && !known {
            self.odd(file, format!("{slug:?} is no slug of a company: taken for a domain"));
            return Some(slug.to_lowercase());
        }
        target.map(|target| target.to_string())
    }

    fn campaign(
        &mut self,
        campaign: &str,
        name: &str,
        of: BTreeSet<Target>,
        excluded: BTreeMap<String, String>,
    ) -> Result<()> {
        let Ok(target) = Target::read(&format!("{}/{campaign}", paths::CAMPAIGNS)) else {
            return Ok(());
        };
        let entity = self.home.entity(&target)?;
        if entity.removed().is_some() {
            self.odd(target.as_str(), "was removed here: left out");
            return Ok(());
        }
        let (name_field, members, out) =
            (Field::read("name")?, Field::read(MEMBERS)?, Field::read(EXCLUDED)?);
        let is_new = entity.value(None, &name_field).is_none_or(|name| name.is_null());
        let mut changes = Vec::new();
        let mut put =
            |field: Field, intent| changes.push(Change::new(target.clone(), field, intent));
        if is_new {
            put(name_field, Intent::Put(Value::text(name)));
        }
        let held: BTreeSet<String> =
            entity.members(&members).into_iter().map(|one| one.text).collect();
        let (mut joined, mut left) = (super::Tally::default(), super::Tally::default());
        for target in of {
            let was = held.contains(target.as_str());
            joined.add(was, false);
            if !was {
                put(members.clone(), Intent::Add(target.as_str().to_owned()));
            }
        }
        let held: BTreeSet<String> = entity.members(&out).into_iter().map(|one| one.text).collect();
        for (who, why) in excluded {
            left.add(held.contains(&who), false);
            let (element, long) = out.element_of(&who);
            if !held.contains(&who) && !long {
                put(element, Intent::Put(Value::text(&why)));
            }
        }
        let changed = !changes.is_empty();
        self.write(&changes)?;
        self.tally("campaigns").add(!is_new, changed);
        for (kind, more) in [("members", joined), ("excluded", left)] {
            let tally = self.tally(kind);
            tally.new += more.new;
            tally.same += more.same;
        }
        Ok(())
    }
}
