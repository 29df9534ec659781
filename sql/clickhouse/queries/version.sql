-- The server's version: the cheapest question that checks address, user and password.
SELECT version() AS version;
