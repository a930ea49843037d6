//! Which campaigns there are, who belongs to them and who is left out: references to the pool, never entities.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Instant, Target, Value};
use cocli_store::{StoreError, paths};

use super::folders;
use crate::change::{Change, Intent};
use crate::error::{NodeError, Result};
use crate::home::{Home, failed};
use crate::session::{Session, Written};
use crate::{nearest, slug};

/// Set of the targets that belong to it.
pub(crate) const MEMBERS: &str = "members";
/// Map of the targets and domains that are left out to why.
pub(crate) const EXCLUDED: &str = "excluded";

/// Why a campaign was refused; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CampaignError {
    /// Nothing by this name.
    #[error("no campaign is called {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A second one of a slug.
    #[error("the campaign {0} is there already")]
    Exists(String),
    /// Somebody who is left out was to be added.
    #[error("{target} is excluded from {campaign}: {reason}")]
    Excluded {
        /// Who.
        target: Target,
        /// The campaign.
        campaign: String,
        /// Why.
        reason: String,
    },
    /// A member that is nobody of the pool.
    #[error("{0} is no member for a campaign: expected `companies/SLUG` or `people/SLUG`")]
    NoMember(Target),
    /// Settings that do not read.
    #[error("{path}: {what}")]
    Settings {
        /// The file, or the key.
        path: String,
        /// What was expected, and what came.
        what: String,
    },
}

/// A campaign, as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its slug.
    pub slug: String,
    /// Its name, as it was typed; the slug where nobody did.
    pub name: String,
    /// Its folder below the home, should there be one here.
    pub folder: Option<String>,
    /// Who belongs to it: targets.
    pub members: BTreeSet<String>,
    /// Who is left out, targets and domains, and why.
    pub excluded: BTreeMap<String, String>,
}

impl Campaign {
    fn of(slug: &str, entity: &Entity, folder: Option<String>) -> Option<Self> {
        let name = entity.value(None, &Field::read("name").ok()?).filter(|name| !name.is_null());
        if entity.removed().is_some() || (name.is_none() && folder.is_none()) {
            return None;
        }
        let of = |field| Field::read(field).map(|field| entity.members(&field)).unwrap_or_default();
        let reason = |value: Value| value.shown().into_owned();
        Some(Self {
            slug: slug.to_owned(),
            name: name.map_or_else(|| slug.to_owned(), |name| name.shown().into_owned()),
            folder,
            members: of(MEMBERS).into_iter().map(|member| member.text).collect(),
            excluded: of(EXCLUDED).into_iter().map(|out| (out.text, reason(out.value))).collect(),
        })
    }

    /// Its target.
    ///
    /// # Errors
    /// When its slug is none, as a folder's name may not be.
    pub fn target(&self) -> Result<Target> {
        Ok(Target::read(&format!("{}/{}", paths::CAMPAIGNS, self.slug))?)
    }

    /// Why somebody is left out.
    #[must_use]
    pub fn excludes(&self, who: &str) -> Option<&str> {
        self.excluded.get(who).map(String::as_str)
    }
}

impl Home {
    /// All campaigns, by slug: those that have a name on some node, or settings here.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn campaigns(&self) -> Result<Vec<Campaign>> {
        let (prefix, mut folders) = (format!("{}/", paths::CAMPAIGNS), self.campaign_folders());
        let mut entities = self.read(|reader| {
            let mut all = BTreeMap::new();
            reader.scan(&prefix, |target, entity| {
                if target.is_entity() {
                    all.insert(target.slug().to_owned(), entity.clone());
                }
            })?;
            Ok(all)
        })?;
        for slug in folders.keys() {
            entities.entry(slug.clone()).or_default();
        }
        let campaign =
            |(slug, entity): (String, Entity)| Campaign::of(&slug, &entity, folders.remove(&slug));
        Ok(entities.into_iter().filter_map(campaign).collect())
    }

    /// The campaign that a person means: by slug, target or name.
    ///
    /// # Errors
    /// When there is none: names the nearest.
    pub fn campaign(&self, typed: &str) -> Result<Campaign> {
        let name = typed.strip_prefix(paths::CAMPAIGNS).and_then(|rest| rest.strip_prefix('/'));
        let name = name.unwrap_or(typed).trim_end_matches('/');
        if let Ok(target) = Target::read(&format!("{}/{name}", paths::CAMPAIGNS))
            && target.is_entity()
        {
            let folder = self.campaign_folders().remove(name);
            if let Some(found) = Campaign::of(name, &self.entity(&target)?, folder) {
                return Ok(found);
            }
        }
        let mut all = self.campaigns()?;
        if let Some(at) = all.iter().position(|one| one.name.to_lowercase() == name.to_lowercase())
        {
            return Ok(all.swap_remove(at));
        }
        let slugs = all.iter().map(|one| one.slug.as_str());
        let nearest = nearest(&slug::slug(name), slugs).map(str::to_owned);
        Err(CampaignError::Unknown { name: typed.to_owned(), nearest }.into())
    }

    /// Makes a campaign of a name, with a folder and settings on this machine. One that has but a folder, as in a
    /// home of the Python program, becomes known to all nodes so.
    ///
    /// # Errors
    /// When there is one already, or the disk refuses.
    pub fn new_campaign(&self, name: &str, now: Instant) -> Result<(Campaign, Written)> {
        let slug = slug::slug(name);
        let target = Target::read(&format!("{}/{slug}", paths::CAMPAIGNS))?;
        let mut session = self.session(now)?;
        let field = Field::read("name")?;
        let (entity, removed) = self.known(&target)?;
        if removed.is_none() && entity.value(None, &field).is_some_and(|name| !name.is_null()) {
            return Err(CampaignError::Exists(slug).into());
        }
        let put = Intent::Put(Value::text(name).bounded()?);
        let written = session.write("campaign new", &[Change::new(target, field, put)], true)?;
        if !self.campaign_folders().contains_key(&slug) {
            self.lay_out_campaign(&slug, name)?;
        }
        drop(session);
        Ok((self.campaign(&slug)?, written))
    }

    /// Its folder and settings.
    fn lay_out_campaign(&self, slug: &str, name: &str) -> Result<()> {
        let folder = paths::in_campaigns(paths::CAMPAIGNS, slug);
        let path = paths::campaign_settings(&folder);
        let mut campaign = toml::Table::new();
        campaign.insert("name".into(), name.into());
        let text = toml::Table::from_iter([("campaign".to_owned(), campaign.into())]).to_string();
        self.disk.make_folder(&folder).map_err(|e| failed(&folder, "make", e))?;
        self.disk.put(&path, text.as_bytes()).map_err(|e| failed(&path, "write", e))?;
        self.disk.sync(&path).map_err(|e| failed(&path, "sync", e))
    }

    /// The folders of campaigns that have settings, by slug; of two of one name the outer one.
    pub(crate) fn campaign_folders(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for folder in folders(&*self.disk).into_iter().skip(1) {
            let there = self.disk.stat(&paths::campaign_settings(&folder)).ok().flatten().is_some();
            let slug = folder.rsplit('/').next().unwrap_or_default();
            if there && cocli_core::task::queue(slug, "x").is_ok() {
                found.entry(slug.to_owned()).or_insert(folder);
            }
        }
        found
    }

    /// The member or the one to be left out that a person means: one that is in the pool, and not removed.
    ///
    /// # Errors
    /// When there is none of it.
    pub fn member(&self, typed: &str) -> Result<Target> {
        let target = self.resolve(typed)?;
        if !target.is_entity() || !POOL.contains(&target.collection()) {
            return Err(CampaignError::NoMember(target).into());
        }
        let (entity, removed) = self.known(&target)?;
        if removed.is_none() && entity.is_shown() {
            return Ok(target);
        }
        Err(NodeError::Unknown { name: typed.to_owned(), nearest: self.nearest(&target)? })
    }
}

impl Session<'_> {
    /// Adds members to a campaign, or takes them out.
    ///
    /// # Errors
    /// When one that is to be added is left out of it, or the disk refuses: nothing is written then.
    pub fn enlist(
        &mut self,
        campaign: &Campaign,
        targets: &[Target],
        member: bool,
    ) -> Result<Written> {
        let (field, of) = (Field::read(MEMBERS)?, campaign.target()?);
        let mut changes = Vec::new();
        for target in targets {
            if let Some(reason) = campaign.excludes(target.as_str()).filter(|_| member) {
                let (reason, campaign) = (reason.to_owned(), campaign.slug.clone());
                let target = target.clone();
                return Err(CampaignError::Excluded { target, campaign, reason }.into());
            }
            let text = target.as_str().to_owned();
            let intent = if member { Intent::Add(text) } else { Intent::Remove(text) };
            changes.push(Change::new(of.clone(), field.clone(), intent));
        }
        self.write(if member { "campaign add" } else { "campaign remove" }, &changes, false)
    }

    /// Leaves somebody out, a target or a domain, for a reason; without one no longer.
    ///
    /// # Errors
    /// When the name is too long, or the disk refuses.
    pub fn exclude(
        &mut self,
        campaign: &Campaign,
        who: &str,
        reason: Option<&str>,
    ) -> Result<Written> {
        let (element, hashed) = Field::read(EXCLUDED)?.element_of(who);
        if hashed {
            let (path, what) = (who.to_owned(), "too long a name to be left out".to_owned());
            return Err(CampaignError::Settings { path, what }.into());
        }
        let value = match reason {
            Some(reason) => Value::text(reason).bounded()?,
            None => Value::null(),
        };
        let change = Change::new(campaign.target()?, element, Intent::Put(value));
        self.write("campaign exclude", &[change], false)
    }
}

/// What stands in the settings of a campaign cannot be read.
pub(super) fn unread(path: &str, error: &std::io::Error) -> NodeError {
    let source = std::io::Error::new(error.kind(), error.to_string());
    StoreError::Io { path: path.to_owned(), doing: "read", source }.into()
}
