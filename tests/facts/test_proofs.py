from __future__ import annotations

import pytest

from dflint.facts.proofs import not_null_proven, partition_bound_proven, partition_default_exists, primary_key_proven
from dflint.model.catalog import UNKNOWN, Index, Table
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.tables import AddPrimaryKey, AttachPartition, DropConstraint, SetNotNull
from dflint.model.schema import Constraint, IndexElement, PartitionBound, PartitionKey
from tests.facts.contexts import catalog_of, col, column, constant, context_of, operator, public

SET = SetNotNull(target=Name(None, "t"), column="b")
NOT_NULL = Expr("is_not_null", args=(col("b"),))
POSITIVE = operator(">=", col("b"), constant("0"))


def check(expression: Expr, **fields: object) -> Constraint:
    return Constraint("check", name="k", expression=expression, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("constraint", "proven"),
    [
        (check(NOT_NULL), True),
        (check(Expr("and", args=(POSITIVE, NOT_NULL))), True),
        (check(Expr("and", args=(POSITIVE, Expr("and", args=(NOT_NULL, POSITIVE))))), True),
        (check(Expr("or", args=(POSITIVE, NOT_NULL))), False),
        (check(Expr("not", args=(NOT_NULL,))), False),
        (check(POSITIVE), False),
        (check(Expr("is_not_null", args=(col("other"),))), False),
        (check(NOT_NULL, validated=False), False),
        (check(NOT_NULL, enforced=False), False),
    ],
)
def test_not_null(constraint: Constraint, proven: bool) -> None:
    catalog = catalog_of(Table(public("t"), (column("b"),), (constraint,)))
    assert not_null_proven(context_of(SET, catalog)) is proven


def test_not_null_already() -> None:
    catalog = catalog_of(Table(public("t"), (column("b", not_null=True),)))
    assert not_null_proven(context_of(SET, catalog)) is True


def test_a_not_null_constraint_that_is_not_valid_proves_nothing() -> None:
    constraint = Constraint("not_null", columns=("b",), validated=False)
    catalog = catalog_of(Table(public("t"), (column("b", not_null=True),), (constraint,)))
    assert not_null_proven(context_of(SET, catalog)) is False


def test_a_check_dropped_by_the_same_statement_proves_nothing() -> None:
    catalog = catalog_of(Table(public("t"), (column("b"),), (check(NOT_NULL),)))
    drop = DropConstraint(target=Name(None, "t"), name="k")
    assert not_null_proven(context_of(SET, catalog, beside=(drop,))) is False


def test_what_is_not_known() -> None:
    assert not_null_proven(context_of(SET)) is UNKNOWN
    partly = Table(public("t"), (column("b"),), complete=False)
    assert not_null_proven(context_of(SET, catalog_of(partly))) is UNKNOWN


@pytest.mark.parametrize(("not_null", "proven"), [(True, True), (False, False)])
def test_primary_key_using_index(not_null: bool, proven: bool) -> None:
    table = Table(public("t"), (column("a", not_null=True), column("b", not_null=not_null)))
    index = Index(public("i"), public("t"), (IndexElement("a"), IndexElement("b")), unique=True)
    operation = AddPrimaryKey(target=Name(None, "t"), constraint=Constraint("primary_key", using_index="i"))
    assert primary_key_proven(context_of(operation, catalog_of(table, index))) is proven
    assert primary_key_proven(context_of(operation, catalog_of(table))) is UNKNOWN


# --- partitions -----------------------------------------------------------------------------------------------------

PARENT = Table(public("p"), (column("k"),), partition_by=PartitionKey("range", (IndexElement("k"),)))
RANGE = PartitionBound("range", lower=(constant("1"),), upper=(constant("10"),))
KEY_NOT_NULL = Expr("is_not_null", args=(col("k"),))
INSIDE = Expr("and", args=(operator(">=", col("k"), constant("1")), operator("<", col("k"), constant("10"))))


def attach(bound: PartitionBound = RANGE) -> AttachPartition:
    return AttachPartition(target=Name(None, "p"), partition=Name(None, "c"), bound=bound)


@pytest.mark.parametrize(
    ("expression", "valid", "not_null", "answer"),
    [
        (INSIDE, True, True, True),
        (Expr("and", args=(INSIDE, KEY_NOT_NULL)), True, False, True),
        (INSIDE, True, False, False),
        (INSIDE, False, True, False),
        (operator(">=", col("k"), constant("1")), True, True, False),
        (Expr("and", args=(operator(">=", col("k"), constant("x")), INSIDE.args[1])), True, True, UNKNOWN),
        (operator(">=", col("other"), constant("1")), True, True, False),
    ],
)
def test_range_bound(expression: Expr, valid: bool, not_null: bool, answer: object) -> None:
    child = Table(public("c"), (column("k", not_null=not_null),), (check(expression, validated=valid),))
    assert partition_bound_proven(context_of(attach(), catalog_of(PARENT, child))) is answer


def test_list_bound() -> None:
    parent = Table(public("p"), (column("k"),), partition_by=PartitionKey("list", (IndexElement("k"),)))
    bound = PartitionBound("list", values=(constant("a"), constant("b")))
    inside = Expr("in", args=(col("k"), constant("a")))
    outside = Expr("in", args=(col("k"), constant("a"), constant("z")))
    for expression, answer in ((inside, True), (outside, False)):
        child = Table(public("c"), (column("k", not_null=True),), (check(expression),))
        assert partition_bound_proven(context_of(attach(bound), catalog_of(parent, child))) is answer


def test_no_constraint_no_proof() -> None:
    assert partition_bound_proven(context_of(attach(), catalog_of(PARENT, Table(public("c"), (column("k"),))))) is False
    assert partition_bound_proven(context_of(attach(), catalog_of(PARENT))) is UNKNOWN


def test_default_partition() -> None:
    other = Table(public("d"), (column("k"),), parents=(public("p"),), bound=PartitionBound("default"))
    assert partition_default_exists(context_of(attach(), catalog_of(PARENT, other))) is True
    assert partition_default_exists(context_of(attach(), catalog_of(PARENT))) is False
    assert partition_default_exists(context_of(attach())) is UNKNOWN
