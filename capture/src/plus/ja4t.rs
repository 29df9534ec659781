//! JA4T and JA4TS, the client's SYN and the server's SYN-ACK (FoxIO-LLC/ja4, JA4T; FoxIO License 1.1, see `mod.rs`).
//!
//! Promises: `window_options_mss_wscale` with the raw window field; option kinds in wire order including every NOP and every
//! end-of-list byte; `0` for an MSS or window scale that is absent (sources disagree between `0` and `00`; see `docs/DEVIATIONS.md`).
//!
//! Read next: `../flow/syn.rs` (keeps the SYN).

use crate::fingerprint::text::{into_text, push_decimal};
use crate::flow::syn::Syn;

/// The fingerprint of one SYN or SYN-ACK.
#[must_use]
pub fn ja4t(syn: &Syn) -> String {
    let mut out = Vec::with_capacity(40);
    push_decimal(&mut out, u64::from(syn.window));
    out.push(b'_');
    syn.push_options(&mut out);
    out.push(b'_');
    push_decimal(&mut out, u64::from(syn.mss().unwrap_or(0)));
    out.push(b'_');
    push_decimal(&mut out, u64::from(syn.wscale().unwrap_or(0)));
    into_text(out)
}
