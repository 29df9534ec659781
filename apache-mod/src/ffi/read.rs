//! What httpd hands over, as Rust reads it: strings, addresses, tables.
//!
//! Why unsafe: pointers of C. What is relied on is said in the head of `../ffi.rs`: what a hook is given is valid while it runs.
//!
//! Promises: nothing is copied or written; null is none, and a table without entries is empty.
//!
//! Read next: `../ffi.rs`.

use std::ffi::{CStr, c_char, c_uchar};
use std::net::{IpAddr, SocketAddr};

use super::httpd::{self, apr_sockaddr_t, apr_table_entry_t, apr_table_t};

/// The bytes of a C string that lives at least as long as the call of the hook.
pub(super) fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: null or one of httpd's, ended by NUL.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Address and port; an IPv4 address within IPv6 as what it is. None for a UNIX socket.
pub(super) fn address(address: *const apr_sockaddr_t) -> Option<SocketAddr> {
    // SAFETY: httpd's; the pointer and length describe the address inside the structure.
    let (octets, port) = unsafe {
        let address = address.as_ref()?;
        let len = usize::try_from(address.ipaddr_len).ok().filter(|_| !address.ipaddr_ptr.is_null())?;
        (std::slice::from_raw_parts(address.ipaddr_ptr.cast::<c_uchar>(), len), address.port)
    };
    let ip = match octets.len() {
        4 => IpAddr::from(*octets.first_chunk::<4>()?),
        16 => IpAddr::from(*octets.first_chunk::<16>()?),
        _ => return None, // a UNIX socket
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Names and values of a table in its order.
pub(super) fn entries<'a>(table: *const apr_table_t) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    // SAFETY: httpd's table; its array holds `nelts` entries.
    let all: &'a [apr_table_entry_t] = unsafe {
        match (!table.is_null()).then(|| httpd::apr_table_elts(table)).and_then(|array| array.as_ref()) {
            Some(array) if array.nelts > 0 => {
                std::slice::from_raw_parts(array.elts.cast(), usize::try_from(array.nelts).unwrap_or(0))
            }
            _ => &[],
        }
    };
    all.iter()
        .filter(|entry| !entry.key.is_null())
        .map(|entry| (bytes(entry.key).unwrap_or_default(), bytes(entry.val).unwrap_or_default()))
}
