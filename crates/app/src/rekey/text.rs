//! The text of a rekey: for the file, and for another node.

use std::collections::BTreeMap;

use cocli_core::NodeId;
use cocli_net::{Key, KeyId, Ring, from_hex, to_hex};
use zeroize::Zeroizing;

use super::{Heir, NODES_MAX, Public, Rekey};

const HEADING: &str = "# A new key for all but some, secret: see docs/gossip.md.\n";

/// What another node said over a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) rekey: Rekey,
    /// It seals with the new key.
    pub(crate) used: bool,
}

impl Rekey {
    /// The text for the file. It holds the key: keep it in a file of mode 0600.
    pub(crate) fn to_file(&self) -> Zeroizing<String> {
        let mut text = self.write();
        for id in &self.old {
            line(&mut text, &["old", &id.to_string()]);
        }
        text
    }

    /// The text for another node.
    pub(crate) fn to_told(&self, used: bool) -> Zeroizing<String> {
        let mut text = self.write();
        if used {
            line(&mut text, &["used"]);
        }
        text
    }

    fn write(&self) -> Zeroizing<String> {
        // Room for all, so that nothing is left behind where it grew.
        let lines = self.heirs.len() + self.out.len();
        let mut text = Zeroizing::new(String::with_capacity(1024 + 160 * lines));
        text.push_str(HEADING);
        line(&mut text, &["made", &self.made.to_string()]);
        let keys = Ring::new(self.key.clone()).to_text();
        line(&mut text, &["key", keys.lines().last().unwrap_or_default()]);
        for (node, heir) in &self.heirs {
            let mark = match (heir.has, heir.left) {
                (true, _) => " has",
                (false, true) => " left",
                (false, false) => "",
            };
            line(&mut text, &["node", node.as_str(), &(to_hex(&heir.public) + mark)]);
        }
        for (node, public) in &self.out {
            let public = public.map_or_else(|| "-".into(), |public| to_hex(&public));
            line(&mut text, &["out", node.as_str(), &public]);
        }
        text
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The line that does not read. It never repeats the secret.
    pub(crate) fn from_file(text: &str) -> Result<Self, String> {
        read(text).map(|(told, old)| Self { old, ..told.rekey })
    }
}

impl Told {
    /// Reads what another node said.
    ///
    /// # Errors
    /// As [`Rekey::from_file`].
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        read(text).map(|(told, _)| told)
    }
}

fn line(text: &mut String, words: &[&str]) {
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
    text.push('\n');
}

fn read(text: &str) -> Result<(Told, Vec<KeyId>), String> {
    let (mut made, mut key, mut used, mut old) = (None, None, false, Vec::new());
    let (mut heirs, mut out) = (BTreeMap::new(), BTreeMap::new());
    for (at, line) in text.lines().enumerate() {
        let wrong = |expected: &str| format!("line {}: expected {expected}", at + 1);
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "made" => made = Some(rest.parse().map_err(|_| wrong("a number of microseconds"))?),
            "key" => key = Some(read_key(rest).ok_or_else(|| wrong("a key and its id"))?),
            "node" => {
                let (node, heir) = read_heir(rest).ok_or_else(|| wrong("a node and its key"))?;
                heirs.insert(node, heir);
            }
            "out" => {
                let (node, public) = read_out(rest).ok_or_else(|| wrong("a node and its key"))?;
                out.insert(node, public);
            }
            "old" => old.push(KeyId::read(rest).ok_or_else(|| wrong("the id of a key"))?),
            "used" => used = true,
            // Of a later version.
            _ => {}
        }
    }
    let many = heirs.len().max(out.len());
    if many > NODES_MAX {
        return Err(format!("expected at most {NODES_MAX} nodes, found {many}"));
    }
    let (Some(made), Some(key)) = (made, key) else {
        return Err("expected a line `made` and a line `key`".into());
    };
    if heirs.keys().any(|node| out.contains_key(node)) {
        return Err("expected no node both in and out".into());
    }
    Ok((Told { rekey: Rekey { made, key, heirs, out, old: Vec::new() }, used }, old))
}

fn read_key(text: &str) -> Option<Key> {
    Ring::from_text(text).ok().map(|ring| ring.in_use().clone())
}

fn read_heir(text: &str) -> Option<(NodeId, Heir)> {
    let mut words = text.split(' ');
    let node = NodeId::read(words.next()?).ok()?;
    let public = from_hex(words.next()?)?;
    let (has, left) = match words.next() {
        None => (false, false),
        Some("has") => (true, false),
        Some("left") => (false, true),
        Some(_) => return None,
    };
    words.next().is_none().then_some((node, Heir { public, has, left }))
}

fn read_out(text: &str) -> Option<(NodeId, Option<Public>)> {
    let (node, public) = text.split_once(' ')?;
    let node = NodeId::read(node).ok()?;
    if public == "-" {
        return Some((node, None));
    }
    Some((node, Some(from_hex(public)?)))
}
