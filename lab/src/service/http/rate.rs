//! How fast a client may ask: a token bucket for each address (each /64 of IPv6), in a table of bounded size.
//!
//! Promises: at most [`CLIENTS`] buckets; when the table is full the client that was silent longest is forgotten, which gives it a
//! full bucket; time is an argument and may stand still.
//!
//! Read next: `mod.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// Clients remembered.
pub const CLIENTS: usize = 4096;
/// What a wrong token costs, in requests.
const WRONG_TOKEN: f64 = 10.0;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once after a silence.
    pub burst: f64,
}

/// Everyone's buckets.
#[derive(Debug)]
pub struct Rate {
    limit: RateLimit,
    buckets: BTreeMap<IpAddr, Bucket>,
    /// Last use and address, oldest first.
    order: BTreeSet<(i64, IpAddr)>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at_ns: i64,
}

impl Rate {
    /// Full buckets for all.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        Self { limit, buckets: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Takes one request from `client`'s bucket; gives the seconds to wait if there is none.
    pub fn take(&mut self, client: IpAddr, now_ns: i64) -> Option<u64> {
        let bucket = self.bucket(client, now_ns);
        let wait = if bucket.left >= 1.0 { None } else { Some((1.0 - bucket.left) / self.limit.per_second.max(1e-3)) };
        self.store(client, Bucket { left: if wait.is_none() { bucket.left - 1.0 } else { bucket.left }, at_ns: now_ns });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds from 1 to 1000")]
        wait.map(|seconds| seconds.ceil().clamp(1.0, 1000.0) as u64)
    }

    /// Makes `client` pay for a wrong token.
    pub fn punish(&mut self, client: IpAddr, now_ns: i64) {
        let bucket = self.bucket(client, now_ns);
        self.store(client, Bucket { left: (bucket.left - WRONG_TOKEN).max(0.0), at_ns: now_ns });
    }

    fn bucket(&self, client: IpAddr, now_ns: i64) -> Bucket {
        let Some(bucket) = self.buckets.get(&network(client)) else { return Bucket { left: self.limit.burst, at_ns: now_ns } };
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no nanoseconds")]
        let passed_s = now_ns.saturating_sub(bucket.at_ns).max(0) as f64 / 1e9;
        Bucket { left: (bucket.left + passed_s * self.limit.per_second).min(self.limit.burst), at_ns: now_ns }
    }

    fn store(&mut self, client: IpAddr, bucket: Bucket) {
        let client = network(client);
        if let Some(old) = self.buckets.insert(client, bucket) {
            self.order.remove(&(old.at_ns, client));
        }
        self.order.insert((bucket.at_ns, client));
        while self.buckets.len() > CLIENTS {
            let Some((_, silent)) = self.order.pop_first() else { return };
            self.buckets.remove(&silent);
        }
    }
}

/// What counts as one client.
pub fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut rate = Rate::new(RateLimit { per_second: 2.0, burst: 3.0 });
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!((0..4).map(|_| rate.take(client, 0)).collect::<Vec<_>>(), [None, None, None, Some(1)]);
        assert_eq!(rate.take("192.0.2.2".parse().unwrap(), 0), None, "another client has its own");
        assert_eq!(rate.take(client, SECOND), None);
        rate.punish(client, SECOND);
        assert_eq!(rate.take(client, SECOND), Some(1));
        assert_eq!(rate.take(client, -SECOND), Some(1), "a clock that goes back gives nothing");
        assert_eq!(rate.take(client, 60 * SECOND), None);
    }

    #[test]
    fn neighbours_in_ipv6_share_and_the_table_is_bounded() {
        let mut rate = Rate::new(RateLimit { per_second: 1.0, burst: 1.0 });
        assert_eq!(rate.take("2001:db8::1".parse().unwrap(), 0), None);
        assert_eq!(rate.take("2001:db8::2".parse().unwrap(), 0), Some(1));
        for number in 0..20_000_u32 {
            rate.take(IpAddr::V4(number.into()), i64::from(number));
        }
        assert!(rate.buckets.len() <= CLIENTS && rate.order.len() == rate.buckets.len());
    }
}
