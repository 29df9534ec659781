//! A request line, as `%r` logs it.
//!
//! Promises: anything is accepted; what is not there is `None`. The target may hold blanks (HttpProtocolOptions Unsafe).
//!
//! Read next: RFC 9112 section 3 (request line and target forms).

/// Parts of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestLine<'a> {
    /// First word, if it is a token.
    pub method: Option<&'a str>,
    /// Authority of a target in absolute form.
    pub authority: Option<&'a str>,
    /// Target without query.
    pub path: Option<&'a str>,
    /// What follows the first `?`.
    pub query: Option<&'a str>,
    /// Last word, if it begins with `HTTP/`.
    pub version: Option<&'a str>,
}

/// Splits a request line.
#[must_use]
pub fn split_request_line(line: &str) -> RequestLine<'_> {
    let Some((method, rest)) = line.split_once(' ') else {
        // "-", nothing, or bytes of another protocol.
        return RequestLine { method: Some(line).filter(|m| is_token(m) && *m != "-"), ..RequestLine::default() };
    };
    let (target, version) = match rest.rsplit_once(' ') {
        Some((target, version)) if version.starts_with("HTTP/") => (target, Some(version)),
        _ => (rest, None),
    };
    let (authority, target) = absolute_form(target);
    let (path, query) = split_query(target);
    RequestLine {
        method: Some(method).filter(|m| is_token(m)),
        authority,
        path: Some(path).filter(|p| !p.is_empty()),
        query,
        version,
    }
}

/// Path and query; an empty query is none.
pub(super) fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query).filter(|q| !q.is_empty())),
        None => (target, None),
    }
}

/// `http://host/path` into host and path.
fn absolute_form(target: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = target.split_once("://") else { return (None, target) };
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
        return (None, target);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (Some(authority).filter(|a| !a.is_empty()), if path.is_empty() { "/" } else { path })
}

/// RFC 9110 section 5.6.2.
fn is_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_targets() {
        let line = split_request_line("GET /a%20b?x=1?y HTTP/2.0");
        assert_eq!(
            (line.method, line.path, line.query, line.version),
            (Some("GET"), Some("/a%20b"), Some("x=1?y"), Some("HTTP/2.0"))
        );
        let line = split_request_line("GET http://ex.org:80?q HTTP/1.1");
        assert_eq!((line.authority, line.path, line.query), (Some("ex.org:80"), None, Some("q")));
        let line = split_request_line("GET /redirect?to=http://x/ HTTP/1.1");
        assert_eq!((line.authority, line.path), (None, Some("/redirect")));
        let line = split_request_line("GET /with blank HTTP/1.0");
        assert_eq!((line.path, line.version), (Some("/with blank"), Some("HTTP/1.0")));
        assert_eq!(split_request_line("GET /"), RequestLine { method: Some("GET"), path: Some("/"), ..RequestLine::default() });
        assert_eq!(split_request_line("-"), RequestLine::default());
        assert_eq!(split_request_line("\x16\x03\x01"), RequestLine::default());
        assert_eq!(split_request_line("CONNECT ex.org:443 HTTP/1.1").path, Some("ex.org:443"));
    }
}
