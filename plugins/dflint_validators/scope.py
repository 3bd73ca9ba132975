"""Which tables a validator looks at, as conditions of its queries."""

from __future__ import annotations

from dflint.model.quoting import quote_identifier, quote_literal
from dflint.plugin.validators import Situation, TableName

#: Schemas that are nobody's application: PostgreSQL's own and dflint's.
OWN_SCHEMAS = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'dflint', 'dflint_trash')"


def in_scope(situation: Situation) -> str:
    """A condition on ``n`` (pg_namespace) and ``c`` (pg_class): one of the tables to look at."""
    if not situation.tables:
        return OWN_SCHEMAS
    named = ", ".join(f"({quote_literal(schema)}, {quote_literal(table)})" for schema, table in situation.tables)
    return f"(n.nspname, c.relname) in ({named})"


def quoted(table: TableName) -> str:
    """The table's name as SQL."""
    return ".".join(quote_identifier(part) for part in table)


def listed(things: list[str], limit: int = 5) -> str:
    """The first of them, in words."""
    more = f" and {len(things) - limit} more" if len(things) > limit else ""
    return ", ".join(things[:limit]) + more
