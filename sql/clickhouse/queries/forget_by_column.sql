-- Removes rows of the staging table by values of one text column; names are constants of the program.
DELETE FROM /*staging*/ WHERE has({p0:Array(String)}, /*column*/);
