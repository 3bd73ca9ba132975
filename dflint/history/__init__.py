"""Folding a migration history: replayed catalog, transactions, session settings."""
