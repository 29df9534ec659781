-- Questions may use what the machine has.
RESET memory_limit;
RESET threads;
RESET auto_checkpoint_skip_wal_threshold;
