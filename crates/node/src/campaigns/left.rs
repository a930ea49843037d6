//! Whom a campaign leaves out, and at which addresses nobody is written to for it.

use std::collections::BTreeSet;

use cocli_core::schema::POOL;
use cocli_core::{Entity, Target};

use super::index::Campaign;
use crate::address::addresses;
use crate::followup::{companies_of, list, text};

/// A campaign, and the addresses of all who are left out of it.
#[derive(Debug)]
pub(crate) struct Left<'c> {
    pub(crate) campaign: &'c Campaign,
    addresses: BTreeSet<String>,
}

impl<'c> Left<'c> {
    /// `entity` tells what is known of a target.
    pub(crate) fn of<E>(
        campaign: &'c Campaign,
        entity: impl Fn(&Target) -> Result<Entity, E>,
    ) -> Result<Self, E> {
        let mut left = Self { campaign, addresses: BTreeSet::new() };
        for who in campaign.excluded.keys().filter_map(|who| Target::read(who).ok()) {
            if POOL.contains(&who.collection()) {
                left.addresses.extend(emails(&entity(&who)?, &who));
            }
        }
        Ok(left)
    }

    /// At which nobody is written to, as they are those of somebody who is left out.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &String> {
        self.addresses.iter()
    }

    /// Whether nobody is left out, so that nothing has to be looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.campaign.excluded.is_empty()
    }

    /// Whether an address, as [`addresses`] has it, is out: itself, its domain, or whose it is.
    pub(crate) fn has_address(&self, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or_default();
        self.addresses.contains(email)
            || self.campaign.excludes(email).is_some()
            || self.has_domain(domain)
    }

    /// Whether a domain is out: itself, or one that it is below.
    pub(crate) fn has_domain(&self, domain: &str) -> bool {
        let domain = domain.trim().to_lowercase();
        let mut rest = Some(domain.strip_prefix("www.").unwrap_or(&domain));
        while let Some(domain) = rest {
            if self.campaign.excludes(domain).is_some() {
                return true;
            }
            rest = domain.split_once('.').map(|(_, above)| above);
        }
        false
    }

    /// Whether a person is out: itself, or a company that it belongs to.
    pub(crate) fn has_person(&self, target: &Target, person: &Entity) -> bool {
        let out = |target: &Target| self.campaign.excludes(target.as_str()).is_some();
        !self.is_empty() && (out(target) || companies_of(person, target).iter().any(out))
    }

    /// Whether an entity of the pool is out: itself, its domain, a company of a person, or the address at which it
    /// is written to.
    pub(crate) fn has(&self, target: &Target, entity: &Entity) -> bool {
        if self.is_empty() {
            return false;
        }
        self.campaign.excludes(target.as_str()).is_some()
            || self.has_domain(&text(entity, target, "domain"))
            || (target.collection() == POOL[1] && self.has_person(target, entity))
            || addresses(&text(entity, target, "email")).any(|email| self.has_address(&email))
    }
}

fn emails(entity: &Entity, target: &Target) -> Vec<String> {
    let mut all = list(entity, target, "all_emails");
    all.push(text(entity, target, "email"));
    all.iter().flat_map(|text| addresses(text)).map(std::borrow::Cow::into_owned).collect()
}
