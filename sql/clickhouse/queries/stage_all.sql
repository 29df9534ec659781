-- Links the contents of a table without partitions into its staging table; nothing is copied, days of arrival are kept.
ALTER TABLE /*staging*/ ATTACH PARTITION tuple() FROM /*table*/;
