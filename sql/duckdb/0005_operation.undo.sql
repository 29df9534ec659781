-- Undoes 0005_operation.sql, what analysts decided about campaigns is lost.
DROP TABLE IF EXISTS ja4_processing.kept_scores;
DROP TABLE IF EXISTS ja4_processing.kept_rankings;
DROP TABLE IF EXISTS ja4_processing.score_baseline;
DROP TABLE IF EXISTS ja4_processing.campaign_decisions;
