-- removes rows by values of one text column; both names are constants of the program, and each further value adds a mark
DELETE FROM /*table*/ WHERE /*column*/ IN (? /*more*/)
