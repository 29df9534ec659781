//! Scoring any numeric table: the models of the lab without its data, for comparison with other libraries.
//!
//! Promises: the same table, voice and seed give the same scores; columns that are not numbers are left out and named;
//! missing values are imputed as the voice documents; with labels, AUROC and average precision are computed as scikit-learn does.
//!
//! Read next: `ja4-models` (the voices and metrics).

use std::path::Path;

use ja4_models::anomaly::run_anomaly;
use ja4_models::{FeatureSet, Matrix, VoiceKind};
use polars::prelude::{CsvReadOptions, DataFrame, DataType, ParquetReader, SerReader as _};

use crate::error::LabError;

/// A table ready to be scored.
#[derive(Debug)]
pub struct NumericTable {
    /// The numbers.
    pub matrix: Matrix,
    /// One label a row, where a label column was named.
    pub labels: Option<Vec<bool>>,
    /// Columns left out because they hold no numbers.
    pub left_out: Vec<String>,
}

/// Reads a `.csv` or `.parquet` file.
///
/// # Errors
/// A file that is neither, has no numeric column, or whose label column is missing or holds anything but 0 and 1.
pub fn read_table(path: &Path, label: Option<&str>) -> Result<NumericTable, LabError> {
    let frame = read_frame(path)?;
    let fail = |detail: String| LabError::Table { path: path.to_path_buf(), detail };
    if frame.height() == 0 {
        return Err(fail("it has no rows".to_owned()));
    }
    if let Some(label) = label
        && frame.column(label).is_err()
    {
        let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
        return Err(fail(format!("there is no column {label:?} to take labels from; there are: {}", shorten(&names))));
    }
    let mut names = Vec::new();
    let mut columns = Vec::new();
    let mut left_out = Vec::new();
    let mut labels = None;
    for column in frame.columns() {
        let name = column.name().as_str();
        let numbers = numeric(column);
        match (label == Some(name), numbers) {
            (true, Some(numbers)) => labels = Some(to_labels(&numbers).map_err(&fail)?),
            (true, None) => return Err(fail(format!("label column {name:?} holds no numbers; it must hold 0 and 1"))),
            (false, Some(numbers)) => {
                names.push(name.to_owned());
                columns.push(numbers);
            }
            (false, None) => left_out.push(name.to_owned()),
        }
    }
    if names.is_empty() {
        return Err(fail("it has no column of numbers; every column to be scored must be numeric".to_owned()));
    }
    let matrix = Matrix::from_columns(FeatureSet::new(names)?, &columns)?;
    Ok(NumericTable { matrix, labels, left_out })
}

/// Scores of a table.
#[derive(Debug)]
pub struct Scored {
    /// One a row, in the table's order; higher is more anomalous.
    pub scores: Vec<f64>,
    /// `{"auroc": …, "ap": …}` where there were labels.
    pub metrics: Option<serde_json::Value>,
}

/// Fits `voice` on the table and scores it; voices that learn from labels score each row by a model that has not seen it.
///
/// # Errors
/// What the voice refuses: too few rows, labels missing or of one kind.
pub fn score(table: &NumericTable, voice: VoiceKind, seed: u64) -> Result<Scored, LabError> {
    let report = run_anomaly(&table.matrix, table.labels.as_deref(), voice, seed)?;
    let metrics = report.metrics.map(|metrics| serde_json::to_value(metrics).unwrap_or_default());
    Ok(Scored { scores: report.scores, metrics })
}

fn read_frame(path: &Path) -> Result<DataFrame, LabError> {
    let fail = |detail: String| LabError::Table { path: path.to_path_buf(), detail };
    let mut head = [0_u8; 4];
    let mut file = std::fs::File::open(path).map_err(LabError::io("open table", path))?;
    let parquet = std::io::Read::read_exact(&mut file, &mut head).is_ok() && &head == b"PAR1";
    drop(file);
    let frame = if parquet {
        let file = std::fs::File::open(path).map_err(LabError::io("open table", path))?;
        ParquetReader::new(file).finish()
    } else {
        let options = CsvReadOptions::default().with_has_header(true).with_infer_schema_length(None);
        options.try_into_reader_with_file_path(Some(path.to_path_buf())).and_then(|reader| reader.finish())
    };
    frame.map_err(|error| {
        fail(format!("{}; a .csv with a header line or a .parquet file is accepted", first_line(&error.to_string())))
    })
}

fn numeric(column: &polars::prelude::Column) -> Option<Vec<f64>> {
    if !(column.dtype().is_primitive_numeric() || column.dtype().is_bool()) {
        return None;
    }
    let cast = column.cast(&DataType::Float64).ok()?;
    let values = cast.f64().ok()?;
    Some(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

fn to_labels(numbers: &[f64]) -> Result<Vec<bool>, String> {
    numbers
        .iter()
        .enumerate()
        .map(|(row, value)| match *value {
            0.0 => Ok(false),
            1.0 => Ok(true),
            other => Err(format!("label of row {row} is {other}; labels must be 0 (normal) or 1 (anomaly)")),
        })
        .collect()
}

fn shorten(names: &[&str]) -> String {
    let shown: Vec<&str> = names.iter().copied().take(12).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn text_columns_are_left_out_and_named() {
        let file = write("a,who,b,label\n1,x,2.5,0\n3,y,,1\n");
        let table = read_table(file.path(), Some("label")).unwrap();
        assert_eq!(table.left_out, ["who"]);
        assert_eq!(table.labels, Some(vec![false, true]));
        assert_eq!((table.matrix.rows(), table.matrix.columns()), (2, 2));
        assert!(table.matrix.row(1)[1].is_nan());
    }

    #[test]
    fn what_cannot_be_scored_is_a_sentence() {
        for (text, label, part) in [
            ("a,b\n", None, "no rows"),
            ("who\nx\n", None, "no column of numbers"),
            ("a,label\n1,2\n", Some("label"), "label of row 0 is 2"),
            ("a\n1\n", Some("label"), "no column \"label\""),
        ] {
            let file = write(text);
            let message = read_table(file.path(), label).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
