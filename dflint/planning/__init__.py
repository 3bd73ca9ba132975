"""Making Plans: pure functions from migration files and a catalog to steps, and back."""
