//! Records and events out of the state of a connection.
//!
//! Promises: pure; the same state gives the same values, whoever asks and when.
//!
//! Read next: `../record.rs`, `ja4_event::NetworkEvent`.

use ja4_event::{EVENT_VERSION, HttpEvent, NetworkEvent, Protocol, Transport};

use crate::fingerprint::text::{into_text, name_text};
use crate::fingerprint::{ClientFacts, ServerFacts};
use crate::flow::key::{FlowKey, Side};
use crate::http::{Header, Request};
use crate::record::ConnectionRecord;
use crate::sensor::tcp::{ClientSide, TcpFlow};
use crate::sensor::udp::UdpFlow;

/// The record of a TCP connection, whose values it takes.
#[must_use]
pub fn tcp_record(key: &FlowKey, flow: &mut TcpFlow) -> ConnectionRecord {
    let (client, server) = (key.end(flow.client_side), key.end(flow.client_side.other()));
    let mut record = ConnectionRecord::new(client, server, Transport::Tcp, flow.start_ns, flow.number);
    record.set_hellos(flow.client.take().map(|client| client.facts), flow.server.take().map(|server| *server));
    record.ja4t = ja4t(flow.syn.as_ref().map(|(syn, _)| syn));
    record.ja4ts = ja4t(flow.syn_ack.as_ref().map(|(syn, _)| syn));
    record.ja4l_c = tcp_ja4l_c(flow);
    record.ja4l_s = tcp_ja4l_s(flow);
    record.ja4x = std::mem::take(&mut flow.ja4x);
    flow.app.finish();
    let values = &mut flow.app.values;
    record.ja4h = std::mem::take(&mut values.ja4h);
    record.ja4h_r = std::mem::take(&mut values.ja4h_r);
    record.ja4ssh = std::mem::take(&mut values.ja4ssh);
    record.h2 = std::mem::take(&mut values.h2);
    record
}

/// The event of a TCP connection that showed a ClientHello or clear-text HTTP; `None` if it showed neither.
#[must_use]
pub fn tcp_event(key: &FlowKey, flow: &TcpFlow, server: Option<&ServerFacts>) -> Option<NetworkEvent> {
    let (ts_ns, protocol) = match (&flow.client, flow.app.values.http_ns) {
        (Some(client), _) => (client.ts_ns, Protocol::Tls),
        (None, Some(ts_ns)) => (ts_ns, Protocol::Http),
        (None, None) => return None,
    };
    let mut event = bare_event(key, flow.client_side, ts_ns, Transport::Tcp, protocol);
    event.start_ns = flow.start_ns;
    if let Some((ttl, dont_fragment)) = flow.first_ip.get(flow.client_side.index()).copied().flatten() {
        event.ip_ttl = Some(ttl);
        event.ip_df = dont_fragment;
    }
    if let Some((syn, _)) = &flow.syn {
        event.tcp_window = Some(syn.window);
        event.tcp_mss = syn.mss();
        event.tcp_wscale = syn.wscale();
        let mut options = Vec::new();
        syn.push_options(&mut options);
        event.tcp_options = Some(into_text(options)).filter(|text| !text.is_empty());
        event.syn_to_hello_us = ts_ns.checked_sub(syn.ts_ns).map(|ns| ns / 1000).filter(|us| *us >= 0);
    }
    event.ja4t = ja4t(flow.syn.as_ref().map(|(syn, _)| syn));
    event.ja4ts = ja4t(flow.syn_ack.as_ref().map(|(syn, _)| syn));
    event.ja4l_c = tcp_ja4l_c(flow);
    event.h2 = flow.app.values.h2.first().cloned();
    if let Some(client) = &flow.client {
        set_client(&mut event, client);
    }
    set_server(&mut event, server);
    Some(event)
}

/// The record of a QUIC or DTLS conversation.
#[must_use]
pub fn udp_record(key: &FlowKey, flow: UdpFlow) -> ConnectionRecord {
    let (client, server) = (key.end(flow.client_side), key.end(flow.client_side.other()));
    let mut record = ConnectionRecord::new(client, server, Transport::Udp, flow.start_ns, flow.number);
    (record.ja4l_c, record.ja4l_s) = flow.ja4l();
    (record.ja4h, record.ja4h_r) = (flow.ja4h, flow.ja4h_r);
    record.set_hellos(flow.client.map(|client| client.facts), flow.server.map(|server| *server));
    record
}

/// The event of a QUIC or DTLS conversation that showed a ClientHello.
#[must_use]
pub fn udp_event(key: &FlowKey, flow: &UdpFlow, server: Option<&ServerFacts>) -> Option<NetworkEvent> {
    let client = flow.client.as_ref()?;
    let mut event = bare_event(key, flow.client_side, client.ts_ns, Transport::Udp, flow.protocol());
    event.start_ns = flow.start_ns;
    if let Some((ttl, dont_fragment)) = flow.first_ip.get(flow.client_side.index()).copied().flatten() {
        event.ip_ttl = Some(ttl);
        event.ip_df = dont_fragment;
    }
    set_client(&mut event, client);
    set_server(&mut event, server);
    Some(event)
}

/// What a request came over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Over<'a> {
    /// TLS, or QUIC with TLS inside.
    pub is_tls: bool,
    /// HTTP/2 settings fingerprint of the connection.
    pub h2: Option<&'a String>,
}

/// The event of one HTTP request read on the wire.
#[must_use]
pub fn http_event(key: &FlowKey, client_side: Side, over: Over<'_>, ts_ns: i64, number: u32, request: &Request) -> HttpEvent {
    let ((src_ip, src_port), (dst_ip, dst_port)) = (key.end(client_side), key.end(client_side.other()));
    let text = |bytes: &[u8]| Some(name_text(bytes)).filter(|text| !text.is_empty());
    let mut parts = request.target.splitn(2, |byte| *byte == b'?');
    let (path, query) = (parts.next().unwrap_or_default(), parts.next());
    let header = |header: &Header| {
        // Values that identify a person are replaced by their length, as the server's own log does.
        let secret = SECRET_HEADERS.iter().any(|name| header.name.eq_ignore_ascii_case(name));
        let value = if secret { header.value.len().to_string() } else { name_text(&header.value) };
        (name_text(&header.name), value)
    };
    HttpEvent {
        v: EVENT_VERSION,
        ts_ns,
        src_ip: Some(src_ip),
        src_port: Some(src_port),
        dst_ip: Some(dst_ip),
        dst_port: Some(dst_port),
        client_ip: Some(src_ip),
        request_no: Some(number),
        scheme: Some(if over.is_tls { "https" } else { "http" }.to_owned()),
        method: text(&request.method),
        host: text(request.host()),
        path: text(path),
        query: query.and_then(text),
        http_version: Some(request.version.protocol().to_owned()),
        headers: request.headers.iter().map(header).collect(),
        headers_complete: true,
        h2: over.h2.cloned(),
        ts_resolution_ns: 1,
        ..HttpEvent::default()
    }
}

/// Header fields whose values are replaced by their length.
const SECRET_HEADERS: [&[u8]; 5] = [b"cookie", b"authorization", b"proxy-authorization", b"set-cookie", b"x-api-key"];

fn set_client(event: &mut NetworkEvent, client: &ClientSide) {
    let facts = &client.facts;
    let ClientFacts { version, sni, alpn, texts, .. } = facts;
    event.tls_version = Some(*version);
    event.sni.clone_from(sni);
    event.alpn.clone_from(alpn);
    event.hello_bytes = Some(facts.hello_bytes);
    event.hello_segments = Some(client.segments);
    event.cipher_count = Some(facts.cipher_count);
    event.extension_count = Some(facts.extension_count);
    event.grease = Some(facts.grease);
    event.resumption = Some(facts.resumption);
    event.ech = Some(facts.ech);
    event.ja3 = Some(texts.ja3.clone());
    event.ja3_raw = Some(texts.ja3_raw.clone());
    event.ja4 = Some(texts.ja4.ja4.clone());
    event.ja4_r = Some(texts.ja4.ja4_r.clone());
    event.ja4_o = Some(texts.ja4.ja4_o.clone());
}

fn set_server(event: &mut NetworkEvent, server: Option<&ServerFacts>) {
    if let Some(server) = server {
        event.tls_version = Some(server.version);
        event.ja3s = Some(server.texts.ja3s.clone());
        event.ja4s.clone_from(&server.texts.ja4s);
    }
}

fn tcp_ja4l_c(flow: &TcpFlow) -> Option<String> {
    #[cfg(feature = "ja4plus")]
    if let (Some((syn_ack, _)), Some((ack_ns, ttl))) = (&flow.syn_ack, flow.ack) {
        return crate::plus::ja4l::ja4l(syn_ack.ts_ns, ack_ns, ttl);
    }
    let _ = flow;
    None
}

fn tcp_ja4l_s(flow: &TcpFlow) -> Option<String> {
    #[cfg(feature = "ja4plus")]
    if let (Some((syn, _)), Some((syn_ack, _))) = (&flow.syn, &flow.syn_ack) {
        return crate::plus::ja4l::ja4l(syn.ts_ns, syn_ack.ts_ns, syn_ack.ttl);
    }
    let _ = flow;
    None
}

fn ja4t(syn: Option<&crate::flow::syn::Syn>) -> Option<String> {
    #[cfg(feature = "ja4plus")]
    return syn.map(crate::plus::ja4t::ja4t);
    #[cfg(not(feature = "ja4plus"))]
    {
        let _ = syn;
        None
    }
}

fn bare_event(key: &FlowKey, client: Side, ts_ns: i64, transport: Transport, protocol: Protocol) -> NetworkEvent {
    let ((src_ip, src_port), (dst_ip, dst_port)) = (key.end(client), key.end(client.other()));
    NetworkEvent {
        v: EVENT_VERSION,
        ts_ns,
        src_ip,
        src_port,
        dst_ip,
        dst_port,
        transport,
        start_ns: ts_ns,
        protocol,
        ip_ttl: None,
        ip_df: None,
        tcp_window: None,
        tcp_mss: None,
        tcp_wscale: None,
        tcp_options: None,
        syn_to_hello_us: None,
        tls_version: None,
        sni: None,
        alpn: Vec::new(),
        hello_bytes: None,
        hello_segments: None,
        cipher_count: None,
        extension_count: None,
        grease: None,
        resumption: None,
        ech: None,
        ja3: None,
        ja3_raw: None,
        ja3s: None,
        ja4: None,
        ja4_r: None,
        ja4_o: None,
        ja4s: None,
        ja4t: None,
        ja4ts: None,
        ja4l_c: None,
        h2: None,
    }
}
