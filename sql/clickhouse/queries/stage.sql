-- An empty table like another, in which its new contents are built.
CREATE OR REPLACE TABLE /*staging*/ AS /*table*/;
