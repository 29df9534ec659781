-- Scores of the windows that are about to be written anew (both ends included).
DELETE FROM /*staging*/ WHERE win_ms BETWEEN CAST(? AS Int64) AND CAST(? AS Int64);
