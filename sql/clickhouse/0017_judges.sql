-- The models that gave the newest scores, so that a single session can be tried without fitting on all of them again.
-- Promises: the columns of ../duckdb/0017_judges.sql, in that order.
-- Read next: lab/src/cycle/kept.rs.

-- one row a kind of model (complete, application), spans is a line for each feature (5 %, 50 %, 95 % of the baseline's sessions lie below),
-- model is a model file, packed with gzip, in hexadecimal digits
CREATE TABLE IF NOT EXISTS ja4_processing.judges (
  model_kind String,
  model_id String,
  threshold Float64,
  spans String,
  model String CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY model_kind;
