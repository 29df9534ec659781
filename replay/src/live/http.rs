//! `/health`, `/ready` and `/metrics` over HTTP on loopback, on one thread of their own.
//!
//! Promises: only loopback addresses are listened at; answers hold figures, never what a client sent; `/health` is 503 when the join
//! thread has not moved for ten seconds.
//!
//! Read next: `status.rs`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::status::Status;
use crate::metrics::CONTENT_TYPE;

/// How often a stop is looked for, and whether the join moved.
const LOOK: Duration = Duration::from_millis(200);
/// Looks without a beat after which the join counts as hanging.
const STALE_LOOKS: u64 = 50;

/// Opens the port; before privileges are given up, so that it may be any.
///
/// # Errors
/// One sentence: the address is none of loopback, or is in use.
pub fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    if !address.ip().is_loopback() {
        return Err(not_loopback(address));
    }
    let listener = TcpListener::bind(address).map_err(|error| format!("listen at {address}: {error}"))?;
    listener.set_nonblocking(true).map_err(|error| format!("listen at {address}: {error}"))?;
    Ok(listener)
}

/// What is wrong with an address that others can reach.
#[must_use]
pub fn not_loopback(address: SocketAddr) -> String {
    format!("listen at {address}: only loopback addresses such as 127.0.0.1:9464 are allowed; put a proxy in front")
}

#[derive(Debug, Clone)]
struct Shared {
    status: Status,
    hangs: Arc<AtomicBool>,
}

/// Serves until `stop`; `more` are routes of the driver's own.
///
/// # Errors
/// One sentence from the runtime or the socket.
pub fn serve(listener: TcpListener, status: Status, more: Router, stop: &AtomicBool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("start the HTTP thread: {error}"))?;
    let shared = Shared { status: status.clone(), hangs: Arc::default() };
    let hangs = Arc::clone(&shared.hangs);
    let routes = Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/metrics", get(metrics));
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| format!("serve HTTP: {error}"))?;
        let server = axum::serve(listener, routes.with_state(shared).merge(more));
        let until_stopped = async {
            let (mut beats, mut looks) = (status.beats(), 0_u64);
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
                looks = if status.beats() == beats { looks.saturating_add(1) } else { 0 };
                beats = status.beats();
                hangs.store(looks > STALE_LOOKS, Ordering::Relaxed);
            }
        };
        tokio::select! {
            served = server.into_future() => served.map_err(|error| format!("serve HTTP: {error}")),
            () = until_stopped => Ok(()),
        }
    })
}

async fn health(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.hangs.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "the join thread does not move\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.status.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "joining the journal again\n")
    }
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], shared.status.registry.render())
}
