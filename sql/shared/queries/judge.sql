-- The model of one kind (complete, application) that gave the newest scores, as lab/src/cycle/kept.rs packs it.
SELECT model_id, threshold, spans, model FROM ja4_processing.judges WHERE model_kind = ?
