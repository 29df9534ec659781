//! Joined request in, row out: every column of `row.rs`, from the request, the handshake, the join and the reference tables.
//!
//! Promises: the row is a pure function of the joined request and the tables; caches are bounded and change nothing. The row is
//! built as one literal, so a column that is added to `row.rs` and forgotten here does not compile.
//!
//! Read next: `headers.rs`, `handshake.rs`, `path.rs`, `user_agent.rs`, `claims.rs`.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::cache::TextCache;
use super::claims::{MIN_CONFIDENCE, alpn_mismatch, family_mismatch, hints_mismatch, sni_mismatch};
use super::handshake::HandshakeCache;
use super::headers::{HeaderOrder, Headers, Known, told_by};
use super::path::{ASSET_KINDS, PathFacts};
use super::tables::Tables;
use super::user_agent::UserAgent;
use crate::correlate::evidence::host_name;
use crate::correlate::{Joined, MatchKind};
use crate::error::JoinError;
use crate::row::{HttpLogRow, Text};

/// Entries in each generation of each cache.
const CACHE_ENTRIES: usize = 8192;

/// What the reader knows of a log beyond its records.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpSourceInfo<'a> {
    /// Headers that the log names in each record; of others an absence is unknown. Empty for the module's complete records.
    pub named_headers: &'a [String],
}

/// Makes rows. One per thread: cloning shares the tables.
#[derive(Debug, Clone)]
pub struct Enricher {
    tables: Arc<Tables>,
    empty: Text,
    texts: TextCache<()>,
    user_agents: TextCache<Arc<UserAgent>>,
    paths: TextCache<PathFacts>,
    hosts: TextCache<Text>,
    order: HeaderOrder,
    handshakes: HandshakeCache,
    addresses: Vec<Option<(IpAddr, AddressFacts)>>,
    assets: [Text; ASSET_KINDS.len()],
    kinds: [Text; MatchKind::ALL.len()],
    named: (Vec<String>, u32),
}

#[derive(Debug, Clone)]
struct AddressFacts {
    text: Text,
    asn: i64,
    as_name: Text,
    country: Text,
    bot: Text,
}

impl Enricher {
    /// With the tables that the program was built with.
    ///
    /// # Errors
    /// See [`Tables::embedded`].
    pub fn embedded() -> Result<Self, JoinError> {
        Ok(Self::new(Arc::new(Tables::embedded()?)))
    }

    /// With tables from `directory` where it has them.
    ///
    /// # Errors
    /// See [`Tables::load`].
    pub fn load(directory: &Path) -> Result<Self, JoinError> {
        Ok(Self::new(Arc::new(Tables::load(directory)?)))
    }

    /// With these tables.
    #[must_use]
    pub fn new(tables: Arc<Tables>) -> Self {
        let empty: Text = "".into();
        Self {
            tables,
            texts: TextCache::new(CACHE_ENTRIES),
            user_agents: TextCache::new(CACHE_ENTRIES),
            paths: TextCache::new(CACHE_ENTRIES),
            hosts: TextCache::new(CACHE_ENTRIES),
            order: HeaderOrder::new(CACHE_ENTRIES, Arc::clone(&empty)),
            handshakes: HandshakeCache::new(&empty),
            addresses: vec![None; CACHE_ENTRIES],
            assets: ASSET_KINDS.map(Text::from),
            kinds: MatchKind::ALL.map(|kind| Text::from(kind.as_str())),
            named: (Vec::new(), 0),
            empty,
        }
    }

    /// The tables in use.
    #[must_use]
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// The row of a joined request.
    #[allow(clippy::too_many_lines, reason = "one literal of all columns: the compiler checks that none is missing")]
    pub fn row(&mut self, joined: &Joined, source: &HttpSourceInfo<'_>) -> HttpLogRow {
        let http = &*joined.http;
        if self.named.0 != source.named_headers {
            self.named = (source.named_headers.to_vec(), told_by(source.named_headers));
        }
        let headers = Headers::of(http, self.named.1);
        let (header_names, header_order) = self.order.of(http);
        let headers_known =
            if http.headers_complete { 2 } else { i64::from(!(source.named_headers.is_empty() && http.headers.is_empty())) };

        let tables = Arc::clone(&self.tables);
        let (user_agent, ua) =
            self.user_agents.get(headers.get(Known::UserAgent).unwrap_or(""), |text| Arc::new(tables.user_agents.parse(text)));
        let ua_known = headers.flag(Known::UserAgent) >= 0;
        let (path, facts) = self.paths.get(http.path.as_deref().unwrap_or(""), |path| tables.paths.classify(path));
        let path_known = http.path.is_some();
        let when_path = |value: i64| if path_known { value } else { -1 };
        let is_api = facts.api || headers.get(Known::Accept).is_some_and(only_json);
        let is_page = http.method.as_deref() == Some("GET") && facts.asset == 0 && !is_api && !facts.robots;
        let query = http.query.as_deref().unwrap_or("");

        let handshake = joined.handshake.as_ref();
        let wire = self.handshakes.of(handshake, &tables, &mut self.texts, &self.empty);
        let judged = handshake.filter(|_| joined.confidence >= MIN_CONFIDENCE);
        let known_as = if wire.names.bot.is_empty() { &wire.names.browser } else { &wire.names.bot };
        let h2 = match http.h2.as_deref() {
            Some(h2) if !h2.is_empty() => self.text(Some(h2)),
            _ => Arc::clone(&wire.h2),
        };
        // A fingerprint of the wire is only as sure as the join; the server's own is the request's.
        let h2_browser = tables.h2_browser(&h2).map_or_else(|| Arc::clone(&self.empty), Arc::clone);
        let h2_judged = http.h2.is_some() || judged.is_some();

        let client_ip = http.client_ip.or(http.src_ip);
        let client = self.address(client_ip);
        let src = if client_ip == http.src_ip { client.clone() } else { self.address(http.src_ip) };
        let host = match http.host.as_deref() {
            Some(host) => self.hosts.get(host, |host| host_name(host).to_ascii_lowercase().into()).1,
            None => Arc::clone(&self.empty),
        };

        HttpLogRow {
            row_hi: joined.row_key.hi(),
            row_lo: joined.row_key.lo(),
            ts_ns: joined.ts_ns,
            src_ip: src.text,
            src_port: number(http.src_port),
            dst_ip: self.address(http.dst_ip.or(handshake.map(|handshake| handshake.dst_ip))).text,
            dst_port: number(http.dst_port.or(handshake.map(|handshake| handshake.dst_port))),
            client_ip: client.text,
            server: self.text(http.server.as_deref()),
            conn_id: self.unshared(http.conn_id.as_deref()),
            request_no: number(http.request_no),
            scheme: self.text(http.scheme.as_deref()),
            method: self.text(http.method.as_deref()),
            host,
            path,
            query: self.unshared(http.query.as_deref()),
            http_version: self.text(http.http_version.as_deref()),
            status: number(http.status),
            request_bytes: large(http.request_bytes),
            response_bytes: large(http.response_bytes),
            duration_us: large(http.duration_us),
            headers_known,
            header_count: if http.headers_complete { size(http.headers.len()) } else { -1 },
            header_names,
            header_order,
            referer: self.text(headers.get(Known::Referer)),
            accept: self.text(headers.get(Known::Accept)),
            accept_language: self.text(headers.get(Known::AcceptLanguage)),
            accept_encoding: self.text(headers.get(Known::AcceptEncoding)),
            content_type: self.text(headers.get(Known::ContentType)),
            origin: self.text(headers.get(Known::Origin)),
            sec_ch_ua: self.text(headers.get(Known::SecChUa)),
            sec_ch_ua_mobile: self.text(headers.get(Known::SecChUaMobile)),
            sec_ch_ua_platform: self.text(headers.get(Known::SecChUaPlatform)),
            sec_fetch_site: self.text(headers.get(Known::SecFetchSite)),
            sec_fetch_mode: self.text(headers.get(Known::SecFetchMode)),
            sec_fetch_dest: self.text(headers.get(Known::SecFetchDest)),
            x_requested_with: self.text(headers.get(Known::XRequestedWith)),
            cookie_bytes: headers.secret_bytes(Known::Cookie),
            authorization_bytes: headers.secret_bytes(Known::Authorization),
            has_user_agent: headers.flag(Known::UserAgent),
            has_accept: headers.flag(Known::Accept),
            has_accept_language: headers.flag(Known::AcceptLanguage),
            has_accept_encoding: headers.flag(Known::AcceptEncoding),
            has_referer: headers.flag(Known::Referer),
            has_cookie: headers.flag(Known::Cookie),
            has_origin: headers.flag(Known::Origin),
            has_sec_fetch: headers.any_flag(&[
                Known::SecFetchSite,
                Known::SecFetchMode,
                Known::SecFetchDest,
                Known::SecFetchUser,
            ]),
            has_client_hints: headers.any_flag(&[Known::SecChUa, Known::SecChUaMobile, Known::SecChUaPlatform]),
            has_upgrade_insecure: headers.flag(Known::UpgradeInsecure),
            path_depth: when_path(i64::from(facts.depth)),
            path_bytes: when_path(size(http.path.as_deref().unwrap_or("").len())),
            query_bytes: when_path(size(query.len())),
            query_params: when_path(size(query.split('&').filter(|parameter| !parameter.is_empty()).count())),
            is_asset: when_path(i64::from(facts.asset != 0)),
            asset_kind: self.assets.get(usize::from(facts.asset)).map_or_else(|| Arc::clone(&self.empty), Arc::clone),
            is_page: when_path(i64::from(is_page)),
            is_api: when_path(i64::from(is_api)),
            is_sensitive: when_path(i64::from(facts.sensitive)),
            is_login: when_path(i64::from(facts.login)),
            is_robots: when_path(i64::from(facts.robots)),
            ua_bytes: if ua_known { size(user_agent.len()) } else { -1 },
            ua_class: if ua_known { Arc::clone(&ua.class) } else { Arc::clone(&self.empty) },
            ua_family: Arc::clone(&ua.family),
            ua_major: ua.major,
            ua_os: Arc::clone(&ua.os),
            user_agent,
            protocol: Arc::clone(&wire.protocol),
            sni: Arc::clone(&wire.sni),
            alpn: Arc::clone(&wire.alpn),
            tls_version: wire.tls_version,
            ja3: Arc::clone(&wire.ja3),
            ja4: Arc::clone(&wire.ja4),
            ja4_r: Arc::clone(&wire.ja4_r),
            ja4_o: Arc::clone(&wire.ja4_o),
            ja4s: Arc::clone(&wire.ja4s),
            ja4t: Arc::clone(&wire.ja4t),
            ja4ts: Arc::clone(&wire.ja4ts),
            ja4l_us: wire.ja4l_us,
            hello_ts_ns: wire.hello_ts_ns,
            hello_bytes: wire.hello_bytes,
            hello_segments: wire.hello_segments,
            cipher_count: wire.cipher_count,
            extension_count: wire.extension_count,
            grease: wire.grease,
            resumption: wire.resumption,
            ech: wire.ech,
            ip_ttl: wire.ip_ttl,
            ip_df: wire.ip_df,
            tcp_window: wire.tcp_window,
            tcp_mss: wire.tcp_mss,
            tcp_wscale: wire.tcp_wscale,
            tcp_options: Arc::clone(&wire.tcp_options),
            syn_to_hello_us: wire.syn_to_hello_us,
            match_kind: self.kinds.get(joined.match_kind as usize).map_or_else(|| Arc::clone(&self.empty), Arc::clone),
            match_confidence: joined.confidence,
            match_candidates: i64::from(joined.candidates),
            // Within the tolerance a request may seem to precede its hello: that is no delay at all, and -1 means unknown.
            hello_to_request_us: joined.hello_to_request_us.map_or(-1, |us| us.max(0)),
            handshake_request_no: number(joined.handshake_request_no),
            asn: client.asn,
            as_name: client.as_name,
            country: client.country,
            ip_bot: client.bot,
            ja4_bot: Arc::clone(&wire.names.bot),
            ja4_browser: Arc::clone(&wire.names.browser),
            ua_ja4_mismatch: judged.map_or(-1, |_| family_mismatch(&ua, known_as)),
            alpn_mismatch: judged.map_or(-1, |handshake| alpn_mismatch(handshake, http)),
            sni_mismatch: judged.map_or(-1, |handshake| sni_mismatch(handshake, http)),
            h2_mismatch: if h2_judged { family_mismatch(&ua, &h2_browser) } else { -1 },
            hints_mismatch: hints_mismatch(&ua, &headers, http.scheme.as_deref()),
            h2,
            h2_browser,
        }
    }

    /// Shared text for a value; texts that repeat are allocated once.
    fn text(&mut self, value: Option<&str>) -> Text {
        match value {
            Some(value) if !value.is_empty() => self.texts.get(value, |_| ()).0,
            _ => Arc::clone(&self.empty),
        }
    }

    /// Text for a value that hardly ever repeats: it would only push others out of the cache.
    fn unshared(&self, value: Option<&str>) -> Text {
        value.filter(|value| !value.is_empty()).map_or_else(|| Arc::clone(&self.empty), Text::from)
    }

    fn address(&mut self, ip: Option<IpAddr>) -> AddressFacts {
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else {
            let empty = || Arc::clone(&self.empty);
            return AddressFacts { text: empty(), asn: 0, as_name: empty(), country: empty(), bot: empty() };
        };
        let bits = crate::correlate::key::ip_number(ip);
        let mixed = (bits as u64 ^ (bits >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let at = mixed as usize % CACHE_ENTRIES;
        if let Some(Some((held, facts))) = self.addresses.get(at)
            && *held == ip
        {
            return facts.clone();
        }
        let system = self.tables.systems.get(ip);
        let text = |value: Option<&Text>| value.map_or_else(|| Arc::clone(&self.empty), Arc::clone);
        let facts = AddressFacts {
            text: ip.to_string().into(),
            asn: system.map_or(0, |system| system.asn),
            as_name: text(system.map(|system| &system.name)),
            country: text(system.map(|system| &system.country)),
            bot: text(self.tables.bot_ips.get(ip)),
        };
        if let Some(place) = self.addresses.get_mut(at) {
            *place = Some((ip, facts.clone()));
        }
        facts
    }
}

/// Whether an Accept header asks for JSON and nothing else.
fn only_json(accept: &str) -> bool {
    accept.split(',').all(|range| {
        let kind = range.split(';').next().unwrap_or("").trim();
        kind.eq_ignore_ascii_case("application/json")
            || (kind.len() > 5 && kind.get(kind.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case("+json")))
    })
}

fn number(value: Option<impl Into<i64>>) -> i64 {
    value.map_or(-1, Into::into)
}

fn large(value: Option<u64>) -> i64 {
    value.map_or(-1, |value| i64::try_from(value).unwrap_or(i64::MAX))
}

fn size(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
