"""Running Plans on a server under guard: the lock, the ledger, the executor, the monitor, checkpoints."""
