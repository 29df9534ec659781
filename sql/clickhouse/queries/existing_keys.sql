-- Keys of the requests stored in a time range (both ends included): what an append must not store again.
SELECT row_hi, row_lo FROM ja4_logs.http_logs WHERE ts_ns BETWEEN CAST(? AS Int64) AND CAST(? AS Int64);
