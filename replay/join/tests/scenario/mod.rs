//! The form of a scenario file, and the events it stands for.
//!
//! Promises: times in a file are seconds after a fixed start; generated traffic depends on its seed alone; every request knows which
//! handshake truly carried it, if that was captured.
//!
//! Read next: `../scenarios.rs`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ja4_event::{EVENT_VERSION, HttpEvent, NetworkEvent, Protocol, Transport};
use ja4_join::correlate::CorrelatorConfig;
use serde::Deserialize;

const START_NS: i64 = 1_700_000_000 * 1_000_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[serde(default)]
    pub settings: Settings,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    handshake: Vec<Handshake>,
    #[serde(default)]
    request: Vec<Request>,
    #[serde(default)]
    traffic: Vec<Traffic>,
    #[serde(default)]
    pub expect: Expect,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    window_s: Option<f64>,
    tolerance_s: Option<f64>,
    keepalive_max_s: Option<f64>,
}

/// How the log differs from the truth.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    resolution_s: f64,
    skew_s: f64,
    pub late_s: f64,
    pub estimate_skew: bool,
    port: bool,
    /// Connection and request numbers.
    numbered: bool,
    mapped: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    id: String,
    at: f64,
    from: String,
    #[serde(default = "server")]
    to: String,
    sni: Option<String>,
    #[serde(default)]
    alpn: Vec<String>,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default = "yes")]
    captured: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    at: f64,
    of: String,
    host: Option<String>,
    scheme: Option<String>,
    version: Option<String>,
    conn: Option<String>,
    no: Option<u32>,
    #[serde(default)]
    local: bool,
    expect: Expected,
}

/// What is expected of one request.
#[derive(Debug, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub kind: String,
    pub number: Option<u32>,
    pub candidates: Option<u32>,
    pub confidence: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traffic {
    seed: u64,
    addresses: u32,
    /// Ports of each address, each used by one connection after the other.
    ports: u16,
    /// Connections on each port.
    connections: u32,
    /// Most requests on a connection.
    requests: u64,
    /// Between the last request on a port and the next hello, at least and at most.
    reuse_s: [f64; 2],
    #[serde(default)]
    loss: f64,
    #[serde(default)]
    ipv6: bool,
    #[serde(default = "http11")]
    version: String,
    /// Sites that the connections of a port visit in turn, each with its own server name; 1 where none is given.
    #[serde(default)]
    sites: u32,
    /// From the hello to the first request, at least and at most.
    #[serde(default = "to_first_request")]
    hello_s: [f64; 2],
    /// From one request of a connection to the next (and from the last to its end), at least and at most.
    #[serde(default = "between_requests")]
    pause_s: [f64; 2],
}

/// What is expected of all requests together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub precision: f64,
    pub recall: f64,
    pub skew_ms: Option<i64>,
    pub kinds: Option<BTreeMap<String, u64>>,
}

/// The events of a scenario.
pub struct Run {
    pub network: Vec<NetworkItem>,
    pub http: Vec<HttpItem>,
}

pub struct NetworkItem {
    pub event: NetworkEvent,
    pub arrives_ns: i64,
}

pub struct HttpItem {
    pub event: HttpEvent,
    pub arrives_ns: i64,
    /// Hello of the handshake that carried it, if it was captured.
    pub handshake_ns: Option<i64>,
    pub expected: Option<Expected>,
}

impl Default for Log {
    fn default() -> Self {
        Self { resolution_s: 1e-6, skew_s: 0.0, late_s: 0.0, estimate_skew: false, port: true, numbered: true, mapped: false }
    }
}

impl Default for Expect {
    fn default() -> Self {
        Self { precision: 1.0, recall: 1.0, skew_ms: None, kinds: None }
    }
}

impl HttpItem {
    pub fn id(&self) -> &str {
        self.event.path.as_deref().unwrap()
    }
}

impl Scenario {
    pub fn config(&self) -> CorrelatorConfig {
        let default = CorrelatorConfig::default();
        let span = |given: Option<f64>, default: i64| given.map_or(default, |s| (s * 1e9) as i64);
        CorrelatorConfig {
            window_ns: span(self.settings.window_s, default.window_ns),
            tolerance_ns: span(self.settings.tolerance_s, default.tolerance_ns),
            keepalive_max_ns: span(self.settings.keepalive_max_s, default.keepalive_max_ns),
            ..default
        }
    }

    pub fn run(&self) -> Run {
        let mut run = Run { network: Vec::new(), http: Vec::new() };
        self.listed(&mut run);
        for (group, traffic) in self.traffic.iter().enumerate() {
            traffic.generate(group as u32, self, &mut run);
        }
        // A log is written in the order of time; a capture too.
        run.network.sort_by_key(|item| item.event.ts_ns);
        run.http.sort_by_key(|item| item.arrives_ns);
        run
    }

    fn listed(&self, run: &mut Run) {
        for item in self.handshake.iter().filter(|item| item.captured) {
            let (src_ip, src_port) = end(&item.from);
            let (dst_ip, dst_port) = end(&item.to);
            let mut event = network(at_ns(item.at), src_ip, src_port, dst_ip, dst_port);
            (event.sni, event.alpn, event.protocol) = (item.sni.clone(), item.alpn.clone(), item.protocol);
            run.network.push(NetworkItem { arrives_ns: event.ts_ns, event });
        }
        for (number, item) in self.request.iter().enumerate() {
            let of = self
                .handshake
                .iter()
                .find(|handshake| handshake.id == item.of)
                .unwrap_or_else(|| panic!("no handshake {}", item.of));
            let (src_ip, src_port) = end(&of.from);
            let mut event = self.request_event(at_ns(item.at), src_ip, src_port, format!("/{number}"));
            event.host.clone_from(&item.host);
            event.scheme.clone_from(&item.scheme);
            event.http_version = item.version.clone().or(Some(http11()));
            event.conn_id.clone_from(&item.conn);
            event.request_no = item.no;
            if item.local {
                let (ip, port) = end(&of.to);
                (event.dst_ip, event.dst_port) = (Some(ip), Some(port));
            }
            run.http.push(HttpItem {
                arrives_ns: at_ns(item.at + self.log.late_s),
                event,
                handshake_ns: of.captured.then(|| at_ns(of.at)),
                expected: Some(item.expect.clone()),
            });
        }
    }

    /// The request as this log shows it.
    fn request_event(&self, true_ns: i64, src_ip: IpAddr, src_port: u16, path: String) -> HttpEvent {
        let resolution_ns = ((self.log.resolution_s * 1e9).round() as i64).max(1);
        let logged_ns = (true_ns + (self.log.skew_s * 1e9) as i64).div_euclid(resolution_ns) * resolution_ns;
        let src_ip = match src_ip {
            IpAddr::V4(v4) if self.log.mapped => IpAddr::V6(v4.to_ipv6_mapped()),
            other => other,
        };
        HttpEvent {
            v: EVENT_VERSION,
            ts_ns: logged_ns,
            ts_resolution_ns: resolution_ns,
            src_ip: Some(src_ip),
            src_port: self.log.port.then_some(src_port),
            path: Some(path),
            ..HttpEvent::default()
        }
    }
}

impl Traffic {
    fn generate(&self, group: u32, scenario: &Scenario, run: &mut Run) {
        let mut seed = self.seed;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        for address in group * 1000..group * 1000 + self.addresses {
            let src_ip = if self.ipv6 {
                IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(address)).into())
            } else {
                IpAddr::V4((0xc633_6400 + address).into())
            };
            for port in 0..self.ports {
                let src_port = 1024 + port;
                let mut at = random() * 5.0;
                for connection in 0..self.connections {
                    let hello_ns = at_ns(at);
                    let captured = random() >= self.loss;
                    if captured {
                        let mut event = network(hello_ns, src_ip, src_port, "192.0.2.80".parse().unwrap(), 443);
                        event.alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
                        event.sni = Some(self.site(connection));
                        run.network.push(NetworkItem { event, arrives_ns: hello_ns });
                    }
                    at += self.hello_s[0] + random() * (self.hello_s[1] - self.hello_s[0]);
                    let requests = 1 + (random() * self.requests as f64) as u64;
                    for number in 0..requests.min(self.requests) {
                        let path = format!("/{address}/{port}/{connection}/{number}");
                        let mut event = scenario.request_event(at_ns(at), src_ip, src_port, path);
                        event.host = Some(self.site(connection));
                        event.http_version = Some(self.version.clone());
                        event.headers_complete = scenario.log.numbered;
                        if scenario.log.numbered {
                            event.conn_id = Some(format!("{address}-{port}-{connection}"));
                            event.request_no = Some(number as u32);
                        }
                        run.http.push(HttpItem {
                            event,
                            arrives_ns: at_ns(at + 0.01 + scenario.log.late_s),
                            handshake_ns: captured.then_some(hello_ns),
                            expected: None,
                        });
                        at += self.pause_s[0] + random() * (self.pause_s[1] - self.pause_s[0]);
                    }
                    at += self.reuse_s[0] + random() * (self.reuse_s[1] - self.reuse_s[0]);
                }
            }
        }
    }
}

impl Traffic {
    fn site(&self, connection: u32) -> String {
        match connection % self.sites.max(1) {
            0 => "www.example".to_owned(),
            other => format!("site{other}.example"),
        }
    }
}

fn network(ts_ns: i64, src_ip: IpAddr, src_port: u16, dst_ip: IpAddr, dst_port: u16) -> NetworkEvent {
    let json = serde_json::json!({
        "v": 1, "ts_ns": ts_ns, "src_ip": src_ip, "src_port": src_port, "dst_ip": dst_ip, "dst_port": dst_port,
    });
    NetworkEvent { transport: Transport::Tcp, ..serde_json::from_value(json).unwrap() }
}

fn end(text: &str) -> (IpAddr, u16) {
    let end: std::net::SocketAddr = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    (end.ip(), end.port())
}

fn at_ns(seconds: f64) -> i64 {
    START_NS + (seconds * 1e9).round() as i64
}

fn server() -> String {
    "192.0.2.80:443".to_owned()
}

fn to_first_request() -> [f64; 2] {
    [0.005, 0.145]
}

fn between_requests() -> [f64; 2] {
    [0.02, 0.32]
}

fn http11() -> String {
    "HTTP/1.1".to_owned()
}

fn yes() -> bool {
    true
}
