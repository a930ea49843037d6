//! The morning page: what a person wants to know at once, in a few milliseconds.

use cocli_core::schema::POOL;

use crate::cards::Placed;
use crate::error::Result;
use crate::home::Home;

/// What the morning page shows.
#[derive(Debug)]
pub struct Glance {
    /// Companies that are not removed.
    pub companies: usize,
    /// People that are not removed.
    pub people: usize,
    /// Damaged blocks of journals.
    pub holes: usize,
    /// Cards that need a person.
    pub cards: Placed,
}

impl Home {
    /// Looks at state and cards at the same time.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn glance(&self) -> Result<Glance> {
        std::thread::scope(|scope| {
            let cards = scope.spawn(|| self.look_at_cards());
            let [companies, people] = self.read(|reader| reader.count(POOL))?;
            let holes = self.journals()?.holes().len();
            // A thread that panicked has said so; nothing of it is known then.
            let cards = cards.join().unwrap_or_else(|_| Ok(Placed::default()))?;
            Ok(Glance { companies, people, holes, cards })
        })
    }
}
