//! The nodes that introduced themselves, and what is known of each: `nodes/{node}`.

use cocli_core::{Entity, Field, Instant, NodeId, Target, Value};

use crate::change::{Change, Intent};
use crate::error::Result;
use crate::home::Home;
use crate::session::{End, Session};

/// What their targets begin with.
pub(crate) const NODES: &str = "nodes/";
/// The public half of the key that streams know a node by, as hex.
const KEY: &str = "key";
/// When a node was left out of the cluster.
const REMOVED: &str = "removed";
/// When a node left it by itself.
const LEFT: &str = "left";

/// A node as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Its name.
    pub node: NodeId,
    /// The public half of the key that streams know it by, as hex.
    pub key: Option<String>,
    /// When it was left out, as it was written.
    pub removed: Option<String>,
    /// When it left, as it was written.
    pub left: Option<String>,
}

/// What an entity says of the node that it is.
pub(crate) fn known(target: &Target, entity: &Entity) -> Option<KnownNode> {
    let text = |field| {
        let field = Field::read(field).ok()?;
        let value = entity.value(None, &field).filter(|value| !value.is_null())?;
        Some(value.shown().into_owned()).filter(|text| !text.is_empty())
    };
    Some(KnownNode {
        node: NodeId::read(target.slug()).ok()?,
        key: text(KEY),
        removed: text(REMOVED),
        left: text(LEFT),
    })
}

impl Home {
    /// The nodes that have introduced themselves, or that somebody said something of.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn known_nodes(&self) -> Result<Vec<KnownNode>> {
        let mut all = self.read(|reader| {
            let mut all = Vec::new();
            reader.scan(NODES, |target, entity| all.extend(known(target, entity)))?;
            Ok(all)
        })?;
        all.sort_by(|one, other| one.node.cmp(&other.node));
        Ok(all)
    }

    /// Takes back that this node left, should it have said so.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn came_back(&self, now: Instant) -> Result<()> {
        self.session(now)?.tell_of(self.node(), "join", LEFT, Value::null())?;
        Ok(())
    }
}

impl Session<'_> {
    /// Tells all nodes that this one is left out from now on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn leave_out(&mut self, node: &NodeId) -> Result<End> {
        let when = Value::text(&self.now.to_string());
        self.tell_of(node, "node rm", REMOVED, when)
    }

    /// Tells all nodes that this one leaves by itself.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn leave(&mut self) -> Result<End> {
        let when = Value::text(&self.now.to_string());
        self.tell_of(&self.home.node().clone(), "leave", LEFT, when)
    }

    fn tell_of(&mut self, node: &NodeId, verb: &str, field: &str, value: Value) -> Result<End> {
        let target = Target::read(&format!("{NODES}{node}"))?;
        let change = Change::new(target, Field::read(field)?, Intent::Put(value));
        Ok(self.write(verb, &[change], false)?.end)
    }
}
