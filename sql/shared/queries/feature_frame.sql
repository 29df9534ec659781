-- The feature table; the program puts its time range (hours, ms since 1970, end excluded) in the two marked places. It also puts the
-- rows in key order: to sort rows of so many columns takes an engine a seventh of the whole answer.
SELECT * FROM ja4_processing.view_ai_features_1h
WHERE win_ms >= /*from*/ 0 AND win_ms < /*to*/ 0;
