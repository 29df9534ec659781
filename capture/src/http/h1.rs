//! Incremental parser of HTTP/1 requests (RFC 9112) on the client's half of a connection.
//!
//! Promises: several requests per connection, bodies skipped by Content-Length or chunks, bare LF accepted, header names in
//! wire case and order. A head is held to `H1Limits`; each byte is looked at a fixed number of times, so time is linear
//! however the stream is cut. Anything that is no request stops the parser with a reason; it never guesses a new start,
//! except after a `gap`, where only a segment that begins with a request line restarts it.
//! Read next: `h1/line.rs`, which reads single lines.

mod line;

pub(super) use line::may_start_request;

use super::{Header, Request, is_method_byte};

/// Bounds of one connection's parser.
#[derive(Clone, Copy, Debug)]
pub struct H1Limits {
    /// Bytes of one request's head: request line, header fields, and trailers or chunk lines likewise. Default 65,536.
    pub head_bytes: usize,
    /// Header fields of one request. Default 1,000.
    pub headers: usize,
}

impl Default for H1Limits {
    fn default() -> Self {
        Self { head_bytes: 65_536, headers: 1_000 }
    }
}

/// Where the parser stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H1State {
    /// Reading a head, or between requests.
    Head,
    /// Skipping a body.
    Body,
    /// The peer switched to another protocol (after CONNECT or Upgrade): the bytes not consumed belong to it.
    Tunnel,
    /// Bytes were lost; waiting for a segment that starts with a request line.
    Resync,
    /// No further request will come out.
    Stopped(StopReason),
}

/// Why the parser gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The line where a request had to start is none.
    NotARequest,
    /// The head exceeded `head_bytes` or `headers`.
    HeadTooLarge,
    /// Content-Length is no number, or two of them differ.
    BadContentLength,
    /// A chunk's size line is malformed.
    BadChunk,
    /// The HTTP/2 connection preface: hand the stream to `h2::H2Client`.
    Http2Preface,
}

/// Parser state of one connection.
#[derive(Debug)]
pub struct H1Parser {
    limits: H1Limits,
    phase: Phase,
    /// The current line as far as earlier segments brought it.
    partial_line: Vec<u8>,
    head_bytes: usize,
    request: Option<Request>,
    /// After CONNECT or Upgrade the next byte decides between a further request and a foreign protocol.
    may_tunnel: bool,
    malformed_lines: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Body { left: u64 },
    ChunkSize,
    ChunkData { left: u64 },
    ChunkEnd,
    Trailers,
    Tunnel,
    Resync,
    Stopped(StopReason),
}

impl Default for H1Parser {
    fn default() -> Self {
        Self::new(H1Limits::default())
    }
}

impl H1Parser {
    /// A parser at the start of a connection, or wherever a request may start.
    #[must_use]
    pub fn new(limits: H1Limits) -> Self {
        Self {
            limits,
            phase: Phase::Head,
            partial_line: Vec::new(),
            head_bytes: 0,
            request: None,
            may_tunnel: false,
            malformed_lines: 0,
        }
    }

    /// Takes the next bytes of the client's stream, appends completed requests to `requests`, and gives how many bytes were
    /// consumed: all of them unless the state became `Tunnel`.
    pub fn feed(&mut self, data: &[u8], requests: &mut Vec<Request>) -> usize {
        if self.phase == Phase::Resync && super::detect(data) == super::Detection::Http1 {
            self.phase = Phase::Head;
        }
        let mut rest = data;
        while !rest.is_empty() {
            match self.phase {
                Phase::Tunnel => return data.len().saturating_sub(rest.len()),
                Phase::Stopped(_) | Phase::Resync => break,
                Phase::Body { left } => self.phase = skip(&mut rest, left).map_or(Phase::Head, |left| Phase::Body { left }),
                Phase::ChunkData { left } => {
                    self.phase = skip(&mut rest, left).map_or(Phase::ChunkEnd, |left| Phase::ChunkData { left });
                }
                Phase::Head
                    if self.may_tunnel && self.at_message_start() && !rest.first().is_some_and(|b| is_method_byte(*b)) =>
                {
                    self.phase = Phase::Tunnel;
                }
                Phase::Head | Phase::ChunkSize | Phase::ChunkEnd | Phase::Trailers => self.take_line(&mut rest, requests),
            }
        }
        data.len()
    }

    /// Tells that `lost_bytes` of the stream are missing before the next `feed`.
    ///
    /// A gap within a body is stepped over when the body is long enough; elsewhere the current request is lost.
    pub fn gap(&mut self, lost_bytes: u64) {
        match &mut self.phase {
            Phase::Body { left } | Phase::ChunkData { left } if *left > lost_bytes => *left = left.saturating_sub(lost_bytes),
            Phase::Tunnel | Phase::Stopped(_) => {}
            _ => {
                self.phase = Phase::Resync;
                self.partial_line = Vec::new();
                self.request = None;
                self.head_bytes = 0;
            }
        }
    }

    /// Where the parser stands.
    #[must_use]
    pub fn state(&self) -> H1State {
        match self.phase {
            Phase::Head => H1State::Head,
            Phase::Body { .. } | Phase::ChunkSize | Phase::ChunkData { .. } | Phase::ChunkEnd | Phase::Trailers => H1State::Body,
            Phase::Tunnel => H1State::Tunnel,
            Phase::Resync => H1State::Resync,
            Phase::Stopped(reason) => H1State::Stopped(reason),
        }
    }

    /// Header lines without a colon that were left out of otherwise good requests.
    #[must_use]
    pub fn malformed_lines(&self) -> u64 {
        self.malformed_lines
    }

    /// Bytes held on the heap, for the caller's table of memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        // Names and values of the request under construction are no larger than the head's bytes.
        let headers = self.request.as_ref().map_or(0, |r| r.headers.capacity().saturating_mul(size_of::<Header>()));
        self.partial_line.capacity().saturating_add(self.head_bytes).saturating_add(headers)
    }

    fn at_message_start(&self) -> bool {
        self.request.is_none() && self.partial_line.is_empty()
    }

    /// Moves bytes up to the next line feed out of `rest` and acts on the line once it is complete.
    fn take_line(&mut self, rest: &mut &[u8], requests: &mut Vec<Request>) {
        let data = *rest;
        let (taken, complete) = match memchr::memchr(b'\n', data) {
            Some(at) => (at, true),
            None => (data.len(), false),
        };
        let (piece, tail) = data.split_at_checked(taken).unwrap_or((data, &[]));
        *rest = if complete { tail.get(1..).unwrap_or_default() } else { tail };
        self.head_bytes = self.head_bytes.saturating_add(taken).saturating_add(usize::from(complete));
        if self.head_bytes > self.limits.head_bytes {
            return self.stop(StopReason::HeadTooLarge);
        }
        if !complete {
            self.partial_line.extend_from_slice(piece);
            if self.phase == Phase::Head && self.request.is_none() && !may_start_request(&self.partial_line) {
                self.stop(StopReason::NotARequest);
            }
            return;
        }
        if self.partial_line.is_empty() {
            return self.line(line::trim_cr(piece), requests);
        }
        let mut whole = std::mem::take(&mut self.partial_line);
        whole.extend_from_slice(piece);
        self.line(line::trim_cr(&whole), requests);
        whole.clear();
        self.partial_line = whole;
    }

    fn line(&mut self, line: &[u8], requests: &mut Vec<Request>) {
        match self.phase {
            Phase::Head => self.head_line(line, requests),
            Phase::ChunkSize => match line::chunk_size(line) {
                Some(0) => self.phase = Phase::Trailers,
                Some(left) => {
                    self.phase = Phase::ChunkData { left };
                    self.head_bytes = 0;
                }
                None => self.stop(StopReason::BadChunk),
            },
            Phase::ChunkEnd if line.is_empty() => self.phase = Phase::ChunkSize,
            Phase::ChunkEnd => self.stop(StopReason::BadChunk),
            Phase::Trailers if line.is_empty() => self.next_message(),
            _ => {}
        }
    }

    fn head_line(&mut self, line: &[u8], requests: &mut Vec<Request>) {
        match (self.request.take(), line.is_empty()) {
            // Empty lines before a request are ignored (RFC 9112 2.2).
            (None, true) => {}
            (None, false) if line == b"PRI * HTTP/2.0" => self.stop(StopReason::Http2Preface),
            (None, false) => match line::request_line(line) {
                Some(request) => {
                    self.may_tunnel = false;
                    self.request = Some(request);
                }
                None => self.stop(StopReason::NotARequest),
            },
            (Some(request), true) => self.finish(request, requests),
            (Some(mut request), false) => {
                if !line::add_header(&mut request.headers, line) {
                    self.malformed_lines = self.malformed_lines.saturating_add(1);
                }
                if request.headers.len() > self.limits.headers {
                    return self.stop(StopReason::HeadTooLarge);
                }
                self.request = Some(request);
            }
        }
    }

    /// The head is complete: decides how its body is framed (RFC 9112 6.3) and hands the request out.
    fn finish(&mut self, request: Request, requests: &mut Vec<Request>) {
        self.next_message();
        self.may_tunnel = request.method == b"CONNECT" || request.header("upgrade").is_some();
        match line::body_framing(&request) {
            line::Framing::None => {}
            line::Framing::Length(left) => self.phase = Phase::Body { left },
            line::Framing::Chunked => self.phase = Phase::ChunkSize,
            line::Framing::Bad => self.phase = Phase::Stopped(StopReason::BadContentLength),
        }
        requests.push(request);
    }

    fn next_message(&mut self) {
        self.phase = Phase::Head;
        self.head_bytes = 0;
    }

    fn stop(&mut self, reason: StopReason) {
        self.phase = Phase::Stopped(reason);
        self.partial_line = Vec::new();
        self.request = None;
        self.head_bytes = 0;
    }
}

/// Skips up to `left` bytes; gives what is still to be skipped, None when all is.
fn skip(rest: &mut &[u8], left: u64) -> Option<u64> {
    let now = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    *rest = rest.get(now..).unwrap_or_default();
    let left = left.saturating_sub(now as u64);
    (left > 0).then_some(left)
}

/// True when `line` (with or without its carriage return) is a request line of HTTP/1.
pub(super) fn is_request_line(line: &[u8]) -> bool {
    line::request_line(line::trim_cr(line)).is_some()
}

#[cfg(test)]
mod tests;
