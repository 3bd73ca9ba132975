"""References of random queries: PostgreSQL's record of a view, and real renames, judge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg import sql

from dflint.model.catalog import Catalog
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.references import query_references
from tests.catalog.live import read
from tests.sql.random_queries import TABLES, queries
from tests.sql.test_view_references import RECORDED

_REFUSED = (
    psycopg.errors.SyntaxError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.AmbiguousColumn,
    psycopg.errors.DuplicateColumn,
    psycopg.errors.DuplicateAlias,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.DatatypeMismatch,
    psycopg.errors.InvalidColumnReference,
    psycopg.errors.CannotCoerce,
    psycopg.errors.GroupingError,
    psycopg.errors.WrongObjectType,
    psycopg.errors.FeatureNotSupported,
)


@pytest.mark.majors(13, 15, 18)
def test_random_views(pg: Any) -> None:
    _judge(pg, _recorded_columns)


@pytest.mark.majors(13, 15, 18)
def test_random_renames(pg: Any) -> None:
    _judge(pg, _edits_mend)


def _judge(pg: Any, judge: Callable[[psycopg.Connection[Any], str, Catalog, Parser], None]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLES)
    catalog = read(dsn)
    parser = Parser(load_library())
    valid = 0
    with psycopg.connect(dsn) as connection:

        @settings(suppress_health_check=list(HealthCheck), derandomize=True)
        @given(queries())
        def one(query: str) -> None:
            nonlocal valid
            with connection.transaction(force_rollback=True):
                try:
                    with connection.transaction():
                        connection.execute(f"SELECT FROM ({query}) q".encode())
                except _REFUSED:
                    return
                valid += 1
                judge(connection, query, catalog, parser)

        one()
    assert valid > settings().max_examples // 20


def _recorded_columns(connection: psycopg.Connection[Any], query: str, catalog: Catalog, parser: Parser) -> None:
    """The columns found are those that PostgreSQL records for a view."""
    try:
        with connection.transaction():
            # Its own columns may share a name, which a view's must not.
            connection.execute(f"CREATE VIEW judged AS SELECT 1 AS one FROM ({query}) q".encode())
    except _REFUSED:
        return
    recorded = {entry for entry in connection.execute(RECORDED).fetchall() if entry[2] is not None}
    found = query_references(query, catalog, ("public",), parser)
    assert found.unreadable is None
    named = {(r.schema, r.name, r.column) for r in found.references if r.kind == "column"}
    assert named == recorded, query


def _edits_mend(connection: psycopg.Connection[Any], query: str, catalog: Catalog, parser: Parser) -> None:
    """After each rename an edited text works and gives what it gave; a text without a reference goes on working."""
    found = query_references(query, catalog, ("public",), parser)
    counted = f"SELECT pg_catalog.count(*) FROM ({query}) q"
    before = connection.execute(counted.encode()).fetchone()
    for schema, table, column in (
        ("public", "a", "x"),
        ("public", "b", "z"),
        ("public", "b", None),
        ("other", "a", None),
    ):
        mine = [r for r in found.references if (r.schema, r.name, r.column) == (schema, table, column)]
        if any(r.form in ("using", "natural") for r in mine):
            continue  # No edit of one name can mend it.
        edited = query
        for reference in sorted((r for r in mine if r.form == "name"), reverse=True):
            edited = edited[: reference.start] + "renamed" + edited[reference.end :]
        what = (
            sql.SQL("RENAME {} TO renamed").format(sql.Identifier(column)) if column else sql.SQL("RENAME TO renamed")
        )
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(schema, table), what))
            after = connection.execute(f"SELECT pg_catalog.count(*) FROM ({edited}) q".encode()).fetchone()
        assert after == before, (query, edited)
