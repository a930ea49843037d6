//! What comes into the journals from now on, written here or come from elsewhere.

use std::collections::BTreeMap;

use cocli_core::{Datagram, LogId};
use cocli_store::Journals;

use crate::error::Result;
use crate::home::Home;

/// Up to where each log was told.
#[derive(Debug)]
pub struct Following<'h> {
    home: &'h Home,
    journals: Journals,
    told: BTreeMap<LogId, u64>,
}

impl Home {
    /// Begins to follow the journals where they end now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn follow(&self) -> Result<Following<'_>> {
        let journals = self.journals()?;
        let told = journals.logs().map(|log| (log.clone(), journals.end(log))).collect();
        Ok(Following { home: self, journals, told })
    }
}

impl Following<'_> {
    /// The datagrams that came since the last time, in the order of each log.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn news(&mut self) -> Result<Vec<Datagram>> {
        self.journals.refresh()?;
        let mut news = Vec::new();
        for log in self.journals.logs() {
            let (from, end) = (self.told.get(log).copied().unwrap_or(0), self.journals.end(log));
            if from < end {
                news.extend(self.home.written_between(log, from, end)?);
            }
            self.told.insert(log.clone(), end);
        }
        Ok(news)
    }
}
