//! The socket for packets.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::net::SendFlags;

use crate::bind::{BindError, everywhere, packets_at};

/// The shortest time-out that is asked of the system; none at all would mean to wait for ever.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// A bound UDP socket. Threads may share it by reference: one receives, any send.
///
/// On a socket for both families the system writes IPv4 addresses as `::ffff:a.b.c.d`; here they
/// are always plain, so that one peer has one address.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    /// The time-out that was asked of the system last, in nanoseconds: it is asked once, and not for
    /// each packet of a flood.
    wait: AtomicU64,
}

impl Udp {
    /// Takes the port on every address of this machine; port 0 lets the system choose.
    ///
    /// # Errors
    /// `Taken` when another socket has the port, else what the system says.
    pub fn bind(port: u16) -> Result<Self, BindError> {
        everywhere(port, Self::bind_at)
    }

    /// Takes one address, such as `127.0.0.1:0`.
    ///
    /// # Errors
    /// `Taken` when another socket has the port, else what the system says.
    pub fn bind_at(at: SocketAddr) -> Result<Self, BindError> {
        let socket = UdpSocket::from(packets_at(at)?);
        let system = |source| BindError::System { at, kind: "UDP", source };
        let local = socket.local_addr().map_err(system)?;
        Ok(Self { socket, local, wait: AtomicU64::new(0) })
    }

    /// The address that was taken, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a packet for at most `wait`, and puts it at the start of `buffer`: how many bytes
    /// and from whom, or `None` when none came (also when a signal or an ICMP answer to an earlier
    /// packet ended the wait).
    ///
    /// A packet that is longer than `buffer` is cut without a word: give a byte more than you take.
    ///
    /// # Errors
    /// What the system says; the next call may work again (an interface that went away comes back).
    pub fn recv(
        &self,
        buffer: &mut [u8],
        wait: Duration,
    ) -> io::Result<Option<(usize, SocketAddr)>> {
        let wait = wait.max(WAIT_MIN);
        let nanoseconds = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        if self.wait.swap(nanoseconds, Ordering::Relaxed) != nanoseconds {
            self.socket.set_read_timeout(Some(wait))?;
        }
        match self.socket.recv_from(buffer) {
            Ok((bytes, from)) => Ok(Some((bytes, plain(from)))),
            Err(e) if nothing_came(e.kind()) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Sends one packet; never in fragments, and without waiting: a slow link would keep the packets of
    /// all other peers.
    ///
    /// # Errors
    /// What the system says: no room before a slow link (`WouldBlock`), no route, an interface too
    /// narrow for the packet (`EMSGSIZE`), or an IPv6 address where the socket has IPv4 alone. A packet
    /// that was sent may still be lost.
    pub fn send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        rustix::net::sendto(&self.socket, packet, SendFlags::DONTWAIT, &self.spelled(to))?;
        Ok(())
    }

    /// The address as this socket's family writes it.
    fn spelled(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(ip) if self.local.is_ipv6() => (ip.to_ipv6_mapped(), to.port()).into(),
            _ => to,
        }
    }
}

/// Sends one packet of another program's, in fragments where its path asks for them. It leaves from a
/// port of its own.
///
/// # Errors
/// What the system says. A packet that was sent may still be lost.
pub fn send_long(packet: &[u8], to: SocketAddr) -> io::Result<()> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))?.send_to(packet, to).map(|_| ())
}

/// An IPv4 address in its own form, whichever socket it came through.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => (ip, address.port()).into(),
        // Left whole: a link-local address is of no use without its scope.
        IpAddr::V6(_) => address,
    }
}

fn nothing_came(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(kind, WouldBlock | TimedOut | Interrupted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{listen_at, seal};

    const LONG: Duration = Duration::from_secs(10);

    fn loopback() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 0).into()
    }

    #[test]
    fn a_packet_arrives_whole_with_the_address_of_its_sender() {
        let (a, b) = (Udp::bind_at(loopback()).unwrap(), Udp::bind_at(loopback()).unwrap());
        a.send_to(&[7; seal::PACKET_MAX], b.local_addr()).unwrap();
        let mut buffer = [0; 2000];
        let came = b.recv(&mut buffer, LONG).unwrap();
        assert_eq!(came, Some((seal::PACKET_MAX, a.local_addr())));
        assert_eq!(b.recv(&mut buffer, Duration::ZERO).unwrap(), None);
    }

    #[test]
    fn one_socket_speaks_with_both_families_and_writes_ipv4_plainly() {
        let wide = Udp::bind(0).unwrap();
        let port = wide.local_addr().port();
        let mut buffer = [0; 8];
        let mut speak = |here: IpAddr| {
            let narrow = Udp::bind_at((here, 0).into()).unwrap();
            narrow.send_to(b"there", (here, port).into()).unwrap();
            let (_, from) = wide.recv(&mut buffer, LONG).unwrap().unwrap();
            assert_eq!(from, narrow.local_addr());
            wide.send_to(b"back", from).unwrap();
            let (bytes, from) = narrow.recv(&mut buffer, LONG).unwrap().unwrap();
            assert_eq!((&buffer[..bytes], from), (&b"back"[..], (here, port).into()));
        };
        speak(Ipv4Addr::LOCALHOST.into());
        if wide.local_addr().is_ipv6() {
            speak(Ipv6Addr::LOCALHOST.into());
        }
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_the_port_and_what_to_do() {
        let udp = Udp::bind(0).unwrap();
        let port = udp.local_addr().port();
        let listener = listen_at(loopback()).unwrap();
        let stream_port = listener.local_addr().unwrap().port();
        for (error, port) in [
            (Udp::bind(port).unwrap_err(), port),
            (Udp::bind_at((Ipv4Addr::LOCALHOST, port).into()).unwrap_err(), port),
            (crate::listen(stream_port).unwrap_err(), stream_port),
        ] {
            assert!(matches!(error, BindError::Taken { port: taken, .. } if taken == port));
            let message = error.to_string();
            assert!(message.contains(&port.to_string()) && message.contains("--port"), "{message}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_that_names_it() {
        // 192.0.2.0/24 is for documentation: no machine has it.
        let error = Udp::bind_at("192.0.2.1:9999".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1:9999"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn packets_leave_with_fragments_forbidden() {
        use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
        for udp in [Udp::bind(0).unwrap(), Udp::bind_at(loopback()).unwrap()] {
            let v4 = sockopt::ip_mtu_discover(&udp.socket).unwrap();
            assert_eq!(v4.as_raw(), Ipv4PathMtuDiscovery::PROBE.as_raw());
            if udp.local_addr().is_ipv6() {
                let v6 = sockopt::ipv6_mtu_discover(&udp.socket).unwrap();
                assert_eq!(v6.as_raw(), Ipv6PathMtuDiscovery::PROBE.as_raw());
            }
            assert!(!sockopt::socket_reuseaddr(&udp.socket).unwrap());
        }
    }
}
