"""What the shipped facts say, for single operations under hand-made catalogs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.facts.effects import Facts
from dflint.facts.kinds import OBJECT_KINDS as KNOWN_OBJECT_KINDS
from dflint.facts.kinds import Kinds
from dflint.facts.records import Fact
from dflint.facts.refusal_order import first_refusal
from dflint.facts.vocabulary import vocabulary
from dflint.model.catalog import Catalog, Domain, Index, Sequence, Table
from dflint.model.context import Context
from dflint.model.effect import Effect
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations import indexes, objects, session, tables
from dflint.model.operations.base import Operation
from dflint.model.operations.data import LockTable, Select, Truncate
from dflint.model.schema import Constraint, IndexElement, PartitionBound, PartitionKey, Query
from dflint.rulebook import loader
from dflint.rulebook.files import built_in_rules, rule_files
from tests.facts.contexts import builtin, call, catalog_of, col, column, constant, context_of, public

T = Name(None, "t")


@pytest.fixture(scope="module")
def records() -> list[Fact]:
    return loader.load(rule_files([built_in_rules() + "/facts"]), {})[1]


@pytest.fixture(scope="module")
def facts(records: list[Fact]) -> Facts:
    return Facts(records, vocabulary())


def effect(facts: Facts, operation: Operation, catalog: Catalog | None = None, **circumstances: object) -> Effect:
    return context_of(operation, catalog, knowledge=facts, **circumstances).effect  # type: ignore[arg-type]


def locks(facts: Facts, operation: Operation, catalog: Catalog, **circumstances: object) -> dict[str, str]:
    context = context_of(operation, catalog, knowledge=facts, **circumstances)  # type: ignore[arg-type]
    return {str(name): mode for name, mode in context.locks}


#: Forms that older majors do not know.
_SINCE = {"add_not_null": 18, "set_generation_expression": 17, "set_column_compression": 14}


@pytest.mark.parametrize("version", [13, 14, 15, 16, 17, 18, 19])
def test_every_kind_has_a_fact_that_always_holds(records: list[Fact], version: int) -> None:
    # The facts of a form that only came later may be missing before.
    always = {
        kind
        for fact in records
        if fact.when is None and not fact.adds and fact.covers(version)
        for kind in fact.operations
    }
    assert {kind for kind in Kinds().types if version >= _SINCE.get(kind, 13)} - always == set()


def test_object_kinds_are_those_of_the_parser() -> None:
    from dflint.sql.build.object_names import OBJECT_KINDS

    assert set(OBJECT_KINDS.values()) <= set(KNOWN_OBJECT_KINDS)


def add(**fields: object) -> tables.AddColumn:
    return tables.AddColumn(target=T, column=column("c", **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "rewrite", "scan", "builds"),
    [
        (add(), False, False, False),
        (add(default=call("now")), False, False, False),
        (add(default=constant("1"), not_null=True), False, False, False),
        (add(not_null=True), False, True, False),
        (add(default=call("random")), True, True, True),
        (add(serial=True), True, True, True),
        (add(identity="always"), True, True, True),
        (add(generation="stored", generated=col("a")), True, True, True),
        (add(generation="virtual", generated=col("a")), False, False, False),
        (add(generation="virtual", generated=col("a"), not_null=True), False, True, False),
        (add(constraints=(Constraint("check"),)), False, True, False),
        (add(constraints=(Constraint("unique"),)), False, True, True),
        (add(constraints=(Constraint("foreign_key", references=Name(None, "p")),)), False, False, False),
        (add(default=constant("1"), constraints=(Constraint("foreign_key", references=T),)), False, True, False),
    ],
)
def test_add_column(facts: Facts, operation: tables.AddColumn, rewrite: bool, scan: bool, builds: bool) -> None:
    found = effect(facts, operation)
    assert (found.rewrite, found.scan, found.index_rebuild) == (rewrite, scan, builds)
    assert found.lock() == "ACCESS EXCLUSIVE"
    assert found.unknown == ()


def test_an_unknown_function_may_rewrite(facts: Facts) -> None:
    found = effect(facts, add(default=call("own")))
    assert (found.rewrite, found.scan, found.index_rebuild) == (None, None, None)
    assert found.lock() == "ACCESS EXCLUSIVE"
    assert found.locks[0].certain
    assert found.unknown == ("the default of c and how volatile it is",)
    assert found.facts[:3] == ("add-column-volatile-default", "add-column", "add-column-nextval")


def test_a_constrained_domain_rewrites(facts: Facts) -> None:
    domain = Domain(public("d"), builtin("int4"), not_null=True)
    operation = tables.AddColumn(target=T, column=column("c", Type(Name(None, "d"))))
    assert effect(facts, operation, catalog_of(types=(domain,))).rewrite is True
    assert effect(facts, operation).rewrite is None
    assert "what the type d is" in effect(facts, operation).unknown


def test_foreign_keys_lock_the_other_table(facts: Facts) -> None:
    key = Constraint("foreign_key", "k", ("a",), references=public("p"))
    catalog = catalog_of(Table(public("t"), (column("a"),), (key,)), Table(public("p"), (column("id"),)))
    both = {"public.t": "SHARE ROW EXCLUSIVE", "public.p": "SHARE ROW EXCLUSIVE"}
    assert locks(facts, tables.AddForeignKey(target=T, constraint=key), catalog) == both
    ax = {"public.t": "ACCESS EXCLUSIVE", "public.p": "ACCESS EXCLUSIVE"}
    assert locks(facts, tables.DropConstraint(target=T, name="k"), catalog) == ax
    assert locks(facts, tables.DropColumn(target=T, column="a"), catalog) == ax
    assert locks(facts, objects.DropObject(target=T, object_kind="table"), catalog) == ax
    validate = {"public.t": "SHARE UPDATE EXCLUSIVE", "public.p": "ROW SHARE"}
    waiting = catalog_of(
        Table(
            public("t"),
            (column("a"),),
            (Constraint("foreign_key", "k", ("a",), references=public("p"), validated=False),),
        )
    )
    assert locks(facts, tables.ValidateConstraint(target=T, name="k"), waiting) == validate
    change = tables.AlterColumnType(target=Name(None, "p"), column="id", type=builtin("int8"))
    assert locks(facts, change, catalog)["public.t"] == "ACCESS EXCLUSIVE"


def test_changing_a_type(facts: Facts) -> None:
    table = Table(public("t"), (column("c", builtin("varchar", "50")),))
    wider = tables.AlterColumnType(target=T, column="c", type=builtin("varchar", "100"))
    found = effect(facts, wider, catalog_of(table))
    assert (found.rewrite, found.scan, found.index_rebuild) == (False, False, False)
    lower = Index(public("i"), public("t"), (IndexElement(expression=call("lower", col("c"))),))
    found = effect(facts, wider, catalog_of(table, lower))
    assert (found.rewrite, found.scan, found.index_rebuild) == (False, True, True)
    checked = Table(public("t"), table.columns, (Constraint("check", expression=call("f", col("c"))),))
    found = effect(facts, wider, catalog_of(checked))
    assert (found.rewrite, found.scan, found.index_rebuild) == (False, True, False)
    found = effect(facts, wider)
    assert found.rewrite is None
    assert "of t.c" in found.unknown[0]


def test_partitions(facts: Facts) -> None:
    key = PartitionKey("range", (IndexElement("k"),))
    parent = Table(public("p"), (column("k"),), partition_by=key)
    default = Table(public("d"), (column("k"),), parents=(public("p"),), bound=PartitionBound("default"))
    child = Table(public("c"), (column("k"),))
    catalog = catalog_of(parent, default, child)
    attach = tables.AttachPartition(target=Name(None, "p"), partition=Name(None, "c"), bound=PartitionBound("range"))
    assert locks(facts, attach, catalog) == {
        "public.p": "SHARE UPDATE EXCLUSIVE", "public.c": "ACCESS EXCLUSIVE", "public.d": "ACCESS EXCLUSIVE",
    }  # fmt: skip
    create = tables.CreateTable(target=Name(None, "n"), partition_of=Name(None, "p"), bound=PartitionBound("range"))
    assert locks(facts, create, catalog) == {"public.p": "ACCESS EXCLUSIVE", "public.d": "ACCESS EXCLUSIVE"}
    assert effect(facts, create, catalog).scan is True
    detach = tables.DetachPartition(target=Name(None, "p"), partition=Name(None, "c"))
    # Whether foreign keys refer to the parent, which makes the lock a stronger one, only a complete catalog tells.
    known = catalog_of(parent, default, child, closed=True)
    assert effect(facts, detach, known, version=13).lock("partition") == "SHARE UPDATE EXCLUSIVE"
    assert effect(facts, detach, catalog, version=14).lock("partition") == "ACCESS EXCLUSIVE"
    gone = objects.DropObject(target=Name(None, "d"), object_kind="table")
    assert locks(facts, gone, catalog)["public.p"] == "ACCESS EXCLUSIVE"
    index = indexes.CreateIndex(target=Name(None, "p"))
    assert locks(facts, index, catalog) == {"public.p": "SHARE", "public.d": "SHARE"}
    concurrent = indexes.CreateIndex(target=Name(None, "p"), concurrently=True)
    refused = first_refusal([context_of(concurrent, catalog, knowledge=facts)])
    assert refused is not None
    assert refused.refused == "0A000"


@pytest.mark.parametrize(
    "operation",
    [
        indexes.CreateIndex(target=T, concurrently=True),
        indexes.Reindex(target=T, scope="table", concurrently=True),
        indexes.Reindex(scope="schema", schema="public"),
        objects.DropObject(target=Name(None, "i"), object_kind="index", concurrently=True),
        tables.DetachPartition(target=T, partition=Name(None, "c"), concurrently=True),
        indexes.Vacuum(target=T),
        indexes.Cluster(),
        objects.CreateOther(target=Name(None, "d"), object_kind="database"),
        objects.DropObject(target=Name(None, "d"), object_kind="tablespace"),
        objects.AlterOther(object_kind="system"),
    ],
)
def test_refused_in_a_transaction(facts: Facts, operation: Operation) -> None:
    assert effect(facts, operation).transaction == "refused"


def test_indexes_lock_their_table(facts: Facts) -> None:
    catalog = catalog_of(Table(public("t"), (column("a"),)), Index(public("i"), public("t"), (IndexElement("a"),)))
    drop = objects.DropObject(target=Name(None, "i"), object_kind="index")
    assert locks(facts, drop, catalog) == {"public.i": "ACCESS EXCLUSIVE", "public.t": "ACCESS EXCLUSIVE"}
    reindex = indexes.Reindex(target=Name(None, "i"), scope="index")
    assert locks(facts, reindex, catalog) == {"public.i": "ACCESS EXCLUSIVE", "public.t": "SHARE"}
    whole = indexes.Reindex(target=T, scope="table")
    assert locks(facts, whole, catalog) == {"public.i": "ACCESS EXCLUSIVE", "public.t": "SHARE"}


def test_domains_lock_the_tables_that_use_them(facts: Facts) -> None:
    domain = Domain(public("d"), builtin("int4"))
    above = Domain(public("e"), Type(public("d")))
    catalog = catalog_of(
        Table(public("t"), (column("a", Type(public("d"))),)),
        Table(public("u"), (column("a", Type(public("e"))),)),
        Table(public("v"), (column("a"),)),
        types=(domain, above),
    )
    check = objects.AlterDomain(target=Name(None, "d"), action="add_constraint", constraint=Constraint("check"))
    assert locks(facts, check, catalog) == {"public.t": "SHARE", "public.u": "SHARE"}


def test_other_roles(facts: Facts) -> None:
    catalog = catalog_of(
        Table(public("t"), (column("a", identity="always"),)),
        Sequence(public("t_a_seq"), owner_table=public("t"), owner_column="a", internal=True),
        Table(public("u"), (column("a"),), (Constraint("foreign_key", "f", ("a",), references=public("t")),)),
        Table(public("w"), (column("a"),), parents=(public("t"),)),
    )
    assert locks(facts, Truncate(target=T, cascade=True), catalog) == {
        "public.t": "ACCESS EXCLUSIVE", "public.u": "ACCESS EXCLUSIVE", "public.w": "ACCESS EXCLUSIVE",
    }  # fmt: skip
    assert locks(facts, tables.SetIdentity(target=T, column="a"), catalog)["public.t_a_seq"] == "SHARE ROW EXCLUSIVE"
    assert locks(facts, LockTable(target=T, mode="SHARE"), catalog) == {"public.t": "SHARE", "public.w": "SHARE"}
    query = Query(reads=(T,), locks_rows=True)
    assert locks(facts, Select(query=query), catalog) == {"public.t": "ROW SHARE", "public.w": "ROW SHARE"}
    trigger = objects.DropObject(target=Name(None, "tr"), object_kind="trigger", on=T)
    assert locks(facts, trigger, catalog) == {"public.t": "ACCESS EXCLUSIVE"}
    grant = objects.GrantPrivileges(target=T, object_kind="table")
    assert locks(facts, grant, catalog, version=17) == {}
    assert locks(facts, grant, catalog, version=18) == {"public.t": "ACCESS SHARE"}
    assert locks(facts, session.Begin(), catalog) == {}


# --- learning -------------------------------------------------------------------------------------------------------


def alternatives() -> Iterator[tables.AlterTableOperation]:
    yield tables.AlterColumnType(target=T, column="c", type=builtin("text"))
    yield tables.AlterColumnType(target=T, column="c", type=Type(Name(None, "d")))
    yield tables.SetNotNull(target=T, column="c")
    yield tables.AddColumn(target=T, column=column("n", Type(Name(None, "d"))))
    yield tables.AddColumn(target=T, column=column("n", default=call("f")))
    yield tables.ValidateConstraint(target=T, name="k")
    yield tables.SetLogged(target=T)


columns = st.builds(
    lambda type_, not_null: column("c", type_, not_null=not_null),
    st.sampled_from([builtin("varchar", "5"), builtin("int4"), builtin("text"), Type(public("d"))]),
    st.booleans(),
)
constraints = st.lists(
    st.sampled_from(
        [
            Constraint("check", "k", expression=Expr("is_not_null", args=(col("c"),)), validated=False),
            Constraint("foreign_key", "k", ("c",), references=public("p")),
        ]
    ),
    max_size=1,
).map(tuple)
known_tables = st.builds(
    lambda one, many, persistence: Table(public("t"), (one,), many, persistence=persistence),
    columns,
    constraints,
    st.sampled_from(["permanent", "unlogged"]),
)
domains = st.builds(lambda not_null: Domain(public("d"), builtin("text"), not_null=not_null), st.booleans())


@given(st.sampled_from(list(alternatives())), known_tables, st.none() | domains, st.booleans())
def test_learning_never_flips_an_effect(
    facts: Facts, operation: tables.AlterTableOperation, table: Table, domain: Domain | None, partly: bool
) -> None:
    types = () if domain is None else (domain,)
    less = [Catalog(), catalog_of(table), catalog_of(types=types)]
    if partly:
        shown = Table(table.name, table.columns, complete=False)
        less = [catalog_of(shown)]
    full = catalog_of(table, types=types)

    def ask(catalog: Catalog) -> Context:
        return context_of(operation, catalog, knowledge=facts)

    after = ask(full).effect
    for catalog in less:
        before = ask(catalog).effect
        for name in ("rewrite", "scan", "index_rebuild"):
            value = getattr(before, name)
            assert value is None or getattr(after, name) is value, (name, catalog)
        for lock in before.locks:
            if lock.certain:
                assert after.lock(lock.role) == lock.mode
        assert before.transaction in ("unknown", after.transaction)
