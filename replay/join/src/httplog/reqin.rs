//! JSON lines: the records of mod_reqin_log (docs/CONTRACTS.md, "HTTP event") and those of the JSON `LogFormat` that the
//! README gives to servers without the module.
//!
//! Promises: unknown keys are ignored; a missing optional key is `None`; an optional value that cannot be used is `None` and
//! noted; a record without `v`, a time or `src_ip`, or with a key given twice (a sign of text that escaped its quotes), is
//! damaged. The module's `headers` list is complete (without that key nothing is known of the headers); of a template's `"h": {…}` only the names in it are known.
//!
//! Read next: `json.rs` (the syntax), `log.rs` (the loop).

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use ja4_event::{EVENT_VERSION, HttpEvent, MAX_RECORD_BYTES};

use super::clock::Stamp;
use super::escape::text_of;
use super::headers::{NamedHeaders, is_secret};
use super::json::{Cursor, Scalar};
use super::logformat::split_request_line;
use super::{Damage, Reason};

/// Reads JSON records one by one.
#[derive(Debug)]
pub struct JsonReader {
    /// Names seen in `"h"`.
    named: NamedHeaders,
    /// For each known key, the known key that followed it last time.
    follower: [usize; KEYS.len()],
    last_key: usize,
}

impl Default for JsonReader {
    fn default() -> Self {
        Self { named: NamedHeaders::default(), follower: [0; KEYS.len()], last_key: 0 }
    }
}

impl JsonReader {
    /// Reads one record.
    ///
    /// # Errors
    /// A phrase that says why the record is damaged.
    pub fn parse(&mut self, record: &[u8], damage: &mut Damage) -> Result<HttpEvent, Reason> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(format!("is {} bytes long, more than a record may be", record.len()).into());
        }
        let named_before = self.named.clone();
        let result = self.record(&text_of(record), damage);
        if result.is_err() {
            // A forged record teaches no names.
            self.named = named_before;
        }
        result
    }

    /// Headers that a template named in the records read so far.
    #[must_use]
    pub fn named_headers(&self) -> &NamedHeaders {
        &self.named
    }

    /// Name of the dialect, as far as the log was read.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        if self.named.names().is_empty() { "JSON lines of mod_reqin_log" } else { "JSON lines of a LogFormat" }
    }

    fn record(&mut self, text: &str, damage: &mut Damage) -> Result<HttpEvent, Reason> {
        let mut cursor = Cursor::new(text);
        let mut draft = Draft::default();
        cursor.expect(b'{')?;
        let mut more = !cursor.eat(b'}');
        while more {
            let key = cursor.string()?;
            cursor.expect(b':')?;
            self.value(&key, &mut cursor, &mut draft, damage)?;
            more = cursor.more(b'}')?;
        }
        cursor.end()?;
        draft.finish()
    }

    /// Position in [`KEYS`]. Records of one log give their keys in one order, so that the key that followed last time comes first.
    fn key_index(&mut self, key: &str) -> Option<usize> {
        let guess = self.follower.get(self.last_key).copied().unwrap_or_default();
        let index = if KEYS.get(guess).is_some_and(|(name, _)| *name == key) {
            guess
        } else {
            KEYS.iter().position(|(name, _)| *name == key)?
        };
        if let Some(follower) = self.follower.get_mut(self.last_key) {
            *follower = index;
        }
        self.last_key = index;
        Some(index)
    }

    fn value(&mut self, name: &str, cursor: &mut Cursor<'_>, draft: &mut Draft, damage: &mut Damage) -> Result<(), Reason> {
        let known = self.key_index(name).and_then(|index| KEYS.get(index).map(|(_, key)| (index, *key)));
        let Some((index, key)) = known else { return cursor.scalar().map(drop) };
        let bit = 1u64 << index;
        if draft.seen & bit != 0 {
            return Err(format!("gives the key {name} twice").into());
        }
        draft.seen |= bit;
        match key {
            Key::Headers => draft.header_list(cursor),
            Key::H => draft.header_object(cursor, &mut self.named),
            _ => {
                if key == Key::HasCookie {
                    self.named.learn("Cookie");
                } else if key == Key::HasAuthorization {
                    self.named.learn("Authorization");
                }
                let value = cursor.scalar()?;
                draft.scalar(key, value, damage)
            }
        }
    }
}

/// Every key with a meaning, the usual order first: the position is the bit that remembers it (so at most 64).
macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Key { $($key),* }

        const KEYS: &[(&str, Key)] = &[$(($name, Key::$key)),*];
    };
}

keys! {
    V = "v",
    TsNs = "ts_ns",
    TsUs = "ts_us",
    SrcIp = "src_ip",
    SrcPort = "src_port",
    DstIp = "dst_ip",
    DstPort = "dst_port",
    ClientIp = "client_ip",
    Server = "server",
    ConnId = "conn_id",
    RequestNo = "request_no",
    Scheme = "scheme",
    Method = "method",
    Host = "host",
    Path = "path",
    Query = "query",
    HttpVersion = "http_version",
    Status = "status",
    RequestBytes = "request_bytes",
    ResponseBytes = "response_bytes",
    DurationUs = "duration_us",
    Headers = "headers",
    H = "h",
    H2 = "h2",
    HasCookie = "has_cookie",
    HasAuthorization = "has_authorization",
    TlsProtocol = "tls_protocol",
    SslProtocol = "ssl_protocol",
    Request = "request",
    TsMs = "ts_ms",
    Ts = "ts",
    HeadersComplete = "headers_complete",
    TsResolutionNs = "ts_resolution_ns",
}

/// Headers that a request of a browser has room for without growing its list.
const USUAL_HEADERS: usize = 16;

/// A record on its way.
#[derive(Default)]
struct Draft {
    event: HttpEvent,
    seen: u64,
    stamp: Option<Stamp>,
    resolution_ns: Option<i64>,
    template: bool,
    tls: Option<bool>,
    request: Option<String>,
    /// Headers of which a template says only that they were sent.
    only_known_sent: Vec<&'static str>,
}

impl Draft {
    fn scalar(&mut self, key: Key, value: Scalar<'_>, damage: &mut Damage) -> Result<(), Reason> {
        let event = &mut self.event;
        match key {
            Key::V => {
                event.v = number(&value).ok_or("has no usable version (v)")?;
                if event.v != EVENT_VERSION {
                    return Err(format!("has version {}, known is {EVENT_VERSION}", event.v).into());
                }
            }
            Key::TsNs => self.time(&value, 1)?,
            Key::TsUs => self.time(&value, 1_000)?,
            Key::TsMs => self.time(&value, 1_000_000)?,
            Key::Ts => {
                let Scalar::Text(text) = &value else { return Err("has no usable time (ts)".into()) };
                self.finer(Stamp::from_text(text)?);
            }
            Key::TsResolutionNs => self.resolution_ns = number(&value).filter(|n: &i64| (1..=3_600_000_000_000).contains(n)),
            Key::SrcIp => match &value {
                Scalar::Text(text) if text == "-" => damage.note("without peer address"),
                Scalar::Text(text) => event.src_ip = Some(address(text).ok_or("has no address as src_ip")?),
                _ => return Err("has no address as src_ip".into()),
            },
            Key::DstIp => event.dst_ip = optional(value, address, damage, "dst_ip is no address: left out"),
            Key::ClientIp => event.client_ip = optional(value, address, damage, "client_ip is no address: left out"),
            Key::SrcPort => event.src_port = optional(value, port, damage, "src_port is no port: left out"),
            Key::DstPort => event.dst_port = optional(value, port, damage, "dst_port is no port: left out"),
            Key::RequestNo => event.request_no = optional(value, parsed, damage, "request_no is no number: left out"),
            Key::Status => event.status = optional(value, parsed, damage, "status is no number: left out"),
            Key::RequestBytes => event.request_bytes = optional(value, parsed, damage, "request_bytes is no number: left out"),
            Key::ResponseBytes => event.response_bytes = optional(value, parsed, damage, "response_bytes is no number: left out"),
            Key::DurationUs => event.duration_us = optional(value, parsed, damage, "duration_us is no number: left out"),
            Key::Server => event.server = text(value),
            Key::ConnId => event.conn_id = text(value),
            Key::Scheme => event.scheme = text(value),
            Key::Method => event.method = text(value),
            Key::Host => event.host = text(value),
            Key::HttpVersion => event.http_version = text(value),
            Key::H2 => event.h2 = text(value),
            // "-" is a query that a client can send, and %q never writes it for "absent".
            Key::Path => event.path = any_text(value),
            Key::Query => event.query = any_text(value),
            Key::Request => self.request = text(value),
            Key::HasCookie => self.presence("Cookie", &value),
            Key::HasAuthorization => self.presence("Authorization", &value),
            Key::TlsProtocol | Key::SslProtocol => self.tls = Some(!is_absent(&value)),
            Key::HeadersComplete => self.template |= value == Scalar::Bool(false),
            _ => {}
        }
        Ok(())
    }

    fn time(&mut self, value: &Scalar<'_>, unit_ns: i64) -> Result<(), Reason> {
        let count = number(value).ok_or("has no usable time")?;
        self.finer(Stamp::scaled(count, unit_ns)?);
        Ok(())
    }

    /// Of several times the finest counts.
    fn finer(&mut self, stamp: Stamp) {
        if self.stamp.is_none_or(|s| stamp.resolution_ns < s.resolution_ns) {
            self.stamp = Some(stamp);
        }
    }

    fn presence(&mut self, header: &'static str, value: &Scalar<'_>) {
        if matches!(value, Scalar::Bool(true)) || matches!(value, Scalar::Text(t) if !matches!(&**t, "-" | "" | "0")) {
            self.only_known_sent.push(header);
        }
    }

    /// `[[name, value], …]`, all headers in wire order.
    fn header_list(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Reason> {
        if cursor.peek() != Some(b'[') {
            cursor.scalar()?;
            return Ok(());
        }
        cursor.expect(b'[')?;
        let mut more = !cursor.eat(b']');
        self.event.headers.reserve(USUAL_HEADERS);
        while more {
            cursor.expect(b'[')?;
            let name = cursor.string()?.into_owned();
            cursor.expect(b',')?;
            let value = any_text(cursor.scalar()?).unwrap_or_default();
            cursor.expect(b']')?;
            self.event.headers.push((name, value));
            more = cursor.more(b']')?;
        }
        Ok(())
    }

    /// `{"Name": "value or -", …}`, some headers in the order of the template.
    fn header_object(&mut self, cursor: &mut Cursor<'_>, named: &mut NamedHeaders) -> Result<(), Reason> {
        self.template = true;
        cursor.expect(b'{')?;
        let mut more = !cursor.eat(b'}');
        self.event.headers.reserve(USUAL_HEADERS);
        let mut place = 0;
        while more {
            let name = cursor.string()?;
            cursor.expect(b':')?;
            let value = text(cursor.scalar()?);
            // A template repeats its names in each record: look behind the one before first.
            if named.names().get(place).is_none_or(|known| *known != name) {
                place = named.learn(&name);
            }
            place += 1;
            if let Some(value) = value {
                let value = if is_secret(&name) { value.len().to_string() } else { value };
                self.event.headers.push((name.into_owned(), value));
            }
            more = cursor.more(b'}')?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<HttpEvent, Reason> {
        let missing = |key: Key| self.seen & (1 << key as u64) == 0;
        if missing(Key::V) {
            return Err("has no version (v)".into());
        }
        let stamp = self.stamp.ok_or("has no time (ts_ns, ts_us, ts_ms or ts)")?;
        if missing(Key::SrcIp) {
            return Err("has no src_ip".into());
        }
        let complete = !self.template && !missing(Key::Headers);
        let event = &mut self.event;
        event.ts_ns = stamp.ts_ns;
        event.ts_resolution_ns = self.resolution_ns.unwrap_or(stamp.resolution_ns);
        event.headers_complete = complete;
        for header in self.only_known_sent {
            if event.header(header).is_none() {
                event.headers.push((header.to_owned(), String::new()));
            }
        }
        if let Some(request) = &self.request {
            let line = split_request_line(request);
            event.method = event.method.take().or(line.method.map(str::to_owned));
            event.path = event.path.take().or(line.path.map(str::to_owned));
            event.query = event.query.take().or(line.query.map(str::to_owned));
            event.http_version = event.http_version.take().or(line.version.map(str::to_owned));
        }
        if self.template {
            finish_template(event, self.tls);
        }
        Ok(self.event)
    }
}

/// What differs between Apache's own words and those of the module.
fn finish_template(event: &mut HttpEvent, tls: Option<bool>) {
    if let Some(query) = &mut event.query {
        if query.starts_with('?') {
            query.remove(0);
        }
        if query.is_empty() {
            event.query = None;
        }
    }
    // %U of a request that broke off.
    event.path = event.path.take().filter(|path| path != "-");
    if event.host.is_none() {
        event.host = event.header("Host").map(str::to_owned);
    }
    if event.scheme.is_none() {
        event.scheme = tls.map(|tls| if tls { "https" } else { "http" }.to_owned());
    }
    // Apache runs each HTTP/2 request on a connection of its own inside: %k is 0 for all of them.
    if event.http_version.as_deref().is_some_and(|version| version.starts_with("HTTP/2")) {
        event.request_no = None;
    }
}

/// Address in its canonical form: IPv4 inside IPv6 becomes IPv4, a zone is dropped.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let text = text.split_once('%').map_or(text, |(address, _zone)| address);
    IpAddr::from_str(text).ok().map(|ip| ip.to_canonical())
}

/// A port; 0 is what Apache knows of a client named by a proxy's header.
fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn number<T: FromStr>(value: &Scalar<'_>) -> Option<T> {
    if let Scalar::Text(text) = value { text.parse().ok() } else { None }
}

/// `-` and the empty string are "absent"; anything else that cannot be read is noted.
fn optional<T>(value: Scalar<'_>, read: impl Fn(&str) -> Option<T>, damage: &mut Damage, note: &'static str) -> Option<T> {
    let result = match &value {
        Scalar::Null => return None,
        Scalar::Text(text) if matches!(&**text, "-" | "") => return None,
        Scalar::Text(text) => read(text),
        Scalar::Bool(_) | Scalar::Compound => None,
    };
    if result.is_none() {
        damage.note(note);
    }
    result
}

fn text(value: Scalar<'_>) -> Option<String> {
    if is_absent(&value) { None } else { any_text(value) }
}

fn is_absent(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Text(text) => text == "-",
        Scalar::Null | Scalar::Compound => true,
        Scalar::Bool(_) => false,
    }
}

fn any_text(value: Scalar<'_>) -> Option<String> {
    match value {
        Scalar::Text(text) => Some(Cow::into_owned(text)),
        Scalar::Bool(flag) => Some(flag.to_string()),
        Scalar::Null | Scalar::Compound => None,
    }
}
