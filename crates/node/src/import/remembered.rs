//! How the columns of a table were mapped the last time: kept for all tables with these columns.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::Kind;
use cocli_core::digest::hash;
use cocli_store::paths;

use crate::error::Result;
use crate::home::{Home, read_if_there, replace};

/// Mappings that are kept.
const KEPT_MAX: usize = 1_000;

/// By the hash of the kind and the columns, columns and fields.
type Kept = BTreeMap<String, Vec<(String, String)>>;

impl Home {
    /// The mapping that was given for a table with these columns.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn mapping(&self, kind: Kind, columns: &[String]) -> Result<Option<Vec<(String, String)>>> {
        Ok(self.mappings()?.remove(&key(kind, columns)))
    }

    /// Keeps a mapping for tables with these columns.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn keep_mapping(
        &self,
        kind: Kind,
        columns: &[String],
        given: &[(String, String)],
    ) -> Result<()> {
        let mut kept = self.mappings()?;
        let key = key(kind, columns);
        if kept.get(&key).is_some_and(|held| held == given) {
            return Ok(());
        }
        kept.insert(key.clone(), given.to_vec());
        while kept.len() > KEPT_MAX {
            let other = kept.keys().find(|other| **other != key).cloned().unwrap_or_default();
            kept.remove(&other);
        }
        let bytes = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        replace(&*self.disk, paths::MAPPINGS, &bytes)
    }

    /// What is kept; a file that does not read is as good as none, and is replaced.
    fn mappings(&self) -> Result<Kept> {
        let bytes = read_if_there(&*self.disk, paths::MAPPINGS)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }
}

fn key(kind: Kind, columns: &[String]) -> String {
    let columns: BTreeSet<&str> = columns.iter().map(|column| column.trim()).collect();
    let all: Vec<&str> = std::iter::once(kind.plural()).chain(columns).collect();
    format!("{:032x}", hash(all.join("\n").as_bytes()))
}
