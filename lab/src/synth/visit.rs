//! One visit: the connections its steps need, and every packet and log line as an event in time order.
//!
//! Promises: two connections never share a client's address and port at one time; a request stands on a connection that is open, and
//! over HTTP/1 alone on it.
//!
//! Read next: `emit.rs` (the bytes).

use std::collections::HashMap;
use std::net::IpAddr;

use super::behaviour::{Manner, steps};
use super::cast::{Group, Outfit, Phase};
use super::rng::Stream;
use super::scenario::{Network, Scenario};
use super::site::Target;
use super::templates::Handshake;

/// What happens at an instant of a visit; numbers are places in its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The client's SYN.
    Syn,
    /// The answer.
    SynAck,
    /// The client's ACK.
    Ack,
    /// The ClientHello; `true` is a repetition.
    Hello(bool),
    /// ServerHello and what follows it.
    Answer,
    /// The client's end of the handshake.
    Finished,
    /// A request; `true` is a repetition.
    Request(u32, bool),
    /// Its answer.
    Response(u32),
    /// Its log line.
    Log(u32),
    /// One side ends.
    Fin,
    /// The other side ends.
    FinAck,
    /// The last packet.
    LastAck,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// When, on the capture's clock.
    pub at_ns: i64,
    /// On which connection.
    pub connection: u32,
    /// What.
    pub what: What,
}

/// A connection.
#[derive(Debug)]
pub struct Connection<'a> {
    /// Client's end.
    pub src: (IpAddr, u16),
    /// Server's end.
    pub dst: (IpAddr, u16),
    /// Template.
    pub handshake: &'a Handshake,
    /// Phase and outfit of the group.
    pub outfit: (usize, usize),
    /// Site.
    pub site: usize,
    /// Counts all connections of the run.
    pub serial: u64,
    /// Whether it speaks HTTP/2.
    pub h2: bool,
    /// TTL of the client's packets on arrival.
    pub ttl: u8,
    /// SYN.
    pub open_ns: i64,
    /// First end of a side.
    pub close_ns: i64,
    /// Round-trip time.
    pub rtt_ns: i64,
    /// From here on the first request can arrive.
    ready_ns: i64,
    /// HTTP/1: the answer before is through.
    free_ns: i64,
    /// End of the last answer.
    last_ns: i64,
    /// Requests on it.
    pub requests: u32,
    /// Next sequence number of the client.
    pub client_seq: u32,
    /// Next sequence number of the server.
    pub server_seq: u32,
    /// Segments of the ClientHello that the capture holds, and that there were.
    pub hello_segments: [u32; 2],
}

/// A request on a connection.
#[derive(Debug)]
pub struct Request {
    /// What was asked for.
    pub target: Target,
    /// From which page.
    pub referer: Option<String>,
    /// Number on its connection.
    pub number: u32,
    /// When the server had read it.
    pub at_ns: i64,
    /// Until the answer was out.
    pub duration_ns: i64,
    /// Sequence number, once it was sent.
    pub seq: u32,
}

/// A visit under way.
#[derive(Debug)]
pub struct Visit<'a> {
    /// Whose.
    pub group: usize,
    /// Which member.
    pub member: u64,
    /// Its connections.
    pub connections: Vec<Connection<'a>>,
    /// Its requests.
    pub requests: Vec<Request>,
    /// What happens, in time order.
    pub events: Vec<Event>,
    /// Next of them.
    pub cursor: usize,
    /// What the capture loses, and random bytes.
    pub random: Stream,
}

/// Ports in use, by address.
#[derive(Debug, Default)]
pub struct Ports {
    busy: HashMap<(IpAddr, u16), i64>,
    prune_at: usize,
    /// Connections that found no free port and were not made.
    pub exhausted: u64,
}

impl Ports {
    /// Forgets what ended before `floor_ns`, before which no connection will begin any more.
    fn prune(&mut self, floor_ns: i64) {
        if self.busy.len() > self.prune_at.max(10_000) {
            self.busy.retain(|_, until_ns| *until_ns >= floor_ns);
            self.prune_at = self.busy.len().saturating_mul(2);
        }
    }

    /// A free port for a connection from `open_ns`; it is taken until told otherwise.
    fn take(&mut self, address: IpAddr, range: [u16; 2], open_ns: i64, random: &mut Stream) -> Option<u16> {
        let count = u64::from(range[1].saturating_sub(range[0])).saturating_add(1);
        let first = random.below(count);
        for step in 0..count {
            let port = range[0].saturating_add(u16::try_from(first.wrapping_add(step) % count).unwrap_or(0));
            if self.busy.get(&(address, port)).is_none_or(|until_ns| *until_ns < open_ns) {
                self.busy.insert((address, port), i64::MAX);
                return Some(port);
            }
        }
        self.exhausted = self.exhausted.saturating_add(1);
        None
    }

    fn free_after(&mut self, end: (IpAddr, u16), until_ns: i64) {
        self.busy.insert(end, until_ns);
    }
}

/// What a visit is made from.
pub struct Maker<'m, 'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The population, made ready.
    pub group: &'m Group<'a>,
    /// Its place.
    pub group_place: usize,
    /// Ports in use.
    pub ports: &'m mut Ports,
    /// Connections made so far.
    pub serial: &'m mut u64,
}

const MS: i64 = 1_000_000;
const US: i64 = 1_000;
/// A port rests this long before it comes again.
const TIME_WAIT_NS: i64 = 200 * MS;
/// HTTP/1 connections a browser keeps to one host.
const PARALLEL: usize = 6;

impl<'a> Maker<'_, 'a> {
    /// The visit number `visit` of the group, begun `start_ns` after the start of the scenario, with random numbers of `seed`.
    pub fn visit(mut self, seed: u64, visit: u64, start_ns: i64) -> Option<Visit<'a>> {
        let mut random = Stream::new(seed, &[1, self.group_place as u64, visit]);
        let population = self.group.population;
        let member = random.below(population.members);
        let (phase_place, phase) = self.group.phase(start_ns)?;
        let site =
            usize::try_from(random.below(self.group.sites.len() as u64)).ok().and_then(|place| self.group.sites.get(place))?;
        let facts = self.scenario.site.get(*site)?;
        let manner = Manner {
            behaviour: population.behaviour,
            requests: random.between(phase.requests[0], phase.requests[1]),
            gap_ns: phase.gap_ns,
            gap_spread: population.gap_spread.as_ref().map_or(0.0, |spread| *spread.get_ref()),
            pages: facts.pages,
            assets: facts.assets,
            visit,
        };
        self.ports.prune(self.scenario.start.saturating_add(start_ns));
        let mut plan = Plan {
            begin_ns: self.scenario.start.saturating_add(start_ns),
            end: Endpoint::of(self.group.address(member), seed, &self.scenario.network),
            site: *site,
            phase,
            phase_place,
            // A member keeps its program as long as a phase lasts.
            outfit: Stream::new(seed, &[2, self.group_place as u64, phase_place as u64, member]).weighted(&phase.weights),
            each: population.connection_each || population.rotate,
            open: Vec::new(),
            connections: Vec::new(),
            requests: Vec::new(),
            events: Vec::new(),
        };
        for step in steps(&manner, &mut random) {
            plan.place(&mut self, step, &mut random);
        }
        plan.close(&mut self, &mut random);
        let Plan { connections, requests, mut events, .. } = plan;
        events.sort_by_key(|event| event.at_ns);
        Some(Visit { group: self.group_place, member, connections, requests, events, cursor: 0, random })
    }
}

/// Facts of an address that never change.
#[derive(Debug, Clone, Copy)]
struct Endpoint {
    src: IpAddr,
    dst: IpAddr,
    rtt_ns: i64,
    hops: u8,
}

impl Endpoint {
    fn of(src: IpAddr, seed: u64, network: &Network) -> Self {
        let name = match src {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        #[allow(clippy::cast_possible_truncation, reason = "both halves are used")]
        let mut facts = Stream::new(seed, &[3, (name >> 64) as u64, name as u64]);
        let [low, high] = network.rtt;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "times below ten seconds")]
        let rtt_ns = (low.0 as f64 * (high.0 as f64 / low.0 as f64).powf(facts.unit())) as i64;
        let hops = facts.between(u64::from(network.hops[0]), u64::from(network.hops[1]));
        let dst = if src.is_ipv4() { network.server } else { network.server6 };
        Self { src, dst, rtt_ns, hops: u8::try_from(hops).unwrap_or(1) }
    }
}

struct Plan<'a, 'p> {
    begin_ns: i64,
    end: Endpoint,
    site: usize,
    phase: &'p Phase<'a>,
    phase_place: usize,
    outfit: usize,
    /// A connection for every request.
    each: bool,
    /// Connections that may still be used.
    open: Vec<usize>,
    connections: Vec<Connection<'a>>,
    requests: Vec<Request>,
    events: Vec<Event>,
}

impl<'a> Plan<'a, '_> {
    fn place(&mut self, maker: &mut Maker<'_, 'a>, step: super::behaviour::Step, random: &mut Stream) {
        let at_ns = self.begin_ns.saturating_add(step.offset_ns);
        self.retire(maker, at_ns);
        let found = |place: &usize| self.connections.get(*place).map(|connection| (*place, connection));
        let usable = self.open.iter().rev().filter_map(found).find(|(_, c)| c.h2 || c.free_ns <= at_ns);
        let soonest = self.open.iter().filter_map(found).min_by_key(|(_, c)| c.free_ns);
        let chosen = usable.or(if self.open.len() >= PARALLEL { soonest } else { None }).map(|(place, _)| place);
        let Some(place) = chosen.or_else(|| self.connect(maker, at_ns, random)) else { return };
        let Some(connection) = self.connections.get_mut(place) else { return };
        let mut at_ns = at_ns.max(connection.ready_ns);
        if !connection.h2 {
            at_ns = at_ns.max(connection.free_ns);
        }
        at_ns = at_ns.saturating_add(i64::try_from(random.below(400)).unwrap_or(0) * US);
        // Ten megabytes a second, and what the server works.
        let duration_ns = (i64::from(step.target.work_us) + i64::from(step.target.bytes) / 10) * US;
        let number = connection.requests;
        connection.requests = connection.requests.saturating_add(1);
        connection.free_ns = at_ns.saturating_add(duration_ns).saturating_add(connection.rtt_ns);
        connection.last_ns = connection.last_ns.max(at_ns.saturating_add(duration_ns));
        let (index, connection) =
            (u32::try_from(self.requests.len()).unwrap_or(u32::MAX), u32::try_from(place).unwrap_or(u32::MAX));
        let mut event = |at_ns: i64, what: What| self.events.push(Event { at_ns, connection, what });
        event(at_ns, What::Request(index, false));
        if random.chance(maker.scenario.network.retransmit) {
            event(at_ns.saturating_add(220 * MS).min(at_ns.saturating_add(duration_ns)), What::Request(index, true));
        }
        event(at_ns.saturating_add(duration_ns), What::Response(index));
        event(at_ns.saturating_add(duration_ns).saturating_add(20 * US), What::Log(index));
        self.requests.push(Request {
            target: step.target,
            referer: step.referer,
            number,
            at_ns: at_ns.saturating_add(100 * US),
            duration_ns,
            seq: 0,
        });
    }

    /// Connections that the server closes before `at_ns`, or that served their one request, give their port back.
    fn retire(&mut self, maker: &mut Maker<'_, 'a>, at_ns: i64) {
        let keepalive_ns = maker.scenario.network.keepalive.0;
        let (connections, each) = (&self.connections, self.each);
        self.open.retain(|place| {
            let Some(connection) = connections.get(*place) else { return false };
            let close_ns =
                if each { connection.last_ns.saturating_add(2 * MS) } else { connection.last_ns.saturating_add(keepalive_ns) };
            let stays = !each && close_ns > at_ns;
            if !stays {
                maker.ports.free_after(connection.src, close_ns.saturating_add(connection.rtt_ns).saturating_add(TIME_WAIT_NS));
            }
            stays
        });
    }

    /// Opens a connection; gives its place.
    fn connect(&mut self, maker: &mut Maker<'_, 'a>, at_ns: i64, random: &mut Stream) -> Option<usize> {
        let network = &maker.scenario.network;
        let outfit_place = if maker.group.population.rotate { random.weighted(&self.phase.weights) } else { self.outfit };
        let outfit: &Outfit<'a> = self.phase.outfits.get(outfit_place)?;
        let handshake = outfit.handshake(random)?;
        let port = maker.ports.take(self.end.src, network.ports, at_ns, random)?;
        let rtt_ns = jitter(self.end.rtt_ns, random);
        let hello_ns = at_ns.saturating_add(rtt_ns).saturating_add(i64::try_from(random.between(200, 3_000)).unwrap_or(0) * US);
        let answer_ns = hello_ns.saturating_add(900 * US);
        let finished_ns = answer_ns.saturating_add(rtt_ns);
        let place = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let mut event = |at_ns: i64, what: What| self.events.push(Event { at_ns, connection: place, what });
        event(at_ns, What::Syn);
        event(at_ns.saturating_add(30 * US), What::SynAck);
        event(at_ns.saturating_add(rtt_ns), What::Ack);
        event(hello_ns, What::Hello(false));
        if random.chance(network.retransmit) {
            event(hello_ns.saturating_add(400 * US), What::Hello(true));
        }
        event(answer_ns, What::Answer);
        event(finished_ns, What::Finished);
        *maker.serial = maker.serial.wrapping_add(1);
        let speaks_h2 = outfit.dress.first().is_some_and(|dress| dress.speaks_h2);
        self.connections.push(Connection {
            src: (self.end.src, port),
            dst: (self.end.dst, 443),
            handshake,
            outfit: (self.phase_place, outfit_place),
            site: self.site,
            serial: *maker.serial,
            h2: speaks_h2 && handshake.alpn.iter().any(|protocol| protocol == "h2"),
            ttl: handshake.ttl.saturating_sub(self.end.hops.saturating_sub(1)).max(1),
            open_ns: at_ns,
            close_ns: 0,
            rtt_ns,
            ready_ns: finished_ns.saturating_add(50 * US),
            free_ns: finished_ns,
            last_ns: finished_ns,
            requests: 0,
            client_seq: low32(random.bits()),
            server_seq: low32(random.bits()),
            hello_segments: [0, 0],
        });
        let place = self.connections.len().saturating_sub(1);
        self.open.push(place);
        Some(place)
    }

    /// Ends every connection: the client soon after its last step, or the server when it has waited long enough.
    fn close(&mut self, maker: &mut Maker<'_, 'a>, random: &mut Stream) {
        let end_ns = self.connections.iter().map(|connection| connection.last_ns).max().unwrap_or_default();
        let each = self.each;
        let keepalive_ns = maker.scenario.network.keepalive.0;
        for (place, connection) in self.connections.iter_mut().enumerate() {
            let idle_ns = connection.last_ns.saturating_add(keepalive_ns);
            let lingers_ns = i64::try_from(random.between(20, 1_500)).unwrap_or(0) * MS;
            let own_ns = if each { connection.last_ns.saturating_add(2 * MS) } else { end_ns.saturating_add(lingers_ns) };
            // Not before the last answer and its log line are out, and what was still on its way has arrived.
            let close_ns = own_ns.min(idle_ns).max(connection.last_ns.saturating_add(MS));
            connection.close_ns = close_ns;
            let connection_place = u32::try_from(place).unwrap_or(u32::MAX);
            let mut event = |at_ns: i64, what: What| self.events.push(Event { at_ns, connection: connection_place, what });
            event(close_ns, What::Fin);
            event(close_ns.saturating_add(40 * US), What::FinAck);
            let last_ns = close_ns.saturating_add(connection.rtt_ns).saturating_add(50 * US);
            event(last_ns, What::LastAck);
            if self.open.contains(&place) {
                maker.ports.free_after(connection.src, last_ns.saturating_add(TIME_WAIT_NS));
            }
        }
    }
}

fn jitter(rtt_ns: i64, random: &mut Stream) -> i64 {
    random.around(rtt_ns, 0.05).max(10 * US)
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is wanted")]
fn low32(bits: u64) -> u32 {
    bits as u32
}
