-- While rows stream in, the engine needs room for a row group or two, not for the whole database, and the thread that writes is enough: a
-- second one only waits busily for the first, and takes the processor from the threads that read, join and make rows.
SET memory_limit = '384MB';
SET threads = 1;
