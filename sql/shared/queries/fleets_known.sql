-- Fleets kept, by identity.
SELECT fleet_id, first_ns, last_ns FROM ja4_processing.fleet_detections ORDER BY fleet_id;
