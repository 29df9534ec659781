//! `mod_reqin_log`: an Apache httpd 2.4 module that logs every request as one JSON datagram to a UNIX socket.
//!
//! Promises: a worker never waits for the collector (non-blocking socket; a record that does not fit is dropped and counted);
//! no panic crosses into httpd; a record never exceeds its limit, and nothing larger than the record is allocated for it.
//!
//! All but two files are safe Rust without httpd, tested alone: [`h2fp`] reads the HTTP/2 preface, [`record`] and [`json`]
//! write the record, [`transaction`] fills it, [`policy`] holds the directives, [`outlet`] the sockets and the drop counters,
//! [`guard`] stops panics.
//! `unsafe` is in `ffi.rs` and `ffi/read.rs` only: they bind them to httpd's hooks. User's view: `docs/APACHE.md`.

pub mod guard;
pub mod h2fp;
pub mod hpack;
pub mod json;
pub mod outlet;
pub mod policy;
pub mod record;
pub mod transaction;

// Unit tests are ordinary programs: httpd's symbols are missing there.
#[cfg(all(httpd_headers, not(test)))]
mod ffi;
