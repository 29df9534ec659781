-- Sessions of campaigns.
-- filter campaign (text): AND campaign_id = ?
-- filter ip (address): AND src_ip = ?
-- filter session (text): AND session_id = ?
-- sort: score, membership, hits, win_ms
SELECT campaign_id, session_id, win_ms, src_ip, ja4, host, hits, score, membership, scored_run
FROM ja4_processing.campaign_members
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, campaign_id, session_id, scored_run
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
