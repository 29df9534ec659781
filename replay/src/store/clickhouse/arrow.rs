//! Arrow on the wire: what the server sends becomes batches with DuckDB's types, what is inserted becomes a stream.
//!
//! Promises: integers of any width arrive as BIGINT where they fit, floats as DOUBLE, text as VARCHAR, so that a reader need
//! not know which engine answered; an answer that ends early is an error.
//!
//! Read next: `wire.rs`.

use std::sync::Arc;

use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use duckdb::arrow::array::{Array, ArrayRef, RecordBatch};
use duckdb::arrow::buffer::Buffer;
use duckdb::arrow::compute::kernels::cast::{CastOptions, cast_with_options};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use duckdb::arrow::error::ArrowError;

/// Name of the format in ClickHouse.
pub(super) const FORMAT: &str = "ArrowStream";

/// Plain text columns, uncompressed: what the reader below understands.
pub(super) const FORMAT_SETTINGS: &[(&str, &str)] = &[
    ("output_format_arrow_compression_method", "none"),
    ("output_format_arrow_string_as_string", "1"),
    ("output_format_arrow_low_cardinality_as_dictionary", "0"),
];

/// Takes an answer piece by piece.
#[derive(Debug, Default)]
pub(super) struct Reader {
    decoder: StreamDecoder,
    batches: usize,
    /// The last bytes that came.
    tail: Vec<u8>,
}

/// What a whole stream ends with.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

impl Reader {
    pub fn push(&mut self, chunk: Vec<u8>, mut each: impl FnMut(RecordBatch) -> Result<(), String>) -> Result<(), String> {
        self.tail.extend_from_slice(chunk.get(chunk.len().saturating_sub(END.len())..).unwrap_or_default());
        self.tail.drain(..self.tail.len().saturating_sub(END.len()));
        let mut buffer = Buffer::from_vec(chunk);
        while !buffer.is_empty() {
            if let Some(batch) = self.decoder.decode(&mut buffer).map_err(|error| error.to_string())? {
                self.batches = self.batches.saturating_add(1);
                each(batch)?;
            }
        }
        Ok(())
    }

    /// The end of the answer; an empty one still has its columns.
    pub fn finish(mut self, mut each: impl FnMut(RecordBatch) -> Result<(), String>) -> Result<(), String> {
        self.decoder.finish().map_err(|error| format!("the answer ends too early: {error}"))?;
        if self.tail != END {
            return Err("the answer ends too early".to_owned());
        }
        match self.decoder.schema() {
            Some(schema) if self.batches == 0 => each(RecordBatch::new_empty(schema)),
            _ => Ok(()),
        }
    }
}

/// Batches of one schema as the data of an `INSERT … FORMAT ArrowStream`, piece by piece.
#[derive(Default)]
pub(super) struct Stream {
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl Stream {
    /// The bytes of the next batch.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => StreamWriter::try_new(Vec::new(), &batch.schema())?,
        };
        let writer = self.writer.insert(writer);
        writer.write(batch)?;
        Ok(std::mem::take(writer.get_mut()))
    }

    /// The bytes that end the stream.
    pub fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        let Some(mut writer) = self.writer.take() else { return Ok(Vec::new()) };
        writer.finish()?;
        Ok(std::mem::take(writer.get_mut()))
    }
}

/// Columns with the types that DuckDB gives: a column keeps its own type only where a value of it would not fit.
pub(super) fn as_duckdb_gives_them(batches: Vec<RecordBatch>) -> Vec<RecordBatch> {
    let Some(first) = batches.first() else { return batches };
    let schema = first.schema();
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(schema.fields().len()); batches.len()];
    for (index, field) in schema.fields().iter().enumerate() {
        let parts: Vec<&ArrayRef> = batches.iter().filter_map(|batch| batch.columns().get(index)).collect();
        let wanted = plain_type(field.data_type());
        let cast = wanted.as_ref().and_then(|wanted| parts.iter().map(|part| widened(part, wanted)).collect::<Option<Vec<_>>>());
        let kind = if cast.is_some() { wanted.unwrap_or(DataType::Null) } else { field.data_type().clone() };
        fields.push(Field::new(field.name(), kind, field.is_nullable()));
        let parts = cast.unwrap_or_else(|| parts.into_iter().cloned().collect());
        for (batch, part) in columns.iter_mut().zip(parts) {
            batch.push(part);
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let made: Result<Vec<_>, _> = columns.into_iter().map(|columns| RecordBatch::try_new(schema.clone(), columns)).collect();
    made.unwrap_or(batches)
}

fn plain_type(found: &DataType) -> Option<DataType> {
    match found {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => Some(DataType::Int64),
        DataType::Float16 | DataType::Float32 => Some(DataType::Float64),
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => Some(DataType::Utf8),
        _ => None,
    }
}

fn widened(part: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(part.as_ref() as &dyn Array, wanted, &strict).ok()
}

#[cfg(test)]
mod tests {
    use duckdb::arrow::array::{Int64Array, StringArray, UInt8Array, UInt64Array};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn integers_that_fit_become_bigint_in_every_batch() {
        let one = batch(vec![
            ("n", Arc::new(UInt64Array::from(vec![1, 2])) as ArrayRef),
            ("s", Arc::new(UInt8Array::from(vec![0, 1]))),
        ]);
        let two =
            batch(vec![("n", Arc::new(UInt64Array::from(vec![3])) as ArrayRef), ("s", Arc::new(UInt8Array::from(vec![1])))]);
        let given = as_duckdb_gives_them(vec![one.clone(), two]);
        assert_eq!(given[1].column(0).as_ref(), &Int64Array::from(vec![3]) as &dyn Array);
        assert_eq!(given[0].column(1).data_type(), &DataType::Int64);
        let huge = batch(vec![
            ("n", Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef),
            ("s", Arc::new(UInt8Array::from(vec![1]))),
        ]);
        let given = as_duckdb_gives_them(vec![one, huge]);
        assert!(given.iter().all(|batch| batch.column(0).data_type() == &DataType::UInt64), "no value may change");
    }

    #[test]
    fn a_stream_cut_anywhere_is_an_error() {
        let whole = batch(vec![("t", Arc::new(StringArray::from(vec!["a", "\0\u{1f600}'?"])) as ArrayRef)]);
        let mut stream = Stream::default();
        let bytes = [stream.batch(&whole).unwrap(), stream.end().unwrap()].concat();
        let read = |bytes: &[u8], step: usize| {
            let mut reader = Reader::default();
            let mut got = Vec::new();
            for chunk in bytes.chunks(step) {
                reader.push(chunk.to_vec(), |batch| {
                    got.push(batch);
                    Ok(())
                })?;
            }
            reader.finish(|batch| {
                got.push(batch);
                Ok(())
            })?;
            Ok::<_, String>(got)
        };
        for step in [1, 7, 4096] {
            assert_eq!(read(&bytes, step).unwrap(), vec![whole.clone()]);
        }
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], 64).is_err(), "cut at {end} of {}", bytes.len());
        }
    }
}
