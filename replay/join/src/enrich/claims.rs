//! Claims against facts: what a request says of its client, beside what its connection shows.
//!
//! Promises: 1 contradiction, 0 agreement, -1 wherever a side is unknown. A claim about a family is false only if the fingerprint's
//! family is known and shares no stack with the one claimed: Chrome, Edge and Opera are one, every browser on iOS is Apple's.
//! Claims about the connection are not judged where the join itself is doubtful.
//!
//! Read next: `datasets/reference/user_agents.csv` (column `stack`), `enricher.rs`.

use ja4_event::{HttpEvent, NetworkEvent};

use super::headers::{Headers, Known};
use super::user_agent::UserAgent;
use crate::correlate::evidence::{HttpVersion, Relation, alpn_relation, http_version, sni_relation};

/// Below this confidence of the join nothing is concluded from the connection.
pub const MIN_CONFIDENCE: f64 = 0.5;

/// First Chromium that sends client hints by default on https (Chrome 89, March 2021; 90 leaves room for its roll-out).
const HINTS_SINCE: i64 = 90;

/// The User-Agent's stack against the families known by a fingerprint (`a|b` for several that share one).
#[must_use]
pub fn family_mismatch(ua: &UserAgent, known_as: &str) -> i64 {
    if ua.stack.is_empty() || known_as.is_empty() {
        return -1;
    }
    let shares = known_as.split('|').any(|family| family == &*ua.stack || family == &*ua.family);
    i64::from(!shares)
}

/// HTTP version not among the protocols offered, or h2 offered and HTTP/1 used.
#[must_use]
pub fn alpn_mismatch(handshake: &NetworkEvent, http: &HttpEvent) -> i64 {
    match alpn_relation(handshake, http) {
        Relation::Unknown => -1,
        Relation::Differs => 1,
        Relation::Agrees => {
            let version = http_version(http.http_version.as_deref());
            i64::from(version == Some(HttpVersion::One) && handshake.alpn.iter().any(|name| name == "h2"))
        }
    }
}

/// Server name of the hello differs from the Host.
#[must_use]
pub fn sni_mismatch(handshake: &NetworkEvent, http: &HttpEvent) -> i64 {
    match sni_relation(handshake, http) {
        Relation::Unknown => -1,
        Relation::Differs => 1,
        Relation::Agrees => 0,
    }
}

/// Client hints against the User-Agent: another version, system or form factor, hints from a browser that sends none, or none from
/// one that always does (on https).
#[must_use]
pub fn hints_mismatch(ua: &UserAgent, headers: &Headers<'_>, scheme: Option<&str>) -> i64 {
    if &*ua.class != "browser" || ua.stack.is_empty() {
        return -1;
    }
    let is_chromium = &*ua.stack == "chromium";
    let Some(brands) = headers.get(Known::SecChUa) else {
        let always_sends = is_chromium && ua.chrome_major >= HINTS_SINCE;
        let is_https = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        return match headers.flag(Known::SecChUa) {
            // Over clear text no browser sends hints, so their absence says nothing.
            0 if always_sends && is_https => 1,
            0 if always_sends => -1,
            0 => 0,
            _ => -1,
        };
    };
    let other_version = brand_major(brands, "Chromium").is_some_and(|major| ua.chrome_major >= 0 && major != ua.chrome_major);
    let other_form = match headers.get(Known::SecChUaMobile) {
        Some("?1") => !ua.mobile,
        Some("?0") => ua.mobile,
        _ => false,
    };
    let platform = headers.get(Known::SecChUaPlatform).and_then(|platform| system_of(platform.trim_matches('"')));
    let other_system = platform.is_some_and(|platform| !ua.os.is_empty() && platform != &*ua.os);
    i64::from(!is_chromium || other_version || other_form || other_system)
}

/// Version of a brand in `"Chromium";v="138", "Not)A;Brand";v="8"`.
fn brand_major(brands: &str, brand: &str) -> Option<i64> {
    let (_, after) = brands.split_once(&format!("\"{brand}\";v=\""))?;
    after.split(['"', '.']).next()?.parse().ok()
}

fn system_of(platform: &str) -> Option<&'static str> {
    Some(match platform {
        "Windows" => "windows",
        "macOS" | "Mac OS X" => "macos",
        "Linux" => "linux",
        "Android" => "android",
        "iOS" => "ios",
        "Chrome OS" | "Chromium OS" => "chromeos",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::headers::told_by;
    use crate::enrich::tables::Tables;

    const CHROME: &str =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";
    const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    const IOS_CHROME: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 CriOS/123.0 Mobile/15E148 Safari/604.1";

    #[test]
    fn a_family_is_contradicted_only_by_a_known_one_that_shares_no_stack() {
        let tables = Tables::embedded().unwrap();
        for (text, known_as, expected) in [
            (CHROME, "chromium", 0),
            (EDGE, "chromium", 0),
            (CHROME, "firefox", 1),
            (CHROME, "go|sliver", 1),
            (CHROME, "", -1),
            (IOS_CHROME, "safari", 0),
            (IOS_CHROME, "chromium", 1),
            ("python-requests/2.31", "python|curl", 0),
            ("curl/8.5.0", "chromium", 1),
            ("SomeUnknownThing", "chromium", -1),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", "chromium", -1),
        ] {
            assert_eq!(family_mismatch(&tables.user_agents.parse(text), known_as), expected, "{text} {known_as}");
        }
    }

    #[test]
    fn hints_are_judged_by_what_the_claimed_browser_does() {
        let tables = Tables::embedded().unwrap();
        let brands = "\"Not)A;Brand\";v=\"8\", \"Chromium\";v=\"138\", \"Google Chrome\";v=\"138\"";
        let brands_137 = "\"Chromium\";v=\"137\"";
        let no_headers: &[(&str, &str)] = &[];
        for (name, text, headers, scheme, complete, expected) in [
            (
                "agrees",
                CHROME,
                &[("sec-ch-ua", brands), ("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", "\"Windows\"")][..],
                "https",
                true,
                0,
            ),
            ("version", CHROME, &[("sec-ch-ua", brands_137)][..], "https", true, 1),
            ("system", CHROME, &[("sec-ch-ua", brands), ("sec-ch-ua-platform", "\"Linux\"")][..], "https", true, 1),
            ("form", CHROME, &[("sec-ch-ua", brands), ("sec-ch-ua-mobile", "?1")][..], "https", true, 1),
            ("missing", CHROME, no_headers, "https", true, 1),
            ("clear text", CHROME, no_headers, "http", true, -1),
            ("not logged", CHROME, no_headers, "https", false, -1),
            ("firefox without", FIREFOX, no_headers, "https", true, 0),
            ("firefox with", FIREFOX, &[("sec-ch-ua", brands)][..], "https", true, 1),
            ("tool", "curl/8.5.0", no_headers, "https", true, -1),
        ] {
            let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let http = HttpEvent { headers, headers_complete: complete, ..HttpEvent::default() };
            let known = Headers::of(&http, told_by(&[]));
            assert_eq!(hints_mismatch(&tables.user_agents.parse(text), &known, Some(scheme)), expected, "{name}");
        }
    }
}
