-- Rows of a JSON Lines file, one object a line; types are guessed from all of them, and cast where the table wants others.
SELECT * FROM read_json(?, format = 'newline_delimited', sample_size = -1, maximum_object_size = 16777216);
