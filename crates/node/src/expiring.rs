//! Heartbeats and tasks: what is written of nodes and queues into logs that expire, and their end.

use std::collections::BTreeMap;

use cocli_core::{Datagram, Entity, Field, Target, Value, usv};
use cocli_store::expiry::{self, Expired};
use cocli_store::{Command, Reader};

use crate::change::{Change, Intent, Writer};
use crate::error::{NodeError, Result};
use crate::home::Home;
use crate::session::{End, Session};

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Datagrams written; those that say what was so already are none.
    pub datagrams: usize,
    /// Where the own log of the month ends now: what was written is durable.
    pub end: End,
}

impl Session<'_> {
    /// Writes what differs of these values as one batch into the own log that expires with this month. Each
    /// beats all that is known of its field, in logs that stay as well.
    ///
    /// # Errors
    /// When a target stays, or the disk refuses: nothing is written then.
    pub fn record_expiring(
        &mut self,
        verb: &str,
        values: &[(Target, Field, Value)],
    ) -> Result<Recorded> {
        let writer = Writer { node: self.home.node().clone(), wall: self.now };
        let mut known: BTreeMap<Target, Entity> = BTreeMap::new();
        let reader = self.reader()?;
        let (mut batch, mut datagrams) = (Vec::new(), 0);
        for (target, field, value) in values {
            if !target.may_expire() {
                return Err(NodeError::Stays { target: target.clone() });
            }
            if !known.contains_key(target) {
                known.insert(target.clone(), reader.entity(target)?);
            }
            let entity = known.entry(target.clone()).or_default();
            let put = Intent::Put(value.clone().bounded()?);
            let change = Change::new(target.clone(), field.clone(), put);
            for (field, entry) in writer.entries(&change, entity)? {
                entity.merge(field.clone(), entry.clone());
                usv::write(&Datagram { target: target.clone(), field, entry }, &mut batch);
                datagrams += 1;
            }
        }
        self.append_expiring(verb, &batch)?;
        self.tail_bytes = self.tail_bytes.max(reader.expiring_tail_bytes()? + batch.len() as u64);
        self.know(known);
        let log = self.journals.own().of(Some(self.now.day().month()));
        let head = self.journals.head(&log)?;
        Ok(Recorded { datagrams, end: End { log, head } })
    }

    fn append_expiring(&mut self, verb: &str, batch: &[u8]) -> Result<()> {
        if !batch.is_empty() {
            let command = Command { at: self.now, verb: verb.to_owned() };
            let (day, epoch) = (self.now.day(), (self.home.rim.epoch)());
            self.journals.append_expiring(&self.lock, day, batch, &command, &epoch)?;
        }
        Ok(())
    }

    /// Takes away the logs whose time is over, once what must not be forgotten stands in this month's.
    ///
    /// # Errors
    /// When the disk refuses: what did not go yet is still there.
    pub fn expire(&mut self) -> Result<Expired> {
        let command = Command { at: self.now, verb: "carry over".to_owned() };
        let epoch = (self.home.rim.epoch)();
        Ok(expiry::expire(&self.lock, &mut self.journals, &command, &epoch)?)
    }
}

impl Home {
    /// As [`Session::expire`], where there is something to take away.
    ///
    /// # Errors
    /// As `Session::expire`.
    pub fn expire_if_due(&self, now: cocli_core::Instant) -> Result<Expired> {
        let due = expiry::is_due(&*self.disk, now)?;
        if due { self.session(now)?.expire() } else { Ok(Expired::default()) }
    }

    /// The targets that may expire below a prefix with a collection, with what is known of each.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn expiring(&self, prefix: &str) -> Result<BTreeMap<Target, Entity>> {
        self.read(|reader: &Reader| {
            let mut all = BTreeMap::new();
            reader.scan(prefix, |target, entity| {
                if target.may_expire() {
                    all.insert(target.clone(), entity.clone());
                }
            })?;
            Ok(all)
        })
    }
}
