//! What can go wrong with a stream, and with whom.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::key::KeyId;
use crate::random::NoRandom;

/// A stream that did not come about or did not last, with the address of the other side.
#[derive(Debug, thiserror::Error)]
#[error("stream with {peer}: {what}")]
pub struct StreamError {
    /// The other side.
    pub peer: SocketAddr,
    /// What happened.
    #[source]
    pub what: Broken,
}

/// What happened to a stream. In a handshake: the connection is closed, and nothing but our own
/// handshake message, if it was our turn, has been sent.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Nobody listens there, or nothing leads there.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The caller is no program of ours.
    #[error("expected the greeting of this program, came something else")]
    NotOurs,
    /// The caller is another version of this program.
    #[error("expected a stream of version 1, came version {0}")]
    Version(u8),
    /// The key that the caller named, or that we were to call with, is not in the ring.
    #[error("expected a key of this machine's ring, came key {0}: see `cocli key list`")]
    UnknownKey(KeyId),
    /// The caller named a key that it does not hold, or belongs to another cluster.
    #[error(
        "its first message does not open with key {0}: it lacks the key, or is of another cluster"
    )]
    NoProof(KeyId),
    /// The one that we called closed without an answer, as it does to strangers.
    #[error(
        "expected an answer under key {0}, was closed: that machine may lack the key, be of another cluster, or have too many callers"
    )]
    Unanswered(KeyId),
    /// A later message of the handshake does not open.
    #[error("handshake message {0} was changed on its way or forged")]
    Forged(u8),
    /// The handshake took too long.
    #[error("expected {expected} within {after:?} of the handshake's start; it did not come")]
    Late {
        /// The deadline.
        after: Duration,
        /// What was waited for.
        expected: &'static str,
    },
    /// Nothing came in time, and nothing was under way: the stream is as it was.
    #[error("expected a message, heard nothing for {after:?}")]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// What was under way went no further.
    #[error("expected {bytes} bytes ({expected}), came {came}, then nothing for {after:?}")]
    Stalled {
        /// How long was waited.
        after: Duration,
        /// What was under way.
        expected: &'static str,
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that came.
        came: usize,
    },
    /// The other side does not take what we send.
    #[error("nothing of what was sent was taken for {after:?}")]
    NotTaken {
        /// How long was waited.
        after: Duration,
    },
    /// The other side ended the stream between two messages.
    #[error("expected a message, the other side ended the stream")]
    Closed,
    /// The connection ended in the middle.
    #[error("expected {bytes} bytes ({expected}), the connection ended after {came}")]
    Cut {
        /// What was under way.
        expected: &'static str,
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that came.
        came: usize,
    },
    /// A message above the ceiling. No memory was taken for it.
    #[error("a message of {bytes} bytes, expected at most {max}")]
    TooLong {
        /// Bytes of the message, as its length says.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A frame does not open: changed, left out, repeated or put in by somebody on the way.
    #[error("a frame does not open: the bytes were changed on their way")]
    Changed,
    /// The other side holds the key and breaks the rules of the layout.
    #[error("against the rules: {0}")]
    Malformed(&'static str),
    /// An earlier error ended this stream.
    #[error("the stream has ended after an earlier error; open another one")]
    Spent,
    /// The system says no.
    #[error("{0}")]
    System(io::Error),
    /// No key for the handshake could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The Noise machine refuses for a reason that no bytes from outside can cause.
    #[error("the cipher refuses: {0}")]
    Cipher(String),
}

impl From<snow::Error> for Broken {
    fn from(error: snow::Error) -> Self {
        Self::Cipher(error.to_string())
    }
}
