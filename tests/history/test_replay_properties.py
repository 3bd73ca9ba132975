"""Properties of replay that hold for every operation and every catalog, sensible or not."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, TypeVar

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dflint.history import replay as replay_module
from dflint.history.draft import Draft
from dflint.history.replay import advance, apply, replay
from dflint.model.catalog import UNKNOWN, Catalog, Index, Table
from dflint.model.deferred import Deferred
from dflint.model.dependencies import with_reverse_maps
from dflint.model.expressions import Expr, Type
from dflint.model.guards import Condition, Guard
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import DropObject, RenameColumn, RenameObject
from dflint.model.operations.tables import (
    AddCheck,
    AddColumn,
    AddPrimaryKey,
    AlterColumnType,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropNotNull,
    SetColumnDefault,
    SetNotNull,
    ValidateConstraint,
)
from dflint.model.schema import Column, Constraint, IndexElement
from dflint.model.session import Session

SESSION = Session(search_path=("public", "s"))
VERSIONS = st.sampled_from([13, 15, 17, 18])
quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# --- any operation at all, from its type annotations --------------------------------------------------------------------

_LETTERS = st.sampled_from(["a", "b", "c", "t", "u", "v"])
_NAMES = st.builds(Name, st.sampled_from([None, None, None, "public", "s", "pg_temp"]), _LETTERS)
_KINDS = st.sampled_from(
    """table view materialized_view index sequence foreign_table type domain function procedure trigger rule policy
    schema extension publication collation role""".split()
)
_TYPES = st.builds(
    Type,
    st.one_of(st.just(Name("pg_catalog", "int4")), _NAMES),
    dimensions=st.sampled_from([0, 0, 1]),
)
_COLUMN = st.builds(Expr, st.just("column"), name=st.builds(Name, st.none(), _LETTERS))
_NEXTVAL = st.builds(
    lambda name: Expr("function", name=Name(None, "nextval"), args=(Expr("constant", value=name),)),
    st.sampled_from(["a", "t", "public.t_a_seq", '"b', "s.u", "a.b.c", ""]),
)
_EXPRS = st.one_of(
    _COLUMN,
    _NEXTVAL,
    st.builds(lambda one, other: Expr("operator", name=Name(None, "<"), args=(one, other)), _COLUMN, _COLUMN),
)
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    Name: _NAMES,
    Type: _TYPES,
    Expr: _EXPRS,
    str: _LETTERS,
    bool: st.booleans(),
    int: st.sampled_from([-1, 0, 1, 2]),
    type(None): st.none(),
    # Answers are remembered from the beginning of a block on, which an operation by itself does not have.
    Guard: st.builds(Guard, st.integers(0, 3), st.just(Condition("unknown")), st.booleans()),
    Operation: st.nothing(),
}


@cache
def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if origin is frozenset:
        return st.frozensets(st.sampled_from(["constraints", "indexes", "defaults", "identity", "generated"]))
    if origin is tuple and arguments[-1] is Ellipsis:
        if arguments[0] is Operation:
            return st.just(())
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*[values(argument) for argument in arguments])
    if isinstance(annotation, TypeVar) or origin is Deferred:
        return st.none()
    assert issubclass(annotation, msgspec.Struct), annotation
    return structs(annotation)


@cache
def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Values of a Struct type; fields with a default are often left alone."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        made = _KINDS if field.name == "object_kind" else values(field.type)
        if field.required or field.name in ("columns", "constraint", "elements", "target", "on"):
            required[field.name] = made
        else:
            optional[field.name] = made
    return st.fixed_dictionaries(required, optional=optional).map(lambda found: kind(**found))


def _kinds(kind: type[Operation]) -> Iterator[type[Operation]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


ALL_TYPES = sorted({kind for kind in _kinds(Operation) if kind.__name__ in replay_module._WHERE}, key=str)
OFTEN: list[type[Operation]] = [
    CreateTable,
    CreateTable,
    CreateTable,
    AddColumn,
    AddPrimaryKey,
    CreateIndex,
    DropObject,
    RenameObject,
]
operations = st.sampled_from(ALL_TYPES + OFTEN * 3).flatmap(structs)
histories = st.lists(operations, max_size=12)
starts = st.sampled_from([Catalog.unknown(), Catalog(closed=True)])


@quick
@given(starts, histories, VERSIONS)
def test_apply_never_raises_and_keeps_the_reverse_maps(start: Catalog, history: list[Operation], version: int) -> None:
    catalog = start
    for operation in history:
        before = catalog
        catalog = apply(operation, before, SESSION, version)
        assert catalog == with_reverse_maps(catalog)
        assert before == with_reverse_maps(before)


@quick
@given(starts, histories, VERSIONS)
def test_a_draft_that_goes_along_gives_what_apply_gives(start: Catalog, history: list[Operation], version: int) -> None:
    catalog, draft = start, Draft(start, version)
    for operation in history:
        before, catalog = catalog, apply(operation, catalog, SESSION, version)
        along = draft.catalog
        assert advance(draft, operation, SESSION) == catalog
        assert (draft.catalog is along) == (catalog is before)


@quick
@given(starts, histories, histories, VERSIONS)
def test_a_history_can_be_cut_anywhere(
    start: Catalog, one: list[Operation], other: list[Operation], version: int
) -> None:
    whole = replay(one + other, start, SESSION, version)
    assert whole == replay(other, replay(one, start, SESSION, version), SESSION, version)


# --- knowledge --------------------------------------------------------------------------------------------------------

_TABLES = st.sampled_from([Name(None, "t"), Name(None, "u")])
_CHECK = st.builds(
    Constraint, st.just("check"), name=st.sampled_from(["k", "l"]), expression=_COLUMN, validated=st.booleans()
)
_NEW_COLUMN = st.builds(
    Column, _LETTERS, st.just(Type(Name("pg_catalog", "int4"))), not_null=st.booleans(), serial=st.just(False)
)
_KEY = st.builds(
    Constraint,
    st.just("primary_key"),
    name=st.just("pk"),
    columns=st.lists(_LETTERS, min_size=1, max_size=2).map(tuple),
)
#: Operations whose effect does not hang on generated names or on what CASCADE reaches through things unknown.
plain = st.one_of(
    st.builds(CreateTable, target=_TABLES, columns=st.lists(_NEW_COLUMN, max_size=3).map(tuple)),
    st.builds(AddColumn, target=_TABLES, column=_NEW_COLUMN, missing_ok=st.booleans()),
    st.builds(DropColumn, target=_TABLES, column=_LETTERS, missing_ok=st.booleans()),
    st.builds(SetNotNull, target=_TABLES, column=_LETTERS),
    st.builds(DropNotNull, target=_TABLES, column=_LETTERS),
    st.builds(SetColumnDefault, target=_TABLES, column=_LETTERS, default=st.just(Expr("null"))),
    st.builds(AlterColumnType, target=_TABLES, column=_LETTERS, type=st.just(Type(Name("pg_catalog", "text")))),
    st.builds(AddCheck, target=_TABLES, constraint=_CHECK),
    st.builds(AddPrimaryKey, target=_TABLES, constraint=_KEY),
    st.builds(DropConstraint, target=_TABLES, name=st.sampled_from(["k", "l", "pk"])),
    st.builds(ValidateConstraint, target=_TABLES, name=st.sampled_from(["k", "l"])),
    st.builds(RenameColumn, target=_TABLES, column=_LETTERS, new_name=_LETTERS),
    st.builds(RenameObject, target=_TABLES, object_kind=st.just("table"), new_name=st.sampled_from(["t", "u"])),
    st.builds(DropObject, target=_TABLES, object_kind=st.just("table"), if_exists=st.booleans()),
    st.builds(
        CreateIndex,
        target=_TABLES,
        name=st.sampled_from(["i", "j"]),
        elements=st.tuples(st.builds(IndexElement, column=_LETTERS)),
        unique=st.booleans(),
    ),
    st.builds(DropObject, target=st.builds(Name, st.none(), st.sampled_from(["i", "j"])), object_kind=st.just("index")),
)


def contradiction(weak: Catalog, strong: Catalog) -> str | None:
    """Where ``weak`` answers something else than ``strong``, which knows all that it knows and maybe more."""
    for name in weak.relations:
        known, true = weak.relation(name), strong.relation(name)
        if known is UNKNOWN:
            continue
        if known is None:
            if true is not None:
                return f"{name} exists"
        elif isinstance(known, Table):
            if not isinstance(true, Table):
                return f"{name} is no table"
            if (found := _table_contradiction(known, true)) is not None:
                return f"{name}: {found}"
        elif isinstance(known, Index) and known != true:
            return f"{name} is another index"
    return None


def _table_contradiction(weak: Table, strong: Table) -> str | None:
    if weak.complete and (not strong.complete or {c.name for c in weak.columns} != {c.name for c in strong.columns}):
        return "columns"
    for column in weak.columns:
        true = strong.column(column.name)
        if column.complete and column != true:
            return f"column {column.name}"
        if not isinstance(true, Column) or (column.not_null and not true.not_null):
            return f"column {column.name}"
        if column.type is not None and column.type != true.type:
            return f"type of {column.name}"
    for constraint in weak.constraints:
        found = strong.constraint(constraint.name or "")
        if constraint != found:
            return f"constraint {constraint.name}"
    return None


@st.composite
def forgetful(draw: st.DrawFn, catalog: Catalog) -> Catalog:
    """The catalog with some of its knowledge gone."""
    relations = catalog.relations
    for name, relation in catalog.relations.items():
        if draw(st.integers(0, 3)) == 0:
            relations = relations.delete(name)
        elif isinstance(relation, Table) and draw(st.booleans()):
            kept = tuple(column for column in relation.columns if draw(st.booleans()))
            constraints = tuple(c for c in relation.constraints if c.index is not None or draw(st.booleans()))
            stub = msgspec.structs.replace(relation, columns=kept, constraints=constraints, complete=False)
            relations = relations.set(name, stub)
    return with_reverse_maps(msgspec.structs.replace(catalog, relations=relations, closed=False))


@quick
@given(st.lists(plain, max_size=8), plain, st.data(), VERSIONS)
def test_learning_a_fact_never_flips_a_known_answer(
    history: list[Operation], operation: Operation, data: st.DataObject, version: int
) -> None:
    strong = replay(history, Catalog(closed=True), SESSION, version)
    weak = data.draw(forgetful(strong))
    assert contradiction(weak, strong) is None
    after = apply(operation, strong, SESSION, version)
    if after is strong:
        return  # PostgreSQL refuses it: nothing can be concluded from its success.
    assert contradiction(apply(operation, weak, SESSION, version), after) is None


@quick
@given(starts, st.lists(plain, max_size=8), plain, VERSIONS)
def test_a_conditional_operation_claims_only_what_holds_either_way(
    start: Catalog, history: list[Operation], operation: Operation, version: int
) -> None:
    before = replay(history, start, SESSION, version)
    after = apply(operation, before, SESSION, version)
    either = apply(msgspec.structs.replace(operation, conditional=True), before, SESSION, version)
    assert contradiction(either, before) is None
    assert contradiction(either, after) is None
    assert either == with_reverse_maps(either)
