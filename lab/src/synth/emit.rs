//! Events to bytes: packets, log lines, labels.
//!
//! Promises: what is written for an event depends on the visit alone; a connection's sequence numbers fit its packets.
//!
//! Read next: `wire.rs` (packets), `log.rs` (lines), `engine.rs` (the order of events of all visits).

use super::cast::{Group, Outfit};
use super::log::{self, Line};
use super::rng::Stream;
use super::scenario::{LogKind, Scenario};
use super::visit::{Connection, Visit, What};
use super::wire::{Segment, flag, record};

/// Where the bytes go.
pub trait Sink {
    /// A pcap record.
    ///
    /// # Errors
    /// The writer's refusal.
    fn packet(&mut self, bytes: &[u8]) -> std::io::Result<()>;

    /// A line of the log at this place of the scenario's list.
    ///
    /// # Errors
    /// The writer's refusal.
    fn log(&mut self, place: usize, line: &[u8]) -> std::io::Result<()>;

    /// A line of the labels.
    ///
    /// # Errors
    /// The writer's refusal.
    fn label(&mut self, line: &str) -> std::io::Result<()>;
}

/// What was written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Visits.
    pub visits: u64,
    /// Connections.
    pub connections: u64,
    /// Connections whose whole ClientHello is in the capture.
    pub connections_with_client_hello: u64,
    /// Requests, one line in each log.
    pub requests: u64,
    /// Packets in the capture.
    pub packets: u64,
    /// Packets that the capture lost.
    pub packets_lost: u64,
    /// Connections that were not made because every port of the address was in use.
    pub ports_exhausted: u64,
}

/// Writes events.
pub struct Emitter<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its populations.
    pub groups: &'a [Group<'a>],
    /// What was written.
    pub counts: Counts,
    bytes: Vec<u8>,
    line: Vec<u8>,
}

/// Bytes of TLS records that are written; what follows is only counted.
const RECORD_HEAD_BYTES: usize = 5;
const CHANGE_CIPHER: [u8; 6] = [20, 3, 3, 0, 1, 1];

impl<'a> Emitter<'a> {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(scenario: &'a Scenario, groups: &'a [Group<'a>]) -> Self {
        Self { scenario, groups, counts: Counts::default(), bytes: Vec::with_capacity(8192), line: Vec::with_capacity(4096) }
    }

    /// Writes the next event of `visit`; `false` when there is none.
    ///
    /// # Errors
    /// The sink's refusal.
    pub fn next(&mut self, visit: &mut Visit<'a>, sink: &mut dyn Sink) -> std::io::Result<bool> {
        let Some(event) = visit.events.get(visit.cursor).copied() else { return Ok(false) };
        visit.cursor = visit.cursor.saturating_add(1);
        let (Some(group), Some(place)) = (self.groups.get(visit.group), usize::try_from(event.connection).ok()) else {
            return Ok(true);
        };
        let Some(connection) = visit.connections.get_mut(place) else { return Ok(true) };
        match event.what {
            What::Log(index) => {
                let Some(request) = visit.requests.get(usize::try_from(index).unwrap_or(usize::MAX)) else { return Ok(true) };
                self.counts.requests += 1;
                let line = Line { scenario: self.scenario, group, connection, request };
                for (place, kind) in self.scenario.logs.iter().enumerate() {
                    self.line.clear();
                    match kind {
                        LogKind::Module => log::module(&mut self.line, &line),
                        LogKind::Logformat => log::logformat(&mut self.line, &line),
                        LogKind::Combined => log::combined(&mut self.line, &line),
                    }
                    sink.log(place, &self.line)?;
                }
            }
            What::Hello(again) => self.hello(event.at_ns, again, connection, &mut visit.random, sink)?,
            what => {
                let sizes = match what {
                    What::Request(index, _) | What::Response(index) => {
                        visit.requests.get_mut(usize::try_from(index).unwrap_or(usize::MAX))
                    }
                    _ => None,
                };
                self.packet(event.at_ns, what, sizes, group, connection, &mut visit.random, sink)?;
            }
        }
        if event.what == What::LastAck {
            self.counts.connections += 1;
            self.label(event.at_ns, group, visit.member, place, &visit.connections, sink)?;
        }
        Ok(true)
    }

    fn hello(
        &mut self,
        at_ns: i64,
        again: bool,
        connection: &mut Connection<'a>,
        random: &mut Stream,
        sink: &mut dyn Sink,
    ) -> std::io::Result<()> {
        let name = self.scenario.site.get(connection.site).map_or("", |site| site.host.as_str());
        // The repetition has to be the same bytes: they are drawn from the connection's own stream.
        let hello = connection.handshake.hello_for(name, &mut Stream::new(connection.serial, &[4]));
        let options = timestamps(connection.handshake.options.as_slice(), at_ns, connection.serial);
        let first_seq = if again { connection.client_seq.wrapping_sub(bytes32(hello.len())) } else { connection.client_seq };
        let (mut seq, mut kept_segments, mut segments) = (first_seq, 0_u32, 0_u32);
        let segment_bytes = mss(&connection.handshake.options).saturating_sub(options.len());
        for (number, part) in hello.chunks(segment_bytes.max(100)).enumerate() {
            let segment = Segment {
                seq,
                payload: part,
                payload_bytes: part.len(),
                ..from_client(connection, &options, flag::ACK | flag::PSH)
            };
            let at_ns = at_ns.saturating_add(i64::try_from(number).unwrap_or(0).saturating_mul(4_000));
            let kept = self.write(at_ns, &segment, true, random, sink)?;
            kept_segments += u32::from(kept);
            segments += 1;
            seq = seq.wrapping_add(bytes32(part.len()));
        }
        if !again {
            connection.client_seq = seq;
        }
        // A repetition that came through whole makes up for a first try that did not.
        if kept_segments == segments || !again {
            connection.hello_segments = [kept_segments, segments];
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one packet with all it depends on")]
    fn packet(
        &mut self,
        at_ns: i64,
        what: What,
        request: Option<&mut super::visit::Request>,
        group: &Group<'a>,
        connection: &mut Connection<'a>,
        random: &mut Stream,
        sink: &mut dyn Sink,
    ) -> std::io::Result<()> {
        let client_options = timestamps(&connection.handshake.options, at_ns, connection.serial);
        let server_options =
            if client_options.is_empty() { Vec::new() } else { timestamps(&connection.handshake.server_options, at_ns, 7) };
        let mut payload = Vec::new();
        let mut payload_bytes = 0;
        let tls13 = connection.handshake.is_tls13();
        match what {
            What::Answer => {
                payload.extend_from_slice(&connection.handshake.server_hello);
                payload.extend_from_slice(&CHANGE_CIPHER);
                push_record(&mut payload, tls13, 64, true);
                payload_bytes = payload.len();
            }
            What::Finished => {
                payload.extend_from_slice(&CHANGE_CIPHER);
                push_record(&mut payload, tls13, 53, true);
                payload_bytes = payload.len();
            }
            What::Request(..) => {
                let dress = outfit(group, connection)
                    .and_then(|outfit| outfit.dress.get(request.as_ref().map_or(0, |r| r.target.purpose.place())));
                let bytes = dress.map_or(200, |dress| dress.bytes).saturating_add(80).min(1_300);
                push_record(&mut payload, true, bytes, false);
                payload_bytes = RECORD_HEAD_BYTES + usize::try_from(bytes).unwrap_or(0);
            }
            What::Response(_) => {
                let bytes = request.as_ref().map_or(0, |request| request.target.bytes).saturating_add(300).min(1_300);
                push_record(&mut payload, true, bytes, false);
                payload_bytes = RECORD_HEAD_BYTES + usize::try_from(bytes).unwrap_or(0);
            }
            _ => {}
        }
        let flags = match what {
            What::Syn => flag::SYN,
            What::SynAck => flag::SYN | flag::ACK,
            What::Fin | What::FinAck => flag::FIN | flag::ACK,
            What::Ack | What::LastAck => flag::ACK,
            _ => flag::PSH | flag::ACK,
        };
        let is_client = matches!(what, What::Syn | What::Ack | What::Finished | What::Request(..) | What::Fin | What::LastAck);
        let syn_options = match what {
            What::Syn => stamped(&connection.handshake.options, at_ns, connection.serial),
            What::SynAck => stamped(&connection.handshake.server_options, at_ns, 7),
            _ => Vec::new(),
        };
        let options = match what {
            What::Syn | What::SynAck => &syn_options,
            _ if is_client => &client_options,
            _ => &server_options,
        };
        let mut seq = if is_client { connection.client_seq } else { connection.server_seq };
        if let (What::Request(_, again), Some(request)) = (what, request) {
            if again {
                seq = request.seq;
            } else {
                request.seq = seq;
            }
        }
        let segment = if is_client { from_client(connection, options, flags) } else { from_server(connection, options, flags) };
        let segment = Segment { seq, payload: &payload, payload_bytes, ..segment };
        self.write(at_ns, &segment, is_client, random, sink)?;
        if !matches!(what, What::Request(_, true)) {
            let taken = bytes32(payload_bytes).wrapping_add(u32::from(flags & (flag::SYN | flag::FIN) != 0));
            let next = if is_client { &mut connection.client_seq } else { &mut connection.server_seq };
            *next = next.wrapping_add(taken);
        }
        Ok(())
    }

    /// Whether the capture kept it.
    fn write(
        &mut self,
        at_ns: i64,
        segment: &Segment<'_>,
        is_client: bool,
        random: &mut Stream,
        sink: &mut dyn Sink,
    ) -> std::io::Result<bool> {
        if random.chance(self.scenario.network.capture_loss) {
            self.counts.packets_lost += 1;
            return Ok(false);
        }
        self.counts.packets += 1;
        self.bytes.clear();
        record(&mut self.bytes, at_ns, segment, is_client);
        sink.packet(&self.bytes)?;
        Ok(true)
    }

    fn label(
        &mut self,
        last_ns: i64,
        group: &Group<'a>,
        member: u64,
        place: usize,
        connections: &[Connection<'a>],
        sink: &mut dyn Sink,
    ) -> std::io::Result<()> {
        let Some(connection) = connections.get(place) else { return Ok(()) };
        let [held, all] = connection.hello_segments;
        let has_hello = all > 0 && held == all;
        self.counts.connections_with_client_hello += u64::from(has_hello);
        let Some(outfit) = outfit(group, connection) else { return Ok(()) };
        sink.label(&format!(
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{member},1f3-{:x}\n",
            connection.src.0,
            connection.src.1,
            connection.dst.0,
            connection.dst.1,
            connection.open_ns,
            last_ns,
            group.kind,
            outfit.client.name,
            outfit.client.version,
            group.class,
            u8::from(has_hello),
            connection.requests,
            group.population.name,
            group.population.campaign,
            connection.serial,
        ))
    }
}

/// Header of the labels: the columns of a recorded set, and what only a generator knows.
pub const LABEL_COLUMNS: &str = "src_ip,src_port,dst_ip,dst_port,first_ns,last_ns,client_kind,client_name,client_version,class,has_hello,\
                                 n_requests,population,campaign,member,conn_id\n";

/// The outfit a connection wears.
pub fn outfit<'g, 'a>(group: &'g Group<'a>, connection: &Connection<'a>) -> Option<&'g Outfit<'a>> {
    group.phases.get(connection.outfit.0)?.outfits.get(connection.outfit.1)
}

fn from_client<'s>(connection: &Connection<'_>, options: &'s [u8], flags: u8) -> Segment<'s> {
    Segment {
        src: connection.src,
        dst: connection.dst,
        ttl: connection.ttl,
        df: connection.handshake.df,
        seq: connection.client_seq,
        ack: if flags & flag::ACK == 0 { 0 } else { connection.server_seq },
        flags,
        window: if flags & flag::SYN == 0 { 502 } else { connection.handshake.window },
        options,
        payload: &[],
        payload_bytes: 0,
    }
}

fn from_server<'s>(connection: &Connection<'_>, options: &'s [u8], flags: u8) -> Segment<'s> {
    Segment {
        src: connection.dst,
        dst: connection.src,
        ttl: 64,
        df: true,
        seq: connection.server_seq,
        ack: connection.client_seq,
        flags,
        window: if flags & flag::SYN == 0 { 501 } else { connection.handshake.server_window },
        options,
        payload: &[],
        payload_bytes: 0,
    }
}

/// A record of `bytes` bytes: encrypted handshake (TLS 1.2) or application data; the body only where `whole`.
fn push_record(payload: &mut Vec<u8>, application: bool, bytes: u32, whole: bool) {
    payload.extend_from_slice(&[if application { 23 } else { 22 }, 3, 3]);
    payload.extend_from_slice(&u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes());
    if whole {
        payload.extend(std::iter::repeat_n(0xa5, usize::try_from(bytes).unwrap_or(0)));
    }
}

/// Options of a SYN with the timestamp of this instant.
fn stamped(options: &[u8], at_ns: i64, serial: u64) -> Vec<u8> {
    let mut options = options.to_vec();
    if let Some(at) = timestamp_at(&options)
        && let Some(place) = options.get_mut(at + 2..at + 6)
    {
        place.copy_from_slice(&clock(at_ns, serial).to_be_bytes());
    }
    options
}

/// Options of a later segment: two NOP and the timestamp, where the SYN offered one.
fn timestamps(syn_options: &[u8], at_ns: i64, serial: u64) -> Vec<u8> {
    if timestamp_at(syn_options).is_none() {
        return Vec::new();
    }
    let [a, b, c, d] = clock(at_ns, serial).to_be_bytes();
    let [e, f, g, h] = clock(at_ns, 7).to_be_bytes();
    vec![1, 1, 8, 10, a, b, c, d, e, f, g, h]
}

/// Milliseconds, each connection with its own beginning.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clock that wraps")]
fn clock(at_ns: i64, serial: u64) -> u32 {
    ((at_ns / 1_000_000) as u64).wrapping_add(serial.wrapping_mul(0x9e37_79b9)) as u32
}

fn timestamp_at(options: &[u8]) -> Option<usize> {
    find_option(options, 8)
}

/// Largest segment by option 2; 1460 without it.
fn mss(options: &[u8]) -> usize {
    let value = find_option(options, 2).and_then(|at| options.get(at + 2..at + 4)).and_then(|bytes| bytes.try_into().ok());
    value.map_or(1460, |bytes| usize::from(u16::from_be_bytes(bytes)))
}

fn find_option(options: &[u8], kind: u8) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = options.get(at) {
        match *found {
            0 => return None,
            found if found == kind => return Some(at),
            1 => at += 1,
            _ => at += usize::from(*options.get(at + 1)?).max(2),
        }
    }
    None
}

fn bytes32(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
