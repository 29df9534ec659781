-- Undoes 0017_judges.sql: the next rehearsal fits anew, the next scoring run cannot keep its models.

DROP TABLE IF EXISTS ja4_processing.judges;
