//! `--dump`: the events of the journal as JSON lines, as they came: to look at, or to replay.
//!
//! Promises: damage is told on standard error with segment and place; nothing in the spool changes but what opening it repairs.
//!
//! Read next: `ja4_replay::live::journal`.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::Path;

use ja4_replay::live::Stream;
use ja4_replay::live::journal::Entry;
use ja4_replay::spool::{Limits, Spool};

/// Writes the events of a stream to standard output as they came. Only while no correlator uses the spool.
pub fn dump(spool: &Path, stream: Stream) -> Result<(), String> {
    let folder = spool.join("journal");
    if !folder.is_dir() {
        return Err(format!("{} is no journal", folder.display()));
    }
    let limits = Limits { total_bytes: u64::MAX, keep_bytes: u64::MAX, ..Limits::default() };
    let (journal, found) = Spool::open(&folder, &limits, &[]).map_err(|error| error.to_string())?;
    for lost in &found.lost {
        eprintln!("ja4-correlator: {lost}");
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut records = journal.records(journal.first_seq(), u64::MAX);
    while let Some(record) = records.next_record().map_err(|error| error.to_string())? {
        let line = match Entry::read(record.kind, record.payload) {
            Ok(Entry::Http(bytes)) if stream == Stream::Http => bytes,
            Ok(Entry::Network(bytes)) if stream == Stream::Network => bytes,
            Ok(Entry::Line { event, .. }) if stream == Stream::Http => serde_json::to_vec(&event).unwrap_or_default(),
            Ok(_) => continue,
            Err(why) => {
                eprintln!("ja4-correlator: journal record {} {why}", record.seq);
                continue;
            }
        };
        match out.write_all(&line).and_then(|()| out.write_all(b"\n")) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            other => other.map_err(|error| format!("write to standard output: {error}"))?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("write to standard output: {error}")),
        _ => Ok(()),
    }
}
