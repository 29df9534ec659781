//! A text under its pseudonym, by what it is: addresses, hosts label by label, paths part by part, everything else whole.
//!
//! Promises: the form stays (how many labels, how deep a path, whether there was a query), no part of the text does.
//!
//! Read next: `mod.rs`, `key.rs`.

use std::net::IpAddr;

use super::{Key, Nature};

/// Hexadecimal digits of a label or part of a path: a collision of two among 10,000 is one in 80.
const PART: usize = 8;
/// Hexadecimal digits of a whole text.
const WHOLE: usize = 16;

pub(super) fn replace(key: &Key, nature: Nature, value: &str) -> String {
    if let Ok(address) = value.parse::<IpAddr>() {
        return key.address(address).to_string();
    }
    match nature {
        Nature::Host => host(key, value),
        Nature::Path => path(key, value),
        Nature::Name | Nature::Kept => key.word("name", value, WHOLE),
    }
}

/// `shop.example:8443` to `x12ab34cd.x9f….invalid:8443`-like words: hosts of one site keep their common end.
fn host(key: &Key, value: &str) -> String {
    let (name, port) = match value.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && !name.contains(':') => {
            (name, Some(port))
        }
        _ => (value, None),
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let name = if let Ok(address) = bare.parse::<IpAddr>() {
        key.address(address).to_string()
    } else {
        let labels: Vec<&str> = name.split('.').collect();
        let word = |(place, label): (usize, &&str)| {
            // A label's word follows from everything after it, so that "www" says nothing across sites.
            let rest = labels.get(place..).map(|rest| rest.join(".")).unwrap_or_default();
            if label.is_empty() { String::new() } else { format!("x{}", key.word("host", &rest.to_ascii_lowercase(), PART)) }
        };
        labels.iter().enumerate().map(word).collect::<Vec<_>>().join(".")
    };
    port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
}

/// `/a/b?c=d` to `/p…/p…?q…`; of a URL the host becomes what `host` makes of it.
fn path(key: &Key, value: &str) -> String {
    if let Some((scheme, rest)) = value.split_once("://") {
        let (name, rest) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let scheme = if matches!(scheme, "http" | "https") { scheme.to_owned() } else { key.word("name", scheme, PART) };
        return format!("{scheme}://{}{}", host(key, name), path(key, rest));
    }
    let (path, query) = value.split_once('?').map_or((value, None), |(path, query)| (path, Some(query)));
    let part = |part: &str| if part.is_empty() { String::new() } else { format!("p{}", key.word("path", part, PART)) };
    let mut shown = path.split('/').map(part).collect::<Vec<_>>().join("/");
    if let Some(query) = query {
        shown.push('?');
        if !query.is_empty() {
            shown.push('q');
            shown.push_str(&key.word("query", query, PART));
        }
    }
    shown
}
