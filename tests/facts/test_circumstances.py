from __future__ import annotations

import pytest

from dflint.facts.vocabulary import document, vocabulary
from dflint.model.catalog import UNKNOWN, Index, Table, View
from dflint.model.names import Name
from dflint.model.operations import tables
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import CreateSchema, CreateView, DropObject, RenameObject
from dflint.model.operations.tables import AddForeignKey, CreateTable, DropConstraint, SetNotNull
from dflint.model.schema import Column, Constraint, IndexElement
from dflint.model.session import Transaction
from tests.facts.contexts import catalog_of, column, context_of, public

T = Name(None, "t")
INDEX = CreateIndex(target=T, name="i")


def ask(name: str, operation: Operation = INDEX, *args: object, **circumstances: object) -> object:
    return vocabulary()[name].answer(context_of(operation, *args, **circumstances))  # type: ignore[arg-type]


def test_every_condition_is_documented() -> None:
    conditions = vocabulary()
    for condition in conditions.values():
        assert condition.documentation, condition.name
        assert f"| `{condition.name}` |" in document(conditions)


def test_no_condition_hides_a_field() -> None:
    assert not {name for name in vocabulary() if name.startswith("column.") and name[7:] in Column.__struct_fields__}
    assert not {
        name for name in vocabulary() if name.startswith("constraint.") and name[11:] in Constraint.__struct_fields__
    }


def test_new() -> None:
    assert ask("target.new") is False
    assert ask("target.new", created=frozenset({public("t")})) is True
    assert ask("target.new", maybe_created=frozenset({public("t")})) is UNKNOWN


def test_an_index_is_as_new_as_its_table() -> None:
    drop = DropObject(target=Name(None, "i"), object_kind="index")
    catalog = catalog_of(Table(public("t")), Index(public("i"), public("t"), (IndexElement("a"),)))
    assert ask("table.new", drop) is False
    assert ask("table.new", drop, maybe_created=frozenset({public("i")})) is UNKNOWN
    assert ask("table.new", drop, catalog) is False
    assert ask("table.new", drop, catalog, created=frozenset({public("t")})) is True
    trigger = DropObject(target=Name(None, "x"), object_kind="trigger", on=T)
    assert ask("target.new", trigger, created=frozenset({public("t")})) is True


@pytest.mark.parametrize(
    ("operation", "closed", "answer"),
    [
        (CreateTable(target=T), False, True),
        (CreateTable(target=Name("app", "t")), False, UNKNOWN),
        (CreateTable(target=Name("app", "t")), True, False),
        (CreateView(target=Name(None, "v")), False, True),
        (CreateView(target=Name(None, "w")), False, UNKNOWN),
        (CreateSchema(target=Name(None, "s")), True, False),
        (RenameObject(target=T, object_kind="table", new_name="u"), False, True),
        (DropObject(target=Name(None, "f"), object_kind="function"), False, UNKNOWN),
        (DropObject(target=Name(None, "f"), object_kind="function"), True, False),
    ],
)
def test_exists(operation: Operation, closed: bool, answer: object) -> None:
    catalog = catalog_of(Table(public("t")), View(public("v")), closed=closed)
    assert ask("target.exists", operation, catalog) is answer


def test_a_table_that_was_only_altered_may_be_anything() -> None:
    partly = catalog_of(Table(public("t"), complete=False))
    for name in ("target.partitioned", "target.partition", "target.unlogged", "target.foreign", "target.has_children"):
        assert ask(name, INDEX, partly) is UNKNOWN, name
        assert ask(name, INDEX, catalog_of(Table(public("t")))) is False, name
    assert ask("target.temporary", INDEX, partly) is False
    assert ask("target.temporary", INDEX, catalog_of(Table(public("t"), persistence="temporary"))) is True


def test_transactions() -> None:
    assert ask("transaction.open") is False
    assert ask("transaction.open", transaction=Transaction("runner")) is True
    assert ask("transaction.open", transaction=Transaction("unknown")) is UNKNOWN
    assert ask("transaction.kind", transaction=Transaction("implicit")) == "implicit"


def test_referenced_tables() -> None:
    key = Constraint("foreign_key", references=Name(None, "p"))
    operation = AddForeignKey(target=T, constraint=key)
    assert ask("referenced.new", operation) is False
    assert ask("referenced.new", operation, created=frozenset({public("p")})) is True
    assert ask("referenced.self", operation) is False
    own = AddForeignKey(target=T, constraint=Constraint("foreign_key", references=T))
    assert ask("referenced.self", own) is True
    inline = CreateTable(target=T, columns=(column("a", constraints=(key,)),))
    assert ask("referenced.new", inline) is False
    assert ask("referenced.new", INDEX) is False


def test_new_columns() -> None:
    operation = SetNotNull(target=T, column="a")
    old, new = catalog_of(Table(public("t"))), catalog_of(Table(public("t"), (column("a"),)))
    assert ask("column.new", operation, new, before=old) is True
    assert ask("column.new", operation, new, before=new) is False
    added = tables.AddColumn(target=T, column=column("a"))
    partly = catalog_of(Table(public("t"), (column("a"),), complete=False))
    assert ask("column.new", operation, partly, before=catalog_of()) is False
    assert ask("column.new", operation, partly, before=catalog_of(), beside=(added,)) is True


def test_named_constraints() -> None:
    drop = DropConstraint(target=T, name="k")
    with_key = catalog_of(Table(public("t"), constraints=(Constraint("foreign_key", "k", validated=False),)))
    assert ask("constraint.old_kind", drop, with_key) == "foreign_key"
    assert ask("constraint.was_valid", drop, with_key) is False
    assert ask("constraint.new", drop, with_key, before=catalog_of(Table(public("t")))) is True
    assert ask("constraint.old_kind", drop, catalog_of(Table(public("t")))) is None
    assert ask("constraint.old_kind", drop) is UNKNOWN
