//! Reference tables brought up to date from what their publishers put on the network: fetched, checked, compared, installed.
//!
//! Promises: nothing else of the program needs the network, and without it the tables stay as they are; a publisher that fails, or whose
//! answer is damaged or implausible, leaves its rows untouched and the others are still brought up to date; a table and where its rows
//! come from are one file, which is replaced in one step; the same answers twice change nothing.
//!
//! Read next: `datasets/reference/upstreams.toml` (who is asked), `fetch.rs` (how), `formats.rs` (what they answer), `table.rs` (what is kept).

mod fetch;
mod formats;
mod table;
mod unpack;
mod upstreams;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ja4_join::enrich::Tables;
use ja4_replay::digest::hex;
use sha2::{Digest as _, Sha256};

pub use self::table::{Difference, Table};
pub use self::upstreams::{Format, Upstream, Upstreams};
use crate::error::LabError;

/// The file that merged policies go to.
const POLICY: &str = "policy-anubis.yaml";

/// How an update is made.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The folder of tables; made if it is not there.
    pub folder: &'r Path,
    /// Only the publishers of these names; all without one.
    pub only: &'r [String],
    /// Whether a list that lost more than half of its rows is taken.
    pub force: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Now, RFC 3339, for the record of where rows come from.
    pub now: &'r str,
}

/// What became of a table.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its file's name.
    pub file: String,
    /// Rows before and after.
    pub rows: [usize; 2],
    /// What differs.
    pub difference: Difference,
}

/// What an update came to.
#[derive(Debug, Clone, Default)]
pub struct Updated {
    /// Tables that differ, by name.
    pub changed: Vec<Changed>,
    /// What a reader should know, a sentence each.
    pub notes: Vec<String>,
    /// Publishers that were left out, with the reason.
    pub failed: Vec<String>,
    /// How many were asked.
    pub asked: usize,
}

/// An answer that was read and found plausible.
struct Answer<'u> {
    upstream: &'u Upstream,
    found: formats::Found,
    bytes: usize,
    sha256: String,
}

/// Asks every publisher and installs what they say.
///
/// # Errors
/// A table in the folder is damaged, a name is unknown, or the file system refuses; that a publisher fails is told in the result.
pub fn update(upstreams: &Upstreams, request: &Request<'_>, tell: &dyn Fn(&str)) -> Result<Updated, LabError> {
    let chosen = upstreams.chosen(request.only)?;
    let mut tables = BTreeMap::new();
    for file in chosen.iter().flat_map(|upstream| upstream.format.files()) {
        if !tables.contains_key(*file) {
            tables.insert((*file).to_owned(), Table::read(request.folder, file)?);
        }
    }
    let before = tables.clone();
    let mut updated = Updated { asked: chosen.len(), ..Updated::default() };
    for upstream in chosen {
        tell(&format!("asking {} ({})", upstream.name, upstream.url));
        let answer = ask(upstream);
        let taken = answer.and_then(|answer| {
            updated.notes.extend(answer.found.notes.iter().map(|note| format!("{}: {note}", upstream.name)));
            take(&mut tables, &answer, request)
        });
        if let Err(reason) = taken {
            updated.failed.push(format!("{} ({}): {reason}; its rows stay as they are", upstream.name, upstream.url));
        }
    }
    for (file, table) in &tables {
        let old = before.get(file).map_or(&[][..], |table| table.rows());
        let difference = Difference::between(old, table.rows());
        if !difference.is_empty() {
            updated.changed.push(Changed { file: file.clone(), rows: [old.len(), table.rows().len()], difference });
        }
    }
    if !request.dry_run {
        let wanted = updated.changed.iter().filter_map(|changed| tables.get(&changed.file).map(|table| (&changed.file, table)));
        install(request.folder, &wanted.collect::<Vec<_>>())?;
    }
    Ok(updated)
}

fn ask(upstream: &Upstream) -> Result<Answer<'_>, String> {
    let bytes = fetch::get(upstream)?;
    let text = unpack::text(&bytes, upstream.most_bytes)?;
    let found = formats::read(upstream, &text)?;
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(Answer { upstream, found, bytes: bytes.len(), sha256 })
}

/// Puts the rows of an answer in the place of the publisher's old ones: all of its tables, or none.
fn take(tables: &mut BTreeMap<String, Table>, answer: &Answer<'_>, request: &Request<'_>) -> Result<(), String> {
    let upstream = answer.upstream;
    let had: usize = tables.values().map(|table| table.count_of(upstream)).sum();
    let has: usize = answer.found.rows.values().map(Vec::len).sum();
    if has == 0 {
        return Err("it holds no row that can be used".to_owned());
    }
    let few = usize::try_from(upstream.least_rows).unwrap_or(usize::MAX);
    if !request.force && has < few {
        return Err(format!("it holds {has} rows where at least {few} are expected; --force takes them all the same"));
    }
    if !request.force && has.saturating_mul(2) < had {
        return Err(format!("it holds {has} rows where it held {had}: more than half are gone; --force takes them all the same"));
    }
    let day = request.now.split('T').next().unwrap_or_default();
    let from = format!(
        "# upstream {}: {}, {}, {} bytes, SHA-256 {}, {has} rows, fetched {}",
        upstream.name, upstream.url, upstream.licence, answer.bytes, answer.sha256, request.now
    );
    for file in upstream.format.files() {
        if let Some(table) = tables.get_mut(*file) {
            let rows = answer.found.rows.get(*file).map_or(&[][..], Vec::as_slice);
            table.replace(upstream, rows, day, &from);
        }
    }
    Ok(())
}

/// Writes tables beside their places, reads them as the program will, and only then moves each into its place.
fn install(folder: &Path, tables: &[(&String, &Table)]) -> Result<(), LabError> {
    if tables.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(LabError::io("create folder", folder))?;
    let stage: PathBuf = folder.join(format!(".update-{}", std::process::id()));
    std::fs::create_dir(&stage).map_err(LabError::io("create folder", &stage))?;
    let installed = (|| {
        for (file, table) in tables {
            let path = stage.join(file);
            std::fs::write(&path, table.text()).map_err(LabError::io("write", &path))?;
            std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(LabError::io("write", &path))?;
        }
        Tables::load(&stage).map_err(|error| LabError::Ask(format!("dataset update: {error}; nothing was installed")))?;
        for (file, _) in tables {
            let (from, to) = (stage.join(file), folder.join(file));
            std::fs::rename(&from, &to).map_err(LabError::io("install", &to))?;
        }
        Ok(())
    })();
    let _ = std::fs::remove_dir_all(&stage);
    installed
}
