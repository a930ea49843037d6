//! Membership as bytes. Who sends stands in front, but is cut off on the way: the packet says it, and
//! the receiver knows from where it came.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut};
use foca::{Header, Member as Update, Message, State};

use super::{Member, NOWHERE};
use crate::frame::Boot;
use crate::limits::NODE_BYTES_MAX;
use crate::name::NodeId;

/// Bytes of the longest update: name, boot, life, address, incarnation, state.
const UPDATE_BYTES_MAX: usize = 1 + NODE_BYTES_MAX + 1 + 8 + 2 + 19 + 3;

/// A body that breaks the rules of the format, or has no room for what is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a membership message is cut off or says something unknown")]
pub(crate) struct Broken;

/// Writes and reads membership messages.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    /// This node: it is the receiver of whatever is read.
    pub(super) node: NodeId,
}

impl foca::Codec<Member> for Codec {
    type Error = Broken;

    fn encode_header(
        &mut self,
        header: &Header<Member>,
        mut out: impl BufMut,
    ) -> Result<(), Broken> {
        let mut bytes = Vec::with_capacity(UPDATE_BYTES_MAX);
        put_member(&mut bytes, &header.src);
        bytes.put_u16(header.src.life);
        bytes.put_u16(header.src_incarnation);
        bytes.put_u64(header.dst.boot.0);
        bytes.put_u16(header.dst.life);
        put_message(&mut bytes, &header.message);
        put_all(&bytes, &mut out)
    }

    fn decode_header(&mut self, mut bytes: impl Buf) -> Result<Header<Member>, Broken> {
        let mut src = member(&mut bytes)?;
        src.life = bytes.try_get_u16().map_err(broken)?;
        let src_incarnation = bytes.try_get_u16().map_err(broken)?;
        let boot = Boot(bytes.try_get_u64().map_err(broken)?);
        let life = bytes.try_get_u16().map_err(broken)?;
        let dst = Member { node: self.node.clone(), boot, life, address: NOWHERE };
        let message = message(&mut bytes)?;
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(
        &mut self,
        update: &Update<Member>,
        mut out: impl BufMut,
    ) -> Result<(), Broken> {
        let mut bytes = Vec::with_capacity(UPDATE_BYTES_MAX);
        put_update(&mut bytes, update);
        put_all(&bytes, &mut out)
    }

    fn decode_member(&mut self, mut bytes: impl Buf) -> Result<Update<Member>, Broken> {
        update(&mut bytes)
    }
}

/// A message without who sends it.
pub(super) fn body(mut message: &[u8]) -> &[u8] {
    // What was just written is read again, so it is never broken; and an empty body is refused there.
    member(&mut message).map_or(&[], |_| message)
}

/// The body with its sender in front, and of its updates only those that are wanted.
pub(super) fn sieve(
    node: &NodeId,
    sender: &Member,
    body: &[u8],
    mut wanted: impl FnMut(&Update<Member>) -> bool,
) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::with_capacity(body.len() + UPDATE_BYTES_MAX);
    put_member(&mut bytes, sender);
    bytes.put_slice(body);
    let mut rest = &bytes[..];
    let header = foca::Codec::decode_header(&mut Codec { node: node.clone() }, &mut rest)?;
    if rest.is_empty() || header.message == Message::Announce {
        return if rest.is_empty() { Ok(bytes) } else { Err(Broken) };
    }
    let head = bytes.len() - rest.len();
    let count = rest.try_get_u16().map_err(broken)?;
    let mut updates = Vec::with_capacity(rest.len());
    let mut kept: u16 = 0;
    for _ in 0..count {
        let update = update(&mut rest)?;
        if wanted(&update) {
            put_update(&mut updates, &update);
            kept += 1;
        }
    }
    if !rest.is_empty() {
        return Err(Broken);
    }
    bytes.truncate(head);
    bytes.put_u16(kept);
    bytes.put_slice(&updates);
    Ok(bytes)
}

fn broken(_: bytes::TryGetError) -> Broken {
    Broken
}

fn put_all(bytes: &[u8], out: &mut impl BufMut) -> Result<(), Broken> {
    if out.remaining_mut() < bytes.len() {
        return Err(Broken);
    }
    out.put_slice(bytes);
    Ok(())
}

fn put_member(out: &mut Vec<u8>, member: &Member) {
    let name = member.node.as_str().as_bytes();
    // A name has at most 64 bytes (name.rs), so the length is never cut.
    out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.put_slice(name);
    out.put_u64(member.boot.0);
    out.put_u16(member.life);
    match member.address.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.put_slice(&ip.octets());
        }
    }
    out.put_u16(member.address.port());
}

fn member(bytes: &mut impl Buf) -> Result<Member, Broken> {
    let length = usize::from(bytes.try_get_u8().map_err(broken)?);
    let mut name = [0; NODE_BYTES_MAX + 1];
    let name = name.get_mut(..length).ok_or(Broken)?;
    bytes.try_copy_to_slice(name).map_err(broken)?;
    let node = core::str::from_utf8(name).map_err(|_| Broken)?;
    let node = NodeId::read(node).map_err(|_| Broken)?;
    let boot = Boot(bytes.try_get_u64().map_err(broken)?);
    let life = bytes.try_get_u16().map_err(broken)?;
    let ip: IpAddr = match bytes.try_get_u8().map_err(broken)? {
        4 => Ipv4Addr::from_bits(bytes.try_get_u32().map_err(broken)?).into(),
        6 => Ipv6Addr::from_bits(bytes.try_get_u128().map_err(broken)?).into(),
        _ => return Err(Broken),
    };
    let address = SocketAddr::new(ip, bytes.try_get_u16().map_err(broken)?);
    Ok(Member { node, boot, life, address })
}

fn put_update(out: &mut Vec<u8>, update: &Update<Member>) {
    put_member(out, update.id());
    out.put_u16(update.incarnation());
    out.put_u8(match update.state() {
        State::Alive => 0,
        State::Suspect => 1,
        State::Down => 2,
    });
}

fn update(bytes: &mut impl Buf) -> Result<Update<Member>, Broken> {
    let id = member(bytes)?;
    let incarnation = bytes.try_get_u16().map_err(broken)?;
    let state = match bytes.try_get_u8().map_err(broken)? {
        0 => State::Alive,
        1 => State::Suspect,
        2 => State::Down,
        _ => return Err(Broken),
    };
    Ok(Update::new(id, incarnation, state))
}

fn put_message(out: &mut Vec<u8>, message: &Message<Member>) {
    let (kind, number, member) = match message {
        Message::Ping(number) => (1, Some(number), None),
        Message::Ack(number) => (2, Some(number), None),
        Message::PingReq { target, probe_number } => (3, Some(probe_number), Some(target)),
        Message::IndirectPing { origin, probe_number } => (4, Some(probe_number), Some(origin)),
        Message::IndirectAck { target, probe_number } => (5, Some(probe_number), Some(target)),
        Message::ForwardedAck { origin, probe_number } => (6, Some(probe_number), Some(origin)),
        Message::Announce => (7, None, None),
        Message::Feed => (8, None, None),
        Message::Gossip => (9, None, None),
        Message::Broadcast => (10, None, None),
        Message::TurnUndead => (11, None, None),
    };
    out.put_u8(kind);
    if let Some(number) = number {
        out.put_u8(*number);
    }
    if let Some(member) = member {
        put_member(out, member);
    }
}

fn message(bytes: &mut impl Buf) -> Result<Message<Member>, Broken> {
    let kind = bytes.try_get_u8().map_err(broken)?;
    let probe_number = match kind {
        1..=6 => bytes.try_get_u8().map_err(broken)?,
        _ => 0,
    };
    Ok(match kind {
        1 => Message::Ping(probe_number),
        2 => Message::Ack(probe_number),
        3 => Message::PingReq { target: member(bytes)?, probe_number },
        4 => Message::IndirectPing { origin: member(bytes)?, probe_number },
        5 => Message::IndirectAck { target: member(bytes)?, probe_number },
        6 => Message::ForwardedAck { origin: member(bytes)?, probe_number },
        7 => Message::Announce,
        8 => Message::Feed,
        9 => Message::Gossip,
        11 => Message::TurnUndead,
        _ => return Err(Broken),
    })
}
