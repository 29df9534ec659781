//! What a client can change about itself, in words, and which features that moves.
//!
//! Promises: a control moves only features that follow from it directly; what other features would follow is not guessed, but named in
//! [`Control::about`]; every feature of a control stands in the catalogue.
//!
//! Read next: `mod.rs`.

use crate::cycle::workshop::Bench;

/// Where a control moves a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum To {
    /// To this value.
    Value(f64),
    /// To the median of the people of this site.
    People,
}

/// One position of a control, with the features it moves.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Its name.
    pub name: &'static str,
    /// What it moves.
    pub moves: &'static [(&'static str, To)],
}

/// Something that a client can change about itself.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, and what it leaves out.
    pub about: &'static str,
    /// What it can be set to.
    pub positions: &'static [Position],
}

use To::{People, Value};

/// Times between requests, which `rate` stretches.
const TIMES: &[&str] = &[
    "duration_ms",
    "gap_mean_ms",
    "gap_std_ms",
    "gap_median_ms",
    "gap_q875_ms",
    "gap_min_ms",
    "gap_max_ms",
    "page_gap_median_ms",
];

/// Every control with positions; `rate` takes a number, see [`rate`].
pub const CONTROLS: &[Control] = &[
    Control {
        name: "alpn",
        about: "HTTP versions offered in the handshake and used. The JA4 changes with it; whom that new JA4 belongs to is not guessed.",
        positions: &[
            Position {
                name: "h2",
                moves: &[
                    ("tls_alpn_h2", Value(1.0)),
                    ("http2_share", Value(1.0)),
                    ("http10_share", Value(0.0)),
                    ("alpn_mismatch_rate", Value(0.0)),
                ],
            },
            Position {
                name: "http1",
                moves: &[("tls_alpn_h2", Value(0.0)), ("http2_share", Value(0.0)), ("alpn_mismatch_rate", Value(0.0))],
            },
            Position {
                name: "h2-unused",
                moves: &[("tls_alpn_h2", Value(1.0)), ("http2_share", Value(0.0)), ("alpn_mismatch_rate", Value(1.0))],
            },
        ],
    },
    Control {
        name: "extension_order",
        about: "Order of the TLS extensions: Chrome shuffles them, so every handshake has another JA3; libraries keep one order. JA4 sorts \
                them and does not change.",
        positions: &[
            Position { name: "shuffled", moves: &[("ja3_per_connection", Value(1.0))] },
            Position { name: "fixed", moves: &[("ja3_per_connection", Value(0.1))] },
        ],
    },
    Control {
        name: "tls_stack",
        about: "The whole handshake of a browser that people here use, as impersonating libraries offer. TCP below it stays.",
        positions: &[Position {
            name: "browser",
            moves: &[
                ("tls_version", People),
                ("tls_ciphers", People),
                ("tls_extensions", People),
                ("tls_grease", People),
                ("tls_resumption_rate", People),
                ("tls_ech", People),
                ("tls_alpn_h2", People),
                ("tls_sni", People),
                ("hello_bytes_mean", People),
                ("hello_segments_mean", People),
                ("ja3_per_connection", People),
                ("ja4_browser_known", Value(1.0)),
                ("browser_without_ja4_share", Value(0.0)),
                ("ua_ja4_mismatch_rate", Value(0.0)),
                ("ja4_family_share", People),
            ],
        }],
    },
    Control {
        name: "user_agent",
        about: "What the client calls itself. Whether that fits its handshake and headers is a matter of the other controls.",
        positions: &[
            Position {
                name: "browser",
                moves: &[
                    ("ua_browser_share", Value(1.0)),
                    ("ua_tool_share", Value(0.0)),
                    ("ua_bot_share", Value(0.0)),
                    ("ua_empty_share", Value(0.0)),
                    ("ua_bytes_mean", People),
                    ("ua_version_lag", Value(0.0)),
                ],
            },
            Position {
                name: "tool",
                moves: &[
                    ("ua_browser_share", Value(0.0)),
                    ("ua_tool_share", Value(1.0)),
                    ("ua_bot_share", Value(0.0)),
                    ("ua_empty_share", Value(0.0)),
                    ("ua_bytes_mean", Value(11.0)),
                    ("ua_ja4_mismatch_rate", Value(0.0)),
                    ("browser_without_fetch_share", Value(0.0)),
                    ("browser_without_ja4_share", Value(0.0)),
                ],
            },
            Position {
                name: "none",
                moves: &[
                    ("ua_browser_share", Value(0.0)),
                    ("ua_tool_share", Value(0.0)),
                    ("ua_bot_share", Value(0.0)),
                    ("ua_empty_share", Value(1.0)),
                    ("ua_bytes_mean", Value(0.0)),
                ],
            },
        ],
    },
    Control {
        name: "headers",
        about: "Request headers: all that browsers of people here send, or the few that a plain library sends.",
        positions: &[
            Position {
                name: "browser",
                moves: &[
                    ("header_count_mean", People),
                    ("header_count_std", People),
                    ("header_orders", People),
                    ("header_orders_share", People),
                    ("header_order_family_share", People),
                    ("accept_rate", People),
                    ("accept_language_rate", People),
                    ("accept_encoding_rate", People),
                    ("accept_any_share", People),
                    ("accept_html_page_share", People),
                    ("encoding_br_share", People),
                    ("language_weighted_share", People),
                    ("sec_fetch_rate", People),
                    ("client_hints_rate", People),
                    ("upgrade_insecure_page_rate", People),
                    ("browser_without_fetch_share", Value(0.0)),
                    ("hints_mismatch_rate", Value(0.0)),
                    ("request_bytes_mean", People),
                ],
            },
            Position {
                name: "plain",
                moves: &[
                    ("header_count_mean", Value(4.0)),
                    ("header_count_std", Value(0.0)),
                    ("header_orders", Value(1.0)),
                    ("accept_rate", Value(1.0)),
                    ("accept_any_share", Value(1.0)),
                    ("accept_language_rate", Value(0.0)),
                    ("accept_html_page_share", Value(0.0)),
                    ("encoding_br_share", Value(0.0)),
                    ("language_weighted_share", Value(0.0)),
                    ("sec_fetch_rate", Value(0.0)),
                    ("client_hints_rate", Value(0.0)),
                    ("upgrade_insecure_page_rate", Value(0.0)),
                ],
            },
        ],
    },
    Control {
        name: "assets",
        about: "Whether styles, scripts and images that pages need are loaded. More requests would also be more in number; that is not added.",
        positions: &[
            Position {
                name: "loaded",
                moves: &[
                    ("asset_share", People),
                    ("assets_per_page", People),
                    ("page_cascade_share", People),
                    ("cascade_delay_median_ms", People),
                    ("asset_referer_rate", People),
                    ("asset_kinds", People),
                    ("agent_asset_share", People),
                    ("page_share", People),
                ],
            },
            Position {
                name: "none",
                moves: &[
                    ("asset_share", Value(0.0)),
                    ("assets_per_page", Value(0.0)),
                    ("page_cascade_share", Value(0.0)),
                    ("asset_kinds", Value(0.0)),
                    ("agent_asset_share", Value(0.0)),
                ],
            },
        ],
    },
];

/// Sets a control by name: features by place with their new values. `None` where there is no such position.
#[must_use]
pub fn moves(bench: &Bench, control: &str, position: &str) -> Option<Vec<(usize, f64)>> {
    let control = CONTROLS.iter().find(|known| known.name == control)?;
    let position = control.positions.iter().find(|known| known.name == position)?;
    let of = |(name, to): &(&str, To)| {
        let place = bench.features().iter().position(|feature| feature.name == *name)?;
        let value = match to {
            Value(value) => *value,
            People => bench.spans().get(place)?.median,
        };
        Some((place, value))
    };
    // The application model lacks what needs a handshake.
    Some(position.moves.iter().filter_map(of).collect())
}

/// `times` as many requests a minute: every time between requests shrinks, the number of requests stays.
#[must_use]
pub fn rate(bench: &Bench, values: &[f64], times: f64) -> Vec<(usize, f64)> {
    let place = |name: &str| bench.features().iter().position(|feature| feature.name == name);
    let value = |name: &str| place(name).and_then(|place| values.get(place).copied()).unwrap_or_default();
    let mut moves: Vec<(usize, f64)> = TIMES.iter().filter_map(|name| Some((place(name)?, value(name) / times))).collect();
    let duration_ms = value("duration_ms") / times;
    for (feature, requests) in [("requests_per_minute", "hits"), ("login_posts_per_minute", "login_posts")] {
        moves.extend(place(feature).map(|place| (place, value(requests) * 60_000.0 / (duration_ms + 1000.0))));
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_feature_of_a_control_is_one_that_models_see() {
        let catalogue = Catalogue::load().unwrap();
        let seen = |name: &str| catalogue.features.iter().any(|feature| feature.model && feature.name == name);
        let named = CONTROLS.iter().flat_map(|control| control.positions).flat_map(|position| position.moves);
        for name in named.map(|(name, _)| *name).chain(TIMES.iter().copied()).chain(["requests_per_minute", "hits"]) {
            assert!(seen(name), "{name}");
        }
    }
}
