-- Undoes 0003_intake.sql: dead letters are lost.

DROP TABLE IF EXISTS ja4_logs.http_logs_dead;
