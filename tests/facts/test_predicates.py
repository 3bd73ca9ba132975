from __future__ import annotations

import pytest

from dflint.facts.predicates import predicate
from dflint.model.catalog import Table
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.data import Delete, Update
from dflint.model.schema import Constraint
from tests.facts.contexts import call, catalog_of, col, column, constant, context_of, operator, public

TABLE = Table(public("t"), (column("code"), column("x")), (Constraint("primary_key", columns=("code",)),))
ONE = operator("=", constant("1"), constant("1"))


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        (None, "absent"),
        (constant(True), "always_true"),
        (ONE, "always_true"),
        (Expr("and", args=(ONE, constant(True))), "always_true"),
        (operator("=", col("id"), constant("1")), "key"),
        (operator("=", constant("1"), col("id")), "key"),
        (operator("=", col("code"), constant("1")), "key"),
        (Expr("in", args=(col("code"), constant("1"), constant("2"))), "key"),
        (Expr("and", args=(operator("=", col("code"), constant("1")), Expr("is_null", args=(col("x"),)))), "key"),
        (Expr("between", args=(col("code"), constant("1"), constant("9"))), "limited"),
        (
            Expr("and", args=(operator(">", col("code"), constant("1")), operator("<=", col("code"), constant("9")))),
            "limited",
        ),
        (operator(">", col("code"), constant("1")), "other"),
        (Expr("is_null", args=(col("x"),)), "other"),
        (operator("=", col("x"), constant("1")), "other"),
        (operator("=", col("code"), col("x")), "other"),
        (Expr("or", args=(operator("=", col("code"), constant("1")), ONE)), "other"),
        (operator("=", col("code"), call("lower", col("x"))), "other"),
    ],
)
def test_shapes(where: Expr | None, answer: str) -> None:
    catalog = catalog_of(TABLE)
    for operation in (Update(target=Name(None, "t"), where=where), Delete(target=Name(None, "t"), where=where)):
        assert predicate(context_of(operation, catalog)) == answer
