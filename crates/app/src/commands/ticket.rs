//! `cocli ticket`: what another machine needs to join.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};

use cocli_net::{Key, PEERS_MAX, Ticket};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args;
use crate::door;
use crate::failure::{Exit, Failure, chain};
use crate::ring::Held;

/// Addresses of its own that a machine puts into a ticket.
const OWN_MAX: usize = 4;

pub(super) fn run(context: &Context, args: &args::Ticket) -> Result<(), Failure> {
    let home = context.home()?;
    let held = Held::of(&home)?;
    let mut peers = args.address.clone();
    if peers.is_empty() {
        let net = door::ask(&home, &json!({"verb": "net"}))?;
        peers.extend(net.as_ref().and_then(own).into_iter().flatten());
        peers.extend(home.config().gossip.peers.iter().cloned());
        // One that is left out is told of by those that are not.
        peers.truncate(PEERS_MAX);
    }
    let ticket = Ticket { cluster: home.cluster().0, key: key(&held).clone(), peers, bucket: None };
    let text = ticket.to_text().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    if context.screen.json {
        context.screen.object(&json!({"ticket": text.as_str()}));
        return Ok(());
    }
    context.screen.line(text.as_str());
    if std::io::stdout().is_terminal() {
        context.screen.note("whoever has this line is in: hand it over by a safe road");
        context.screen.note("there: `cocli init --join -`, then paste it");
        if ticket.peers.is_empty() {
            let how = "`cocli ticket` while `cocli daemon` runs here, or `--address HOST`";
            context.screen.note(format!("no address is in it: {how}, puts one in"));
        }
    }
    Ok(())
}

/// Where the daemon is reached: where it listens, or at the addresses of the interfaces that lead to other
/// machines.
fn own(net: &Json) -> Option<Vec<String>> {
    let listening: SocketAddr = net.get("listening")?.as_str()?.parse().ok()?;
    if !listening.ip().is_unspecified() {
        return Some(vec![listening.to_string()]);
    }
    let interfaces = net.get("interfaces")?.as_array()?.iter();
    let used = interfaces.filter(|one| one.get("skipped").is_none_or(Json::is_null));
    let texts = used.filter_map(|one| one.get("addresses")?.as_array()).flatten();
    let ips = texts.filter_map(|text| text.as_str()?.parse::<IpAddr>().ok());
    let leads_here = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
        IpAddr::V6(ip) => listening.is_ipv6() && !ip.is_unicast_link_local() && !ip.is_loopback(),
    };
    let mut ips: Vec<IpAddr> = ips.filter(leads_here).collect();
    ips.sort_unstable();
    ips.truncate(OWN_MAX);
    Some(ips.into_iter().map(|ip| SocketAddr::new(ip, listening.port()).to_string()).collect())
}

/// The key in use, or the one that takes its place: who joins with the old one would not be handed the new one.
fn key(held: &Held) -> &Key {
    let next = held.rekey.as_ref().map(|rekey| &rekey.key);
    next.filter(|key| held.awaits(key.id())).unwrap_or(held.ring.in_use())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(listening: &str) -> Vec<String> {
        let up = ["192.168.1.7", "fe80::7", "fd00::7", "169.254.1.1"];
        let net = json!({"listening": listening, "interfaces": [
            {"name": "docker0", "addresses": ["172.17.0.1"], "skipped": "a bridge of Docker"},
            {"name": "eth0", "addresses": up, "skipped": null},
        ]});
        own(&net).unwrap()
    }

    #[test]
    fn a_ticket_tells_the_addresses_that_lead_here_and_no_others() {
        assert_eq!(told("[::]:9999"), ["192.168.1.7:9999", "[fd00::7]:9999"]);
        assert_eq!(told("0.0.0.0:9998"), ["192.168.1.7:9998"]);
        assert_eq!(told("10.0.0.1:9999"), ["10.0.0.1:9999"]);
    }
}
