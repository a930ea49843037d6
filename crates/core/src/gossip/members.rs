//! Who is there, as far as the nodes agree: SWIM with suspicion, by the crate `foca`.
//!
//! It tells people who is alive, and nodes where others are. Nothing that carries bytes of logs asks
//! it: under heavy loss every setting buries the living.

mod codec;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use core::num::{NonZeroU8, NonZeroUsize};
use core::time::Duration;

use foca::{Config, Foca, Identity, NoCustomBroadcast, PeriodicParams, Runtime, State, Timer};

use self::codec::{Codec, body, sieve};
use super::dice::Dice;
use super::event::Micros;
use crate::frame::Boot;
use crate::limits::{
    ANNOUNCE_DOWN_US, MEMBERS_ASK_US, MEMBERSHIP_BYTES, PROBE_RTT_US, PROBE_US, SUSPECT_US,
};
use crate::name::NodeId;

pub(crate) use codec::Broken;

/// A start of a node. One that was buried while it lived goes on under its next life.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    life: u16,
    /// Where it was heard by whoever told of it.
    pub(crate) address: SocketAddr,
}

/// A node does not know where others hear it. Written, no address is longer: what the receiver puts
/// there makes no message too long.
const NOWHERE: SocketAddr = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));

impl Member {
    /// One that was heard, in its first life as far as is known.
    pub(crate) fn new(node: NodeId, boot: Boot, address: SocketAddr) -> Self {
        Self { node, boot, life: 0, address }
    }
}

/// The same start in the same life, wherever it was heard.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        (self.boot, self.life) == (other.boot, other.life)
    }
}

impl Eq for Member {}

impl Identity for Member {
    type Addr = Boot;

    fn renew(&self) -> Option<Self> {
        Some(Self { life: self.life.checked_add(1)?, ..self.clone() })
    }

    fn addr(&self) -> Boot {
        self.boot
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.life > other.life
    }
}

/// How a node is, as far as the others agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It answers.
    Alive,
    /// It did not answer; it has a few seconds to say that it lives.
    Suspect,
    /// It did not, or said goodbye.
    Down,
}

/// All members.
pub(crate) struct Members {
    node: NodeId,
    swim: Foca<Member, Codec, Dice, NoCustomBroadcast>,
    timers: BTreeMap<(Micros, u64), Timer<Member>>,
    numbered: u64,
}

/// What is to be told to whom.
pub(crate) type Told = Vec<(Boot, Vec<u8>)>;

impl core::fmt::Debug for Members {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Members").field("timers", &self.timers.len()).finish_non_exhaustive()
    }
}

impl Members {
    pub(crate) fn new(node: NodeId, boot: Boot, dice: Dice) -> Self {
        let me = Member::new(node.clone(), boot, NOWHERE);
        let codec = Codec { node: node.clone() };
        let swim = Foca::new(me, config(), dice, codec);
        Self { node, swim, timers: BTreeMap::new(), numbered: 0 }
    }

    /// Asks one for all that it knows, and tells it that this node is here.
    pub(crate) fn ask(&mut self, member: Member, now: Micros) -> Told {
        self.run(now, |swim, calls| swim.announce(member, calls))
    }

    /// A message came. Of whom it tells only those are taken in who are peers here; where the others
    /// are is handed back.
    ///
    /// # Errors
    /// When its bytes are none of a message.
    pub(crate) fn hear(
        &mut self,
        sender: &Member,
        body: &[u8],
        now: Micros,
        is_peer: impl Fn(Boot) -> bool,
    ) -> Result<(Told, Vec<SocketAddr>), Broken> {
        let mut unmet = Vec::new();
        let me = self.swim.identity().boot;
        let bytes = sieve(&self.node, sender, body, |update| {
            let boot = update.id().boot;
            let known = boot == me || is_peer(boot);
            if !known && update.state() != State::Down {
                unmet.push(update.id().address);
            }
            known
        })?;
        Ok((self.run(now, |swim, calls| swim.handle_data(&bytes, calls)), unmet))
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Micros) -> Told {
        let mut told = Told::new();
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            let timer = first.remove();
            told.extend(self.run(now, |swim, calls| swim.handle_timer(timer, calls)));
        }
        told
    }

    /// Says that this node goes.
    pub(crate) fn leave(&mut self, now: Micros) -> Told {
        self.run(now, |swim, calls| swim.leave_cluster(calls))
    }

    /// How a start of a node is; nothing when nobody spoke of it.
    pub(crate) fn standing(&self, boot: Boot) -> Option<Standing> {
        let member = self.swim.iter_membership_state().find(|member| member.id().boot == boot)?;
        Some(match member.state() {
            State::Alive => Standing::Alive,
            State::Suspect => Standing::Suspect,
            State::Down => Standing::Down,
        })
    }

    /// Those that take part: each asks them, and they are told what happens.
    pub(crate) fn active(&self) -> impl Iterator<Item = Boot> + '_ {
        self.swim.iter_members().map(|member| member.id().boot)
    }

    /// When `tick` is wanted.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    fn run(
        &mut self,
        now: Micros,
        act: impl FnOnce(
            &mut Foca<Member, Codec, Dice, NoCustomBroadcast>,
            &mut Calls,
        ) -> Result<(), foca::Error>,
    ) -> Told {
        let mut calls = Calls::default();
        // What it refuses changes nothing: a message meant for another life of this start, or one
        // that asks in vain. The next probe does what this one did not.
        let _refused = act(&mut self.swim, &mut calls);
        for (timer, after) in calls.timers {
            let after = Micros::try_from(after.as_micros()).unwrap_or(Micros::MAX);
            self.numbered += 1;
            self.timers.insert((now.saturating_add(after), self.numbered), timer);
        }
        calls.told
    }
}

/// What foca wants done, in the order of its calls.
#[derive(Default)]
struct Calls {
    told: Told,
    timers: Vec<(Timer<Member>, Duration)>,
}

impl Runtime<Member> for Calls {
    fn notify(&mut self, _: foca::Notification<'_, Member>) {}

    fn send_to(&mut self, to: Member, data: &[u8]) {
        self.told.push((to.boot, body(data).to_vec()));
    }

    fn submit_after(&mut self, timer: Timer<Member>, after: Duration) {
        self.timers.push((timer, after));
    }
}

const fn every(us: Micros, members: NonZeroUsize) -> Option<PeriodicParams> {
    Some(PeriodicParams { frequency: Duration::from_micros(us), num_members: members })
}

fn config() -> Config {
    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();
    Config {
        probe_period: Duration::from_micros(PROBE_US),
        probe_rtt: Duration::from_micros(PROBE_RTT_US),
        num_indirect_probes: const { NonZeroUsize::new(5).unwrap() },
        max_transmissions: const { NonZeroU8::new(10).unwrap() },
        suspect_to_down_after: Duration::from_micros(SUSPECT_US),
        remove_down_after: Some(Duration::from_secs(3600)),
        max_packet_size: const { NonZeroUsize::new(MEMBERSHIP_BYTES).unwrap() },
        notify_down_members: true,
        periodic_announce: every(MEMBERS_ASK_US, ONE),
        periodic_announce_to_down_members: every(ANNOUNCE_DOWN_US, ONE),
        periodic_gossip: every(1_000_000, THREE),
    }
}
