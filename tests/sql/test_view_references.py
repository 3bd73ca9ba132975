"""References of queries, judged by the dependencies that PostgreSQL records for a view of the query."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.references import query_references
from tests.catalog.live import read
from tests.sql.reference_schema import SQL_BODIES, TABLES, VIEW_QUERIES

RECORDED = """
    SELECT DISTINCT n.nspname, c.relname, a.attname
    FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
    WHERE r.ev_class = 'judged'::regclass AND c.oid <> r.ev_class AND c.relkind = 'r'
"""


@pytest.mark.majors(14, 15, 18)
def test_views(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLES)
    catalog = read(dsn)
    parser = Parser(load_library())
    judged = 0
    wrong: list[tuple[Any, ...]] = []
    with psycopg.connect(dsn) as connection:
        for query in (*VIEW_QUERIES, *SQL_BODIES):
            if "all_users()" in query and catalog.version is not None and catalog.version < 15:
                continue  # Columns of a function's row type are recorded from PostgreSQL 15 on.
            with connection.transaction(force_rollback=True):
                try:
                    with connection.transaction():
                        connection.execute(f"CREATE VIEW judged AS {query}".encode())
                except (psycopg.errors.SyntaxError, psycopg.errors.FeatureNotSupported, psycopg.errors.DuplicateColumn):
                    continue
                recorded = set(connection.execute(RECORDED).fetchall())
            found = query_references(query, catalog, ("public",), parser)
            if found.unreadable is not None:
                wrong.append((query, found.unreadable, ()))
            named = {
                (r.schema, r.name, r.column)
                for r in found.references
                # Of row types the server records the type.
                if r.kind in ("relation", "column") and r.name != "pair"
            }
            columns = {entry for entry in recorded if entry[2] is not None}
            # The server records a relation for itself only where the whole row is used, or no column of it.
            relations = {entry[:2] for entry in recorded}
            if {entry for entry in named if entry[2] is not None} != columns:
                wrong.append((query, named, columns))
            elif "all_users()" not in query and not relations <= {entry[:2] for entry in named if entry[2] is None}:
                wrong.append((query, named, relations))
            judged += 1
    assert wrong == []
    assert judged > 40
