-- Every request, key first, for the digest; order is the digest's business.
SELECT * FROM ja4_logs.http_logs;
