"""RENAME and SET SCHEMA of objects of any kind."""

from __future__ import annotations

from dflint.model.catalog import CompositeType, Index, Sequence, Table, View
from dflint.model.names import Name
from dflint.model.operations.objects import RenameObject, SetObjectSchema
from dflint.model.quoting import quote_identifier
from dflint.planning.undo.before import Before, Irreversible, Nothing
from dflint.planning.undo.naming import RELATIONS, Named, inputs, named
from dflint.planning.undo.spelling import WORDS, object_sql


def rename(before: Before, operation: RenameObject) -> list[str]:
    """ALTER … RENAME TO."""
    kind = operation.object_kind
    if operation.if_exists and kind in RELATIONS:
        before.relation(operation.target)
    object_ = _meant(before, operation)
    new = Name(object_.name.schema, operation.new_name)
    arguments = operation.arguments
    if object_.routine is not None:
        arguments = inputs(object_.routine)
    on = before.resolve(operation.on) if operation.on is not None else None
    sql = object_sql(kind, new, arguments=arguments, on=on, detail=operation.detail)
    return [f"ALTER {WORDS[kind]} {sql} RENAME TO {quote_identifier(object_.name.name)}"]


def set_schema(before: Before, operation: SetObjectSchema) -> list[str]:
    """ALTER … SET SCHEMA."""
    kind = operation.object_kind
    if operation.if_exists and kind in RELATIONS:
        before.relation(operation.target)
    object_ = _meant(before, operation)
    arguments = operation.arguments if object_.routine is None else inputs(object_.routine)
    if kind == "extension":
        known = before.catalog.extensions.get(object_.name.name)
        if known is None or known.schema is None:
            raise Irreversible(f"the catalog does not say in which schema extension {object_.name} was")
        return [f"ALTER EXTENSION {object_.sql} SET SCHEMA {quote_identifier(known.schema)}"]
    old = object_.name.schema
    if old is None or (operation.target.schema is None and not _is_known(before, object_)):
        raise Irreversible(f"the catalog does not say in which schema {object_.shown} was")
    if old == operation.schema:
        raise Nothing
    sql = object_sql(kind, Name(operation.schema, object_.name.name), arguments=arguments, detail=operation.detail)
    return [f"ALTER {WORDS[kind]} {sql} SET SCHEMA {quote_identifier(old)}"]


def _meant(before: Before, operation: RenameObject | SetObjectSchema) -> Named:
    """The object; of a routine that the catalog does not know, by the types written."""
    on = getattr(operation, "on", None)
    return named(before, operation.object_kind, operation.target, operation.arguments, on=on, detail=operation.detail)


def _is_known(before: Before, object_: Named) -> bool:
    catalog, name = before.catalog, object_.name
    if object_.routine is not None or catalog.closed:
        return True
    return isinstance(catalog.relations.get(name), (Table, View, Index, Sequence, CompositeType)) or bool(
        catalog.types.get(name)
    )
