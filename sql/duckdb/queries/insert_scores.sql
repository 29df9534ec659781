-- Stores scores from Arrow columns in memory, in the order and with the types of the table; `ja4_columns` is the program's own function.
INSERT INTO ja4_processing.ml_all_scores SELECT * FROM ja4_columns(?);
