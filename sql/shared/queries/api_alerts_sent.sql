-- Alerts that were sent about windows of one day (YYYY-MM-DD, UTC) and later, so that none is sent twice.
SELECT alert_key FROM ja4_processing.alerts_sent WHERE day >= ? ORDER BY alert_key;
