-- Sessions of campaigns, by their key: what grouping found.
SELECT campaign_id, win_ms, src_ip, ja4, host FROM ja4_processing.campaign_members ORDER BY win_ms, src_ip, ja4, host, campaign_id;
