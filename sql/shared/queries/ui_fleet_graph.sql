-- Desktop: which networks use which JA4: the edges of the fleet graph.
SELECT ja4, asn, max(as_name) AS as_name, CAST(count(DISTINCT src_ip) AS BIGINT) AS ips, CAST(sum(hits) AS BIGINT) AS hits, max(score) AS score
FROM ja4_processing.ml_all_scores
WHERE ja4 <> '' AND (/*condition*/ 1 = 1)
GROUP BY ja4, asn ORDER BY ips DESC, hits DESC, ja4, asn
LIMIT /*limit*/ 1000;
