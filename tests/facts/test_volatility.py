from __future__ import annotations

import pytest

from dflint.facts.volatility import default_volatility
from dflint.model.catalog import UNKNOWN, Catalog, Domain, Routine
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.tables import AddColumn, SetColumnDefault
from dflint.model.schema import Column
from tests.facts.contexts import builtin, call, catalog_of, column, constant, context_of, operator, public

NOW = call("now")
EMPTY_JSON = Expr("cast", args=(constant("{}"),), type=builtin("jsonb"))


def of(default: Expr | None, catalog: Catalog | None = None, new: Column | None = None) -> object:
    operation = AddColumn(target=Name(None, "t"), column=new or column("c", default=default))
    return default_volatility(context_of(operation, catalog))


@pytest.mark.parametrize(
    ("default", "answer"),
    [
        (None, "none"),
        (constant("1"), "constant"),
        (Expr("null"), "none"),
        (Expr("cast", args=(Expr("null"),), type=builtin("text")), "none"),
        (EMPTY_JSON, "constant"),
        (NOW, "stable"),
        (call("now", schema="pg_catalog"), "stable"),
        (Expr("value_function", Name(None, "current_timestamp")), "stable"),
        (operator("+", NOW, constant("1")), "stable"),
        (call("lower", constant("A")), "constant"),
        (call("to_char", NOW, constant("YYYY")), "stable"),
        (call("clock_timestamp"), "volatile"),
        (call("random"), "volatile"),
        (call("gen_random_uuid"), "volatile"),
        (call("uuid_generate_v4", schema="extensions"), "volatile"),
        (call("uuidv7"), "volatile"),
        (call("nextval", constant("s")), "volatile"),
        (call("timeofday"), "volatile"),
        (Expr("cast", args=(call("random"),), type=builtin("int4")), "volatile"),
        (Expr("coalesce", args=(constant("1"), call("random"))), "volatile"),
        (call("own"), UNKNOWN),
        (operator("+", call("own"), call("random")), "volatile"),
        (Expr("operator", Name("app", "+++"), (constant("1"),)), UNKNOWN),
    ],
)
def test_defaults(default: Expr | None, answer: object) -> None:
    assert of(default) == answer
    if default is not None:
        operation = SetColumnDefault(target=Name(None, "t"), column="c", default=default)
        assert default_volatility(context_of(operation)) == answer


@pytest.mark.parametrize(
    ("routine", "answer"),
    [
        (Routine(public("own"), volatility="volatile", language="plpgsql"), "volatile"),
        (Routine(public("own"), volatility="stable", language="plpgsql"), "stable"),
        (Routine(public("own"), volatility="immutable", language="plpgsql"), "constant"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=constant("1")), "constant"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=call("random")), "volatile"),
        # A body more volatile than declared is not inlined: what was declared counts.
        (Routine(public("own"), volatility="stable", language="sql", inlined=call("random")), "stable"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=call("own")), "volatile"),
    ],
)
def test_functions_of_the_history(routine: Routine, answer: str) -> None:
    assert of(call("own"), catalog_of(routines=(routine,))) == answer


def test_a_domain_brings_its_default() -> None:
    domain = Domain(public("d"), builtin("uuid"), default=call("gen_random_uuid"))
    new = column("c", Type(Name(None, "d")))
    assert of(None, catalog_of(types=(domain,)), new) == "volatile"
    assert (
        of(None, catalog_of(types=(domain,)), column("c", Type(Name(None, "d")), default=constant("x"))) == "constant"
    )
    assert of(None, None, new) is UNKNOWN
