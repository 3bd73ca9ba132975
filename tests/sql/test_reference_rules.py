"""Rules of names that take more than one statement to judge: triggers, search_path, dynamic SQL, expressions."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dflint.model.catalog import Catalog
from dflint.model.names import Name
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.references import BodyReferences, expression_references, routine_references
from tests.catalog.live import read

_SCHEMA = """
CREATE SCHEMA other;
CREATE TABLE one (id int, email text, note text);
CREATE TABLE two (id int, email text);
CREATE TABLE other.one (id int, email text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.email IS DISTINCT FROM 'é.email' THEN SELECT upper(new.email) INTO NEW.email; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT ON one FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER stamp BEFORE INSERT ON two FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION counting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM fresh.note FROM fresh; RETURN NULL; END $$;
CREATE TRIGGER counting AFTER INSERT ON one REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
    EXECUTE FUNCTION counting();
CREATE FUNCTION elsewhere() RETURNS text LANGUAGE sql SET search_path = other, public AS 'SELECT email FROM one';
CREATE FUNCTION dynamic(t text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'DELETE FROM two'; EXECUTE 'DELETE FROM ' || t USING (SELECT email FROM two); END $$;
"""


def _references(catalog: Catalog, name: str) -> tuple[str, BodyReferences]:
    routines = catalog.routines[Name("public", name)]
    assert routines is not None
    assert routines[0].body is not None
    return routines[0].body, routine_references(routines[0], catalog, Parser(load_library()))


def _words(body: str, found: BodyReferences) -> list[tuple[str, str, str | None, str]]:
    return [(f"{r.schema}.{r.name}", body[r.start : r.end], r.column, r.kind) for r in found.references]


@pytest.mark.majors("ends")
def test_rows_of_triggers(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
        body, found = _references(read(dsn), "stamp")
        assert found.unreadable is None
        assert [(r.name, r.line) for r in found.references] == [("one", 3), ("two", 3)] * 3
        assert {body[r.start : r.end] for r in found.references} == {"email"}
        assert [r.writes for r in found.references] == [False, False, False, False, True, True]
        # PostgreSQL agrees: the trigger of a table whose column has another name fails, the other one does not.
        connection.execute("ALTER TABLE two RENAME email TO mail; INSERT INTO one VALUES (1, 'a', 'n')")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("INSERT INTO two VALUES (1, 'a')")


def test_transition_tables(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
    body, found = _references(read(dsn), "counting")
    assert _words(body, found) == [("public.one", "note", "note", "column")]


def test_own_search_path(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
    body, found = _references(read(dsn), "elsewhere")
    assert _words(body, found) == [("other.one", "email", "email", "column"), ("other.one", "one", None, "relation")]


def test_dynamic_sql_is_unknown_unless_constant(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
    body, found = _references(read(dsn), "dynamic")
    assert _words(body, found) == [
        ("public.two", "two", None, "relation"),
        ("public.two", "email", "email", "column"),
        ("public.two", "two", None, "relation"),
    ]
    (place,) = found.dynamic
    assert body[place.start : place.end] == place.text == "'DELETE FROM ' || t"


def test_expressions_over_a_table(pg: Any) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
    text = "lower(email) <> 'note' AND id IN (SELECT two.id FROM two WHERE two.email = one.note)"
    found = expression_references(text, Name("public", "one"), read(dsn), ("public",), Parser(load_library()))
    assert found.unreadable is None
    assert _words(text, found) == [
        ("public.one", "email", "email", "column"),
        ("public.one", "id", "id", "column"),
        ("public.two", "two", None, "relation"),
        ("public.two", "id", "id", "column"),
        ("public.two", "two", None, "relation"),
        ("public.two", "two", None, "relation"),
        ("public.two", "email", "email", "column"),
        ("public.one", "one", None, "relation"),
        ("public.one", "note", "note", "column"),
    ]
