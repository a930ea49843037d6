//! Whom to call, and not too often: who says to be somewhere may lie.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocli_net::{KeyId, connect_under};

use super::super::callers;
use super::super::calls::Side;
use super::{BYTES_MAX, Post, Public, Word, telling};
use crate::clock;
use crate::ring::Held;

/// One address is called at most this often.
pub(super) const REST: Duration = Duration::from_secs(1);
/// And when calls bring nothing, at least this often while there is cause.
pub(super) const REST_MAX: Duration = Duration::from_secs(60);
/// The same of a peer, who has proved to be there.
pub(super) const REST_MAX_OF_PEER: Duration = Duration::from_secs(4);
/// Addresses whose rests are remembered.
pub(super) const ADDRESSES_MAX: usize = 64;
/// Calls under way.
pub(super) const CALLS_MAX: usize = 8;

/// Calls, and when there may be the next.
pub(super) struct Calling {
    side: Arc<Side>,
    post: Post,
    rests: Rests,
}

impl Calling {
    pub(super) fn new(side: Arc<Side>, post: Post) -> Self {
        Self { side, post, rests: Rests::default() }
    }

    /// Calls there, under `first` and then under each other key, unless it is too soon.
    pub(super) fn call(&mut self, to: SocketAddr, first: Option<KeyId>) {
        self.unless_too_soon(to, first, REST_MAX);
    }

    /// Calls a peer who is alive.
    pub(super) fn call_peer(&mut self, to: SocketAddr) {
        self.unless_too_soon(to, None, REST_MAX_OF_PEER);
    }

    fn unless_too_soon(&mut self, to: SocketAddr, first: Option<KeyId>, rest_max: Duration) {
        if !self.rests.may_call(to, rest_max, clock::monotonic()) {
            return;
        }
        let held = self.side.keys.now();
        let others = held.ring.list().into_iter().filter(|key| Some(*key) != first);
        let order: Vec<KeyId> = first.into_iter().chain(others).collect();
        let (side, post) = (Arc::clone(&self.side), self.post.clone());
        let served = callers::serve(move || {
            let outcome = order.into_iter().find_map(|key| ask(to, key, &side, &held));
            let _ = post.0.send(Word::Called { to, outcome });
        });
        if served.is_err() {
            self.ended(to, false);
        }
    }

    /// A call is over; whether it brought anything.
    pub(super) fn ended(&mut self, to: SocketAddr, news: bool) {
        self.rests.ended(to, news, clock::monotonic());
    }
}

/// Tells what may be told there, and hears the answer.
fn ask(to: SocketAddr, key: KeyId, side: &Side, held: &Held) -> Option<(Public, Vec<u8>)> {
    let mut stream = connect_under(to, &side.party(&held.ring), key).ok()?;
    let whose = stream.remote_key();
    stream.send(&telling(held, &whose, key)?).ok()?;
    let answer = stream.recv(BYTES_MAX).ok()?;
    Some((whose, answer))
}

/// When each address may be called again.
#[derive(Debug, Default)]
struct Rests(BTreeMap<SocketAddr, Rest>);

#[derive(Debug)]
struct Rest {
    /// When the last call ended, or began.
    since: Instant,
    pause: Duration,
    under_way: bool,
}

impl Rests {
    /// Whether there may be a call now, when nobody rests for longer than that; then it counts as under way.
    fn may_call(&mut self, to: SocketAddr, rest_max: Duration, now: Instant) -> bool {
        let rests = |rest: &Rest| rest.under_way || now < rest.since + rest.pause.min(rest_max);
        let busy = self.0.values().filter(|rest| rest.under_way).count() >= CALLS_MAX;
        if busy || self.0.get(&to).is_some_and(rests) {
            return false;
        }
        if !self.0.contains_key(&to) && self.0.len() >= ADDRESSES_MAX {
            let rested = self.0.iter().filter(|(_, rest)| !rest.under_way);
            let rested = rested.min_by_key(|(_, rest)| rest.since + rest.pause);
            let Some(address) = rested.map(|(address, _)| *address) else { return false };
            self.0.remove(&address);
        }
        let rest = self.0.entry(to).or_insert(Rest { since: now, pause: REST, under_way: true });
        rest.under_way = true;
        true
    }

    fn ended(&mut self, to: SocketAddr, news: bool, now: Instant) {
        let Some(rest) = self.0.get_mut(&to) else { return };
        rest.under_way = false;
        rest.pause = if news { REST } else { (rest.pause * 2).min(REST_MAX) };
        rest.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn an_address_is_called_the_more_seldom_the_more_often_it_brings_nothing() {
        let (mut rests, mut now) = (Rests::default(), clock::monotonic());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert!(rests.may_call(at(1), REST_MAX, now));
            assert!(!rests.may_call(at(1), REST_MAX, now), "one at a time");
            rests.ended(at(1), false, now);
            let until = now + rests.0[&at(1)].pause;
            assert!(!rests.may_call(at(1), REST_MAX, until - Duration::from_millis(1)));
            pauses.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(!rests.may_call(at(1), REST_MAX, now - REST));
        assert!(rests.may_call(at(1), REST_MAX_OF_PEER, now - REST), "a peer sooner");
        rests.ended(at(1), true, now);
        assert!(rests.may_call(at(1), REST_MAX, now + REST));
    }

    #[test]
    fn addresses_that_somebody_makes_up_fill_no_memory_and_start_few_calls() {
        let (mut rests, now) = (Rests::default(), clock::monotonic());
        let called = (0..1_000).filter(|port| rests.may_call(at(*port), REST_MAX, now)).count();
        assert_eq!(called, CALLS_MAX);
        for port in 0..1_000 {
            if rests.may_call(at(port), REST_MAX, now) || port < 8 {
                rests.ended(at(port), false, now);
            }
        }
        assert!(rests.0.len() <= ADDRESSES_MAX);
    }
}
