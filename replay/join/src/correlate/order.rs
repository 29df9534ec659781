//! The order of handshakes, which must not depend on the order in which they arrive.
//!
//! Promises: total; two handshakes are equal only if they are the same event.
//!
//! Read next: `handshakes.rs`, `guess.rs`.

use std::cmp::Ordering;

use ja4_event::NetworkEvent;

use super::key::{PeerKey, ip_number};

/// Order on a key: by time, then by content, so that two handshakes of one instant stand alike whichever arrived first.
#[must_use]
pub fn order(a: &NetworkEvent, b: &NetworkEvent) -> Ordering {
    a.ts_ns.cmp(&b.ts_ns).then_with(|| {
        if a == b {
            return Ordering::Equal;
        }
        let rest =
            |e: &NetworkEvent| (ip_number(e.dst_ip), e.dst_port, e.transport, e.start_ns, e.hello_bytes, e.ip_ttl, e.tcp_window);
        let texts = (&a.ja4_o, &a.ja3, &a.ja4, &a.sni).cmp(&(&b.ja4_o, &b.ja3, &b.ja4, &b.sni));
        // The last resort compares everything; it is reached only by two handshakes of one instant that look alike.
        texts.then_with(|| rest(a).cmp(&rest(b))).then_with(|| serde_json::to_string(a).ok().cmp(&serde_json::to_string(b).ok()))
    })
}

/// The same over all keys: time, then client, then content.
#[must_use]
pub fn order_with_key(a: &NetworkEvent, b: &NetworkEvent) -> Ordering {
    let key = |e: &NetworkEvent| (e.ts_ns, PeerKey::new(e.src_ip, e.src_port));
    key(a).cmp(&key(b)).then_with(|| order(a, b))
}
