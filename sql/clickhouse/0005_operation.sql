-- Tables of the lab in operation: decisions about campaigns, the baseline of the scores, named experiments of re-ranking.
-- Promises: as 0001_init.sql. Read next: lab/src/campaigns, lab/src/rescore.

-- what analysts decided about campaigns, kind is merge (other_id becomes part of campaign_id), split (members of campaign_id whose field
-- has the value become other_id), rename (value is the name) or close, applied in order to every later grouping
CREATE TABLE IF NOT EXISTS ja4_processing.campaign_decisions (
  ts_ns Int64,
  decision_id String,
  kind String,
  campaign_id String,
  other_id String,
  field String,
  value String,
  note String,
  analyst String
) ENGINE = MergeTree
ORDER BY (ts_ns, decision_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- sessions that looked like people when they were scored, by hour (ms since 1970 as text): what thresholds are taken from
CREATE TABLE IF NOT EXISTS ja4_processing.score_baseline (
  hour String,
  session_id String
) ENGINE = MergeTree
ORDER BY (hour, session_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- re-rankings kept beside the verdicts in force, settings is JSON
CREATE TABLE IF NOT EXISTS ja4_processing.kept_rankings (
  name String,
  ts_ns Int64,
  settings String,
  sessions Int64,
  anomalies Int64,
  became_anomalous Int64,
  became_ordinary Int64
) ENGINE = MergeTree
ORDER BY (name, ts_ns)
SETTINGS non_replicated_deduplication_window = 10000;

-- the sessions of a kept re-ranking
CREATE TABLE IF NOT EXISTS ja4_processing.kept_scores (
  name String,
  win_ms Int64,
  session_id String,
  score Float64,
  threshold Float64,
  anomaly Int64
) ENGINE = MergeTree
ORDER BY (name, win_ms, session_id)
SETTINGS non_replicated_deduplication_window = 10000;
