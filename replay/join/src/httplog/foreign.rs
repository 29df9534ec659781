//! Logs of other programs: told by name, with what to do, in place of "cannot recognise".
//!
//! Promises: looks at one line; names a program only by what its own format says; nothing is parsed here.
//!
//! Read next: `detect.rs`, which asks once no format fits; `docs/JOIN.md`, "Logs of other servers".

use crate::error::JoinError;

/// What a line holds, all of it, in a log of that program; what that is, and what to do.
struct Foreign {
    holds: &'static [&'static str],
    what: &'static str,
    advice: &'static str,
}

const CONVERT: &str = "docs/JOIN.md, \"Logs of other servers\", has the line that converts it";
const TERMINATED: &str = "TLS ends at the balancer, so no handshake of a client is in a capture behind it; convert it to the combined format for the rest";
const NGINX: &str = "write the log_format of datasets/record/logformat-nginx.conf, which has the client's port";
const SENSOR: &str = "that is what another sensor saw; give the web server's own access log";

const KNOWN: &[Foreign] = &[
    Foreign { holds: &["\"logger\":\"http.log.access", "\"request\""], what: "an access log of Caddy (JSON)", advice: CONVERT },
    Foreign { holds: &["\"ClientHost\"", "\"RequestMethod\""], what: "an access log of Traefik (JSON)", advice: CONVERT },
    Foreign { holds: &["\"start_time\"", "\"upstream_cluster\""], what: "an access log of Envoy (JSON)", advice: CONVERT },
    Foreign { holds: &["\"event_type\"", "\"flow_id\""], what: "eve.json of Suricata", advice: SENSOR },
    Foreign { holds: &["\"id.orig_h\"", "\"uid\""], what: "a log of Zeek (JSON)", advice: SENSOR },
    Foreign { holds: &["#separator "], what: "a log of Zeek", advice: SENSOR },
    Foreign { holds: &["\"httpRequest\"", "\"terminatingRuleId\""], what: "a log of AWS WAF", advice: TERMINATED },
    Foreign { holds: &["\"ClientRequestHost\""], what: "a log of Cloudflare (Logpush)", advice: TERMINATED },
    Foreign { holds: &["\"EdgeStartTimestamp\""], what: "a log of Cloudflare (Logpush)", advice: TERMINATED },
    Foreign {
        holds: &["\"remote_addr\"", "\"time_"],
        what: "an access log of nginx with a JSON format of its own",
        advice: NGINX,
    },
    Foreign {
        holds: &["\"remote_addr\"", "\"status\""],
        what: "an access log of nginx with a JSON format of its own",
        advice: NGINX,
    },
    Foreign {
        holds: &["#Software: Microsoft Internet Information Services"],
        what: "a log of IIS (W3C)",
        advice: "docs/JOIN.md, \"Logs of other servers\", has the line that converts it; add the field c-port, or the join goes by time and host",
    },
    Foreign { holds: &["#Fields:", "x-edge-location"], what: "a log of Amazon CloudFront", advice: TERMINATED },
    Foreign { holds: &["#Version: 1.0"], what: "a log in the W3C extended format", advice: CONVERT },
    Foreign { holds: &["#Fields:", "cs-method"], what: "a log in the W3C extended format", advice: CONVERT },
    Foreign { holds: &[" app/", "arn:aws:", "\""], what: "a log of an AWS Application Load Balancer", advice: TERMINATED },
    Foreign {
        holds: &["haproxy["],
        what: "a log of HAProxy",
        advice: "docs/JOIN.md, \"Logs of other servers\", has the log-format that is read, with the client's port",
    },
    Foreign { holds: &["[error]", "client: "], what: "an error log of nginx", advice: "give its access log" },
    Foreign { holds: &[":error] [pid "], what: "an error log of Apache", advice: "give its access log" },
];

/// The refusal, where `first` is a line of a known program.
pub(super) fn refused(first: &[u8], file: &str) -> Option<JoinError> {
    let line = String::from_utf8_lossy(first);
    let found = KNOWN.iter().find(|known| known.holds.iter().all(|part| line.contains(part)))?;
    Some(JoinError::ForeignLog { what: found.what, advice: found.advice, file: file.to_owned() })
}
