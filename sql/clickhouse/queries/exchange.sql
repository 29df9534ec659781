-- The staging table takes the place of the table, at once for every reader.
EXCHANGE TABLES /*table*/ AND /*staging*/;
