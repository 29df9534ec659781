-- Tables of the lab in operation: decisions about campaigns, the baseline of the scores, named experiments of re-ranking.
-- Promises: as 0001_init.sql. Read next: lab/src/campaigns, lab/src/rescore.

-- what analysts decided about campaigns, kind is merge (other_id becomes part of campaign_id), split (members of campaign_id whose field
-- has the value become other_id), rename (value is the name) or close, applied in order to every later grouping
CREATE TABLE IF NOT EXISTS ja4_processing.campaign_decisions (
  ts_ns BIGINT NOT NULL,
  decision_id VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  campaign_id VARCHAR NOT NULL,
  other_id VARCHAR NOT NULL,
  field VARCHAR NOT NULL,
  value VARCHAR NOT NULL,
  note VARCHAR NOT NULL,
  analyst VARCHAR NOT NULL
);

-- sessions that looked like people when they were scored, by hour (ms since 1970 as text): what thresholds are taken from
CREATE TABLE IF NOT EXISTS ja4_processing.score_baseline (
  hour VARCHAR NOT NULL,
  session_id VARCHAR NOT NULL
);

-- re-rankings kept beside the verdicts in force, settings is JSON
CREATE TABLE IF NOT EXISTS ja4_processing.kept_rankings (
  name VARCHAR NOT NULL,
  ts_ns BIGINT NOT NULL,
  settings VARCHAR NOT NULL,
  sessions BIGINT NOT NULL,
  anomalies BIGINT NOT NULL,
  became_anomalous BIGINT NOT NULL,
  became_ordinary BIGINT NOT NULL
);

-- the sessions of a kept re-ranking
CREATE TABLE IF NOT EXISTS ja4_processing.kept_scores (
  name VARCHAR NOT NULL,
  win_ms BIGINT NOT NULL,
  session_id VARCHAR NOT NULL,
  score DOUBLE NOT NULL,
  threshold DOUBLE NOT NULL,
  anomaly BIGINT NOT NULL
);
