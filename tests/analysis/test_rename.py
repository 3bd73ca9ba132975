"""What renaming a table breaks, on every kind of server: odd names, other schemas, texts that only look like uses."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dflint.analysis.rename import RenameImpact, UnsafeRename
from dflint.app.rename import RenamePlan, RenameResult, execute_rename, rename_impact, rename_plan
from dflint.app.table_backups import restore_backup
from dflint.model.errors import InputError, NotFound
from dflint.postgres.source import ConnectionSource
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer


def database(pg: TestServer, schema: str) -> tuple[str, ConnectionSource]:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(schema.encode())
    return dsn, ConnectionSource.coerce(dsn)


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def effects(impact: RenameImpact) -> dict[str, str]:
    return {each.identity: each.effect for each in impact.impact.dependents if each.effect != "follows"}


async def renamed(source: ConnectionSource, old: str, new: str, **how: Any) -> tuple[RenamePlan, RenameResult]:
    plan = await rename_plan(source, await rename_impact(source, old, new), **how)
    return plan, await execute_rename(source, plan)


_BODIES = """
CREATE TABLE t (id int PRIMARY KEY, t text);
CREATE SCHEMA other; CREATE TABLE other.t (id int);
CREATE FUNCTION names() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
CREATE FUNCTION qualified() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(t.t) FROM "public" . t); END $$;
CREATE FUNCTION elsewhere() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM other.t';
CREATE FUNCTION literal() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 't'::text /* FROM t */ $$;
CREATE FUNCTION aliased() RETURNS bigint LANGUAGE sql STABLE AS 'WITH t AS (SELECT 1) SELECT count(*) FROM t';
CREATE FUNCTION calls() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN names(); END';
"""


@pytest.mark.majors(13, 15, 18)
@asynchronous
async def test_only_texts_that_mean_the_table_break(pg: TestServer) -> None:
    _, source = database(pg, _BODIES)
    impact = await rename_impact(source, "t", "renamed")
    assert effects(impact) == dict.fromkeys(
        ['function:public."names()"', 'function:public."qualified()"', 'function:public."calls()"'], "breaks_later"
    )
    assert impact.can_rename_safely
    assert [each.identity for each in impact.edits] == ['function:public."names()"', 'function:public."qualified()"']


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize(
    "new", ['"Two Words"', '"select"', '"a.b"', '"q""q"', '"it\'s"', '"$x$"', "ünï", "last_update", "n" * 63]
)
@asynchronous
async def test_functions_work_with_any_name(pg: TestServer, new: str) -> None:
    more = "CREATE FUNCTION number() RETURNS oid LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 't'::regclass; END $$"
    # A quote inside a constant inside a body is not edited: the function would be named, and the rename refused.
    regclass = "'" not in new
    dsn, source = database(pg, _BODIES + (more if regclass else ""))
    (before,) = ask(dsn, "SELECT 't'::regclass::oid")
    _, result = await renamed(source, "public.t", new)
    assert result.success, result.message
    assert ask(dsn, "SELECT names(), qualified(), elsewhere(), aliased(), calls(), literal()") == [(0, 0, 0, 1, 0, "t")]
    if regclass:
        assert ask(dsn, "SELECT number()") == [before]


@asynchronous
async def test_names_that_cannot_be_used(pg: TestServer) -> None:
    dsn, source = database(
        pg, "CREATE TABLE users (id int); CREATE VIEW taken AS SELECT 1; CREATE TYPE kind AS ENUM ()"
    )
    with pytest.raises(NotFound, match="did you mean public"):
        await rename_impact(source, "userz", "people")
    for new in ("taken", "kind", "users"):
        with pytest.raises(InputError, match="exist"):
            await rename_impact(source, "users", new)
    with pytest.raises(InputError, match="no table"):
        await rename_impact(source, "taken", "free")
    with pytest.raises(InputError):
        await rename_impact(source, "users", "n" * 64)
    assert ask(dsn, "SELECT to_regclass('users') IS NOT NULL") == [(True,)]
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TEMP TABLE hidden (id int)")
        with pytest.raises(NotFound):
            await rename_impact(source, "hidden", "seen")


@asynchronous
async def test_dynamic_sql_is_not_known_to_be_safe(pg: TestServer) -> None:
    text = "CREATE TABLE t (); CREATE FUNCTION d(x text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE x; END'"
    dsn, source = database(pg, text)
    impact = await rename_impact(source, "t", "u")
    assert not impact.can_rename_safely
    with pytest.raises(UnsafeRename, match="nobody can say") as caught:
        await rename_plan(source, impact)
    assert caught.value.objects == ('function:public."d(text)"',)
    plan = await rename_plan(source, impact, proceed=True)
    assert (await execute_rename(source, plan)).success
    assert ask(dsn, "SELECT to_regclass('u') IS NOT NULL") == [(True,)]


@asynchronous
async def test_the_new_name_may_mean_another_table_until_now(pg: TestServer) -> None:
    text = """CREATE TABLE t (id int); CREATE SCHEMA later; CREATE TABLE later.u (id int);
    CREATE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE SET search_path = public, later AS 'SELECT count(*) FROM u'"""
    _, source = database(pg, text)
    impact = await rename_impact(source, "t", "u")
    assert effects(impact) == {'function:public."f()"': "changes"}
    assert not impact.can_rename_safely


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_view_of_the_old_name(pg: TestServer) -> None:
    text = """CREATE TABLE t (id int PRIMARY KEY, n text DEFAULT 'x'); INSERT INTO t VALUES (1, 'a');
    CREATE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
    GRANT SELECT, INSERT ON t TO pg_monitor; GRANT UPDATE (n) ON t TO pg_monitor WITH GRANT OPTION"""
    dsn, source = database(pg, text)
    plan, result = await renamed(source, "t", "u", compatibility_view=True, include_dependency_updates=False)
    assert result.success, result.message
    ask(dsn, "SET ROLE pg_monitor; INSERT INTO t (id) VALUES (2); UPDATE t SET n = 'b'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(dsn, "SET ROLE pg_monitor; DELETE FROM t")
    assert ask(dsn, "SELECT id, n FROM u ORDER BY id") == [(1, "b"), (2, "b")]
    assert ask(dsn, "SELECT f()") == [(2,)]
    ask(dsn, ";".join(plan.plan.steps[-1].undo.sql or ()))
    assert ask(dsn, "SELECT relkind::text FROM pg_class WHERE oid = 't'::regclass") == [("r",)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_view_keeps_row_level_security_or_is_refused(pg: TestServer) -> None:
    text = """CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON t USING (id = 1); GRANT SELECT ON t TO pg_monitor"""
    dsn, source = database(pg, text)
    impact = await rename_impact(source, "t", "u")
    if pg.major < 15:
        with pytest.raises(InputError, match="row-level security"):
            await rename_plan(source, impact, compatibility_view=True)
        return
    plan = await rename_plan(source, impact, compatibility_view=True)
    assert (await execute_rename(source, plan)).success
    assert ask(dsn, "SELECT count(*) FROM t") == [(2,)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET ROLE pg_monitor")
        assert connection.execute("SELECT id FROM t").fetchall() == [(1,)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_nothing_is_changed_when_an_edited_function_fails(pg: TestServer) -> None:
    """It is broken already, for another reason."""
    text = """CREATE TABLE t (id int);
    CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM t, gone); END'"""
    dsn, source = database(pg, text)
    plan = await rename_plan(source, await rename_impact(source, "t", "u"), proceed=True)
    before = ask(dsn, "SELECT oid, xmin::text, relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    result = await execute_rename(source, plan)
    assert not result.success
    assert "gone" in result.message
    after = ask(dsn, "SELECT oid, xmin::text, relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert after == before


@pytest.mark.majors(14, 18)
@asynchronous
async def test_verification_leaves_nothing_behind(pg: TestServer) -> None:
    text = """CREATE TABLE t (id int); CREATE TABLE seen (id int);
    CREATE FUNCTION sneaky() RETURNS void LANGUAGE sql VOLATILE AS 'INSERT INTO seen VALUES (1)';
    CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql STABLE AS
      'BEGIN PERFORM sneaky(); RETURN (SELECT count(*) FROM t); END'"""
    dsn, source = database(pg, text)
    _, result = await renamed(source, "t", "u")
    assert result.success, result.message
    assert ask(dsn, "SELECT count(*) FROM seen") == [(0,)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_full_backup_is_restored(pg: TestServer) -> None:
    text = """CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n text, up text GENERATED ALWAYS AS
      (upper(n)) STORED, at timestamptz); INSERT INTO t (n) VALUES ('a'), ('b'), ('c');
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';
    CREATE TRIGGER stamping BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp()"""
    dsn, source = database(pg, text)
    plan, result = await renamed(source, "t", "u", backup_strategy="full_backup")
    assert result.success, result.message
    assert plan.backup_table is not None
    before = ask(dsn, "SELECT * FROM u ORDER BY id")
    ask(dsn, "DELETE FROM u WHERE id = 1; UPDATE u SET n = 'spoilt'; INSERT INTO u (n) VALUES ('later')")
    assert await restore_backup(source, plan.backup_table, "u") == 3
    assert ask(dsn, "SELECT * FROM u WHERE id < 4 ORDER BY id") == before
    assert ask(dsn, "SELECT n FROM u WHERE id = 4") == [("later",)]
    assert await restore_backup(source, plan.backup_table, "u", remove_later=True) == 4
    assert ask(dsn, "SELECT * FROM u ORDER BY id") == before
    assert ask(dsn, "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'stamping'") == [("O",)]


@asynchronous
async def test_a_backup_needs_room(pg: TestServer) -> None:
    dsn, source = database(pg, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")
    impact = await rename_impact(source, "t", "u")
    plan = await rename_plan(source, impact, backup_strategy="full_backup", free_bytes=1)
    with pytest.raises(InputError, match="1 are free"):
        await execute_rename(source, plan)
    assert ask(dsn, "SELECT to_regclass('t') IS NOT NULL, to_regnamespace('dflint_trash')") == [(True, None)]
    with pytest.raises(InputError, match="full_backup"):
        await rename_plan(source, impact, backup_strategy="full_backups")


@asynchronous
async def test_a_catalog_backup_is_a_snapshot(pg: TestServer, tmp_path: Any) -> None:
    from dflint.app.snapshot_files import open_snapshot
    from dflint.model.names import Name

    _, source = database(pg, "CREATE TABLE t (id int)")
    plan, result = await renamed(source, "t", "u", backup_strategy="catalog", directory=tmp_path)
    assert result.success
    assert plan.backup_file is not None
    assert Name("public", "t") in open_snapshot(str(plan.backup_file)).load().relations


@pytest.mark.majors(14, 18)
@asynchronous
async def test_undo_gives_the_old_names_back(pg: TestServer) -> None:
    text = (
        "CREATE TABLE t (id int); CREATE FUNCTION f(x t) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t'"
    )
    dsn, source = database(pg, text)
    query = "SELECT pg_get_functiondef(oid), oid FROM pg_proc WHERE proname = 'f'"
    before = ask(dsn, query)
    plan, result = await renamed(source, "t", "u")
    assert result.success, result.message
    assert "FROM u" in ask(dsn, query)[0][0]
    ask(dsn, ";".join(plan.plan.steps[-1].undo.sql or ()))
    assert ask(dsn, query) == before


@asynchronous
async def test_a_function_that_somebody_else_changes_meanwhile_is_not_overwritten(pg: TestServer) -> None:
    text = "CREATE TABLE t (id int); CREATE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t'"
    dsn, source = database(pg, text)
    plan = await rename_plan(source, await rename_impact(source, "t", "u"))
    ask(dsn, "CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 7 + count(*) FROM t'")
    result = await execute_rename(source, plan)
    assert not result.success
    assert "f()" in result.message
    assert ask(dsn, "SELECT f(), to_regclass('u')") == [(7, None)]


def _with_checker(pg: TestServer, schema: str) -> tuple[str, ConnectionSource]:
    dsn, source = database(pg, "")
    if not ask(dsn, "SELECT name FROM pg_available_extensions WHERE name = 'plpgsql_check'"):
        pytest.skip("the server has no plpgsql_check")
    ask(dsn, f'CREATE SCHEMA "Checks"; CREATE EXTENSION plpgsql_check SCHEMA "Checks"; {schema}')
    return dsn, source


_CHECKED = """
CREATE TABLE t (id int PRIMARY KEY, n text);
CREATE TABLE log (id int);
CREATE FUNCTION counts(t, numeric) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO log SELECT t.id FROM t WHERE id = new.id; RETURN new; END';
CREATE TRIGGER one AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires();
CREATE TRIGGER other AFTER UPDATE ON log FOR EACH ROW EXECUTE FUNCTION fires();
CREATE PROCEDURE runs(x int) LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE id = x; END';
"""


@pytest.mark.exhaustive
@pytest.mark.majors("all")
@asynchronous
async def test_plpgsql_check_looks_at_edited_routines_where_it_is_installed(pg: TestServer) -> None:
    dsn, source = _with_checker(pg, _CHECKED)
    plan, result = await renamed(source, "t", "renamed")
    assert result.success, result.message
    text = plan.plan.steps[-1].sql or ""
    # Once for each table that fires it.
    assert text.count('"Checks".plpgsql_check_function_tb') == 4
    assert not plan.plan.steps[-1].notes
    ask(dsn, "INSERT INTO renamed VALUES (1, 'x')")
    assert ask(dsn, "SELECT counts(NULL, NULL), (SELECT count(*) FROM log)") == [(1, 1)]


@pytest.mark.exhaustive
@pytest.mark.majors("all")
@asynchronous
async def test_what_plpgsql_check_rejects_takes_the_rename_back(pg: TestServer) -> None:
    broken = """CREATE FUNCTION broken() RETURNS void LANGUAGE plpgsql AS
      'BEGIN PERFORM 1 FROM t; PERFORM missing FROM log; END'"""
    dsn, source = _with_checker(pg, _CHECKED + broken)
    _, result = await renamed(source, "t", "renamed")
    assert not result.success
    assert "missing" in result.message
    assert ask(dsn, "SELECT to_regclass('t') IS NOT NULL, to_regclass('renamed')") == [(True, None)]
