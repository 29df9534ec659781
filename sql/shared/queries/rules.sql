-- The imported policy: one row per condition, rows of one position are one rule.
SELECT position, name, kind, field, pattern, action, weight, source
FROM ja4_processing.ref_rules_anubis ORDER BY position, kind, field, pattern;
