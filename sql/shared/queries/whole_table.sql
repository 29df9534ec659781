-- A small table as it is; its name is a constant of the program.
SELECT * FROM /*table*/;
