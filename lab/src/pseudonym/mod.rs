//! Pseudonyms for what leaves the house: addresses keep their common prefixes, names become stable words, figures stay.
//!
//! Promises: the same value under the same key is the same pseudonym in every table and every run; two addresses share exactly as many
//! leading bits as their pseudonyms do (as Crypto-PAn has it, with SHA-256 in place of AES); a text column that is not known to
//! name nobody is replaced, so a new column is safe before anybody thinks of it; without the key nothing is turned back.
//! What it does not do: times, counts, sizes, ports, countries, TLS fingerprints and reasons stay, and somebody who knows part of the
//! traffic can recognise it by them. The key is as secret as the data.
//!
//! Read next: `../cli/export.rs`, `docs/DESKTOP.md`.

mod key;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use duckdb::arrow::array::{Array as _, ArrayRef, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::datatypes::{DataType, Field, Schema};

pub use self::key::Key;
use crate::error::LabError;

/// Text columns that name nobody: fingerprints, classes, words of this program. All other text is replaced.
const KEPT_TEXT: &[&str] = &[
    "accept",
    "accept_encoding",
    "accept_language",
    "action",
    "alpn",
    "country",
    "explanation",
    "feature",
    "h2",
    "h2_browser",
    "header_names",
    "header_order",
    "http_version",
    "ip_bot",
    "ja3",
    "ja4",
    "ja4_bot",
    "ja4_browser",
    "ja4_r",
    "ja4h",
    "ja4s",
    "ja4t",
    "ja4ts",
    "kind",
    "label_source",
    "match_kind",
    "method",
    "metric",
    "model_id",
    "model_kind",
    "model_name",
    "reason",
    "scheme",
    "scored_run",
    "sec_ch_ua",
    "sec_ch_ua_mobile",
    "sec_ch_ua_platform",
    "sec_fetch_dest",
    "sec_fetch_mode",
    "sec_fetch_site",
    "severity",
    "source",
    "state",
    "tcp_options",
    "tls_version",
    "ua_class",
    "ua_family",
    "ua_os",
    "verdict",
    "voice",
];

/// Integer columns that name somebody; all other figures stay.
const NAMING_INTEGERS: &[&str] = &["asn", "row_hi", "row_lo", "conn_id"];

/// What a text is, by its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Kept,
    Host,
    Path,
    Name,
}

fn nature(column: &str) -> Nature {
    match column {
        "host" | "sni" | "server" | "server_name" | "hosts" => Nature::Host,
        "path" | "referer" | "url" => Nature::Path,
        _ if KEPT_TEXT.contains(&column) => Nature::Kept,
        _ => Nature::Name,
    }
}

/// Replaces what names somebody, batch by batch; a value is looked at once.
#[derive(Debug)]
pub struct Pseudonyms {
    key: Key,
    known: BTreeMap<(u8, String), String>,
}

/// Values remembered; beyond, they are computed again.
const REMEMBERED: usize = 500_000;

impl Pseudonyms {
    /// Under this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key, known: BTreeMap::new() }
    }

    /// The pseudonym of a cell of the text column `column`.
    pub fn text(&mut self, column: &str, value: &str) -> String {
        let nature = nature(column);
        if value.is_empty() || nature == Nature::Kept {
            // Words of this program never hold an address alone; what does is one.
            return if value.parse::<std::net::IpAddr>().is_ok() {
                self.remembered(Nature::Name, value)
            } else {
                value.to_owned()
            };
        }
        self.remembered(nature, value)
    }

    fn remembered(&mut self, nature: Nature, value: &str) -> String {
        let place = (nature as u8, value.to_owned());
        if let Some(known) = self.known.get(&place) {
            return known.clone();
        }
        let made = words::replace(&self.key, nature, value);
        if self.known.len() < REMEMBERED {
            self.known.insert(place, made.clone());
        }
        made
    }

    /// The same rows under pseudonyms; columns keep their names and types, but a text list or the like becomes text.
    ///
    /// # Errors
    /// None that an engine's answer causes.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, LabError> {
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name().to_lowercase();
            let naming = NAMING_INTEGERS.contains(&name.as_str());
            let replaced: ArrayRef = if let Some(texts) = column.as_any().downcast_ref::<StringArray>() {
                Arc::new(texts.iter().map(|text| text.map(|text| self.text(&name, text))).collect::<StringArray>())
            } else if let (true, Some(values)) = (naming, column.as_any().downcast_ref::<Int64Array>()) {
                Arc::new(values.iter().map(|value| value.map(|value| self.key.number(&name, value))).collect::<Int64Array>())
            } else if !naming && column.data_type().is_numeric() || *column.data_type() == DataType::Boolean {
                Arc::clone(column)
            } else {
                let shown = shown(column)?;
                Arc::new(shown.iter().map(|text| text.as_deref().map(|text| self.text(&name, text))).collect::<StringArray>())
            };
            fields.push(Field::new(field.name(), replaced.data_type().clone(), true));
            columns.push(replaced);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| LabError::Features(error.to_string()))
    }
}

/// Any other column as text.
fn shown(column: &ArrayRef) -> Result<Vec<Option<String>>, LabError> {
    use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
    let options = FormatOptions::default();
    let format = ArrayFormatter::try_new(column.as_ref(), &options).map_err(|error| LabError::Features(error.to_string()))?;
    Ok((0..column.len()).map(|row| column.is_valid(row).then(|| format.value(row).to_string())).collect())
}

#[cfg(test)]
mod tests;
