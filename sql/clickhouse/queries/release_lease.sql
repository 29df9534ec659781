-- Removes a claim by its token, in place: the table must not change places with a copy, in which a rival's claim of this moment would be missing.
ALTER TABLE ja4_processing.leases DELETE WHERE token = ? SETTINGS mutations_sync = 2;
