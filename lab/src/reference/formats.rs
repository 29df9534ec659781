//! What publishers answer, as rows of our tables.
//!
//! Promises: a text that is not of the format is refused with its line or place; a row that could not be meant (a private address, half of
//! the Internet as a crawler) refuses the whole answer, for then the rest cannot be trusted either; what is left out is counted.
//!
//! Read next: `table.rs`, `crate::rules` (policies).

use std::collections::{BTreeMap, BTreeSet};

use ja4_join::enrich::ip::parse_prefix;
use serde_json::Value;

use super::POLICY;
use super::upstreams::{Format, Upstream};
use crate::rules;

/// Rows by file, without the columns that say where they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// By the file they belong to.
    pub rows: BTreeMap<String, Vec<Vec<String>>>,
    /// What was left out, a sentence each.
    pub notes: Vec<String>,
}

/// Reads `text` as the upstream's format says.
pub(super) fn read(upstream: &Upstream, text: &str) -> Result<Found, String> {
    match upstream.format {
        Format::IplocateAsn => systems(text),
        Format::PrefixesJson => prefixes(upstream, text),
        Format::Addresses => addresses(upstream, text),
        Format::Ja4db => fingerprints(text),
        Format::Anubis => policy(text),
    }
}

impl Found {
    fn of(file: &str, rows: Vec<Vec<String>>) -> Self {
        Self { rows: BTreeMap::from([(file.to_owned(), rows)]), notes: Vec::new() }
    }
}

fn systems(text: &str) -> Result<Found, String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let header = lines.next().map(|(_, line)| cells(line)).unwrap_or_default();
    let column = |name: &str| {
        header
            .iter()
            .position(|cell| cell == name)
            .ok_or_else(|| format!("line 1: there is no column {name:?} among {}", header.join(", ")))
    };
    let (network, asn, country) = (column("network")?, column("asn")?, column("country_code")?);
    // The name of the announcing network; where it is missing, its holder.
    let (name, holder) = (column("name")?, column("org")?);
    let mut rows = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells = cells(line);
        let wrong = |detail: String| format!("line {}: {detail}", number + 1);
        if cells.len() != header.len() {
            return Err(wrong(format!("{} values where the header has {}", cells.len(), header.len())));
        }
        let cell = |place: usize| cells.get(place).map(String::as_str).unwrap_or_default();
        let prefix = canonical(cell(network)).map_err(wrong)?;
        let asn: u32 =
            cell(asn).trim_start_matches("AS").parse().map_err(|_| wrong(format!("{:?} is no AS number", cell(asn))))?;
        let country = cell(country);
        if !(country.is_empty() || country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic())) {
            return Err(wrong(format!("{country:?} is no country code")));
        }
        let name = if cell(name).is_empty() { cell(holder) } else { cell(name) };
        rows.push(vec![prefix, asn.to_string(), clean(name), country.to_ascii_uppercase()]);
    }
    Ok(Found::of("asn.csv", rows))
}

/// The cells of a CSV line; quotes may stand around a cell and are doubled inside.
fn cells(line: &str) -> Vec<String> {
    let (mut out, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                cell.push('"');
                rest.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    out.push(cell);
    out
}

fn prefixes(upstream: &Upstream, text: &str) -> Result<Found, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let list = value.get("prefixes").and_then(Value::as_array).ok_or("it has no list `prefixes`")?;
    let mut rows = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let prefix = ["ipv4Prefix", "ipv6Prefix"].iter().find_map(|key| entry.get(key).and_then(Value::as_str));
        let prefix = prefix.ok_or_else(|| format!("prefix {}: it has neither ipv4Prefix nor ipv6Prefix", place + 1))?;
        rows.push(vec![public(prefix).map_err(|why| format!("prefix {}: {why}", place + 1))?, upstream.label().to_owned()]);
    }
    Ok(Found::of("bot_ip.csv", rows))
}

fn addresses(upstream: &Upstream, text: &str) -> Result<Found, String> {
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if !entry.is_empty() {
            rows.push(vec![public(entry).map_err(|why| format!("line {}: {why}", number + 1))?, upstream.label().to_owned()]);
        }
    }
    Ok(Found::of("bot_ip.csv", rows))
}

/// A prefix in the one way we write it.
fn canonical(text: &str) -> Result<String, String> {
    let text = text.trim();
    parse_prefix(text)?;
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let ip: std::net::IpAddr = address.parse().map_err(|_| format!("{text:?} is no prefix"))?;
    let length = if length.is_empty() { if ip.is_ipv4() { "32" } else { "128" } } else { length };
    Ok(format!("{ip}/{length}"))
}

/// The same, if it can be that of somebody's machines on the Internet.
fn public(text: &str) -> Result<String, String> {
    let prefix = canonical(text)?;
    let (address, length) = prefix.split_once('/').unwrap_or_default();
    let length: u32 = length.parse().map_err(|_| format!("{text:?} is no prefix"))?;
    let (wide, private) = match address.parse() {
        Ok(std::net::IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let nowhere = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified();
            (length < 8, nowhere || shared || ip.is_multicast() || a >= 240 || a == 0)
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            // What is routed lies in 2000::/3.
            (length < 16, ip.segments().first().is_none_or(|first| first >> 13 != 1))
        }
        Err(_) => return Err(format!("{text:?} is no prefix")),
    };
    if wide {
        return Err(format!("{prefix} holds too much of the Internet to be one operator's"));
    }
    if private {
        return Err(format!("{prefix} is not routed on the Internet"));
    }
    Ok(prefix)
}

/// Browser families by what an application is called, in the words of `user_agents.csv`; the first that occurs wins.
const FAMILIES: [(&str, &str); 9] = [
    ("chrom", "chromium"),
    ("edge", "chromium"),
    ("opera", "chromium"),
    ("brave", "chromium"),
    ("vivaldi", "chromium"),
    ("samsung internet", "chromium"),
    ("firefox", "firefox"),
    ("tor browser", "firefox"),
    ("safari", "safari"),
];

fn fingerprints(text: &str) -> Result<Found, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let list = value.as_array().ok_or("it is no list of records")?;
    let (mut browsers, mut tools) =
        (BTreeMap::<String, [BTreeSet<String>; 2]>::new(), BTreeMap::<String, [BTreeSet<String>; 2]>::new());
    let (mut unverified, mut unnamed, mut odd) = (0_usize, 0_usize, 0_usize);
    for record in list {
        let told = |key: &str| record.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let ja4 = told("ja4_fingerprint");
        let name = if told("application").is_empty() { told("library") } else { told("application") };
        if ja4.is_empty() {
            // A record of another fingerprint of the family (JA4H, JA4T, ...).
            continue;
        } else if record.get("verified") != Some(&Value::Bool(true)) {
            unverified += 1;
        } else if name.is_empty() {
            unnamed += 1;
        } else if !is_ja4(ja4) {
            odd += 1;
        } else {
            let lower = name.to_lowercase();
            let family = FAMILIES.iter().find(|(part, _)| lower.contains(part) && !lower.contains("driver"));
            let (table, word) = match family {
                Some((_, family)) => (&mut browsers, (*family).to_owned()),
                None => (&mut tools, clean(&lower).replace(' ', "-")),
            };
            let [words, systems] = table.entry(ja4.to_owned()).or_default();
            words.insert(word);
            systems.insert(if told("os").is_empty() { "any".to_owned() } else { clean(&told("os").to_lowercase()) });
        }
    }
    let shared: BTreeSet<String> = browsers.keys().filter(|ja4| tools.contains_key(*ja4)).cloned().collect();
    let rows = |table: &BTreeMap<String, [BTreeSet<String>; 2]>| -> Vec<Vec<String>> {
        let row = |(ja4, [words, systems]): (&String, &[BTreeSet<String>; 2])| {
            let first = |set: &BTreeSet<String>| set.iter().take(3).cloned().collect::<Vec<_>>().join("|");
            vec![ja4.clone(), first(words), first(systems), "ja4db".to_owned()]
        };
        table.iter().filter(|(ja4, _)| !shared.contains(*ja4)).map(row).collect()
    };
    let mut found = Found::of("ja4_browser.csv", rows(&browsers));
    found.rows.insert("ja4_bot.csv".to_owned(), rows(&tools));
    let counted = [
        (unverified, "records are not verified"),
        (unnamed, "name neither application nor library"),
        (odd, "hold no JA4 that can be one"),
        (shared.len(), "values are both a browser's and a tool's"),
    ];
    found.notes.extend(counted.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}: left out")));
    Ok(found)
}

/// `t13d1516h2_8daaf6152771_02713d6af862`: ten characters, twelve hexadecimal digits, twelve more.
fn is_ja4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let hex = |part: &str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    matches!(parts.as_slice(), [a, b, c] if a.len() == 10 && a.bytes().all(|b| b.is_ascii_alphanumeric()) && hex(b) && hex(c))
}

/// A policy's rules as text, one row a line, indented below `bots:` as far as they were in their own file.
fn policy(text: &str) -> Result<Found, String> {
    let is_list = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .is_some_and(|line| line.starts_with('-'));
    let below = if is_list {
        text.to_owned()
    } else {
        return Err("it is no list of rules; name the files that a policy imports, not the policy".to_owned());
    };
    let parsed = rules::parse(&format!("bots:\n{below}"))?;
    // Lines like ours that say where rules come from are not theirs to write.
    let lines =
        below.lines().map(str::trim_end).filter(|line| !line.is_empty() && *line != "---" && !line.starts_with("# from "));
    let mut found = Found::of(POLICY, lines.map(|line| vec![line.to_owned()]).collect());
    if parsed.rules.is_empty() && parsed.skipped.is_empty() {
        return Err("it holds no rule".to_owned());
    }
    found.notes.push(format!(
        "{} rules that can be applied, {} that are skipped when they are imported",
        parsed.rules.len(),
        parsed.skipped.len()
    ));
    Ok(found)
}

/// A text from outside as a cell: no comma, no control characters, at most 100 characters.
fn clean(text: &str) -> String {
    let one = |c: char| {
        if c == ',' {
            ';'
        } else if c.is_control() || c == '\u{feff}' {
            ' '
        } else {
            c
        }
    };
    text.trim().chars().map(one).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::super::upstreams::Upstreams;
    use super::*;

    fn found(format: Format, text: &str) -> Result<Found, String> {
        let mut upstream = Upstreams::read(None).unwrap().upstream.remove(0);
        (upstream.format, upstream.label) = (format, "somebot".to_owned());
        read(&upstream, text)
    }

    fn rows(format: Format, text: &str, file: &str) -> Vec<String> {
        found(format, text).unwrap().rows.remove(file).unwrap().iter().map(|row| row.join(",")).collect()
    }

    #[test]
    fn every_format_is_read() {
        let csv = "network,asn,country_code,name,org,domain\n1.0.4.0/22,38803,au,GTELECOM-AS-AP,\"Gtelecom, Pty \"\"Ltd\"\"\",g.example\n2001:db8::/32,64496,,,Some Org,\n";
        assert_eq!(
            rows(Format::IplocateAsn, csv, "asn.csv"),
            ["1.0.4.0/22,38803,GTELECOM-AS-AP,AU", "2001:db8::/32,64496,Some Org,"]
        );
        let json =
            r#"{"creationTime": "x", "prefixes": [{"ipv4Prefix": "66.249.64.0/27"}, {"ipv6Prefix": "2001:4860:4801:10::/64"}]}"#;
        assert_eq!(rows(Format::PrefixesJson, json, "bot_ip.csv"), ["66.249.64.0/27,somebot", "2001:4860:4801:10::/64,somebot"]);
        assert_eq!(
            rows(Format::Addresses, "# exits\n185.220.101.1\n\n2a0b:f4c2::1 # six\n", "bot_ip.csv"),
            ["185.220.101.1/32,somebot", "2a0b:f4c2::1/128,somebot"]
        );
        let record = |ja4: &str, name: &str, verified: bool| {
            format!(
                r#"{{"application": "{name}", "library": null, "os": "Windows", "verified": {verified}, "ja4_fingerprint": "{ja4}"}}"#
            )
        };
        let value = |n: u32| format!("t13d15{n:02}h2_8daaf6152771_02713d6af862");
        let records = [
            record(&value(1), "Chromium Browser", true),
            record(&value(2), "Sliver, Agent", true),
            record(&value(3), "Chrome", true),
            record(&value(3), "Evilginx", true),
            record(&value(4), "Firefox", false),
            record("t13", "Firefox", true),
            r#"{"application": "Nmap", "verified": true, "ja4_fingerprint": null, "ja4t_fingerprint": "1024_2_1460_00"}"#
                .to_owned(),
        ];
        let text = format!("[{}]", records.join(","));
        assert_eq!(rows(Format::Ja4db, &text, "ja4_browser.csv"), [format!("{},chromium,windows,ja4db", value(1))]);
        assert_eq!(rows(Format::Ja4db, &text, "ja4_bot.csv"), [format!("{},sliver;-agent,windows,ja4db", value(2))]);
        assert_eq!(found(Format::Ja4db, &text).unwrap().notes.len(), 3);
        let list =
            "# a comment\n- name: x\n  path_regex: ^/x\n  action: DENY\n\n- name: y\n  expression: 'true'\n  action: ALLOW\n";
        assert_eq!(rows(Format::Anubis, list, POLICY).len(), 7);
    }

    #[test]
    fn what_is_damaged_or_cannot_be_meant_is_refused_whole() {
        for (format, text, part) in [
            (Format::IplocateAsn, "network,asn\n", "there is no column \"country_code\""),
            (Format::IplocateAsn, "network,asn,country_code,name,org\n1.0.4.0/99,1,AU,x,y\n", "line 2"),
            (
                Format::IplocateAsn,
                "network,asn,country_code,name,org\n1.0.4.0/24,1,AU,x\n",
                "line 2: 4 values where the header has 5",
            ),
            (Format::IplocateAsn, "network,asn,country_code,name,org\n1.0.4.0/24,x,AU,x,y\n", "\"x\" is no AS number"),
            (Format::PrefixesJson, "<html>", "it is no JSON"),
            (Format::PrefixesJson, "{}", "no list `prefixes`"),
            (Format::PrefixesJson, r#"{"prefixes": [{"ipv4Prefix": "10.0.0.0/8"}]}"#, "prefix 1: 10.0.0.0/8 is not routed"),
            (Format::PrefixesJson, r#"{"prefixes": [{"ipv4Prefix": "128.0.0.0/1"}]}"#, "too much of the Internet"),
            (Format::PrefixesJson, r#"{"prefixes": [{"ipv6Prefix": "fe80::/64"}]}"#, "is not routed"),
            (Format::Addresses, "185.220.101.1\nnot an address\n", "line 2"),
            (Format::Ja4db, "{}", "no list of records"),
            (Format::Anubis, "bots:\n  - import: x\n", "name the files that a policy imports"),
            (Format::Anubis, "- name: [\n", "no YAML"),
        ] {
            let message = found(format, text).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
