//! What views and commands want done, as values: the application does it after the frame was laid out.
//!
//! Promises: every action can be reached by keyboard through the command palette or a shortcut.
//!
//! Read next: `app.rs` (who does it).

use std::path::PathBuf;
use std::sync::Arc;

use ja4_lab::campaigns;

use super::docking::Docking;
use crate::data::export::Form;
use crate::data::query::Ask;
use crate::data::table::Table;
use crate::widgets::chart::Chart;

/// Something to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Show a view; its tab is opened if it was closed.
    Show(&'static str),
    /// Change where the view used last stands, and how much room it has.
    Dock(Docking),
    /// Close the tab of a view.
    CloseView(&'static str),
    /// Look into an address.
    Investigate(String),
    /// Look into a session.
    Explain {
        /// Its id.
        session: String,
        /// Its address.
        ip: String,
    },
    /// Replace the search.
    Search(String),
    /// Add a condition to the search.
    Filter {
        /// Exclude.
        not: bool,
        /// Key of the language.
        key: String,
        /// Value.
        value: String,
    },
    /// Bound the time, ns; nothing shows all of it.
    Span(Option<(i64, i64)>),
    /// Open a database.
    Open(PathBuf),
    /// Open a database, a case, or captures and logs.
    OpenAll(Vec<PathBuf>),
    /// Ask for a path to open.
    AskOpen,
    /// Ask for the address and token of a running `ja4-lab live`.
    AskFollow,
    /// Read everything again.
    Refresh,
    /// Stop every question that is being answered.
    Stop,
    /// Save rows.
    SaveTable {
        /// Proposed name without its end.
        name: String,
        /// Form.
        form: Form,
        /// Which rows, in order.
        rows: Arc<Vec<u32>>,
        /// Of what.
        table: Arc<Table>,
    },
    /// Save packets as a capture.
    SavePackets(Arc<Table>),
    /// Save a chart as SVG.
    SaveChart(Arc<Chart>),
    /// Save a chart as PNG.
    SaveChartPicture(Arc<Chart>),
    /// Save the window as PNG.
    SavePicture,
    /// Save the case as JSON.
    SaveCase,
    /// Save the case as an HTML report.
    SaveReport,
    /// Show a statement in the console.
    Sql(String),
    /// Show the statement behind an answer.
    ShowAsk(Ask),
    /// Decide about a session.
    Label(Decision),
    /// Take the last decision back.
    Undo,
    /// Decide about a campaign.
    Campaign {
        /// Which.
        id: String,
        /// What.
        kind: campaigns::Kind,
    },
    /// Replay files into a database.
    Replay {
        /// Captures and logs.
        files: Vec<PathBuf>,
        /// Times the recorded speed; nothing is as fast as possible.
        speed: Option<f64>,
    },
    /// Write a line into the case.
    Note(String),
    /// Tell the person something.
    Tell(Result<String, String>),
    /// Show or hide the command palette.
    Palette,
    /// Put the cursor into the search.
    FocusSearch,
    /// Larger (1), smaller (-1) or as it was (0).
    Zoom(i8),
    /// Next look: system, light, dark.
    NextLook,
}

/// What an analyst decided about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Session id.
    pub session: String,
    /// Address.
    pub ip: String,
    /// Fingerprint.
    pub ja4: String,
    /// Site.
    pub host: String,
    /// User-Agent.
    pub user_agent: String,
    /// 1 bot, 0 legitimate, -1 withdrawn.
    pub label: i64,
    /// Why.
    pub note: String,
}
