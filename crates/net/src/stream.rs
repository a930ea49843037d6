//! Sealed streams: what is too long for a packet, over TCP, between two nodes that know each other
//! by their keys.
//!
//! # Layout, version 1
//!
//! Noise `Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s`. The pre-shared key is the cluster's; the static
//! keys are the nodes' own. Numbers are big-endian.
//!
//! | from | bytes | what |
//! | --- | --- | --- |
//! | caller | 3 | magic `C0 C1 53` |
//! | | 1 | version, `01` |
//! | | 4 | key id, in clear |
//! | | 48 | first handshake message: psk, e; empty payload |
//! | called | 96 | second handshake message: e, ee, s, es; empty payload |
//! | caller | 64 | third handshake message: s, se; empty payload |
//! | both | 2 + n | frames: length n from 16 to 65,535, then n bytes of Noise |
//!
//! The prologue, which both must have alike and nobody sends, is `cocli stream`, the caller's first
//! 8 bytes and the 16 bytes of the cluster id. Who lacks the key, or belongs to another cluster,
//! fails at the first message, and the one called closes without sending a byte: to a stranger the
//! port shows that it is open, and nothing else. (A recorded first message sent again does get a
//! second one, which the sender cannot read and which names nobody.)
//!
//! A **message** is one frame or several: the plaintext of its first begins with 4 bytes, the
//! message's length; then the message, in parts of any length from 1 byte (0 in the first frame).
//! The length is held against the receiver's ceiling when the first frame is open, and above 512 KiB memory
//! grows only with what has come. An end of the connection between two messages cannot be told from one
//! that somebody on the way forged: what must be complete has to say so itself.
//!
//! The whole handshake has one deadline, of [`HANDSHAKE_TIME`], however the bytes dribble in; at
//! most [`HALF_OPEN_MAX`] are under way at a time, and few of one address ([`Gate`]). Of streams that
//! others hold open there are at most [`OPEN_MAX`] ([`Guests`]).

mod error;
mod gate;
mod handshake;
mod identity;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use snow::TransportState;

pub use error::{Broken, StreamError};
pub use gate::{Gate, Guests, HALF_OPEN_MAX, OPEN_MAX, OPEN_MAX_OF_ONE, Pass, Seat};
pub use handshake::{accept, connect, connect_under};
pub use identity::Identity;

use crate::Cluster;
use crate::key::KeyId;
use crate::ring::Ring;

/// For a whole handshake, from the first packet of TCP on.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// For the next bytes of a stream.
pub const IDLE_TIME: Duration = Duration::from_secs(30);

/// Bytes after which [`Hears::more`] is called.
pub const TOLD_BYTES: usize = 32 * 1024;
/// How often it is called, at most: who hears it is woken.
pub const TOLD_EVERY: Duration = Duration::from_millis(100);

/// Bytes of a frame at most, by the rules of Noise.
const FRAME_MAX: usize = 65_535;
const TAG_BYTES: usize = 16;
/// Bytes of a message that there is room for before they have come.
const ROOM_BYTES: usize = 512 * 1024;
/// Bytes of plaintext in a frame.
const PART_MAX: usize = FRAME_MAX - TAG_BYTES;
const PREFIX_BYTES: usize = 2;
const LENGTH_BYTES: usize = 4;

/// How long a stream may keep its caller waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole handshake, with connecting.
    pub handshake: Duration,
    /// For the next bytes of an open stream, either way.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { handshake: HANDSHAKE_TIME, idle: IDLE_TIME }
    }
}

/// This side of every stream: what it must hold to be let in.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// The cluster's keys.
    pub ring: &'a Ring,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// This node's own key pair.
    pub identity: &'a Identity,
    /// How long it waits.
    pub timeouts: Timeouts,
}

/// An open stream to a node that holds the cluster's key and whose own key is known.
///
/// It carries messages either way, one after the other. After an error the stream is shut down and
/// every later call says [`Broken::Spent`]; only [`Broken::Silent`] and a message that was too long
/// to send leave it as it was.
pub struct Stream {
    tcp: TcpStream,
    peer: SocketAddr,
    noise: TransportState,
    remote: [u8; 32],
    key: KeyId,
    idle: Duration,
    spent: bool,
    /// A frame as it is sent, with its length before it.
    wire: Box<[u8]>,
    /// What the first frame of a message holds.
    plain: Box<[u8]>,
}

/// Who hears of a message while it comes.
pub trait Hears {
    /// Its first part, and how long it will be. What it gives is sent back at once, while the rest comes.
    fn begins(&mut self, start: &[u8], length: usize) -> Option<&'static [u8]>;

    /// Some more has come ([`TOLD_BYTES`], at most each [`TOLD_EVERY`]): whoever waits does not wait in vain.
    fn more(&mut self);
}

/// Nobody.
impl Hears for () {
    fn begins(&mut self, _start: &[u8], _length: usize) -> Option<&'static [u8]> {
        None
    }

    fn more(&mut self) {}
}

/// Ends a stream from another thread.
#[derive(Debug)]
pub struct Closer(TcpStream);

impl Closer {
    /// Shuts the stream down both ways: whoever waits in it returns at once with an error. A stream
    /// that has ended already stays so.
    pub fn close(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Stream {
    /// The address of the other side.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The other node's own public key, which it has proved to hold: the field `key` of
    /// `nodes/{node}` tells whose it is.
    #[must_use]
    pub fn remote_key(&self) -> [u8; 32] {
        self.remote
    }

    /// The cluster's key that let both sides in.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key
    }

    /// How long the next calls wait for bytes that do not come or are not taken; at least 1 ms.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_idle(&mut self, idle: Duration) -> Result<(), StreamError> {
        let idle = idle.max(Duration::from_millis(1));
        let set = || {
            self.tcp.set_read_timeout(Some(idle))?;
            self.tcp.set_write_timeout(Some(idle))
        };
        set().map_err(|e| StreamError { peer: self.peer, what: Broken::System(e) })?;
        self.idle = idle;
        Ok(())
    }

    /// A handle to end this stream from another thread.
    ///
    /// # Errors
    /// When the system has no file descriptor left.
    pub fn closer(&self) -> Result<Closer, StreamError> {
        let clone = self.tcp.try_clone();
        clone.map(Closer).map_err(|e| StreamError { peer: self.peer, what: Broken::System(e) })
    }

    /// Sends one message; done when the system has taken all of it, not when it has arrived.
    ///
    /// # Errors
    /// `TooLong` above 4 GiB (the stream is as it was); else the stream is broken.
    pub fn send(&mut self, message: &[u8]) -> Result<(), StreamError> {
        let length = length_of(message).map_err(|what| StreamError { peer: self.peer, what })?;
        let outcome =
            if self.spent { Err(Broken::Spent) } else { self.send_parts(length, message) };
        self.settle(outcome)
    }

    /// Waits for the next message, of at most `max` bytes.
    ///
    /// # Errors
    /// `Silent` when nothing came in time (the stream is as it was); `Closed` when the other side
    /// has ended the stream between two messages; else the stream is broken.
    pub fn recv(&mut self, max: usize) -> Result<Vec<u8>, StreamError> {
        self.recv_heard(max, &mut ())
    }

    /// As [`Stream::recv`]; `hears` is told while the message comes.
    ///
    /// # Errors
    /// As [`Stream::recv`], and as [`Stream::send`] of what is sent back.
    pub fn recv_heard(
        &mut self,
        max: usize,
        hears: &mut dyn Hears,
    ) -> Result<Vec<u8>, StreamError> {
        let mut coming = Coming { untold: 0, told: now(), hears };
        let outcome =
            if self.spent { Err(Broken::Spent) } else { self.recv_parts(max, &mut coming) };
        self.settle(outcome)
    }

    /// A stream whose sides have shaken hands.
    fn open(tcp: TcpStream, peer: SocketAddr, agreed: handshake::Agreed) -> Self {
        Self {
            tcp,
            peer,
            noise: agreed.noise,
            remote: agreed.remote,
            key: agreed.key,
            idle: IDLE_TIME,
            spent: false,
            wire: vec![0; PREFIX_BYTES + FRAME_MAX].into(),
            plain: vec![0; PART_MAX].into(),
        }
    }

    fn settle<T>(&mut self, outcome: Result<T, Broken>) -> Result<T, StreamError> {
        outcome.map_err(|what| {
            if !matches!(what, Broken::Silent { .. }) {
                self.spent = true;
                // The other side learns at once; a connection that is gone already is no news.
                let _ = self.tcp.shutdown(Shutdown::Both);
            }
            StreamError { peer: self.peer, what }
        })
    }

    fn send_parts(&mut self, length: u32, message: &[u8]) -> Result<(), Broken> {
        let length = length.to_be_bytes();
        if message.len() <= PART_MAX - LENGTH_BYTES {
            return self.send_frame(&[&length, message].concat());
        }
        // Nothing of a long message is copied: its first frame holds its length alone.
        self.send_frame(&length)?;
        message.chunks(PART_MAX).try_for_each(|part| self.send_frame(part))
    }

    fn send_frame(&mut self, plain: &[u8]) -> Result<(), Broken> {
        let bytes = self.noise.write_message(plain, &mut self.wire[PREFIX_BYTES..])?;
        let prefix = u16::try_from(bytes).map_err(|_| Broken::Malformed("a frame too long"))?;
        self.wire[..PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
        self.tcp.write_all(&self.wire[..PREFIX_BYTES + bytes]).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::NotTaken { after: self.idle },
            _ => Broken::System(e),
        })
    }

    fn recv_parts(&mut self, max: usize, coming: &mut Coming<'_>) -> Result<Vec<u8>, Broken> {
        let sealed = self.recv_frame(true, coming)?;
        let opened = self.noise.read_message(&self.wire[..sealed], &mut self.plain);
        let (length, first) = self.plain[..opened.map_err(|_| Broken::Changed)?]
            .split_first_chunk::<LENGTH_BYTES>()
            .ok_or(Broken::Malformed("a message without its length"))?;
        let bytes = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if bytes > max {
            return Err(Broken::TooLong { bytes, max });
        }
        if first.len() > bytes {
            return Err(Broken::Malformed("a message longer than it said"));
        }
        let mut message = Vec::with_capacity(bytes.saturating_add(TAG_BYTES).min(ROOM_BYTES));
        message.extend_from_slice(first);
        self.hear(&message, bytes, coming)?;
        while message.len() < bytes {
            let sealed = self.recv_frame(false, coming)?;
            let (from, part) = (message.len(), sealed - TAG_BYTES);
            if part == 0 || part > bytes - from {
                return Err(Broken::Malformed("a part that does not fit its message"));
            }
            // With room for the seal, it is opened where it ends up.
            message.resize(from + sealed, 0);
            let opened = self.noise.read_message(&self.wire[..sealed], &mut message[from..]);
            message.truncate(from + opened.map_err(|_| Broken::Changed)?);
            if from == 0 {
                self.hear(&message, bytes, coming)?;
            }
        }
        Ok(message)
    }

    fn hear(&mut self, start: &[u8], length: usize, coming: &mut Coming<'_>) -> Result<(), Broken> {
        let answer = if start.is_empty() { None } else { coming.hears.begins(start, length) };
        answer.map_or(Ok(()), |answer| self.send_parts(length_of(answer)?, answer))
    }

    /// Reads one sealed frame into `wire`: how many bytes it has, [`TAG_BYTES`] at least. Only the first
    /// frame of a message may keep us waiting without harm.
    fn recv_frame(&mut self, first: bool, coming: &mut Coming<'_>) -> Result<usize, Broken> {
        let idle = self.idle;
        let mut prefix = [0; PREFIX_BYTES];
        read_all(&mut self.tcp, &mut prefix, coming).map_err(|stop| match stop {
            Stop::Silent { came: 0 } if first => Broken::Silent { after: idle },
            Stop::End { came: 0 } if first => Broken::Closed,
            stop => stop.broken("the length of a frame", PREFIX_BYTES, idle),
        })?;
        let bytes = usize::from(u16::from_be_bytes(prefix));
        if bytes < TAG_BYTES {
            return Err(Broken::Malformed("a frame shorter than its seal"));
        }
        let sealed = &mut self.wire[..bytes];
        read_all(&mut self.tcp, sealed, coming).map_err(|s| s.broken("a frame", bytes, idle))?;
        Ok(bytes)
    }
}

fn length_of(message: &[u8]) -> Result<u32, Broken> {
    let too_long = |_| Broken::TooLong { bytes: message.len(), max: u32::MAX as usize };
    u32::try_from(message.len()).map_err(too_long)
}

/// Who hears of a message, what has come since it last did, and when that was.
struct Coming<'a> {
    untold: usize,
    told: Instant,
    hears: &'a mut dyn Hears,
}

impl Coming<'_> {
    fn more(&mut self, bytes: usize) {
        self.untold += bytes;
        if self.untold >= TOLD_BYTES && self.told.elapsed() >= TOLD_EVERY {
            (self.untold, self.told) = (0, now());
            self.hears.more();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "bytes dribble, and somebody waits for them")]
fn now() -> Instant {
    Instant::now()
}

/// Why bytes stopped coming, and how many had come.
enum Stop {
    Silent { came: usize },
    End { came: usize },
    System(io::Error),
}

impl Stop {
    fn broken(self, expected: &'static str, bytes: usize, after: Duration) -> Broken {
        match self {
            Self::Silent { came } => Broken::Stalled { after, expected, bytes, came },
            Self::End { came } => Broken::Cut { expected, bytes, came },
            Self::System(e) => Broken::System(e),
        }
    }
}

fn read_all(from: &mut impl Read, buffer: &mut [u8], coming: &mut Coming<'_>) -> Result<(), Stop> {
    let mut came = 0;
    while came < buffer.len() {
        match from.read(&mut buffer[came..]) {
            Ok(0) => return Err(Stop::End { came }),
            Ok(bytes) => {
                came += bytes;
                coming.more(bytes);
            }
            Err(e) => match e.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(Stop::Silent { came }),
                _ => return Err(Stop::System(e)),
            },
        }
    }
    Ok(())
}
