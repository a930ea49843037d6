//! The settings of a campaign: all `config.toml` from `campaigns/` down to its folder, the outer ones first.

use cocli_store::paths;
use toml::{Table, Value};

use super::index::{Campaign, CampaignError, unread};
use crate::error::Result;
use crate::home::Home;

/// Seconds without a heartbeat that a campaign may ask for: a day.
const EXPIRES_MAX_S: f64 = 86_400.0;

/// How the tasks of a campaign's queues are given out: `[queue]` of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How often a task is tried.
    pub attempts: u32,
    /// After how long without a heartbeat a claim is late: milliseconds.
    pub expires_ms: u64,
    /// How long a claim without a bucket waits for those of other nodes: milliseconds.
    pub settle_ms: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { attempts: 3, expires_ms: 60_000, settle_ms: 2_000 }
    }
}

impl Home {
    /// The settings of a campaign on this machine, merged.
    ///
    /// # Errors
    /// When a file does not read: it is named.
    pub fn campaign_settings(&self, campaign: &Campaign) -> Result<Table> {
        let mut merged = Table::new();
        let folder = campaign.folder.as_deref().unwrap_or(paths::CAMPAIGNS);
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        for folder in ends.map(|end| &folder[..end]) {
            let path = paths::campaign_settings(folder);
            let bytes = match self.disk.read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unread(&path, &error)),
            };
            let text = String::from_utf8_lossy(&bytes);
            let table = text.parse::<Table>().map_err(|error| {
                let what = error.to_string().trim_end().replace('\n', " ");
                CampaignError::Settings { path, what }
            })?;
            merge(&mut merged, table);
        }
        Ok(merged)
    }

    /// How its tasks are given out.
    ///
    /// # Errors
    /// When the settings do not read, or a value is none.
    pub fn queue_rules(&self, campaign: &Campaign) -> Result<Rules> {
        let settings = self.campaign_settings(campaign)?;
        rules(&settings).map_err(|(key, what)| {
            let path = format!("[queue] {key} in the settings of the campaign {}", campaign.slug);
            CampaignError::Settings { path, what }.into()
        })
    }
}

/// The inner table into the outer one, key by key.
fn merge(outer: &mut Table, inner: Table) {
    for (key, value) in inner {
        match (outer.get_mut(&key), value) {
            (Some(Value::Table(outer)), Value::Table(inner)) => merge(outer, inner),
            (_, value) => {
                outer.insert(key, value);
            }
        }
    }
}

fn rules(settings: &Table) -> std::result::Result<Rules, (&'static str, String)> {
    let queue = settings.get("queue").and_then(Value::as_table);
    let of = |key: &str| queue.and_then(|queue| queue.get(key));
    let mut rules = Rules::default();
    if let Some(value) = of("attempts") {
        let attempts = value.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let none = || ("attempts", format!("expected a whole number from 1 on, got {value}"));
        rules.attempts = attempts.ok_or_else(none)?;
    }
    for (key, into, least) in
        [("expires", &mut rules.expires_ms, 0.1), ("settle", &mut rules.settle_ms, 0.0)]
    {
        let Some(value) = of(key) else { continue };
        let whole = value.as_integer().and_then(|n| i32::try_from(n).ok()).map(f64::from);
        let seconds = value.as_float().or(whole).filter(|s| (least..=EXPIRES_MAX_S).contains(s));
        let none = || (key, format!("expected {least} to {EXPIRES_MAX_S} seconds, got {value}"));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within its bounds"
        )]
        let ms = (seconds.ok_or_else(none)? * 1e3) as u64;
        *into = ms;
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn the_inner_settings_stand_over_the_outer_key_by_key() {
        let mut merged =
            table("a = 1\nlist = [1, 2]\n[queue]\nattempts = 5\nexpires = 9\n[x]\ny = 1\n");
        merge(
            &mut merged,
            table("list = [3]\nx = 2\n[queue]\nexpires = 0.5\n[campaign]\nname = \"R\"\n"),
        );
        let expected = table(
            "a = 1\nlist = [3]\nx = 2\n[queue]\nattempts = 5\nexpires = 0.5\n[campaign]\nname = \"R\"\n",
        );
        assert_eq!(merged, expected);
        let rules = rules(&merged).unwrap();
        assert_eq!(rules, Rules { attempts: 5, expires_ms: 500, settle_ms: 2_000 });
    }

    #[test]
    fn a_rule_that_is_none_is_named() {
        for (text, key) in [
            ("[queue]\nattempts = 0\n", "attempts"),
            ("[queue]\nattempts = \"3\"\n", "attempts"),
            ("[queue]\nexpires = 0\n", "expires"),
            ("[queue]\nexpires = nan\n", "expires"),
            ("[queue]\nsettle = -1\n", "settle"),
            ("[queue]\nsettle = 86401\n", "settle"),
        ] {
            assert_eq!(rules(&table(text)).unwrap_err().0, key, "{text}");
        }
        assert_eq!(rules(&table("queue = 3\n")).unwrap(), Rules::default());
    }
}
