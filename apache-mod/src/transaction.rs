//! From what httpd knows of a finished request to a record on its way: the safe half of the `log_transaction` hook.
//!
//! Promises: a record of usual length is written once, on the stack; for a longer one the memory is asked for once, exactly as long as
//! the record; a request that is not logged (section off, client not sampled) costs no more than that decision.
//! Read next: `record.rs`, `outlet.rs`.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::outlet::{Outlet, Report};
use crate::policy::{DirPolicy, ServerPolicy, sampled};
use crate::record::{ConnId, Plan, Record};

/// `HTTP_VERSION(2, 0)` in httpd.h.
const HTTP_2: i32 = 2000;

/// A record of at most this length is written without being measured before.
const USUAL_BYTES: usize = 4096;

/// What one child process shares between its threads.
#[derive(Debug)]
pub struct Child {
    /// Sockets and drop counters.
    pub outlet: Outlet,
    /// Process id.
    pub pid: u32,
    /// Start, microseconds since 1970.
    pub start_us: i64,
    /// Connections accepted.
    pub connections: AtomicU64,
}

impl Child {
    /// Identity for the next connection.
    pub fn next_connection(&self) -> ConnId {
        ConnId { pid: self.pid, child_start_us: self.start_us, number: self.connections.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What is known of a connection.
#[derive(Debug)]
pub struct Connection {
    /// Identity.
    pub id: ConnId,
    /// Peer, as the kernel saw it when the connection came.
    pub peer: Option<SocketAddr>,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// Requests so far.
    pub requests: AtomicU32,
    /// HTTP/2 fingerprint, once it is known.
    pub h2: OnceLock<String>,
}

impl Connection {
    /// Number for the next request, from 0.
    pub fn next_request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }
}

/// A finished request in httpd's own terms. `headers` are those received, in order; `response_headers` those sent, in any order.
#[derive(Debug, Clone)]
pub struct Finished<'a, H, R> {
    /// Connection, if the module saw it begin.
    pub connection: Option<&'a Connection>,
    /// Number on the connection, if the request came as far as having headers.
    pub request_no: Option<u32>,
    /// `request_time`, microseconds since 1970.
    pub request_time_us: i64,
    /// Now.
    pub now_us: i64,
    /// `useragent_ip`.
    pub useragent_ip: Option<&'a [u8]>,
    /// `server_hostname`.
    pub server: Option<&'a [u8]>,
    /// `http_scheme`.
    pub scheme: Option<&'a [u8]>,
    /// `method`.
    pub method: Option<&'a [u8]>,
    /// `hostname`, which httpd may have taken from the target.
    pub hostname: Option<&'a [u8]>,
    /// `the_request`.
    pub request_line: Option<&'a [u8]>,
    /// `unparsed_uri`.
    pub target: Option<&'a [u8]>,
    /// `protocol`.
    pub protocol: Option<&'a [u8]>,
    /// `proto_num`.
    pub protocol_number: i32,
    /// `status` and `status_line` of what was sent.
    pub status: i32,
    /// See `status`.
    pub status_line: Option<&'a [u8]>,
    /// `bytes_sent`: body bytes.
    pub body_bytes_sent: i64,
    /// Headers received.
    pub headers: H,
    /// Headers sent.
    pub response_headers: R,
}

/// Sends the record of `finished`, or drops and counts it; `memory` gives the buffer to write a long one in.
pub fn log<'a, 'b>(
    child: &Child,
    policy: &DirPolicy,
    server: &ServerPolicy,
    finished: Finished<'a, impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone, impl Iterator<Item = (&'a [u8], &'a [u8])>>,
    memory: impl FnOnce(usize) -> &'b mut [u8],
) -> Option<Report> {
    let client_ip = finished.useragent_ip.and_then(parse_ip);
    if !policy.enabled() || !sampled(client_ip, policy.sample()) {
        return None;
    }
    let connection = finished.connection;
    let http2 = finished.protocol_number >= HTTP_2;
    let header =
        |wanted: &[u8]| finished.headers.clone().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    let host = header(b"host");
    // mod_http2 adds the Host header itself, from `:authority`; the client sent none.
    let added_host = host.filter(|_| http2);
    let body_bytes = header(b"content-length").and_then(|text| std::str::from_utf8(text).ok()?.trim().parse::<u64>().ok());
    let headers = finished
        .headers
        .clone()
        .filter(move |(name, value)| added_host.is_none_or(|host| !(*value == host && name.eq_ignore_ascii_case(b"host"))))
        .map(|(name, value)| (name, policy.value(name, value)));
    let (path, query) = split_query(finished.target);
    let outlet = server.outlet.load(Ordering::Relaxed);
    let record = Record {
        ts_us: finished.request_time_us,
        src: connection.and_then(|c| c.peer),
        dst: connection.and_then(|c| c.local),
        client_ip,
        server: finished.server,
        conn_id: connection.map(|c| c.id),
        // A request that died before its headers were read gets its number now.
        request_no: finished.request_no.or_else(|| connection.map(Connection::next_request)),
        scheme: finished.scheme,
        method: finished.method,
        host: host.or(finished.hostname),
        path,
        query,
        http_version: finished.protocol,
        status: u16::try_from(finished.status).ok(),
        request_bytes: Some(message_bytes(
            finished.request_line.map_or(0, <[u8]>::len),
            finished.headers,
            body_bytes.unwrap_or(0),
        )),
        response_bytes: Some(message_bytes(
            "HTTP/1.1 ".len().saturating_add(finished.status_line.map_or(3, <[u8]>::len)),
            finished.response_headers,
            u64::try_from(finished.body_bytes_sent).unwrap_or(0),
        )),
        duration_us: u64::try_from(finished.now_us.saturating_sub(finished.request_time_us)).ok(),
        headers,
        lower_names: http2,
        h2: connection.and_then(|c| c.h2.get()).map(String::as_str),
        dropped: child.outlet.take_unreported(outlet),
        sample: policy.sample(),
    };
    let mut usual = [0; USUAL_BYTES];
    let room = usual.get_mut(..server.max_record_bytes().min(USUAL_BYTES)).unwrap_or_default();
    if let Some(len) = record.write(&Plan::WHOLE, room) {
        return child.outlet.send(outlet, room.get(..len).unwrap_or_default(), record.dropped, finished.now_us);
    }
    let plan = record.plan(server.max_record_bytes());
    let buffer = memory(plan.len);
    let len = record.write(&plan, buffer).unwrap_or(0); // the plan was made by the same code
    child.outlet.send(outlet, buffer.get(..len).unwrap_or_default(), record.dropped, finished.now_us)
}

fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    without_zone.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn split_query(target: Option<&[u8]>) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some(target) = target else { return (None, None) };
    match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => (target.get(..mark), target.get(mark.saturating_add(1)..)),
        None => (Some(target), None),
    }
}

/// First line, headers, empty line and body as HTTP/1.1 would send them.
fn message_bytes<'a>(line_bytes: usize, headers: impl Iterator<Item = (&'a [u8], &'a [u8])>, body_bytes: u64) -> u64 {
    let head = headers.fold(line_bytes.saturating_add(4), |sum, (name, value)| {
        sum.saturating_add(name.len()).saturating_add(value.len()).saturating_add(4)
    });
    body_bytes.saturating_add(head as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_httpd_writes_them() {
        assert_eq!(parse_ip(b"192.0.2.1"), "192.0.2.1".parse().ok());
        assert_eq!(parse_ip(b"::ffff:192.0.2.1"), "192.0.2.1".parse().ok());
        assert_eq!(parse_ip(b"fe80::1%eth0"), "fe80::1".parse().ok());
        assert_eq!(parse_ip(b"/run/a.sock"), None);
    }

    #[test]
    fn a_target_is_split_at_its_first_question_mark() {
        assert_eq!(split_query(Some(b"/a?b?c")), (Some(&b"/a"[..]), Some(&b"b?c"[..])));
        assert_eq!(split_query(Some(b"/a?")), (Some(&b"/a"[..]), Some(&b""[..])));
        assert_eq!(split_query(Some(b"*")), (Some(&b"*"[..]), None));
        assert_eq!(split_query(None), (None, None));
    }
}
