//! Alerts by HTTP POST: one JSON object `{"v": 1, "alerts": […]}` a request.
//!
//! Promises: a request ends within [`LIMIT`], whatever the other side does; no redirect is followed; the URL, which may hold a
//! secret, is never told: messages name its host alone.
//!
//! Read next: `mod.rs` (tries, queue).

use std::sync::Arc;
use std::time::Duration;

use super::{Alert, Target};

/// The longest a request may take, name look-up and all.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A URL that takes alerts.
pub struct Webhook {
    agent: ureq::Agent,
    url: String,
}

impl Webhook {
    /// Nothing is sent yet.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("ja4-lab/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), url: url.to_owned() }
    }
}

impl Target for Webhook {
    fn deliver(&mut self, alerts: &[Arc<Alert>]) -> Result<(), String> {
        let alerts: Vec<&Alert> = alerts.iter().map(|alert| &**alert).collect();
        let body = serde_json::json!({ "v": 1, "alerts": alerts }).to_string();
        let answer = self.agent.post(&self.url).header("Content-Type", "application/json").send(body.as_bytes());
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered with status {}", answer.status().as_u16())),
            Err(error) => Err(without(&error.to_string(), &self.url)),
        }
    }
}

/// What messages call the target.
pub fn label(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("webhook {}", host.rsplit('@').next().unwrap_or_default())
}

fn without(text: &str, url: &str) -> String {
    text.replace(url, "the URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_holds_no_secret() {
        assert_eq!(label("https://user:pass@hooks.example:8443/T0/secret?token=x"), "webhook hooks.example:8443");
        assert_eq!(label("http://hooks.example"), "webhook hooks.example");
    }
}
