-- Events of the join's benchmark: one table a stream, as a database would hold them.
CREATE TABLE handshakes (ts_ns BIGINT, ip UINTEGER, port USMALLINT, sni VARCHAR, ja4 VARCHAR);
CREATE TABLE requests (ts_ns BIGINT, ip UINTEGER, port USMALLINT, host VARCHAR, path VARCHAR);
