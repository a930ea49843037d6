//! Who gets in: three messages, one deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use snow::{Builder, HandshakeState, TransportState};

use super::error::{Broken, StreamError};
use super::gate::Pass;
use super::identity::Parts;
use super::{Party, Stream, now};
use crate::key::{KEY_ID_BYTES, Key, KeyId};
use crate::udp::plain;

const PATTERN: &str = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s";
const MAGIC: [u8; 3] = [0xC0, 0xC1, b'S'];
const VERSION: u8 = 1;
const GREETING_BYTES: usize = MAGIC.len() + 1 + KEY_ID_BYTES;
/// e, and the seal of an empty payload.
const FIRST_BYTES: usize = 32 + 16;
/// e, sealed s, and the seal of an empty payload.
const SECOND_BYTES: usize = 32 + 48 + 16;
/// Sealed s, and the seal of an empty payload.
const THIRD_BYTES: usize = 48 + 16;

/// What both sides know after the handshake.
pub(super) struct Agreed {
    pub(super) noise: TransportState,
    pub(super) remote: [u8; 32],
    pub(super) key: KeyId,
}

/// Calls the node at `peer` under the key in use.
///
/// # Errors
/// See [`Broken`]; `Unanswered` from a machine that lacks the key.
pub fn connect(peer: SocketAddr, party: &Party<'_>) -> Result<Stream, StreamError> {
    connect_under(peer, party, party.ring.in_use().id())
}

/// Calls the node at `peer` under another key of the ring: the old one perhaps, for a node that has
/// not heard of the new one.
///
/// # Errors
/// See [`Broken`]; `UnknownKey` when the ring has no such key.
pub fn connect_under(
    peer: SocketAddr,
    party: &Party<'_>,
    key: KeyId,
) -> Result<Stream, StreamError> {
    let call = || {
        let key = party.ring.find(key).ok_or(Broken::UnknownKey(key))?;
        let deadline = Deadline::after(party.timeouts.handshake);
        let left = deadline.left("a connection")?;
        let tcp = TcpStream::connect_timeout(&peer, left).map_err(|e| match e.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => deadline.late("a connection"),
            _ => Broken::Connect(e),
        })?;
        let mut link = Link { tcp, deadline };
        let agreed = initiate(&mut link, party, key)?;
        Ok((link.tcp, agreed))
    };
    finish(peer, party, call())
}

/// Takes a connection that came in from `peer`, if the caller can prove that it holds a key of the
/// ring; else closes it without a byte.
///
/// # Errors
/// See [`Broken`].
pub fn accept(
    tcp: TcpStream,
    peer: SocketAddr,
    party: &Party<'_>,
    pass: Pass,
) -> Result<Stream, StreamError> {
    let answer = || {
        // Some systems hand the listener's mode on.
        tcp.set_nonblocking(false).map_err(Broken::System)?;
        let deadline = Deadline::after(party.timeouts.handshake);
        let mut link = Link { tcp, deadline };
        let agreed = respond(&mut link, party)?;
        Ok((link.tcp, agreed))
    };
    let outcome = answer();
    drop(pass);
    finish(plain(peer), party, outcome)
}

fn finish(
    peer: SocketAddr,
    party: &Party<'_>,
    outcome: Result<(TcpStream, Agreed), Broken>,
) -> Result<Stream, StreamError> {
    let (tcp, agreed) = outcome.map_err(|what| StreamError { peer, what })?;
    let mut stream = Stream::open(tcp, peer, agreed);
    stream.set_idle(party.timeouts.idle)?;
    Ok(stream)
}

fn initiate(link: &mut Link, party: &Party<'_>, key: &Key) -> Result<Agreed, Broken> {
    let greeting = greeting(key.id());
    let mut noise = machine(party, key, &greeting, |b| b.build_initiator())?;
    let mut flight = [0; GREETING_BYTES + FIRST_BYTES];
    flight[..GREETING_BYTES].copy_from_slice(&greeting);
    noise.write_message(&[], &mut flight[GREETING_BYTES..])?;
    link.write(&flight)?;
    let mut second = [0; SECOND_BYTES];
    link.read(&mut second, "the second handshake message (96 bytes)").map_err(|what| {
        // Refused callers are closed unanswered; whether by an end or a reset is the system's mood.
        match what {
            Broken::Cut { .. } | Broken::System(_) => Broken::Unanswered(key.id()),
            other => other,
        }
    })?;
    noise.read_message(&second, &mut [0; SECOND_BYTES]).map_err(|_| Broken::Forged(2))?;
    let mut third = [0; THIRD_BYTES];
    noise.write_message(&[], &mut third)?;
    link.write(&third)?;
    agreed(noise, key.id())
}

fn respond(link: &mut Link, party: &Party<'_>) -> Result<Agreed, Broken> {
    let mut greeting = [0; GREETING_BYTES];
    link.read(&mut greeting, "a greeting (8 bytes)")?;
    let [a, b, c, version, id @ ..] = greeting;
    if [a, b, c] != MAGIC {
        return Err(Broken::NotOurs);
    }
    if version != VERSION {
        return Err(Broken::Version(version));
    }
    let id = KeyId(id);
    let key = party.ring.find(id).ok_or(Broken::UnknownKey(id))?;
    let mut first = [0; FIRST_BYTES];
    link.read(&mut first, "the first handshake message (48 bytes)")?;
    let mut noise = machine(party, key, &greeting, |b| b.build_responder())?;
    noise.read_message(&first, &mut [0; FIRST_BYTES]).map_err(|_| Broken::NoProof(id))?;
    let mut second = [0; SECOND_BYTES];
    noise.write_message(&[], &mut second)?;
    link.write(&second)?;
    let mut third = [0; THIRD_BYTES];
    link.read(&mut third, "the third handshake message (64 bytes)")?;
    noise.read_message(&third, &mut [0; THIRD_BYTES]).map_err(|_| Broken::Forged(3))?;
    agreed(noise, id)
}

fn greeting(id: KeyId) -> [u8; GREETING_BYTES] {
    let mut greeting = [0; GREETING_BYTES];
    greeting[..MAGIC.len()].copy_from_slice(&MAGIC);
    greeting[MAGIC.len()] = VERSION;
    greeting[GREETING_BYTES - KEY_ID_BYTES..].copy_from_slice(&id.0);
    greeting
}

/// The Noise machine of one side, before the first message.
fn machine(
    party: &Party<'_>,
    key: &Key,
    greeting: &[u8],
    build: fn(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Result<HandshakeState, Broken> {
    let prologue = [b"cocli stream", greeting, party.cluster].concat();
    let private = party.identity.to_bytes();
    let builder = Builder::with_resolver(PATTERN.parse()?, Box::new(Parts))
        .local_private_key(private.as_slice())?
        .psk(0, key.as_bytes())?
        .prologue(&prologue)?;
    Ok(build(builder)?)
}

fn agreed(noise: HandshakeState, key: KeyId) -> Result<Agreed, Broken> {
    let noise = noise.into_transport_mode()?;
    let remote = noise.get_remote_static().and_then(|key| key.try_into().ok());
    let remote = remote.ok_or_else(|| Broken::Cipher("no key of the other side".into()))?;
    Ok(Agreed { noise, remote, key })
}

/// The end of a handshake's time, the same for all its reads and writes.
#[derive(Clone, Copy)]
struct Deadline {
    begun: Instant,
    time: Duration,
}

impl Deadline {
    fn after(time: Duration) -> Self {
        Self { begun: now(), time }
    }

    fn left(&self, expected: &'static str) -> Result<Duration, Broken> {
        let left = self.time.saturating_sub(now().saturating_duration_since(self.begun));
        if left.is_zero() { Err(self.late(expected)) } else { Ok(left) }
    }

    fn late(&self, expected: &'static str) -> Broken {
        Broken::Late { after: self.time, expected }
    }
}

/// A connection whose every wait ends at the deadline.
struct Link {
    tcp: TcpStream,
    deadline: Deadline,
}

impl Link {
    fn read(&mut self, buffer: &mut [u8], expected: &'static str) -> Result<(), Broken> {
        let (bytes, mut came) = (buffer.len(), 0);
        while came < bytes {
            let left = self.deadline.left(expected)?;
            self.tcp.set_read_timeout(Some(left)).map_err(Broken::System)?;
            match self.tcp.read(&mut buffer[came..]) {
                Ok(0) => return Err(Broken::Cut { expected, bytes, came }),
                Ok(more) => came += more,
                // Until the deadline itself says so, a wait that ended early is begun again.
                Err(e) if again(e.kind()) => {}
                Err(e) => return Err(Broken::System(e)),
            }
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        // Three small messages, each waited for: none may linger for the next.
        self.tcp.set_nodelay(true).map_err(Broken::System)?;
        while !bytes.is_empty() {
            let left = self.deadline.left("to be taken what was sent")?;
            self.tcp.set_write_timeout(Some(left)).map_err(Broken::System)?;
            match self.tcp.write(bytes) {
                Ok(0) => return Err(Broken::System(ErrorKind::WriteZero.into())),
                Ok(taken) => bytes = &bytes[taken..],
                Err(e) if again(e.kind()) => {}
                Err(e) => return Err(Broken::System(e)),
            }
        }
        Ok(())
    }
}

fn again(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
