-- The models that gave the newest scores, so that a single session can be tried without fitting on all of them again.
-- Promises: as in 0001: every column is BIGINT, DOUBLE or VARCHAR and never NULL.
-- Read next: lab/src/cycle/kept.rs.

-- one row a kind of model (complete, application), spans is a line for each feature (5 %, 50 %, 95 % of the baseline's sessions lie below),
-- model is a model file, packed with gzip, in hexadecimal digits
CREATE TABLE IF NOT EXISTS ja4_processing.judges (
  model_kind VARCHAR NOT NULL,
  model_id VARCHAR NOT NULL,
  threshold DOUBLE NOT NULL,
  spans VARCHAR NOT NULL,
  model VARCHAR NOT NULL
);
