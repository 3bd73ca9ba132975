from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jsonschema
import psycopg
import pytest
from immutables import Map
from msgspec.structs import replace

from dflint.app.snapshot import Difference, differences, read_live
from dflint.app.snapshot_files import open_snapshot, save_snapshot, statistics_path
from dflint.app.snapshot_text import counts, definition, expression, find
from dflint.catalog import snapshot_schema
from dflint.catalog.snapshot_error import SnapshotError
from dflint.model.catalog import Catalog, Details
from dflint.model.errors import DflintError, InputError
from dflint.model.expressions import Expr
from tests.history.replaying import replayed
from tests.servers import TestServer

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

SQL = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'nobody', feels mood,
                    friend bigint REFERENCES users ON DELETE CASCADE, CHECK (name <> ''));
CREATE INDEX users_lower ON users (lower(name) DESC) WHERE feels IS NOT NULL;
CREATE VIEW names AS SELECT name FROM users;
CREATE FUNCTION f(a int, b mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
"""
MORE = """
CREATE TABLE parted (at date, n int) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM users;
CREATE SEQUENCE counter AS int INCREMENT 5;
CREATE STATISTICS together ON id, friend FROM users;
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER fired BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fire();
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (name = current_user);
COMMENT ON TABLE users IS 'who is who';
COMMENT ON COLUMN users.friend IS 'one only';
GRANT SELECT ON users TO PUBLIC;
INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 500) n;
ANALYZE users;
"""


@pytest.fixture
def catalog() -> Catalog:
    return replace(replayed(SQL), version=16)


# --- files --------------------------------------------------------------------------------------------------------


def test_both_files_are_written_and_read(tmp_path: Path, catalog: Catalog) -> None:
    path = str(tmp_path / "schema.dflint.json")
    save_snapshot(catalog, path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["schema.dflint.json", "schema.dflint.stats.json"]
    files = open_snapshot(path)
    assert files.load() == replace(catalog, basis="snapshot")
    assert files.header.pg_version == 16
    assert not files.stale_statistics()


def test_statistics_of_another_day_are_used_and_said_to_be_stale(tmp_path: Path, catalog: Catalog) -> None:
    path = str(tmp_path / "a.json")
    save_snapshot(catalog, path)
    stats = Path(statistics_path(path)).read_bytes()
    save_snapshot(replayed("DROP VIEW names", catalog), path)
    before = open_snapshot(path).signature
    Path(statistics_path(path)).write_bytes(stats)
    files = open_snapshot(path)
    assert files.stale_statistics()
    assert files.signature != before
    files.load()


def test_errors_name_the_file_they_are_about(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "schema.dflint.json"
    save_snapshot(catalog, str(path))
    stats = Path(statistics_path(str(path)))
    good = stats.read_bytes()
    stats.write_bytes(b"{")
    with pytest.raises(SnapshotError) as caught:
        open_snapshot(str(path)).load()
    assert caught.value.file == str(stats)
    stats.write_bytes(good)
    path.write_bytes(path.read_bytes().replace(b"users", b"user5", 1))
    with pytest.raises(SnapshotError) as caught:
        open_snapshot(str(path)).load()
    assert caught.value.file == str(path)
    assert caught.value.line is not None


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such snapshot file"):
        open_snapshot(str(tmp_path / "none.json"))


def test_a_place_that_cannot_be_written(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_snapshot(catalog, str(tmp_path / "none" / "schema.json"))


# --- schemas of the files -----------------------------------------------------------------------------------------


def test_the_schemas_in_the_documentation_are_current() -> None:
    hint = "run docs/schemas/generate.py"
    assert (SCHEMAS / "snapshot.schema.json").read_bytes() == snapshot_schema.schema(), hint
    assert (SCHEMAS / "snapshot-statistics.schema.json").read_bytes() == snapshot_schema.statistics_schema(), hint


def _validate(schema: bytes, document: bytes) -> None:
    checked = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(checked)
    jsonschema.Draft202012Validator(checked).validate(json.loads(document))


# --- differences --------------------------------------------------------------------------------------------------


def test_differences_by_identity(catalog: Catalog) -> None:
    later = replayed(
        "ALTER TABLE users ADD note text; DROP VIEW names; CREATE TABLE more (a int); ALTER TYPE mood ADD VALUE 'so';",
        catalog,
    )
    assert differences(catalog, catalog) == []
    assert differences(catalog, later) == [
        Difference("table:public.more", "added"),
        Difference("table:public.users", "changed", ("columns",)),
        Difference("type:public.mood", "changed", ("values",)),
        Difference("view:public.names", "removed"),
    ]
    assert [one.how for one in differences(later, catalog)] == ["removed", "changed", "changed", "added"]


def test_what_is_said_about_an_object_is_a_change_of_it(catalog: Catalog) -> None:
    commented = replace(
        catalog,
        details=Details(
            comments=Map({"table:public.users": "who", "column:public.users.name": "what"}),
            owners=Map({"view:public.gone": "me"}),
        ),
    )
    assert differences(catalog, commented) == [
        Difference("column:public.users.name", "changed", ("comment",)),
        Difference("table:public.users", "changed", ("comment",)),
        Difference("view:public.gone", "changed", ("owner",)),
    ]


def test_estimates_are_no_difference(catalog: Catalog) -> None:
    users = next(each for each in catalog.relations.values() if str(getattr(each, "name", "")) == "public.users")
    grown = replace(
        catalog,
        relations=catalog.relations.set(users.name, replace(users, rows=9)),  # type: ignore[union-attr,type-var]
    )
    assert grown != catalog
    assert differences(catalog, grown) == []


# --- in words -----------------------------------------------------------------------------------------------------


def test_counts(catalog: Catalog) -> None:
    assert counts(catalog) == [
        (2, "indexes"),
        (1, "domain"),
        (1, "function"),
        (1, "sequence"),
        (1, "table"),
        (1, "type"),
        (1, "view"),
    ]


@pytest.mark.parametrize("name", ["users", "public.users", "table:public.users"])
def test_a_table_in_words(catalog: Catalog, name: str) -> None:
    (found,) = find(catalog, name)
    text = definition(catalog, *found)
    assert text.startswith("table:public.users\n")
    for line in (
        "    name    character varying(40) NOT NULL DEFAULT 'nobody'\n",
        "FOREIGN KEY (friend) REFERENCES public.users (id) on_delete=cascade\n",
        "    users_lower  btree ((lower(name)) DESC) WHERE feels IS NOT NULL\n",
        "    users_pkey  UNIQUE btree (id)\n",
    ):
        assert line in text


@pytest.mark.parametrize("name", ["f", "public.f", "f(integer, public.mood[])", "users_lower", "mood", "positive"])
def test_other_objects_are_found(catalog: Catalog, name: str) -> None:
    (found,) = find(catalog, name)
    assert definition(catalog, *found).count("\n") > 1


def test_a_name_that_is_not_there_is_told_with_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(InputError) as caught:
        find(catalog, "user")
    assert caught.value.remedy == "did you mean 'users'?"


def test_expressions_in_words() -> None:
    a, one = Expr("column"), Expr("constant", value="it's")
    text = expression(Expr("or", args=(Expr("not", args=(one,)), Expr("is_null", args=(one,)), Expr("null"), a)))
    assert text == "(NOT 'it''s' OR 'it''s' IS NULL OR NULL OR )"


# --- live ---------------------------------------------------------------------------------------------------------


@pytest.mark.majors("ends")
def test_a_live_catalog_travels_whole(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL + MORE)
    live = asyncio.run(read_live(dsn))
    assert live.incomplete == ()
    path = tmp_path / "schema.dflint.json"
    save_snapshot(live, str(path))
    loaded = open_snapshot(str(path)).load()
    assert loaded == replace(live, basis="snapshot")
    assert loaded.version == pg.major
    assert differences(loaded, live) == []
    first = path.read_bytes()
    save_snapshot(asyncio.run(read_live(dsn)), str(path))
    assert path.read_bytes() == first
    _validate(snapshot_schema.schema(), first)
    _validate(snapshot_schema.statistics_schema(), Path(statistics_path(str(path))).read_bytes())
    assert b"oid" not in first
    # The reader and the file print the same identities: what has an owner is an object.
    owned = {identity for identity in live.details.owners if not identity.startswith("column:")}
    assert owned
    assert owned <= {line["id"] for line in json.loads(first)["objects"] if line["object"] != "details"}


def test_a_database_made_again_gives_the_same_file(pg: TestServer, tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        dsn = pg.new_database()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE unlike (a int)" if name == "one" else "SELECT 1")
            connection.execute(SQL + MORE + "DROP TABLE IF EXISTS unlike")
        save_snapshot(asyncio.run(read_live(dsn)), str(tmp_path / name))
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_a_database_that_is_not_there(pg: TestServer) -> None:
    with pytest.raises(DflintError) as caught:
        asyncio.run(read_live(pg.dsn("nowhere") + " password=hunter2"))
    assert "hunter2" not in str(caught.value)
