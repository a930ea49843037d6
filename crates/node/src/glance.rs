//! The morning page: what a person wants to know at once, in a few milliseconds.

use cocli_core::Target;

use crate::cards::Placed;
use crate::error::Result;
use crate::followup::Now;
use crate::health::troubles;
use crate::home::Home;

/// What the morning page shows.
#[derive(Debug)]
pub struct Glance {
    /// Companies that are not removed.
    pub companies: usize,
    /// People that are not removed.
    pub people: usize,
    /// Next steps and meetings that today asks for.
    pub due: usize,
    /// Damaged blocks of journals.
    pub holes: usize,
    /// Journals that are not what they were left as, and why.
    pub troubles: Vec<(String, String)>,
    /// Cards that need a person.
    pub cards: Placed,
}

impl Home {
    /// Looks at state and cards at the same time: at the cards that may have been `touched`, where that is known.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn glance(&self, now: &Now, touched: Option<&[Target]>) -> Result<Glance> {
        std::thread::scope(|scope| {
            let cards = scope.spawn(|| self.look_at(touched));
            let [companies, people] = self.count()?;
            let due = self.due(now)?;
            let journals = self.journals()?;
            let (holes, troubles) = (journals.holes().len(), troubles(&journals));
            // A thread that panicked has said so; nothing of it is known then.
            let cards = cards.join().unwrap_or_else(|_| Ok(Placed::default()))?;
            Ok(Glance { companies, people, due, holes, troubles, cards })
        })
    }
}
