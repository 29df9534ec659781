-- While rows stream in the engine needs room for a row group or two, not for the whole database.
SET memory_limit = '384MB';
