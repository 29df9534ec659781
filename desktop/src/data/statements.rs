//! The statements of the desktop: files of `sql/shared/queries/`, one text for both engines.
//!
//! Promises: each is embedded by name; the list holds all of them, so that a test can read each.
//!
//! Read next: `query.rs`.

use super::query::Sql;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: Sql = Sql {
                name: $file,
                duckdb: include_str!(concat!("../../../sql/shared/queries/", $file, ".sql")),
                clickhouse: include_str!(concat!("../../../sql/shared/queries/", $file, ".sql")),
            };
        )*
        /// Every statement.
        pub const ALL: &[Sql] = &[$($name),*];
    };
}

statements! {
    /// Span of time of the database.
    RANGE = "ui_range";
    /// Requests by time.
    TIMELINE = "ui_timeline";
    /// Sessions by time.
    SESSION_TIMELINE = "ui_session_timeline";
    /// Figures of the overview.
    FIGURES = "ui_figures";
    /// Sessions by severity.
    SEVERITY = "ui_severity";
    /// The worst session of each address.
    FIRST = "ui_first";
    /// Worst addresses.
    TOP_IPS = "ui_top_ips";
    /// Worst sites.
    TOP_HOSTS = "ui_top_hosts";
    /// Worst fingerprints.
    TOP_JA4 = "ui_top_ja4";
    /// Requests by how they were joined.
    MATCH = "ui_match";
    /// Scored sessions.
    SESSIONS = "ui_sessions";
    /// Joined requests.
    REQUESTS = "ui_requests";
    /// Voices of every session.
    SCORES = "ui_scores";
    /// JA4 with their users.
    FINGERPRINTS = "ui_fingerprints";
    /// Users of one JA4.
    JA4_USERS = "ui_ja4_users";
    /// Addresses with many identities.
    ROTATION = "ui_rotation";
    /// Attempts against forms.
    BRUTE_FORCE = "ui_bruteforce";
    /// Entities of one kind.
    ENTITIES = "ui_entities";
    /// Requests of one address.
    IP_REQUESTS = "ui_ip_requests";
    /// Sessions of one address.
    IP_SESSIONS = "ui_ip_sessions";
    /// Fingerprints and claims of one address.
    IP_FINGERPRINTS = "ui_ip_fingerprints";
    /// Addresses with the same JA4.
    IP_NEIGHBOURS = "ui_ip_neighbours";
    /// Decisions about one address.
    IP_FEEDBACK = "ui_ip_feedback";
    /// Campaigns.
    CAMPAIGNS = "ui_campaigns";
    /// Members of campaigns.
    CAMPAIGN_MEMBERS = "ui_campaign_members";
    /// Fleets.
    FLEETS = "ui_fleets";
    /// Edges of the fleet graph.
    FLEET_GRAPH = "ui_fleet_graph";
    /// Models with stored scores.
    MODELS = "ui_models";
    /// Figures of models.
    METRICS = "ui_metrics";
    /// Sessions to look at next.
    QUEUE = "ui_queue";
    /// Decisions.
    FEEDBACK = "ui_feedback";
    /// Policy rules.
    RULES = "ui_rules";
    /// Reference lists.
    LISTS = "ui_lists";
    /// Imports.
    INPUTS = "ui_inputs";
    /// Runs.
    RUNS = "ui_runs";
    /// Audit log.
    AUDIT = "ui_audit";
    /// Handshakes without a request.
    UNMATCHED = "ui_unmatched";
    /// Time of the newest request.
    NEWEST = "newest_time";
}
