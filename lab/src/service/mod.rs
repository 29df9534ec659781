//! Detection as a service: cycles over a store, an HTTP interface that only reads, alerts and block-lists.
//!
//! Promises: never two cycles at once on one store (`lease.rs`); a store that goes away is waited for and a cycle that fails is
//! counted, told and followed by the next (`cycles.rs`); nothing a client or an alert target does delays a cycle; a process killed
//! at any instant leaves a store that the next cycle goes on from, because every table is written in one transaction.
//!
//! Read next: `cycles.rs` (the loop), `link.rs` (the store as it comes and goes), `api/mod.rs` (what is served), `http/mod.rs`.

pub mod alert;
pub mod api;
pub mod blocklist;
pub mod cycles;
pub mod http;
pub mod lease;
pub mod link;
pub mod metrics;
pub mod record;
pub mod state;
mod steps;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::retrain::Keeping;

/// The clocks of the driver: nothing below it reads one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Wall clock, ns since 1970; may jump.
    pub wall_ns: fn() -> i64,
    /// Never goes back; ns since any instant.
    pub steady_ns: fn() -> i64,
}

/// Where a sentence for the operator goes.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What the service is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The store: a path or a URL.
    pub db: PathBuf,
    /// Threads of the engine; 0 lets it choose.
    pub threads: usize,
    /// From the beginning of one cycle to that of the next, ns.
    pub every_ns: i64,
    /// How far before the newest stored request a cycle scores, ns; 0 scores everything stored.
    pub window_ns: i64,
    /// One cycle, then end.
    pub once: bool,
    /// Settings of scoring.
    pub settings: Settings,
    /// Score with the models of this folder instead of fitting.
    pub model: Option<PathBuf>,
    /// Score with the version in use of these models, and retrain when drift asks for it.
    pub keeping: Option<Keeping>,
    /// Where to listen, if at all.
    pub listen: Option<http::Listen>,
    /// Where alerts go.
    pub alerts: alert::Targets,
    /// How long a running cycle may go on after the request to stop, ns.
    pub grace_ns: i64,
}

/// Runs until `stop` is set (or one cycle, with [`Plan::once`]).
///
/// # Errors
/// The listener's refusal; with `once` also the failure of the cycle.
pub fn run(plan: &Plan, clock: Clock, say: &Say, stop: &Arc<AtomicBool>) -> Result<(), LabError> {
    let state = Arc::new(state::State::new((clock.wall_ns)()));
    let link = Arc::new(link::Link::new(&plan.db, plan.threads, clock, Arc::clone(&state)));
    let (mut app, mut server) = (None, None);
    if let Some(listen) = &plan.listen {
        let answering = http::App::new(Arc::clone(&link), Arc::clone(&state), clock, listen)?;
        let listening = http::Server::start(listen, Arc::clone(&answering))?;
        say(&format!("listening on http://{}", listening.address()));
        (app, server) = (Some(answering), Some(listening));
    }
    let outlet = alert::Outlet::start(&plan.alerts, Arc::clone(&state), say);
    let result = cycles::Cycles { plan, clock, say, stop, state: &state, link: &link, outlet: &outlet, app: app.as_ref() }.run();
    // The alerts of the last cycle get their chance; then the listener, then the store.
    outlet.finish(if plan.once { alert::PATIENCE_ONCE } else { alert::PATIENCE_STOP });
    if let Some(server) = server {
        server.stop();
    }
    link.close();
    result
}
