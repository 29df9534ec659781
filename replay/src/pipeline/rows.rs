//! The stage that makes rows: joined requests and lone handshakes to chunks of columns, on a thread of its own.
//!
//! Promises: chunks are cut by number of rows alone, so that they are the same in every run.
//!
//! Read next: `ja4_join::enrich`, `../store/duckdb/lanes.rs` (who stores them).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use ja4_event::NetworkEvent;
use ja4_join::correlate::Joined;
use ja4_join::enrich::{Enricher, HttpSourceInfo};
use ja4_join::httplog::NamedHeaders;
use ja4_join::row::{HttpLogRow, Text};
use sha2::{Digest as _, Sha256};

use super::truth::Claims;
use crate::ReplayError;
use crate::store::TlsOnlyRow;
use crate::store::chunk::{CHUNK_ROWS, Chunk};

/// What the join gave since the last time.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub joined: Vec<Joined>,
    pub tls_only: Vec<Arc<NetworkEvent>>,
}

/// Makes chunks of everything that comes until the sender is gone, or until nobody takes them.
pub(super) fn make(
    enricher: &mut Enricher,
    sources: &[NamedHeaders],
    mut claims: Option<&mut Claims>,
    from: &Receiver<Decided>,
    out: &SyncSender<Chunk>,
) -> Result<(), ReplayError> {
    let failed = |error| ReplayError::columns(&error);
    let mut rows: Vec<HttpLogRow> = Vec::with_capacity(CHUNK_ROWS);
    let mut handshakes: Vec<TlsOnlyRow> = Vec::new();
    for decided in from {
        for joined in &decided.joined {
            let index = usize::try_from(joined.source.0).unwrap_or(usize::MAX);
            let named_headers = sources.get(index).map_or(&[][..], NamedHeaders::names);
            let row = enricher.row(joined, &HttpSourceInfo { named_headers });
            if let Some(claims) = &mut claims {
                claims.row(&row);
            }
            rows.push(row);
            if rows.len() == CHUNK_ROWS {
                // The store has the reason why it takes no more.
                let Ok(()) = out.send(Chunk::of_requests(&rows).map_err(failed)?) else { return Ok(()) };
                rows.clear();
            }
        }
        for event in &decided.tls_only {
            handshakes.push(tls_only(event));
            if handshakes.len() == CHUNK_ROWS {
                let Ok(()) = out.send(Chunk::of_handshakes(&handshakes).map_err(failed)?) else { return Ok(()) };
                handshakes.clear();
            }
        }
    }
    for rest in [Chunk::of_requests(&rows).map_err(failed)?, Chunk::of_handshakes(&handshakes).map_err(failed)?] {
        if rest.rows() > 0 {
            let _ = out.send(rest);
        }
    }
    Ok(())
}

/// The row of a handshake that carried no request.
pub(crate) fn tls_only(event: &NetworkEvent) -> TlsOnlyRow {
    let text = |value: &Option<String>| Text::from(value.as_deref().unwrap_or_default());
    let protocol = match event.protocol {
        ja4_event::Protocol::Tls => "tls",
        ja4_event::Protocol::Quic => "quic",
        ja4_event::Protocol::Dtls => "dtls",
        ja4_event::Protocol::Http => "http",
    };
    let texts = [
        Text::from(event.src_ip.to_canonical().to_string()),
        Text::from(event.dst_ip.to_canonical().to_string()),
        Text::from(protocol),
        text(&event.sni),
        Text::from(event.alpn.join(",")),
        text(&event.ja3),
        text(&event.ja4),
        text(&event.ja4_r),
        text(&event.ja4s),
        text(&event.ja4t),
        text(&event.tcp_options),
    ];
    let unknown = |value: Option<i64>| value.unwrap_or(-1);
    let ints = [
        i64::from(event.src_port),
        i64::from(event.dst_port),
        unknown(event.tls_version.map(i64::from)),
        unknown(event.ip_ttl.map(i64::from)),
        unknown(event.tcp_window.map(i64::from)),
        unknown(event.tcp_mss.map(i64::from)),
        unknown(event.tcp_wscale.map(i64::from)),
    ];
    let mut hash = Sha256::new();
    hash.update(event.ts_ns.to_le_bytes());
    for value in ints {
        hash.update(value.to_le_bytes());
    }
    for text in &texts {
        hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let half = |from: usize| digest.get(from..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| i64::from_be_bytes(*bytes));
    TlsOnlyRow { ts_ns: event.ts_ns, key: (half(0), half(8)), texts, ints }
}
