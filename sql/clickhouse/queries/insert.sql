-- Sends a block to a table; names are constants of the program, values come as Arrow behind the statement.
INSERT INTO /*table*/ (/*columns*/) FORMAT ArrowStream
