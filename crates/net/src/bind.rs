//! Taking a port: for packets and for streams, for both families of addresses where the system has
//! both.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, sockopt};

/// Connections that wait to be accepted, as the system keeps them.
const BACKLOG: i32 = 128;

/// Bytes of packets that the system keeps until they are read.
const RECEIVE_BYTES: usize = 4 << 20;

/// Why a port could not be taken. Nothing is held.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program, or another daemon of this one, has the port.
    #[error(
        "port {port} ({kind}) is taken by another program: stop it, or choose another port with `--port` or in `[gossip] port`"
    )]
    Taken {
        /// The port.
        port: u16,
        /// `UDP` or `TCP`.
        kind: &'static str,
    },
    /// The system refuses for another reason.
    #[error("cannot listen on {at} ({kind}): {source}")]
    System {
        /// The address asked for.
        at: SocketAddr,
        /// `UDP` or `TCP`.
        kind: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens for streams on every address of this machine; port 0 lets the system choose.
///
/// # Errors
/// `Taken` when another socket has the port, else what the system says.
pub fn listen(port: u16) -> Result<TcpListener, BindError> {
    everywhere(port, listen_at)
}

/// Listens for streams on one address, such as `127.0.0.1:0`.
///
/// # Errors
/// `Taken` when another socket has the port, else what the system says.
pub fn listen_at(at: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = open(SocketType::STREAM, at)?;
        // For TCP this lets a restarted daemon have its port back at once; two listeners still
        // exclude each other.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &at)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(socket)
    };
    open().map(TcpListener::from).map_err(|source| error("TCP", at, source))
}

/// Takes a port with `bind_at` for both families, or for IPv4 alone where there is no IPv6.
pub(crate) fn everywhere<S>(
    port: u16,
    bind_at: impl Fn(SocketAddr) -> Result<S, BindError>,
) -> Result<S, BindError> {
    match bind_at(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(BindError::System { .. }) => bind_at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        other => other,
    }
}

/// A UDP socket on `at`. `SO_REUSEADDR` stays unset: with it two daemons would share the port, and
/// each would miss the packets that the other gets.
pub(crate) fn packets_at(at: SocketAddr) -> Result<OwnedFd, BindError> {
    let open = || {
        let socket = open(SocketType::DGRAM, at)?;
        never_fragment(&socket, at)?;
        hold_more(&socket);
        bind(&socket, &at)?;
        Ok(socket)
    };
    open().map_err(|source| error("UDP", at, source))
}

/// Whether the programs that have a UDP port let others have it too. Nothing is held.
pub(crate) fn shares(at: SocketAddr) -> Result<(), BindError> {
    let open = || {
        let socket = open(SocketType::DGRAM, at)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &at)
    };
    open().map_err(|source| error("UDP", at, source))
}

fn error(kind: &'static str, at: SocketAddr, source: Errno) -> BindError {
    match source {
        Errno::ADDRINUSE => BindError::Taken { port: at.port(), kind },
        source => BindError::System { at, kind, source: source.into() },
    }
}

/// An unbound socket that programs started by this one do not inherit.
fn open(kind: SocketType, at: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if at.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    #[cfg(not(target_vendor = "apple"))]
    let socket = rustix::net::socket_with(family, kind, rustix::net::SocketFlags::CLOEXEC, None)?;
    #[cfg(target_vendor = "apple")]
    let socket = {
        let socket = rustix::net::socket(family, kind, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        socket
    };
    if at.is_ipv6() {
        // The system's default may be either.
        sockopt::set_ipv6_v6only(&socket, !at.ip().is_unspecified())?;
    }
    Ok(socket)
}

/// Room for what comes while the reader does not run: at the system's default a flood fills it within
/// a millisecond, and packets of peers are lost with the others. The system may give less.
fn hold_more(socket: &OwnedFd) {
    #[cfg(target_os = "linux")]
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BYTES).is_ok() {
        return;
    }
    let _ = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BYTES);
}

/// Sets "don't fragment" on all that leaves. `PROBE` and not `DO`: what ICMP says of the path is
/// not believed, since anybody can say it; packets are short enough for every path.
#[cfg(target_os = "linux")]
fn never_fragment(socket: &OwnedFd, at: SocketAddr) -> rustix::io::Result<()> {
    use sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    if at.is_ipv6() {
        sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
    }
    // On a socket for both families this one holds for the packets that leave by IPv4.
    sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)
}

/// Elsewhere the length of the packets alone keeps them whole.
#[cfg(not(target_os = "linux"))]
fn never_fragment(_socket: &OwnedFd, _at: SocketAddr) -> rustix::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_keeps_for_himself_is_not_shared() {
        let alone = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, alone.local_addr().unwrap().port()));
        assert!(matches!(shares(at), Err(BindError::Taken { .. })));
        drop(alone);
        shares(at).unwrap();
    }
}
