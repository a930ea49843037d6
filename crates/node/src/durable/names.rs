//! Who writes in the bucket.

use cocli_core::NodeId;
use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key};

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
        let (names, next) = registered(self.bucket, self.seen.nodes)?;
        names.iter().for_each(|node| self.met(node));
        self.seen.nodes = next;
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

    /// A name that is registered.
    fn met(&mut self, node: &NodeId) {
        self.seen.know(node);
        if node == self.home.node() {
            self.seen.registered = Some(true);
        }
    }

    /// Takes the first free number for this node's name.
    fn register(&mut self) -> Result<()> {
        let me = self.home.node().clone();
        while self.seen.registered.is_none() {
            match self.bucket.create(&Key::node(self.seen.nodes), format!("{me}\n").as_bytes()) {
                Ok(Created::New) => {
                    self.seen.registered = Some(true);
                    self.seen.nodes += 1;
                }
                // An earlier try whose answer was lost, or somebody who was faster.
                Ok(Created::Exists) => {
                    let (names, next) = registered(self.bucket, self.seen.nodes)?;
                    names.iter().for_each(|node| self.met(node));
                    self.seen.nodes = next.max(self.seen.nodes + 1);
                }
                Err(failure) if failure.kind == FailureKind::Denied => {
                    self.seen.registered = Some(false);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }
}

/// The names that are registered from a number on, and the first number that is not taken.
///
/// # Errors
/// When the bucket cannot be asked.
pub(super) fn registered(bucket: &dyn Bucket, from: u64) -> Result<(Vec<NodeId>, u64), Failure> {
    let (mut names, mut n) = (Vec::new(), from);
    while let Some(name) = bucket.get(&Key::node(n))? {
        names.extend(NodeId::read(String::from_utf8_lossy(&name).trim_end()).ok());
        n += 1;
    }
    Ok((names, n))
}
