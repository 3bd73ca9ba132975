from __future__ import annotations

from typing import Any

import pytest

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    AlterOther,
    AlterRoutine,
    ChangeOwner,
    Comment,
    DropObject,
    OwnedObjects,
    RenameColumn,
    RenameConstraint,
    RenameObject,
    SecurityLabel,
    SetObjectSchema,
)
from dflint.sql.build.drop_rename import drop
from dflint.sql.build.nodes import Unread
from tests.sql.building import INT4, TEXT, build, build_one, library, name, tree

NONE = Type(Name(None, "none"))


def dropped(kind: str, target: str | None, **values: Any) -> DropObject:
    return DropObject(target=name(target) if target else None, object_kind=kind, clause=0, **values)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP TABLE t", dropped("table", "t")),
        ("DROP TABLE IF EXISTS s.t CASCADE", dropped("table", "s.t", if_exists=True, cascade=True)),
        ("DROP VIEW v RESTRICT", dropped("view", "v")),
        ("DROP MATERIALIZED VIEW v", dropped("materialized_view", "v")),
        ("DROP INDEX CONCURRENTLY IF EXISTS s.i", dropped("index", "s.i", concurrently=True, if_exists=True)),
        ("DROP SEQUENCE s", dropped("sequence", "s")),
        ("DROP FOREIGN TABLE t", dropped("foreign_table", "t")),
        ("DROP TYPE s.e", dropped("type", "s.e")),
        ("DROP DOMAIN d", dropped("domain", "d")),
        ("DROP FUNCTION f", dropped("function", "f")),
        ("DROP FUNCTION s.f()", dropped("function", "s.f", arguments=())),
        ("DROP FUNCTION f(a int, OUT b text)", dropped("function", "f", arguments=(INT4,))),
        (
            "DROP PROCEDURE p(INOUT a int, VARIADIC b text[])",
            dropped("procedure", "p", arguments=(INT4, Type(TEXT.name, (), 1))),
        ),
        ("DROP ROUTINE r(text)", dropped("routine", "r", arguments=(TEXT,))),
        ("DROP AGGREGATE a(*)", dropped("aggregate", "a", arguments=())),
        ("DROP AGGREGATE a(int ORDER BY text)", dropped("aggregate", "a", arguments=(INT4, TEXT))),
        ("DROP OPERATOR s.-(NONE, int)", dropped("operator", "s.-", arguments=(NONE, INT4))),
        ("DROP OPERATOR CLASS s.c USING btree", dropped("operator_class", "s.c", detail="btree")),
        ("DROP OPERATOR FAMILY f USING gin", dropped("operator_family", "f", detail="gin")),
        ("DROP CAST (int AS s.x)", dropped("cast", None, detail="pg_catalog.int4 AS s.x")),
        ("DROP CAST (numeric(5,2)[] AS x)", dropped("cast", None, detail="pg_catalog.numeric(5,2)[] AS x")),
        ("DROP TRANSFORM FOR hstore LANGUAGE plperl", dropped("transform", None, detail="hstore LANGUAGE plperl")),
        ("DROP COLLATION c", dropped("collation", "c")),
        ("DROP CONVERSION c", dropped("conversion", "c")),
        ("DROP TEXT SEARCH PARSER p", dropped("text_search_parser", "p")),
        ("DROP TEXT SEARCH DICTIONARY s.d", dropped("text_search_dictionary", "s.d")),
        ("DROP TEXT SEARCH TEMPLATE t", dropped("text_search_template", "t")),
        ("DROP TEXT SEARCH CONFIGURATION c", dropped("text_search_configuration", "c")),
        ("DROP TRIGGER IF EXISTS g ON s.t", dropped("trigger", "g", on=name("s.t"), if_exists=True)),
        ("DROP RULE r ON t", dropped("rule", "r", on=name("t"))),
        ("DROP POLICY p ON t CASCADE", dropped("policy", "p", on=name("t"), cascade=True)),
        ("DROP EVENT TRIGGER e", dropped("event_trigger", "e")),
        ("DROP SCHEMA s", dropped("schema", "s")),
        ("DROP EXTENSION e", dropped("extension", "e")),
        ("DROP PUBLICATION p", dropped("publication", "p")),
        ("DROP LANGUAGE l", dropped("language", "l")),
        ("DROP ACCESS METHOD m", dropped("access_method", "m")),
        ("DROP FOREIGN DATA WRAPPER f", dropped("fdw", "f")),
        ("DROP SERVER s", dropped("server", "s")),
        ("DROP STATISTICS s.st", dropped("statistics", "s.st")),
        ("DROP ROLE r", dropped("role", "r")),
        ("DROP USER IF EXISTS r", dropped("role", "r", if_exists=True)),
        ("DROP DATABASE d WITH (FORCE)", DropObject(target=name("d"), object_kind="database")),
        (
            "DROP TABLESPACE IF EXISTS t",
            DropObject(target=name("t"), object_kind="tablespace", if_exists=True),
        ),
        ("DROP SUBSCRIPTION s CASCADE", DropObject(target=name("s"), object_kind="subscription", cascade=True)),
        (
            "DROP USER MAPPING FOR public SERVER s",
            DropObject(target=name("public"), object_kind="user_mapping", detail="s"),
        ),
        (
            "DROP OWNED BY a, CURRENT_USER CASCADE",
            OwnedObjects(action="drop", roles=("a", "current_user"), cascade=True),
        ),
        ("REASSIGN OWNED BY a, b TO c", OwnedObjects(action="reassign", roles=("a", "b"), new_owner="c")),
    ],
)
def test_a_drop(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_a_drop_list_gives_one_operation_for_each_name() -> None:
    assert build("DROP TABLE a, s.b CASCADE") == [
        DropObject(target=name("a"), object_kind="table", cascade=True, clause=0),
        DropObject(target=name("s.b"), object_kind="table", cascade=True, clause=1),
    ]
    assert build("DROP FUNCTION f(int, text), g") == [
        DropObject(target=name("f"), object_kind="function", arguments=(INT4, TEXT), clause=0),
        DropObject(target=name("g"), object_kind="function", clause=1),
    ]
    assert build("DROP ROLE a, SESSION_USER") == [
        DropObject(target=name("a"), object_kind="role", clause=0),
        DropObject(target=name("session_user"), object_kind="role", clause=1),
    ]


def test_the_kind_of_a_drop_names_the_object() -> None:
    assert build_one("DROP MATERIALIZED VIEW v").kind == "drop_materialized_view"
    assert build_one("DROP OWNED BY a").kind == "drop_owned"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE s.t RENAME TO u", RenameObject(target=name("s.t"), object_kind="table", new_name="u")),
        (
            "ALTER VIEW IF EXISTS v RENAME TO w",
            RenameObject(target=name("v"), object_kind="view", new_name="w", if_exists=True),
        ),
        (
            "ALTER MATERIALIZED VIEW v RENAME TO w",
            RenameObject(target=name("v"), object_kind="materialized_view", new_name="w"),
        ),
        ("ALTER INDEX i RENAME TO j", RenameObject(target=name("i"), object_kind="index", new_name="j")),
        ("ALTER SEQUENCE i RENAME TO j", RenameObject(target=name("i"), object_kind="sequence", new_name="j")),
        (
            "ALTER FOREIGN TABLE i RENAME TO j",
            RenameObject(target=name("i"), object_kind="foreign_table", new_name="j"),
        ),
        ("ALTER TYPE s.t RENAME TO u", RenameObject(target=name("s.t"), object_kind="type", new_name="u")),
        ("ALTER DOMAIN s.d RENAME TO u", RenameObject(target=name("s.d"), object_kind="domain", new_name="u")),
        (
            "ALTER FUNCTION f(int) RENAME TO g",
            RenameObject(target=name("f"), object_kind="function", new_name="g", arguments=(INT4,)),
        ),
        ("ALTER PROCEDURE f RENAME TO g", RenameObject(target=name("f"), object_kind="procedure", new_name="g")),
        (
            "ALTER AGGREGATE f(*) RENAME TO g",
            RenameObject(target=name("f"), object_kind="aggregate", new_name="g", arguments=()),
        ),
        (
            "ALTER OPERATOR CLASS s.c USING btree RENAME TO d",
            RenameObject(target=name("s.c"), object_kind="operator_class", new_name="d", detail="btree"),
        ),
        (
            "ALTER TRIGGER g ON s.t RENAME TO h",
            RenameObject(target=name("g"), object_kind="trigger", new_name="h", on=name("s.t")),
        ),
        (
            "ALTER POLICY IF EXISTS p ON t RENAME TO q",
            RenameObject(target=name("p"), object_kind="policy", new_name="q", on=name("t"), if_exists=True),
        ),
        (
            "ALTER RULE r ON t RENAME TO q",
            RenameObject(target=name("r"), object_kind="rule", new_name="q", on=name("t")),
        ),
        ("ALTER SCHEMA a RENAME TO b", RenameObject(target=name("a"), object_kind="schema", new_name="b")),
        ("ALTER DATABASE a RENAME TO b", RenameObject(target=name("a"), object_kind="database", new_name="b")),
        ("ALTER USER a RENAME TO b", RenameObject(target=name("a"), object_kind="role", new_name="b")),
        ("ALTER TABLESPACE a RENAME TO b", RenameObject(target=name("a"), object_kind="tablespace", new_name="b")),
        ("ALTER LANGUAGE a RENAME TO b", RenameObject(target=name("a"), object_kind="language", new_name="b")),
        ("ALTER PUBLICATION a RENAME TO b", RenameObject(target=name("a"), object_kind="publication", new_name="b")),
        ("ALTER STATISTICS s.a RENAME TO b", RenameObject(target=name("s.a"), object_kind="statistics", new_name="b")),
        (
            "ALTER TABLE IF EXISTS t RENAME COLUMN a TO b",
            RenameColumn(target=name("t"), column="a", new_name="b", if_exists=True),
        ),
        ("ALTER VIEW v RENAME a TO b", RenameColumn(target=name("v"), column="a", new_name="b", object_kind="view")),
        (
            "ALTER TYPE s.t RENAME ATTRIBUTE a TO b CASCADE",
            RenameColumn(target=name("s.t"), column="a", new_name="b", object_kind="type", cascade=True),
        ),
        ("ALTER TABLE t RENAME CONSTRAINT a TO b", RenameConstraint(target=name("t"), name="a", new_name="b")),
        (
            "ALTER DOMAIN s.d RENAME CONSTRAINT a TO b",
            RenameConstraint(target=name("s.d"), name="a", new_name="b", object_kind="domain"),
        ),
    ],
)
def test_a_rename(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "ALTER TABLE IF EXISTS a.t SET SCHEMA b",
            SetObjectSchema(target=name("a.t"), object_kind="table", schema="b", if_exists=True),
        ),
        ("ALTER EXTENSION e SET SCHEMA b", SetObjectSchema(target=name("e"), object_kind="extension", schema="b")),
        ("ALTER TYPE a.t SET SCHEMA b", SetObjectSchema(target=name("a.t"), object_kind="type", schema="b")),
        (
            "ALTER FUNCTION f(int) SET SCHEMA b",
            SetObjectSchema(target=name("f"), object_kind="function", schema="b", arguments=(INT4,)),
        ),
        (
            "ALTER OPERATOR FAMILY f USING btree SET SCHEMA b",
            SetObjectSchema(target=name("f"), object_kind="operator_family", schema="b", detail="btree"),
        ),
        (
            "ALTER FUNCTION f(int) OWNER TO CURRENT_ROLE",
            ChangeOwner(target=name("f"), object_kind="function", owner="current_role", arguments=(INT4,)),
        ),
        ("ALTER SCHEMA s OWNER TO r", ChangeOwner(target=name("s"), object_kind="schema", owner="r")),
        ("ALTER TYPE s.t OWNER TO r", ChangeOwner(target=name("s.t"), object_kind="type", owner="r")),
        ("ALTER LARGE OBJECT 12 OWNER TO r", ChangeOwner(target=name("12"), object_kind="large_object", owner="r")),
        (
            "ALTER LARGE OBJECT 4000000000 OWNER TO r",
            ChangeOwner(target=name("4000000000"), object_kind="large_object", owner="r"),
        ),
        (
            "ALTER FUNCTION f() DEPENDS ON EXTENSION e",
            AlterRoutine(
                target=name("f"), object_kind="function", arguments=(), options=(("depends_on_extension", "e"),)
            ),
        ),
        (
            "ALTER TRIGGER g ON s.t NO DEPENDS ON EXTENSION e",
            AlterOther(
                target=name("g"), object_kind="trigger", action="no_depends_on_extension", detail="e", on=name("s.t")
            ),
        ),
        (
            "ALTER INDEX i DEPENDS ON EXTENSION e",
            AlterOther(target=name("i"), object_kind="index", action="depends_on_extension", detail="e"),
        ),
    ],
)
def test_moving_and_owning(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("COMMENT ON TABLE s.t IS 'x'", Comment(target=name("s.t"), object_kind="table", text="x")),
        ("COMMENT ON COLUMN s.t.c IS NULL", Comment(target=name("s.t"), object_kind="column", column="c")),
        ("COMMENT ON COLUMN t.c IS ''", Comment(target=name("t"), object_kind="column", column="c")),
        ("COMMENT ON TYPE s.t IS 'x'", Comment(target=name("s.t"), object_kind="type", text="x")),
        ("COMMENT ON SCHEMA s IS 'x'", Comment(target=name("s"), object_kind="schema", text="x")),
        (
            "COMMENT ON FUNCTION f(int) IS 'x'",
            Comment(target=name("f"), object_kind="function", text="x", arguments=(INT4,)),
        ),
        (
            "COMMENT ON CONSTRAINT c ON s.t IS 'x'",
            Comment(target=name("s.t"), object_kind="constraint", text="x", column="c"),
        ),
        (
            "COMMENT ON CONSTRAINT c ON DOMAIN s.d IS 'x'",
            Comment(target=name("s.d"), object_kind="constraint", text="x", column="c", detail="domain"),
        ),
        ("COMMENT ON TRIGGER g ON t IS 'x'", Comment(target=name("t"), object_kind="trigger", text="x", column="g")),
        ("COMMENT ON POLICY p ON s.t IS 'x'", Comment(target=name("s.t"), object_kind="policy", text="x", column="p")),
        ("COMMENT ON LARGE OBJECT 3 IS 'x'", Comment(target=name("3"), object_kind="large_object", text="x")),
        (
            "COMMENT ON CAST (int AS text) IS 'x'",
            Comment(object_kind="cast", text="x", detail="pg_catalog.int4 AS pg_catalog.text"),
        ),
        (
            "COMMENT ON OPERATOR CLASS c USING gin IS 'x'",
            Comment(target=name("c"), object_kind="operator_class", text="x", detail="gin"),
        ),
        (
            "SECURITY LABEL FOR p ON COLUMN t.c IS 'x'",
            SecurityLabel(target=name("t"), object_kind="column", column="c", label="x", provider="p"),
        ),
        ("SECURITY LABEL ON ROLE r IS NULL", SecurityLabel(target=name("r"), object_kind="role")),
    ],
)
def test_comments_and_labels(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("key", "value"), [("transformed", True), ("removeType", "OBJECT_PROPGRAPH"), ("behavior", "DROP_EVERYTHING")]
)
def test_what_is_not_known_is_not_read(key: str, value: object) -> None:
    node = tree("DROP TABLE t")["DropStmt"]
    with pytest.raises(Unread):
        drop({**node, key: value}, library())
