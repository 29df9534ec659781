-- Desktop: imported policy rules, in order.
SELECT position, name, kind, field, pattern, action, weight, source
FROM ja4_processing.ref_rules_anubis
ORDER BY position, name
LIMIT /*limit*/ 1000;
