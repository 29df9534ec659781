-- The feature table in key order; the program puts its time range (hours, ms since 1970, end excluded) in the two marked places.
SELECT * FROM ja4_processing.view_ai_features_1h
WHERE win_ms >= /*from*/ 0 AND win_ms < /*to*/ 0
ORDER BY win_ms, src_ip, ja4, host;
