//! `host[:port]` as people write it, made into addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use crate::udp::plain;

/// Why a peer has no address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The text names no host and port.
    #[error("{peer:?} is no peer: expected {expected}")]
    Unreadable {
        /// The text as it came, cut to 80 characters.
        peer: String,
        /// What would have been taken.
        expected: &'static str,
    },
    /// The host's name leads nowhere now; it may later.
    #[error(
        "no address for {peer:?} ({said}): check the name and the network, or write an IP address"
    )]
    Unknown {
        /// The text as it came.
        peer: String,
        /// What the system said.
        said: String,
    },
}

/// The addresses of `host`, `host:port`, an IPv4 address, or an IPv6 address (in brackets when a
/// port follows), each once, in the system's order.
///
/// It may ask a name server and block for several seconds: call it from a thread that may wait.
///
/// # Errors
/// `Unreadable` for another text, `Unknown` when the system finds no address.
pub fn resolve(peer: &str, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let (host, port) = split(peer, default_port)?;
    let unknown = |said: String| ResolveError::Unknown { peer: peer.to_owned(), said };
    let found = (host, port).to_socket_addrs().map_err(|e| unknown(e.to_string()))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.map(plain) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(unknown("the name has none".into())) } else { Ok(addresses) }
}

/// The host and port of a peer whose name is one of multicast DNS.
#[must_use]
pub fn local_name(peer: &str, default_port: u16) -> Option<(&str, u16)> {
    let (host, port) = split(peer, default_port).ok()?;
    let ending = host.trim_end_matches('.').rsplit_once('.')?.1;
    ending.eq_ignore_ascii_case("local").then_some((host, port))
}

fn split(peer: &str, default_port: u16) -> Result<(&str, u16), ResolveError> {
    let refuse =
        |expected| ResolveError::Unreadable { peer: peer.chars().take(80).collect(), expected };
    let (host, port) = if let Some(rest) = peer.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or(refuse("`]` after the address, as in [fd00::1]:9999"))?;
        host.parse::<Ipv6Addr>().map_err(|_| refuse("an IPv6 address between `[` and `]`"))?;
        match after.strip_prefix(':') {
            None if !after.is_empty() => return Err(refuse("`:` and a port after `]`")),
            port => (host, port),
        }
    } else if peer.parse::<IpAddr>().is_ok() {
        (peer, None)
    } else {
        peer.split_once(':').map_or((peer, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(refuse("host or host:port, as in pi1.local:9999"));
    }
    let port = match port {
        None => default_port,
        Some(port) => port.parse().map_err(|_| refuse("a port from 1 to 65535 after `:`"))?,
    };
    if port == 0 {
        return Err(refuse("a port from 1 to 65535 after `:`"));
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_with_and_without_a_port() {
        for (peer, address) in [
            ("127.0.0.1", "127.0.0.1:9999"),
            ("127.0.0.1:1234", "127.0.0.1:1234"),
            ("::1", "[::1]:9999"),
            ("[::1]", "[::1]:9999"),
            ("[::1]:1234", "[::1]:1234"),
            ("[::ffff:10.0.0.7]:1234", "10.0.0.7:1234"),
        ] {
            assert_eq!(resolve(peer, 9999).unwrap(), [address.parse().unwrap()], "{peer}");
        }
    }

    #[test]
    fn a_name_leads_to_its_addresses_each_once() {
        let found = resolve("localhost:1234", 9999).unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 1234), "{found:?}");
        assert!((1..=2).contains(&found.len()), "{found:?}");
    }

    #[test]
    fn names_of_multicast_dns_end_in_local() {
        assert_eq!(local_name("pi1.Local:1", 9999), Some(("pi1.Local", 1)));
        assert_eq!(local_name("pi1.local.", 9999), Some(("pi1.local.", 9999)));
        for other in ["local", "pi1", "pi1.local.example", "10.0.0.1", "[::1]:1", "a b.local"] {
            assert_eq!(local_name(other, 9999), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_peer_is_refused_with_what_was_expected() {
        for bad in [
            "",
            ":9999",
            "pi1:",
            "pi1:x",
            "pi1:0",
            "pi1:65536",
            "pi1:9999:1",
            "[::1",
            "[pi1]:9",
            "[::1]9999",
            "a b",
            "http://pi1",
            "pi1\n",
        ] {
            let error = split(bad, 9999).unwrap_err().to_string();
            assert!(error.contains("expected"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_an_error_that_names_it() {
        // RFC 6761: `.invalid` never resolves.
        let error = resolve("nobody.invalid", 9999).unwrap_err();
        assert!(matches!(error, ResolveError::Unknown { .. }));
        assert!(error.to_string().contains("nobody.invalid"), "{error}");
    }
}
