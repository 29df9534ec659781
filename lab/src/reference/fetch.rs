//! One file over HTTP, within limits of size and time.
//!
//! Promises: no more than the limit is ever held; a redirect goes to https only, or stays on this machine, five at most; a web page in
//! the place of a list is told as such.
//!
//! Read next: `unpack.rs`, `formats.rs`.

use std::time::Duration;

use super::upstreams::{Format, Upstream, is_here, may_be_asked};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// What the publisher answers.
pub(super) fn get(upstream: &Upstream) -> Result<Vec<u8>, String> {
    let limit = Duration::from_nanos(upstream.timeout.0.unsigned_abs());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("ja4-lab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut url = upstream.url.clone();
    for _ in 0..=REDIRECTS {
        let told = |error: ureq::Error| told(&error, upstream, limit);
        let mut answer = agent.get(&url).header("Accept-Encoding", "identity").call().map_err(told)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let status = answer.status();
        if status.is_redirection() {
            url = next(&url, &header("location"))?;
            continue;
        }
        if !status.is_success() {
            return Err(format!("it answered with status {}", status.as_u16()));
        }
        must_fit(upstream, &header("content-type"), &header("content-encoding"), &header("content-length"))?;
        // The limit of the reader is an error only if more follows.
        return answer.body_mut().with_config().limit(upstream.most_bytes).read_to_vec().map_err(told);
    }
    Err(format!("it redirected more than {REDIRECTS} times"))
}

/// Where a redirect leads, if it may be followed.
fn next(from: &str, location: &str) -> Result<String, String> {
    let to = if location.starts_with('/') && !location.starts_with("//") {
        let end = from.match_indices('/').nth(2).map_or(from.len(), |(place, _)| place);
        format!("{}{location}", from.get(..end).unwrap_or_default())
    } else {
        location.to_owned()
    };
    // From outside, nobody may send us to a service of this machine.
    if !may_be_asked(&to) || is_here(&to) && !is_here(from) {
        return Err(format!("it redirected to {to:?}, which is not followed: only https is"));
    }
    Ok(to)
}

fn must_fit(upstream: &Upstream, kind: &str, encoding: &str, length: &str) -> Result<(), String> {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let anything = ["", "text/plain", "application/octet-stream", "binary/octet-stream"];
    let named: &[&str] = match upstream.format {
        Format::IplocateAsn => &[
            "text/csv",
            "application/csv",
            "application/zip",
            "application/x-zip-compressed",
            "application/gzip",
            "application/x-gzip",
        ],
        Format::PrefixesJson | Format::Ja4db => &["application/json", "text/json"],
        Format::Addresses => &["text/csv"],
        Format::Anubis => &["text/yaml", "text/x-yaml", "application/yaml", "application/x-yaml"],
    };
    if !anything.contains(&kind.as_str()) && !named.contains(&kind.as_str()) {
        let page = if kind == "text/html" { " (a web page)" } else { "" };
        return Err(format!("it answered with content of type {kind:?}{page}; expected is {}", named.join(", ")));
    }
    if !["", "identity"].contains(&encoding) {
        return Err(format!("it answered with the encoding {encoding:?}, which was not asked for"));
    }
    match length.parse::<u64>() {
        Ok(length) if length > upstream.most_bytes => Err(too_large(upstream)),
        _ => Ok(()),
    }
}

fn too_large(upstream: &Upstream) -> String {
    format!("its answer is larger than the {} bytes allowed (most_bytes)", upstream.most_bytes)
}

fn told(error: &ureq::Error, upstream: &Upstream, limit: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no whole answer within {} s (timeout)", limit.as_secs_f64()),
        ureq::Error::BodyExceedsLimit(_) => too_large(upstream),
        // While a body is read, both come wrapped as an I/O error.
        ureq::Error::Io(inner) if inner.kind() == std::io::ErrorKind::TimedOut => {
            format!("no whole answer within {} s (timeout)", limit.as_secs_f64())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_tls_or_stay_here() {
        let outside = "https://a.example/b/c";
        assert_eq!(next(outside, "/d").as_deref(), Ok("https://a.example/d"));
        assert_eq!(next(outside, "https://c.example/").as_deref(), Ok("https://c.example/"));
        assert_eq!(next("http://127.0.0.1:80/x", "/y").as_deref(), Ok("http://127.0.0.1:80/y"));
        for bad in ["http://a.example/", "http://127.0.0.1/x", "file:///etc/passwd", "", "//evil.example"] {
            assert!(next(outside, bad).is_err(), "{bad}");
        }
    }
}
