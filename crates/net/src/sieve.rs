//! Which packets are worth a decryption.
//!
//! The id of the key is sent in clear, so whoever has seen one packet can make any number that look
//! like ours until the cipher has looked at them; and an address is believed by nobody before it
//! has proven that it hears. So before the cipher each packet is charged to where it says to come
//! from:
//!
//! - an address of a **peer** has a share of its own, far above what a peer sends;
//! - an address to which this machine itself sends hellos (**hoped for**) has a small share of its
//!   own: no flood from elsewhere keeps its answer out;
//! - all others share one budget, of which no [`Source`] gets more than a little.
//!
//! What is beyond a share is dropped unread. Somebody who forges the address of a peer can use up
//! that peer's share, and nobody else's.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Instant;

use crate::source::Source;

/// For each address of a peer: far more than a peer sends. Who forges its address takes part in this
/// share, so it is as wide as a processor allows: a fifth of one that opens a packet in 4 µs.
const PEER: Rate = Rate::a_second(50_000, 4_096);
/// For each address that is hoped to be one: a hello is answered by one or two.
const HOPED: Rate = Rate::a_second(16, 32);
/// For each source of whom nothing is known: several nodes behind one address, each new.
const STRANGER: Rate = Rate::a_second(16, 32);
/// For all of these together: less than a hundredth of what the slowest machine in use can open.
const STRANGERS: Rate = Rate::a_second(2_000, 512);

/// Sources that are told apart: so many sets of so many ways. Who is forgotten begins anew, and
/// counts for all of them as before.
const SETS: usize = 256;
const WAYS: usize = 4;

/// How many, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Nanoseconds after which one more may come.
    pub(crate) every: u64,
    /// At once, after a rest.
    pub(crate) burst: u64,
}

impl Rate {
    pub(crate) const fn a_second(packets: u64, burst: u64) -> Self {
        Self { every: 1_000_000_000 / packets, burst }
    }
}

/// What is left of a share: the nanosecond at which all of it will be there again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Whether one more may come at this nanosecond; then it counts.
    pub(crate) fn take(&mut self, now: u64, rate: Rate) -> bool {
        let full = self.0.max(now);
        let takes = full - now <= rate.every * (rate.burst - 1);
        if takes {
            self.0 = full + rate.every;
        }
        takes
    }
}

/// Sources that share a place in the table.
type Set = [Option<(Source, Bucket)>; WAYS];

/// Sheds floods. Its memory is that of its table and of those who are expected, whatever comes.
#[derive(Debug)]
pub struct Sieve {
    began: Instant,
    expected: HashMap<SocketAddr, (Rate, Bucket)>,
    hasher: RandomState,
    strangers: Box<[Set]>,
    all: Bucket,
}

impl Sieve {
    /// Expects nobody yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            expected: HashMap::new(),
            hasher: RandomState::new(),
            strangers: vec![[None; WAYS]; SETS].into(),
            all: Bucket::default(),
        }
    }

    /// From now on these are the addresses of peers, and those where one is hoped for. Who was
    /// expected before as the same keeps what is left of its share; who has become the other has all of the new one.
    pub fn expect(&mut self, peers: &[SocketAddr], hoped: &[SocketAddr]) {
        let before = std::mem::take(&mut self.expected);
        let share = |address, rate| {
            let left = before.get(address).filter(|(was, _)| *was == rate);
            (rate, left.map_or(Bucket::default(), |(_, left)| *left))
        };
        let hoped = hoped.iter().map(|address| (*address, share(address, HOPED)));
        let peers = peers.iter().map(|address| (*address, share(address, PEER)));
        // Who is both is a peer.
        self.expected = hoped.chain(peers).collect();
    }

    /// Whether a packet from there may cost a decryption now.
    pub fn admits(&mut self, from: SocketAddr, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.began);
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2);
        match self.expected.get_mut(&from) {
            Some((rate, left)) => left.take(now, *rate),
            None => {
                self.stranger(from.ip().into()).take(now, STRANGER) && self.all.take(now, STRANGERS)
            }
        }
    }

    /// What is left of a source's share. A new one takes the place of the one that has rested
    /// longest: its share is whole again, as a rule.
    fn stranger(&mut self, source: Source) -> &mut Bucket {
        let hash = self.hasher.hash_one(source);
        let set = &mut self.strangers[usize::try_from(hash % SETS as u64).unwrap_or_default()];
        let known = set.iter().position(|way| way.is_some_and(|(whose, _)| whose == source));
        let rested = |way: &usize| set[*way].map_or(0, |(_, left)| left.0);
        let at = known.or_else(|| (0..WAYS).min_by_key(rested)).unwrap_or_default();
        if known.is_none() {
            set[at] = None;
        }
        &mut set[at].get_or_insert((source, Bucket::default())).1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Longer than it takes until every share is whole.
    const REST: Duration = Duration::from_secs(60);

    fn at(ip: [u8; 4], port: u16) -> SocketAddr {
        (ip, port).into()
    }

    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_document_tells_these_numbers() {
        let text = include_str!("../../../docs/gossip.md").replace(',', "");
        for (who, Rate { every, burst }) in [
            ("each proven address of a peer", PEER),
            ("each address to which this node sends hellos and where nobody answered yet", HOPED),
            ("all other sources together", STRANGERS),
        ] {
            let row = format!("| {who} | {} | {burst} |", 1_000_000_000 / every);
            assert!(text.contains(&row), "{row}");
        }
        assert!(text.contains(&format!("Of other sources {} are told apart", SETS * WAYS)));
    }

    /// How many of so many packets from there are admitted, spread over the time.
    fn admitted(sieve: &mut Sieve, from: SocketAddr, began: Instant, s: u32, count: u32) -> u32 {
        let when = |n: u32| began + Duration::from_secs(s.into()) * n / count;
        (0..count).map(|n| u32::from(sieve.admits(from, when(n)))).sum()
    }

    #[test]
    fn a_flood_from_one_source_keeps_the_first_hello_of_another_in() {
        let (now, flood) = (start(), at([192, 0, 2, 1], 1));
        let mut sieve = Sieve::new(now);
        let came = admitted(&mut sieve, flood, now, 10, 2_000_000);
        assert!((160..=192).contains(&came), "16 a second and a burst of 32: {came}");
        assert!(sieve.admits(at([192, 0, 2, 2], 9999), now + Duration::from_secs(10)));
        // Other ports of the same machine are the same source.
        let more = (2..1_000)
            .filter(|port| sieve.admits(at([192, 0, 2, 1], *port), now + Duration::from_secs(10)));
        assert!(more.count() <= 1);
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_touches_nobody_who_is_expected() {
        let now = start();
        let (peer, hoped) = (at([192, 0, 2, 1], 9999), at([192, 0, 2, 2], 9999));
        let mut sieve = Sieve::new(now);
        sieve.expect(&[peer], &[hoped]);
        let mut came = 0;
        for n in 0..1_000_000_u32 {
            let from = SocketAddr::from((std::net::Ipv4Addr::from_bits(n << 8), 9999));
            came += u32::from(sieve.admits(from, now + REST * n / 1_000_000));
        }
        let most = 2_000 * u32::try_from(REST.as_secs()).unwrap() + 512;
        assert!((most - 600..=most).contains(&came), "{came} of at most {most}");
        let then = now + REST;
        assert!((0..4_096).all(|_| sieve.admits(peer, then)));
        assert!((0..32).all(|_| sieve.admits(hoped, then)));
        assert!(!sieve.admits(hoped, then));
    }

    #[test]
    fn who_floods_gets_no_new_share_by_the_coming_of_others() {
        let (now, flood) = (start(), at([192, 0, 2, 1], 1));
        let (mut sieve, mut came) = (Sieve::new(now), 0);
        for ms in 0..10_000_u32 {
            let then = now + Duration::from_millis(ms.into());
            came += (0..10).filter(|_| sieve.admits(flood, then)).count();
            sieve.admits((std::net::Ipv4Addr::from_bits(ms), 1).into(), then);
        }
        assert!((160..=192).contains(&came), "16 a second and a burst of 32: {came}");
    }

    #[test]
    fn who_turns_out_to_be_a_peer_is_heard_at_once_though_its_hellos_used_up_a_small_share() {
        let (now, one) = (start(), at([192, 0, 2, 1], 9999));
        let mut sieve = Sieve::new(now);
        sieve.expect(&[], &[one]);
        while sieve.admits(one, now) {}
        sieve.expect(&[one], &[]);
        assert!(sieve.admits(one, now));
    }

    #[test]
    fn a_million_sources_take_no_more_memory_than_none() {
        let now = start();
        let mut sieve = Sieve::new(now);
        for n in 0..1_000_000_u32 {
            sieve.admits((std::net::Ipv4Addr::from_bits(n), 1).into(), now);
        }
        assert_eq!((sieve.strangers.len(), sieve.expected.capacity()), (SETS, 0));
    }

    #[test]
    fn who_forges_the_address_of_a_peer_uses_up_the_share_of_that_one_alone() {
        let now = start();
        let (forged, other) = (at([192, 0, 2, 1], 9999), at([192, 0, 2, 2], 9999));
        let mut sieve = Sieve::new(now);
        sieve.expect(&[forged, other], &[]);
        assert!(admitted(&mut sieve, forged, now, 1, 200_000) <= 50_000 + 4_096);
        assert!(sieve.admits(other, now + Duration::from_secs(1)));
        // Being told of again gives nothing back.
        sieve.expect(&[forged, other], &[forged]);
        assert!(!sieve.admits(forged, now + Duration::from_millis(999)));
        assert!(sieve.admits(forged, now + REST));
    }
}
