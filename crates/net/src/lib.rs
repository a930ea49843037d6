//! The network, and nothing else: who may speak in a cluster, and how bytes get from one machine
//! to another unread and unchanged.
//!
//! What stands here:
//!
//! - the cluster's keys ([`Key`], [`Ring`]) and the [`Ticket`] that hands one to a new machine;
//! - sealed packets of at most 1,200 bytes ([`seal`](seal()), [`open`]) over a [`Udp`] socket that
//!   never lets the system fragment them, and a [`Sieve`] that sheds floods of them unread;
//! - sealed streams ([`connect`], [`accept`], [`Stream`]) for what is too long for a packet;
//! - names of peers made into addresses ([`resolve`]);
//! - nodes of the same cluster on the local network ([`Mdns`]), over the interfaces that
//!   [`Interfaces`] lets through.
//!
//! What it refuses: it knows no files, no datagrams and no members. It does not decide whom to
//! talk to, retries nothing and logs nothing. It is synchronous: a call blocks for at most the time
//! that it was given, and threads belong to the caller. Bytes from outside are never trusted: a
//! packet or stream that does not open gets a [`Refused`] or a [`StreamError`] here, and no answer
//! there.
//!
//! The byte layouts are told once, in the documentation of [`seal`](mod@seal), [`stream`] and
//! [`ticket`].

mod bind;
mod hex;
mod interfaces;
mod key;
mod mdns;
mod random;
mod resolve;
mod ring;
pub mod seal;
mod sieve;
mod source;
pub mod stream;
pub mod ticket;
mod udp;

pub use bind::{BindError, listen, listen_at};
pub use hex::{from_hex, to_hex};
pub use interfaces::{Interface, Interfaces, Skipped};
pub use key::{Key, KeyId};
pub use mdns::{Announcement, Mdns, MdnsError, Sighting};
pub use random::{NoRandom, random};
pub use resolve::{ResolveError, local_name, resolve};
pub use ring::{RING_KEYS_MAX, Ring, RingError, RingTextError, RingTextFault};
pub use seal::{
    OVERHEAD, PACKET_MAX, PLAINTEXT_MAX, Refused, SealError, is_sealed, named, open, seal,
};
pub use sieve::Sieve;
pub use stream::{
    Broken, Closer, Gate, Guests, HALF_OPEN_MAX, HANDSHAKE_TIME, Hears, IDLE_TIME, Identity,
    OPEN_MAX, OPEN_MAX_OF_ONE, Party, Pass, Seat, Stream, StreamError, TOLD_EVERY, Timeouts,
    accept, connect, connect_under,
};
pub use ticket::{PEERS_MAX, Ticket, TicketError};
pub use udp::{Udp, send_long};

/// The id of a cluster: sixteen random bytes, drawn once when the first machine is set up.
///
/// It is no secret. It keeps the packets of two clusters that share a key (a copied key file)
/// apart.
pub type Cluster = [u8; 16];
