//! Log lines: as the Apache module, as the JSON `LogFormat` and as Combined with ports write them.
//!
//! Promises: one line a request; the server's clock is ahead by the scenario's skew; the readers of `ja4-join` take every line
//! (a test replays them).
//!
//! Read next: `docs/CONTRACTS.md` (HTTP event), `datasets/record/logformat.conf`.

use std::borrow::Cow;
use std::io::Write as _;

use super::cast::{Dress, Group};
use super::emit::outfit;
use super::scenario::Scenario;
use super::site::Purpose;
use super::visit::{Connection, Request};

/// Everything a line is made of.
pub struct Line<'l, 'a> {
    /// The scenario.
    pub scenario: &'l Scenario,
    /// Whose visit.
    pub group: &'l Group<'a>,
    /// On which connection.
    pub connection: &'l Connection<'a>,
    /// The request.
    pub request: &'l Request,
}

impl Line<'_, '_> {
    fn ts_us(&self) -> i64 {
        self.request.at_ns.saturating_add(self.scenario.log_skew.0).div_euclid(1_000)
    }

    fn host(&self) -> &str {
        self.scenario.site.get(self.connection.site).map_or("", |site| site.host.as_str())
    }

    fn dress(&self) -> Option<&Dress> {
        outfit(self.group, self.connection)?.dress.get(self.request.target.purpose.place())
    }

    fn method(&self) -> &str {
        match (self.request.target.purpose, self.dress()) {
            (Purpose::Form, _) => "POST",
            (_, Some(dress)) if dress.method == "HEAD" => "HEAD",
            _ => "GET",
        }
    }

    fn version(&self) -> &str {
        if self.connection.h2 { "HTTP/2.0" } else { self.dress().map_or("HTTP/1.1", |dress| dress.old_version) }
    }

    fn request_bytes(&self) -> usize {
        let headers = self.dress().map_or(0, |dress| usize::try_from(dress.bytes).unwrap_or(0));
        headers + self.request.target.path.len() + self.host().len() + self.request.referer.as_ref().map_or(0, String::len) + 40
    }

    fn referer(&self) -> Option<&str> {
        self.request.referer.as_deref().filter(|_| self.dress().is_some_and(|dress| dress.refers))
    }

    /// Headers as a browser sends them with a page that no other page led to.
    fn arriving<'h>(&self, headers: &'h str) -> Cow<'h, str> {
        if self.request.referer.is_some() || self.request.target.purpose != Purpose::Page {
            return Cow::Borrowed(headers);
        }
        Cow::Owned(headers.replace("\"same-origin\"", "\"none\""))
    }

    /// A visitor that keeps cookies has one from the second request on.
    fn has_cookie(&self) -> bool {
        self.referer().is_some()
    }
}

// Writing to a vector cannot fail, so the results of `write!` below say nothing.

/// JSON lines of the module.
pub fn module(out: &mut Vec<u8>, line: &Line<'_, '_>) {
    let (connection, target, dress) = (line.connection, &line.request.target, line.dress());
    let host = line.host();
    let _ = write!(
        out,
        "{{\"v\":1,\"ts_ns\":{}000,\"ts_resolution_ns\":1000,\"src_ip\":\"{}\",\"src_port\":{},\"dst_ip\":\"{}\",\"dst_port\":{},\
         \"client_ip\":\"{}\",\"server\":\"{host}\",\"conn_id\":\"1f3-{:x}\",\"request_no\":{},\"scheme\":\"https\",\"method\":\"{}\",\
         \"host\":\"{host}\",\"path\":\"{}\",\"query\":\"{}\",\"http_version\":\"{}\",\"status\":{},\"request_bytes\":{},\
         \"response_bytes\":{},\"duration_us\":{},\"headers\":[",
        line.ts_us(),
        connection.src.0,
        connection.src.1,
        connection.dst.0,
        connection.dst.1,
        connection.src.0,
        connection.serial,
        line.request.number,
        line.method(),
        target.path,
        target.query,
        line.version(),
        target.status,
        line.request_bytes(),
        target.bytes.saturating_add(300),
        line.request.duration_ns / 1_000,
    );
    let mut first = true;
    let mut push = |out: &mut Vec<u8>, text: &str| {
        if !text.is_empty() {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(text.as_bytes());
        }
    };
    let name = |h1: &'static str, h2: &'static str| if connection.h2 { h2 } else { h1 };
    if !connection.h2 {
        push(out, &format!("[\"Host\",\"{host}\"]"));
    }
    if let Some(dress) = dress {
        push(out, &line.arriving(if connection.h2 { &dress.module_h2 } else { &dress.module_h1 }));
    }
    if target.purpose == Purpose::Form {
        push(out, &format!("[\"{}\",\"application/x-www-form-urlencoded\"]", name("Content-Type", "content-type")));
    }
    if let Some(referer) = line.referer() {
        push(out, &format!("[\"{}\",\"https://{host}{referer}\"]", name("Referer", "referer")));
    }
    if line.has_cookie() {
        push(out, &format!("[\"{}\",\"36\"]", name("Cookie", "cookie")));
    }
    out.push(b']');
    if connection.h2
        && let Some(outfit) = outfit(line.group, connection)
        && !outfit.h2.is_empty()
    {
        let _ = write!(out, ",\"h2\":\"{}\"", outfit.h2);
    }
    out.extend_from_slice(b"}\n");
}

/// JSON lines of the `LogFormat`.
pub fn logformat(out: &mut Vec<u8>, line: &Line<'_, '_>) {
    let (connection, target) = (line.connection, &line.request.target);
    let host = line.host();
    let mark = if target.query.is_empty() { "" } else { "?" };
    let _ = write!(
        out,
        "{{\"v\":1,\"ts_us\":{},\"src_ip\":\"{}\",\"src_port\":{},\"dst_ip\":\"{}\",\"dst_port\":{},\"client_ip\":\"{}\",\
         \"server\":\"{host}\",\"request_no\":{},\"scheme\":\"https\",\"method\":\"{}\",\"host\":\"{host}\",\"path\":\"{}\",\
         \"query\":\"{mark}{}\",\"http_version\":\"{}\",\"status\":{},\"request_bytes\":{},\"response_bytes\":{},\"duration_us\":{},\
         \"conn_status\":\"+\",\"tls_protocol\":\"{}\",\"tls_cipher\":\"-\",\"tls_resumed\":\"Initial\",\"h2_stream\":\"{}\",\
         \"has_cookie\":\"{}\",\"has_authorization\":\"-\",\"h\":{{",
        line.ts_us(),
        connection.src.0,
        connection.src.1,
        connection.dst.0,
        connection.dst.1,
        connection.src.0,
        // Over HTTP/2 %k counts each stream as a connection of its own.
        if connection.h2 { 0 } else { line.request.number },
        line.method(),
        target.path,
        target.query,
        line.version(),
        target.status,
        line.request_bytes(),
        target.bytes.saturating_add(300),
        line.request.duration_ns / 1_000,
        if connection.handshake.is_tls13() { "TLSv1.3" } else { "TLSv1.2" },
        if connection.h2 { (line.request.number * 2 + 1).to_string() } else { "-".to_owned() },
        if line.has_cookie() { "1" } else { "-" },
    );
    let empty = [String::new(), String::new()];
    let [before, after] = line.dress().map_or(&empty, |dress| &dress.logformat);
    out.extend_from_slice(before.as_bytes());
    match line.referer() {
        Some(referer) => {
            let _ = write!(out, ",\"Referer\":\"https://{host}{referer}\",");
        }
        None => out.extend_from_slice(b",\"Referer\":\"-\","),
    }
    out.extend_from_slice(line.arriving(after).as_bytes());
    out.extend_from_slice(b"}}\n");
}

/// Combined, then the client's port, the server's port and the peer.
pub fn combined(out: &mut Vec<u8>, line: &Line<'_, '_>) {
    let (connection, target) = (line.connection, &line.request.target);
    let second = line.ts_us().div_euclid(1_000_000);
    let time = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let mark = if target.query.is_empty() { "" } else { "?" };
    let referer = line.referer().map_or_else(|| "-".to_owned(), |referer| format!("https://{}{referer}", line.host()));
    let agent = line.dress().map_or("\"-\"", |dress| dress.user_agent.as_str());
    let _ = writeln!(
        out,
        "{} - - [{}] \"{} {}{mark}{} {}\" {} {} \"{referer}\" {agent} {} {} {}",
        connection.src.0,
        time.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        line.method(),
        target.path,
        target.query,
        line.version(),
        target.status,
        target.bytes.saturating_add(300),
        connection.src.1,
        connection.dst.1,
        connection.src.0,
    );
}
