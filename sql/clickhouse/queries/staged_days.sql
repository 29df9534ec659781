-- Days that the staging table of a score table holds.
SELECT DISTINCT intDiv(win_ms, 86400000) AS day FROM /*staging*/ ORDER BY day;
