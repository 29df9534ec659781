//! HTTP requests read from the client's half of a reassembled stream: HTTP/1 and HTTP/2, clear or decrypted; HTTP/3, decrypted.
//!
//! Promises: pure and incremental (feed bytes as they come; the split never changes the result), bounded memory, linear
//! time, names and order of headers exactly as sent. Responses are not parsed. Bodies are skipped, never kept.
//! Read next: `h1.rs`, `h2/mod.rs`, `h3/mod.rs`; `plus/ja4h.rs` for the fingerprint of a request.

pub mod h1;
pub mod h2;
pub mod h3;

/// Version of HTTP that a request was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpVersion {
    /// HTTP/1.0 (RFC 1945).
    Http10,
    /// HTTP/1.1 (RFC 9112).
    Http11,
    /// HTTP/2 (RFC 9113).
    Http2,
    /// HTTP/3 (RFC 9114).
    Http3,
}

impl HttpVersion {
    /// Two digits as in JA4H: "10", "11", "20", "30".
    #[must_use]
    pub fn digits(self) -> &'static str {
        match self {
            Self::Http10 => "10",
            Self::Http11 => "11",
            Self::Http2 => "20",
            Self::Http3 => "30",
        }
    }

    /// As written in log lines: "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0".
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
            Self::Http3 => "HTTP/3.0",
        }
    }
}

/// One header field as sent: bytes, case and inner blanks untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Field name; lower case in HTTP/2 and 3 by their specifications.
    pub name: Vec<u8>,
    /// Field value without the blanks around it.
    pub value: Vec<u8>,
}

/// One request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method as sent ("GET").
    pub method: Vec<u8>,
    /// Request target (HTTP/1) or `:path` (HTTP/2 and 3; empty for CONNECT).
    pub target: Vec<u8>,
    /// Version of the request.
    pub version: HttpVersion,
    /// Header fields in wire order; pseudo-header fields of HTTP/2 and 3 are not among them.
    pub headers: Vec<Header>,
    /// `:authority` of HTTP/2 and 3; empty in HTTP/1 (see `host`).
    pub authority: Vec<u8>,
    /// `:scheme` of HTTP/2 and 3; empty in HTTP/1.
    pub scheme: Vec<u8>,
    /// Stream of the request in HTTP/2 and 3; 0 in HTTP/1.
    pub stream_id: u32,
}

impl Request {
    /// Value of the first header field called `name`, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers_named(name).next()
    }

    /// Values of all header fields called `name`, compared without case, in order.
    pub fn headers_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name.as_bytes())).map(|h| h.value.as_slice())
    }

    /// The host asked for: `:authority`, else the Host header; empty when there is neither.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        if self.authority.is_empty() { self.header("host").unwrap_or_default() } else { &self.authority }
    }
}

/// What the first bytes of a client stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// A request line of HTTP/1 begins here: use `h1::H1Parser`.
    Http1,
    /// The HTTP/2 connection preface begins here: use `h2::H2Client`.
    Http2,
    /// Too few bytes to tell; ask again with more (never more than `DETECT_BYTES` are needed).
    NeedMore,
    /// Not HTTP.
    No,
}

/// Tells HTTP/1 and HTTP/2 by the first bytes that a client sends.
///
/// A complete first line must be a request line. While it is incomplete a method in common use decides for HTTP/1 at once, so
/// that long targets need no buffering, and other words ("EHLO", "USER", "a1") wait for the end of the line, which has to come
/// within `DETECT_BYTES`.
#[must_use]
pub fn detect(first_bytes: &[u8]) -> Detection {
    let preface = h2::PREFACE;
    if first_bytes.starts_with(preface) {
        return Detection::Http2;
    }
    if first_bytes.len() < preface.len() && preface.starts_with(first_bytes) {
        return Detection::NeedMore;
    }
    if !h1::may_start_request(first_bytes) {
        return Detection::No;
    }
    let word = first_bytes.split(|b| *b == b' ').next().unwrap_or_default();
    if word.len() < first_bytes.len() && COMMON_METHODS.contains(&word) {
        return Detection::Http1;
    }
    match first_bytes.iter().take(DETECT_BYTES).position(|b| *b == b'\n') {
        Some(end) if h1::is_request_line(first_bytes.get(..end).unwrap_or_default()) => Detection::Http1,
        None if first_bytes.len() < DETECT_BYTES => Detection::NeedMore,
        _ => Detection::No,
    }
}

/// Bytes after which `detect` decides at the latest.
pub const DETECT_BYTES: usize = 512;

/// Methods of RFC 9110 and 5789 and of the WebDAV and UPnP families, none of which starts a line of another text protocol.
const COMMON_METHODS: [&[u8]; 14] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"REPORT",
    b"MKCOL",
    b"M-SEARCH",
    b"NOTIFY",
];

/// Bytes that methods consist of: narrower than the token rule of RFC 9110, wide enough for the odd methods of scanners.
fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_version() {
        assert_eq!(detect(b"GET / HTTP/1.1"), Detection::Http1);
        assert_eq!(detect(b"M-SEARCH * HTTP/1.1"), Detection::Http1);
        assert_eq!(detect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0"), Detection::Http2);
        assert_eq!(detect(b"PRI * HTTP/2.0\r\n"), Detection::NeedMore);
        assert_eq!(detect(b""), Detection::NeedMore);
        assert_eq!(detect(b"POS"), Detection::NeedMore);
        assert_eq!(detect(b"SSH-2.0-OpenSSH"), Detection::No);
        assert_eq!(detect(b"\x16\x03\x01"), Detection::No);
        assert_eq!(detect(&[b'A'; 40]), Detection::No);
        assert_eq!(detect(b"EHLO mail.example"), Detection::NeedMore);
        assert_eq!(detect(b"EHLO mail.example\r\n"), Detection::No);
        assert_eq!(detect(b"a1 STARTTLS\r\n"), Detection::No);
        assert_eq!(detect(b"quux /x HTTP/1.1\r\n"), Detection::Http1);
    }
}
