//! Questions to a database that this process is writing: SQL in, Arrow IPC out.
//!
//! Promises: only statements that read are run, on a connection of their own that may touch no other file; whoever lacks the token gets
//! 401 and nothing else; one question at a time.
//!
//! Read next: `ja4_replay::store::remote`, the other end; docs/LIVE.md.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ja4_replay::store::remote::to_ipc;
use ja4_replay::store::{Contents, Store};

/// Longest statement.
const MOST_STATEMENT_BYTES: usize = 1 << 20;

#[derive(Clone)]
struct Shared {
    store: Arc<Mutex<Box<dyn Store>>>,
    token: Arc<str>,
}

/// `POST /query` and `POST /digest/{rows,features,scores}`; `store` should be a connection that nobody else uses.
pub fn routes(store: Box<dyn Store>, token: &str) -> Router {
    let shared = Shared { store: Arc::new(Mutex::new(store)), token: token.into() };
    Router::new()
        .route("/query", post(query))
        .route("/digest/{what}", post(digest))
        .layer(DefaultBodyLimit::max(MOST_STATEMENT_BYTES))
        .with_state(shared)
}

async fn query(State(shared): State<Shared>, headers: HeaderMap, statement: String) -> Response {
    let answer = run(shared, &headers, move |store| {
        let batches = store.query(&statement).map_err(|error| error.to_string())?;
        to_ipc(&batches).map_err(|error| error.to_string())
    });
    match answer.await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/vnd.apache.arrow.stream")], bytes).into_response(),
        Err((status, why)) => (status, why).into_response(),
    }
}

async fn digest(State(shared): State<Shared>, Path(what): Path<String>, headers: HeaderMap) -> Response {
    let contents = match what.as_str() {
        "rows" => Contents::Rows,
        "features" => Contents::Features,
        "scores" => Contents::Scores,
        _ => return (StatusCode::NOT_FOUND, "there are rows, features and scores").into_response(),
    };
    match run(shared, &headers, move |store| store.digest(contents).map_err(|error| error.to_string())).await {
        Ok(digest) => digest.into_response(),
        Err((status, why)) => (status, why).into_response(),
    }
}

async fn run<T: Send + 'static>(
    shared: Shared,
    headers: &HeaderMap,
    ask: impl FnOnce(&dyn Store) -> Result<T, String> + Send + 'static,
) -> Result<T, (StatusCode, String)> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !given.is_some_and(|given| same(given.as_bytes(), shared.token.as_bytes())) {
        return Err((StatusCode::UNAUTHORIZED, "the token is missing or wrong".to_owned()));
    }
    let task = tokio::task::spawn_blocking(move || {
        let store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&**store)
    });
    match task.await {
        Ok(answer) => answer.map_err(|why| (StatusCode::BAD_REQUEST, why)),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "the question ended unexpectedly".to_owned())),
    }
}

/// Takes as long for the first wrong byte as for the last.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
