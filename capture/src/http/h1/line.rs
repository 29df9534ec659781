//! Single lines of an HTTP/1 message: request line, header field, chunk size, and what the fields say about the body.
//!
//! Promises: pure functions over one line without its line end; each linear in the line. Lenient where deployed servers
//! are (blanks inside the target, a bare carriage return kept), strict where framing depends on it.
//! Read next: `../h1.rs`, the state machine around them.

use crate::http::{Header, HttpVersion, Request, is_method_byte};

/// Longest method that is taken for one.
const METHOD_MAX_BYTES: usize = 32;

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    Bad,
}

/// Removes the carriage return in front of the line feed.
pub(super) fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// False when no continuation can make `partial` (a line without its end) a request line.
pub(in crate::http) fn may_start_request(partial: &[u8]) -> bool {
    let method = partial.iter().take(METHOD_MAX_BYTES.saturating_add(1)).take_while(|b| is_method_byte(**b)).count();
    match partial.get(method) {
        None => method <= METHOD_MAX_BYTES,
        // A carriage return may be the first byte of an empty line before the request.
        Some(b'\r') => method == 0 && partial.len() == 1,
        Some(byte) => *byte == b' ' && method > 0 && method <= METHOD_MAX_BYTES,
    }
}

/// Parses `METHOD SP target SP HTTP/1.x`; the target may hold blanks, as sent by careless clients.
pub(super) fn request_line(line: &[u8]) -> Option<Request> {
    if !may_start_request(line) {
        return None;
    }
    let method_len = line.iter().position(|b| *b == b' ')?;
    let version_at = line.iter().rposition(|b| *b == b' ')?;
    let version = version_of(line.get(version_at.checked_add(1)?..)?)?;
    let target = line.get(method_len.checked_add(1)?..version_at)?.trim_ascii();
    if target.is_empty() {
        return None;
    }
    Some(Request {
        method: line.get(..method_len)?.to_vec(),
        target: target.to_vec(),
        version,
        headers: Vec::new(),
        authority: Vec::new(),
        scheme: Vec::new(),
        stream_id: 0,
    })
}

/// Adds one field line, or folds it into the field before (RFC 9112 5.2); false when it is neither.
pub(super) fn add_header(headers: &mut Vec<Header>, line: &[u8]) -> bool {
    if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
        let Some(last) = headers.last_mut() else { return false };
        last.value.push(b' ');
        last.value.extend_from_slice(line.trim_ascii());
        return true;
    }
    let Some((name, value)) = memchr::memchr(b':', line).and_then(|at| line.split_at_checked(at)) else { return false };
    let name = name.trim_ascii_end();
    if name.is_empty() {
        return false;
    }
    headers.push(Header { name: name.to_vec(), value: value.get(1..).unwrap_or_default().trim_ascii().to_vec() });
    true
}

/// Parses a chunk's size line: hexadecimal digits, then nothing, blanks or an extension (RFC 9112 7.1).
pub(super) fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    if digits == 0 || digits > 16 || !line.get(digits).is_none_or(|b| matches!(b, b';' | b' ' | b'\t')) {
        return None;
    }
    let text = std::str::from_utf8(line.get(..digits)?).ok()?;
    u64::from_str_radix(text, 16).ok()
}

/// Decides the framing of the body that follows `request` (RFC 9112 6.3).
pub(super) fn body_framing(request: &Request) -> Framing {
    // The last coding decides; a request whose last coding is not chunked has no reliable end and servers refuse it.
    let last_coding = request.headers_named("transfer-encoding").last().and_then(|v| v.rsplit(|b| *b == b',').next());
    if let Some(coding) = last_coding {
        return if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") { Framing::Chunked } else { Framing::Bad };
    }
    let mut length = None;
    for value in request.headers_named("content-length").flat_map(|v| v.split(|b| *b == b',')) {
        let Some(this) = decimal(value.trim_ascii()) else { return Framing::Bad };
        if length.is_some_and(|earlier| earlier != this) {
            return Framing::Bad;
        }
        length = Some(this);
    }
    match length {
        None | Some(0) => Framing::None,
        Some(bytes) => Framing::Length(bytes),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The version that a request line's last word names.
fn version_of(word: &[u8]) -> Option<HttpVersion> {
    match word {
        b"HTTP/1.1" => Some(HttpVersion::Http11),
        b"HTTP/1.0" => Some(HttpVersion::Http10),
        _ => None,
    }
}
