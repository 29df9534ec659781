//! The columns that all requests of one handshake share, made once per handshake.
//!
//! Promises: unknown is `-1` or empty; the cache is a fixed number of places, keyed by the shared handshake itself.
//!
//! Read next: `enricher.rs`.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use ja4_event::{NetworkEvent, Protocol};

use super::cache::TextCache;
use super::ja4_table::Ja4Names;
use super::tables::Tables;
use crate::row::Text;

/// Places of the cache: the connections that are busy at once; each holds a handshake and its columns, some 3 KB.
const PLACES: usize = 16_384;

/// Columns of a handshake; see `row.rs` for each.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "documented in row.rs under the same names")]
pub struct HandshakeColumns {
    pub protocol: Text,
    pub sni: Text,
    pub alpn: Text,
    pub tls_version: i64,
    pub ja3: Text,
    pub ja4: Text,
    pub ja4_r: Text,
    pub ja4_o: Text,
    pub ja4s: Text,
    pub ja4t: Text,
    pub ja4ts: Text,
    pub ja4l_us: i64,
    pub hello_ts_ns: i64,
    pub hello_bytes: i64,
    pub hello_segments: i64,
    pub cipher_count: i64,
    pub extension_count: i64,
    pub grease: i64,
    pub resumption: i64,
    pub ech: i64,
    pub ip_ttl: i64,
    pub ip_df: i64,
    pub tcp_window: i64,
    pub tcp_mss: i64,
    pub tcp_wscale: i64,
    pub tcp_options: Text,
    pub syn_to_hello_us: i64,
    pub h2: Text,
    pub names: Ja4Names,
}

/// Columns by handshake.
#[derive(Debug, Clone)]
pub struct HandshakeCache {
    places: Vec<Option<(Arc<NetworkEvent>, Arc<HandshakeColumns>)>>,
    unknown: Arc<HandshakeColumns>,
}

impl HandshakeCache {
    /// An empty cache.
    #[must_use]
    pub fn new(empty: &Text) -> Self {
        Self { places: vec![None; PLACES], unknown: Arc::new(unknown(empty)) }
    }

    /// Columns of `handshake`, or all unknown.
    pub fn of(
        &mut self,
        handshake: Option<&Arc<NetworkEvent>>,
        tables: &Tables,
        texts: &mut TextCache<()>,
        empty: &Text,
    ) -> Arc<HandshakeColumns> {
        let Some(handshake) = handshake else { return Arc::clone(&self.unknown) };
        // The address names the handshake as long as the place holds a share of it.
        let at = FixedState::default().hash_one(Arc::as_ptr(handshake).addr()) as usize % PLACES;
        let Some(place) = self.places.get_mut(at) else { return Arc::clone(&self.unknown) };
        if let Some((held, columns)) = place
            && Arc::ptr_eq(held, handshake)
        {
            return Arc::clone(columns);
        }
        let columns = Arc::new(columns(handshake, tables, texts, empty));
        *place = Some((Arc::clone(handshake), Arc::clone(&columns)));
        columns
    }
}

fn columns(e: &NetworkEvent, tables: &Tables, texts: &mut TextCache<()>, empty: &Text) -> HandshakeColumns {
    let mut text = |value: Option<&str>| match value {
        Some(value) if !value.is_empty() => texts.get(value, |_| ()).0,
        _ => Arc::clone(empty),
    };
    let protocol = match e.protocol {
        Protocol::Tls => "tls",
        Protocol::Quic => "quic",
        Protocol::Dtls => "dtls",
        Protocol::Http => "http",
    };
    let alpn = e.alpn.join(",");
    HandshakeColumns {
        protocol: text(Some(protocol)),
        sni: text(e.sni.as_deref()),
        alpn: text(Some(&alpn)),
        tls_version: number(e.tls_version),
        ja3: text(e.ja3.as_deref()),
        ja4: text(e.ja4.as_deref()),
        ja4_r: text(e.ja4_r.as_deref()),
        ja4_o: text(e.ja4_o.as_deref()),
        ja4s: text(e.ja4s.as_deref()),
        ja4t: text(e.ja4t.as_deref()),
        ja4ts: text(e.ja4ts.as_deref()),
        ja4l_us: e.ja4l_c.as_deref().and_then(|ja4l| ja4l.split('_').next()?.parse().ok()).filter(|us| *us >= 0).unwrap_or(-1),
        hello_ts_ns: e.ts_ns,
        hello_bytes: number(e.hello_bytes),
        hello_segments: number(e.hello_segments),
        cipher_count: number(e.cipher_count),
        extension_count: number(e.extension_count),
        grease: number(e.grease),
        resumption: number(e.resumption),
        ech: number(e.ech),
        ip_ttl: number(e.ip_ttl),
        ip_df: number(e.ip_df),
        tcp_window: number(e.tcp_window),
        tcp_mss: number(e.tcp_mss),
        tcp_wscale: number(e.tcp_wscale),
        tcp_options: text(e.tcp_options.as_deref()),
        syn_to_hello_us: e.syn_to_hello_us.filter(|us| *us >= 0).unwrap_or(-1),
        h2: text(e.h2.as_deref()),
        names: tables.ja4.names(e.ja4.as_deref().unwrap_or(""), empty),
    }
}

fn number(value: Option<impl Into<i64>>) -> i64 {
    value.map_or(-1, Into::into)
}

fn unknown(empty: &Text) -> HandshakeColumns {
    let text = || Arc::clone(empty);
    HandshakeColumns {
        protocol: text(),
        sni: text(),
        alpn: text(),
        tls_version: -1,
        ja3: text(),
        ja4: text(),
        ja4_r: text(),
        ja4_o: text(),
        ja4s: text(),
        ja4t: text(),
        ja4ts: text(),
        ja4l_us: -1,
        hello_ts_ns: -1,
        hello_bytes: -1,
        hello_segments: -1,
        cipher_count: -1,
        extension_count: -1,
        grease: -1,
        resumption: -1,
        ech: -1,
        ip_ttl: -1,
        ip_df: -1,
        tcp_window: -1,
        tcp_mss: -1,
        tcp_wscale: -1,
        tcp_options: text(),
        syn_to_hello_us: -1,
        h2: text(),
        names: Ja4Names { browser: text(), bot: text() },
    }
}
