-- Stored scores that no weighting of their voices gives: more than none if a meta-learner made them.
SELECT count(*) AS learnt FROM ja4_processing.ml_all_scores
WHERE score > greatest(score_eif, score_autoencoder, score_boosted) + 1e-9
  OR score < least(score_eif, CASE WHEN score_autoencoder < 0 THEN score_eif ELSE score_autoencoder END, CASE WHEN score_boosted < 0 THEN score_eif ELSE score_boosted END) - 1e-9;
