-- What is not as it should be, a sentence each; no rows where all is well.
SELECT concat(toString(count(*)), ' damaged parts are set aside (system.detached_parts); look at their reason') AS problem
FROM system.detached_parts WHERE startsWith(database, 'ja4_') HAVING count(*) > 0
UNION ALL SELECT concat('a mutation of ', database, '.', table, ' fails: ', substring(latest_fail_reason, 1, 200))
FROM system.mutations WHERE startsWith(database, 'ja4_') AND NOT is_done AND latest_fail_reason != ''
UNION ALL SELECT concat('table ', database, '.', table, ' is read-only: the coordinator was lost') FROM system.replicas WHERE is_readonly
UNION ALL SELECT concat('dictionary ', name, ' cannot be loaded: ', substring(last_exception, 1, 200))
FROM system.dictionaries WHERE startsWith(database, 'ja4_') AND last_exception != ''
UNION ALL SELECT concat(toString(count(*)), ' lines of shippers could not be read in the last day (ja4_logs.http_logs_dead)')
FROM ja4_logs.http_logs_dead WHERE received_day >= today() - 1 HAVING count(*) > 0;
