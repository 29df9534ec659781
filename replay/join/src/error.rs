//! Everything that can stop reading or joining: one enum for the crate.
//!
//! Promises: each sentence names the operation, the file, the position where there is one, and what to do. File names and
//! quoted input are already escaped for a terminal. A damaged *record* is never an error: it is counted in
//! [`crate::httplog::Damage`].
//!
//! Read next: `httplog/mod.rs`, which makes most of these.

use std::io;

/// Why an operation of this crate stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A log could not be opened.
    #[error("cannot open the HTTP log: {source} ({file})")]
    OpenLog {
        /// Name of the file, escaped.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A log that could be opened could not be read (tail mode; for files at rest this is counted as damage).
    #[error("cannot read the HTTP log at byte {byte_offset}: {source} ({file})")]
    ReadLog {
        /// Name of the file, escaped.
        file: String,
        /// Where reading stopped, bytes from the beginning.
        byte_offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else than a text log.
    #[error("this is {what}, not an HTTP log; {advice} ({file})")]
    NotALog {
        /// What it is, e.g. `a packet capture (pcap)`.
        what: String,
        /// What to do instead.
        advice: &'static str,
        /// Name of the file, escaped.
        file: String,
    },
    /// A log of another program, known but not read.
    #[error("this is {what}, which is not read: {advice} ({file})")]
    ForeignLog {
        /// What it is, e.g. `a log of Caddy (JSON)`.
        what: &'static str,
        /// What to do instead.
        advice: &'static str,
        /// Name of the file, escaped.
        file: String,
    },
    /// A text file whose format is none of those recognised by `auto`.
    #[error(
        "cannot recognise the format of the HTTP log, which begins with \"{beginning}\"{hint}; recognised are JSON lines of \
         mod_reqin_log or of the JSON LogFormat, common, combined (also with ports) and vhost_combined, and any other Apache \
         LogFormat string given to --http-format ({file})"
    )]
    UnknownFormat {
        /// The first line's beginning, escaped.
        beginning: String,
        /// Why the nearest format did not fit, with a leading separator; may be empty.
        hint: String,
        /// Name of the file, escaped.
        file: String,
    },
    /// A LogFormat string that cannot be read back without guessing.
    #[error("cannot use this LogFormat: {reason}")]
    LogFormat {
        /// What is wrong and at which position (characters from 1).
        reason: String,
    },
    /// A limit that is out of its range.
    #[error("the setting {name} is {value}, but must be {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A reference table that was given could not be read.
    #[error("cannot read the reference table: {source} ({file})")]
    OpenReference {
        /// Name of the file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A reference table has a line that is not of its form.
    #[error("the reference table is damaged in line {line}: {reason} ({file})")]
    Reference {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what is allowed.
        reason: String,
    },
}
