-- What is not as it should be, a sentence each; no rows where all is well (a damaged file does not open at all).
SELECT 'the engine holds ' || CAST(count(*) AS VARCHAR) || ' blocks that were freed and not yet returned; a checkpoint gives them back' AS problem
FROM pragma_database_size() WHERE free_blocks > 4 * used_blocks AND used_blocks > 1000 HAVING count(*) > 0;
