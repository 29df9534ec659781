-- Rows of a Parquet file, columns as they are there.
SELECT * FROM read_parquet(?);
