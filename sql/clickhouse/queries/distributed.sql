-- The table that spreads over the shards of a cluster what each node keeps in its local part; all names are constants of the program.
CREATE TABLE IF NOT EXISTS /*schema*/./*name*/ ON CLUSTER /*cluster*/ AS /*schema*/./*name*/_local
ENGINE = Distributed(/*cluster*/, /*schema*/, /*name*/_local, /*key*/);
