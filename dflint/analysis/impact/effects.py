"""The door to impact analysis: which analysis an operation needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.graph import Graph
from dflint.analysis.impact.dropping import drop
from dflint.analysis.impact.found import Dependents
from dflint.analysis.impact.keeping import drop_default, drop_not_null, retype
from dflint.analysis.impact.renaming import rename
from dflint.analysis.targets import Target, target_of
from dflint.analysis.texts import Texts
from dflint.facts.type_names import spell
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.model.impact import Impact
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import DropObject, RenameColumn, RenameConstraint, RenameObject, SetObjectSchema
from dflint.model.operations.tables import AlterColumnType

#: The sub-command for each kind of operation; what drops an object is called after it.
COMMANDS: Final = {
    "drop_table": "drop-table",
    "drop_foreign_table": "drop-table",
    "drop_view": "drop-view",
    "drop_materialized_view": "drop-view",
    "drop_index": "drop-index",
    "drop_sequence": "drop-sequence",
    "drop_type": "drop-type",
    "drop_domain": "drop-type",
    "drop_function": "drop-function",
    "drop_procedure": "drop-function",
    "drop_aggregate": "drop-function",
    "drop_routine": "drop-function",
    "drop_column": "drop-column",
    "drop_constraint": "drop-constraint",
    "drop_column_default": "drop-default",
    "drop_not_null": "drop-not-null",
    "alter_column_type": "alter-type",
    "rename_column": "rename-column",
    "rename_constraint": "rename-constraint",
}

#: Kinds of objects whose sub-commands are called after another kind.
#: What no column can be of.
_NO_TYPES: Final = ("column:", "constraint:", "fk:", "index:", "function:", "procedure:", "aggregate:", "sequence:")
#: So many objects are named whose needs a history does not tell.
_NAMED: Final = 5
_RENAMED: Final = {
    "foreign_table": "table",
    "materialized_view": "view",
    "domain": "type",
    "procedure": "function",
    "aggregate": "function",
    "routine": "function",
}
_MOVED: Final = {
    "function": "function",
    "procedure": "function",
    "aggregate": "function",
    "routine": "function",
    "type": "type",
    "domain": "type",
}


def impact(
    operation: Operation,
    catalog: Catalog,
    texts: Texts,
    *,
    graph: Graph | None = None,
    search_path: tuple[str, ...] = ("public",),
    refused: bool = False,
) -> Impact:
    """What an operation does to everything else.

    Args:
        operation: a drop, rename, move or change of one object; names without a schema are looked up.
        catalog: what exists.
        texts: the bodies of the catalog's routines.
        graph: of the catalog, where it has been made already.
        search_path: for names without a schema.
        refused: the server is known to refuse the operation for another reason than its dependents.

    Raises:
        NotFound: what it names does not exist.
        InputError: the operation is none of those.
    """
    target = target_of(operation, catalog, search_path)
    graph = graph or Graph.of(catalog)
    found, blocked = _analysed(operation, target, catalog, graph, texts, search_path)
    return Impact(
        command_of(operation),
        target.identity,
        refused or blocked,
        found.listed(),
        new_name=_new_name(operation),
        new_type=spell(operation.type) if isinstance(operation, AlterColumnType) else None,
        incomplete_because=(*catalog.incomplete, *_doubts(target, catalog, graph)),
    )


def _doubts(target: Target, catalog: Catalog, graph: Graph) -> Iterator[str]:
    """What a history without a server does not tell."""
    unknown = [each for each in graph.unknown if each not in catalog.incomplete]
    if target.identity.startswith(_NO_TYPES):
        # Of columns it is the type that is not known.
        unknown = [each for each in unknown if not each.startswith("column:")]
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        yield f"not everything is known of what these need: {', '.join(unknown[:_NAMED])}{more}"


def _analysed(
    operation: Operation, target: Target, catalog: Catalog, graph: Graph, texts: Texts, path: tuple[str, ...]
) -> tuple[Dependents, bool]:
    if isinstance(operation, DropObject) or operation.kind in ("drop_column", "drop_constraint"):
        return drop(operation, target, catalog, graph, texts)
    if isinstance(operation, RenameObject | RenameColumn | RenameConstraint | SetObjectSchema):
        return rename(operation, target, catalog, graph, texts, path), False
    if isinstance(operation, AlterColumnType):
        return retype(target, catalog, graph, texts)
    if operation.kind == "drop_column_default":
        return drop_default(target, catalog), False
    if operation.kind == "drop_not_null":
        return drop_not_null(target, catalog)
    raise InputError(f"what {operation.kind} does to other objects is not analysed")


def command_of(operation: Operation) -> str:
    """The sub-command that an operation is."""
    if isinstance(operation, RenameObject):
        return f"rename-{_RENAMED.get(operation.object_kind, operation.object_kind)}"
    if isinstance(operation, SetObjectSchema):
        kind = _MOVED.get(operation.object_kind)
        return f"set-{kind}-schema" if kind else "set-schema"
    return COMMANDS[operation.kind]


def _new_name(operation: Operation) -> str | None:
    if isinstance(operation, RenameObject | RenameColumn | RenameConstraint):
        return operation.new_name
    return operation.schema if isinstance(operation, SetObjectSchema) else None
