-- Links one day of a table into its staging table; nothing is copied, days of arrival are kept.
ALTER TABLE /*staging*/ ATTACH PARTITION ID ? FROM /*table*/;
