-- While rows stream in, the engine needs room for a row group or two, not for the whole database, and the thread that writes is enough: a
-- second one only waits busily for the first, and takes the processor from the threads that read, join and make rows. The last rows of a
-- large import, less than a row group, go into the file at once too, and not through the write-ahead log first.
SET memory_limit = '384MB';
SET threads = 1;
SET auto_checkpoint_skip_wal_threshold = 20000;
