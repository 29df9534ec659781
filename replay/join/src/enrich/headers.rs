//! The headers of a request: which were sent, which are known to be absent, and their order.
//!
//! Promises: absence is stated only where the log would have shown the header; one pass over the headers; the first of several
//! with one name counts. Secret values are lengths already.
//!
//! Read next: `enricher.rs`; `httplog/headers.rs` (what a log can know).

use std::fmt::Write as _;
use std::sync::Arc;

use ja4_event::HttpEvent;
use sha2::{Digest, Sha256};

use super::cache::TextCache;
use crate::row::Text;

/// Headers with a column of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the headers")]
pub enum Known {
    UserAgent,
    Accept,
    AcceptLanguage,
    AcceptEncoding,
    Referer,
    ContentType,
    Origin,
    Cookie,
    Authorization,
    SecChUa,
    SecChUaMobile,
    SecChUaPlatform,
    SecFetchSite,
    SecFetchMode,
    SecFetchDest,
    SecFetchUser,
    XRequestedWith,
    UpgradeInsecure,
}

const NAMES: [&str; 18] = [
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "referer",
    "content-type",
    "origin",
    "cookie",
    "authorization",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
    "x-requested-with",
    "upgrade-insecure-requests",
];

/// Bits of the known headers by the length of their names: most headers are told apart by it alone.
const OF_LENGTH: [u32; 32] = {
    let mut bits = [0; 32];
    let mut index = 0;
    while index < NAMES.len() {
        bits[NAMES[index].len()] |= 1 << index;
        index += 1;
    }
    bits
};

/// Values by header, and which absences are known.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    values: [Option<&'a str>; NAMES.len()],
    /// Bit per header: the log would have shown it.
    told: u32,
}

/// Which of the known headers a log with these named headers tells of, as bits.
#[must_use]
pub fn told_by(named: &[String]) -> u32 {
    let is_named = |name: &&str| named.iter().any(|known| known.eq_ignore_ascii_case(name));
    NAMES.iter().enumerate().filter(|(_, name)| is_named(name)).fold(0, |bits, (index, _)| bits | 1 << index)
}

impl<'a> Headers<'a> {
    /// Headers of `http`, whose log names those of `told` (see [`told_by`]).
    #[must_use]
    pub fn of(http: &'a HttpEvent, told: u32) -> Self {
        let mut values = [None; NAMES.len()];
        for (name, value) in &http.headers {
            let mut candidates = OF_LENGTH.get(name.len()).copied().unwrap_or(0);
            while candidates != 0 {
                let index = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if let (Some(slot @ None), Some(known)) = (values.get_mut(index), NAMES.get(index))
                    && known.eq_ignore_ascii_case(name)
                {
                    *slot = Some(value.as_str());
                    break;
                }
            }
        }
        Self { values, told: if http.headers_complete { u32::MAX } else { told } }
    }

    /// Value of a header, if it was sent and seen.
    #[must_use]
    pub fn get(&self, header: Known) -> Option<&'a str> {
        self.values.get(header as usize).copied().flatten()
    }

    /// 1 sent, 0 not sent, -1 unknown.
    #[must_use]
    pub fn flag(&self, header: Known) -> i64 {
        match self.get(header) {
            Some(_) => 1,
            None if self.told & (1 << header as u8) != 0 => 0,
            None => -1,
        }
    }

    /// 1 if any was sent, 0 if one of them is known to be absent and none was sent, -1 if nothing is known.
    #[must_use]
    pub fn any_flag(&self, headers: &[Known]) -> i64 {
        headers.iter().map(|header| self.flag(*header)).max().unwrap_or(-1)
    }

    /// Length of a secret header, which events carry instead of the value; 0 if not sent, -1 unknown.
    #[must_use]
    pub fn secret_bytes(&self, header: Known) -> i64 {
        match self.get(header) {
            Some(length) => length.parse().ok().filter(|bytes| *bytes >= 0).unwrap_or(-1),
            None => self.flag(header),
        }
    }
}

/// Names in wire order and the hash of their order.
#[derive(Debug, Clone)]
pub struct HeaderOrder {
    scratch: String,
    cache: TextCache<Text>,
    empty: Text,
}

impl HeaderOrder {
    /// With a cache of this capacity.
    #[must_use]
    pub fn new(capacity: usize, empty: Text) -> Self {
        Self { scratch: String::new(), cache: TextCache::new(capacity), empty }
    }

    /// Names joined by comma, and 12 hex digits of the SHA-256 of the lower-case names without cookie and referer.
    pub fn of(&mut self, http: &HttpEvent) -> (Text, Text) {
        if !http.headers_complete {
            return (Arc::clone(&self.empty), Arc::clone(&self.empty));
        }
        self.scratch.clear();
        for (index, (name, _)) in http.headers.iter().enumerate() {
            if index > 0 {
                self.scratch.push(',');
            }
            self.scratch.push_str(name);
        }
        self.cache.get(&self.scratch, order_hash)
    }
}

fn order_hash(names: &str) -> Text {
    let lower = names.to_ascii_lowercase();
    let kept: Vec<&str> = lower.split(',').filter(|name| !matches!(*name, "cookie" | "referer")).collect();
    let mut hex = String::with_capacity(12);
    for byte in Sha256::digest(kept.join(",")).iter().take(6) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(headers: &[(&str, &str)], headers_complete: bool) -> HttpEvent {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        HttpEvent { headers, headers_complete, ..HttpEvent::default() }
    }

    #[test]
    fn absence_is_known_only_where_the_log_would_have_shown_the_header() {
        let http = event(&[("USER-agent", "x")], false);
        let headers = Headers::of(&http, told_by(&["Accept".to_owned(), "Sec-Fetch-Site".to_owned()]));
        assert_eq!(headers.get(Known::UserAgent), Some("x"));
        assert_eq!([Known::UserAgent, Known::Accept, Known::Origin].map(|h| headers.flag(h)), [1, 0, -1]);
        assert_eq!(headers.any_flag(&[Known::SecFetchSite, Known::SecFetchMode]), 0);
        assert_eq!(headers.secret_bytes(Known::Cookie), -1);
        let complete = event(&[("Cookie", "120"), ("Authorization", "")], true);
        let headers = Headers::of(&complete, 0);
        assert_eq!((headers.secret_bytes(Known::Cookie), headers.secret_bytes(Known::Authorization)), (120, -1));
        assert_eq!(headers.flag(Known::Accept), 0);
    }

    #[test]
    fn the_order_ignores_case_cookie_and_referer_and_nothing_else() {
        let mut order = HeaderOrder::new(8, "".into());
        let mut hash = |names: &[&str]| {
            let headers: Vec<(&str, &str)> = names.iter().map(|name| (*name, "v")).collect();
            order.of(&event(&headers, true)).1
        };
        let plain = hash(&["Host", "User-Agent", "Accept"]);
        assert_eq!(plain.len(), 12);
        assert_eq!(plain, hash(&["host", "Cookie", "user-agent", "Referer", "accept"]));
        assert_ne!(plain, hash(&["Host", "Accept", "User-Agent"]));
        assert_eq!(&*order.of(&event(&[("Host", "x")], false)).1, "");
    }
}
