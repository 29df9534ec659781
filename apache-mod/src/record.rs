//! One request as one JSON object, the HTTP event of `docs/CONTRACTS.md` (`ja4_event::HttpEvent`), within a byte limit.
//!
//! Promises: a record never exceeds its limit. What does not fit is cut by water-filling: one length limit for every text of the
//! request, header values, names, path and query alike, as high as the record allows, so that the longest are cut first and
//! short ones stay whole; trailing headers are left out only when even 64 bytes each are too many.
//!
//! Keys beyond the contract, present only when not zero: `dropped` (records lost between the last one of this child and this
//! one), `sample` (one client in so many is logged), `truncated` (texts cut), `headers_dropped` (then `headers_complete` is
//! false), `invalid_utf8` (bytes written as `\xhh`). Read next: `json.rs`; `policy.rs` (which values are kept).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use ja4_event::EVENT_VERSION;

use crate::json::{Counter, Fill, Out, Plain, string};

/// Texts are never cut below this many bytes of JSON; headers are left out instead.
const LEAST_TEXT_BYTES: usize = 64;
/// JSON around a header's name and value: `["",""],`.
const HEADER_FRAME_BYTES: usize = 8;
/// Room kept for the counters at the end, whose digits depend on the cut.
const TAIL_BYTES: usize = 64;

/// What is written of a header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// The value as received.
    Text(&'a [u8]),
    /// A secret: its length in bytes, as a decimal number.
    LengthOf(usize),
    /// Not asked for: an empty string.
    Withheld,
}

/// Identity of a connection within the server: process, start of the process, count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnId {
    /// Process id of the httpd child.
    pub pid: u32,
    /// When the child started, microseconds since 1970: process ids come again.
    pub child_start_us: i64,
    /// Connections of this child before this one.
    pub number: u64,
}

/// One request. Texts are bytes as httpd holds them; `None` is left out of the record.
#[derive(Debug, Clone)]
pub struct Record<'a, H> {
    /// When httpd had read the request line, microseconds since 1970.
    pub ts_us: i64,
    /// Peer of the connection, as the kernel saw it.
    pub src: Option<SocketAddr>,
    /// Local end of the connection.
    pub dst: Option<SocketAddr>,
    /// Client after mod_remoteip.
    pub client_ip: Option<IpAddr>,
    /// Name of the virtual host.
    pub server: Option<&'a [u8]>,
    /// Connection.
    pub conn_id: Option<ConnId>,
    /// Number of the request on its connection, from 0.
    pub request_no: Option<u32>,
    /// `http` or `https`.
    pub scheme: Option<&'a [u8]>,
    /// Method.
    pub method: Option<&'a [u8]>,
    /// Host header or `:authority`.
    pub host: Option<&'a [u8]>,
    /// Path without query, not decoded.
    pub path: Option<&'a [u8]>,
    /// Query without `?`, not decoded.
    pub query: Option<&'a [u8]>,
    /// `HTTP/1.1` and the like.
    pub http_version: Option<&'a [u8]>,
    /// Final status.
    pub status: Option<u16>,
    /// Bytes received.
    pub request_bytes: Option<u64>,
    /// Bytes sent.
    pub response_bytes: Option<u64>,
    /// Duration, microseconds.
    pub duration_us: Option<u64>,
    /// Names and values in wire order.
    pub headers: H,
    /// Write header names in lower case: httpd capitalises those of HTTP/2, where only lower case is possible.
    pub lower_names: bool,
    /// HTTP/2 fingerprint of the connection.
    pub h2: Option<&'a str>,
    /// Records lost since the last one that arrived.
    pub dropped: u64,
    /// One client in so many is logged.
    pub sample: u32,
}

/// How a record fits its limit; made by [`Record::plan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of the record.
    pub len: usize,
    text_limit: usize,
    headers_kept: usize,
}

impl Plan {
    /// Nothing is cut.
    pub const WHOLE: Self = Self { len: usize::MAX, text_limit: usize::MAX, headers_kept: usize::MAX };
}

impl<'a, H: Iterator<Item = (&'a [u8], Value<'a>)> + Clone> Record<'a, H> {
    /// Decides what is cut so that the record has at most `max_bytes` (at least [`crate::policy::MIN_RECORD_BYTES`]).
    #[must_use]
    pub fn plan(&self, max_bytes: usize) -> Plan {
        let whole = self.measure(Plan::WHOLE.text_limit, Plan::WHOLE.headers_kept);
        if whole.len <= max_bytes {
            return whole;
        }
        let budget = max_bytes.saturating_sub(TAIL_BYTES);
        let (lengths, headers_kept) = self.text_lengths(budget);
        let frame = self.measure(0, headers_kept).len;
        let fits = |limit: usize| lengths.iter().fold(frame, |sum, len| sum.saturating_add((*len).min(limit))) <= budget;
        let (mut low, mut high) = (LEAST_TEXT_BYTES, max_bytes);
        while low < high {
            let middle = low.midpoint(high).saturating_add(1).min(high);
            if fits(middle) { low = middle } else { high = middle.saturating_sub(1) }
        }
        self.measure(low, headers_kept)
    }

    /// Writes the record; a `buffer` of `plan.len` bytes is enough. Returns the bytes written, or `None` if they did not fit.
    pub fn write(&self, plan: &Plan, buffer: &mut [u8]) -> Option<usize> {
        let mut fill = Fill::new(buffer);
        self.emit(&mut fill, plan.text_limit, plan.headers_kept);
        (!fill.overflowed).then_some(fill.len)
    }

    fn measure(&self, text_limit: usize, headers_kept: usize) -> Plan {
        let mut counter = Counter::default();
        self.emit(&mut counter, text_limit, headers_kept);
        Plan { len: counter.len, text_limit, headers_kept }
    }

    /// JSON lengths of all texts, and of how many headers: those for which the least length of each text fits the budget.
    /// At most one header for each [`HEADER_FRAME_BYTES`] of the budget is looked at.
    fn text_lengths(&self, budget: usize) -> (Vec<usize>, usize) {
        let length = |text: &[u8]| {
            if text.len() >= budget {
                return budget;
            }
            let mut counter = Counter::default();
            string(&mut counter, text, usize::MAX);
            counter.len.saturating_sub(2)
        };
        let mut lengths: Vec<usize> = self.texts().iter().map(|text| text.map_or(0, length)).collect();
        let mut used = self.measure(LEAST_TEXT_BYTES, 0).len;
        let mut kept: usize = 0;
        for (name, value) in self.headers.clone() {
            let value_len = match value {
                Value::Text(text) => length(text),
                Value::LengthOf(_) | Value::Withheld => 20, // digits of the longest length
            };
            let name_len = length(name);
            used = used
                .saturating_add(HEADER_FRAME_BYTES)
                .saturating_add(name_len.min(LEAST_TEXT_BYTES))
                .saturating_add(value_len.min(LEAST_TEXT_BYTES));
            if used > budget {
                break;
            }
            kept = kept.saturating_add(1);
            lengths.extend([name_len, value_len]);
        }
        (lengths, kept)
    }

    fn texts(&self) -> [Option<&'a [u8]>; 7] {
        [self.server, self.scheme, self.method, self.host, self.path, self.query, self.http_version]
    }

    fn emit(&self, out: &mut impl Out, text_limit: usize, headers_kept: usize) {
        let mut object = Object { out, text_limit, truncated: 0, invalid_bytes: 0 };
        object.out.put(b"{\"v\":");
        object.number(EVENT_VERSION);
        object.key("ts_ns").number(self.ts_us.saturating_mul(1000));
        object.key("ts_resolution_ns").number(1000);
        if let Some(peer) = self.src {
            object.key("src_ip").quoted(peer.ip());
            object.key("src_port").number(peer.port());
        }
        if let Some(local) = self.dst {
            object.key("dst_ip").quoted(local.ip());
            object.key("dst_port").number(local.port());
        }
        if let Some(client) = self.client_ip {
            object.key("client_ip").quoted(client);
        }
        if let Some(id) = self.conn_id {
            object.key("conn_id").quoted(format_args!("{:x}-{:x}-{:x}", id.pid, id.child_start_us, id.number));
        }
        object.optional_number("request_no", self.request_no);
        let names = ["server", "scheme", "method", "host", "path", "query", "http_version"];
        for (name, text) in names.into_iter().zip(self.texts()) {
            if let Some(text) = text {
                object.key(name).text(text);
            }
        }
        object.optional_number("status", self.status);
        object.optional_number("request_bytes", self.request_bytes);
        object.optional_number("response_bytes", self.response_bytes);
        object.optional_number("duration_us", self.duration_us);
        if let Some(fingerprint) = self.h2 {
            object.key("h2").quoted(fingerprint); // digits, letters and `:;|,?` only
        }
        let left_out = self.emit_headers(&mut object, headers_kept);
        object.counter("dropped", self.dropped);
        if self.sample > 1 {
            object.key("sample").number(self.sample);
        }
        object.counter("truncated", object.truncated);
        if left_out > 0 {
            object.key("headers_complete").plain("false");
            object.counter("headers_dropped", left_out);
        }
        object.counter("invalid_utf8", object.invalid_bytes);
        object.out.put(b"}");
    }

    fn emit_headers<O: Out>(&self, object: &mut Object<'_, O>, headers_kept: usize) -> u64 {
        object.key("headers").plain("[");
        let mut left_out: u64 = 0;
        for (position, (name, value)) in self.headers.clone().enumerate() {
            if position >= headers_kept {
                left_out = left_out.saturating_add(1);
                continue;
            }
            object.out.put(if position == 0 { b"[" } else { b",[" });
            if self.lower_names && name.len() <= MAX_LOWERED_BYTES {
                let mut lowered = [0; MAX_LOWERED_BYTES];
                for (target, byte) in lowered.iter_mut().zip(name) {
                    *target = byte.to_ascii_lowercase();
                }
                object.text(lowered.get(..name.len()).unwrap_or_default());
            } else {
                object.text(name);
            }
            object.out.put(b",");
            match value {
                Value::Text(text) => object.text(text),
                Value::LengthOf(bytes) => object.quoted(bytes),
                Value::Withheld => object.out.put(b"\"\""),
            }
            object.out.put(b"]");
        }
        object.out.put(b"]");
        left_out
    }
}

/// Longer HTTP/2 names than this keep httpd's capitals; no real one has a quarter of it.
const MAX_LOWERED_BYTES: usize = 256;

struct Object<'o, O> {
    out: &'o mut O,
    text_limit: usize,
    truncated: u64,
    invalid_bytes: u64,
}

impl<O: Out> Object<'_, O> {
    fn key(&mut self, name: &str) -> &mut Self {
        self.out.put(b",\"");
        self.out.put(name.as_bytes());
        self.out.put(b"\":");
        self
    }

    fn plain(&mut self, text: &str) {
        self.out.put(text.as_bytes());
    }

    fn number(&mut self, number: impl std::fmt::Display) {
        let _ = write!(Plain(&mut *self.out), "{number}"); // `Plain` never fails
    }

    fn quoted(&mut self, text: impl std::fmt::Display) {
        let _ = write!(Plain(&mut *self.out), "\"{text}\"");
    }

    fn text(&mut self, bytes: &[u8]) {
        let written = string(self.out, bytes, self.text_limit);
        self.truncated = self.truncated.saturating_add(u64::from(written.cut));
        self.invalid_bytes = self.invalid_bytes.saturating_add(u64::from(written.invalid_bytes));
    }

    fn optional_number(&mut self, name: &str, number: Option<impl std::fmt::Display>) {
        if let Some(number) = number {
            self.key(name).number(number);
        }
    }

    fn counter(&mut self, name: &str, count: u64) {
        self.optional_number(name, (count > 0).then_some(count));
    }
}

#[cfg(test)]
mod tests;
