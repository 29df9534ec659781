-- One day of the staging table takes the place of the table's, at once for every reader.
ALTER TABLE /*table*/ REPLACE PARTITION ID ? FROM /*staging*/;
