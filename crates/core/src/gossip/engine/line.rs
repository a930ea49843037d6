//! Who may ask now: there are places for so many wants and streams, and a line for each.

use alloc::vec::Vec;

use super::Engine;
use crate::gossip::event::Output;
use crate::gossip::gap::{Ask, Gap, Place};
use crate::limits::{FETCHES_MAX, STREAM_TURN_BYTES, WANTS_MAX};
use crate::name::LogId;

impl Engine {
    /// Gives the places that are free to those who wait for them.
    pub(super) fn next_in_line(&mut self, out: &mut Vec<Output>) {
        for place in [Place::Want, Place::Stream] {
            while !self.lines.of(place).is_empty() && self.has_place(place) {
                let Some(log) = self.lines.of_mut(place).pop_front() else { break };
                // Whoever waits for something else by now leaves the place to the next.
                if let Some(gap) = self.gaps.get_mut(&log) {
                    gap.in_line = false;
                    self.look_at(log, Some(place), out);
                }
            }
        }
    }

    /// Whether a log may take a place now. If not, it stands in line for it.
    pub(super) fn may_take(
        &mut self,
        place: Place,
        log: &LogId,
        gap: &mut Gap,
        turn: Option<Place>,
    ) -> bool {
        let free = self.has_place(place) && (turn == Some(place) || !self.is_waited_for(place));
        if !free && !gap.in_line {
            gap.in_line = true;
            self.lines.of_mut(place).push_back(log.clone());
        }
        free
    }

    pub(super) fn has_place(&self, place: Place) -> bool {
        match place {
            Place::Want => self.gaps.values().filter(|gap| gap.wants()).count() < WANTS_MAX,
            Place::Stream => {
                let streams = self.gaps.values().filter(|gap| gap.streams()).count();
                streams + self.holes.streams() < FETCHES_MAX
            }
        }
    }

    fn is_waited_for(&self, place: Place) -> bool {
        let hole = place == Place::Stream && self.holes.wait();
        hole || !self.lines.of(place).is_empty()
    }

    /// Whether the stream of a log has brought its share, and others wait for its place or another
    /// branch of the log waits to be compared.
    #[must_use]
    pub fn is_turn_over(&self, log: &LogId) -> bool {
        let Some(gap) = self.gaps.get(log) else { return false };
        let Some(Ask::Stream { from, .. }) = gap.ask else { return false };
        let brought = self.received(log).position.saturating_sub(from);
        let waited = !gap.forks.is_empty() || self.is_waited_for(Place::Stream);
        brought >= STREAM_TURN_BYTES && waited
    }
}
