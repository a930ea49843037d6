//! Streams: questions and answers in order, never lost, but cut.

use std::net::SocketAddr;

use cocli_node::replica::Input;

use crate::world::{Event, World};

const MS: u64 = 1000;

/// Who asked: machine, its life, its call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) machine: usize,
    pub(crate) life: u64,
    pub(crate) call: u64,
}

impl World {
    /// A question leaves; where nobody can be reached the stream breaks, sooner or later.
    pub(crate) fn ask(&mut self, from: usize, call: u64, to: SocketAddr, bytes: Vec<u8>) {
        self.watched(|watch| watch.streamed(&bytes));
        let asker = Asker { machine: from, life: self.machines[from].life, call };
        let other = self.machine_at(to).filter(|other| self.machines[*other].daemon.is_some());
        let key = self.machines[from].ring[0];
        let open = |to: &usize| {
            let heard = !self.network.is_blocked(from, *to) && !self.network.is_blocked(*to, from);
            heard && self.machines[*to].opens(key)
        };
        let Some(to) = other.filter(open) else {
            let silent = self.chance.between(5 * MS, 3000 * MS);
            self.after(silent, Event::Cut { asker });
            return;
        };
        let delay = self.chance.between(MS / 5, 5 * MS);
        if !self.network.calm && self.chance.permille(self.options.cuts) {
            self.report.cut += 1;
            self.after(delay, Event::Cut { asker });
            return;
        }
        let life = self.machines[to].life;
        self.after(delay, Event::Question { to, life, asker, bytes });
    }

    /// A question arrives.
    pub(crate) fn question(&mut self, to: usize, life: u64, asker: Asker, bytes: Vec<u8>) {
        if self.machines[to].life != life || self.machines[to].daemon.is_none() {
            self.after(MS, Event::Cut { asker });
            return;
        }
        self.streams += 1;
        let stream = self.streams;
        self.asked.insert(stream, asker);
        self.step(to, Input::Question { stream, bytes });
    }

    /// An answer leaves.
    pub(crate) fn answer(&mut self, stream: u64, bytes: Vec<u8>) {
        let Some(asker) = self.asked.remove(&stream) else { return };
        self.watched(|watch| watch.streamed(&bytes));
        let delay = self.chance.between(MS / 5, 5 * MS);
        if !self.network.calm && self.chance.permille(self.options.cuts) {
            self.report.cut += 1;
            self.after(delay, Event::Cut { asker });
        } else {
            self.after(delay, Event::Answer { asker, bytes });
        }
    }

    /// An answer, or the end of the stream, arrives.
    pub(crate) fn answered(&mut self, asker: Asker, bytes: Option<Vec<u8>>) {
        if self.machines[asker.machine].life != asker.life {
            return;
        }
        let call = asker.call;
        let input = match bytes {
            Some(bytes) => Input::Answer { call, bytes },
            None => Input::CallFailed { call },
        };
        self.step(asker.machine, input);
    }
}
