//! The loop: one event in, one step of the replica, its outputs carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cocli_core::frame::Boot;
use cocli_core::gossip::stream::sums;
use cocli_core::gossip::{PeerStatus, Standing, Status};
use cocli_core::{Head, LogId, NodeId};
use cocli_net::{BindError, Identity, Interfaces, Udp, listen, listen_at, seal};
use cocli_node::replica::{Born, Input, Output, Part, Replica};
use cocli_node::{Home, Kept, LetGo};
use serde_json::{Value as Json, json};

use super::alive::Alive;
use super::bucket::{self, Courier, Told};
use super::calls::{self, Answered, Call, Side};
use super::changes::Changes;
use super::cluster::Watched;
use super::discovery::{Discovery, Layer};
use super::follow::Followers;
use super::gateway::Gateways;
use super::handover::{self, Post};
use super::keys::Keys;
use super::notes::{Log, Notes, Up};
use super::supervisor::Supervisor;
use super::touched::Touched;
use super::udp::Traffic;
use super::writer::Jobs;
use super::{
    CardEvent, Event, cards, condition, doors, files, keeper, nearby, sameness, scrub, udp, writer,
};
use crate::clock;
use crate::door;
use crate::dump;
use crate::failure::{Exit, Failure, chain};
use crate::render::Screen;
use crate::ring::Held;

/// Journals are looked at this often: watching and waking are hints.
const RESCAN: Duration = Duration::from_secs(5);
/// A journal that changed is looked at after this: its writer has said so by the door before, as a
/// rule, and every commit of our own shows here too.
const SETTLED: Duration = Duration::from_millis(200);
/// Old history is let go this often.
const LETTING_GO: Duration = Duration::from_secs(300);
/// While a new key is handed on, it is told this often who is live.
const HANDED_ON: Duration = Duration::from_millis(500);
/// UDP and TCP port when nobody says another.
pub(crate) const PORT: u16 = 9999;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// `None` for all addresses.
    pub(crate) bind: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) peers: Vec<String>,
    /// Peers to ask while nobody else answers.
    pub(crate) fallback: Vec<String>,
    /// Where to look for nodes on the local network, if at all.
    pub(crate) nearby: Option<Interfaces>,
    /// Seconds from one upload to the bucket, or look at it, to the next.
    pub(crate) bucket_interval: Option<u64>,
    /// How notes are written.
    pub(crate) log: Log,
}

impl Options {
    pub(crate) fn new(
        home: &Home,
        bind: Option<IpAddr>,
        port: Option<u16>,
        peers: &[String],
    ) -> Self {
        let gossip = &home.config().gossip;
        Self {
            bind,
            port: port.or(gossip.port).unwrap_or(PORT),
            peers: gossip.peers.iter().chain(peers).cloned().collect(),
            fallback: gossip.fallback.clone(),
            nearby: (gossip.mdns != Some(false))
                .then(|| Interfaces::new(gossip.interfaces.clone())),
            bucket_interval: None,
            log: Log::default(),
        }
    }
}

/// A command at the door that waits for something.
#[derive(Debug)]
struct Waiter {
    answer: Sender<Json>,
    until: Instant,
    /// A place of a log to be held here, for `reach`; else a wait of the replica.
    reach: Option<(LogId, u64)>,
}

struct Wiring {
    home: Home,
    replica: Replica,
    began: Instant,
    udp: Arc<Udp>,
    side: Arc<Side>,
    events: Sender<Event>,
    jobs: Jobs,
    keeper: Sender<(u64, Part)>,
    /// Goes to the bucket, where there is one.
    courier: Option<Courier>,
    /// Everything is read through once a day, as long as it lives.
    _scrub: Sender<()>,
    cards: Sender<CardEvent>,
    touched: Touched,
    calls: BTreeMap<u64, Call>,
    questions: BTreeMap<u64, Sender<Answered>>,
    waiters: BTreeMap<u64, Waiter>,
    next_id: u64,
    traffic: Arc<Traffic>,
    listening: SocketAddr,
    discovery: Discovery,
    python: Gateways,
    post: Post,
    followers: Followers,
    watched: Watched,
    /// When the thread that hands keys on is told who is live.
    hand_on: Instant,
    /// Where nodes live that are left out.
    shunned: BTreeSet<SocketAddr>,
    notes: Notes,
    up: Up,
    /// When journals are looked at next.
    rescan: Instant,
    /// When it is looked whether history may go, and whether others were asked what they hold.
    letting_go: Instant,
    asked: bool,
    /// What the last look came to.
    let_go: Option<LetGo>,
    /// Who started the process, and wants to hear that the loop lives.
    supervisor: Supervisor,
    stop: bool,
    /// A thread ended that had to live.
    died: Option<&'static str>,
    /// Watches as long as it lives.
    _watch: Option<files::Watch>,
}

/// Runs until somebody asks it to stop.
///
/// # Errors
/// When a port or the door is taken, or the home does not open.
pub(crate) fn run(
    home: &Home,
    held: Held,
    identity: Identity,
    options: &Options,
    screen: Screen,
) -> Result<(), Failure> {
    let (mut wiring, queue, door) = open(home, held, identity, options)?;
    let stop = wiring.events.clone();
    ctrlc::set_handler(move || drop(stop.send(Event::Stop)))
        .map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    let listening = wiring.listening.to_string();
    match screen.json {
        true => screen.object(&json!({"node": home.node().as_str(), "listening": listening})),
        false => screen.line(format!("{} listens at {listening} (Ctrl-C ends it)", home.node())),
    }
    dump::on_signal(home.again()?)?;
    wiring.supervisor.ready(&format!("{} listens at {listening}", home.node()));
    wiring.serve(&queue);
    drop(door);
    wiring.notes.end();
    wiring.end()?;
    if !screen.json {
        screen.line(format!("{} ended; all that it was told is on the disk", home.node()));
    }
    Ok(())
}

/// Takes the door and the ports and starts the threads.
fn open(
    home: &Home,
    held: Held,
    identity: Identity,
    options: &Options,
) -> Result<(Wiring, Receiver<Event>, doors::Door), Failure> {
    let (events, queue) = channel();
    let door = doors::listen(home, events.clone())?;
    let (socket, listener, listening) = bind(options.bind, options.port)?;
    let cluster = home.cluster().0;
    let keys = Keys::new(held);
    let side = Arc::new(Side { keys: keys.clone(), cluster, identity });
    let born = Born { boot: Boot(u64::from_be_bytes(clock::random())), seed: clock::random() };
    let replica = home.replica(born)?;
    let traffic = Arc::new(Traffic::default());
    let python = Gateways::start(home, &socket, &events);
    let heard = (Arc::clone(&traffic), python.clone());
    let (post, words) = handover::post();
    let hears = (keys, post.clone());
    udp::listen(Arc::clone(&socket), hears, cluster, heard.0, heard.1, events.clone());
    calls::listen(listener, Arc::clone(&side), post.clone(), events.clone());
    let hands = (post.clone(), words);
    handover::start(home.again()?, Arc::clone(&side), Arc::clone(&socket), hands, events.clone());
    let jobs = writer::start(home.writer(), events.clone());
    let scrub = scrub::start(home.again()?, events.clone());
    let keeper = keeper::start(home.keeper(), events.clone());
    let notes = Notes::start(options.log);
    let way = Alive::through("the thread that keeps the cards", &events);
    let (cards, changes, touched) = cards::start(home.again()?, way, notes.clone());
    let watch = watch(home, events.clone(), changes, &notes);
    let discovery = Discovery::begin(home, options, listening, &events)?;
    let wiring = Wiring {
        home: home.again()?,
        replica,
        began: clock::monotonic(),
        udp: socket,
        side,
        courier: bucket::start(home.again()?, options.bucket_interval, &events),
        watched: Watched::new(condition::start(home.again()?, touched.clone(), events.clone())),
        events,
        jobs,
        keeper,
        _scrub: scrub,
        cards,
        touched,
        calls: BTreeMap::new(),
        questions: BTreeMap::new(),
        waiters: BTreeMap::new(),
        next_id: 0,
        traffic,
        listening,
        discovery,
        python,
        post,
        followers: Followers::default(),
        hand_on: clock::monotonic(),
        shunned: BTreeSet::new(),
        notes,
        up: Up::default(),
        rescan: clock::monotonic() + RESCAN,
        letting_go: clock::monotonic() + RESCAN,
        asked: false,
        let_go: None,
        supervisor: Supervisor::new(clock::monotonic()),
        stop: false,
        died: None,
        _watch: watch,
    };
    Ok((wiring, queue, door))
}

fn watch(
    home: &Home,
    events: Sender<Event>,
    changes: Changes,
    notes: &Notes,
) -> Option<files::Watch> {
    let watch = files::watch(home.path(), events, changes);
    if watch.is_none() {
        notes.warn("files cannot be watched here: changes are seen by the rescan");
    }
    watch
}

/// The same port for packets and streams.
fn bind(
    ip: Option<IpAddr>,
    port: u16,
) -> Result<(Arc<Udp>, std::net::TcpListener, SocketAddr), Failure> {
    let taken = |error: cocli_net::BindError| {
        let hint = match error {
            BindError::Taken { .. } => "`cocli daemon --port N` takes another",
            BindError::System { .. } => "`cocli doctor net` shows the addresses of this machine",
        };
        Failure::new(Exit::Failed, chain(&error)).hint(hint)
    };
    let listener = ip.map_or_else(|| listen(port), |ip| listen_at((ip, port).into()));
    let listener = listener.map_err(taken)?;
    let listening = listener.local_addr()?;
    let socket = Udp::bind_at(listening).map_err(taken)?;
    Ok((Arc::new(socket), listener, listening))
}

impl Wiring {
    fn now(&self) -> u64 {
        clock::micros_since(self.began)
    }

    fn serve(&mut self, queue: &Receiver<Event>) {
        while !self.stop && self.died.is_none() {
            let now = clock::monotonic();
            if now >= self.rescan {
                self.rescan = now + RESCAN;
                self.step(Input::Rescan);
                self.let_go(now);
                let asked = clock::monotonic();
                let status = self.replica.status();
                self.traffic.expected.learn(&status, asked);
                self.discovery.look(&status.peers, &self.events);
                self.shun(&status.peers);
                self.tell_courier(&status.peers);
                self.up.look(&status.peers);
                self.look_at_cluster(&status);
            } else if self.watched.due().is_some_and(|due| now >= due) {
                self.look_at_cluster(&self.replica.status());
            }
            self.supervisor.alive(now);
            let hand_on = self.hand_on(now);
            let deadline = self.began + Duration::from_micros(self.replica.deadline());
            let waiter = self.waiters.values().map(|waiter| waiter.until).min();
            let next = waiter.into_iter().chain([deadline]).chain(hand_on);
            let next = next.chain(self.watched.due()).chain(self.supervisor.due());
            let next = next.fold(self.rescan, Instant::min);
            match queue.recv_timeout(next.saturating_duration_since(now)) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => self.step(Input::Tick),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.traffic.expected.look(|| self.replica.status());
            self.give_up_waiting();
        }
        self.supervisor.stopping();
        if let Some(end) = self.watched.end() {
            self.step(Input::Woken { log: end.log, position: end.head.position });
        }
        self.step(Input::Leave);
        let _ = self.cards.send(CardEvent::Stop);
        self.discovery.look(&self.replica.status().peers, &self.events);
        self.discovery.end();
    }

    /// How the daemon ended. What is written is whole: a start goes on from there.
    fn end(&self) -> Result<(), Failure> {
        match self.died {
            None => Ok(()),
            Some(what) => Err(Failure::new(Exit::Failed, format!("{what} died: the daemon ends"))
                .hint("`cocli daemon` starts it again; nothing that was written is lost")),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Packet { from, bytes } => {
                self.traffic.taken();
                self.python.sealed(from);
                self.step(Input::Packet { from, bytes });
                self.traffic.expected.came(from);
            }
            Event::Question { bytes, answer } if bytes.first() == Some(&sums::KIND) => {
                self.watched.ask(bytes, answer);
            }
            Event::Question { bytes, answer } => {
                let stream = self.id();
                self.questions.insert(stream, answer);
                self.step(Input::Question { stream, bytes });
            }
            Event::Coming { call } => self.step(Input::Coming { call }),
            Event::Answer { call, bytes: Some(bytes) } => self.step(Input::Answer { call, bytes }),
            Event::Answer { call, bytes: None } => {
                if self.calls.remove(&call).is_some() {
                    self.step(Input::CallFailed { call });
                }
            }
            Event::Door { request, answer } => self.door(&request, answer),
            Event::Follow { feed, from } => {
                if from.send(self.replica.vector().clone()).is_ok() {
                    self.followers.add(feed);
                }
            }
            Event::Done(done) => self.step(Input::Done(*done)),
            Event::Kept { call, came } => self.step(Input::Kept { call, came }),
            Event::Edited(end) => {
                self.step(Input::Woken { log: end.log, position: end.head.position });
            }
            Event::StateLost => self.step(Input::StateLost),
            Event::Joined => self.step(Input::Joined),
            Event::LetGo(let_go) => self.let_go = Some(let_go),
            Event::Journals => self.rescan = self.rescan.min(clock::monotonic() + SETTLED),
            Event::Found { layer: Layer::Python, name, addresses } => {
                self.discovery.found(Layer::Python, name.clone(), &[]);
                self.python.found(name, addresses);
            }
            Event::Found { layer, name, addresses } => {
                self.discovery.found(layer, name, &addresses);
                self.step(match layer.is_named() {
                    true => Input::Candidates(addresses),
                    false => Input::Hints(addresses),
                });
                self.traffic.expected.doubt();
            }
            Event::Nowhere { layer, name, why } => {
                if self.discovery.nowhere(layer, name, &why) {
                    self.notes.warn(why);
                }
            }
            Event::Lost { name } => self.discovery.lost(name),
            Event::Condition { condition, vector, soon } => {
                self.watched.mine((*condition).clone(), vector);
                self.step(Input::Condition { condition, soon });
            }
            Event::Nodes(kept) => self.watched.nodes(kept),
            Event::Compared { node, of, compared } => {
                self.watched.comparisons.came(&node, of, compared);
            }
            Event::Rekeyed => self.rekeyed(),
            Event::Notice(text) => self.notes.tell(text),
            Event::Died(what) => self.died = Some(what),
            Event::Stop => self.stop = true,
        }
    }

    /// Now and then, where history has a budget: asks who holds what, and with the next look lets go.
    fn let_go(&mut self, now: Instant) {
        if self.home.config().archive.budget.is_none() {
            return;
        }
        if std::mem::take(&mut self.asked) {
            let _ = self.cards.send(CardEvent::Trim(self.replica.holdings()));
        } else if now >= self.letting_go {
            (self.asked, self.letting_go) = (true, now + LETTING_GO);
            let logs = self.replica.vector().0.keys().cloned().collect();
            self.step(Input::AskBases(logs));
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.now();
        self.replica.set_wall(now, clock::now());
        for output in self.replica.step(now, input) {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, .. } if self.python.is_at(&to) || self.shunned.contains(&to) => {}
            Output::Send { to, bytes } => {
                let mut packet = Vec::new();
                if seal(&self.side.keys.now().ring, &self.side.cluster, &bytes, &mut packet).is_ok()
                {
                    // A packet that cannot be sent is a packet that is lost: repair heals it.
                    let _ = self.udp.send_to(&packet, to);
                }
            }
            Output::Job(job) => self.jobs.give(job),
            Output::Keep { call, part } => drop(self.keeper.send((call, part))),
            Output::Ask { call, to, bytes } => {
                let (side, events) = (&self.side, &self.events);
                self.calls
                    .entry(call)
                    .or_insert_with(|| calls::call(call, to, Arc::clone(side), events.clone()))
                    .ask(bytes);
            }
            Output::Hang { call } => drop(self.calls.remove(&call)),
            Output::Answer { stream, bytes, next } => {
                if let Some(answer) = self.questions.remove(&stream) {
                    let _ = answer.send(Answered { bytes, next });
                }
            }
            Output::Waited { id, nodes } => {
                if let Some(waiter) = self.waiters.remove(&id) {
                    let nodes: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
                    let _ = waiter.answer.send(json!({ "nodes": nodes }));
                }
            }
            Output::Advanced { log, head } => self.advanced(log, head),
            Output::NewEpoch { log } => {
                self.notes.tell(format!("this node writes to a new log from now on: {log}"));
            }
            Output::Join => drop(self.cards.send(CardEvent::Join)),
            Output::Notice(text) => self.notes.tell(text),
        }
    }

    fn advanced(&mut self, log: LogId, head: Head) {
        let reached = |waiter: &Waiter| {
            waiter.reach.as_ref().is_some_and(|(l, p)| *l == log && *p <= head.position)
        };
        let done: Vec<u64> =
            self.waiters.iter().filter(|(_, w)| reached(w)).map(|(id, _)| *id).collect();
        for id in done {
            if let Some(waiter) = self.waiters.remove(&id) {
                let _ = waiter.answer.send(json!({"reached": true}));
            }
        }
        self.python.advanced(&log, head);
        self.followers.advanced(&log, head.position);
        self.watched.advanced(&log);
        if let Some(courier) = &self.courier {
            courier.tell(Told::Grown);
        }
        let _ = self.cards.send(CardEvent::Advanced { log, head });
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn door(&mut self, request: &Json, answer: Sender<Json>) {
        let text = |key: &str| request.get(key).and_then(Json::as_str).unwrap_or_default();
        let number = |key: &str| request.get(key).and_then(Json::as_u64).unwrap_or_default();
        let log = LogId::read(text("log"));
        let position = number("position");
        tracing::debug!(target: "cocli", verb = text("verb"), "asked at the door");
        match (text("verb"), log) {
            ("status", _) => drop(answer.send(self.status())),
            ("cluster", _) => drop(answer.send(self.cluster())),
            ("net", _) => drop(answer.send(self.net())),
            ("vector", _) => drop(answer.send(self.vector())),
            ("stop", _) => {
                self.stop = true;
                let _ = answer.send(json!({}));
            }
            ("keys", _) => drop(answer.send(self.take_up_keys())),
            (door::WAKE, Ok(log)) => {
                let _ = answer.send(json!({}));
                self.step(Input::Woken { log, position });
            }
            ("wait", Ok(log)) => {
                let nodes = usize::try_from(number("nodes")).unwrap_or(usize::MAX);
                let id = self.waiter(answer, number("timeout_ms"), None);
                self.step(Input::Woken { log: log.clone(), position });
                self.step(Input::Wait { id, log, position, nodes });
            }
            ("reach", Ok(log)) if self.replica.vector().position(&log) >= position => {
                let _ = answer.send(json!({"reached": true}));
            }
            ("reach", Ok(log)) => {
                self.waiter(answer, number("timeout_ms"), Some((log, position)));
            }
            (verb, _) => drop(answer.send(json!({"error": format!("no such request: {verb:?}")}))),
        }
    }

    /// `cocli key` or `cocli node rm` changed the files.
    fn take_up_keys(&mut self) -> Json {
        match self.side.keys.take_up(&self.home) {
            Ok(_) => {
                self.rekeyed();
                json!({})
            }
            Err(failure) => json!({"error": failure.to_string()}),
        }
    }

    fn rekeyed(&mut self) {
        self.traffic.strangers.known(&self.side.keys.now().ring);
        self.hand_on = clock::monotonic();
        self.shun(&self.replica.status().peers);
    }

    /// Nothing goes to where a node lives that is left out. Its packets are refused, so it counts as live for
    /// some seconds more; from then on it gets hellos, as any address does.
    fn shun(&mut self, peers: &[PeerStatus]) {
        let held = self.side.keys.now();
        let out =
            |peer: &&PeerStatus| peer.live && held.refuses_name(peer.node.as_str().as_bytes());
        self.shunned =
            peers.iter().filter(out).flat_map(|peer| peer.addresses.iter().copied()).collect();
    }

    /// Tells the thread that hands keys on who is live, while it has something to hand on; when it wants
    /// to know again.
    fn hand_on(&mut self, now: Instant) -> Option<Instant> {
        self.side.keys.now().open_rekey()?;
        if now >= self.hand_on {
            self.hand_on = now + HANDED_ON;
            self.post.peers(&self.replica.status().peers);
        }
        Some(self.hand_on)
    }

    /// Has machine and state looked at, and compares with who shows another state.
    fn look_at_cluster(&mut self, status: &Status) {
        let trouble = self.courier.as_ref().map(Courier::trouble);
        let problems = condition::problems(trouble.as_ref(), status.stalled);
        self.watched.look(&self.replica, &status.peers, problems);
        let out = self.left_out(status);
        let Some((peer, of, vector)) = self.watched.differs(self.home.node(), status, out) else {
            return;
        };
        let (side, events) = (Arc::clone(&self.side), self.events.clone());
        match self.home.again() {
            Ok(home) => {
                let whom = (peer.node, peer.address, of);
                sameness::compare(home, side, whom, vector, events);
            }
            Err(_) => self.watched.comparisons.came(&peer.node, of, None),
        }
    }

    fn left_out(&self, status: &Status) -> BTreeSet<NodeId> {
        let held = self.side.keys.now();
        let names = status.peers.iter().map(|peer| &peer.node);
        names.filter(|node| held.refuses_name(node.as_str().as_bytes())).cloned().collect()
    }

    /// All nodes as this one sees them.
    fn cluster(&mut self) -> Json {
        let status = self.replica.status();
        let (out, listening) = (self.left_out(&status), self.listening.to_string());
        self.watched.told(&mut self.replica, &status, (self.home.node(), &listening), out)
    }

    /// Of whom gossip brings everything, the bucket needs not to be asked so often.
    fn tell_courier(&self, peers: &[PeerStatus]) {
        let Some(courier) = &self.courier else { return };
        let live = || peers.iter().filter(|peer| peer.live);
        let level = live().filter(|peer| peer.ahead_bytes == 0).map(|peer| peer.node.clone());
        let unspread = live().map(|peer| peer.lacks_bytes).min().unwrap_or(u64::MAX);
        courier.tell(Told::Near { level: level.collect(), unspread });
    }

    fn waiter(&mut self, answer: Sender<Json>, ms: u64, reach: Option<(LogId, u64)>) -> u64 {
        let id = self.id();
        let until = clock::monotonic() + Duration::from_millis(ms.min(24 * 3_600_000));
        self.waiters.insert(id, Waiter { answer, until, reach });
        id
    }

    fn give_up_waiting(&mut self) {
        let now = clock::monotonic();
        let late: Vec<u64> =
            self.waiters.iter().filter(|(_, w)| w.until <= now).map(|(id, _)| *id).collect();
        for id in late {
            let Some(waiter) = self.waiters.remove(&id) else { continue };
            let answer = match waiter.reach {
                Some(_) => json!({"reached": false}),
                None => self.so_far(id),
            };
            self.step(Input::Unwait(id));
            let _ = waiter.answer.send(answer);
        }
    }

    /// Who holds what a waiter waits for, and which peers do not.
    fn so_far(&self, id: u64) -> Json {
        let holders = self.replica.holders_for(id);
        let mut lack: Vec<NodeId> =
            self.replica.status().peers.into_iter().map(|peer| peer.node).collect();
        lack.retain(|node| !holders.contains(node));
        lack.sort();
        lack.dedup();
        let holders: Vec<&str> = holders.iter().map(NodeId::as_str).collect();
        let lack: Vec<&str> = lack.iter().map(NodeId::as_str).collect();
        json!({"nodes": holders, "lack": lack})
    }

    /// How far each log is durable here.
    fn vector(&self) -> Json {
        let logs = self.replica.vector().0.iter().map(|(log, head)| {
            (log.to_string(), json!({"position": head.position, "hash": head.hash.to_string()}))
        });
        json!({"logs": logs.collect::<serde_json::Map<_, _>>()})
    }

    /// Where the addresses come from, and who is there.
    fn net(&self) -> Json {
        let mut net = self.discovery.shown(&self.replica.status());
        net["listening"] = json!(self.listening.to_string());
        net["interfaces"] = json!(nearby::interfaces(&self.home));
        net
    }

    /// The checkpoint of another node that is on its way here.
    fn taking(&self, peers: &[PeerStatus]) -> Option<Json> {
        let (boot, came, all) = self.replica.taking()?;
        let node = peers.iter().find(|peer| peer.boot == boot)?.node.as_str();
        Some(json!({"node": node, "came": came, "all": all}))
    }

    /// What keeps history that is beyond the archive's budget, once that was looked at.
    fn archive(&self) -> Option<Json> {
        let kept = |kept: &Kept| json!({"log": kept.log.to_string(), "day": kept.day.number(), "holders": kept.holders});
        let looked =
            |let_go: &LetGo| json!({"kept": let_go.kept.as_ref().map(kept), "busy": let_go.busy});
        self.let_go.as_ref().map(looked)
    }

    fn status(&self) -> Json {
        let (status, held) = (self.replica.status(), self.side.keys.now());
        let peers = status.peers.iter().map(|peer| {
            json!({
                "node": peer.node.as_str(), "left_out": held.refuses_name(peer.node.as_str().as_bytes()), "address": peer.address.to_string(), "live": peer.live,
                "standing": standing(peer.standing),
                "level": peer.lacks_bytes == 0 && peer.ahead_bytes == 0,
                "lacks_bytes": peer.lacks_bytes, "ahead_bytes": peer.ahead_bytes,
                "silent_ms": peer.silent_us / 1000, "round_trip_us": peer.rtt_us,
                "clock_ahead_us": peer.clock_ahead_us,
                "seals_with": self.traffic.seals.last(&peer.addresses).map(|key| key.to_string()),
            })
        });
        let old = held.rekey.as_ref().map(|rekey| rekey.old.as_slice()).unwrap_or_default();
        json!({
            "listening": self.listening.to_string(), "pid": std::process::id(), "touched": self.touched.shown(),
            "vector": format!("{:032x}", self.replica.vector().hash()), "peers": peers.collect::<Vec<_>>(),
            "bucket": self.courier.as_ref().map(|courier| json!({"trouble": courier.trouble()})),
            "gaps": status.gaps, "stalled": status.stalled, "taking": self.taking(&status.peers), "archive": self.archive(),
            "twins": status.twins.iter().map(NodeId::as_str).collect::<Vec<_>>(),
            "strangers": self.traffic.strangers.shown(old, clock::monotonic()), "python": self.python.shown(),
            "packets_refused": self.traffic.refused(), "packets_shed": self.traffic.shed(),
            "packets_dropped": self.traffic.dropped(),
        })
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Alive => "alive",
        Standing::Suspect => "suspect",
        Standing::Down => "down",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use cocli_core::ClusterId;
    use cocli_net::{Key, Ring};
    use cocli_node::{Birth, Membership};

    use super::*;

    #[test]
    fn a_daemon_that_lost_a_thread_says_which_and_ends_with_its_door_closed() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Ring::new(Key::fresh().unwrap());
        let identity = Identity::fresh().unwrap();
        let membership = Membership {
            cluster: ClusterId(clock::random()),
            keys: ring.to_text().as_bytes().to_vec(),
            peers: Vec::new(),
        };
        let birth = Birth {
            node: NodeId::written("pi1").unwrap(),
            membership,
            identity: identity.to_bytes().to_vec(),
            identity_public: identity.public_hex(),
            cards: true,
            maybe_known: false,
        };
        let home = Home::create(dir.path(), &birth, clock::rim(), clock::now()).unwrap();
        let options = Options::new(&home, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), Some(0), &[]);
        let held = Held { ring, rekey: None };
        let opened = open(&home, held, identity, &options);
        let (mut wiring, queue, door) = opened.unwrap();
        // As a panic in the writer does: what it held is dropped.
        drop(Alive::new("the writer", &wiring.events));
        wiring.serve(&queue);
        assert!(door::path(&home).exists());
        drop(door);
        let failure = wiring.end().unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.message.contains("the writer died"), "{failure}");
        assert!(!door::path(&home).exists());
    }
}
