-- Undoes 0006_service.sql: alerts of the last days may be sent again.

DROP TABLE IF EXISTS ja4_processing.alerts_sent;
DROP TABLE IF EXISTS ja4_processing.leases;
