"""dflint: what a PostgreSQL schema migration will do, before it runs."""

__version__ = "0.1.0"
