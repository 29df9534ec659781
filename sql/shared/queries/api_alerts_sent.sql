-- Alerts that were sent on one of two days (YYYY-MM-DD), so that none is sent twice.
SELECT alert_key FROM ja4_processing.alerts_sent WHERE day = ? OR day = ? ORDER BY alert_key;
