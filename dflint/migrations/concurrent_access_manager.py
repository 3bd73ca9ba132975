"""The lock that keeps migrations of one database apart."""

from dflint.guard.lock import MigrationLock, MigrationLockManager

__all__ = ["MigrationLock", "MigrationLockManager"]
