//! What a hub published, as the bucket tells it: docs/bucket.md, "A manifest".

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value as Json, json};

use super::Key;
use crate::digest::ClusterId;
use crate::name::NodeId;
use crate::sorted::SortedFile;

/// Version of the manifest's form.
const VERSION: u64 = 1;

/// A manifest of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Whose bucket it is.
    pub cluster: ClusterId,
    /// Its number.
    pub n: u64,
    /// The generation of the lease that it was published under.
    pub generation: u64,
    /// Who published it.
    pub hub: NodeId,
    /// When, for people.
    pub at: String,
    /// The checkpoint's manifest, as a node tells it to another; none before the first round.
    pub checkpoint: Option<String>,
    /// The generation that each of the checkpoint's files was created under, by its name.
    pub files: BTreeMap<String, u64>,
    /// The list of odd records: its name, and the generation.
    pub odd: Option<(String, u64)>,
    /// For each node the number of its first object that the frontier may not cover.
    pub objects: BTreeMap<NodeId, u64>,
    /// Objects before those that the frontier may not cover either: they could not be read, or held what waits.
    pub again: BTreeSet<(NodeId, u64)>,
    /// For each node the number of the first object that was not read.
    pub ends: BTreeMap<NodeId, u64>,
    /// The number of the first name of a node that was not read.
    pub nodes: u64,
    /// The number of the newest snapshot.
    pub snapshot: Option<u64>,
}

impl Manifest {
    /// Its text, before it is compressed.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let map = |of: &mut dyn Iterator<Item = (String, u64)>| -> Map<String, Json> {
            of.map(|(name, number)| (name, Json::from(number))).collect()
        };
        let files =
            map(&mut self.files.iter().map(|(name, generation)| (name.clone(), *generation)));
        let numbers = |of: &BTreeMap<NodeId, u64>| {
            map(&mut of.iter().map(|(node, n)| (node.to_string(), *n)))
        };
        let again: Vec<Json> =
            self.again.iter().map(|(node, n)| json!([node.as_str(), n])).collect();
        let text = json!({
            "version": VERSION,
            "cluster": self.cluster.to_string(),
            "n": self.n,
            "generation": self.generation,
            "hub": self.hub.as_str(),
            "at": self.at,
            "checkpoint": self.checkpoint,
            "files": files,
            "odd": self.odd.as_ref().map(|(name, generation)| json!([name, generation])),
            "objects": numbers(&self.objects),
            "again": again,
            "ends": numbers(&self.ends),
            "nodes": self.nodes,
            "snapshot": self.snapshot,
        });
        text.to_string().into_bytes()
    }

    /// Reads a text; nothing when it is none of this version.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(text).ok()?;
        let number = |field: &str| json.get(field)?.as_u64();
        let string = |field: &str| json.get(field)?.as_str().map(ToString::to_string);
        if number("version")? != VERSION {
            return None;
        }
        let mut files = BTreeMap::new();
        for (name, generation) in json.get("files")?.as_object()? {
            let name = file_name(name)?.to_string();
            files.insert(name, generation.as_u64()?);
        }
        let numbers = |of: &Json| -> Option<BTreeMap<NodeId, u64>> {
            of.as_object()?
                .iter()
                .map(|(node, n)| Some((NodeId::read(node).ok()?, n.as_u64()?)))
                .collect()
        };
        let objects = numbers(json.get("objects")?)?;
        let ends = json.get("ends").map_or(Some(BTreeMap::new()), numbers)?;
        let mut again = BTreeSet::new();
        for object in json.get("again").and_then(Json::as_array).into_iter().flatten() {
            let node = NodeId::read(object.get(0)?.as_str()?).ok()?;
            again.insert((node, object.get(1)?.as_u64()?));
        }
        let odd = match json.get("odd")? {
            Json::Null => None,
            odd => Some((file_name(odd.get(0)?.as_str()?)?.to_string(), odd.get(1)?.as_u64()?)),
        };
        Some(Self {
            cluster: ClusterId::read(&string("cluster")?)?,
            n: number("n")?,
            generation: number("generation")?,
            hub: NodeId::read(&string("hub")?).ok()?,
            at: string("at")?,
            checkpoint: match json.get("checkpoint")? {
                Json::Null => None,
                text => Some(text.as_str()?.to_string()),
            },
            files,
            odd,
            objects,
            again,
            ends,
            nodes: number("nodes")?,
            snapshot: number("snapshot"),
        })
    }

    /// Where a file of the checkpoint stands, if the manifest names it.
    #[must_use]
    pub fn file(&self, file: SortedFile) -> Option<Key> {
        let name = name_of(file);
        self.files.get(&name).map(|generation| Key::checkpoint(*generation, &name))
    }
}

/// The name of a file of a checkpoint in the bucket.
#[must_use]
pub fn name_of(file: SortedFile) -> String {
    match file.shard {
        Some(shard) => format!("{shard:02x}-{:032x}", file.hash),
        None => format!("run-{:032x}", file.hash),
    }
}

/// The name of a list of odd records in the bucket, by the XXH3-128 of its bytes.
#[must_use]
pub fn name_of_odd(hash: u128) -> String {
    format!("odd-{hash:032x}")
}

/// A name is one part of a key.
fn file_name(name: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.len() <= 64 && name.chars().all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = SortedFile { shard: Some(0x3f), hash: 7 };
        Manifest {
            cluster: ClusterId([7; 16]),
            n: 12,
            generation: 4,
            hub: NodeId::read("pi1").unwrap(),
            at: "2026-11-28T08:00:00Z".to_string(),
            checkpoint: Some("{\"version\":2}".to_string()),
            files: BTreeMap::from([(name_of(file), 3)]),
            odd: Some((name_of_odd(9), 2)),
            objects: BTreeMap::from([(NodeId::read("laptop").unwrap(), 17)]),
            again: BTreeSet::from([(NodeId::read("laptop").unwrap(), 11)]),
            ends: BTreeMap::from([(NodeId::read("laptop").unwrap(), 19)]),
            nodes: 3,
            snapshot: None,
        }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let manifest = manifest();
        assert_eq!(Manifest::read(&manifest.text()), Some(manifest));
    }

    #[test]
    fn a_manifest_that_names_a_path_elsewhere_is_none() {
        let mut manifest = manifest();
        manifest.files = BTreeMap::from([("../../companies/apple".to_string(), 1)]);
        assert_eq!(Manifest::read(&manifest.text()), None);
    }
}
