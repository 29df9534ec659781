//! JA3 and JA3S (github.com/salesforce/ja3, BSD 3-Clause): the string before hashing.
//!
//! Promises: legacy version of the hello, wire order; GREASE is left out of the client's ciphers, extensions and groups; the
//! server's order and GREASE stay; empty parts leave their commas.
//!
//! Read next: `facts.rs`.

use crate::fingerprint::text::{into_text, push_decimal, push_decimal_list};
use crate::tls::hello::{ClientHello, EXT_GROUPS, ServerHello, is_grease};

/// `version,ciphers,extensions,groups,point formats`.
#[must_use]
pub fn ja3_raw(hello: &ClientHello<'_>) -> String {
    // Most values have five digits or two, and a dash.
    let mut out = Vec::with_capacity(64 + hello.cipher_suites.len() * 6 + hello.extension_count() * 6);
    push_decimal(&mut out, u64::from(hello.legacy_version));
    out.push(b',');
    push_decimal_list(&mut out, hello.cipher_suites.without_grease());
    out.push(b',');
    push_decimal_list(&mut out, hello.extensions.kinds().filter(|kind| !is_grease(*kind)));
    out.push(b',');
    push_decimal_list(&mut out, hello.u16_list(EXT_GROUPS).without_grease());
    out.push(b',');
    push_decimal_list(&mut out, hello.point_formats().iter().map(|format| u16::from(*format)));
    into_text(out)
}

/// `version,cipher,extensions`.
#[must_use]
pub fn ja3s_raw(hello: &ServerHello<'_>) -> String {
    let mut out = Vec::with_capacity(48);
    push_decimal(&mut out, u64::from(hello.legacy_version));
    out.push(b',');
    push_decimal(&mut out, u64::from(hello.cipher_suite));
    out.push(b',');
    push_decimal_list(&mut out, hello.extensions.iter().map(|e| e.kind));
    into_text(out)
}
