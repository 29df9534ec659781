-- Claims on the work that only one process may do at a time.
SELECT token, holder, stage, acquired_ns, expires_ns FROM ja4_processing.leases WHERE name = ? ORDER BY token;
