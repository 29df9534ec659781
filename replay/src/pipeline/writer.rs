//! The stage that stores: joined requests to rows, rows to the database, on a thread of its own.
//!
//! Promises: batches are cut by number of rows alone, so that they are the same in every run; each is stored whole or not.
//!
//! Read next: `ja4_join::enrich`, `../store/duckdb/append.rs`.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use ja4_event::NetworkEvent;
use ja4_join::correlate::Joined;
use ja4_join::enrich::{Enricher, HttpSourceInfo};
use ja4_join::httplog::NamedHeaders;
use ja4_join::row::{HttpLogRow, Text};
use sha2::{Digest as _, Sha256};

use crate::ReplayError;
use crate::store::{Appended, Store, TlsOnlyRow};

/// Rows stored in one transaction.
const ROWS_PER_BATCH: usize = 65_536;
/// Handshakes stored in one transaction.
const HANDSHAKES_PER_BATCH: usize = 16_384;

/// What the join gave since the last time.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub joined: Vec<Joined>,
    pub tls_only: Vec<Arc<NetworkEvent>>,
}

/// Stores everything that comes until the sender is gone.
pub(super) fn write(
    store: &mut dyn Store,
    enricher: &mut Enricher,
    sources: &[NamedHeaders],
    from: &Receiver<Decided>,
) -> Result<Appended, ReplayError> {
    let mut rows: Vec<HttpLogRow> = Vec::with_capacity(ROWS_PER_BATCH);
    let mut handshakes: Vec<TlsOnlyRow> = Vec::new();
    let mut done = Appended::default();
    for decided in from {
        for joined in &decided.joined {
            let index = usize::try_from(joined.source.0).unwrap_or(usize::MAX);
            let named_headers = sources.get(index).map_or(&[][..], NamedHeaders::names);
            rows.push(enricher.row(joined, &HttpSourceInfo { named_headers }));
            if rows.len() == ROWS_PER_BATCH {
                done += store.append(&rows)?;
                rows.clear();
            }
        }
        handshakes.extend(decided.tls_only.iter().map(|event| tls_only(event)));
        if handshakes.len() >= HANDSHAKES_PER_BATCH {
            store.append_tls_only(&handshakes)?;
            handshakes.clear();
        }
    }
    done += store.append(&rows)?;
    store.append_tls_only(&handshakes)?;
    Ok(done)
}

fn tls_only(event: &NetworkEvent) -> TlsOnlyRow {
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
