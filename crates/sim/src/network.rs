//! What becomes of a packet.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::chance::Chance;
use crate::options::Options;

const MS: u64 = 1000;
/// 10.0.0.0
const NET: u32 = 0x0a00_0000;

/// Links that are cut, and what chance does to packets.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// From machine, to machine.
    blocked: BTreeSet<(usize, usize)>,
    pub(crate) calm: bool,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

impl Network {
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    pub(crate) fn free(&mut self, from: usize, to: usize) {
        self.blocked.remove(&(from, to));
    }

    pub(crate) fn free_all(&mut self) {
        self.blocked.clear();
    }

    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// The delays with which a packet arrives, in microseconds: none when it is lost, several when
    /// it is doubled.
    pub(crate) fn fate(
        &mut self,
        from: usize,
        to: usize,
        options: &Options,
        chance: &mut Chance,
    ) -> Vec<u64> {
        let calm = self.calm;
        if self.is_blocked(from, to) || (!calm && chance.permille(options.loss)) {
            self.lost += 1;
            return Vec::new();
        }
        let copies = if !calm && chance.permille(options.duplicates) {
            self.doubled += 1;
            chance.between(2, options.copies.max(2))
        } else {
            1
        };
        let late = |chance: &mut Chance| {
            if !calm && chance.permille(options.late) {
                chance.between(MS, options.late_ms * MS)
            } else {
                chance.between(options.delay_us.0, options.delay_us.1)
            }
        };
        (0..copies).map(|_| late(chance)).collect()
    }
}

/// The address of a machine.
pub(crate) fn address(machine: usize, port: u16) -> SocketAddr {
    let host = u32::try_from(machine + 1).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::from_bits(NET + host), port))
}

/// The machine that has such an address now or had it before.
pub(crate) fn machine(address: SocketAddr) -> Option<usize> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    usize::try_from(ip.to_bits().checked_sub(NET + 1)?).ok()
}
