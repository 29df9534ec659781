//! JA4H: fingerprint of an HTTP client's request (FoxIO technical_details/JA4H.md), for HTTP/1, 2 and 3.
//!
//! JA4H is Copyright (c) FoxIO, LLC, patent pending, licensed under the FoxIO License 1.1
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/LICENSE>): no monetisation without a licence from FoxIO. Built only with
//! the cargo feature `ja4plus`. The code is our own, written from the description and the published examples.
//! Promises: pure; names in wire order and case; pseudo-header fields of HTTP/2 are not counted (two of three published
//! implementations; the description is silent).

use crate::fingerprint::text::{into_text, push_sha12};
use crate::http::Request;

/// JA4H of a request, hashed and raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ja4h {
    /// `ge11cn08enus_<headers>_<cookie names>_<cookies>`: each hash the first 12 hex digits of SHA-256, or zeros.
    pub ja4h: String,
    /// The same with the hashed lists themselves; bytes that are no UTF-8 are replaced.
    pub ja4h_r: String,
}

/// Computes JA4H of `request`.
///
/// Cookie and Referer fields (in any case) are marked and left out of count and hash. Cookies are sorted by name, then by
/// value; the language is the first of the first Accept-Language field, four characters, filled with zeros.
#[must_use]
pub fn ja4h(request: &Request) -> Ja4h {
    let counted = || request.headers.iter().map(|h| h.name.as_slice()).filter(|name| !is_left_out(name));
    let has = |name: &str| request.header(name).is_some();
    let method: String = request.method.iter().take(2).map(|b| char::from(b.to_ascii_lowercase())).collect();
    let prefix = format!(
        "{method}{}{}{}{:02}{}",
        request.version.digits(),
        if has("cookie") { 'c' } else { 'n' },
        if has("referer") { 'r' } else { 'n' },
        counted().count().min(99),
        language(request.header("accept-language").unwrap_or_default()),
    );
    let names = join(counted());
    let cookies = sorted_cookies(request);
    let cookie_names = join(cookies.iter().map(|(name, _)| *name));
    let cookie_pairs = join(cookies.iter().map(|(_, pair)| *pair));
    Ja4h {
        ja4h: format!("{prefix}_{}_{}_{}", hash12(&names), hash12(&cookie_names), hash12(&cookie_pairs)),
        ja4h_r: format!("{prefix}_{}_{}_{}", text(&names), text(&cookie_names), text(&cookie_pairs)),
    }
}

fn is_left_out(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"referer")
}

/// All cookies as (name, whole pair), by name and then by pair; HTTP/2 may send one field for each (RFC 9113 8.2.3).
fn sorted_cookies(request: &Request) -> Vec<(&[u8], &[u8])> {
    let mut cookies: Vec<(&[u8], &[u8])> = request
        .headers_named("cookie")
        .flat_map(|field| field.split(|b| *b == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
        .map(|pair| (pair.split(|b| *b == b'=').next().unwrap_or(pair), pair))
        .collect();
    cookies.sort_unstable();
    cookies
}

/// "en-US,en;q=0.9" to "enus"; "da" to "da00"; nothing to "0000".
fn language(field: &[u8]) -> String {
    let first = field.split(|b| matches!(b, b',' | b';')).next().unwrap_or_default();
    let letters = text(first.trim_ascii()).to_lowercase();
    letters.chars().filter(|c| *c != '-').chain("0000".chars()).take(4).collect()
}

fn join<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, part) in parts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(part);
    }
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// First 12 hexadecimal digits of SHA-256; zeros for nothing.
pub(super) fn hash12(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(12);
    push_sha12(&mut out, bytes);
    into_text(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Header, HttpVersion};

    fn request(method: &str, version: HttpVersion, headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(n, v)| Header { name: n.as_bytes().to_vec(), value: v.as_bytes().to_vec() }).collect();
        Request {
            method: method.into(),
            target: b"/".to_vec(),
            version,
            headers,
            authority: Vec::new(),
            scheme: Vec::new(),
            stream_id: 0,
        }
    }

    /// The published example of a request to a news site (FoxIO rust/ja4, test of `http.rs`).
    #[test]
    fn published_example_with_cookies() {
        let cookies = "FastAB=0=6859,1=8174,2=4183,3=3319,4=3917,5=2557,6=4259,7=6070,8=0804,9=6453,10=1942,11=4435,12=4143,\
            13=9445,14=6957,15=8682,16=1885,17=1825,18=3760,19=0929; sato=1; countryCode=US; stateCode=VA; geoData=purcellville|VA|\
            20132|US|NA|-400|broadband|39.160|-77.700|511; usprivacy=1---; umto=1; _dd_s=logs=1&id=b5c2d770-eaba-4847-8202-390c4552ff\
            9a&created=1686159462724&expire=1686160422726";
        let names = "Host,Cookie,Sec-Ch-Ua,Sec-Ch-Ua-Mobile,User-Agent,Sec-Ch-Ua-Platform,Accept,Sec-Fetch-Site,Sec-Fetch-Mode,\
            Sec-Fetch-Dest,Sec-Fetch-Mode,Sec-Fetch-Dest,Referer,Accept-Encoding,Accept-Language";
        let headers: Vec<(&str, &str)> = names
            .split(',')
            .map(|name| {
                (
                    name,
                    if name == "Cookie" {
                        cookies
                    } else if name == "Accept-Language" {
                        "en-US,en;q=0.9"
                    } else {
                        "x"
                    },
                )
            })
            .collect();
        let got = ja4h(&request("GET", HttpVersion::Http11, &headers));
        assert_eq!(got.ja4h, "ge11cr13enus_88d2d584d47f_0f2659b474bf_161698816dab");
        assert!(got.ja4h_r.starts_with("ge11cr13enus_Host,Sec-Ch-Ua,") && got.ja4h_r.contains("_FastAB,_dd_s,countryCode,"));
    }

    #[test]
    fn cookies_sort_by_name_before_value_and_across_fields() {
        let got = ja4h(&request(
            "CONNECT",
            HttpVersion::Http2,
            &[("cookie", "a-b=1"), ("cookie", "a=2; a=1"), ("accept-language", "da")],
        ));
        assert_eq!(got.ja4h_r, "co20cn01da00_accept-language_a,a,a-b_a=1,a=2,a-b=1");
    }

    #[test]
    fn a_bare_request_has_zeros_only() {
        assert_eq!(ja4h(&request("GET", HttpVersion::Http10, &[])).ja4h, "ge10nn000000_000000000000_000000000000_000000000000");
        assert_eq!(
            ja4h(&request("OPTIONS", HttpVersion::Http11, &[("accept-language", "*;q=0.1")])).ja4h_r,
            "op11nn01*000_accept-language__"
        );
    }
}
