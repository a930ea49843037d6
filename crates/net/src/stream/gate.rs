//! How many strangers may stand in the door at a time, and how many guests in the house.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::Source;

/// Handshakes under way at a time. Each costs a thread and some kilobytes for as long as its
/// deadline lets it.
pub const HALF_OPEN_MAX: usize = 64;
/// Of these from one address: several nodes behind a router, each with a question.
const HALF_OPEN_MAX_OF_ONE: usize = 16;
/// Streams that others opened and hold open. Each costs a thread and 128 KiB.
pub const OPEN_MAX: usize = 128;
/// Of these by one node: a node asks over four at a time, and those that it had before a restart may
/// still be open.
pub const OPEN_MAX_OF_ONE: usize = 12;

/// Lets callers in to shake hands. Clones count together.
///
/// Nobody is turned away: when there are too many, the one of the busiest address that has been at
/// it for longest is closed. A handshake takes a round trip or two, so whoever only holds a place
/// loses it to those who come later, and to nobody's harm but his own.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<Callers>>);

#[derive(Debug, Default)]
struct Callers {
    /// By the order in which they came.
    all: BTreeMap<u64, (Source, TcpStream)>,
    next: u64,
}

/// The right to one handshake; given back when dropped, which [`accept`](super::accept) does as
/// soon as the handshake is over.
#[derive(Debug)]
#[must_use = "a pass that is dropped lets the next one in"]
pub struct Pass {
    gate: Gate,
    number: u64,
}

impl Gate {
    /// A pass for the connection that came in from `peer`. Somebody else's may be closed for it.
    ///
    /// # Errors
    /// When the system has no file descriptor left: close the connection, without a thread for it.
    pub fn enter(&self, tcp: &TcpStream, peer: SocketAddr) -> io::Result<Pass> {
        let (tcp, source) = (tcp.try_clone()?, Source::from(peer.ip()));
        let mut callers = self.callers();
        callers.make_room(source);
        let number = callers.next;
        callers.next += 1;
        callers.all.insert(number, (source, tcp));
        drop(callers);
        Ok(Pass { gate: self.clone(), number })
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Callers {
    /// Closes at most one, so that `newcomer` may come in.
    fn make_room(&mut self, newcomer: Source) {
        let held = |whose| self.all.values().filter(|(source, _)| *source == whose).count();
        let whose = if held(newcomer) >= HALF_OPEN_MAX_OF_ONE {
            Some(newcomer)
        } else if self.all.len() >= HALF_OPEN_MAX {
            // Of those who hold equally many, the one that came first.
            self.all.values().rev().map(|(source, _)| *source).max_by_key(|source| held(*source))
        } else {
            None
        };
        let oldest = self.all.iter().find(|(_, (source, _))| Some(*source) == whose);
        let leaves = oldest.map(|(number, _)| *number);
        if let Some((_, tcp)) = leaves.and_then(|number| self.all.remove(&number)) {
            // Its thread learns at once; a connection that is gone already is no news.
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.callers().all.remove(&self.number);
    }
}

/// Counts open streams by the node at the other end, which has proved who it is. Clones count
/// together.
#[derive(Debug, Clone, Default)]
pub struct Guests(Arc<Mutex<BTreeMap<[u8; 32], usize>>>);

/// The right to one open stream; given back when dropped.
#[derive(Debug)]
#[must_use = "a seat that is dropped is free"]
pub struct Seat {
    guests: Guests,
    whose: [u8; 32],
}

impl Guests {
    /// A seat for the node of this key, or `None` when all are taken, or too many by that node:
    /// then close the stream; it is asked again elsewhere or later.
    #[must_use]
    pub fn sit(&self, whose: [u8; 32]) -> Option<Seat> {
        let mut seats = self.seats();
        let taken = seats.get(&whose).copied().unwrap_or_default();
        if taken >= OPEN_MAX_OF_ONE || seats.values().sum::<usize>() >= OPEN_MAX {
            return None;
        }
        seats.insert(whose, taken + 1);
        drop(seats);
        Some(Seat { guests: self.clone(), whose })
    }

    fn seats(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.guests.seats();
        match seats.get_mut(&self.whose) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(seats.remove(&self.whose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::listen_at;

    /// Both ends of a connection.
    fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (caller, listener.accept().unwrap().0)
    }

    /// What stands in the door: the caller's end, and its pass.
    struct Half {
        caller: TcpStream,
        _called: TcpStream,
        _pass: Pass,
    }

    impl Half {
        fn open(gate: &Gate, listener: &TcpListener, last: u8) -> Self {
            let (caller, called) = connection(listener);
            let pass = gate.enter(&called, ([192, 0, 2, last], 1).into()).unwrap();
            caller.set_nonblocking(true).unwrap();
            Self { caller, _called: called, _pass: pass }
        }

        fn is_closed(&self) -> bool {
            matches!((&self.caller).read(&mut [0]), Ok(0))
        }
    }

    fn gate() -> (Gate, TcpListener) {
        (Gate::default(), listen_at((Ipv4Addr::LOCALHOST, 0).into()).unwrap())
    }

    #[test]
    fn who_holds_many_places_loses_the_oldest_of_them_to_whoever_comes() {
        let (gate, listener) = gate();
        let mut held: Vec<Half> = (0..HALF_OPEN_MAX)
            .map(|n| Half::open(&gate, &listener, u8::from(n >= 3) * u8::try_from(n).unwrap()))
            .collect();
        assert!(held.iter().all(|half| !half.is_closed()));
        for newcomer in 100..103 {
            held.push(Half::open(&gate, &listener, newcomer));
        }
        // The first two of the busiest, then the oldest of those who hold one each.
        let closed: Vec<usize> = (0..held.len()).filter(|n| held[*n].is_closed()).collect();
        assert_eq!(closed, [0, 1, 2]);
        assert_eq!(gate.callers().all.len(), HALF_OPEN_MAX);
    }

    #[test]
    fn one_address_holds_a_few_places_however_many_are_free() {
        let (gate, listener) = gate();
        let held: Vec<Half> = (0..HALF_OPEN_MAX).map(|_| Half::open(&gate, &listener, 1)).collect();
        let other = Half::open(&gate, &listener, 2);
        let open = held.iter().filter(|half| !half.is_closed()).count();
        assert_eq!((open, other.is_closed()), (HALF_OPEN_MAX_OF_ONE, false));
        assert!(!held[HALF_OPEN_MAX - 1].is_closed() && held[0].is_closed());
        drop(held);
        assert_eq!(gate.callers().all.len(), 1);
    }

    #[test]
    fn the_document_tells_these_numbers() {
        let text = include_str!("../../../../docs/gossip.md");
        for words in [
            format!("At most {HALF_OPEN_MAX} handshakes are under way, {HALF_OPEN_MAX_OF_ONE} of"),
            format!(
                "at most {OPEN_MAX} (a thread and 128 KiB each), {OPEN_MAX_OF_ONE} of one node"
            ),
        ] {
            assert!(text.contains(&words), "{words}");
        }
    }

    #[test]
    fn one_node_takes_some_seats_and_all_nodes_take_so_many() {
        let guests = Guests::default();
        let mine: Vec<Seat> = (0..).map_while(|_| guests.sit([0; 32])).collect();
        assert_eq!(mine.len(), OPEN_MAX_OF_ONE);
        let all: Vec<Seat> = (1..=255).filter_map(|n| guests.sit([n; 32])).collect();
        assert_eq!(mine.len() + all.len(), OPEN_MAX);
        drop(mine);
        assert!(guests.sit([0; 32]).is_some());
        drop(all);
        assert!(guests.seats().is_empty());
    }
}
