//! Who writes in the bucket.

use cocli_core::NodeId;
use cocli_core::bucket::{Created, FailureKind, Key, newest};

use super::Durable;
use crate::error::Result;

impl Durable<'_> {
    /// Learns which nodes write there: from the journals that are held, the names that were registered since the
    /// last time and, when a listing is wanted and may be had, their folders. Registers this node, if it was not.
    ///
    /// # Errors
    /// When the bucket cannot be asked.
    pub fn meet(&mut self, list: bool) -> Result<()> {
        let journals = self.home.journals()?;
        let writers: Vec<NodeId> = journals.logs().map(|log| log.node.clone()).collect();
        writers.iter().for_each(|node| self.seen.know(node));
        let before = self.seen.nodes;
        let last = newest(before - 1, |n| self.read_name(n))?;
        for n in before..=last {
            if let Some(node) = self.name(n)? {
                self.seen.know(&node);
                if node == *self.home.node() {
                    self.seen.registered = Some(true);
                }
            }
        }
        self.seen.nodes = last + 1;
        if self.seen.registered.is_none() {
            self.register()?;
        }
        if list {
            match self.bucket.folders(&Key::wal()) {
                Ok(folders) => {
                    let nodes = folders.iter().filter_map(|name| NodeId::read(name).ok());
                    nodes.for_each(|node| self.seen.know(&node));
                }
                // Who may not list is told the others by their names, and by what they wrote.
                Err(failure) if failure.kind == FailureKind::Denied => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        self.save()
    }

    fn read_name(&self, n: u64) -> std::result::Result<bool, cocli_core::bucket::Failure> {
        Ok(self.bucket.get(&Key::node(n))?.is_some())
    }

    fn name(&self, n: u64) -> Result<Option<NodeId>> {
        let text = self.bucket.get(&Key::node(n))?.unwrap_or_default();
        Ok(NodeId::read(String::from_utf8_lossy(&text).trim_end()).ok())
    }

    /// Takes the first free number for this node's name.
    fn register(&mut self) -> Result<()> {
        let me = self.home.node().clone();
        loop {
            let n = self.seen.nodes;
            match self.bucket.create(&Key::node(n), format!("{me}\n").as_bytes()) {
                Ok(Created::New) => self.seen.registered = Some(true),
                Ok(Created::Exists) => {
                    if let Some(node) = self.name(n)? {
                        self.seen.know(&node);
                        if node == me {
                            self.seen.registered = Some(true);
                        }
                    }
                }
                Err(failure) if failure.kind == FailureKind::Denied => {
                    self.seen.registered = Some(false);
                    return Ok(());
                }
                Err(failure) => return Err(failure.into()),
            }
            self.seen.nodes = n + 1;
            if self.seen.registered.is_some() {
                return Ok(());
            }
        }
    }
}
