"""Which tables a validator looks at, as conditions of its queries."""

from __future__ import annotations

from dflint.model.quoting import quote_identifier, quote_literal
from dflint.plugin.validators import APPLICATION_SCHEMAS, Situation, TableName


def in_scope(situation: Situation, namespace: str = "n", relation: str = "c") -> str:
    """A condition on aliases of pg_namespace and pg_class: one of the tables to look at."""
    if not situation.tables:
        return APPLICATION_SCHEMAS.replace("n.nspname", f"{namespace}.nspname")
    named = ", ".join(f"({quote_literal(schema)}, {quote_literal(table)})" for schema, table in situation.tables)
    return f"({namespace}.nspname, {relation}.relname) in ({named})"


def quoted(table: TableName) -> str:
    """The table's name as SQL."""
    return ".".join(quote_identifier(part) for part in table)


def listed(things: list[str], limit: int = 5) -> str:
    """The first of them, in words."""
    more = f" and {len(things) - limit} more" if len(things) > limit else ""
    return ", ".join(things[:limit]) + more
