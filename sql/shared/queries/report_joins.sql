-- Requests by how they were joined.
SELECT match_kind, count(*) AS requests FROM ja4_logs.http_logs GROUP BY match_kind ORDER BY match_kind;
