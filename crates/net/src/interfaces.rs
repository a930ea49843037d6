//! Which interfaces of this machine lead to other machines of a person, and which do not.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// How names of interfaces begin behind which no other machine of the local network stands, and what
/// they are.
const VIRTUAL: &[(&str, &str)] = &[
    ("docker", "a bridge of Docker"),
    ("veth", "a cable into a container"),
    ("podman", "a bridge of Podman"),
    ("cni", "a bridge of containers"),
    ("lxcbr", "a bridge of containers"),
    ("lxdbr", "a bridge of containers"),
    ("flannel", "a network of containers"),
    ("cali", "a cable into a container"),
    ("virbr", "a bridge of virtual machines"),
    ("vnet", "a cable into a virtual machine"),
    ("vmnet", "a bridge of virtual machines"),
    ("vboxnet", "a bridge of virtual machines"),
    ("tun", "a tunnel"),
    ("utun", "a tunnel"),
    ("tap", "a tunnel"),
    ("wg", "a tunnel of WireGuard"),
    ("tailscale", "a tunnel of Tailscale"),
    ("zt", "a network of ZeroTier"),
];

/// Why an interface is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// It leads back to this machine.
    #[error("it leads back to this machine")]
    Loopback,
    /// Its name says that it is made by a program.
    #[error("by its name it is {0}; `[gossip] interfaces` can name it")]
    Virtual(&'static str),
    /// Others were named.
    #[error("`[gossip] interfaces` names others")]
    NotNamed,
}

/// Which interfaces may be used for discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    named: Vec<String>,
}

/// An interface of this machine that has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Why it is left out, if it is.
    pub skipped: Option<Skipped>,
}

impl Interfaces {
    /// These and no others; without a name, all that lead to other machines.
    #[must_use]
    pub fn new(named: Vec<String>) -> Self {
        Self { named }
    }

    /// Why an interface is left out; `None` when it is used.
    #[must_use]
    pub fn skips(&self, name: &str, loopback: bool) -> Option<Skipped> {
        if !self.named.is_empty() {
            let named = self.named.iter().any(|one| one == name);
            return (!named).then_some(Skipped::NotNamed);
        }
        if loopback {
            return Some(Skipped::Loopback);
        }
        if name.strip_prefix("br-").is_some_and(is_network_of_docker) {
            return Some(Skipped::Virtual("a bridge of Docker"));
        }
        let kind = VIRTUAL.iter().find(|(start, _)| name.starts_with(start));
        kind.map(|(_, what)| Skipped::Virtual(what))
    }

    /// All interfaces that have an address now, by name.
    ///
    /// # Errors
    /// What the system says.
    pub fn here(&self) -> io::Result<Vec<Interface>> {
        let mut found: BTreeMap<String, Interface> = BTreeMap::new();
        for one in if_addrs::get_if_addrs()? {
            let skipped = self.skips(&one.name, one.is_loopback());
            let interface = found.entry(one.name.clone()).or_insert_with(|| Interface {
                name: one.name.clone(),
                addresses: Vec::new(),
                skipped,
            });
            interface.addresses.push(one.ip());
        }
        Ok(found.into_values().collect())
    }
}

/// Docker names a bridge by the beginning of its network's id; `br-lan` is a router's own.
fn is_network_of_docker(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_make_is_skipped_and_what_leads_out_is_not() {
        let usual = Interfaces::default();
        for name in [
            "docker0",
            "veth1a2b",
            "br-4f0c11d2e3a4",
            "podman1",
            "cni0",
            "lxdbr0",
            "virbr0",
            "vnet3",
            "tun0",
            "tap1",
            "wg0",
            "tailscale0",
            "ztabc",
        ] {
            assert!(matches!(usual.skips(name, false), Some(Skipped::Virtual(_))), "{name}");
        }
        for name in ["eth0", "enp3s0", "wlan0", "en0", "br0", "br-lan", "bond0", "end0"] {
            assert_eq!(usual.skips(name, false), None, "{name}");
        }
        assert_eq!(usual.skips("lo", true), Some(Skipped::Loopback));
    }

    #[test]
    fn the_document_tells_these_names() {
        let text = include_str!("../../../docs/gossip.md");
        assert!(VIRTUAL.iter().all(|(start, _)| text.contains(&format!("`{start}*`"))));
    }

    #[test]
    fn whoever_names_interfaces_gets_these_and_no_others() {
        let named = Interfaces::new(vec!["wg0".into(), "lo".into()]);
        assert_eq!(named.skips("wg0", false), None);
        assert_eq!(named.skips("lo", true), None);
        assert_eq!(named.skips("eth0", false), Some(Skipped::NotNamed));
    }

    #[test]
    fn this_machine_has_a_loopback_that_is_skipped() {
        let here = Interfaces::default().here().unwrap();
        let back = here.iter().find(|one| one.addresses.iter().any(IpAddr::is_loopback)).unwrap();
        assert_eq!(back.skipped, Some(Skipped::Loopback));
    }
}
