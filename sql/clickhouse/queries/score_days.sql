-- Days of a score table that hold windows of a range (both ends included), as its partitions are called.
SELECT DISTINCT intDiv(win_ms, 86400000) AS day FROM /*table*/ WHERE win_ms BETWEEN CAST(? AS Int64) AND CAST(? AS Int64) ORDER BY day;
