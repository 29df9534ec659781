//! Spans of a line to an event: values unescaped, `-` understood, the better of two directives chosen.
//!
//! Promises: a value that cannot be used is left out and noted, except the time, without which a record is damaged. No secret
//! value gets into the event.
//!
//! Read next: the table at the head of `mod.rs`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use ja4_event::{EVENT_VERSION, HttpEvent};

use super::meaning::{Field, What};
use super::request::{split_query, split_request_line};
use super::time::Parts;
use crate::httplog::clock::Stamp;
use crate::httplog::escape::{Dialect, unescape};
use crate::httplog::headers::is_secret;
use crate::httplog::reqin::address;
use crate::httplog::{Damage, Reason};

/// Makes the event of a line whose fields are at `spans`.
pub(super) fn build(fields: &[Field], line: &str, spans: &[(usize, usize)], damage: &mut Damage) -> Result<HttpEvent, Reason> {
    let mut draft = Draft::default();
    for (field, span) in fields.iter().zip(spans) {
        let raw = line.get(span.0..span.1).unwrap_or_default();
        draft.field(&field.what, raw, line, span.0, damage);
    }
    draft.finish(damage)
}

#[derive(Default)]
struct Draft<'a> {
    event: HttpEvent,
    time: Parts,
    end_time: bool,
    client_host: Option<&'a str>,
    peer_host: Option<&'a str>,
    client: Option<IpAddr>,
    request: Option<Cow<'a, str>>,
    query: Option<String>,
    host_name: Option<String>,
    canonical_port: Option<u16>,
    status_original: Option<u16>,
    body_bytes: Option<u64>,
    both_bytes: Option<u64>,
    /// Duration and its unit, microseconds.
    duration: Option<(u64, u64)>,
}

impl<'a> Draft<'a> {
    fn field(&mut self, what: &What, raw: &'a str, line: &str, at: usize, damage: &mut Damage) {
        if let What::Time { pieces, end } = what {
            self.end_time = *end;
            // The scan has found that it fits, or that it is "-".
            let _ = self.time.read(pieces, line.as_bytes(), at);
            return;
        }
        // An empty path or query is a value, "-" is none; the same word may be a real host, but nobody could tell.
        if raw == "-" {
            if *what == What::TlsVersion {
                self.event.scheme = Some("http".to_owned());
            }
            return;
        }
        let event = &mut self.event;
        match what {
            What::Nothing | What::Time { .. } => {}
            What::ClientHost => self.client_host = Some(raw),
            What::PeerHost => self.peer_host = Some(raw),
            What::ClientAddress => self.client = read_address(raw, damage),
            What::PeerAddress => event.src_ip = read_address(raw, damage),
            What::LocalAddress => event.dst_ip = read_address(raw, damage),
            What::RequestLine => self.request = Some(unescape(raw, Dialect::Apache)),
            What::Method => event.method = word(raw),
            What::Path => event.path = word(raw),
            What::Query => self.query = word(raw.strip_prefix('?').unwrap_or(raw)),
            What::Target => {
                let (path, query) = split_query(raw);
                event.path = word(path);
                self.query = query.and_then(word);
            }
            What::Version => event.http_version = word(raw),
            What::StatusFinal => event.status = number(raw, damage),
            What::StatusOriginal => self.status_original = number(raw, damage),
            What::BodyBytes => self.body_bytes = number(raw, damage),
            What::BytesIn => event.request_bytes = number(raw, damage),
            What::BytesOut => event.response_bytes = number(raw, damage),
            What::BytesBoth => self.both_bytes = number(raw, damage),
            What::Duration(unit_us) => self.duration(number(raw, damage), *unit_us),
            What::RequestNo => event.request_no = number(raw, damage),
            What::ConnectionId => event.conn_id = word(raw),
            What::CanonicalPort => self.canonical_port = port(raw, damage),
            What::LocalPort => event.dst_port = port(raw, damage),
            What::RemotePort => event.src_port = port(raw, damage),
            What::ServerName => event.server = word(raw),
            What::HostName => self.host_name = word(raw),
            What::TlsVersion => event.scheme = Some("https".to_owned()),
            What::Https => event.scheme = Some(if raw == "on" { "https" } else { "http" }.to_owned()),
            What::Header(name) => {
                let value = unescape(raw, Dialect::Apache);
                let value = if is_secret(name) { value.len().to_string() } else { value.into_owned() };
                event.headers.push((name.clone(), value));
            }
        }
    }

    /// The finest unit counts.
    fn duration(&mut self, value: Option<u64>, unit_us: u64) {
        if let Some(value) = value
            && self.duration.is_none_or(|(_, unit)| unit_us < unit)
        {
            self.duration = Some((value.saturating_mul(unit_us), unit_us));
        }
    }

    fn finish(mut self, damage: &mut Damage) -> Result<HttpEvent, Reason> {
        let stamp = self.begin(damage)?;
        self.addresses(damage);
        let Self {
            mut event, request, query, host_name, canonical_port, status_original, body_bytes, both_bytes, duration, ..
        } = self;
        event.v = EVENT_VERSION;
        event.ts_ns = stamp.ts_ns;
        event.ts_resolution_ns = stamp.resolution_ns;
        event.headers_complete = false;
        event.duration_us = duration.map(|(us, _)| us);
        event.status = event.status.or(status_original);
        event.dst_port = event.dst_port.or(canonical_port);
        event.request_bytes = event.request_bytes.or_else(|| both_bytes?.checked_sub(event.response_bytes?));
        event.response_bytes = event.response_bytes.or_else(|| both_bytes?.checked_sub(event.request_bytes?)).or(body_bytes);
        event.query = query;
        event.host = event.header("Host").map(str::to_owned);
        if let Some(request) = &request {
            // %r holds the target as sent, %U is decoded and may be rewritten.
            let line = split_request_line(request);
            let own = |text: Option<&str>| text.map(str::to_owned);
            event.method = own(line.method).or(event.method);
            event.query = if line.path.is_some() { own(line.query) } else { event.query };
            event.path = own(line.path).or(event.path);
            event.http_version = own(line.version).or(event.http_version);
            event.host = event.host.or_else(|| own(line.authority));
        }
        event.host = event.host.or(host_name);
        // Apache runs each HTTP/2 request on a connection of its own inside: %k is 0 for all of them.
        if event.http_version.as_deref().is_some_and(|version| version.starts_with("HTTP/2")) {
            event.request_no = None;
        }
        Ok(event)
    }

    /// When the request was received.
    fn begin(&mut self, damage: &mut Damage) -> Result<Stamp, Reason> {
        let stamp = std::mem::take(&mut self.time).stamp()?;
        if !self.end_time {
            return Ok(stamp);
        }
        let Some((duration_us, unit_us)) = self.duration else {
            damage.note("time is that of the end of the response");
            return Ok(stamp);
        };
        // A duration in whole seconds or milliseconds is rounded down: the request may have begun up to a unit earlier.
        let slack_ns = if unit_us > 1 { i64::try_from(unit_us).unwrap_or(0).saturating_mul(1_000) } else { 0 };
        let duration_ns = i64::try_from(duration_us).ok().and_then(|us| us.checked_mul(1_000));
        let begin = duration_ns.and_then(|ns| stamp.ts_ns.checked_sub(ns)?.checked_sub(slack_ns));
        Stamp::new(begin.ok_or("its time is out of range")?, stamp.resolution_ns.saturating_add(slack_ns))
    }

    fn addresses(&mut self, damage: &mut Damage) {
        let host = |text: Option<&str>, damage: &mut Damage| {
            let ip = text.and_then(address);
            if text.is_some() && ip.is_none() {
                damage.note("%h is a host name (HostnameLookups On) and no address: left out");
            }
            ip
        };
        let client = match self.client {
            Some(ip) => Some(ip),
            None => host(self.client_host, damage),
        };
        let peer = match self.event.src_ip {
            Some(ip) => Some(ip),
            None => host(self.peer_host, damage),
        };
        self.event.src_ip = peer.or(client);
        self.event.client_ip = client.or(peer);
        if self.event.src_ip.is_none() {
            damage.note("without peer address");
        }
    }
}

fn word(raw: &str) -> Option<String> {
    Some(unescape(raw, Dialect::Apache).into_owned()).filter(|text| !text.is_empty())
}

fn read_address(raw: &str, damage: &mut Damage) -> Option<IpAddr> {
    let ip = address(raw);
    if ip.is_none() {
        damage.note("an address is none: left out");
    }
    ip
}

fn number<T: FromStr>(raw: &str, damage: &mut Damage) -> Option<T> {
    let value = raw.parse().ok();
    if value.is_none() {
        damage.note("a number is out of range: left out");
    }
    value
}

/// 0 is what Apache knows of the port of a client named by a proxy's header.
fn port(raw: &str, damage: &mut Damage) -> Option<u16> {
    number(raw, damage).filter(|port| *port != 0)
}
