-- Sessions of one campaign, worst first.
SELECT session_id, round(score, 4) AS score, round(membership, 3) AS membership, src_ip, ja4, host, hits, win_ms
FROM ja4_processing.campaign_members WHERE campaign_id = ? ORDER BY score DESC, session_id;
