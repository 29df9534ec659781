//! JA4S, JA4T/JA4TS, JA4L, JA4H, JA4X and JA4SSH: methods of FoxIO, LLC under the **FoxIO License 1.1** (patent pending).
//!
//! Notice: "JA4+" methods are licensed for non-commercial, internal business and academic use; monetisation needs a licence from
//! FoxIO (<https://github.com/FoxIO-LLC/ja4>, LICENSE). They are kept in this module, behind the cargo feature `ja4plus`, so that a
//! distributor can leave them out. JA3 and the TLS client fingerprint JA4 are BSD 3-Clause and live in `../fingerprint/`.
//!
//! Read next: `ja4s.rs`, `ja4t.rs`, `ja4l.rs`.

pub mod ja4h;
pub mod ja4l;
pub mod ja4s;
pub mod ja4ssh;
pub mod ja4t;
pub mod ja4x;
