-- A step of the live comparison begins: the requests of the step before are answered.
DELETE FROM requests;
