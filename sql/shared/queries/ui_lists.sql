-- Desktop: reference lists and how long they are.
SELECT list, entries, source FROM (
SELECT 'bot addresses' AS list, CAST(count(*) AS BIGINT) AS entries, coalesce(max(source), '') AS source FROM ja4_processing.ref_bot_ip
UNION ALL SELECT 'bot JA4', CAST(count(*) AS BIGINT), coalesce(max(source), '') FROM ja4_processing.ref_bot_ja4
UNION ALL SELECT 'browser JA4', CAST(count(*) AS BIGINT), coalesce(max(source), '') FROM ja4_processing.ref_browser_ja4
UNION ALL SELECT 'browser HTTP/2', CAST(count(*) AS BIGINT), coalesce(max(source), '') FROM ja4_processing.ref_browser_h2
UNION ALL SELECT 'networks', CAST(count(*) AS BIGINT), coalesce(max(source), '') FROM ja4_processing.ref_asn
UNION ALL SELECT 'policy rules', CAST(count(*) AS BIGINT), coalesce(max(source), '') FROM ja4_processing.ref_rules_anubis
) AS l ORDER BY list;
