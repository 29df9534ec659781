-- Which campaigns the sessions of each address and JA4 belong to.
SELECT src_ip, ja4, campaign_id, count(*) AS sessions FROM ja4_processing.campaign_members GROUP BY src_ip, ja4, campaign_id ORDER BY src_ip, ja4, campaign_id;
