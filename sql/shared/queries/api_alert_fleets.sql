-- Fleets with a session at or after a time (ns since 1970), worst first: what alerts about fleets are made of.
SELECT fleet_id, ja4, user_agent, first_ns, last_ns, sessions, hits, score, severity, reason
FROM ja4_processing.fleet_detections
WHERE last_ns >= CAST(? AS BIGINT)
ORDER BY score DESC, fleet_id LIMIT 1000;
