-- Addresses that must never be blocked: allowed in scoring, labelled good, last judged legitimate by an analyst, or published by an
-- operator as those of its crawler.
WITH judged AS (
  SELECT src_ip, label, row_number() OVER (PARTITION BY src_ip ORDER BY ts_ns DESC, feedback_id) AS place
  FROM ja4_processing.soc_feedback WHERE src_ip <> ''
),
trusted AS (
  SELECT src_ip AS address FROM ja4_processing.ml_all_scores WHERE severity = 'allowed' OR label = 0
  UNION ALL
  SELECT client_ip AS address FROM ja4_processing.ml_all_scores WHERE severity = 'allowed' OR label = 0
  UNION ALL
  SELECT src_ip AS address FROM judged WHERE place = 1 AND label = 0
  UNION ALL
  SELECT src_ip AS address FROM ja4_logs.http_logs WHERE ip_bot <> ''
  UNION ALL
  SELECT client_ip AS address FROM ja4_logs.http_logs WHERE ip_bot <> ''
)
SELECT DISTINCT address FROM trusted WHERE address <> '' ORDER BY address;
