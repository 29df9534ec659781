-- The feature table of some hours; the program puts the span (whole hours, ns since 1970, end excluded) in the two marked places, where it
-- bounds what is read. It also puts the rows in key order: to sort rows of so many columns takes an engine a seventh of the whole answer.
SELECT * FROM ja4_processing.view_ai_features_1h_between(/*from*/ 0, /*to*/ 0);
