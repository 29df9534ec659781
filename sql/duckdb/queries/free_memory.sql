-- Questions may use what the machine has.
RESET memory_limit;
RESET threads;
