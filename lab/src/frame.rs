//! The feature table as a polars frame: one row a session, in key order, whatever the store.
//!
//! Promises: rows are sorted by (`win_ms`, `src_ip`, `ja4`, `host`); every feature is finite; columns are those of
//! `view_ai_features_1h`; a matrix has the columns of the catalogue in the catalogue's order.
//!
//! Read next: `catalogue.rs`, `cycle/mod.rs`.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use duckdb::arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::compute::{cast, interleave};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use ja4_models::{FeatureSet, Matrix};
use polars::prelude::{Column, DataFrame, NamedFrom as _, ParquetWriter, PolarsError, Series};
use rayon::prelude::*;

use crate::catalogue::{Catalogue, Feature, ModelKind, Transform};
use crate::error::LabError;

/// The sessions of a store with their features.
#[derive(Debug, Clone)]
pub struct FeatureFrame {
    frame: DataFrame,
}

impl FeatureFrame {
    /// Takes the answer to the feature query and puts it in key order.
    ///
    /// # Errors
    /// Columns that name a session are missing or have other types.
    pub fn of_sessions(batches: &[RecordBatch]) -> Result<Self, LabError> {
        let order = key_order(batches)?;
        let Some(first) = batches.first().filter(|_| !order.is_empty()) else { return Self::from_batches(batches) };
        let schema = first.schema();
        let columns: Result<Vec<Column>, LabError> = schema
            .fields()
            .par_iter()
            .enumerate()
            .map(|(index, field)| {
                let parts: Vec<&dyn Array> =
                    batches.iter().filter_map(|batch| batch.columns().get(index)).map(AsRef::as_ref).collect();
                let ordered: ArrayRef = interleave(&parts, &order)
                    .map_err(|error| LabError::Features(format!("column {}: {error}", field.name())))?;
                Ok(Column::from(series(field.name(), &[ordered.as_ref()])))
            })
            .collect();
        let frame = DataFrame::new(order.len(), columns?).map_err(|error| LabError::Features(error.to_string()))?;
        Ok(Self { frame })
    }

    /// Takes any other answer as it is.
    ///
    /// # Errors
    /// Columns of different lengths, which no engine gives.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self, LabError> {
        Ok(Self { frame: to_polars(batches)? })
    }

    /// Takes a table that has the columns asked for later.
    #[must_use]
    pub fn from_frame(frame: DataFrame) -> Self {
        Self { frame }
    }

    /// Number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.frame.height()
    }

    /// The frame itself.
    #[must_use]
    pub fn data(&self) -> &DataFrame {
        &self.frame
    }

    /// A text column.
    ///
    /// # Errors
    /// The view has no such column, or it is not text.
    pub fn text(&self, name: &str) -> Result<Vec<String>, LabError> {
        Ok(self.texts(name)?.into_iter().map(str::to_owned).collect())
    }

    /// A text column, borrowed.
    ///
    /// # Errors
    /// As [`FeatureFrame::text`].
    pub fn texts(&self, name: &str) -> Result<Vec<&str>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        let values = column.str().map_err(|error| missing(name, &error))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }

    /// An integer column.
    ///
    /// # Errors
    /// The view has no such column, or it is not BIGINT.
    pub fn int(&self, name: &str) -> Result<Vec<i64>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        let values = column.i64().map_err(|error| missing(name, &error))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }

    /// A numeric column as doubles; integers are converted exactly up to 2^53.
    ///
    /// # Errors
    /// The view has no such column, or it is text.
    pub fn number(&self, name: &str) -> Result<Vec<f64>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        if let Ok(values) = column.f64() {
            return Ok(values.iter().map(Option::unwrap_or_default).collect());
        }
        #[allow(clippy::cast_precision_loss, reason = "counts and milliseconds stay far below 2^53")]
        Ok(self.int(name)?.into_iter().map(|value| value as f64).collect())
    }

    /// The features of `kind` for the sessions in `rows`, with the values that people read.
    ///
    /// # Errors
    /// A feature of the catalogue that the view lacks.
    pub fn values(&self, catalogue: &Catalogue, kind: ModelKind, rows: &[usize]) -> Result<Matrix, LabError> {
        let features: Vec<_> = catalogue.for_model(kind).collect();
        let set = FeatureSet::new(features.iter().map(|feature| feature.name.as_str()))?;
        let (columns, width) = (self.features(catalogue, kind)?, features.len().max(1));
        let mut cells = vec![0.0; rows.len().saturating_mul(width)];
        cells.par_chunks_mut(width * FILLED_AT_ONCE).zip(rows.par_chunks(FILLED_AT_ONCE)).for_each(|(cells, rows)| {
            for (place, column) in columns.iter().enumerate() {
                let slots = cells.iter_mut().skip(place).step_by(width).zip(rows);
                slots.for_each(|(slot, row)| *slot = column.get(*row));
            }
        });
        Ok(Matrix::new(set, cells)?)
    }

    /// The columns of the features of `kind`, in the order of the catalogue.
    ///
    /// # Errors
    /// A feature of the catalogue that the view lacks.
    pub(crate) fn features<'a>(&'a self, catalogue: &Catalogue, kind: ModelKind) -> Result<Vec<FeatureColumn<'a>>, LabError> {
        let column = |feature: &Feature| {
            let values = self.numbers(&feature.name)?;
            Ok(FeatureColumn { values, neutral: feature.neutral, transform: feature.transform })
        };
        catalogue.for_model(kind).map(column).collect()
    }

    /// A numeric column, borrowed where it lies in one piece.
    fn numbers(&self, name: &str) -> Result<Numbers<'_>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        if let Some(floats) = column.f64().ok().and_then(|values| values.cont_slice().ok()) {
            return Ok(Numbers::Floats(Cow::Borrowed(floats)));
        }
        if let Some(ints) = column.i64().ok().and_then(|values| values.cont_slice().ok()) {
            return Ok(Numbers::Ints(ints));
        }
        Ok(Numbers::Floats(Cow::Owned(self.number(name)?)))
    }

    /// Writes the table as Parquet; through a temporary file, so that a half-written one is never seen.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn write_parquet(&self, path: &Path) -> Result<(), LabError> {
        write_parquet(self.frame.clone(), path)
    }
}

/// Rows of a matrix that are filled column after column while they lie in the nearest cache.
const FILLED_AT_ONCE: usize = 128;

/// A numeric column.
enum Numbers<'a> {
    Floats(Cow<'a, [f64]>),
    Ints(&'a [i64]),
}

impl Numbers<'_> {
    #[allow(clippy::cast_precision_loss, reason = "counts and milliseconds stay far below 2^53")]
    fn get(&self, row: usize) -> Option<f64> {
        match self {
            Self::Floats(values) => values.get(row).copied(),
            Self::Ints(values) => values.get(row).map(|value| *value as f64),
        }
    }
}

/// One feature of all sessions.
pub(crate) struct FeatureColumn<'a> {
    values: Numbers<'a>,
    neutral: f64,
    transform: Transform,
}

impl FeatureColumn<'_> {
    /// The value that people read.
    fn get(&self, row: usize) -> f64 {
        self.values.get(row).unwrap_or(self.neutral)
    }

    /// The value as models see it; missing where it is not finite, as in a [`Matrix`].
    pub(crate) fn shaped(&self, row: usize) -> f64 {
        let value = self.transform.apply(self.get(row));
        if value.is_finite() { value } else { f64::NAN }
    }
}

/// Batch and row of each session, in key order.
fn key_order(batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, LabError> {
    fn keys<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, LabError> {
        let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
        column.ok_or_else(|| LabError::Features(format!("column {name} of view_ai_features_1h is missing or has another type")))
    }
    let mut sessions = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (at, batch) in batches.iter().enumerate() {
        let hours: &Int64Array = keys(batch, "win_ms")?;
        let [ips, ja4s, hosts]: [&StringArray; 3] = [keys(batch, "src_ip")?, keys(batch, "ja4")?, keys(batch, "host")?];
        let texts = ips.iter().zip(ja4s).zip(hosts).map(|((ip, ja4), host)| (ip, ja4, host));
        sessions.extend(hours.values().iter().zip(texts).enumerate().map(|(row, (hour, texts))| (*hour, texts, (at, row))));
    }
    // A session is there once, so that its place decides nothing.
    sessions.par_sort_unstable();
    Ok(sessions.into_iter().map(|(_, _, place)| place).collect())
}

/// Writes any frame as Parquet, complete or not at all.
///
/// # Errors
/// The file system's refusal.
pub fn write_parquet(mut frame: DataFrame, path: &Path) -> Result<(), LabError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = std::path::PathBuf::from(temporary);
    let file = std::fs::File::create(&temporary).map_err(LabError::io("create", &temporary))?;
    let written = ParquetWriter::new(&file).finish(&mut frame);
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(LabError::Table { path: path.to_path_buf(), detail: error.to_string() });
    }
    file.sync_all().map_err(LabError::io("write", &temporary))?;
    std::fs::rename(&temporary, path).map_err(LabError::io("write", path))
}

/// Any query answer as a frame: integers and doubles stay, everything else becomes text.
///
/// # Errors
/// Columns of different lengths, which no engine gives.
pub fn to_polars(batches: &[RecordBatch]) -> Result<DataFrame, LabError> {
    let Some(first) = batches.first() else { return Ok(DataFrame::empty()) };
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::with_capacity(first.num_columns());
    for (index, field) in first.schema().fields().iter().enumerate() {
        let parts: Vec<&dyn Array> = batches.iter().filter_map(|batch| batch.columns().get(index)).map(AsRef::as_ref).collect();
        columns.push(Column::from(series(field.name(), &parts)));
    }
    DataFrame::new(rows, columns).map_err(|error| LabError::Features(error.to_string()))
}

/// An answer for a file: as [`to_polars`], with smaller integers, sums and counts as integers, single precision as doubles and truth
/// values as such.
///
/// # Errors
/// As [`to_polars`].
pub fn typed(batches: &[RecordBatch]) -> Result<DataFrame, LabError> {
    let fail = |error: duckdb::arrow::error::ArrowError| LabError::Features(error.to_string());
    let Some(first) = batches.first() else { return Ok(DataFrame::empty()) };
    let wanted: Vec<Option<DataType>> = (0..first.num_columns()).map(|index| wider(batches, index)).collect();
    let names: Vec<String> = first.schema().fields().iter().map(|field| field.name().clone()).collect();
    let widened = |batch: &RecordBatch| {
        let columns = batch.columns().iter().zip(&wanted).map(|(column, wanted)| match wanted {
            Some(wanted) => cast(column, wanted),
            None => Ok(Arc::clone(column)),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let fields: Vec<Field> =
            names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fail)
    };
    to_polars(&batches.iter().map(widened).collect::<Result<Vec<_>, _>>()?)
}

/// What a column becomes in a file, if not what it is.
fn wider(batches: &[RecordBatch], index: usize) -> Option<DataType> {
    let columns = || batches.iter().filter_map(|batch| batch.columns().get(index));
    if *columns().next()?.data_type() == DataType::Null {
        return Some(DataType::Utf8);
    }
    let wanted = match columns().next()?.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            DataType::Int64
        }
        DataType::UInt64 | DataType::Decimal128(_, 0) => DataType::Int64,
        DataType::Float32 | DataType::Decimal128(..) => DataType::Float64,
        _ => return None,
    };
    // What does not fit becomes NULL in a cast: then the text is kept.
    let fits = |column: &Arc<dyn Array>| cast(column, &wanted).is_ok_and(|cast| cast.null_count() == column.null_count());
    columns().all(fits).then_some(wanted)
}

fn series(name: &str, parts: &[&dyn Array]) -> Series {
    let whole = parts.iter().all(|part| part.null_count() == 0);
    if let Some(ints) = downcast::<Int64Array>(parts).filter(|_| whole) {
        return Series::new(name.into(), ints.iter().flat_map(|array| array.values()).copied().collect::<Vec<i64>>());
    }
    if let Some(floats) = downcast::<Float64Array>(parts).filter(|_| whole) {
        return Series::new(name.into(), floats.iter().flat_map(|array| array.values()).copied().collect::<Vec<f64>>());
    }
    if let Some(ints) = downcast::<Int64Array>(parts) {
        return Series::new(name.into(), ints.iter().flat_map(|array| array.iter()).collect::<Vec<Option<i64>>>());
    }
    if let Some(floats) = downcast::<Float64Array>(parts) {
        return Series::new(name.into(), floats.iter().flat_map(|array| array.iter()).collect::<Vec<Option<f64>>>());
    }
    if let Some(texts) = downcast::<StringArray>(parts) {
        return Series::new(name.into(), texts.iter().flat_map(|array| array.iter()).collect::<Vec<Option<&str>>>());
    }
    if let Some(flags) = downcast::<BooleanArray>(parts) {
        return Series::new(name.into(), flags.iter().flat_map(|array| array.iter()).collect::<Vec<Option<bool>>>());
    }
    let options = FormatOptions::default();
    let mut shown = Vec::new();
    for part in parts {
        let formatter = ArrayFormatter::try_new(*part, &options).ok();
        for row in 0..part.len() {
            let nested = part.data_type().is_nested().then(|| crate::render::json_value(*part, row));
            let text = nested.or_else(|| formatter.as_ref().map(|formatter| formatter.value(row).to_string()));
            shown.push(text.filter(|_| part.is_valid(row)));
        }
    }
    Series::new(name.into(), shown)
}

fn downcast<'a, T: 'static>(parts: &[&'a dyn Array]) -> Option<Vec<&'a T>> {
    parts.iter().map(|part| part.as_any().downcast_ref::<T>()).collect()
}

/// The values as models see them: each column shaped as the catalogue says.
///
/// # Errors
/// None that `values` of the same catalogue and kind can cause.
pub fn shaped(catalogue: &Catalogue, kind: ModelKind, values: &Matrix) -> Result<Matrix, LabError> {
    let transforms: Vec<_> = catalogue.for_model(kind).map(|feature| feature.transform).collect();
    let mut shaped = values.values().to_vec();
    shaped.par_chunks_exact_mut(transforms.len().max(1)).for_each(|row| {
        row.iter_mut().zip(&transforms).for_each(|(value, transform)| *value = transform.apply(*value));
    });
    Ok(Matrix::new(values.features().clone(), shaped)?)
}

fn missing(name: &str, error: &PolarsError) -> LabError {
    LabError::Features(format!("column {name} of view_ai_features_1h: {error}; run `ja4-lab db migrate` on this database"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn batch(keys: &[(i64, &str, &str, &str)]) -> RecordBatch {
        let hits: Vec<i64> = keys.iter().map(|(hour, ..)| hour * 10).collect();
        RecordBatch::try_from_iter([
            ("win_ms", Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key.0))) as ArrayRef),
            ("src_ip", Arc::new(StringArray::from_iter_values(keys.iter().map(|key| key.1)))),
            ("ja4", Arc::new(StringArray::from_iter_values(keys.iter().map(|key| key.2)))),
            ("host", Arc::new(StringArray::from_iter_values(keys.iter().map(|key| key.3)))),
            ("hits", Arc::new(Int64Array::from(hits))),
        ])
        .unwrap()
    }

    #[test]
    fn sessions_come_in_key_order_however_an_engine_gives_them() {
        let batches = [
            batch(&[(3, "b", "", "x"), (1, "b", "t", "x")]),
            batch(&[]),
            batch(&[(1, "b", "", "y"), (1, "a", "z", "x"), (1, "b", "", "x"), (-2, "é", "", "")]),
        ];
        let frame = FeatureFrame::of_sessions(&batches).unwrap();
        assert_eq!(frame.int("win_ms").unwrap(), [-2, 1, 1, 1, 1, 3]);
        assert_eq!(frame.texts("src_ip").unwrap(), ["é", "a", "b", "b", "b", "b"]);
        assert_eq!(frame.texts("host").unwrap(), ["", "x", "x", "y", "x", "x"]);
        assert_eq!(frame.number("hits").unwrap(), [-20.0, 10.0, 10.0, 10.0, 10.0, 30.0]);
        assert_eq!(FeatureFrame::of_sessions(&batches[1..2]).unwrap().sessions(), 0);
        assert_eq!(FeatureFrame::of_sessions(&[]).unwrap().sessions(), 0);
    }
}
