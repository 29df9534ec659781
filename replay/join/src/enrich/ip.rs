//! Longest-prefix match over IPv4 and IPv6 prefixes, as sorted intervals that do not overlap.
//!
//! Promises: one binary search per look-up; built once in n log n; an IPv4 address and its IPv6-mapped form are one.
//!
//! Read next: `tables.rs` (autonomous systems, addresses of crawlers).

use std::net::IpAddr;

use crate::correlate::key::ip_number;

/// Values by address; the longest prefix that holds the address wins, of equal prefixes the first.
#[derive(Debug, Clone)]
pub struct PrefixMap<V> {
    /// First address of each interval, ascending, and what holds from there on.
    starts: Vec<u128>,
    holds: Vec<Option<u32>>,
    values: Vec<V>,
}

/// First and last address of `text` (`192.0.2.0/24`, `2001:db8::/32`, or a single address), or what is wrong with it.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_prefix(text: &str) -> Result<(u128, u128), String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let allowed = || format!("{text:?} is no prefix; allowed are forms like 192.0.2.0/24, 2001:db8::/32 and single addresses");
    let ip: IpAddr = address.parse().map_err(|_| allowed())?;
    let bits: u32 = if ip.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.map_or(Ok(bits), str::parse).map_err(|_| allowed())?;
    let free = bits.checked_sub(length).ok_or_else(allowed)?;
    let mask = u128::MAX.checked_shr(128 - free).unwrap_or(0);
    let first = ip_number(ip);
    if first & mask != 0 {
        return Err(format!("{text:?} has address bits beyond its length"));
    }
    Ok((first, first | mask))
}

impl<V> PrefixMap<V> {
    /// A map of these prefixes, given as first and last address (see [`parse_prefix`]; prefixes nest or are disjoint).
    #[must_use]
    pub fn new(prefixes: Vec<((u128, u128), V)>) -> Self {
        let mut order: Vec<(u128, u128, u32)> = Vec::with_capacity(prefixes.len());
        let mut values = Vec::with_capacity(prefixes.len());
        for (index, ((first, last), value)) in prefixes.into_iter().enumerate() {
            order.push((first, last, u32::try_from(index).unwrap_or(u32::MAX)));
            values.push(value);
        }
        // Outer prefixes first; of equal ones the later first, so that the earlier is innermost and wins.
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
        let mut map = Self { starts: vec![0], holds: vec![None], values };
        let mut open: Vec<(u128, u32)> = Vec::new();
        for (first, last, value) in order {
            map.close(&mut open, first);
            map.begin(first, Some(value));
            open.push((last, value));
        }
        map.close(&mut open, u128::MAX);
        map
    }

    /// Value of the longest prefix that holds `ip`.
    #[must_use]
    pub fn get(&self, ip: IpAddr) -> Option<&V> {
        let number = ip_number(ip);
        let at = self.starts.partition_point(|start| *start <= number).checked_sub(1)?;
        self.values.get((*self.holds.get(at)?)? as usize)
    }

    /// Ends every open prefix whose last address lies before `until`.
    fn close(&mut self, open: &mut Vec<(u128, u32)>, until: u128) {
        while let Some((last, _)) = open.last().copied().filter(|(last, _)| *last < until) {
            open.pop();
            self.begin(last.saturating_add(1), open.last().map(|(_, outer)| *outer));
        }
    }

    fn begin(&mut self, first: u128, value: Option<u32>) {
        if self.starts.last() == Some(&first) {
            if let Some(hold) = self.holds.last_mut() {
                *hold = value;
            }
            return;
        }
        self.starts.push(first);
        self.holds.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(prefixes: &[&str]) -> PrefixMap<String> {
        PrefixMap::new(prefixes.iter().map(|p| (parse_prefix(p).unwrap(), (*p).to_owned())).collect())
    }

    #[test]
    fn the_longest_prefix_wins_at_its_edges_too() {
        let map = map(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "::/0"]);
        for (ip, prefix) in [
            ("10.0.0.0", "10.0.0.0/8"),
            ("10.0.255.255", "10.0.0.0/8"),
            ("10.1.0.0", "10.1.0.0/16"),
            ("10.1.2.2", "10.1.0.0/16"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.4", "10.1.0.0/16"),
            ("10.1.255.255", "10.1.0.0/16"),
            ("10.2.0.0", "10.0.0.0/8"),
            ("11.0.0.0", "::/0"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:ffff::1", "2001:db8::/32"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        ] {
            assert_eq!(map.get(ip.parse().unwrap()).map(String::as_str), Some(prefix), "{ip}");
        }
        assert!(PrefixMap::<()>::new(Vec::new()).get("10.0.0.1".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.1/8", "example", "10.0.0.0/", "10.0.0.0/8/8", "2001:db8::/129"] {
            assert!(parse_prefix(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn agrees_with_asking_every_prefix(list in prop::collection::vec((any::<u8>(), 0_u32..=8), 0..20), asked in any::<u8>()) {
            // A toy address space: the last eight bits.
            let prefixes: Vec<(u32, u32)> = list.iter().map(|(a, len)| (u32::from(*a) & !(0xff_u32 >> len), *len)).collect();
            let texts: Vec<String> = prefixes.iter().map(|(a, len)| format!("192.0.2.{a}/{}", 24 + len)).collect();
            let map = map(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let holds = |(a, len): &(u32, u32)| u32::from(asked) & !(0xff_u32 >> len) == *a;
            let longest = prefixes.iter().filter(|p| holds(p)).map(|(_, len)| *len).max();
            let expected = longest.and_then(|len| prefixes.iter().position(|p| p.1 == len && holds(p)));
            let found = map.get(format!("192.0.2.{asked}").parse().unwrap());
            prop_assert_eq!(found, expected.and_then(|at| texts.get(at)));
        }
    }
}
