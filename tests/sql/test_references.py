"""References, judged by PostgreSQL: what names a renamed object fails, all else works, and edits at them mend it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from dflint.model.catalog import Catalog, Routine
from dflint.model.names import Name
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.references import BodyReferences, routine_references
from tests.catalog.live import read
from tests.sql.reference_schema import PLPGSQL_BODIES, RENAMES, SQL_BODIES, TABLES

BODIES = {
    **{f"sql_{number}": ("sql", body) for number, body in enumerate(SQL_BODIES)},
    **{f"pl_{number}": ("plpgsql", body) for number, body in enumerate(PLPGSQL_BODIES)},
}


def _create(name: str, language: str, body: str) -> sql.Composed:
    return sql.SQL("CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE {} AS {}").format(
        sql.Identifier(name), sql.Identifier(language), sql.Literal(body)
    )


def _failing(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The functions that fail when called, each in a savepoint that is rolled back, with why."""
    failed = {}
    for name in BODIES:
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(sql.SQL("SELECT {}()").format(sql.Identifier(name)))
        except psycopg.Error as error:
            failed[name] = str(error)
    return failed


def _edited(body: str, found: BodyReferences, wanted: tuple[str, str, str, str | None, str]) -> str | None:
    """The body with the new name at every reference to what is renamed; None where it has none."""
    kind, schema, name, column, new = wanted
    places = [
        reference
        for reference in found.references
        if (reference.kind, reference.schema, reference.name, reference.column) == (kind, schema, name, column)
        and reference.form in ("name", "string")
    ]
    for reference in sorted(places, reverse=True):
        body = body[: reference.start] + new + body[reference.end :]
    return body if places else None


@pytest.mark.majors(13, 15, 18)
def test_renames(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLES)
        for name, (language, body) in BODIES.items():
            connection.execute(_create(name, language, body))
        assert _failing(connection) == {}
    catalog: Catalog = read(dsn)
    parser = Parser(load_library())
    found = {}
    for name, (_, body) in BODIES.items():
        routines = catalog.routines[Name("public", name)]
        assert routines is not None
        routine: Routine = routines[0]
        assert routine.body == body
        found[name] = routine_references(routine, catalog, parser)
        assert found[name].unreadable is None, (name, found[name])
    with psycopg.connect(dsn) as connection:
        for rename, wanted in RENAMES.items():
            edits = {name: _edited(body, found[name], wanted) for name, (_, body) in BODIES.items()}
            with connection.transaction(force_rollback=True):
                connection.execute(rename)
                predicted = {name for name, edited in edits.items() if edited is not None}
                failed = _failing(connection)
                direct = {name: why for name, why in failed.items() if 'function "all_users"' not in why}
                assert predicted - _captured(rename) == set(direct), (rename, _difference(predicted, direct))
                for name in predicted:
                    connection.execute(_create(name, BODIES[name][0], edits[name] or ""))
                mended = {n: why for n, why in _failing(connection).items() if 'function "all_users"' not in why}
                assert mended == {}, rename


#: Bodies that go on working with another meaning: the old name now is a column of the query around, or a variable.
CAPTURED = {
    "ALTER TABLE orders RENAME email TO mail": "SELECT (SELECT email FROM orders",
    "ALTER TABLE users RENAME email TO mail": "#variable_conflict use_column",
}


def _captured(rename: str) -> set[str]:
    start = CAPTURED.get(rename)
    return {name for name, (_, body) in BODIES.items() if start is not None and body.startswith(start)}


def _difference(predicted: set[str], failed: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(name, BODIES[name][1], failed.get(name, "works")) for name in sorted(predicted ^ failed.keys())]
