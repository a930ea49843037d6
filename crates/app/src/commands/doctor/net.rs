//! `cocli doctor net`: where addresses of peers come from, who answers there, which interfaces are
//! used, who has the port, and what may stand in between.

use std::net::SocketAddr;

use cocli_net::{BindError, Udp, listen};
use cocli_node::{Home, Problem};
use serde_json::{Value as Json, json};

use super::Context;
use crate::daemon::{Layer, PORT, interfaces};
use crate::door;
use crate::failure::Failure;
use crate::problems::Need;
use crate::render::{Screen, Tone};

/// Everything that is shown.
struct Net {
    port: u16,
    /// Why the port cannot be had; `None` when it is free, or the daemon's.
    taken: Option<String>,
    /// The daemon's own answer.
    daemon: Option<Json>,
    interfaces: Vec<Json>,
    /// Where addresses would come from: layer and name.
    sources: Vec<(Layer, String)>,
    damage: Vec<Need>,
}

pub(super) fn run(context: &Context, home: &Home) -> Result<(), Failure> {
    let net = Net::look(home)?;
    let findings = net.findings();
    if context.screen.json {
        context.screen.object(&net.json(&findings));
    } else {
        net.draw(context.screen);
        for finding in &findings {
            let found = context.screen.paint(Tone::Bad, "found");
            let name = context.screen.paint(Tone::Faint, &format!("[{}]", finding.problem));
            context.screen.line(format!("{found}  {} {name}", context.screen.safe(&finding.said)));
        }
        context.screen.line(net.hidden());
    }
    match findings.len() {
        0 => Ok(()),
        n => Err(super::found(n)),
    }
}

impl Net {
    fn look(home: &Home) -> Result<Self, Failure> {
        let gossip = &home.config().gossip;
        let daemon = door::ask(home, &json!({"verb": "net"}))?;
        let listening = daemon.as_ref().and_then(|d| d.get("listening")).and_then(Json::as_str);
        let listening = listening.and_then(|at| at.parse::<SocketAddr>().ok());
        let port = listening.map_or(gossip.port.unwrap_or(PORT), |at| at.port());
        let taken = if daemon.is_some() { None } else { bound(port).err().map(|e| e.to_string()) };
        let unreadable = |failure| Need::new(Problem::KeysUnreadable, Failure::whole(failure));
        let mut damage: Vec<Need> =
            crate::ring::of(home).err().map(unreadable).into_iter().collect();
        let known = home.remembered().unwrap_or_else(|error| {
            damage.push(Need::new(Problem::AddressesUnreadable, error.to_string()));
            Vec::new()
        });
        let (hosts, told) = home.campaign_hosts();
        damage.extend(told.into_iter().map(|said| Need::new(Problem::CampaignUnreadable, said)));
        let remembered = known.iter().map(|one| format!("{} at {}", one.node, one.address));
        let sources = (gossip.peers.iter().map(|name| (Layer::Configured, name.clone())))
            .chain(remembered.map(|name| (Layer::Remembered, name)))
            .chain(hosts.into_iter().map(|name| (Layer::Campaign, name)))
            .chain(gossip.fallback.iter().map(|name| (Layer::Fallback, name.clone())))
            .collect();
        let told = daemon.as_ref().and_then(|d| d.get("interfaces")).and_then(Json::as_array);
        let interfaces = told.cloned().unwrap_or_else(|| interfaces(home));
        Ok(Self { port, taken, daemon, interfaces, sources, damage })
    }

    fn entries(&self, key: &str) -> &[Json] {
        let list = self.daemon.as_ref().and_then(|daemon| daemon.get(key)).and_then(Json::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// Whether an address is one of this very daemon.
    fn is_own(&self, entry: &Json) -> bool {
        let at = text(entry, "address").parse::<SocketAddr>();
        at.is_ok_and(|at| {
            let here = self.interfaces.iter().flat_map(addresses);
            at.port() == self.port && here.into_iter().any(|ip| ip == at.ip().to_string())
        })
    }

    fn findings(&self) -> Vec<Need> {
        let taken = self.taken.iter().map(|why| Need::new(Problem::PortTaken, why));
        let mut findings: Vec<Need> = taken.chain(self.damage.iter().cloned()).collect();
        let others: Vec<&Json> =
            self.entries("addresses").iter().filter(|entry| !self.is_own(entry)).collect();
        if !others.is_empty() && !others.iter().any(|entry| is_live(entry)) {
            findings.push(Need::new(
                Problem::NobodyAnswers,
                "of all addresses that are known, nobody answers",
            ));
        }
        findings
    }

    fn json(&self, findings: &[Need]) -> Json {
        let sources =
            self.sources.iter().map(|(layer, name)| json!({"layer": layer.name(), "name": name}));
        json!({
            "port": self.port, "port_taken": self.taken, "daemon": self.daemon,
            "interfaces": self.interfaces, "sources": sources.collect::<Vec<_>>(),
            "findings": findings.iter().map(Need::object).collect::<Vec<_>>(), "hidden": self.hidden(),
        })
    }

    fn draw(&self, screen: Screen) {
        let faint = |word: &str| screen.paint(Tone::Faint, &format!("{word:<11}"));
        let port = match (&self.daemon, &self.taken) {
            (Some(_), _) => "the daemon has it, for packets and streams",
            (None, Some(_)) => "cannot be had",
            (None, None) => "is free; no daemon runs (`cocli daemon`)",
        };
        screen.line(format!("{} {} {port}", faint("port"), self.port));
        let mdns = self.daemon.as_ref().and_then(|daemon| daemon.get("mdns"));
        let runs = mdns.and_then(|mdns| mdns.get("runs")).and_then(Json::as_bool).unwrap_or(false);
        let free = if runs { "used" } else { "would be used" };
        for one in &self.interfaces {
            let why = one.get("skipped").and_then(Json::as_str);
            let used = why.map_or(free.into(), |why| format!("skipped: {why}"));
            let (name, at) = (screen.safe(text(one, "name")), addresses(one).join(" "));
            screen.line(format!("{} {name}  {at}  {used}", faint("interface")));
        }
        if let Some(mdns) = mdns {
            let why = mdns.get("why_not").and_then(Json::as_str);
            let state = why.map_or("tells and listens".into(), |why| format!("off: {why}"));
            screen.line(format!("{} {state}", faint("mdns")));
        }
        for entry in self.entries("addresses") {
            screen.line(format!("{} {}", faint("address"), self.address(screen, entry)));
        }
        for entry in self.entries("nowhere") {
            let (layer, why) = (text(entry, "layer"), screen.safe(text(entry, "why")));
            screen.line(format!("{} {layer}: {why}", faint("nowhere")));
        }
        for (layer, name) in
            self.sources.iter().filter(|(layer, name)| !self.is_asked(*layer, name))
        {
            let waits = *layer == Layer::Fallback;
            let when = if waits { "  (when nobody else answers for 30 s)" } else { "" };
            let name = screen.safe(name);
            screen.line(format!("{} {}: {name}{when}", faint("would ask"), layer.name()));
        }
    }

    /// Whether the daemon has asked for a name already; of fallbacks it may not have.
    fn is_asked(&self, layer: Layer, name: &str) -> bool {
        let asked = self.entries("addresses").iter().filter_map(|entry| entry.get("from"));
        let mut asked = asked.filter_map(Json::as_array).flatten().chain(self.entries("nowhere"));
        let is = |one: &Json| text(one, "layer") == layer.name() && text(one, "name") == name;
        self.daemon.is_some() && (layer != Layer::Fallback || asked.any(is))
    }

    /// One address: who is there, and by whom it is known.
    fn address(&self, screen: Screen, entry: &Json) -> String {
        let node = entry.get("node").and_then(Json::as_str).map(|node| screen.safe(node));
        let who = match node {
            _ if self.is_own(entry) => "this node".to_string(),
            Some(node) if is_live(entry) => {
                format!("{node} {}", screen.paint(Tone::Good, "answers"))
            }
            Some(node) => format!("{node} {}", screen.paint(Tone::Bad, "is silent")),
            None => screen.paint(Tone::Warn, "nobody answers"),
        };
        let from = entry.get("from").and_then(Json::as_array).into_iter().flatten();
        let from: Vec<String> = from
            .map(|source| {
                format!("{} {}", text(source, "layer"), screen.safe(text(source, "name")))
            })
            .collect();
        let from = if from.is_empty() { "it came to us".into() } else { from.join(", ") };
        format!("{}  {who}  ({from})", text(entry, "address"))
    }

    /// What no program on this machine can see.
    fn hidden(&self) -> String {
        format!(
            "A firewall on the way hides nodes unless it lets UDP and TCP {} in and out, and for mDNS UDP \
             5353 (224.0.0.251, ff02::fb). Into a container behind a Docker bridge mDNS does not come: \
             give it the network of the host, or name a peer in `[gossip] peers`.",
            self.port
        )
    }
}

/// Takes the port as a daemon would, and gives it back.
fn bound(port: u16) -> Result<(), BindError> {
    listen(port)?;
    Udp::bind(port).map(|_| ())
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or("?")
}

/// The addresses of an interface.
fn addresses(interface: &Json) -> Vec<&str> {
    let list = interface.get("addresses").and_then(Json::as_array).into_iter().flatten();
    list.filter_map(Json::as_str).collect()
}

fn is_live(entry: &Json) -> bool {
    entry.get("live").and_then(Json::as_bool).unwrap_or(false)
}
