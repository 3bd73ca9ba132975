"""The expected answers were observed on a server: the file of heap and index before and after ALTER COLUMN TYPE."""

from __future__ import annotations

import pytest

from dflint.facts.type_change import type_change
from dflint.facts.type_names import spell
from dflint.model.catalog import UNKNOWN, BaseType, CompositeType, Domain, EnumType, Table
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.tables import AlterColumnType
from dflint.model.schema import Constraint
from tests.facts.contexts import builtin, call, catalog_of, col, column, constant, context_of, operator, public

TYPES = (
    Domain(public("plain"), builtin("int4")),
    Domain(public("checked"), builtin("int4"), constraints=(Constraint("check", expression=constant(True)),)),
    Domain(public("over_checked"), Type(public("checked"))),
    Domain(public("short"), builtin("varchar", "50")),
    EnumType(public("mood"), ("a",)),
    EnumType(public("other_mood"), ("a",)),
    BaseType(public("citext")),
)
_NAMES = {
    "char": "bpchar", "integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool",
    "real": "float4",
}  # fmt: skip
_USERS = {"plain", "checked", "over_checked", "short", "mood", "other_mood", "citext", "pair", "elsewhere"}


def typed(text: str) -> Type:
    """``numeric(10,2)[]`` as a value."""
    base, _, dimension = text.partition("[")
    name, _, modifiers = base.rstrip(")").partition("(")
    parts = tuple(modifiers.split(",")) if modifiers else ()
    if name in _USERS:
        return Type(Name(None, name), parts)
    return builtin(_NAMES.get(name, name), *parts, dimensions=1 if dimension else 0)


def change(old: str, new: str, *, using: Expr | None = None, zone: str | None = None) -> object:
    catalog = catalog_of(Table(public("t"), (column("c", typed(old)),)), CompositeType(public("pair")), types=TYPES)
    operation = AlterColumnType(target=Name(None, "t"), column="c", type=typed(new), using=using)
    return type_change(context_of(operation, catalog, settings={"timezone": zone} if zone else None))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("varchar(50)", "varchar(100)"),
        ("varchar(50)", "varchar"),
        ("varchar(50)", "text"),
        ("text", "varchar"),
        ("varbit(8)", "varbit(16)"),
        ("varbit(8)", "varbit"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("numeric(10,2)", "numeric"),
        ("numeric(10)", "numeric(12,0)"),
        ("timestamptz(3)", "timestamptz"),
        ("timestamptz(3)", "timestamptz(6)"),
        ("timestamptz", "timestamptz(6)"),
        ("time(3)", "time(6)"),
        ("interval(3)", "interval"),
        ("cidr", "inet"),
        ("integer", "plain"),
        ("plain", "integer"),
        ("checked", "integer"),
        ("short", "text"),
        ("xml", "text"),
        ("varchar(50)[]", "varchar(50)[]"),
        ("mood", "mood"),
    ],
)
def test_only_the_catalog_changes(old: str, new: str) -> None:
    assert change(old, new) in ("none", "index_rebuild" if old == "xml" else "none")


@pytest.mark.parametrize(
    ("old", "new"),
    [("integer", "oid"), ("text", "citext"), ("citext", "text"), ("bit(8)", "varbit"), ("varchar(9)", "bpchar")],
)
def test_indexes_are_built_again(old: str, new: str) -> None:
    assert change(old, new) == "index_rebuild"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("integer", "bigint"),
        ("bigint", "integer"),
        ("text", "varchar(100)"),
        ("varchar(100)", "varchar(50)"),
        ("varchar", "varchar(50)"),
        ("char(10)", "char(20)"),
        ("char(10)", "text"),
        ("char(10)", "varchar"),
        ("varchar(50)[]", "varchar(100)[]"),
        ("varchar(50)[]", "text[]"),
        ("numeric(10,2)", "numeric(12,4)"),
        ("numeric(12,2)", "numeric(10,2)"),
        ("numeric", "numeric(10,2)"),
        ("timestamptz", "timestamptz(3)"),
        ("timestamptz(6)", "timestamptz(3)"),
        ("bit(8)", "bit(16)"),
        ("bit(8)", "varbit(8)"),
        ("inet", "cidr"),
        ("integer", "checked"),
        ("integer", "over_checked"),
        ("short", "varchar(50)"),
        ("json", "jsonb"),
        ("jsonb", "text"),
        ("mood", "text"),
        ("date", "timestamp"),
    ],
)
def test_the_table_is_written_anew(old: str, new: str) -> None:
    assert change(old, new) == "rewrite"


@pytest.mark.parametrize(
    ("old", "new"),
    [("text", "integer"), ("integer", "boolean"), ("text", "mood"), ("mood", "other_mood"), ("uuid", "bigint"),
     ("text", "json"), ("integer", "integer[]"), ("pair", "integer")],
)  # fmt: skip
def test_without_a_cast_the_server_refuses(old: str, new: str) -> None:
    assert change(old, new) == "refused"
    assert change(old, new, using=Expr("cast", args=(col("c"),), type=typed(new))) == "rewrite"


@pytest.mark.parametrize(
    ("zone", "answer"),
    [("UTC", "index_rebuild"), ("Etc/UTC", "index_rebuild"), ("'gmt'", "index_rebuild"), ("Europe/Paris", "rewrite"),
     (None, UNKNOWN)],
)  # fmt: skip
def test_timestamps_depend_on_the_session(zone: str | None, answer: object) -> None:
    assert (
        change("timestamp", "timestamptz", zone=zone) is answer
        or change("timestamp", "timestamptz", zone=zone) == answer
    )
    assert change("timestamptz", "timestamp", zone=zone) == answer


def test_a_precision_with_a_zone_change_rewrites() -> None:
    assert change("timestamp", "timestamptz(3)", zone="UTC") == "rewrite"


@pytest.mark.parametrize(
    ("using", "answer"),
    [
        (col("c"), "none"),
        (Expr("column", Name("t", "c")), "none"),
        (Expr("cast", args=(col("c"),), type=builtin("text")), "none"),
        (Expr("cast", args=(Expr("cast", args=(col("c"),), type=builtin("text")),), type=builtin("varchar")), "none"),
        (Expr("cast", args=(col("c"),), type=builtin("varchar", "10")), "rewrite"),
        (col("other"), "rewrite"),
        (call("lower", col("c")), "rewrite"),
        (operator("||", col("c"), constant("x")), "rewrite"),
        (Expr("case"), "rewrite"),
    ],
)
def test_using(using: Expr, answer: str) -> None:
    assert change("varchar(50)", "text", using=using) == answer


def test_using_at_time_zone_rewrites_even_in_utc() -> None:
    using = call("timezone", constant("UTC"), col("c"), schema="pg_catalog")
    assert change("timestamp", "timestamptz", using=using, zone="UTC") == "rewrite"


@pytest.mark.parametrize(("old", "new"), [("integer", "elsewhere"), ("elsewhere", "integer")])
def test_types_nobody_knows(old: str, new: str) -> None:
    assert change(old, new) is UNKNOWN


def test_a_table_nobody_knows() -> None:
    operation = AlterColumnType(target=Name(None, "t"), column="c", type=builtin("text"))
    assert type_change(context_of(operation)) is UNKNOWN
    # Whatever the type is now, an expression is computed for every row.
    lower = AlterColumnType(target=Name(None, "t"), column="c", type=builtin("text"), using=call("lower", col("c")))
    assert type_change(context_of(lower)) == "rewrite"


def test_another_collation_rebuilds_indexes() -> None:
    catalog = catalog_of(Table(public("t"), (column("c", builtin("text"), collation=Name("pg_catalog", "C")),)))
    same = AlterColumnType(target=Name(None, "t"), column="c", type=builtin("text"), collation=Name("pg_catalog", "C"))
    other = AlterColumnType(target=Name(None, "t"), column="c", type=builtin("text"))
    assert type_change(context_of(same, catalog)) == "none"
    assert type_change(context_of(other, catalog)) == "index_rebuild"


@pytest.mark.parametrize(
    ("type_", "spelled"),
    [
        (builtin("varchar", "50"), "character varying(50)"),
        (builtin("timestamptz", "3"), "timestamp(3) with time zone"),
        (builtin("int4", dimensions=1), "integer[]"),
        (builtin("numeric", "10", "2"), "numeric(10,2)"),
        (builtin("bpchar", "1"), "character(1)"),
        (builtin("char"), '"char"'),
        (Type(Name("app", "mood")), "app.mood"),
    ],
)
def test_spelling(type_: Type, spelled: str) -> None:
    assert spell(type_) == spelled
