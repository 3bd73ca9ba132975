"""Indexes that are built, and views that are filled, beside those who use them."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import Catalog, Index, Table, View
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.indexes import CreateIndex, Reindex
from dflint.model.operations.objects import RefreshMaterializedView
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients


def create_index_on_partitions(given: Ingredients) -> Sequence[RecipeStep]:
    """An index of the parent alone, one of each partition built concurrently, and at last all of them joined.

    Raises:
        InputError: a partition is partitioned itself, or foreign.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, CreateIndex)
    schema = given.target.schema
    whole = f"{quote_identifier(schema or 'public')}.{given.fill('{index_name}')}"
    steps = [
        RecipeStep(
            sql=given.fill("CREATE {unique}INDEX {index_name} ON ONLY {target} {index}"),
            why="It has no rows of its own: the index is there at once, not valid until all partitions have theirs.",
            undo=(f"DROP INDEX IF EXISTS {whole}",),
        )
    ]
    attached: list[str] = []
    for name in catalog.children_of.get(given.target, ()):
        child = catalog.relation(name)
        if not isinstance(child, Table) or child.partition_by is not None or child.foreign_server is not None:
            raise InputError(f"the partition {name} is partitioned itself, foreign, or not known")
        own = _chosen(given, name) or given.new_name("idx", name.name)
        index, table = quote_identifier(own), _quoted(name)
        steps.append(
            RecipeStep(
                sql=given.fill(f"CREATE {{unique}}INDEX CONCURRENTLY {_escaped(index)} ON {_escaped(table)} {{index}}"),
                why="It lets reads and writes through.",
                undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {_quoted(Name(name.schema, own))}",),
            )
        )
        attached.append(f"ALTER INDEX {whole} ATTACH PARTITION {_quoted(Name(name.schema, own))}")
    if attached:
        steps.append(
            RecipeStep(
                sql=";\n".join(attached),
                why="No row is read: the indexes are compared, and the one of the parent becomes valid.",
                undo=(f"DROP INDEX {whole}",),
            )
        )
    return steps


def drop_index_concurrently(given: Ingredients) -> Sequence[RecipeStep]:
    """The index goes while others use its table.

    Raises:
        InputError: it is of a partitioned table, or a part of such an index, which the server refuses.
    """
    catalog = given.context.catalog
    index = catalog.relation(given.target)
    if isinstance(index, Index):
        table = catalog.relation(index.table)
        if index.parents or (isinstance(table, Table) and table.partition_by is not None):
            raise InputError(f"the server drops {given.target}, which belongs to a partitioned table, in one go only")
    return (
        RecipeStep(
            sql=given.fill("DROP INDEX CONCURRENTLY {if_exists}{target}"),
            why="It waits for those who use the index, and stops nobody meanwhile.",
        ),
    )


def reindex_concurrently(given: Ingredients) -> Sequence[RecipeStep]:
    """A second index is built and takes the first one's place.

    Of a table the server leaves out those indexes that are not valid; they are rebuilt one by one before.

    Raises:
        InputError: the statement is about more than one table or index, or about one behind an exclusion, which the
            server does not rebuild in this way.
    """
    operation = given.operation
    assert isinstance(operation, Reindex)
    if operation.scope not in ("index", "table") or operation.target is None:
        raise InputError("only an index or a table is rebuilt by this recipe")
    mine = _reindexed(given)
    excluding = next((each for each in mine if _is_excluding(given, each)), None)
    if excluding is not None:
        raise InputError(f"the server does not rebuild {excluding.name}, which is behind an exclusion, concurrently")
    repaired = [each for each in mine if not each.valid] if operation.scope == "table" else []
    return (
        *(
            RecipeStep(
                sql=f"REINDEX INDEX CONCURRENTLY {_quoted(each.name)}",
                why="It is not valid, and would be left out with the whole table. Reads and writes go on.",
                undo=(),
            )
            for each in repaired
        ),
        RecipeStep(
            sql=given.fill(f"REINDEX {operation.scope.upper()} CONCURRENTLY {{target}}"),
            why="Reads and writes go on; each index is built beside the old one and takes its place.",
            undo=(),
        ),
    )


def replace_index(given: Ingredients) -> Sequence[RecipeStep]:
    """The new index is there before the old one goes, and then gets its name.

    Raises:
        InputError: the old one belongs to a partitioned table, or serves a constraint.
    """
    old = given.dropped
    assert isinstance(old, Index)
    if old.parents or old.constraint is not None:
        raise InputError(f"{old.name} belongs to a partitioned table or a constraint")
    new = given.new_name("index_new")
    made = _quoted(Name(old.name.schema, new))
    return (
        RecipeStep(
            sql=given.fill(
                f"CREATE {{unique}}INDEX CONCURRENTLY {_escaped(quote_identifier(new))} ON {{target}} {{index}}"
            ),
            why="Reads and writes go on, and queries go on using the old index.",
            undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {made}",),
        ),
        RecipeStep(
            sql=f"DROP INDEX CONCURRENTLY {_quoted(old.name)}",
            why="It waits for those who use the index, and stops nobody meanwhile.",
        ),
        RecipeStep(
            sql=f"ALTER INDEX {made} RENAME TO {quote_identifier(old.name.name)}",
            why="It lets reads and writes through.",
            undo=(f"ALTER INDEX {_quoted(old.name)} RENAME TO {quote_identifier(new)}",),
        ),
    )


def refresh_concurrently(given: Ingredients) -> Sequence[RecipeStep]:
    """The rows that differ are changed, while others read.

    Raises:
        InputError: the view has no unique index over all its rows, or was never filled.
    """
    assert isinstance(given.operation, RefreshMaterializedView)
    catalog = given.context.catalog
    view = catalog.relation(given.target)
    if not isinstance(view, View) or not view.populated or not _has_key(catalog, view.name):
        raise InputError(f"{given.target} has no unique index over all its rows, or was never filled")
    return (
        RecipeStep(
            sql=given.fill("REFRESH MATERIALIZED VIEW CONCURRENTLY {target}"),
            why="Others go on reading; only another refresh waits.",
            undo=(),
        ),
    )


def _reindexed(given: Ingredients) -> list[Index]:
    """The indexes that a REINDEX of an index or table is about, as far as they are known."""
    catalog = given.context.catalog
    one = catalog.relation(given.target)
    names = [one.name] if isinstance(one, Index) else catalog.indexes_of.get(given.target, ())
    return [each for each in map(catalog.relation, names) if isinstance(each, Index)]


def _is_excluding(given: Ingredients, index: Index) -> bool:
    table = given.context.catalog.relation(index.table)
    constraints = table.constraints if isinstance(table, Table) else ()
    return any(each.kind == "exclusion" and each.name == index.constraint for each in constraints)


def _chosen(given: Ingredients, partition: Name) -> str | None:
    """The name that the server would choose for a partition's index."""
    if given.context.foresee is None:
        return None
    old = set(given.context.catalog.indexes_of.get(partition, ()))
    new = [each for each in given.context.foresee().after.indexes_of.get(partition, ()) if each not in old]
    return new[0].name if len(new) == 1 else None


def _has_key(catalog: Catalog, name: Name) -> bool:
    found = (catalog.relation(each) for each in catalog.indexes_of.get(name, ()))
    return any(
        isinstance(each, Index)
        and each.unique
        and each.valid
        and each.where is None
        and all(element.column is not None for element in each.elements)
        for each in found
    )


def _quoted(name: Name) -> str:
    return f"{quote_identifier(name.schema or 'public')}.{quote_identifier(name.name)}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
