-- Days older than the given one (YYYY-MM-DD) that alerts are remembered for.
SELECT DISTINCT day FROM ja4_processing.alerts_sent WHERE day < ? ORDER BY day;
