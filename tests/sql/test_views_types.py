from __future__ import annotations

import pytest

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    AddEnumValue,
    AlterDomain,
    AlterOther,
    AlterSequence,
    CreateCompositeType,
    CreateDomain,
    CreateEnum,
    CreateOther,
    CreateRange,
    CreateSequence,
    CreateView,
    RefreshMaterializedView,
    RenameEnumValue,
)
from dflint.model.schema import Column, Constraint, Options, SequenceOptions
from dflint.sql.build.nodes import Node, Unread
from dflint.sql.build.registry import builder
from tests.sql.building import INT4, INT8, TEXT, build_one, greater, library, name, number, tree

BOX = Type(Name("pg_catalog", "box"))
NONE = Type(Name(None, "none"))
POSITIVE = greater("value", 0)


def view(sql: str) -> CreateView:
    operation = build_one(sql)
    assert isinstance(operation, CreateView)
    return operation


def test_a_view_holds_what_its_query_reads() -> None:
    operation = view("CREATE OR REPLACE VIEW s.v (a) WITH (security_barrier) AS SELECT t.x FROM public.t")
    assert operation.query.reads == (name("public.t"),)
    assert operation == CreateView(
        target=name("s.v"),
        query=operation.query,
        column_names=("a",),
        or_replace=True,
        options=(("security_barrier", None),),
    )


def test_a_temporary_view() -> None:
    assert view("CREATE TEMP VIEW v AS SELECT 1").temporary
    assert view("CREATE VIEW pg_temp.v AS SELECT 1").temporary
    assert not view("CREATE VIEW v AS SELECT 1").temporary


def test_a_recursive_view_does_not_read_itself() -> None:
    operation = view("CREATE RECURSIVE VIEW v (n) AS SELECT x FROM t UNION ALL SELECT n + 1 FROM v")
    assert operation.recursive
    assert operation.column_names == ("n",)
    assert operation.query.reads == (name("t"),)
    written_out = view("CREATE VIEW v AS WITH RECURSIVE v (n) AS (SELECT x FROM t) SELECT n FROM v")
    assert not written_out.recursive


@pytest.mark.parametrize(
    ("rest", "options", "expected"),
    [
        ("WITH CHECK OPTION", "", "cascaded"),
        ("WITH CASCADED CHECK OPTION", "", "cascaded"),
        ("WITH LOCAL CHECK OPTION", "", "local"),
        ("", "WITH (check_option = local)", "local"),
        ("", "WITH (check_option = 'cascaded')", "cascaded"),
        ("", "", ""),
    ],
)
def test_check_options(rest: str, options: str, expected: str) -> None:
    assert view(f"CREATE VIEW v {options} AS SELECT a FROM t {rest}").check_option == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "REFRESH MATERIALIZED VIEW CONCURRENTLY s.m",
            RefreshMaterializedView(target=name("s.m"), concurrently=True),
        ),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", RefreshMaterializedView(target=name("m"), with_data=False)),
        ("CREATE SEQUENCE s", CreateSequence(target=name("s"))),
        (
            "CREATE TEMP SEQUENCE IF NOT EXISTS s AS bigint INCREMENT 2 OWNED BY a.t.c",
            CreateSequence(
                target=name("s"),
                options=SequenceOptions(type=INT8, increment=2, owned_by=name("a.t"), owned_by_column="c"),
                if_not_exists=True,
                persistence="temporary",
            ),
        ),
        ("CREATE UNLOGGED SEQUENCE a.s", CreateSequence(target=name("a.s"), persistence="unlogged")),
        (
            "ALTER SEQUENCE IF EXISTS s RESTART",
            AlterSequence(target=name("s"), options=SequenceOptions(restart=True), if_exists=True),
        ),
        (
            "ALTER SEQUENCE s OWNED BY NONE",
            AlterSequence(target=name("s"), options=SequenceOptions(owned_by_none=True)),
        ),
    ],
)
def test_sequences_and_refresh(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TYPE s.e AS ENUM ('a', '')", CreateEnum(target=name("s.e"), values=("a", ""))),
        ("CREATE TYPE e AS ENUM ()", CreateEnum(target=name("e"))),
        ("ALTER TYPE e ADD VALUE 'a'", AddEnumValue(target=name("e"), value="a")),
        ("ALTER TYPE e ADD VALUE ''", AddEnumValue(target=name("e"), value="")),
        (
            "ALTER TYPE s.e ADD VALUE IF NOT EXISTS 'a' BEFORE 'b'",
            AddEnumValue(target=name("s.e"), value="a", neighbor="b", before=True, if_not_exists=True),
        ),
        ("ALTER TYPE e ADD VALUE 'a' AFTER 'b'", AddEnumValue(target=name("e"), value="a", neighbor="b")),
        ("ALTER TYPE e RENAME VALUE 'a' TO 'b'", RenameEnumValue(target=name("e"), value="a", new_value="b")),
        (
            'CREATE TYPE s.c AS (a int, b text COLLATE "C")',
            CreateCompositeType(
                target=name("s.c"),
                attributes=(Column("a", INT4, at=20), Column("b", TEXT, collation=name("C"), at=27)),
            ),
        ),
        ("CREATE TYPE c AS ()", CreateCompositeType(target=name("c"))),
        (
            "CREATE TYPE s.r AS RANGE (subtype = bigint, subtype_diff = s.diff, multirange_type_name = s.m)",
            CreateRange(
                target=name("s.r"),
                subtype=INT8,
                options=(("subtype_diff", "s.diff"), ("multirange_type_name", "s.m")),
            ),
        ),
        (
            "ALTER TYPE t SET (storage = plain, receive = NONE)",
            AlterOther(
                target=name("t"),
                object_kind="type",
                action="set_options",
                options=(("storage", "plain"), ("receive", None)),
            ),
        ),
    ],
)
def test_types(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE DOMAIN d AS int", CreateDomain(target=name("d"), type=INT4)),
        (
            "CREATE DOMAIN s.d int DEFAULT 1 NOT NULL",
            CreateDomain(target=name("s.d"), type=INT4, not_null=True, default=number(1)),
        ),
        (
            'CREATE DOMAIN d text COLLATE "C" NULL DEFAULT NULL',
            CreateDomain(target=name("d"), type=TEXT, collation=name("C"), default=Expr("null")),
        ),
        (
            "CREATE DOMAIN d int CONSTRAINT c CHECK (value > 0) CONSTRAINT n NOT NULL",
            CreateDomain(
                target=name("d"),
                type=INT4,
                not_null=True,
                constraints=(
                    Constraint("check", "c", expression=POSITIVE, at=20),
                    Constraint("not_null", "n", at=51),
                ),
            ),
        ),
        (
            "ALTER DOMAIN s.d SET DEFAULT 1",
            AlterDomain(target=name("s.d"), action="set_default", default=number(1)),
        ),
        ("ALTER DOMAIN d DROP DEFAULT", AlterDomain(target=name("d"), action="drop_default")),
        ("ALTER DOMAIN d SET NOT NULL", AlterDomain(target=name("d"), action="set_not_null")),
        ("ALTER DOMAIN d DROP NOT NULL", AlterDomain(target=name("d"), action="drop_not_null")),
        (
            "ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0) NOT VALID",
            AlterDomain(
                target=name("d"),
                action="add_constraint",
                name="c",
                constraint=Constraint("check", "c", expression=POSITIVE, validated=False, at=19),
            ),
        ),
        (
            "ALTER DOMAIN d ADD NOT NULL",
            AlterDomain(target=name("d"), action="add_constraint", constraint=Constraint("not_null", at=19)),
        ),
        (
            "ALTER DOMAIN d DROP CONSTRAINT IF EXISTS c CASCADE",
            AlterDomain(target=name("d"), action="drop_constraint", name="c", cascade=True, missing_ok=True),
        ),
        (
            "ALTER DOMAIN d VALIDATE CONSTRAINT c",
            AlterDomain(target=name("d"), action="validate_constraint", name="c"),
        ),
    ],
)
def test_domains(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def defined(
    kind: str, target: str, *options: tuple[str, str | None], arguments: tuple[Type, ...] | None = None
) -> CreateOther:
    return CreateOther(target=name(target), object_kind=kind, options=options, arguments=arguments)


STATE: tuple[tuple[str, str | None], ...] = (("sfunc", "f"), ("stype", "pg_catalog.int4"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "CREATE AGGREGATE s.a (int, VARIADIC b text[]) (sfunc = f, stype = int)",
            defined("aggregate", "s.a", *STATE, arguments=(INT4, Type(TEXT.name, (), 1))),
        ),
        ("CREATE AGGREGATE a (*) (sfunc = f, stype = int)", defined("aggregate", "a", *STATE, arguments=())),
        (
            "CREATE AGGREGATE a (int ORDER BY text) (sfunc = f, stype = int[])",
            defined("aggregate", "a", ("sfunc", "f"), ("stype", "pg_catalog.int4[]"), arguments=(INT4, TEXT)),
        ),
        (
            "CREATE AGGREGATE a (basetype = int, sfunc = f, stype = int)",
            defined("aggregate", "a", ("basetype", "pg_catalog.int4"), *STATE, arguments=(INT4,)),
        ),
        (
            "CREATE AGGREGATE a (basetype = 'ANY', sfunc = f, stype = int)",
            defined("aggregate", "a", ("basetype", "ANY"), *STATE, arguments=()),
        ),
        (
            "CREATE OPERATOR s.=== (leftarg = box, rightarg = box, function = f, commutator = OPERATOR(s.===), hashes)",
            defined(
                "operator",
                "s.===",
                ("leftarg", "box"),
                ("rightarg", "box"),
                ("function", "f"),
                ("commutator", "s.==="),
                ("hashes", None),
                arguments=(BOX, BOX),
            ),
        ),
        (
            "CREATE OPERATOR @@ (rightarg = box, function = f)",
            defined("operator", "@@", ("rightarg", "box"), ("function", "f"), arguments=(NONE, BOX)),
        ),
        ("CREATE TYPE s.t", defined("type", "s.t")),
        (
            "CREATE TYPE t (input = f, output = s.g, internallength = variable, passedbyvalue)",
            defined(
                "type", "t", ("input", "f"), ("output", "s.g"), ("internallength", "variable"), ("passedbyvalue", None)
            ),
        ),
        (
            "CREATE COLLATION s.c (provider = icu, deterministic = false)",
            defined("collation", "s.c", ("provider", "icu"), ("deterministic", "false")),
        ),
        ('CREATE COLLATION c FROM pg_catalog."C"', defined("collation", "c", ("from", "pg_catalog.C"))),
        ("CREATE TEXT SEARCH PARSER p (start = f)", defined("text_search_parser", "p", ("start", "f"))),
        (
            "CREATE TEXT SEARCH DICTIONARY d (template = simple)",
            defined("text_search_dictionary", "d", ("template", "simple")),
        ),
        ("CREATE TEXT SEARCH TEMPLATE t (lexize = f)", defined("text_search_template", "t", ("lexize", "f"))),
        (
            "CREATE TEXT SEARCH CONFIGURATION s.c (copy = pg_catalog.english)",
            defined("text_search_configuration", "s.c", ("copy", "pg_catalog.english")),
        ),
    ],
)
def test_definitions(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_guards_of_definitions() -> None:
    replaced = build_one("CREATE OR REPLACE AGGREGATE a (*) (sfunc = f, stype = int)")
    guarded = build_one("CREATE COLLATION IF NOT EXISTS c (locale = 'C')")
    assert isinstance(replaced, CreateOther)
    assert isinstance(guarded, CreateOther)
    assert (replaced.or_replace, replaced.if_not_exists) == (True, False)
    assert (guarded.or_replace, guarded.if_not_exists) == (False, True)


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("CREATE VIEW v AS SELECT 1", {"withCheckOption": "SOME_CHECK_OPTION"}),
        ("CREATE VIEW v AS SELECT 1", {"view": {"relname": "v", "relpersistence": "u"}}),
        ("CREATE SEQUENCE s", {"sequence": {"relname": "s", "relpersistence": "x"}}),
        ("CREATE SEQUENCE s", {"for_identity": True}),
        ("ALTER DOMAIN d SET NOT NULL", {"subtype": "Q"}),
        ("CREATE TYPE t", {"kind": "OBJECT_TABLE"}),
        ("ALTER TYPE e ADD VALUE 'a' BEFORE 'b'", {"typeName": [{"String": {"sval": "e"}}], "newValNeighbor": None}),
    ],
)
def test_what_is_not_known_is_not_read(sql: str, change: Node) -> None:
    ((kind, node),) = tree(sql).items()
    build = builder(kind)
    assert build is not None
    changed = {key: value for key, value in {**node, **change}.items() if value is not None}
    with pytest.raises(Unread):
        build(changed, library())


@pytest.mark.parametrize("constraint", ["UNIQUE", "PRIMARY KEY", "REFERENCES t", "CHECK (true) NOT ENFORCED"])
def test_constraints_that_no_domain_can_have_are_not_read(constraint: str) -> None:
    with pytest.raises(Unread):
        build_one(f"CREATE DOMAIN d AS int {constraint}")


def test_options_keep_their_order() -> None:
    expected: Options = (("b", "1"), ("a", "2"))
    operation = build_one("CREATE TEXT SEARCH DICTIONARY d (b = 1, a = 2)")
    assert isinstance(operation, CreateOther)
    assert operation.options == expected
