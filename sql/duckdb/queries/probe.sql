-- Enough to make the engine read the catalogue after it replayed its log.
SELECT count(*) FROM information_schema.tables;
