-- Removes a claim by its token.
DELETE FROM ja4_processing.leases WHERE token = ?;
