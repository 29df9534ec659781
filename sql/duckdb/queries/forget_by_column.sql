-- removes rows by one value of one text column; both names are constants of the program
DELETE FROM /*table*/ WHERE /*column*/ = ?
