-- Questions may use the threads that the caller chose; the program puts their number in the marked place.
SET threads = /*threads*/ 1;
