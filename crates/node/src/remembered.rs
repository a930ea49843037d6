//! The peers met before: `.cocli/peers.json`. A node that nobody configured finds its cluster again
//! by them. What stands there is worth no more than a hint, so damage to it costs a notice.

use std::net::SocketAddr;

use cocli_core::{Day, NodeId};
use cocli_store::paths;
use serde::{Deserialize, Serialize};

use crate::error::{NodeError, Result};
use crate::home::{Home, read_if_there, replace};

/// Addresses that are remembered.
const REMEMBERED_MAX: usize = 256;
/// Of one node: as many as a peer may have at a time.
const OF_ONE_NODE_MAX: usize = 4;

/// Where a peer was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The node.
    pub node: NodeId,
    /// Its address.
    pub address: SocketAddr,
    /// The day on which it was last met there.
    pub day: Day,
}

/// The same as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    node: String,
    address: SocketAddr,
    day: String,
}

/// Takes a meeting in: the newest day first, each address once, no more than are remembered. Tells
/// whether that changed anything.
pub fn remember(known: &mut Vec<Remembered>, met: Remembered) -> bool {
    if known.contains(&met) {
        return false;
    }
    known.retain(|old| old.address != met.address);
    let place = known.iter().position(|old| old.day <= met.day).unwrap_or(known.len());
    let node = met.node.clone();
    known.insert(place, met);
    let mut of_node = 0;
    known.retain(|one| {
        of_node += usize::from(one.node == node);
        one.node != node || of_node <= OF_ONE_NODE_MAX
    });
    known.truncate(REMEMBERED_MAX);
    true
}

fn write(known: &[Remembered]) -> Vec<u8> {
    let line = |one: &Remembered| Line {
        node: one.node.to_string(),
        address: one.address,
        day: one.day.to_string(),
    };
    let lines: Vec<Line> = known.iter().map(line).collect();
    let mut text = serde_json::to_vec_pretty(&lines).unwrap_or_default();
    text.push(b'\n');
    text
}

fn read(bytes: &[u8]) -> Result<Vec<Remembered>> {
    let own = |what: String| NodeError::Own { path: paths::PEERS, what };
    let lines: Vec<Line> = serde_json::from_slice(bytes).map_err(|e| own(e.to_string()))?;
    let mut known = Vec::new();
    for line in lines {
        let day = Day::read(&line.day).ok_or_else(|| own(format!("{:?} is no day", line.day)))?;
        let node = NodeId::read(&line.node).map_err(|e| own(e.to_string()))?;
        known.push(Remembered { node, address: line.address, day });
    }
    known.truncate(REMEMBERED_MAX);
    Ok(known)
}

impl Home {
    /// The peers met before, the newest first.
    ///
    /// # Errors
    /// When the file stands there and does not read.
    pub fn remembered(&self) -> Result<Vec<Remembered>> {
        let bytes = read_if_there(&*self.disk, paths::PEERS)?;
        bytes.map_or(Ok(Vec::new()), |bytes: Vec<u8>| read(&bytes))
    }

    /// Puts these in place of the peers met before.
    ///
    /// # Errors
    /// When the disk refuses: the old ones stand there then.
    pub fn keep_remembered(&self, known: &[Remembered]) -> Result<()> {
        replace(&*self.disk, paths::PEERS, &write(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(node: &str, last: u8, day: u32) -> Remembered {
        Remembered {
            node: NodeId::written(node).unwrap(),
            address: SocketAddr::from(([10, 0, 0, last], 9999)),
            day: Day::from_number(day).unwrap(),
        }
    }

    fn of(meetings: impl IntoIterator<Item = Remembered>) -> Vec<Remembered> {
        let mut known = Vec::new();
        for one in meetings {
            assert!(remember(&mut known, one));
        }
        known
    }

    #[test]
    fn what_is_remembered_reads_back() {
        let mut known = of([met("pi1", 1, 20_261_122), met("laptop", 2, 20_261_123)]);
        remember(
            &mut known,
            Remembered { address: "[fd00::1]:9999".parse().unwrap(), ..met("pi1", 1, 20_261_123) },
        );
        assert_eq!(read(&write(&known)).unwrap(), known);
    }

    #[test]
    fn the_newest_come_first_and_an_address_stands_once() {
        let old = met("pi1", 1, 20_261_122);
        let mut known = of([old.clone(), met("laptop", 2, 20_261_123)]);
        assert_eq!(known[0].node.as_str(), "laptop");
        assert!(!remember(&mut known, old));
        assert!(remember(&mut known, met("pi9", 1, 20_261_124)));
        assert_eq!(known, [met("pi9", 1, 20_261_124), met("laptop", 2, 20_261_123)]);
    }

    #[test]
    fn no_more_are_remembered_than_the_ceiling_and_of_one_node_few() {
        let crowd = (0..=255_u8).map(|n| met(&format!("n{n}"), n, 20_261_120));
        let mut known = of(crowd);
        remember(
            &mut known,
            Remembered { address: "10.0.1.1:9999".parse().unwrap(), ..met("new", 1, 20_261_121) },
        );
        assert_eq!((known.len(), known[0].node.as_str()), (REMEMBERED_MAX, "new"));
        let known = of((0..20).map(|n| met("wanderer", n, 20_261_101 + u32::from(n))));
        assert_eq!(known.len(), OF_ONE_NODE_MAX);
        assert_eq!(known[0], met("wanderer", 19, 20_261_120));
    }

    #[test]
    fn damage_is_an_error_that_names_the_file() {
        let whole = write(&[met("pi1", 1, 20_261_122)]);
        for bytes in [&b""[..], b"{}", b"\xff", &whole[..whole.len() / 2]] {
            assert!(read(bytes).unwrap_err().to_string().contains("peers.json"));
        }
        let text = String::from_utf8(whole).unwrap();
        assert!(read(text.replace("pi1", "a/b").as_bytes()).is_err());
        assert!(read(text.replace("20261122", "20261322").as_bytes()).is_err());
    }
}
