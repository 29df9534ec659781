//! Answers made before anybody asks: at the end of a cycle, the first page of every list and what was asked more than once since the last one.
//!
//! Promises: what is made belongs to the generation that begins with this cycle, or is thrown away; a question that fails is left out: who asks
//! it is told why. Read next: `cache.rs`, `mod.rs`.

use std::sync::PoisonError;

use axum::body::Bytes;
use axum::http::Uri;
use ja4_replay::store::Store;

use super::super::api::{self, Body, Route, endpoints};
use super::{App, decoded, pairs};

/// Questions answered beforehand, beside one for each list.
const MOST: usize = 48;

/// Answers that wait for their generation.
#[derive(Debug, Default)]
pub struct Ready {
    generation: u64,
    answers: Vec<(String, Body)>,
}

impl App {
    /// Asks `store` what will be asked once the generation after the present one has begun.
    #[must_use]
    pub fn prepare(&self, store: &dyn Store) -> Ready {
        let generation = self.state.generation() + 1;
        let again = self.cache.lock().unwrap_or_else(PoisonError::into_inner).asked_again(MOST);
        let mut keys: Vec<String> = endpoints::ENDPOINTS.iter().map(|endpoint| format!("/api/v1/{}", endpoint.name)).collect();
        keys.extend(again);
        keys.sort_unstable();
        keys.dedup();
        let answers = keys.into_iter().filter_map(|key| made(store, &key, generation).map(|body| (key, body)));
        Ready { generation, answers: answers.collect() }
    }

    /// Keeps them, if their generation is the one that has begun.
    pub fn keep(&self, ready: Ready) {
        if self.state.generation() != ready.generation {
            return;
        }
        let until_ns = self.kept_until((self.clock.steady_ns)());
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, body) in ready.answers {
            cache.put(key, ready.generation, until_ns, body.media_type, Bytes::from(body.bytes));
        }
    }
}

fn made(store: &dyn Store, key: &str, generation: u64) -> Option<Body> {
    let uri: Uri = key.parse().ok()?;
    let route = match Route::of(uri.path())? {
        Route::Address(text) => Route::Address(decoded(&text).ok()?),
        other => other,
    };
    let query = api::check(&route, &pairs(&uri).ok()?).ok()??;
    api::answer(store, &query, generation).ok()
}
