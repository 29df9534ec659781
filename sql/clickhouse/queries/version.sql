-- The server's version: the cheapest question that checks address, user and password; and whether its requests are its own or a cluster's.
SELECT version() AS version,
  (SELECT CAST(count() AS Int64) FROM system.tables WHERE database = 'ja4_logs' AND name = 'http_logs') AS made,
  (SELECT CAST(count() AS Int64) FROM system.tables WHERE database = 'ja4_logs' AND name = 'http_logs_local') AS spread;
