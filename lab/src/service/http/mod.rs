//! The HTTP listener: one thread with a current-thread runtime; the store is asked on a few blocking threads.
//!
//! Promises: every request passes the same steps in the same order (rate, token, method, path, parameters, cache, store); no client
//! holds more than its share of connections, time or memory (`gate.rs`, `rate.rs`, [`ASKING`], [`LIMIT`]); beyond loopback nothing
//! but `/health` and `/ready` is told without the token; every answer carries the headers that keep a browser from misusing it.
//!
//! Read next: `../api/mod.rs` (what the answers are), `gate.rs`, `rate.rs`, `token.rs`, `cache.rs`, `ready.rs`.

mod cache;
mod gate;
mod rate;
mod ready;
pub mod token;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body as Stream, Bytes};
use axum::extract::{ConnectInfo, Query as UrlQuery, Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use ja4_replay::metrics::CONTENT_TYPE;
use ja4_replay::store::Engine;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, oneshot};

use self::cache::Cache;
use self::gate::{Client, Gate};
use self::rate::{Rate, RateLimit};
use self::token::Token;
use super::api::problem::Problem;
use super::api::{self, Body, Route, features, openapi};
use super::link::Link;
use super::state::State;
use super::{Clock, metrics};
use crate::error::LabError;

/// Questions the store answers at a time.
const ASKING: usize = 4;
/// The longest an answer may take before the client is told to come back.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest path with query, bytes.
const LONGEST_URI: usize = 4096;
/// How long a kept answer is served while nothing says that the store changed, ns: of a server, where others write too.
const KEPT_NS: i64 = 30_000_000_000;
/// The same of a DuckDB file, which is ours alone: only a cycle changes it, and that begins a generation.
const KEPT_ALONE_NS: i64 = 3_600_000_000_000;
/// Questions that several may be waiting for at a time.
const TURNS: usize = 1024;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// The bearer token; without one only loopback may be listened on.
    pub token: Option<Token>,
    /// Requests a second for each client.
    pub rate: RateLimit,
}

pub use self::rate::RateLimit as Limit;

/// What every request is answered from.
#[derive(Debug)]
pub struct App {
    link: Arc<Link>,
    state: Arc<State>,
    clock: Clock,
    token: Option<Token>,
    rate: Mutex<Rate>,
    cache: Mutex<Cache>,
    /// Who asks the store a question; others who ask the same wait for the answer.
    turns: Mutex<BTreeMap<String, Weak<AsyncMutex<()>>>>,
    asking: Arc<Semaphore>,
    openapi: Bytes,
}

impl App {
    /// An interface over `link`.
    ///
    /// # Errors
    /// An address beyond loopback without a token.
    pub fn new(link: Arc<Link>, state: Arc<State>, clock: Clock, listen: &Listen) -> Result<Arc<Self>, LabError> {
        if listen.token.is_none() && !listen.address.ip().is_loopback() {
            return Err(LabError::Ask(format!(
                "listen on {}: beyond loopback a token is needed; put one of at least {} characters into a file and give --token-file, \
                 or set JA4_API_TOKEN",
                listen.address,
                token::SHORTEST
            )));
        }
        Ok(Arc::new(Self {
            link,
            state,
            clock,
            token: listen.token.clone(),
            rate: Mutex::new(Rate::new(listen.rate)),
            cache: Mutex::default(),
            turns: Mutex::default(),
            asking: Arc::new(Semaphore::new(ASKING)),
            openapi: Bytes::from(openapi::document().to_string()),
        }))
    }

    /// The answer to `key` that is kept, if one is.
    fn kept(&self, key: &str, generation: u64) -> Option<Answer> {
        let now_ns = (self.clock.steady_ns)();
        let (media_type, bytes) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key, generation, now_ns)?;
        self.state.cache_hit();
        Some(Answer { status: StatusCode::OK, media_type, bytes })
    }

    fn kept_until(&self, now_ns: i64) -> i64 {
        let alone = self.link.engine() == Some(Engine::DuckDb);
        now_ns.saturating_add(if alone { KEPT_ALONE_NS } else { KEPT_NS })
    }

    /// The turn of a question: one asks the store, the others find the answer kept when theirs comes.
    fn turn(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= TURNS {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(AsyncMutex::new(()));
        turns.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

/// The listener's thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Binds and begins to answer.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn start(listen: &Listen, app: Arc<App>) -> Result<Self, LabError> {
        let fail = |error: std::io::Error| LabError::Ask(format!("listen on {}: {error}; give another --listen", listen.address));
        let socket = std::net::TcpListener::bind(listen.address).map_err(fail)?;
        socket.set_nonblocking(true).map_err(fail)?;
        let address = socket.local_addr().map_err(fail)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(ASKING + 1).build().map_err(fail)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
                let routes = Router::new().fallback(handle).with_state(app);
                let service = routes.into_make_service_with_connect_info::<Client>();
                let server = axum::serve(Gate::new(socket), service).into_future();
                tokio::select! {
                    // It ends only when told to.
                    _ = server => {}
                    _ = stopped => {}
                }
            });
            // What still asks the store is not waited for.
            runtime.shutdown_timeout(Duration::from_millis(200));
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(fail)?;
        Ok(Self { address, stop, thread })
    }

    /// The address that is listened on, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub fn stop(self) {
        // A thread that is gone needs no message.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn handle(Shared(app): Shared<Arc<App>>, ConnectInfo(Client(client)): ConnectInfo<Client>, request: Request) -> Response {
    let begun_ns = (app.clock.steady_ns)();
    let (parts, _) = request.into_parts();
    let answer = steps(&app, client.ip(), &parts.method, &parts.uri, &parts.headers).await;
    let response = match answer {
        Ok(answer) => answer.response(),
        Err(problem) => refusal(&problem),
    };
    let took_ns = (app.clock.steady_ns)().saturating_sub(begun_ns);
    app.state.answered(response.status().as_u16(), u64::try_from(took_ns / 1000).unwrap_or(0));
    response
}

/// A good answer.
struct Answer {
    status: StatusCode,
    media_type: &'static str,
    bytes: Bytes,
}

impl Answer {
    fn new(body: Body) -> Self {
        Self { status: StatusCode::OK, media_type: body.media_type, bytes: Bytes::from(body.bytes) }
    }

    fn response(self) -> Response {
        respond(self.status, self.media_type, self.bytes)
    }
}

async fn steps(app: &Arc<App>, client: IpAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Answer, Problem> {
    let route = Route::of(uri.path());
    let open = matches!(route, Some(Route::Health | Route::Ready));
    limit(app, client)?;
    if !open {
        authorise(app, client, headers)?;
    }
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > LONGEST_URI {
        return Err(Problem::new(414, format!("the address is {length} bytes long; at most {LONGEST_URI} are taken")));
    }
    let route = route.ok_or_else(not_found)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Problem::new(405, "only GET and HEAD are answered here: nothing can be changed"));
    }
    let pairs = pairs(uri)?;
    let route = match route {
        Route::Address(text) => Route::Address(decoded(&text)?),
        other => other,
    };
    let now_ns = (app.clock.wall_ns)();
    let query = api::check(&route, &pairs)?;
    match (route, query) {
        (_, Some(query)) => ask(app, uri, query).await,
        (Route::Features, _) => Ok(Answer::new(features::answer(&pairs, app.state.generation())?)),
        (Route::Ready, _) if !app.state.is_ready() => {
            Err(Problem::later(503, format!("not ready: {}", why_not_ready(&app.state)), 5))
        }
        (Route::Metrics, _) => {
            Ok(Answer::new(Body { media_type: CONTENT_TYPE, bytes: metrics::text(&app.state, now_ns).into_bytes() }))
        }
        (Route::OpenApi, _) => Ok(Answer { status: StatusCode::OK, media_type: "application/json", bytes: app.openapi.clone() }),
        (Route::Service, _) => Ok(Answer::new(Body::json(serde_json::to_string(&app.state.health()).unwrap_or_default()))),
        _ => Ok(Answer::new(Body::json("{\"status\":\"ok\"}".to_owned()))),
    }
}

fn why_not_ready(state: &State) -> String {
    let health = state.health();
    match (health.store_away, health.failure) {
        (Some(trouble), _) => format!("the store is away: {}", trouble.reason),
        (None, Some(trouble)) => format!("no cycle has ended well yet: {}", trouble.reason),
        (None, None) => "the first cycle has not ended yet".to_owned(),
    }
}

fn limit(app: &App, client: IpAddr) -> Result<(), Problem> {
    let now_ns = (app.clock.steady_ns)();
    let wait_s = app.rate.lock().unwrap_or_else(PoisonError::into_inner).take(client, now_ns);
    wait_s.map_or(Ok(()), |seconds| {
        app.state.rate_limited();
        Err(Problem::later(429, "too many requests from this address; slow down", seconds))
    })
}

/// With a token it must be given; without one (loopback) the request must name this machine, so that a web page which makes its
/// own name point here reads nothing.
fn authorise(app: &App, client: IpAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = &app.token else {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let local = host.is_none_or(names_this_machine);
        return if local {
            Ok(())
        } else {
            Err(Problem::new(403, "the Host header must name this machine: localhost or an address"))
        };
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if given.is_some_and(|(_, given)| token.matches(given.trim())) {
        return Ok(());
    }
    app.state.unauthorised();
    app.rate.lock().unwrap_or_else(PoisonError::into_inner).punish(client, (app.clock.steady_ns)());
    Err(Problem::new(401, "give the token: Authorization: Bearer TOKEN"))
}

fn names_this_machine(host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    UrlQuery::<Vec<(String, String)>>::try_from_uri(uri)
        .map(|UrlQuery(pairs)| pairs)
        .map_err(|_| Problem::bad("the part after ? cannot be read; write NAME=VALUE&NAME=VALUE".to_owned()))
}

/// A part of a path without its percent escapes.
fn decoded(text: &str) -> Result<String, Problem> {
    let uri: Result<Uri, _> = format!("/?x={}", text.replace('+', "%2B").replace('&', "%26")).parse();
    let pairs = uri.map_err(|_| Problem::bad("the path cannot be read".to_owned())).and_then(|uri| pairs(&uri))?;
    Ok(pairs.into_iter().next().map_or_else(String::new, |(_, value)| value))
}

/// An answer of the store: kept, or asked on a blocking thread.
async fn ask(app: &Arc<App>, uri: &Uri, query: api::Query) -> Result<Answer, Problem> {
    let generation = app.state.generation();
    let key = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if let Some(answer) = app.kept(&key, generation) {
        return Ok(answer);
    }
    let busy = || Problem::later(503, "the store is busy; ask again, or for less", 2);
    let turn = app.turn(&key);
    let _asking = tokio::time::timeout(LIMIT, turn.lock()).await.map_err(|_| busy())?;
    // Whoever had the turn before asked the same.
    if let Some(answer) = app.kept(&key, generation) {
        return Ok(answer);
    }
    let begun_ns = (app.clock.steady_ns)();
    let permit = tokio::time::timeout(LIMIT, Arc::clone(&app.asking).acquire_owned());
    let permit = permit.await.map_err(|_| busy())?.map_err(|_| busy())?;
    let link = Arc::clone(&app.link);
    let work = tokio::task::spawn_blocking(move || {
        let result = link.with(|store| api::answer(store, &query, generation));
        let away = result.is_err() && link.ping().is_err();
        // Given back only now, so that a client which hung up does not let another in beside its question.
        drop(permit);
        (result, away)
    });
    let (result, away) = tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| busy())?
        .map_err(|_| Problem::new(500, "the answer could not be made; the operator's log says why"))?;
    let body = result.map_err(|error| store_problem(away, &error))?;
    let bytes = Bytes::from(body.bytes);
    let mut cache = app.cache.lock().unwrap_or_else(PoisonError::into_inner);
    cache.put(key, generation, app.kept_until(begun_ns), body.media_type, bytes.clone());
    Ok(Answer { status: StatusCode::OK, media_type: body.media_type, bytes })
}

/// A store that is away is no fault of the request; anything else is ours.
fn store_problem(away: bool, error: &LabError) -> Problem {
    if away {
        return Problem::later(503, "the store is away; /api/v1/health says since when", 10);
    }
    let text: String = error.to_string().chars().take(300).collect();
    Problem::new(500, format!("the store refused: {text}"))
}

fn not_found() -> Problem {
    let lists: Vec<&str> = api::endpoints::ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
    Problem::new(
        404,
        format!(
            "there is no such path; there are /health, /ready, /metrics, /openapi.json and /api/v1/ with health, features, blocklist, \
             address/ADDRESS, {}",
            lists.join(", ")
        ),
    )
}

fn refusal(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, "application/json", Bytes::from(problem.json()));
    let headers = response.headers_mut();
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match problem.status {
        401 => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        405 => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        _ => {}
    }
    response
}

fn respond(status: StatusCode, media_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Stream::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in SAFE {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Nothing here is a page: a browser must not guess types, frame, keep or run any of it.
const SAFE: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_named_without_a_token() {
        for good in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080", "::1", "10.0.0.1"] {
            assert!(names_this_machine(good), "{good}");
        }
        for bad in ["evil.example", "evil.example:8080", "localhost.evil.example", ""] {
            assert!(!names_this_machine(bad), "{bad}");
        }
    }

    #[test]
    fn escapes_of_a_path_are_read() {
        assert_eq!(decoded("2001%3adb8%3A%3a7").unwrap(), "2001:db8::7");
        assert_eq!(decoded("a+b&c=d").unwrap(), "a+b&c=d");
    }
}
