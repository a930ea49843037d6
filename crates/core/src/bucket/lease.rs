//! Who is the hub: docs/bucket.md, "Lease". It saves work and is no lock: the truth is the chain of manifests.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value as Json, json};

use super::pace::Micros;
use crate::name::NodeId;

/// What stands under a generation's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub owner: NodeId,
    /// Which process of it: random.
    pub boot: u64,
    /// Whether its owner is at work.
    pub held: bool,
    /// Raised by each renewal.
    pub serial: u64,
    /// Until when, for people.
    pub until: String,
}

impl Lease {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let text = json!({
            "owner": self.owner.as_str(),
            "boot": format!("{:016x}", self.boot),
            "state": if self.held { "held" } else { "free" },
            "serial": self.serial,
            "until": self.until,
        });
        format!("{text}\n").into_bytes()
    }

    /// Reads a text; nothing when it is none.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(text).ok()?;
        let string = |field: &str| json.get(field)?.as_str();
        Some(Self {
            owner: NodeId::read(string("owner")?).ok()?,
            boot: u64::from_str_radix(string("boot")?, 16).ok()?,
            held: match string("state")? {
                "held" => true,
                "free" => false,
                _ => return None,
            },
            serial: json.get("serial")?.as_u64()?,
            until: string("until")?.to_string(),
        })
    }
}

/// What somebody who waits for the lease saw last, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    seen: Option<(u64, Option<Vec<u8>>)>,
    since: Micros,
}

impl Watch {
    /// The newest generation, 0 for none, and what stands there.
    pub fn saw(&mut self, now: Micros, generation: u64, text: Option<Vec<u8>>) {
        let seen = Some((generation, text));
        if self.seen != seen {
            (self.seen, self.since) = (seen, now);
        }
    }

    /// Whether nobody holds it: there is none, or its owner gave it back.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let Some((generation, text)) = &self.seen else { return false };
        let lease = text.as_ref().and_then(|text| Lease::read(text));
        *generation == 0 || lease.is_some_and(|lease| !lease.held)
    }

    /// How long it is to be waited before the next generation may be taken: at once when there is none or it
    /// is free, else when it has not changed for the time to live. What cannot be read counts as held.
    #[must_use]
    pub fn wait(&self, now: Micros, time_to_live: Micros) -> Micros {
        if self.seen.is_none() {
            return time_to_live;
        }
        if self.is_free() {
            return 0;
        }
        (self.since + time_to_live).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lease(held: bool, serial: u64) -> Lease {
        let owner = NodeId::read("pi1").unwrap();
        Lease { owner, boot: 7, held, serial, until: "9999-01-01T00:00:00Z".to_string() }
    }

    #[test]
    fn a_lease_reads_as_it_was_written() {
        let lease = lease(true, 3);
        assert_eq!(Lease::read(&lease.text()), Some(lease));
    }

    proptest! {
        #[test]
        fn a_held_lease_is_taken_after_its_time_without_a_change_and_never_before(
            looks in proptest::collection::vec((1u64..400, 0u64..4, any::<bool>()), 1..30),
        ) {
            let (mut watch, mut now, mut changed, mut last) = (Watch::default(), 0, 0, None);
            for (passed, serial, garbled) in looks {
                now += passed;
                let text = if garbled { alloc::vec![0xff] } else { lease(true, serial).text() };
                watch.saw(now, 5, Some(text.clone()));
                if last.as_ref() != Some(&text) {
                    (changed, last) = (now, Some(text));
                }
                prop_assert_eq!(watch.wait(now, 300) == 0, now - changed >= 300);
            }
        }
    }

    #[test]
    fn no_lease_and_a_free_one_are_taken_at_once() {
        let mut watch = Watch::default();
        watch.saw(10, 0, None);
        assert_eq!(watch.wait(10, 300), 0);
        watch.saw(11, 4, Some(lease(false, 1).text()));
        assert_eq!(watch.wait(11, 300), 0);
    }
}
