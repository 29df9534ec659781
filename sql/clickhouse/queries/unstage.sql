-- The staging table has done its work.
DROP TABLE IF EXISTS /*staging*/;
