//! One TCP connection: what is known of it, and how its bytes are read.
//!
//! Promises: TLS is found by content on any port, at the start or behind STARTTLS and proxies, within a bounded prefix of each
//! direction, and only believed when the whole hello parses. The first ClientHello and the first ServerHello count. The order,
//! cut and repetition of segments never change the result.
//!
//! Read next: `../flow/stream.rs`, `app.rs`, `build.rs`.

use crate::decode::Segment;
use crate::fingerprint::{ClientFacts, ServerFacts};
use crate::flow::key::Side;
use crate::flow::stream::Stream;
use crate::flow::syn::Syn;
use crate::keylog::KeyLog;
use crate::limits::Limits;
use crate::sensor::app::App;
use crate::sensor::decrypt::{Decryption, Opened};
use crate::sensor::openvpn::{self, OpenVpnReader};
use crate::tls::hello::{CERTIFICATE, CLIENT_HELLO, ClientHello, HelloTransport, ServerHello};
use crate::tls::record::{HandshakeReader, Next, Progress, Start, leading_alert_bytes, start, whole_message};

/// Segments shorter than this do not use up the bound in segments.
const TINY_SEGMENT_BYTES: u32 = 64;

/// What every step needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Time of the present packet.
    pub ts_ns: i64,
    /// Bounds.
    pub limits: &'a Limits,
    /// Secrets for decryption, if there are any.
    pub keys: Option<&'a KeyLog>,
    /// Whether requests are wanted as events.
    pub wants_http: bool,
}

/// A ClientHello with where and when it was completed.
#[derive(Debug)]
pub struct ClientSide {
    /// What it says.
    pub facts: ClientFacts,
    /// Time of the packet that completed it.
    pub ts_ns: i64,
    /// Segments (or datagrams) it came in.
    pub segments: u32,
}

/// State of one connection.
#[derive(Debug)]
pub struct TcpFlow {
    /// Number of its first packet within the run.
    pub number: u64,
    /// Time of its first packet.
    pub start_ns: i64,
    /// The side taken for the client: ClientHello sender, else SYN sender, else sender of the first packet.
    pub client_side: Side,
    /// TTL and don't-fragment bit of the first packet of each side.
    pub first_ip: [Option<(u8, Option<bool>)>; 2],
    /// First SYN, and its sequence number.
    pub syn: Option<(Syn, u32)>,
    /// First SYN-ACK, and its sequence number.
    pub syn_ack: Option<(Syn, u32)>,
    /// Time and TTL of the first ACK of the client after the SYN-ACK.
    pub ack: Option<(i64, u8)>,
    /// First ClientHello.
    pub client: Option<Box<ClientSide>>,
    /// First ServerHello.
    pub server: Option<Box<ServerFacts>>,
    /// JA4X of each certificate of the server.
    pub ja4x: Vec<String>,
    /// What the connection speaks beside TLS, or inside it where it could be decrypted.
    pub app: App,
    /// Decryption with a key log.
    pub decryption: Decryption,
    /// Whether the key log had the keys.
    pub was_decrypted: bool,
    /// Number of its event while that waits.
    pub event_number: Option<u64>,
    /// Bytes of it counted into the total.
    pub accounted_bytes: usize,
    /// Both streams.
    pub streams: [Stream; 2],
    readers: [Reader; 2],
    /// Highest sequence number reached by each side, for SSH, which counts no retransmission.
    reached: [Option<u32>; 2],
    /// Pure acknowledgements of each side before it was known what the connection speaks.
    early_acks: [u16; 2],
}

/// What just became known; the sensor acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct News {
    /// The ClientHello.
    pub client_hello: bool,
    /// The ServerHello.
    pub server_hello: bool,
    /// The connection speaks clear-text HTTP.
    pub http: bool,
}

#[derive(Debug, Default)]
struct Reader {
    mode: Mode,
    scanned_segments: u16,
    scanned_bytes: u32,
    hello_segments: u32,
}

#[derive(Debug, Default)]
enum Mode {
    /// Looking for a TLS start.
    #[default]
    Scan,
    /// Within handshake records.
    Handshake(Box<HandshakeReader>),
    /// Within an OpenVPN control channel, which carries handshake records.
    OpenVpn(Box<OpenVpnReader>),
    /// Nothing more is wanted.
    Done,
}

impl TcpFlow {
    /// A connection whose first packet this is.
    #[must_use]
    pub fn new(number: u64, ts_ns: i64, client_side: Side) -> Self {
        Self {
            number,
            start_ns: ts_ns,
            client_side,
            first_ip: [None; 2],
            syn: None,
            syn_ack: None,
            ack: None,
            client: None,
            server: None,
            ja4x: Vec::new(),
            app: App::default(),
            decryption: Decryption::Off,
            was_decrypted: false,
            event_number: None,
            accounted_bytes: 0,
            streams: [Stream::default(), Stream::default()],
            readers: [Reader::default(), Reader::default()],
            reached: [None; 2],
            early_acks: [0; 2],
        }
    }

    /// Keeps the first SYN and the first SYN-ACK.
    pub fn note_syn(&mut self, side: Side, segment: &Segment<'_>, ts_ns: i64) {
        let syn = (Syn::new(segment, ts_ns), segment.seq);
        if segment.flags & crate::decode::flag::ACK != 0 {
            self.syn_ack.get_or_insert(syn);
            return;
        }
        if self.syn.is_none() {
            self.syn = Some(syn);
            if self.client.is_none() {
                self.client_side = side;
            }
        }
    }

    /// Takes the payload of one segment, and whatever it makes ready.
    pub fn payload(&mut self, side: Side, segment: &Segment<'_>, cx: Context<'_>) -> News {
        use crate::flow::stream::Arrival;
        let mut news = News::default();
        // A SYN takes one sequence number of its own (data may follow it: TCP Fast Open).
        let seq = segment.seq.wrapping_add(u32::from(segment.flags & crate::decode::flag::SYN != 0));
        let Some(stream) = self.streams.get_mut(side.index()) else { return news };
        match stream.segment(seq, segment.payload, segment.missing_bytes, cx.limits) {
            Arrival::InOrder(data) => {
                self.read(side, data, cx, &mut news);
                if segment.missing_bytes > 0 {
                    self.lost(side);
                }
            }
            Arrival::Held => {}
            Arrival::Restarted => self.restart(side),
        }
        self.drain(side, cx, &mut news);
        news
    }

    /// A segment without payload: SSH fingerprints count pure acknowledgements, also those before the banner.
    pub fn without_payload(&mut self, side: Side, segment: &Segment<'_>, limits: &Limits) {
        if self.app.is_ssh() {
            self.count_ssh(side, segment, limits);
        } else if self.app.is_undecided()
            && segment.flags == crate::decode::flag::ACK
            && let Some(count) = self.early_acks.get_mut(side.index())
        {
            *count = count.saturating_add(1);
        }
    }

    /// The connection was just found to be SSH: what came before is counted.
    pub fn begin_ssh(&mut self, limits: &Limits) {
        for (side, count) in [Side::Low, Side::High].into_iter().zip(std::mem::take(&mut self.early_acks)) {
            for _ in 0..count {
                self.app.count_packet(side == self.client_side, 0, true, limits);
            }
        }
    }

    /// Counts a packet of an SSH connection; retransmissions are left out.
    pub fn count_ssh(&mut self, side: Side, segment: &Segment<'_>, limits: &Limits) {
        let payload_bytes = segment.payload.len().saturating_add(segment.missing_bytes as usize);
        let end = segment.seq.wrapping_add(u32::try_from(payload_bytes).unwrap_or(u32::MAX));
        let Some(reached) = self.reached.get_mut(side.index()) else { return };
        let fresh = reached.is_none_or(|reached| end.wrapping_sub(reached).cast_signed() > 0);
        if fresh {
            *reached = Some(end);
        }
        let pure_ack = payload_bytes == 0 && segment.flags == crate::decode::flag::ACK;
        if pure_ack || (fresh && payload_bytes > 0) {
            self.app.count_packet(side == self.client_side, payload_bytes, pure_ack, limits);
        }
    }

    /// Reads held bytes that became ready.
    pub fn drain(&mut self, side: Side, cx: Context<'_>, news: &mut News) {
        while let Some(data) = self.streams.get_mut(side.index()).and_then(Stream::pop_ready) {
            self.read(side, &data, cx, news);
        }
    }

    /// What was read of a direction is void: it begins earlier.
    pub fn restart(&mut self, side: Side) {
        if let Some(reader) = self.readers.get_mut(side.index()) {
            *reader = Reader::default();
        }
        self.app.restart(side);
        self.decryption = Decryption::Off;
    }

    /// Whether a packet to come may still complete the event: the HTTP/2 settings of a connection that is being decrypted.
    #[must_use]
    pub fn event_may_grow(&self) -> bool {
        self.decryption.is_active() && self.app.may_show_h2()
    }

    /// Bytes held for this connection.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let readers = self.readers.iter().map(|reader| match &reader.mode {
            Mode::Handshake(handshake) => handshake.held_bytes(),
            Mode::OpenVpn(openvpn) => openvpn.held_bytes(),
            Mode::Scan | Mode::Done => 0,
        });
        let streams = self.streams.iter().map(Stream::held_bytes);
        let others = self.app.held_bytes().saturating_add(self.decryption.held_bytes());
        readers.chain(streams).fold(others, usize::saturating_add)
    }

    /// Whether no packet to come can add a fingerprint.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let handshake_timed = self.ack.is_some() || self.syn_ack.is_none();
        let nothing_wanted = self.readers.iter().all(|reader| matches!(reader.mode, Mode::Done));
        handshake_timed && nothing_wanted && self.app.is_done() && self.decryption.is_off()
    }

    /// Bytes of a direction were on the wire but not captured.
    fn lost(&mut self, side: Side) {
        if let Some(reader) = self.readers.get_mut(side.index())
            && !matches!(reader.mode, Mode::Done)
        {
            reader.mode = Mode::Scan;
        }
        self.app.lost(side);
        self.decryption.gap(side);
    }

    fn read(&mut self, side: Side, data: &[u8], cx: Context<'_>, news: &mut News) {
        if data.is_empty() {
            return;
        }
        if self.decryption.is_active() {
            let mut opened = Opened::default();
            self.decryption.open(side, data, &mut opened);
            self.take_opened(opened, cx);
            self.close_if_done(side);
            return;
        }
        self.decryption.keep_more(side, data, cx.limits);
        let behind_app = self.app.read(side, data, self.client.is_some(), cx);
        if behind_app.http_begins {
            news.http = true;
            self.client_side = side;
        }
        let Some(data) = behind_app.for_tls.and_then(|from| data.get(from..)).filter(|data| !data.is_empty()) else {
            self.close_if_done(side);
            return;
        };
        let Some(reader) = self.readers.get_mut(side.index()) else { return };
        reader.hello_segments = reader.hello_segments.saturating_add(1);
        match std::mem::take(&mut reader.mode) {
            Mode::Done => reader.mode = Mode::Done,
            Mode::Scan => self.scan(side, data, cx, news),
            Mode::Handshake(handshake) => self.feed(side, handshake, data, cx.ts_ns, news),
            Mode::OpenVpn(openvpn) => self.feed_openvpn(side, openvpn, data, cx.ts_ns, news),
        }
        if news.client_hello || news.server_hello {
            self.start_decryption(cx);
        }
        self.close_if_done(side);
    }

    /// Looks for a TLS start at the beginning of these bytes, or behind an upgrade command within them.
    fn scan(&mut self, side: Side, data: &[u8], cx: Context<'_>, news: &mut News) {
        let Context { ts_ns, limits, .. } = cx;
        let alert = leading_alert_bytes(data);
        let candidate = data.get(alert..).unwrap_or_default();
        let candidate = match start(candidate) {
            Start::No => behind_upgrade(candidate),
            _ => Some(candidate),
        };
        if let Some(candidate) = candidate.filter(|c| !c.is_empty()) {
            if let Some(reader) = self.readers.get_mut(side.index()) {
                reader.hello_segments = 1;
            }
            if cx.keys.is_some() {
                self.decryption.keep(side, candidate, limits);
            }
            let is_client = start(candidate) == Start::ClientHello;
            if is_client && let Some(message) = whole_message(candidate) {
                self.message(side, message, ts_ns, news);
                if self.showed_hello(side) {
                    self.set_mode(side, Mode::Done);
                    return;
                }
            } else {
                let reader = Box::new(HandshakeReader::new(limits.handshake_bytes));
                self.feed(side, reader, candidate, ts_ns, news);
                return;
            }
        }
        let Some(reader) = self.readers.get_mut(side.index()) else { return };
        if reader.scanned_segments == 0 && openvpn::begins(data) {
            self.feed_openvpn(side, Box::new(OpenVpnReader::new(limits.handshake_bytes)), data, ts_ns, news);
            return;
        }
        reader.scanned_segments = reader.scanned_segments.saturating_add(1);
        reader.scanned_bytes = reader.scanned_bytes.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
        // Tiny segments are counted by their bytes, so that a hello sent in single bytes is not missed.
        let enough_segments = reader.scanned_segments >= limits.scan_segments
            && reader.scanned_bytes >= u32::from(limits.scan_segments).saturating_mul(TINY_SEGMENT_BYTES);
        if enough_segments || reader.scanned_bytes >= limits.scan_bytes {
            reader.mode = Mode::Done;
        }
    }

    /// Both hellos known: the key log is asked. After the ClientHello alone it can already say no.
    fn start_decryption(&mut self, cx: Context<'_>) {
        let (Some(keys), Some(client)) = (cx.keys, &self.client) else { return };
        if keys.get(&client.facts.random).is_none() {
            self.decryption = Decryption::Off;
        } else if let Some(server) = &self.server {
            let opened = self.decryption.start(self.client_side, &client.facts, server, keys);
            self.was_decrypted |= self.decryption.is_active();
            // What was probed so far was TLS; the application begins inside.
            self.app = App::default();
            self.take_opened(opened, cx);
        }
    }

    fn take_opened(&mut self, opened: Opened, cx: Context<'_>) {
        self.ja4x.extend(opened.ja4x);
        if !opened.client_bytes.is_empty() {
            self.app.read(self.client_side, &opened.client_bytes, false, cx);
        }
    }

    fn feed(&mut self, side: Side, mut reader: Box<HandshakeReader>, data: &[u8], ts_ns: i64, news: &mut News) {
        let progress = reader.feed(data, &mut |message| self.message(side, message, ts_ns, news));
        let mode = match progress {
            Progress::More => Mode::Handshake(reader),
            Progress::Done | Progress::Broken if self.showed_hello(side) => Mode::Done,
            // It only looked like a hello: the true one may follow.
            Progress::Done | Progress::Broken => Mode::Scan,
        };
        self.set_mode(side, mode);
    }

    fn feed_openvpn(&mut self, side: Side, mut reader: Box<OpenVpnReader>, data: &[u8], ts_ns: i64, news: &mut News) {
        let progress = reader.feed(data, &mut |message| self.message(side, message, ts_ns, news));
        let mode = if progress == Progress::More { Mode::OpenVpn(reader) } else { Mode::Done };
        self.set_mode(side, mode);
    }

    /// Takes a whole handshake message. The sender of a ClientHello is the client.
    fn message(&mut self, side: Side, message: &[u8], ts_ns: i64, news: &mut News) -> Next {
        match message.first() {
            Some(&CLIENT_HELLO) => {
                let Some(hello) = ClientHello::parse(message) else { return Next::Done };
                if self.client.is_none() && (self.server.is_none() || side == self.client_side) {
                    let segments = self.readers.get(side.index()).map_or(1, |r| r.hello_segments);
                    let facts = ClientFacts::new(&hello, HelloTransport::Tcp);
                    self.client = Some(Box::new(ClientSide { facts, ts_ns, segments }));
                    self.client_side = side;
                    news.client_hello = true;
                }
                Next::Done
            }
            Some(&CERTIFICATE) => {
                #[cfg(feature = "ja4plus")]
                if self.server.is_some() && side != self.client_side {
                    let fingerprints = crate::tls::certificate::certificates(message).filter_map(crate::plus::ja4x::ja4x);
                    self.ja4x.extend(fingerprints.map(|x| x.ja4x));
                }
                Next::Done
            }
            _ => {
                let Some(hello) = ServerHello::parse(message) else { return Next::Done };
                if self.server.is_some() || (self.client.is_some() && side == self.client_side) {
                    return Next::Done;
                }
                let facts = ServerFacts::new(&hello, HelloTransport::Tcp);
                let encrypted = facts.encrypted_certificates();
                self.server = Some(Box::new(facts));
                self.client_side = side.other();
                news.server_hello = true;
                if encrypted { Next::Done } else { Next::More }
            }
        }
    }

    /// Whether this side's hello is known.
    fn showed_hello(&self, side: Side) -> bool {
        if side == self.client_side { self.client.is_some() } else { self.server.is_some() }
    }

    fn set_mode(&mut self, side: Side, mode: Mode) {
        if let Some(reader) = self.readers.get_mut(side.index()) {
            reader.mode = mode;
        }
    }

    /// Frees a stream that nobody reads any more.
    fn close_if_done(&mut self, side: Side) {
        // Only what this direction itself showed counts: the other may have been read while this one still waits for its beginning.
        let understood = self.showed_hello(side) || !self.app.is_undecided();
        let done = self.readers.get(side.index()).is_some_and(|reader| matches!(reader.mode, Mode::Done));
        if let Some(stream) = self.streams.get_mut(side.index()) {
            if done && !self.app.wants(side) && self.decryption.is_off() {
                stream.ignore();
            } else if understood {
                stream.settle();
            }
        }
    }
}

/// The bytes behind a command that hands the connection over to TLS, if these bytes hold one with a TLS start right behind it.
/// Segments that are cut right behind the command need nothing of this; it serves those that are not.
fn behind_upgrade(data: &[u8]) -> Option<&[u8]> {
    const COMMANDS: [&[u8]; 4] = [b"STARTTLS\r\n", b"STLS\r\n", b"AUTH TLS\r\n", b"\r\n\r\n"];
    let head = data.get(..data.len().min(4096)).unwrap_or_default();
    memchr::memchr_iter(0x16, head).take(16).find_map(|at| {
        let (before, rest) = data.split_at_checked(at)?;
        let handed_over = COMMANDS.iter().any(|command| {
            let tail = before.len().checked_sub(command.len()).and_then(|from| before.get(from..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(command))
        });
        (handed_over && matches!(start(rest), Start::ClientHello | Start::ServerHello)).then_some(rest)
    })
}
