//! What others wrote lately, as the journals tell it.

use std::collections::BTreeMap;

use cocli_core::{Datagram, Instant, Kind, NodeId};

use crate::error::Result;
use crate::home::Home;

/// What one node wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Who.
    pub node: NodeId,
    /// How many changes.
    pub count: usize,
    /// The newest of them, the newest first.
    pub newest: Vec<Datagram>,
}

impl Home {
    /// What other nodes wrote of companies, people, notes and meetings since a moment, by the stamps of
    /// their changes; of each at most so many, who wrote last first.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn news(&self, since: Instant, most: usize) -> Result<Vec<News>> {
        let journals = self.journals()?;
        // What comes from machines of the Python program stands in the log of their gateway.
        let gateway = !self.config().gossip.python_peers.is_empty();
        let mut all: BTreeMap<NodeId, News> = BTreeMap::new();
        for log in journals.logs().filter(|log| log.month.is_none()) {
            if journals.owns(log) && !gateway {
                continue;
            }
            let begins = journals.days(log).find(|(day, ..)| *day >= since.day());
            let Some((_, from, _)) = begins else { continue };
            for datagram in self.written_between(log, from, journals.end(log))? {
                let stamp = &datagram.entry.stamp;
                let of_pool = Kind::of(&datagram.target).is_some();
                if stamp.instant < since || stamp.node == *self.node() || !of_pool {
                    continue;
                }
                let node = stamp.node.clone();
                let news =
                    all.entry(node.clone()).or_insert(News { node, count: 0, newest: Vec::new() });
                news.add(datagram, most);
            }
        }
        let mut all: Vec<News> = all.into_values().collect();
        let newest = |news: &News| news.newest.first().map(|datagram| datagram.entry.stamp.clone());
        all.sort_by(|a, b| newest(b).cmp(&newest(a)).then_with(|| a.node.cmp(&b.node)));
        Ok(all)
    }
}

impl News {
    fn add(&mut self, datagram: Datagram, most: usize) {
        self.count += 1;
        let stamp = &datagram.entry.stamp;
        let at = self.newest.partition_point(|other| other.entry.stamp > *stamp);
        if at < most {
            self.newest.insert(at, datagram);
            self.newest.truncate(most);
        }
    }
}
