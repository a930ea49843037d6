//! Campaigns: docs/campaigns.md. Here are the machines that a campaign of the Python program names: the keys of
//! `[prospecting.scaling]` in `campaigns/**/config.toml`.

mod index;
mod left;
mod settings;

use std::collections::BTreeSet;

use cocli_store::{Disk, FileKind, paths};

use crate::home::Home;

pub use index::{Campaign, CampaignError};
pub(crate) use index::{EXCLUDED, MEMBERS};
pub(crate) use left::Left;
pub use settings::Rules;

/// A campaign may stand in a folder of a client's: no deeper.
const DEPTH_MAX: usize = 2;
/// Folders that are looked into.
const FOLDERS_MAX: usize = 1_000;
/// Machines that are taken.
const HOSTS_MAX: usize = 64;
/// Longest name of a machine in DNS.
const HOST_BYTES_MAX: usize = 253;
/// A cloud service and no machine.
const NO_HOST: &str = "fargate";

impl Home {
    /// The machines that the campaigns of this home name. A file that does not read names none, and
    /// is told.
    #[must_use]
    pub fn campaign_hosts(&self) -> (Vec<String>, Vec<String>) {
        let (mut hosts, mut told) = (BTreeSet::new(), Vec::new());
        for folder in folders(&*self.disk) {
            let path = paths::campaign_settings(&folder);
            let Ok(bytes) = self.disk.read(&path) else { continue };
            match hosts_of(&String::from_utf8_lossy(&bytes)) {
                Ok(found) => hosts.extend(found),
                Err(what) => told.push(format!("{path}: {what}")),
            }
        }
        (hosts.into_iter().take(HOSTS_MAX).collect(), told)
    }
}

/// The folder of the campaigns, and those in it.
fn folders(disk: &dyn Disk) -> Vec<String> {
    let mut found = vec![paths::CAMPAIGNS.to_string()];
    let mut layer = found.clone();
    for _ in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for folder in &layer {
            let mut entries = disk.list(folder).unwrap_or_default();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let folders = entries.into_iter().filter(|(_, kind)| *kind == FileKind::Folder);
            below.extend(folders.map(|(name, _)| paths::in_campaigns(folder, &name)));
        }
        below.truncate(FOLDERS_MAX);
        found.extend_from_slice(&below);
        layer = below;
    }
    found
}

/// The machines of one file; an error is told on one line.
fn hosts_of(text: &str) -> Result<Vec<String>, String> {
    let settings: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        error.message().lines().next().unwrap_or("does not read").to_string()
    })?;
    let scaling = settings
        .get("prospecting")
        .and_then(|prospecting| prospecting.get("scaling"))
        .and_then(toml::Value::as_table);
    let names = scaling.into_iter().flatten().filter(|(_, value)| value.is_table());
    let plain = |name: &&String| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        name.len() <= HOST_BYTES_MAX && name.as_str() != NO_HOST && name.bytes().all(fits)
    };
    Ok(names.map(|(name, _)| name).filter(plain).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_of_a_campaign_are_its_keys_without_the_cloud() {
        let text = "[campaign]\nname = \"road\"\n[prospecting]\nzoom = 3\n\
            [prospecting.scaling.fargate]\nenrichment = 1\n\
            [prospecting.scaling.cocli5x1]\ngm-list = 2\n[prospecting.scaling.\"a b\"]\nx = 1\n";
        assert_eq!(hosts_of(text).unwrap(), ["cocli5x1"]);
        for none in ["", "[prospecting]\nscaling = 3\n", "prospecting = 1\n"] {
            assert_eq!(hosts_of(none).unwrap(), [""; 0]);
        }
        assert!(hosts_of("[prospecting\n").is_err());
    }
}
