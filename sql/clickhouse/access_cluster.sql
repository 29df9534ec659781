-- What the roles of access.sql need more where tables are spread over a cluster; an administrator applies it once, after that file.
-- Promises: nobody but the detector may ask other servers: to read some hours, every shard is asked by the table function cluster(),
-- which needs the last two rights. ClickHouse cannot give them for one cluster only, so the detector's user should come from its own hosts.
-- In a cluster both files are applied on every node, or with ON CLUSTER behind each name. The syntax is checked by formatQuery.
-- Read next: access.sql, sharded.sql, ../../docs/SCALING.md.

-- what is replaced as a whole is replaced on every node
GRANT CLUSTER ON *.* TO ja4_writer, ja4_detector;

-- features of some hours are asked of every shard
GRANT REMOTE ON *.* TO ja4_detector;
GRANT CREATE TEMPORARY TABLE ON *.* TO ja4_detector;
