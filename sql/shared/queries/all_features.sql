-- Every session's features, key first, for the digest.
SELECT * FROM ja4_processing.view_ai_features_1h;
