"""Keys of partitioned tables: what no statement makes beside writers, made of each partition and put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.tables import AddForeignKey, AddPrimaryKey, AddUnique
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column
from dflint.plugin.recipes import Ingredients

#: From this major on NOT NULL is a constraint, which is inherited or a table's own.
_NAMED_NOT_NULL: Final = 18


def add_foreign_key_on_partitions(given: Ingredients) -> Sequence[RecipeStep]:
    """The foreign key of each partition is made and looked at; the one of the parent finds them, and reads no row.

    Raises:
        InputError: a partition is partitioned itself, or foreign, or has a constraint of that name; or the referenced
            table is partitioned.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, AddForeignKey)
    assert operation.constraint.references is not None
    referenced = catalog.relation(given.context.resolve(operation.constraint.references))
    if not isinstance(referenced, Table) or referenced.partition_by is not None:
        raise InputError("the table that it refers to is partitioned, or not known")
    name = given.fill("{name}")
    steps: list[RecipeStep] = []
    for partition in _partitions(given):
        if any(quote_identifier(each.name or "") == name for each in partition.constraints):
            raise InputError(f"the partition {partition.name} has a constraint {name}")
        alter = f"ALTER TABLE {_quoted(partition.name)}"
        steps += [
            RecipeStep(
                sql=given.fill(f"{_escaped(alter)} ADD CONSTRAINT {{name}} {{constraint}} NOT VALID"),
                why="For a moment nobody can write to the partition and the other table; old rows are not looked at.",
                undo=(f"{alter} DROP CONSTRAINT IF EXISTS {name}",),
            ),
            RecipeStep(
                sql=f"{alter} VALIDATE CONSTRAINT {name}",
                why="The old rows are looked at under locks that let reads and writes through.",
                undo=(),
            ),
        ]
    return (
        *steps,
        RecipeStep(
            sql=given.fill("ALTER TABLE {target} ADD CONSTRAINT {name} {constraint}"),
            why="For a moment nobody can write to the table and the other one; those of the partitions become parts of "
            "it, and no row of theirs is read.",
            undo=(given.fill("ALTER TABLE {target} DROP CONSTRAINT {name}"),),
        ),
    )


def add_key_on_partitions(given: Ingredients) -> Sequence[RecipeStep]:
    """A key of the parent alone, one of each partition by an index that is built concurrently, then all of them joined.

    Raises:
        InputError: a partition is partitioned itself, or foreign; or a column of a primary key may hold nulls, or its
            NOT NULL is inherited (18).
    """
    operation = given.operation
    assert isinstance(operation, AddPrimaryKey | AddUnique)
    word = "PRIMARY KEY" if isinstance(operation, AddPrimaryKey) else "UNIQUE"
    parent = given.context.catalog.relation(given.target)
    partitions = list(_partitions(given))
    if isinstance(operation, AddPrimaryKey):
        for table in (parent, *partitions):
            _refuse_nulls(table, operation.constraint.columns)
        if given.version >= _NAMED_NOT_NULL:
            _refuse_inherited(partitions, operation.constraint.columns)
    name = given.fill("{name}")
    index = given.fill("{schema}.{name}")
    steps = [
        RecipeStep(
            sql=given.fill("ALTER TABLE ONLY {target} ADD CONSTRAINT {name} {constraint}"),
            why="It has no rows of its own: the key is there at once, not valid until all partitions have theirs.",
            undo=(given.fill("ALTER TABLE {target} DROP CONSTRAINT IF EXISTS {name}"),),
        )
    ]
    joined: list[str] = []
    for partition in partitions:
        chosen = _chosen(given, partition)
        alter, own = f"ALTER TABLE {_quoted(partition.name)}", quote_identifier(chosen)
        built = given.new_name("key", table=partition.name)
        steps += [
            RecipeStep(
                sql=given.fill(
                    f"CREATE UNIQUE INDEX CONCURRENTLY {_escaped(quote_identifier(built))} "
                    f"ON {_escaped(_quoted(partition.name))} {{key}}"
                ),
                why="It lets reads and writes through, and fails where there are duplicates.",
                undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {_quoted(Name(partition.name.schema, built))}",),
            ),
            RecipeStep(
                sql=f"{alter} ADD CONSTRAINT {own} {word} USING INDEX {quote_identifier(built)}"
                + given.fill("{deferring}"),
                why="For a moment nobody can read or write the partition; no row is read.",
                undo=(f"{alter} DROP CONSTRAINT IF EXISTS {own}",),
            ),
        ]
        joined.append(f"ALTER INDEX {index} ATTACH PARTITION {_quoted(Name(partition.name.schema, chosen))}")
    if joined:
        steps.append(
            RecipeStep(
                sql=";\n".join(joined),
                why="No row is read: the indexes are compared, and the key of the parent becomes valid.",
                undo=(given.fill("ALTER TABLE {target} DROP CONSTRAINT ") + name,),
            )
        )
    return steps


def _partitions(given: Ingredients) -> Iterator[Table]:
    catalog = given.context.catalog
    for name in catalog.children_of.get(given.target, ()):
        child = catalog.relation(name)
        if not isinstance(child, Table) or child.partition_by is not None or child.foreign_server is not None:
            raise InputError(f"the partition {name} is partitioned itself, foreign, or not known")
        yield child


def _refuse_nulls(table: object, columns: Sequence[str]) -> None:
    for name in columns:
        column = table.column(name) if isinstance(table, Table) else None
        if not isinstance(column, Column) or not column.not_null:
            raise InputError(f"{name} has to be NOT NULL in the table and in each partition before")


def _refuse_inherited(partitions: Sequence[Table], columns: Sequence[str]) -> None:
    """The key of a partition makes NOT NULL its own, beside what it inherits, and there is no way back."""
    for table in partitions:
        for each in table.constraints:
            if each.kind == "not_null" and not each.local and not set(each.columns).isdisjoint(columns):
                raise InputError(
                    f"NOT NULL of {each.columns[0]}, which {table.name} inherits, would become its own, and stay it"
                )


def _chosen(given: Ingredients, partition: Table) -> str:
    """The name that the server would choose for a partition's constraint."""
    operation = given.operation
    assert isinstance(operation, AddPrimaryKey | AddUnique)
    after = given.context.foresee().after.relation(partition.name) if given.context.foresee is not None else None
    old = {each.name for each in partition.constraints}
    new = [
        each.name
        for each in (after.constraints if isinstance(after, Table) else ())
        if each.kind == operation.constraint.kind and each.name is not None and each.name not in old
    ]
    if len(new) != 1:
        raise InputError(f"it is not known how the constraint of {partition.name} would be called")
    return new[0]


def _quoted(name: Name) -> str:
    return f"{quote_identifier(name.schema or 'public')}.{quote_identifier(name.name)}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
