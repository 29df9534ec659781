-- What analysts decided about campaigns, oldest first: the order in which it is applied.
SELECT ts_ns, decision_id, kind, campaign_id, other_id, field, value, analyst
FROM ja4_processing.campaign_decisions ORDER BY ts_ns, decision_id;
