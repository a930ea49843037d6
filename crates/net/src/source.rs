//! Who stands behind an address, as far as limits care.

use std::net::IpAddr;

/// What one machine has to itself: an IPv4 address, or a network of IPv6, in which it may draw as
/// many addresses as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
    /// On one cable all machines share a network: only the lower half tells them apart.
    Link(u64),
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h] = ip.segments().map(u64::from);
                match ip.is_unicast_link_local() {
                    true => Self::Link(e << 48 | f << 32 | g << 16 | h),
                    false => Self::V6(a << 48 | b << 32 | c << 16 | d),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_source_and_neighbours_on_a_cable_are_several() {
        let source = |ip: &str| Source::from(ip.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("fe80::1"), source("fe80::2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
