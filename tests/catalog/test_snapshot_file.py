from __future__ import annotations

import json
import pickle
from hashlib import blake2b

import pytest
from hypothesis import HealthCheck, given, settings
from immutables import Map
from msgspec.structs import replace

from dflint.catalog.layout import layout
from dflint.catalog.snapshot_error import SnapshotError, StatisticsError
from dflint.catalog.snapshot_file import dump, load, read_header
from dflint.model.catalog import Catalog, EnumType, Index, Policy, Routine, Table, View
from dflint.model.dependencies import with_reverse_maps
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column, Query
from tests.catalog.catalogs import as_snapshot, catalogs
from tests.history.replaying import public, replayed

quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

SMALL = replace(
    replayed(
        """CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('sad', 'glad');
        CREATE TABLE t (id bigserial PRIMARY KEY, feels s.mood, parent bigint REFERENCES t, CHECK (id > 0));
        CREATE INDEX lively ON t (lower(feels::text)) WHERE parent IS NOT NULL;
        CREATE VIEW v AS SELECT id FROM t;
        CREATE FUNCTION f(a int, b s.mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"""
    ),
    version=17,
)


# --- there and back -----------------------------------------------------------------------------------------------


@quick
@given(catalogs())
def test_what_is_loaded_is_what_was_written(catalog: Catalog) -> None:
    schema, stats = dump(catalog)
    loaded = load(schema, stats)
    assert loaded == as_snapshot(catalog)
    assert dump(loaded) == (schema, stats)


@quick
@given(catalogs())
def test_the_file_is_json_with_an_object_a_line(catalog: Catalog) -> None:
    schema, _ = dump(catalog)
    document = json.loads(schema)
    assert list(document)[:2] == ["format", "schema_version"]
    lines = [json.loads(line.removesuffix(b",")) for line in schema.splitlines()[1:-1]]
    assert lines == document["objects"]
    identities = [line["id"] for line in lines]
    assert identities == sorted(identities)


@quick
@given(catalogs())
def test_equal_catalogs_give_equal_files(catalog: Catalog) -> None:
    # Other objects with equal texts, in another order.
    other = catalog
    for family in layout().families:
        found = getattr(catalog, family.field)
        if isinstance(found, Map):
            entries = pickle.loads(pickle.dumps(list(found.items())))
            other = replace(other, **{family.field: Map(dict(reversed(entries)))})
    assert other == catalog
    assert dump(other) == dump(catalog)


def test_defaults_are_left_out_however_they_came() -> None:
    runtime = "".join(["b", "tree"])
    index = Index(public("i"), public("t"), method=runtime)
    view = View(public("v"), query=Query())
    table = Table(public("t"), policies=(Policy("p", command="".join(["a", "ll"])),))
    schema, _ = dump(Catalog(relations=Map({each.name: each for each in (index, view, table)})))
    assert b"btree" not in schema
    assert b'"query"' not in schema
    assert b'"command"' not in schema


def test_a_name_that_is_known_to_be_free_stays_known() -> None:
    catalog = Catalog(relations=Map({public("gone"): None}), routines=Map({public("f"): None}))
    loaded = load(*dump(catalog))
    assert loaded.relations == catalog.relations
    assert loaded.routines == catalog.routines
    assert not loaded.closed


def test_one_change_is_one_line_and_the_header() -> None:
    changed = replayed("ALTER TABLE t ADD note text", SMALL, version=17)
    one, other = dump(SMALL)[0].splitlines(), dump(changed)[0].splitlines()
    differing = [number for number, (old, new) in enumerate(zip(one, other, strict=True)) if old != new]
    assert differing == [0, next(n for n, line in enumerate(one) if b'"id":"table:public.t"' in line)]


def test_an_empty_catalog() -> None:
    assert load(*dump(Catalog(closed=True, version=16))) == Catalog(basis="snapshot", closed=True, version=16)


def test_that_a_catalog_is_incomplete_travels() -> None:
    loaded = load(*dump(replace(SMALL, incomplete=("views could not be read",))))
    assert loaded.incomplete == ("views could not be read",)


def test_overloaded_routines_have_identities_of_their_own() -> None:
    ids = [line["id"] for line in json.loads(dump(SMALL)[0])["objects"] if line["object"] == "routine"]
    assert ids == ['function:public."f()"', 'function:public."f(integer, s.mood[])"']


def test_checkouts_with_other_line_ends_are_the_same() -> None:
    schema, stats = dump(SMALL)
    assert load(schema.replace(b"\n", b"\r\n"), stats.replace(b"\n", b"\r\n")) == load(schema, stats)


def test_an_expression_too_deep_to_be_written_is_named() -> None:
    expr = Expr("column", name=Name(None, "a"))
    for _ in range(100_000):
        expr = Expr("not", args=(expr,))
    table = Table(public("deep"), (Column("a", default=expr),))
    with pytest.raises(SnapshotError, match=r"table:public\.deep cannot be written"):
        dump(Catalog(relations=Map({table.name: table})))


# --- statistics ---------------------------------------------------------------------------------------------------


def _with_rows(rows: int | None) -> Catalog:
    table = Table(public("t"), rows=rows, bytes=8192)
    return with_reverse_maps(Catalog(relations=Map({table.name: table, public("e"): Table(public("e"))}), closed=True))


def test_estimates_stand_in_a_file_of_their_own() -> None:
    assert dump(_with_rows(5))[0] == dump(_with_rows(6_000_000))[0]
    _, stats = dump(_with_rows(5))
    document = json.loads(stats)
    assert document["objects"] == [{"id": "table:public.t", "rows": 5, "bytes": 8192}]
    assert document["schema"] == json.loads(dump(_with_rows(5))[0])["hash"]


def test_without_statistics_sizes_are_unknown() -> None:
    loaded = load(dump(_with_rows(5))[0])
    table = loaded.relations[public("t")]
    assert isinstance(table, Table)
    assert (table.rows, table.bytes) == (None, None)


def test_statistics_of_other_objects_are_left_out() -> None:
    schema, _ = dump(SMALL)
    _, stats = dump(_with_rows(7))
    loaded = load(schema, stats)
    table = loaded.relations[public("t")]
    assert isinstance(table, Table)
    assert table.rows == 7


@pytest.mark.parametrize(
    "stats", [b"", b"{}", b'{"format":"dflint-snapshot-statistics","schema_version":2,"schema":"","objects":[]}']
)
def test_what_are_no_statistics(stats: bytes) -> None:
    with pytest.raises(StatisticsError):
        load(dump(SMALL)[0], stats)


# --- what was changed ---------------------------------------------------------------------------------------------


def _refused(schema: bytes) -> SnapshotError:
    with pytest.raises(SnapshotError) as caught:
        load(schema)
    return caught.value


def test_a_changed_line_is_named() -> None:
    lines = dump(SMALL)[0].split(b"\n")
    for number, line in enumerate(lines[1:-2], start=2):
        place = line.index(b'"name"') + len(b'"name":[')
        for changed in (line[:place] + b"x" + line[place + 1 :], line.replace(b'"id":"', b'"id":"x')):
            error = _refused(b"\n".join([*lines[: number - 1], changed, *lines[number:]]))
            assert error.line == number
            assert error.message == "this line was changed after the snapshot was taken"
            assert "snapshot take" in (error.remedy or "")


def test_lines_removed_added_or_moved() -> None:
    lines = dump(SMALL)[0].split(b"\n")
    for changed in (
        [*lines[:2], *lines[3:]],
        [*lines[:3], *lines[2:]],
        [lines[0], lines[2], lines[1], *lines[3:]],
    ):
        error = _refused(b"\n".join(changed))
        assert error.line == 1
        assert "added, removed or moved" in error.message


def test_nobody_makes_an_incomplete_catalog_complete_by_hand() -> None:
    schema, _ = dump(replace(SMALL, incomplete=("views could not be read",)))
    assert _refused(schema.replace(b'["views could not be read"]', b"[]")).line == 1


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_file_that_ends_too_early(kept: float) -> None:
    schema, _ = dump(SMALL)
    error = _refused(schema[: int(len(schema) * kept)])
    assert "ends too early" in error.message
    assert error.line is not None


def test_a_conflict_of_a_merge_is_named() -> None:
    lines = dump(SMALL)[0].split(b"\n")
    text = b"\n".join([b"<<<<<<< ours", lines[0], b"=======", lines[0], b">>>>>>> theirs", *lines[1:]])
    error = _refused(text)
    assert (error.message, error.line) == ("it has a conflict marker of a merge", 1)


def test_a_reformatted_file_is_called_that() -> None:
    schema, _ = dump(SMALL)
    assert "reformatted" in _refused(json.dumps(json.loads(schema), indent=2).encode()).message


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"CREATE TABLE t ();\n", b'{"format":"dflint-plan"}'])
def test_what_is_no_snapshot(text: bytes) -> None:
    assert "it is no snapshot" in _refused(text).message


@pytest.mark.parametrize(("version", "remedy"), [(2, "update dflint"), (0, "take it again")])
def test_other_versions(version: int, remedy: str) -> None:
    schema, _ = dump(SMALL)
    error = _refused(schema.replace(b'"schema_version":1', f'"schema_version":{version}'.encode()))
    assert f"schema_version {version}" in error.message
    assert error.line == 1
    assert remedy in (error.remedy or "")


def test_a_kind_of_object_from_the_future_is_named() -> None:
    lines = dump(SMALL)[0].split(b"\n")
    text = lines[2].removesuffix(b",").rpartition(b',"hash"')[0]
    text = text.replace(b'{"object":"', b'{"object":"future_', 1)
    lines[2] = text + b',"hash":"%b"},' % blake2b(text, digest_size=4).hexdigest().encode()
    start = lines[0].rpartition(b',"hash"')[0]
    root = blake2b(start + b"\n" + b"\n".join(lines[1:]), digest_size=20).hexdigest().encode()
    lines[0] = start + b',"hash":"%b","objects":[' % root
    error = _refused(b"\n".join(lines))
    assert "this dflint cannot read it" in error.message
    assert error.line == 3


# --- the header ---------------------------------------------------------------------------------------------------


def test_the_header_is_read_alone() -> None:
    schema, _ = dump(replace(SMALL, incomplete=("a", "b")))
    header = read_header(schema[: schema.index(b"\n") + 1])
    assert (header.pg_version, header.incomplete) == (17, ("a", "b"))
    assert header.hash == json.loads(schema)["hash"]


def test_loading_leaves_the_garbage_collector_as_it_was() -> None:
    import gc

    schema, _ = dump(SMALL)
    assert gc.isenabled()
    load(schema)
    assert gc.isenabled()
    gc.disable()
    try:
        load(schema)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_every_class_of_the_model_travels() -> None:
    kinds = {kind.__name__ for family in layout().families for kind in family.classes}
    assert {kind.__name__ for kind in (Table, Index, View, EnumType, Routine)} < kinds
