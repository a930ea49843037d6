//! Nodes of the same cluster on the local network, by multicast DNS. Each tells its address and
//! listens for the others; nobody is trusted for what is told here: it gives addresses to knock at.
//!
//! Anybody on the local network can tell of any number of nodes. So only some are told on in a second,
//! and when more has to be kept than a network of people has to tell, all of it is forgotten, and
//! nothing is heard for a while.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mdns_sd::{
    DaemonEvent, HostnameResolutionEvent, IfKind, IfPredicate, MDNS_PORT, RecvTimeoutError,
    ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};

use crate::bind::shares;
use crate::sieve::{Bucket, Rate};
use crate::{BindError, Cluster, Interfaces, to_hex};

/// The kind of service.
const SERVICE: &str = "_cocli-gossip._udp.local.";
/// Version of the properties.
const VERSION: &str = "1";
/// Addresses that one service may have; a machine has few.
const ADDRESSES_MAX: usize = 16;
/// Longest name of a node.
const NODE_BYTES_MAX: usize = 64;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long a name may take to be answered.
const ANSWER: Duration = Duration::from_secs(2);
/// And how much longer its addresses of the other family.
const OTHER_FAMILY: Duration = Duration::from_millis(250);

/// What is told on: each new address costs a hello.
const TOLD: Rate = Rate::a_second(16, 256);
/// Records that are kept, and times at which something is to be done about them: a few for each name
/// on the local network. More is a flood.
const KEPT_MAX: i64 = 16_384;
/// From one look at them to the next.
const LOOK: Duration = Duration::from_secs(1);
/// How long nothing is heard after a flood.
const REST: Duration = Duration::from_secs(60);

/// Why there is no multicast DNS here.
#[derive(Debug, thiserror::Error)]
#[error("nodes on the local network are not looked for ({0}): name them in `[gossip] peers`")]
pub struct MdnsError(String);

impl From<mdns_sd::Error> for MdnsError {
    fn from(error: mdns_sd::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<BindError> for MdnsError {
    fn from(error: BindError) -> Self {
        Self(match error {
            BindError::Taken { port, kind } => {
                format!("another program keeps {kind} port {port} for itself")
            }
            BindError::System { .. } => error.to_string(),
        })
    }
}

/// What a node tells of itself.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The service's name, unlike that of any other home: letters, digits and hyphens.
    pub instance: String,
    /// The node.
    pub node: String,
    /// Its cluster.
    pub cluster: Cluster,
    /// Where it listens: one address, or all of this machine.
    pub listening: SocketAddr,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// A node of the cluster is there. Told again when its addresses change, with all of them.
    Found {
        /// The service's name.
        name: String,
        /// Which node it says to be.
        node: String,
        /// Where it says to listen.
        addresses: Vec<SocketAddr>,
    },
    /// It said goodbye, or has not been heard for long.
    Lost {
        /// The service's name.
        name: String,
    },
    /// Something does not work; what works goes on.
    Trouble(String),
}

/// Tells of this node and hears of others until `goodbye`.
pub struct Mdns {
    daemon: Shared,
    own: String,
    ipv6: bool,
    /// One name is asked for at a time: a second question for the same would end the first.
    asking: Mutex<()>,
}

/// The one that runs now; nothing after the goodbye.
type Shared = Arc<Mutex<Option<ServiceDaemon>>>;

impl std::fmt::Debug for Mdns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mdns").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Mdns {
    /// Begins to tell and to listen. `tell` is called from threads of its own, until it says that
    /// nobody listens any more (false).
    ///
    /// # Errors
    /// When the system gives no sockets, or the announcement breaks a rule of DNS.
    pub fn start(
        announcement: &Announcement,
        interfaces: Interfaces,
        tell: impl Fn(Sighting) -> bool + Clone + Send + 'static,
    ) -> Result<Self, MdnsError> {
        // The daemon below would go on without a socket, and say nothing.
        shares((Ipv4Addr::UNSPECIFIED, MDNS_PORT).into())?;
        let own = service(announcement)?.get_fullname().to_owned();
        let ipv6 = announcement.listening.is_ipv6();
        let (announcement, told) = (announcement.clone(), tell.clone());
        let begin = move || begin(&announcement, &interfaces, told.clone());
        let daemon = begin()?;
        let shared: Shared = Arc::new(Mutex::new(Some(daemon.clone())));
        let kept = Arc::clone(&shared);
        std::thread::spawn(move || keep(daemon, &kept, begin, &tell));
        Ok(Self { daemon: shared, own, ipv6, asking: Mutex::new(()) })
    }

    /// The addresses of a host whose name ends in `.local`; none when nobody answers within 2 s.
    /// It blocks that long: call it from a thread that may wait.
    #[must_use]
    pub fn resolve(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}.", host.trim_end_matches('.'));
        let millis = u64::try_from(ANSWER.as_millis()).ok();
        let Some(daemon) = running(&self.daemon).clone() else { return Vec::new() };
        let Ok(answers) = daemon.resolve_hostname(&name, millis) else { return Vec::new() };
        let (mut all, mut patience) = (HashSet::new(), ANSWER);
        while let Ok(event) = answers.recv_timeout(patience) {
            match event {
                HostnameResolutionEvent::AddressesFound(_, addresses) => {
                    all.extend(addresses);
                    patience = OTHER_FAMILY;
                }
                HostnameResolutionEvent::SearchTimeout(_)
                | HostnameResolutionEvent::SearchStopped(_) => break,
                _ => {}
            }
        }
        let _ = daemon.stop_resolve_hostname(&name);
        reachable(&all, port, self.ipv6)
    }

    /// Tells that this node goes, and ends. Waits for at most a second.
    pub fn goodbye(&self) {
        let Some(daemon) = running(&self.daemon).take() else { return };
        if let Ok(said) = daemon.unregister(&self.own) {
            let _ = said.recv_timeout(GOODBYE);
        }
        end(&daemon);
    }
}

fn running(shared: &Shared) -> MutexGuard<'_, Option<ServiceDaemon>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(daemon: &ServiceDaemon) {
    if let Ok(ended) = daemon.shutdown() {
        let _ = ended.recv_timeout(GOODBYE);
    }
}

/// One that tells and listens, and has nothing to remember yet.
fn begin(
    announcement: &Announcement,
    interfaces: &Interfaces,
    tell: impl Fn(Sighting) -> bool + Send + 'static,
) -> Result<ServiceDaemon, MdnsError> {
    let (daemon, interfaces) = (ServiceDaemon::new()?, interfaces.clone());
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(IfKind::Predicate(IfPredicate::new(move |one| {
        interfaces.skips(&one.name, one.is_loopback()).is_none()
    })))?;
    if !announcement.listening.is_ipv6() {
        // An IPv4 socket cannot be reached, and reaches nobody, by IPv6.
        daemon.disable_interface(IfKind::IPv6)?;
    }
    let service = service(announcement)?;
    browse(&daemon, announcement, service.get_fullname().to_owned(), tell)?;
    daemon.register(service)?;
    Ok(daemon)
}

/// Sees that what is kept stays little: after a flood it begins anew, when that has had time to end.
fn keep(
    mut daemon: ServiceDaemon,
    shared: &Shared,
    begin: impl Fn() -> Result<ServiceDaemon, MdnsError>,
    tell: &impl Fn(Sighting) -> bool,
) {
    while watch(&daemon, tell) == Watched::Flooded {
        end(&daemon);
        let s = REST.as_secs();
        let text = format!(
            "the local network tells of more names than are kept: nodes there are looked for again after {s} s"
        );
        if !tell(Sighting::Trouble(text)) {
            return;
        }
        daemon = loop {
            std::thread::park_timeout(REST);
            let mut running = running(shared);
            if running.is_none() {
                return;
            }
            if let Ok(fresh) = begin() {
                *running = Some(fresh.clone());
                break fresh;
            }
        };
    }
}

fn service(announcement: &Announcement) -> Result<ServiceInfo, MdnsError> {
    let at = announcement.listening;
    let addresses = if at.ip().is_unspecified() { Vec::new() } else { vec![at.ip()] };
    let service = ServiceInfo::new(
        SERVICE,
        &announcement.instance,
        // Not the machine's own name: another responder answers for that one, as a rule.
        &format!("{}.local.", announcement.instance),
        &addresses[..],
        at.port(),
        &properties(&announcement.node, &announcement.cluster)[..],
    )?;
    Ok(if addresses.is_empty() { service.enable_addr_auto() } else { service })
}

/// What stands in the service's TXT record.
fn properties(node: &str, cluster: &Cluster) -> [(&'static str, String); 3] {
    [("node_id", node.into()), ("v", VERSION.into()), ("cluster", to_hex(cluster))]
}

/// The node that a service tells; `None` when it is of another version or another cluster, or no
/// name of a node.
fn node_of<'t>(
    property: impl Fn(&'static str) -> Option<&'t str>,
    cluster: &Cluster,
) -> Option<String> {
    let node = property("node_id")?;
    let ours = property("v") == Some(VERSION)
        && property("cluster").is_some_and(|hex| hex.eq_ignore_ascii_case(&to_hex(cluster)));
    let named = (1..=NODE_BYTES_MAX).contains(&node.len());
    (ours && named && node.bytes().all(|b| b.is_ascii_graphic())).then(|| node.to_owned())
}

/// Listens for services in a thread of its own.
fn browse(
    daemon: &ServiceDaemon,
    announcement: &Announcement,
    own: String,
    tell: impl Fn(Sighting) -> bool + Send + 'static,
) -> Result<(), MdnsError> {
    let mut events = daemon.browse(SERVICE)?;
    let (daemon, cluster) = (daemon.clone(), announcement.cluster);
    let ipv6 = announcement.listening.is_ipv6();
    std::thread::spawn(move || {
        let (mut told, began) = (Bucket::default(), now());
        let mut may_tell = move || {
            let since = now().saturating_duration_since(began).as_nanos();
            told.take(u64::try_from(since).unwrap_or(u64::MAX / 2), TOLD)
        };
        loop {
            while let Ok(event) = events.recv() {
                let sighting = sighting(event, &own, &cluster, ipv6);
                if sighting.is_some_and(|sighting| may_tell() && !tell(sighting)) {
                    return;
                }
            }
            // Whoever reads too slowly is cut off; after an end there is nothing to browse.
            match daemon.browse(SERVICE) {
                Ok(again) => events = again,
                Err(_) => return,
            }
        }
    });
    Ok(())
}

fn sighting(event: ServiceEvent, own: &str, cluster: &Cluster, ipv6: bool) -> Option<Sighting> {
    match event {
        ServiceEvent::ServiceResolved(service) => {
            let mine = service.fullname.eq_ignore_ascii_case(own);
            let node = node_of(|key| service.get_property_val_str(key), cluster)?;
            (!mine).then(|| found(&service, node, ipv6))
        }
        ServiceEvent::ServiceRemoved(_, name) => Some(Sighting::Lost { name: short(&name) }),
        _ => None,
    }
}

fn found(service: &ResolvedService, node: String, ipv6: bool) -> Sighting {
    let addresses = reachable(&service.addresses, service.port, ipv6);
    Sighting::Found { name: short(&service.fullname), node, addresses }
}

/// The instance without the kind of service.
fn short(fullname: &str) -> String {
    fullname.strip_suffix(SERVICE).unwrap_or(fullname).trim_end_matches('.').to_owned()
}

/// Of what was told, the addresses that can lead to another machine, in a fixed order.
fn reachable<'a>(
    addresses: impl IntoIterator<Item = &'a ScopedIp>,
    port: u16,
    ipv6: bool,
) -> Vec<SocketAddr> {
    let address = |one: &ScopedIp| match one.to_ip_addr() {
        IpAddr::V4(ip) => Some(SocketAddr::from((ip, port))),
        IpAddr::V6(_) if !ipv6 => None,
        IpAddr::V6(ip) => {
            let ScopedIp::V6(scoped) = one else { return None };
            // A link-local address is of no use without its interface, and no other needs one.
            let scope = if ip.is_unicast_link_local() { scoped.scope_id().index } else { 0 };
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
    };
    let leads_out = |to: &SocketAddr| {
        let ip = to.ip();
        to.port() != 0 && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()
    };
    let mut found: Vec<SocketAddr> =
        addresses.into_iter().filter_map(address).filter(leads_out).collect();
    found.sort_unstable();
    found.dedup();
    // It means something on this cable alone, and is of no use to whom it is told.
    if found.iter().any(|to| !of_one_cable(to.ip())) {
        found.retain(|to| !of_one_cable(to.ip()));
    }
    found.truncate(ADDRESSES_MAX);
    found
}

fn of_one_cable(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// How a watch ended.
#[derive(Debug, PartialEq, Eq)]
enum Watched {
    /// More has to be kept than may be.
    Flooded,
    /// There is nothing to watch any more, or nobody to tell.
    Ended,
}

/// Tells what does not work, for as long as little has to be kept.
fn watch(daemon: &ServiceDaemon, tell: &impl Fn(Sighting) -> bool) -> Watched {
    let Ok(events) = daemon.monitor() else { return Watched::Ended };
    let mut look = now() + LOOK;
    loop {
        match events.recv_timeout(look.saturating_duration_since(now())) {
            Ok(DaemonEvent::Error(error)) => {
                if !tell(Sighting::Trouble(MdnsError::from(error).to_string())) {
                    return Watched::Ended;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Watched::Ended,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
        if now() >= look {
            if kept(daemon) > KEPT_MAX {
                return Watched::Flooded;
            }
            look = now() + LOOK;
        }
    }
}

/// How many records are kept, and times at which something is to be done about them.
fn kept(daemon: &ServiceDaemon) -> i64 {
    let metrics = daemon.get_metrics().ok().and_then(|told| told.recv_timeout(ANSWER).ok());
    let counts = |(what, _): &(String, i64)| what.starts_with("cached-") || what == "timer";
    metrics.into_iter().flatten().filter(counts).map(|(_, count)| count).sum()
}

#[expect(clippy::disallowed_methods, reason = "what is told on in a second is counted")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Cluster = [0xab; 16];

    fn read(properties: &[(&'static str, String)]) -> Option<String> {
        let property =
            |key| properties.iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_str());
        node_of(property, &OURS)
    }

    #[test]
    fn properties_read_back_in_their_own_cluster_alone() {
        assert_eq!(read(&properties("pi1", &OURS)).as_deref(), Some("pi1"));
        assert_eq!(read(&properties("pi1", &[0; 16])), None);
    }

    #[test]
    fn what_breaks_a_rule_is_nobody() {
        let whole = properties("pi1", &OURS);
        for missing in 0..whole.len() {
            let mut rest = whole.to_vec();
            rest.remove(missing);
            assert_eq!(read(&rest), None);
        }
        for (place, value) in
            [(0, String::new()), (0, "x".repeat(65)), (0, "a\u{1b}b".into()), (1, "2".into())]
        {
            let mut other = whole.clone();
            other[place].1 = value;
            assert_eq!(read(&other), None, "{other:?}");
        }
    }

    #[test]
    fn only_addresses_that_lead_to_another_machine_are_taken() {
        let told: Vec<ScopedIp> =
            ["10.0.0.7", "10.0.0.7", "127.0.0.1", "0.0.0.0", "224.0.0.251", "fd00::7", "::1"]
                .map(|text| ScopedIp::from(text.parse::<IpAddr>().unwrap()))
                .to_vec();
        let text = |found: Vec<SocketAddr>| -> Vec<String> {
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(text(reachable(&told, 9999, true)), ["10.0.0.7:9999", "[fd00::7]:9999"]);
        assert_eq!(text(reachable(&told, 9999, false)), ["10.0.0.7:9999"]);
        assert!(reachable(&told, 0, true).is_empty());
        let near = ScopedIp::from("fe80::7".parse::<IpAddr>().unwrap());
        assert_eq!(text(reachable([&near], 9999, true)), ["[fe80::7]:9999"]);
        assert_eq!(text(reachable([&near, &told[0]], 9999, true)), ["10.0.0.7:9999"]);
        let many: Vec<ScopedIp> =
            (1..100).map(|n| ScopedIp::from(IpAddr::from([10, 0, 0, n]))).collect();
        assert_eq!(reachable(&many, 9999, true).len(), ADDRESSES_MAX);
    }

    #[test]
    fn the_document_tells_what_a_flood_may_cost() {
        let text = include_str!("../../../docs/gossip.md").replace(',', "");
        let Rate { every, burst } = TOLD;
        let told =
            format!("{} services a second are told on ({burst} after", 1_000_000_000 / every);
        let kept = format!("more than {KEPT_MAX} records");
        let rest = format!("nothing is heard for {} s", REST.as_secs());
        assert!([told, kept, rest].iter().all(|words| text.contains(words)));
    }

    #[test]
    fn a_name_is_shown_without_its_kind() {
        assert_eq!(short("pi1-0a._cocli-gossip._udp.local."), "pi1-0a");
    }
}
