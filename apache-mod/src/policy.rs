//! The directives: what is logged, how much of it, and where to.
//!
//! Promises: an unset directive inherits from the enclosing section (`merge`); a bad value is refused when the configuration is
//! read, with a sentence; matching a header costs no allocation. Read next: `record.rs`, `docs/APACHE.md` (the user's table).

use std::ffi::CStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ja4_event::MAX_RECORD_BYTES;

use crate::record::Value;

/// Where records go without `ReqinLogSocket`.
pub const DEFAULT_SOCKET: &str = "/run/ja4-platform/http.socket";
/// Record limit without `ReqinLogMaxRecord`.
pub const DEFAULT_RECORD_BYTES: usize = 16 * 1024;
/// Least record limit: below it the fixed fields of a request alone might not fit.
pub const MIN_RECORD_BYTES: usize = 2 * 1024;
/// Most names that one header list may hold.
const MAX_NAMES: usize = 256;
/// Longest path of a UNIX socket, without its NUL (`sockaddr_un`).
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// Values of these are never sent, whatever the configuration says.
const ALWAYS_SECRET: [&[u8]; 3] = [b"cookie", b"authorization", b"proxy-authorization"];

/// A directive's complaint; httpd prints it with file and line.
pub type Complaint = &'static CStr;

/// Directives that may differ by directory or location.
#[derive(Debug, Clone, Default)]
pub struct DirPolicy {
    enabled: Option<bool>,
    sample: Option<u32>,
    kept: Option<Arc<Kept>>,
    secret: Arc<Vec<Box<[u8]>>>,
}

#[derive(Debug, Clone, Default)]
enum Kept {
    #[default]
    All,
    Named(Vec<Box<[u8]>>),
}

/// What sections inherit from the section around them.
pub trait Nested: Default {
    /// `self` inside `outer`: directives that are set win.
    #[must_use]
    fn within(&self, outer: &Self) -> Self;
}

impl Nested for DirPolicy {
    /// Secret headers add up.
    fn within(&self, outer: &Self) -> Self {
        let secret = match (self.secret.is_empty(), outer.secret.is_empty()) {
            (true, _) => Arc::clone(&outer.secret),
            (_, true) => Arc::clone(&self.secret),
            _ => Arc::new(outer.secret.iter().chain(self.secret.iter()).cloned().collect()),
        };
        Self {
            enabled: self.enabled.or(outer.enabled),
            sample: self.sample.or(outer.sample),
            kept: self.kept.clone().or_else(|| outer.kept.clone()),
            secret,
        }
    }
}

impl DirPolicy {
    /// Whether requests here are logged; not before `ReqinLogEnabled On`.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled.unwrap_or(false)
    }

    /// One in how many clients is logged.
    #[must_use]
    pub fn sample(&self) -> u32 {
        self.sample.unwrap_or(1)
    }

    /// `ReqinLogEnabled`.
    pub fn set_enabled(&mut self, on: bool) {
        self.enabled = Some(on);
    }

    /// `ReqinLogSample`.
    ///
    /// # Errors
    /// Anything but 1 to 1000000.
    pub fn set_sample(&mut self, text: &[u8]) -> Result<(), Complaint> {
        self.sample = Some(number(text, 1, 1_000_000).ok_or(c"ReqinLogSample takes a whole number from 1 to 1000000")?);
        Ok(())
    }

    /// One argument of `ReqinLogHeaders`: a name, `*` for all, `-` for none so far.
    ///
    /// # Errors
    /// A name that no header can have, or too many.
    pub fn keep_header(&mut self, name: &[u8]) -> Result<(), Complaint> {
        let kept = Arc::make_mut(self.kept.get_or_insert_with(|| Arc::new(Kept::Named(Vec::new()))));
        match (name, kept) {
            (b"*", kept) => *kept = Kept::All,
            (b"-", kept) => *kept = Kept::Named(Vec::new()),
            (_, Kept::All) => {}
            (_, Kept::Named(names)) => add_name(names, name)?,
        }
        Ok(())
    }

    /// One argument of `ReqinLogSecretHeaders`.
    ///
    /// # Errors
    /// A name that no header can have, or too many.
    pub fn hide_header(&mut self, name: &[u8]) -> Result<(), Complaint> {
        add_name(Arc::make_mut(&mut self.secret), name)
    }

    /// What is written of a header's value.
    #[must_use]
    pub fn value<'a>(&self, name: &[u8], value: &'a [u8]) -> Value<'a> {
        let is = |listed: &[u8]| listed.eq_ignore_ascii_case(name);
        if ALWAYS_SECRET.into_iter().any(is) || self.secret.iter().any(|listed| is(listed)) {
            return Value::LengthOf(value.len());
        }
        match self.kept.as_deref() {
            Some(Kept::Named(names)) if !names.iter().any(|listed| is(listed)) => Value::Withheld,
            _ => Value::Text(value),
        }
    }
}

/// Directives that hold for a whole (virtual) server.
#[derive(Debug, Default)]
pub struct ServerPolicy {
    socket: Option<PathBuf>,
    max_record_bytes: Option<usize>,
    /// Index of this server's socket among those its child process opened.
    pub outlet: AtomicUsize,
}

impl Nested for ServerPolicy {
    fn within(&self, outer: &Self) -> Self {
        Self {
            socket: self.socket.clone().or_else(|| outer.socket.clone()),
            max_record_bytes: self.max_record_bytes.or(outer.max_record_bytes),
            outlet: AtomicUsize::default(),
        }
    }
}

impl ServerPolicy {
    /// Path of the collector's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(DEFAULT_SOCKET))
    }

    /// Longest record, bytes.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        self.max_record_bytes.unwrap_or(DEFAULT_RECORD_BYTES)
    }

    /// `ReqinLogSocket`, made absolute by httpd.
    ///
    /// # Errors
    /// A path that does not fit a socket address.
    pub fn set_socket(&mut self, path: &Path) -> Result<(), Complaint> {
        let len = path.as_os_str().len();
        if len == 0 || len > MAX_SOCKET_PATH_BYTES || !path.is_absolute() {
            return Err(c"ReqinLogSocket takes the path of a UNIX datagram socket, at most 107 bytes long");
        }
        self.socket = Some(path.to_owned());
        Ok(())
    }

    /// `ReqinLogMaxRecord`.
    ///
    /// # Errors
    /// Anything but 2048 to 65536.
    pub fn set_max_record(&mut self, text: &[u8]) -> Result<(), Complaint> {
        let bytes = number(text, MIN_RECORD_BYTES, MAX_RECORD_BYTES)
            .ok_or(c"ReqinLogMaxRecord takes a number of bytes from 2048 to 65536")?;
        self.max_record_bytes = Some(bytes);
        Ok(())
    }
}

/// Whether a client belongs to the one in `n` that is logged. Decided by address (IPv6: by its /64 network), so that a
/// client's requests are logged all or none and its sessions stay whole; the same on every server.
#[must_use]
pub fn sampled(client: Option<IpAddr>, n: u32) -> bool {
    let Some(client) = client.filter(|_| n > 1) else { return true };
    let network = match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
    };
    // Finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbouring addresses fall independently.
    let mixed = (network ^ (network >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(u64::from(n))
}

fn number<T: std::str::FromStr + PartialOrd>(text: &[u8], least: T, most: T) -> Option<T> {
    let number = std::str::from_utf8(text).ok()?.parse().ok()?;
    (least <= number && number <= most).then_some(number)
}

fn add_name(names: &mut Vec<Box<[u8]>>, name: &[u8]) -> Result<(), Complaint> {
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte)) {
        return Err(c"not a header name");
    }
    if names.len() >= MAX_NAMES {
        return Err(c"more than 256 header names");
    }
    names.push(name.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_sections_win_and_secrets_add_up() {
        let mut server = DirPolicy::default();
        server.set_enabled(true);
        server.set_sample(b"5").expect("valid");
        server.hide_header(b"X-Token").expect("valid");
        server.keep_header(b"User-Agent").expect("valid");
        let mut location = DirPolicy::default();
        location.hide_header(b"X-Key").expect("valid");
        location.set_sample(b"1").expect("valid");
        let merged = location.within(&server);
        assert!(merged.enabled());
        assert_eq!(merged.sample(), 1);
        assert_eq!(merged.value(b"x-token", b"abc"), Value::LengthOf(3));
        assert_eq!(merged.value(b"x-key", b"abcd"), Value::LengthOf(4));
        assert_eq!(merged.value(b"USER-AGENT", b"curl"), Value::Text(b"curl"));
        assert_eq!(merged.value(b"Accept", b"*/*"), Value::Withheld);
        let mut off = DirPolicy::default();
        off.set_enabled(false);
        assert!(!off.within(&server).enabled());
    }

    #[test]
    fn cookies_and_credentials_are_secret_even_when_listed_as_kept() {
        let mut policy = DirPolicy::default();
        for name in [&b"*"[..], b"Cookie", b"Authorization"] {
            policy.keep_header(name).expect("valid");
        }
        for name in [&b"cookie"[..], b"AUTHORIZATION", b"Proxy-Authorization"] {
            assert_eq!(policy.value(name, b"secret"), Value::LengthOf(6));
        }
        assert_eq!(policy.value(b"Referer", b"x"), Value::Text(b"x"));
    }

    #[test]
    fn a_dash_keeps_names_only() {
        let mut policy = DirPolicy::default();
        policy.keep_header(b"-").expect("valid");
        assert_eq!(policy.value(b"Referer", b"x"), Value::Withheld);
    }

    #[test]
    fn bad_values_are_refused() {
        let mut server = ServerPolicy::default();
        for text in [&b"2047"[..], b"65537", b"-1", b"4k", b""] {
            assert!(server.set_max_record(text).is_err());
        }
        assert!(server.set_max_record(b"65536").is_ok());
        assert!(server.set_socket(Path::new(&format!("/{}", "x".repeat(107)))).is_err());
        assert!(server.set_socket(Path::new(&format!("/{}", "x".repeat(106)))).is_ok());
        let mut dir = DirPolicy::default();
        assert!(dir.set_sample(b"0").is_err());
        assert!(dir.keep_header(b"bad name").is_err());
        assert!(dir.hide_header(b"colon:").is_err());
    }

    #[test]
    fn a_sample_keeps_about_one_client_in_n_and_all_of_it() {
        let kept = (0..10_000u32).filter(|n| sampled(Some(IpAddr::V4((0x0a00_0000 | *n).into())), 10)).count();
        assert!((900..1100).contains(&kept), "{kept} of 10000 clients at one in ten");
        let network = |host: u128| Some(IpAddr::V6((0x2001_0db8_0000_0001_0000_0000_0000_0000 | host).into()));
        assert!((0..50).all(|host| sampled(network(host), 7) == sampled(network(99), 7)));
        assert!(sampled(None, 1000) && sampled(network(1), 1));
    }
}
