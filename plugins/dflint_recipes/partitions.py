"""Partitions that come while others write."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import Catalog, Index, Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.tables import AttachPartition
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients


def attach_partition(given: Ingredients) -> Sequence[RecipeStep]:
    """A CHECK proves the bound first, so that no row is read under the strong lock.

    Raises:
        InputError: the bound is of more than one column or open, the parent has a default partition or foreign
            keys, or the table lacks an index of the parent.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, AttachPartition)
    parent = catalog.relation(given.target)
    child = catalog.relation(given.context.resolve(operation.partition))
    if not isinstance(parent, Table) or not isinstance(child, Table) or parent.partition_by is None:
        raise InputError(f"not enough is known of {given.target} and {operation.partition}")
    _refuse_scans(catalog, parent, child)
    condition = _condition(given, operation, parent)
    partition = given.fill("{partition}")
    proof = quote_identifier(given.new_name("bound", operation.partition.name))
    return (
        RecipeStep(
            sql=f"ALTER TABLE {partition} ADD CONSTRAINT {proof} CHECK ({condition}) NOT VALID",
            why="For a moment nobody can read or write the partition; new rows are checked from then on.",
            undo=(f"ALTER TABLE {partition} DROP CONSTRAINT IF EXISTS {proof}",),
        ),
        RecipeStep(
            sql=f"ALTER TABLE {partition} VALIDATE CONSTRAINT {proof}",
            why="The rows are read under a lock that lets reads and writes through.",
            undo=(),
        ),
        RecipeStep(
            sql=f"{given.fill('{statement}')};\nALTER TABLE {partition} DROP CONSTRAINT {proof}",
            why="The CHECK proves the bound, so that no row is read; then it has done its work.",
            undo=(given.fill("ALTER TABLE {target} DETACH PARTITION {partition}"),),
        ),
    )


def detach_partition(given: Ingredients) -> Sequence[RecipeStep]:
    """The partition leaves while others use the parent.

    Raises:
        InputError: the parent has a default partition, with which the server refuses it.
    """
    parent = given.context.catalog.relation(given.target)
    if not isinstance(parent, Table):
        raise InputError(f"not enough is known of {given.target}")
    default = _default_partition(given.context.catalog, parent)
    if default is not None:
        raise InputError(f"{given.target} has the default partition {default}, with which the server refuses it")
    return (
        RecipeStep(
            sql=given.fill("ALTER TABLE {target} DETACH PARTITION {partition} CONCURRENTLY"),
            why="It waits for those who use the parent, and stops nobody meanwhile.",
        ),
    )


def _default_partition(catalog: Catalog, parent: Table) -> Name | None:
    for name in catalog.children_of.get(parent.name, ()):
        child = catalog.relation(name)
        if isinstance(child, Table) and child.bound is not None and child.bound.kind == "default":
            return name
    return None


def _condition(given: Ingredients, operation: AttachPartition, parent: Table) -> str:
    key = parent.partition_by.elements if parent.partition_by is not None else ()
    bound = operation.bound
    if len(key) != 1 or key[0].column is None or bound is None:
        raise InputError("only bounds of one column can be proven")
    column = quote_identifier(key[0].column)
    if bound.kind == "range" and None not in (*bound.lower, *bound.upper):
        lower, upper = given.fill("{lower}"), given.fill("{upper}")
        return f"{column} IS NOT NULL AND {column} >= {lower} AND {column} < {upper}"
    if bound.kind == "list" and all(each.kind != "null" for each in bound.values):
        return f"{column} IS NOT NULL AND {column} IN ({given.fill('{values}')})"
    raise InputError("only bounds without MINVALUE, MAXVALUE and NULL can be proven")


def _refuse_scans(catalog: Catalog, parent: Table, child: Table) -> None:
    """What would be read or built under the lock all the same."""
    default = _default_partition(catalog, parent)
    if default is not None:
        raise InputError(f"the default partition {default} would be read")
    if any(each.kind == "foreign_key" for each in parent.constraints):
        raise InputError(f"{parent.name} has foreign keys, for which the rows would be read")
    own = [_shape(catalog, name) for name in catalog.indexes_of.get(child.name, ())]
    for name in catalog.indexes_of.get(parent.name, ()):
        if _shape(catalog, name) not in own:
            raise InputError(f"{child.name} lacks an index like {name.name}, which would be built")


def _shape(catalog: Catalog, name: Name) -> object:
    found = catalog.relation(name)
    assert isinstance(found, Index)
    return (found.elements, found.include, found.unique, found.method, found.where, found.nulls_not_distinct)
