-- Campaigns that one address (given twice) is a member of.
SELECT campaign_id, CAST(count(*) AS BIGINT) AS member_sessions, max(membership) AS best_membership
FROM ja4_processing.campaign_members WHERE src_ip = ? OR src_ip = ?
GROUP BY campaign_id ORDER BY campaign_id LIMIT 50;
